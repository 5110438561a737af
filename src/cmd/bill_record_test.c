/* What the network records of a lease is what its bill states, at every stage; and nothing else is. */
#include "cmd/bill_record.h"

#include "modules/billing/billing_world.h"
#include "modules/chain/chain.h"
#include "modules/chain/chain_store.h"

static const uint8_t proof_one[16] = { 1 };

/* ---- the world ---- */

static const char *const no_endpoint = "http://127.0.0.1:1";
static const struct contracts contracts = { .chain_id = 3338 };
static const struct chain_settings chain = {
	.rpc_urls = &no_endpoint,
	.n_rpc_urls = 1,
	.agree = 1,
	.signer = "/nowhere",
	.contracts = &contracts,
};

static int identity_fn(struct tx *tx, struct call *call)
{
	const struct identity_row row = { .chain_id = 3338 };
	int r = tx_exec(tx, "DELETE FROM chain_leaves", SQL_NO_PARAMS, NULL);

	(void)call;
	if (r == 0)
		r = tx_exec(tx, "DELETE FROM chain_identity", SQL_NO_PARAMS, NULL);
	return r == 0 ? chain_store_identity_add(tx, &row) : r;
}

/* With a chain that nobody answers for: records only wait. */
static int chain_open(void **state)
{
	struct world *world;
	struct call call;

	assert_int_equal(world_open(state), 0);
	world = *state;
	call = (struct call){ world, identity_fn };
	assert_int_equal(run(&call, TX_WRITE), 0);
	world->settings.chain = &chain;
	world->settings.chain_timeout_ms = 1000;
	assert_int_equal(chain_module.start(&world->context), 0);
	return 0;
}

static int chain_close(void **state)
{
	chain_module.stop();
	return world_close(state);
}

static int begin_fn(struct tx *tx, struct call *call)
{
	return billing_excuse_begin(&call->world->context, tx, call->id, proof_one,
				    call->ended_at_ms);
}

static int away_fn(struct tx *tx, struct call *call)
{
	const struct billing_time time = { call->ended_at_ms, call->ended_at_ms + 1000 };

	return billing_excuse_away(&call->world->context, tx, call->id, 7, &time, 1, &call->n);
}

static struct billing_lease opened(struct world *world)
{
	struct billing_lease lease = lease_of(world, 1);

	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	return lease;
}

static void reported(struct world *world, const struct billing_lease *lease, uint64_t sequence,
		     int64_t seconds, bool final)
{
	struct usage_statement usage = usage_of(world, lease, sequence, seconds);

	usage.final = final;
	assert_int_equal(report(world, &usage, NULL), 0);
}

static size_t leaves(struct world *world)
{
	return count(world, "SELECT COUNT(*) AS n FROM chain_leaves WHERE kind = 0");
}

/* ---- what is recorded ---- */

static struct bill read_bill(struct world *world, const struct billing_lease *lease,
			     struct arena *arena, size_t n)
{
	_cleanup_(freep) char *json = bill_of(world, lease);
	struct field_error error;
	struct bill bill;

	assert_int_equal(bill_read(json, strlen(json), arena, &bill, &error), 0);
	assert_int_equal(bill.leases.n, n);
	return bill;
}

struct wanted {
	uint8_t id[32];
	struct anchor_leaf leaf;
	int r;
};

static int leaf_fn(struct tx *tx, void *arg)
{
	struct wanted *wanted = arg;
	int64_t anchor;

	wanted->r = chain_store_leaf(tx, ANCHOR_USAGE, wanted->id, &wanted->leaf, &anchor);
	return 0;
}

/* The bill says that its last record has this number, and that it is @n-th there is. */
static void assert_recorded(struct world *world, const struct billing_lease *lease, int64_t number,
			    size_t n)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct wanted wanted;
	struct bill bill;

	assert_int_equal(arena_new(16 << 20, &arena), 0);
	bill = read_bill(world, lease, arena, 1);
	assert_int_equal(bill_leases(&bill)->record, number);
	assert_int_equal(leaves(world), n);
	assert_int_equal(bill_record_digest(&bill, bill_leases(&bill), digest), 0);
	record_id(lease->lease, number, wanted.id);
	assert_int_equal(db_run(world->db, TX_READ, arena, leaf_fn, &wanted), 0);
	assert_int_equal(wanted.r, 0);
	assert_memory_equal(wanted.leaf.digest, digest, sizeof(digest));
}

static void each_state_of_a_closed_bill_is_a_record(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world);
	struct call call = { world, begin_fn, .id = lease.lease };

	assert_recorded(world, &lease, 0, 1);
	world->clock.ms = START_MS + 60000;
	reported(world, &lease, 1, 10, false);
	assert_recorded(world, &lease, 0, 1);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 30000, true), 0);
	assert_recorded(world, &lease, 1, 2);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 30000, true), 0);
	reported(world, &lease, 1, 10, false);
	assert_recorded(world, &lease, 1, 2);
	/* What the machine signed before the end comes behind it. */
	reported(world, &lease, 2, 30, true);
	assert_recorded(world, &lease, 2, 3);
	reported(world, &lease, 2, 30, true);
	assert_recorded(world, &lease, 2, 3);

	/* Excuses: one gives back, one behind the last record does not. */
	call.ended_at_ms = START_MS + 25000;
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_recorded(world, &lease, 3, 4);
	call = (struct call){ world, away_fn, .id = lease.lease, .ended_at_ms = START_MS + 5000 };
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_recorded(world, &lease, 4, 5);
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_recorded(world, &lease, 4, 5);
}

static void an_excuse_that_changes_no_charge_is_recorded(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world);
	struct call call = { world, begin_fn, .id = lease.lease, .ended_at_ms = START_MS + 20000 };

	world->clock.ms = START_MS + 60000;
	reported(world, &lease, 1, 10, true);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 30000, true), 0);
	assert_recorded(world, &lease, 1, 2);
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_recorded(world, &lease, 2, 3);
}

static void what_never_ran_is_recorded(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world);

	assert_int_equal(close_lease(world, lease.lease, START_MS, false), 0);
	assert_recorded(world, &lease, 1, 2);
}

static int rental_end_fn(struct tx *tx, struct call *call)
{
	return billing_rental_end(&call->world->context, tx, call->lease.rental, call->lease.tenant,
				  (int64_t)call->n);
}

/* So that no lease can be left out: the record says how many there were, and so does the bill. */
static void a_rentals_end_is_recorded_with_its_leases(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world), second = lease_of(world, 1);
	struct call call = { world, rental_end_fn, .lease = lease, .n = 2 };
	uint8_t digest[SIGN_DIGEST_SIZE];
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct wanted wanted;
	struct bill bill;

	assert_int_equal(close_lease(world, lease.lease, START_MS, false), 0);
	second.rental = lease.rental;
	second.placing = 2;
	assert_int_equal(open_lease(world, &second), 0);
	assert_int_equal(close_lease(world, second.lease, START_MS, false), 0);
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_int_equal(leaves(world), 5);

	assert_int_equal(arena_new(16 << 20, &arena), 0);
	bill = read_bill(world, &lease, arena, 2);
	assert_int_equal(bill.placings, 2);
	for (int64_t i = 0; i < 2; i++)
		assert_int_equal(bill_leases(&bill)[i].placing, i + 1);
	rental_record_id(lease.rental, wanted.id);
	assert_int_equal(db_run(world->db, TX_READ, arena, leaf_fn, &wanted), 0);
	assert_int_equal(wanted.r, 0);
	bill_rental_digest(&bill, digest);
	assert_memory_equal(wanted.leaf.digest, digest, sizeof(digest));
	/* Whoever leaves one out has to say that there was one less. */
	bill.placings = 1;
	bill_rental_digest(&bill, digest);
	assert_memory_not_equal(wanted.leaf.digest, digest, sizeof(digest));
}

/* One that was to be placed, and found no machine. */
static void a_rental_without_a_lease_has_no_record(void **state)
{
	struct world *world = *state;
	struct call call = { world, rental_end_fn, .lease = lease_of(world, 1) };

	assert_int_equal(run(&call, TX_WRITE), 0);
	assert_int_equal(leaves(world), 0);
}

static void a_fault_leaves_no_record(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1);
	struct call call = { world, open_fn, .lease = lease };

	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	fail_everywhere(world, &call);
	assert_recorded(world, &lease, 0, 1);
	call = (struct call){ world, close_fn, .id = lease.lease, .ended_at_ms = START_MS,
			      .billed = true };
	fail_everywhere(world, &call);
	assert_recorded(world, &lease, 1, 2);
	call = (struct call){ world, usage_fn, .usage = usage_of(world, &lease, 1, 1) };
	sign_usage(world->machine, &call);
	world->clock.ms = START_MS + 1000;
	fail_everywhere(world, &call);
	assert_recorded(world, &lease, 2, 3);
}

static void without_a_chain_nothing_is_recorded(void **state)
{
	struct world *world = *state;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct billing_lease lease;
	struct bill bill;

	chain_module.stop();
	lease = opened(world);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 1000, true), 0);
	assert_int_equal(arena_new(16 << 20, &arena), 0);
	bill = read_bill(world, &lease, arena, 1);
	assert_int_equal(bill_leases(&bill)->record, 0);
	assert_int_equal(leaves(world), 0);
	assert_int_equal(chain_module.start(&world->context), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define CHAIN_TEST(test) cmocka_unit_test_setup_teardown(test, chain_open, chain_close)
		CHAIN_TEST(each_state_of_a_closed_bill_is_a_record),
		CHAIN_TEST(an_excuse_that_changes_no_charge_is_recorded),
		CHAIN_TEST(what_never_ran_is_recorded),
		CHAIN_TEST(a_rentals_end_is_recorded_with_its_leases),
		CHAIN_TEST(a_rental_without_a_lease_has_no_record),
		CHAIN_TEST(a_fault_leaves_no_record),
		CHAIN_TEST(without_a_chain_nothing_is_recorded),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

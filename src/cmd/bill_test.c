#include "cmd/bill.h"

#include "cmd/verify_bill.h"
#include "modules/billing/billing_world.h"
#include "modules/billing/record.h"

/* Bills as the module makes them, checked, and then spoilt one field at a time. */

/* How many findings; -1: malformed. @check: that the first is about. */
static int findings_of(const char *json, const struct address *network, const char *check)
{
	const struct bill_wanted wanted = { .network = network };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct bill_findings *findings;
	struct field_error error;
	struct bill bill;
	int r;

	assert_int_equal(arena_new(16 << 20, &arena), 0);
	findings = arena_alloc(arena, sizeof(*findings));
	assert_non_null(findings);
	r = bill_read(json, strlen(json), arena, &bill, &error);
	if (r == BILL_E_MALFORMED)
		return -1;
	assert_int_equal(r, 0);
	assert_int_equal(bill_check(&bill, &wanted, arena, findings), 0);
	if (check && findings->n > 0)
		assert_string_equal(findings->items[0].check, check);
	return (int)findings->n;
}

static void assert_holds(struct world *world, const struct billing_lease *lease)
{
	_cleanup_(freep) char *json = bill_of(world, lease);

	assert_int_equal(findings_of(json, &world->settings.network, NULL), 0);
	assert_int_equal(findings_of(json, NULL, NULL), 0);
}

static struct billing_lease opened(struct world *world)
{
	struct billing_lease lease = lease_of(world, 1);

	lease.rate_hour.micro = 1234567;
	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	return lease;
}

static struct billing_lease used(struct world *world)
{
	struct billing_lease lease = opened(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 101);

	world->clock.ms = START_MS + 200000;
	assert_int_equal(report(world, &usage, NULL), 0);
	return lease;
}

static void bills_hold_at_every_stage(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world), retried;
	struct usage_statement usage = usage_of(world, &lease, 1, 37);

	assert_holds(world, &lease);
	world->clock.ms = START_MS + 200000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_holds(world, &lease);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 30000, true), 0);
	assert_holds(world, &lease);

	/* A second placement of the same rental, which could not be used. */
	retried = lease_of(world, 1);
	retried.rental = lease.rental;
	retried.placing = 2;
	assert_int_equal(open_lease(world, &retried), 0);
	usage = usage_of(world, &retried, 1, 5);
	usage.started_at_ms = world->clock.ms;
	usage.until_ms = world->clock.ms + 5000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_holds(world, &lease);
	assert_int_equal(close_lease(world, retried.lease, world->clock.ms, false), 0);
	assert_holds(world, &lease);
}

static void bills_hold_when_money_ran_out(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 10000);

	world->clock.ms = START_MS + 10000000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 1000000);
	assert_holds(world, &lease);
}

static void spoil(const char *json, const char *member, json_t *value, const char *check)
{
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *lease;

	lease = json_array_get(json_object_get(bill, "leases"), 0);
	if (json_object_get(bill, member))
		json_object_set_new(bill, member, value);
	else if (json_object_get(lease, member))
		json_object_set_new(lease, member, value);
	else
		json_object_set_new(json_object_get(lease, "usage"), member, value);
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	if (findings_of(spoilt, NULL, check) == 0)
		fail_msg("a spoilt %s was not found", member);
}

static void finds_each_spoilt_field(void **state)
{
	static const char *const other = "0x0202020202020202020202020202020202020202";
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	char id[ID_TEXT_SIZE];

	spoil(json, "network", json_string(other), "terms signature");
	spoil(json, "tenant", json_string(other), "terms signature");
	spoil(json, "machine", json_string(other), "terms signature");
	spoil(json, "rate_hour", json_string("1.234568"), "terms signature");
	spoil(json, "fee_basis_points", json_integer(999), "terms signature");
	spoil(json, "placed_at_ms", json_integer(START_MS + 1), "terms signature");
	rental_id_text(&(struct rental_id){ { 7 } }, id);
	spoil(json, "rental", json_string(id), "terms signature");
	lease_id_text(&(struct lease_id){ { 7 } }, id);
	spoil(json, "lease", json_string(id), "terms signature");
	spoil(json, "seconds", json_integer(100), "usage signature");
	spoil(json, "sequence", json_integer(2), "usage signature");
	spoil(json, "until_ms", json_integer(START_MS + 102000), "usage signature");
	spoil(json, "started_at_ms", json_integer(START_MS + 1), "usage signature");
	spoil(json, "final", json_true(), "usage signature");
	spoil(json, "charged", json_string("0.034635"), "receipt signature");
	spoil(json, "unpaid", json_string("0.000001"), "charge");
	spoil(json, "billed", json_false(), "charge");
	spoil(json, "ended_at_ms", json_integer(START_MS + 50000), "charge");
	spoil(json, "receipt_signature", json_null(), "receipt signature");
	spoil(json, "usage", json_null(), "usage");
	spoil(json, "total", json_string("0.034637"), "total");
	spoil(json, "version", json_integer(1), NULL);
	spoil(json, "version", json_integer(3), NULL);
	spoil(json, "signature", json_string("0x00"), NULL);
	/* What nothing but the bill's own signature is over. */
	spoil(json, "provider", json_string(other), "bill signature");
	spoil(json, "made_at_ms", json_integer(START_MS), "bill signature");
	spoil(json, "record", json_integer(1), "bill signature");
	spoil(json, "placing", json_integer(0), "bill signature");
	spoil(json, "placing", json_integer(2), "placing");
	spoil(json, "placings", json_integer(2), "leases");
}

/* A network that signs a wrong charge with its own key is found by the arithmetic alone. */
static void finds_a_wrong_charge_that_is_signed(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 101);
	struct receipt_statement receipt = { .charged = { 34700 } };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	_cleanup_(freep) char *json = bill_of(world, &lease);
	char text[2 + 2 * SIGNATURE_SIZE + 1] = "0x";
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *item;

	usage_digest(&usage, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	assert_int_equal(secp_sign(world->network, digest, signature), 0);
	for (size_t i = 0; i < SIGNATURE_SIZE; i++)
		snprintf(text + 2 + 2 * i, 3, "%02x", signature[i]);
	item = json_array_get(json_object_get(bill, "leases"), 0);
	json_object_set_new(item, "charged", json_string("0.0347"));
	json_object_set_new(item, "receipt_signature", json_string(text));
	json_object_set_new(bill, "total", json_string("0.0347"));
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(spoilt, NULL, "charge"), 2);
}

static void asks_for_the_network_that_was_named(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	const struct address *stranger = secp_key_address(world->stranger);
	const struct bill_wanted anybodys = { 0 }, strangers = { .network = stranger };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct bill bill;

	assert_int_equal(arena_new(VERIFY_BILL_BYTES, &arena), 0);
	assert_true(findings_of(json, stranger, "network") > 0);
	assert_int_equal(verify_bill(json, strlen(json), &anybodys, arena, &bill), 0);
	assert_true(lease_id_equal(bill_leases(&bill)->lease, lease.lease));
	assert_int_equal(verify_bill(json, strlen(json), &strangers, arena, &bill), 1);
	assert_int_equal(verify_bill("{}", 2, &anybodys, arena, &bill), 1);
	assert_int_equal(verify_bill("not JSON", 8, &anybodys, arena, &bill), 1);
}

static void finds_a_lease_that_is_listed_twice(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *list = json_object_get(bill, "leases");

	json_array_append(list, json_array_get(list, 0));
	json_object_set_new(bill, "total", json_string("0.069272"));
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(spoilt, NULL, "lease"), 4);
}

/* A network that answers with another rental's true bill, or somebody else's. */
static void asks_for_the_rental_and_its_reader(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	const struct rental_id other = { { 7 } };
	const struct bill_wanted table[] = {
		{ .rental = &lease.rental, .reader = &lease.tenant.address },
		{ .rental = &lease.rental, .reader = &lease.provider.address },
		{ .rental = &other },
		{ .reader = secp_key_address(world->stranger) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(arena_freep) struct arena *arena = NULL;
		struct bill bill;

		assert_int_equal(arena_new(VERIFY_BILL_BYTES, &arena), 0);
		assert_int_equal(verify_bill(json, strlen(json), &table[i], arena, &bill), i > 1);
	}
}

/* The receipt says that something was used. */
static void finds_usage_that_was_taken_out(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL);
	json_t *item = json_array_get(json_object_get(bill, "leases"), 0);

	json_object_set_new(item, "usage", json_null());
	json_object_set_new(item, "charged", json_string("0.0"));
	json_object_set_new(bill, "total", json_string("0.0"));
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(spoilt, NULL, "usage"), 2);
}

/* As `kaisar bill -o json` adds it. */
static void leaves_out_where_it_is_anchored(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	_cleanup_(freep) char *told = NULL;
	json_t *bill = json_loads(json, 0, NULL);

	json_object_set_new(json_array_get(json_object_get(bill, "leases"), 0), "anchor",
			    json_pack("{s:i}", "sequence", 7));
	told = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(told, NULL, NULL), 0);
}

/* ---- leases left out, doubled, reordered, mixed ---- */

static struct billing_lease lease_used(struct world *world, struct billing_lease lease)
{
	struct usage_statement usage;

	lease.rate_hour.micro = 1234567;
	assert_int_equal(open_lease(world, &lease), 0);
	usage = usage_of(world, &lease, 1, 101);
	usage.started_at_ms = world->clock.ms;
	usage.until_ms = world->clock.ms += 101000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(close_lease(world, lease.lease, usage.until_ms, true), 0);
	return lease;
}

/* A rental of three leases; the last is on a machine of somebody else. */
static struct billing_lease three_leases(struct world *world)
{
	struct billing_lease lease = lease_used(world, lease_of(world, 1)), next;

	for (int64_t i = 2; i <= 3; i++) {
		next = lease_of(world, 1);
		next.rental = lease.rental;
		next.placing = i;
		if (i == 3)
			next.provider = account_of(9);
		lease_used(world, next);
	}
	return lease;
}

static json_t *leases_of(json_t *bill)
{
	return json_object_get(bill, "leases");
}

/* So that nothing but the leases themselves tells. */
static void set_sums(json_t *bill)
{
	size_t n = json_array_size(leases_of(bill));
	struct amount total = { (int64_t)n * 34636 };
	char text[AMOUNT_TEXT_SIZE];

	amount_text(total, text);
	json_object_set_new(bill, "total", json_string(text));
	json_object_set_new(bill, "placings", json_integer((json_int_t)n));
	for (size_t i = 0; i < n; i++)
		json_object_set_new(json_array_get(leases_of(bill), i), "placing",
				    json_integer((json_int_t)i + 1));
}

static void no_lease(json_t *bill, json_t *other)
{
	(void)other;
	json_array_clear(leases_of(bill));
	json_object_set_new(bill, "total", json_string("0.0"));
}

static void no_first(json_t *bill, json_t *other)
{
	(void)other;
	json_array_remove(leases_of(bill), 0);
	set_sums(bill);
}

static void no_last(json_t *bill, json_t *other)
{
	(void)other;
	json_array_remove(leases_of(bill), 2);
	set_sums(bill);
}

static void no_last_and_nothing_else(json_t *bill, json_t *other)
{
	(void)other;
	json_array_remove(leases_of(bill), 2);
	json_object_set_new(bill, "total", json_string("0.069272"));
}

static void doubled(json_t *bill, json_t *other)
{
	(void)other;
	json_array_append(leases_of(bill), json_array_get(leases_of(bill), 0));
	set_sums(bill);
}

static void reordered(json_t *bill, json_t *other)
{
	json_t *lease = json_incref(json_array_get(leases_of(bill), 0));

	(void)other;
	json_array_remove(leases_of(bill), 0);
	json_array_append_new(leases_of(bill), lease);
}

static void reordered_and_numbered(json_t *bill, json_t *other)
{
	reordered(bill, other);
	set_sums(bill);
}

static void anothers_lease(json_t *bill, json_t *other)
{
	json_array_set(leases_of(bill), 1, json_array_get(leases_of(other), 0));
	set_sums(bill);
}

static void anothers_leases(json_t *bill, json_t *other)
{
	json_object_set(bill, "leases", leases_of(other));
	set_sums(bill);
}

static void anothers_rental(json_t *bill, json_t *other)
{
	json_object_set(bill, "rental", json_object_get(other, "rental"));
}

static void anothers_signature(json_t *bill, json_t *other)
{
	json_object_set(bill, "signature", json_object_get(other, "signature"));
}

static void finds_leases_that_are_not_as_they_were(void **state)
{
	static const struct {
		void (*change)(json_t *bill, json_t *other);
		const char *check; /* the first finding */
	} table[] = {
		{ no_lease, "leases" },
		{ no_first, "bill signature" },
		{ no_last, "bill signature" },
		{ no_last_and_nothing_else, "leases" },
		{ doubled, "lease" },
		{ reordered, "placing" },
		{ reordered_and_numbered, "bill signature" },
		{ anothers_lease, "terms signature" },
		{ anothers_leases, "terms signature" },
		{ anothers_rental, "terms signature" },
		{ anothers_signature, "bill signature" },
	};
	struct world *world = *state;
	struct billing_lease lease, other;

	assert_int_equal(credit(world, account_of(1), 1000000, "a"), 0);
	lease = three_leases(world);
	other = three_leases(world);
	assert_holds(world, &lease);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(freep) char *json = bill_of(world, &lease);
		_cleanup_(freep) char *other_json = bill_of(world, &other);
		_cleanup_(freep) char *changed = NULL;
		json_t *bill = json_loads(json, 0, NULL);
		json_t *other_bill = json_loads(other_json, 0, NULL);

		table[i].change(bill, other_bill);
		changed = json_dumps(bill, 0);
		json_decref(bill);
		json_decref(other_bill);
		if (findings_of(changed, NULL, table[i].check) <= 0)
			fail_msg("change %zu was not found", i);
	}
}

/* Such leases are counted by the network's signature alone; the next one is numbered behind them. */
static void holds_with_leases_of_before_they_were_numbered(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = lease_of(world, 1), next;

	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	lease.placing = 0;
	lease = lease_used(world, lease);
	assert_holds(world, &lease);
	next = lease_of(world, 1);
	next.rental = lease.rental;
	next.placing = 2;
	lease_used(world, next);
	assert_holds(world, &lease);
}

/* What the network signed for a provider is no bill for the tenant. */
static void a_providers_bill_is_his_alone(void **state)
{
	struct world *world = *state;
	struct billing_lease lease;
	struct account_id other = account_of(9);
	_cleanup_(freep) char *json = NULL;
	struct {
		struct bill_wanted wanted;
		int status;
	} table[] = {
		{ { .provider = &other.address }, 0 },
		{ { .provider = &world->provider.address }, 1 },
		{ { .reader = &lease.tenant.address }, 1 },
		{ { 0 }, 1 },
	};

	assert_int_equal(credit(world, account_of(1), 1000000, "a"), 0);
	lease = three_leases(world);
	lease.tenant = other;
	json = bill_of(world, &lease);
	lease.tenant = account_of(1);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_(arena_freep) struct arena *arena = NULL;
		struct bill bill;

		assert_int_equal(arena_new(VERIFY_BILL_BYTES, &arena), 0);
		assert_int_equal(verify_bill(json, strlen(json), &table[i].wanted, arena, &bill),
				 table[i].status);
	}
}

struct excusing {
	struct world *world;
	struct lease_id lease;
	struct excuse_row excuse;
};

static int excuse_fn(struct tx *tx, void *arg)
{
	struct excusing *it = arg;
	struct excuse_statement statement;
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct lease_row lease;
	int r = store_lease(tx, it->lease, &lease);

	if (r != 0)
		return r;
	statement = lease_excuse(&it->world->context, &lease, &it->excuse);
	excuse_digest(&statement, digest);
	r = secp_sign(it->world->network, digest, it->excuse.signature);
	return r == 0 ? store_excuse_put(tx, it->lease, &it->excuse) : r;
}

/* As a network does that excuses what it likes. */
static void excuse(struct world *world, struct lease_id lease, int64_t from_s, int64_t until_s)
{
	struct excusing it = { world, lease, { .hour = 1 } };

	it.excuse.from_ms = START_MS + from_s * 1000;
	it.excuse.until_ms = until_s ? START_MS + until_s * 1000 : 0;
	arena_reset(world->arena);
	assert_int_equal(db_run(world->db, TX_WRITE, world->arena, excuse_fn, &it), 0);
}

static int findings_with_excuses(struct world *world, const int64_t (*times)[2], size_t n)
{
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage;
	_cleanup_(freep) char *json = NULL;

	lease.rate_hour.micro = 1234567;
	world->clock.ms = START_MS;
	assert_int_equal(open_lease(world, &lease), 0);
	for (size_t i = 0; i < n; i++)
		excuse(world, lease.lease, times[i][0], times[i][1]);
	usage = usage_of(world, &lease, 1, 101);
	world->clock.ms = START_MS + 200000;
	assert_int_equal(report(world, &usage, NULL), 0);
	json = bill_of(world, &lease);
	return findings_of(json, &world->settings.network, "excuses");
}

/* Everything is signed, and each charge is what the seconds without the excuses make it. */
static void finds_what_is_excused_twice(void **state)
{
	struct world *world = *state;

	assert_int_equal(credit(world, account_of(1), 1000000, "a"), 0);
	assert_int_equal(
		findings_with_excuses(world,
				      (const int64_t[][2]){ { 10, 20 }, { 20, 30 }, { 40, 0 } }, 3),
		0);
	assert_int_equal(
		findings_with_excuses(world, (const int64_t[][2]){ { 10, 30 }, { 20, 40 } }, 2), 1);
	assert_int_equal(
		findings_with_excuses(world, (const int64_t[][2]){ { 10, 0 }, { 20, 40 } }, 2), 1);
}

static void add_excuses(json_t *lease)
{
	char signature[2 + 2 * SIGNATURE_SIZE + 1];
	json_t *excuses = json_array();

	memset(signature, '1', sizeof(signature) - 1);
	memcpy(signature, "0x", 2);
	signature[sizeof(signature) - 1] = '\0';
	for (size_t i = 0; i < BILLING_EXCUSES_MAX; i++)
		json_array_append_new(excuses,
				      json_pack("{s:s, s:n, s:I, s:I, s:s}", "proof",
						"prf-01hf7yat008ynf4cvw9q2n451m", "hour", "from_ms",
						(json_int_t)START_MS, "until_ms",
						(json_int_t)START_MS, "signature", signature));
	json_object_set_new(lease, "excuses", excuses);
}

/* As `kaisar verify-bill --save` keeps it. */
static void reads_the_longest_bill_there_can_be(void **state)
{
	enum { LEASES = 4 };
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease), *longest = NULL;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	json_t *bill = json_loads(json, 0, NULL), *first = json_array_get(leases_of(bill), 0);
	struct field_error error;
	struct bill read;

	add_excuses(first);
	for (size_t i = 1; i < LEASES; i++)
		json_array_append(leases_of(bill), first);
	longest = json_dumps(bill, JSON_INDENT(1));
	json_decref(bill);
	assert_int_equal(arena_new(VERIFY_BILL_BYTES, &arena), 0);
	assert_int_equal(bill_read(longest, strlen(longest), arena, &read, &error), 0);
	assert_int_equal(read.leases.n, LEASES);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(bills_hold_at_every_stage),
		WORLD_TEST(bills_hold_when_money_ran_out),
		WORLD_TEST(finds_each_spoilt_field),
		WORLD_TEST(finds_a_wrong_charge_that_is_signed),
		WORLD_TEST(asks_for_the_network_that_was_named),
		WORLD_TEST(finds_a_lease_that_is_listed_twice),
		WORLD_TEST(asks_for_the_rental_and_its_reader),
		WORLD_TEST(finds_usage_that_was_taken_out),
		WORLD_TEST(leaves_out_where_it_is_anchored),
		WORLD_TEST(finds_leases_that_are_not_as_they_were),
		WORLD_TEST(holds_with_leases_of_before_they_were_numbered),
		WORLD_TEST(a_providers_bill_is_his_alone),
		WORLD_TEST(finds_what_is_excused_twice),
		WORLD_TEST(reads_the_longest_bill_there_can_be),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

#include "modules/worker/worker_world.h"

#include "modules/checker/checker_store.h"
#include "modules/vpn/vpn_rules.h"

enum { LIFE_MS = 86400000, KEYS = 6 };

static struct nebula_authority *authority;
static uint8_t public_keys[KEYS][NEBULA_KEY_SIZE];

struct asking {
	struct world *world;
	struct vpn_question question;
	struct vpn_membership membership;
};

static void sign_question(struct world *world, size_t signer, struct vpn_question *question)
{
	struct vpn_statement statement = { .network = world->settings.network,
					   .machine = question->machine,
					   .at_ms = question->at_ms };
	uint8_t digest[SIGN_DIGEST_SIZE];

	memcpy(statement.public_key, question->public_key, sizeof(statement.public_key));
	vpn_digest(&statement, digest);
	assert_int_equal(secp_sign(world->keys[signer], digest, question->signature), 0);
}

static struct asking question_of(struct world *world, size_t machine, size_t key)
{
	struct asking asking = { .world = world,
				 .question = { .machine = world->machines[machine],
					       .at_ms = world->clock.ms } };

	memcpy(asking.question.public_key, public_keys[key], NEBULA_KEY_SIZE);
	sign_question(world, machine, &asking.question);
	return asking;
}

static int tx_ask(struct tx *tx, void *arg)
{
	struct asking *asking = arg;

	return vpn_ask(&asking->world->context, tx, &asking->question, &asking->membership);
}

static int ask(struct world *world, size_t machine, size_t key, struct asking *ret_asking)
{
	*ret_asking = question_of(world, machine, key);
	return store_run(&world->store, TX_WRITE, tx_ask, ret_asking);
}

struct adding {
	struct world *world;
	size_t machine;
	enum vpn_kind kind;
	struct vpn_row row;
};

static int tx_add(struct tx *tx, void *arg)
{
	struct adding *adding = arg;

	return vpn_add(&adding->world->context, tx, adding->world->machines[adding->machine],
		       adding->kind, adding->kind == VPN_LIGHTHOUSE ? "192.0.2.1:4242" : "",
		       &adding->row);
}

static int add(struct world *world, size_t machine, enum vpn_kind kind)
{
	struct adding adding = { .world = world, .machine = machine, .kind = kind };

	return store_run(&world->store, TX_WRITE, tx_add, &adding);
}

struct revoking {
	struct world *world;
	size_t machine;
	bool restore;
};

static int tx_revoke(struct tx *tx, void *arg)
{
	const struct revoking *revoking = arg;
	const struct machine_id machine = revoking->world->machines[revoking->machine];

	if (revoking->restore)
		return vpn_store_restore(tx, machine);
	return vpn_store_revoke(tx, machine, true, "stolen", revoking->world->clock.ms);
}

static int revoke(struct world *world, size_t machine, bool restore)
{
	struct revoking revoking = { world, machine, restore };

	return store_run(&world->store, TX_WRITE, tx_revoke, &revoking);
}

struct licensing {
	struct address checker;
	int64_t licences;
};

static int tx_license(struct tx *tx, void *arg)
{
	const struct licensing *licensing = arg;
	const struct checker_row row = { .checker = licensing->checker, .name = "checker" };
	int r = checker_store_put(tx, &row);

	return r == 0 ? checker_store_licences(tx, &row.checker, licensing->licences) : r;
}

/* The machine is a checker. */
static void license(struct world *world, size_t machine, int64_t licences)
{
	struct licensing licensing = { world->machines[machine].address, licences };

	assert_int_equal(store_run(&world->store, TX_WRITE, tx_license, &licensing), 0);
}

static int open_vpn(void **state)
{
	struct world *world;
	int r = world_open(state);

	if (r != 0)
		return r;
	world = *state;
	world->settings.vpn = authority;
	world->settings.vpn_certificate_ms = LIFE_MS;
	world->settings.vpn_ask_ms = 15000;
	return 0;
}

/* Machine 3. */
static void with_lighthouse(struct world *world)
{
	assert_int_equal(add(world, 3, VPN_LIGHTHOUSE), 0);
}

static struct nebula_claims claims_in(const struct asking *asking)
{
	struct nebula_claims claims;

	assert_int_equal(nebula_read(&asking->membership.certificate.certificate, &claims), 0);
	return claims;
}

static void test_who_may_be_in_it(void **state)
{
	struct world *world = *state;
	struct asking asking;

	set_up_machine(world, 0, 0);
	assert_int_equal(ask(world, 0, 0, &asking), VPN_E_NONE);
	with_lighthouse(world);
	assert_int_equal(ask(world, 0, 0, &asking), 0);
	assert_string_equal(claims_in(&asking).groups[0], "worker");
	assert_int_equal(claims_in(&asking).n_groups, 1);
	assert_int_equal(ask(world, 1, 1, &asking), VPN_E_STRANGER);
	license(world, 1, 0);
	assert_int_equal(ask(world, 1, 1, &asking), VPN_E_STRANGER);
	license(world, 1, 1);
	assert_int_equal(ask(world, 1, 1, &asking), 0);
	assert_string_equal(claims_in(&asking).groups[0], "checker");
	assert_int_equal(add(world, 1, VPN_GATEWAY), VPN_E_TAKEN);
	assert_int_equal(add(world, 0, VPN_LIGHTHOUSE), VPN_E_TAKEN);
	assert_int_equal(add(world, 2, VPN_GATEWAY), 0);
	assert_int_equal(add(world, 2, VPN_GATEWAY), 0);
	assert_int_equal(add(world, 2, VPN_LIGHTHOUSE), VPN_E_TAKEN);
	assert_int_equal(ask(world, 2, 2, &asking), 0);
	assert_string_equal(claims_in(&asking).groups[0], "gateway");
	assert_int_equal(ask(world, 3, 3, &asking), 0);
	assert_string_equal(claims_in(&asking).groups[0], "lighthouse");
	assert_int_equal(asking.membership.n_lighthouses, 1);
}

static void test_questions_are_signed_and_fresh(void **state)
{
	struct world *world = *state;
	struct asking asking;

	with_lighthouse(world);
	set_up_machine(world, 0, 0);
	asking = question_of(world, 0, 0);
	sign_question(world, 1, &asking.question);
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_ask, &asking), VPN_E_SIGNATURE);
	asking = question_of(world, 0, 0);
	memcpy(asking.question.public_key, public_keys[1], NEBULA_KEY_SIZE);
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_ask, &asking), VPN_E_SIGNATURE);
	asking = question_of(world, 0, 0);
	world->clock.ms += VPN_CLOCK_MS + 1;
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_ask, &asking), VPN_E_CLOCK);
	world->clock.ms -= 2 * (VPN_CLOCK_MS + 1);
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_ask, &asking), VPN_E_CLOCK);
	world->clock.ms += VPN_CLOCK_MS + 1;
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_ask, &asking), 0);
}

static void test_asking_again_changes_nothing_until_a_third_is_over(void **state)
{
	struct world *world = *state;
	struct asking first, again;

	with_lighthouse(world);
	set_up_machine(world, 0, 0);
	assert_int_equal(ask(world, 0, 0, &first), 0);
	assert_true(first.membership.fresh);
	world->clock.ms += LIFE_MS / 3 - 1000;
	assert_int_equal(ask(world, 0, 0, &again), 0);
	assert_false(again.membership.fresh);
	assert_memory_equal(first.membership.certificate.fingerprint,
			    again.membership.certificate.fingerprint, NEBULA_FINGERPRINT_SIZE);
	world->clock.ms += 2000;
	assert_int_equal(ask(world, 0, 0, &again), 0);
	assert_false(again.membership.fresh);
	assert_memory_not_equal(first.membership.certificate.fingerprint,
				again.membership.certificate.fingerprint, NEBULA_FINGERPRINT_SIZE);
	assert_int_equal(claims_in(&first).address, claims_in(&again).address);
	assert_int_equal(again.membership.certificate.not_after_ms,
			 (world->clock.ms + LIFE_MS) / 1000 * 1000);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM vpn_certificates"),
			 2);
}

static void test_revoked_is_named_until_it_is_over(void **state)
{
	struct world *world = *state;
	struct asking mine, other;

	with_lighthouse(world);
	set_up_machine(world, 0, 0);
	set_up_machine(world, 1, 0);
	assert_int_equal(ask(world, 0, 0, &mine), 0);
	assert_int_equal(revoke(world, 0, false), 0);
	assert_int_equal(revoke(world, 2, false), ROUTE_E_NOT_FOUND);
	assert_int_equal(ask(world, 1, 1, &other), 0);
	assert_int_equal(other.membership.n_blocked, 1);
	assert_int_equal(ask(world, 0, 0, &other), VPN_E_REVOKED);
	assert_int_equal(ask(world, 0, 2, &other), VPN_E_REVOKED);
	assert_int_equal(revoke(world, 0, true), 0);
	assert_int_equal(revoke(world, 0, true), ROUTE_E_NOT_FOUND);
	world->clock.ms += 1000;
	assert_int_equal(ask(world, 0, 0, &other), 0);
	assert_true(other.membership.fresh);
	assert_int_equal(other.membership.n_blocked, 1);
	world->clock.ms += LIFE_MS + 2 * 3600000;
	assert_int_equal(ask(world, 1, 1, &other), 0);
	assert_int_equal(other.membership.n_blocked, 0);
}

static void test_a_machine_has_few_keys(void **state)
{
	struct world *world = *state;
	struct asking asking;

	with_lighthouse(world);
	set_up_machine(world, 0, 0);
	for (size_t i = 0; i < VPN_KEYS_MAX; i++)
		assert_int_equal(ask(world, 0, i, &asking), 0);
	assert_int_equal(ask(world, 0, VPN_KEYS_MAX, &asking), VPN_E_TOO_MANY_KEYS);
	assert_int_equal(ask(world, 0, 0, &asking), 0);
	world->clock.ms += LIFE_MS + 1000;
	assert_int_equal(ask(world, 0, VPN_KEYS_MAX, &asking), 0);
}

static void test_addresses_are_one_machines(void **state)
{
	/* A network of 14 addresses is the smallest; take all but two. */
	struct nebula_claims claims = { .name = "small",
					.address = 0x64640000,
					.mask = 0xfffffff0,
					.not_before_s = 1,
					.not_after_s = INT64_C(1) << 40 };
	_cleanup_(nebula_authority_freep) struct nebula_authority *small = NULL;
	struct world *world = *state;
	struct asking first, second;

	assert_int_equal(nebula_authority_make(&claims, &small), 0);
	world->settings.vpn = small;
	with_lighthouse(world);
	store_exec(&world->store, "UPDATE vpn_machines SET address = 1684275213"); /* .13 */
	for (size_t i = 0; i < 3; i++)
		set_up_machine(world, i, 0);
	assert_int_equal(ask(world, 0, 0, &first), 0);
	assert_int_equal(first.membership.row.address, 0x6464000e);
	assert_int_equal(ask(world, 1, 1, &second), VPN_E_FULL);
	world->clock.ms += LIFE_MS + 1000;
	assert_int_equal(ask(world, 1, 1, &second), 0);
	assert_int_equal(second.membership.row.address, 0x6464000e);
	assert_int_equal(ask(world, 0, 0, &first), VPN_E_FULL);
	/* Another network: everybody moves, and their certificates with them. */
	world->settings.vpn = authority;
	assert_int_equal(ask(world, 1, 1, &second), 0);
	assert_int_equal(claims_in(&second).mask, 0xffff0000);
}

static void test_who_is_it_no_longer_is_revoked(void **state)
{
	struct world *world = *state;
	struct asking asking;

	with_lighthouse(world);
	set_up_machine(world, 0, 0);
	license(world, 1, 1);
	assert_int_equal(ask(world, 0, 0, &asking), 0);
	assert_int_equal(ask(world, 1, 1, &asking), 0);
	assert_int_equal(vpn_sweep(&world->context, world->store.arena), 0);
	assert_int_equal(ask(world, 0, 0, &asking), 0);
	assert_int_equal(asking.membership.n_blocked, 0);
	license(world, 1, 0);
	assert_int_equal(ask(world, 1, 1, &asking), VPN_E_STRANGER);
	assert_int_equal(vpn_sweep(&world->context, world->store.arena), 0);
	assert_int_equal(vpn_sweep(&world->context, world->store.arena), 0);
	assert_int_equal(ask(world, 0, 0, &asking), 0);
	assert_int_equal(asking.membership.n_blocked, 1);
	/* Licensed again it is in again, with another certificate. */
	license(world, 1, 2);
	world->clock.ms += 1000;
	assert_int_equal(ask(world, 1, 1, &asking), 0);
	assert_int_equal(asking.membership.n_blocked, 1);
	assert_int_equal(store_number(&world->store, "SELECT COUNT(*) AS n FROM audit_entries"
						     " WHERE action = 'vpn.revoked'"),
			 1);
}

int main(void)
{
#define VPN_TEST(test) cmocka_unit_test_setup_teardown(test, open_vpn, world_close)
	const struct nebula_claims claims = { .name = "kaisar",
					      .address = 0x64640000,
					      .mask = 0xffff0000,
					      .not_before_s = 1,
					      .not_after_s = INT64_C(1) << 40 };
	const struct CMUnitTest tests[] = {
		VPN_TEST(test_who_may_be_in_it),
		VPN_TEST(test_questions_are_signed_and_fresh),
		VPN_TEST(test_asking_again_changes_nothing_until_a_third_is_over),
		VPN_TEST(test_revoked_is_named_until_it_is_over),
		VPN_TEST(test_a_machine_has_few_keys),
		VPN_TEST(test_addresses_are_one_machines),
		VPN_TEST(test_who_is_it_no_longer_is_revoked),
	};
	uint8_t secret[NEBULA_KEY_SIZE];
	int failed;

	if (nebula_authority_make(&claims, &authority) < 0)
		abort();
	for (size_t i = 0; i < KEYS; i++)
		if (nebula_keypair(secret, public_keys[i]) < 0)
			abort();
	failed = world_run(tests, ARRAY_SIZE(tests));
	nebula_authority_free(authority);
	return failed;
}

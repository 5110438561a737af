/* Roots on a network with a chain that does not answer: what is made, called and proved is the store's alone. */
#include "modules/rewards/roots.h"

#include "modules/chain/chain.h"
#include "modules/rewards/payout_routes.h"
#include "modules/rewards/rewards_world.h"
#include "modules/rewards/root_trees.h"

enum { ACCOUNTS = 3, EPOCH_TOKENS = 100 };

static const char *const urls[] = { "http://127.0.0.1:1" };
static const struct contracts contracts = { .chain_id = 3338 };
static const struct chain_settings chain = { .rpc_urls = urls,
					     .n_rpc_urls = 1,
					     .agree = 1,
					     .signer = "/nonexistent/signer",
					     .contracts = &contracts };

/* The store knows the signer's key, so that it may be away. */
static int open_chain(void **state)
{
	struct world *world;
	int r = world_open(state);

	if (r != 0)
		return r;
	world = *state;
	world->settings.chain = &chain;
	world->settings.chain_timeout_ms = 100;
	store_exec(&world->store, "INSERT INTO chain_identity (id, chain_id, anchor, publisher)"
				  " SELECT 1, 3338, reached, reached FROM reward_epochs");
	return chain_module.start(&world->context);
}

static int close_chain(void **state)
{
	root_trees_forget();
	chain_module.stop();
	return world_close(state);
}

#define CHAIN_TEST(test) cmocka_unit_test_setup_teardown(test, open_chain, close_chain)

/* ---- what there is ---- */

static struct u256 tokens(uint64_t n)
{
	return u256_mul(u256_from(n), u256_from(UINT64_C(1000000000000000000)));
}

struct making {
	const struct address *account;
	struct root_row row;
	struct pot_row pot;
	struct root_proof proof;
	int64_t n, now_ms;
};

static int tx_credit(struct tx *tx, void *arg)
{
	const struct making *making = arg;
	struct epoch_credit credits[ACCOUNTS];

	for (uint8_t i = 0; i < ACCOUNTS; i++)
		credits[i] = (struct epoch_credit){ CREDIT_LIQUID,
						    account_of((uint8_t)(i + 1)).address,
						    { (unsigned __int128)EPOCH_TOKENS *
						      1000000000000000000 / 4 * (i ? 1 : 2) } };
	return rewards_store_credit(tx, making->n, 0, credits, ACCOUNTS, true);
}

static int tx_open(struct tx *tx, void *arg)
{
	const struct making *making = arg;
	const struct epoch_row row = { .number = making->n,
				       .from_ms = making->n * 1000,
				       .until_ms = making->n * 1000 + 1000,
				       .state = EPOCH_OPEN };

	return rewards_store_open(tx, &row);
}

/* A closed one, which gives EPOCH_TOKENS to machines; it is credited. */
static void add_epoch(struct world *world, int64_t n)
{
	struct making making = { .n = n };
	char sql[256];

	assert_int_equal(store_run(&world->store, TX_WRITE, tx_open, &making), 0);
	snprintf(sql, sizeof(sql),
		 "UPDATE reward_epochs SET state = 5, capacity = '%d000000000000000000', "
		 "capacity_left = '0' WHERE epoch = %" PRId64,
		 EPOCH_TOKENS, n);
	store_exec(&world->store, sql);
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_credit, &making), 0);
}

static int tx_last(struct tx *tx, void *arg)
{
	struct making *making = arg;

	return rewards_store_root_last(tx, REWARD_LIQUID, &making->row);
}

static struct root_row last_root(struct world *world)
{
	struct making making = { 0 };

	assert_int_equal(store_run(&world->store, TX_READ, tx_last, &making), 0);
	return making.row;
}

/* What the contract would say of the last root. */
static int tx_activate(struct tx *tx, void *arg)
{
	struct making *making = arg;
	int r = tx_last(tx, making);

	if (r == 0)
		r = rewards_store_pot(tx, REWARD_LIQUID, &making->pot);
	making->row.state = ROOT_ACTIVE;
	making->pot.active_round = making->row.round;
	memcpy(making->pot.active_root, making->row.root, 32);
	making->pot.funded = tokens(1000000);
	if (r == 0)
		r = rewards_store_root_set(tx, &making->row);
	return r == 0 ? rewards_store_pot_set(tx, REWARD_LIQUID, &making->pot) : r;
}

static void activate_last(struct world *world)
{
	struct making making = { 0 };

	assert_int_equal(store_run(&world->store, TX_WRITE, tx_activate, &making), 0);
}

static int tx_fund(struct tx *tx, void *arg)
{
	struct making *making = arg;

	making->pot.funded = tokens(1000000);
	return rewards_store_pot_set(tx, REWARD_LIQUID, &making->pot);
}

static void fund(struct world *world)
{
	struct making making = { 0 };

	assert_int_equal(store_run(&world->store, TX_WRITE, tx_fund, &making), 0);
}

static void turn(struct world *world, char problem[static ROOTS_PROBLEM_MAX])
{
	assert_int_equal(roots_turn(&world->context, world->store.arena, problem), 0);
}

/* ---- proofs ---- */

static int tx_prove(struct tx *tx, void *arg)
{
	struct making *making = arg;
	int r = rewards_store_root(tx, REWARD_LIQUID, making->n, &making->row);

	return r != 0 ? r
		      : root_trees_prove(tx, &making->row, making->account, making->now_ms,
					 &making->proof);
}

static int prove(struct world *world, int64_t round)
{
	const struct address account = account_of(1).address;
	struct making making = { .account = &account, .n = round, .now_ms = world->clock.ms };

	return store_run(&world->store, TX_READ, tx_prove, &making);
}

static int tx_pend(struct tx *tx, void *arg)
{
	struct making *making = arg;
	int r = tx_last(tx, making);

	if (r == 0)
		r = rewards_store_pot(tx, REWARD_LIQUID, &making->pot);
	making->pot.pending_round = making->row.round;
	memcpy(making->pot.pending_root, making->row.root, 32);
	return r == 0 ? rewards_store_pot_set(tx, REWARD_LIQUID, &making->pot) : r;
}

/* Roots 1 to 7, of which 6 is in effect and 7 is proposed. */
static void add_roots(struct world *world)
{
	char problem[ROOTS_PROBLEM_MAX];
	struct making making = { 0 };

	for (int64_t n = 1; n <= 7; n++) {
		if (n > 1)
			activate_last(world);
		add_epoch(world, n);
		turn(world, problem);
		assert_int_equal(last_root(world).round, n);
	}
	assert_int_equal(store_run(&world->store, TX_WRITE, tx_pend, &making), 0);
}

/* Whatever old ones are asked for: what can be claimed, or soon, is not computed again. */
static void test_claims_are_kept(void **state)
{
	struct world *world = *state;

	add_roots(world);
	assert_int_equal(prove(world, 6), 0);
	assert_int_equal(prove(world, 7), 0);
	for (int64_t n = 1; n <= 5; n++) {
		world->clock.ms += 60000;
		assert_int_equal(prove(world, n), 0);
	}
	store_exec(&world->store, "DELETE FROM reward_credits");
	assert_int_equal(prove(world, 6), 0);
	assert_int_equal(prove(world, 7), 0);
	assert_int_equal(prove(world, 5), 0);
	world->clock.ms += 60000;
	assert_int_equal(prove(world, 4), -EINVAL); /* computed again, from nothing */
}

/* Old ones are computed one in ten seconds, for everybody together. */
static void test_old_roots_wait(void **state)
{
	struct world *world = *state;

	add_roots(world);
	assert_int_equal(prove(world, 1), 0);
	assert_int_equal(prove(world, 2), ROUTE_E_UNAVAILABLE);
	assert_int_equal(prove(world, 1), 0);
	assert_int_equal(prove(world, 6), 0);
	assert_int_equal(prove(world, 7), 0);
	world->clock.ms += 9999;
	assert_int_equal(prove(world, 2), ROUTE_E_UNAVAILABLE);
	world->clock.ms++;
	assert_int_equal(prove(world, 2), 0);
}

/* ---- leaves ---- */

static int tx_read_leaves(struct tx *tx, void *arg)
{
	const struct world *world = arg;
	struct request request = { .context = &world->context,
				   .arena = tx_arena(tx),
				   .params = { "liquid", "1" } };
	struct reply reply = { 0 };
	int r = payout_leaves(&request, tx, &reply);

	if (r == 0)
		assert_non_null(strstr(reply.plain, "kaisar reward leaves 1\n"));
	return r;
}

static int read_leaves(struct world *world)
{
	return store_run(&world->store, TX_READ, tx_read_leaves, world);
}

/* As many as a large network's, as the row says before any is read: one list for everybody at a time. */
static void test_large_leaves_wait(void **state)
{
	static int64_t later_ms; /* the limit is the process's, and outlives a store */
	struct world *world = *state;
	char problem[ROOTS_PROBLEM_MAX];

	later_ms += 10000;
	world->clock.ms += later_ms;
	add_epoch(world, 1);
	turn(world, problem);
	assert_int_equal(read_leaves(world), 0);
	assert_int_equal(read_leaves(world), 0);
	store_exec(&world->store, "UPDATE reward_roots SET leaves = 20000");
	world->clock.ms += 250;
	assert_int_equal(read_leaves(world), 0);
	assert_int_equal(read_leaves(world), ROUTE_E_UNAVAILABLE);
	world->clock.ms += 249;
	assert_int_equal(read_leaves(world), ROUTE_E_UNAVAILABLE);
	world->clock.ms++;
	assert_int_equal(read_leaves(world), 0);
	store_exec(&world->store, "UPDATE reward_roots SET leaves = 1000000");
	world->clock.ms += 250;
	assert_int_equal(read_leaves(world), REWARDS_E_TOO_LARGE);
}

/* ---- calls and parts ---- */

static void revert_all(struct world *world)
{
	store_exec(&world->store, "UPDATE chain_calls SET state = 4, detail = 'TotalFell'");
}

static void test_reverts_back_off(void **state)
{
	struct world *world = *state;
	char problem[ROOTS_PROBLEM_MAX];

	add_epoch(world, 1);
	turn(world, problem);
	fund(world);
	turn(world, problem);
	assert_int_equal(last_root(world).proposals, 1);
	for (int64_t minutes = 1, n = 1; minutes <= 64; minutes *= 2, n++) {
		revert_all(world);
		world->clock.ms += minutes * 60000 - 1;
		turn(world, problem);
		assert_int_equal(last_root(world).proposals, n);
		assert_non_null(strstr(problem, "TotalFell"));
		world->clock.ms++;
		turn(world, problem);
		assert_int_equal(last_root(world).proposals, n + 1);
	}
	/* No longer than that. */
	revert_all(world);
	world->clock.ms += INT64_C(64) * 60000;
	turn(world, problem);
	assert_int_equal(last_root(world).proposals, 9);
}

static void test_large_roots_go_in_parts(void **state)
{
	struct world *world = *state;
	char problem[ROOTS_PROBLEM_MAX];
	struct u256 total = tokens(200);
	struct root_row row;

	world->settings.chain_root_tokens = 250;
	for (int64_t n = 1; n <= 3; n++)
		add_epoch(world, n);
	turn(world, problem);
	row = last_root(world);
	assert_int_equal(row.through, 2);
	assert_int_equal(u256_compare(&row.total, &total), 0);
	activate_last(world);
	turn(world, problem);
	assert_int_equal(last_root(world).through, 3);
	assert_int_equal(last_root(world).round, 2);
	activate_last(world);
	/* An epoch has no parts. */
	world->settings.chain_root_tokens = 99;
	add_epoch(world, 4);
	turn(world, problem);
	assert_int_equal(last_root(world).round, 2);
	assert_non_null(strstr(problem, "epoch 4 alone gives 100.0 KAI"));
	assert_non_null(strstr(problem, "kinds.propose.units_per_day"));
	assert_non_null(strstr(problem, "chain_root_tokens"));
	world->settings.chain_root_tokens = 100;
	turn(world, problem);
	assert_string_equal(problem, "");
	assert_int_equal(last_root(world).through, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHAIN_TEST(test_claims_are_kept),         CHAIN_TEST(test_old_roots_wait),
		CHAIN_TEST(test_large_leaves_wait),       CHAIN_TEST(test_reverts_back_off),
		CHAIN_TEST(test_large_roots_go_in_parts),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

/* Roots, on each store: which leaves go into them, that every one goes into exactly one whatever ends the process
 * when, and what becomes of their calls. The chain itself is tests/blackbox/chain_module.test.js's. */
#include "modules/chain/anchors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "api/settings.h"
#include "base/keccak.h"
#include "io/db_fault.h"
#include "io/db_fixture.h"
#include "io/migrate.h"
#include "modules/chain/anchor_trees.h"
#include "modules/chain/chain_store.h"

#define EVERY_MS INT64_C(600000)

static enum store_kind kind_now;

struct world {
	struct store store;
	struct clock_fake clock;
	struct random_seeded random;
	struct settings settings;
	struct context context;
	struct chain_state state;
};

/* ---- the world ---- */

static int put_identity(struct tx *tx, void *arg)
{
	const struct identity_row row = { .chain_id = 3338 };
	const uint8_t head[32] = { 0 };
	int r = chain_store_identity_add(tx, &row);

	(void)arg;
	return r == 0 ? chain_store_begin(tx, 0, head) : r;
}

static int world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int applied;

	assert_non_null(w);
	*state = w;
	store_open(&w->store, kind_now);
	assert_int_equal(migrate(w->store.db, migrations, &applied), 0);
	clock_fake_init(&w->clock, 1000 * EVERY_MS);
	random_seeded_init(&w->random, 7);
	w->settings.anchor_every_ms = EVERY_MS;
	w->context = (struct context){ .clock = &w->clock.clock,
				       .random = &w->random.random,
				       .db = w->store.db,
				       .settings = &w->settings };
	w->state.contracts.chain_id = 3338;
	w->state.contracts.at[CONTRACT_ANCHOR].address.bytes[19] = 1;
	w->state.outbox = (struct outbox_config){ .db = w->store.db,
						  .clock = &w->clock.clock,
						  .random = &w->random.random };
	assert_int_equal(store_run(&w->store, TX_WRITE, put_identity, NULL), 0);
	return 0;
}

static int world_close(void **state)
{
	struct world *w = *state;

	anchor_trees_forget();
	store_close(&w->store);
	free(w);
	return 0;
}

/* Gives the problem. */
static const char *turn(struct world *w)
{
	static char problem[ANCHORS_PROBLEM_MAX];

	arena_reset(w->store.arena);
	assert_int_equal(anchors_turn(&w->context, &w->state, w->store.arena, problem), 0);
	return problem;
}

struct adding {
	enum anchor_kind kind;
	uint32_t first, n;
	uint8_t digest;
};

static struct anchor_leaf leaf_of(uint32_t number, uint8_t digest)
{
	struct anchor_leaf leaf = { 0 };

	keccak256(&number, sizeof(number), leaf.id);
	memset(leaf.digest, digest, sizeof(leaf.digest));
	return leaf;
}

static int tx_add(struct tx *tx, void *arg)
{
	struct adding *adding = arg;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < adding->n; i++) {
		struct anchor_leaf leaf = leaf_of(adding->first + i, adding->digest);

		r = chain_store_leaf_add(tx, adding->kind, &leaf);
	}
	return r;
}

/* The same of very many. */
static int tx_add_many(struct tx *tx, void *arg)
{
	struct adding *adding = arg;
	struct anchor_leaf *leaves = arena_array(tx_arena(tx), adding->n, sizeof(*leaves));
	struct sql_value *params = arena_array(tx_arena(tx), adding->n, 3 * sizeof(*params));

	if (!leaves || !params)
		return -ENOMEM;
	for (uint32_t i = 0; i < adding->n; i++) {
		leaves[i] = leaf_of(adding->first + i, adding->digest);
		params[3 * i] = sql_int(adding->kind);
		params[3 * i + 1] = sql_blob(leaves[i].id, 32);
		params[3 * i + 2] = sql_blob(leaves[i].digest, 32);
	}
	return tx_exec_many(tx, "INSERT INTO chain_leaves (kind, id, digest) VALUES ($1, $2, $3)",
			    params, 3, adding->n);
}

static int add(struct world *w, enum anchor_kind kind, uint32_t first, uint32_t n, uint8_t digest)
{
	struct adding adding = { kind, first, n, digest };

	return store_run(&w->store, TX_WRITE, n > 100 ? tx_add_many : tx_add, &adding);
}

/* What became of the calls that are under way. */
static void calls_are(struct world *w, enum outbox_state state)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "UPDATE chain_calls SET state = %d, detail = 'no', block = 9, hash = "
		 "content.content"
		 " FROM (SELECT content FROM chain_anchors LIMIT 1) AS content WHERE state < 3",
		 state);
	store_exec(&w->store, sql);
}

static int64_t number(struct world *w, const char *sql)
{
	return store_number(&w->store, sql);
}

/* ---- leaves ---- */

static void a_leaf_is_there_once(void **state)
{
	struct world *w = *state;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 3, 1), 0);
	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 3, 1), 0);
	assert_int_equal(add(w, ANCHOR_AUDIT, 1, 1, 2), 0);
	assert_int_equal(add(w, ANCHOR_PROOFS, 2, 1, 2), -EEXIST);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_leaves"), 4);
}

/* ---- roots ---- */

static void a_root_of_each_kind_in_each_period(void **state)
{
	struct world *w = *state;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 5, 1), 0);
	assert_int_equal(add(w, ANCHOR_USAGE, 1, 2, 1), 0);
	turn(w);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 1);
	turn(w); /* the first is not in a block yet */
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 1);
	calls_are(w, OUTBOX_MINED);
	turn(w);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 2);
	calls_are(w, OUTBOX_MINED);
	assert_int_equal(add(w, ANCHOR_PROOFS, 10, 1, 1), 0);
	turn(w); /* proofs had a root in this period */
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 2);
	w->clock.ms += EVERY_MS;
	turn(w);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 3);
	assert_int_equal(number(w, "SELECT max(sequence) AS n FROM chain_anchors"), 3);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_leaves WHERE anchor IS NULL"),
			 0);
	assert_int_equal(number(w, "SELECT leaves AS n FROM chain_anchors WHERE sequence = 3"), 1);
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_calls WHERE kind = 'anchor'"),
			 3);
}

static void more_leaves_than_a_root_holds(void **state)
{
	struct world *w = *state;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 10000, 1), 0);
	assert_int_equal(add(w, ANCHOR_PROOFS, 10001, 10000, 1), 0);
	turn(w);
	calls_are(w, OUTBOX_MINED);
	turn(w); /* the rest is less than a root's, and waits for its time */
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 1);
	assert_int_equal(number(w, "SELECT leaves AS n FROM chain_anchors"), ANCHOR_LEAVES_MAX);
	w->clock.ms += EVERY_MS;
	turn(w);
	assert_int_equal(number(w, "SELECT leaves AS n FROM chain_anchors WHERE sequence = 2"),
			 20000 - ANCHOR_LEAVES_MAX);
}

static bool die_at(struct world *w, enum db_fault_place place, unsigned int n)
{
	char problem[ANCHORS_PROBLEM_MAX];
	int r;

	store_exec(&w->store, "DELETE FROM chain_calls");
	store_exec(&w->store, "DELETE FROM chain_anchors");
	store_exec(&w->store, "UPDATE chain_leaves SET anchor = NULL");
	db_fault_at(w->store.db, place, n, -EIO);
	arena_reset(w->store.arena);
	r = anchors_turn(&w->context, &w->state, w->store.arena, problem);
	db_fault_at(w->store.db, place, 0, 0);
	return r == -EIO;
}

static int tx_root(struct tx *tx, void *arg)
{
	return chain_store_anchor(tx, 1, arg);
}

/* Wherever the process ends: what is there afterwards is the same as if it had not. */
static void killed_anywhere_each_leaf_is_in_the_root(void **state)
{
	struct world *w = *state;
	struct anchor_row first, row;
	unsigned int deaths = 0;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 1100, 1), 0);
	turn(w);
	assert_int_equal(store_run(&w->store, TX_READ, tx_root, &first), 0);
	for (enum db_fault_place place = 0; place < DB_FAULT_PLACES; place++)
		for (unsigned int n = 1; die_at(w, place, n); n++) {
			deaths++;
			turn(w);
			turn(w);
			assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_anchors"), 1);
			assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_calls"), 1);
			assert_int_equal(store_run(&w->store, TX_READ, tx_root, &row), 0);
			assert_int_equal(row.root.leaves, 1100);
			assert_memory_equal(row.root.root, first.root.root, 32);
		}
	assert_in_range(deaths, 10, 100);
}

static void what_had_no_effect_is_tried_again(void **state)
{
	struct world *w = *state;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 1, 1), 0);
	turn(w);
	calls_are(w, OUTBOX_REFUSED);
	assert_non_null(strstr(turn(w), "root 1 was not taken by its contract (no)"));
	assert_int_equal(number(w, "SELECT count(*) AS n FROM chain_calls"), 1);
	w->clock.ms += 60000;
	turn(w);
	assert_int_equal(
		number(w, "SELECT count(*) AS n FROM chain_calls WHERE name = 'anchor/1/2'"), 1);
	assert_string_equal(turn(w), "");
	calls_are(w, OUTBOX_FINAL);
	turn(w);
	assert_int_equal(number(w, "SELECT block AS n FROM chain_anchors"), 9);
}

/* A later root waits for what an earlier one's reverting holds up. */
static void reverted_roots_keep_their_order(void **state)
{
	struct world *w = *state;

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 1, 1), 0);
	assert_int_equal(add(w, ANCHOR_AUDIT, 1, 1, 1), 0);
	turn(w);
	store_exec(&w->store, "UPDATE chain_calls SET state = 2");
	turn(w);
	store_exec(&w->store, "UPDATE chain_calls SET state = 4");
	w->clock.ms += 60000;
	turn(w);
	assert_int_equal(number(w, "SELECT attempt AS n FROM chain_anchors WHERE sequence = 1"), 2);
	turn(w);
	assert_int_equal(number(w, "SELECT attempt AS n FROM chain_anchors WHERE sequence = 2"), 1);
	store_exec(&w->store, "UPDATE chain_calls SET state = 2 WHERE name = 'anchor/1/2'");
	turn(w);
	assert_int_equal(number(w, "SELECT attempt AS n FROM chain_anchors WHERE sequence = 2"), 2);
}

/* ---- paths ---- */

struct proving {
	struct world *w;
	int64_t sequence;
	uint32_t number;
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	size_t n;
	struct anchor_row row;
};

static int tx_prove(struct tx *tx, void *arg)
{
	struct proving *proving = arg;
	const struct anchor_leaf leaf = leaf_of(proving->number, 1);
	int r = chain_store_anchor(tx, proving->sequence, &proving->row);

	return r == 0 ? anchor_trees_prove(&proving->w->state, tx, &proving->row.root, leaf.id,
					   proving->path, &proving->n)
		      : r;
}

static void each_leaf_leads_to_the_root(void **state)
{
	struct world *w = *state;
	const struct anchor_place place = { 3338, w->state.contracts.at[CONTRACT_ANCHOR].address,
					    ANCHOR_PROOFS };
	uint8_t head[32], before[32] = { 0 };

	assert_int_equal(add(w, ANCHOR_PROOFS, 1, 37, 1), 0);
	turn(w);
	for (uint32_t i = 1; i <= 37; i++) {
		struct proving proving = { .w = w, .sequence = 1, .number = i };
		const struct anchor_leaf leaf = leaf_of(i, 1), other = leaf_of(i, 2);
		struct merkle_hash hash, root;

		assert_int_equal(store_run(&w->store, TX_READ, tx_prove, &proving), 0);
		memcpy(root.bytes, proving.row.root.root, sizeof(root.bytes));
		anchor_leaf_hash(&place, &leaf, &hash);
		assert_true(merkle_leads(&hash, proving.path, proving.n, &root));
		anchor_leaf_hash(&place, &other, &hash);
		assert_false(merkle_leads(&hash, proving.path, proving.n, &root));
		anchor_head_next(before, &proving.row.root, head);
		assert_memory_equal(head, proving.row.head, sizeof(head));
	}
}

static int prove(struct world *w, int64_t sequence)
{
	struct proving proving = { .w = w, .sequence = sequence, .number = (uint32_t)sequence };

	return store_run(&w->store, TX_READ, tx_prove, &proving);
}

/* Whatever old ones are asked for. */
static void the_newest_roots_trees_are_kept(void **state)
{
	enum { ROOTS = 3 * ANCHOR_TREES_NEWEST };
	struct world *w = *state;

	for (uint32_t i = 1; i <= ROOTS; i++) {
		assert_int_equal(add(w, ANCHOR_PROOFS, i, 1, 1), 0);
		turn(w);
		calls_are(w, OUTBOX_MINED);
		w->clock.ms += EVERY_MS;
	}
	assert_int_equal(prove(w, ROOTS), 0);
	for (int64_t i = 1; i <= 2 * ANCHOR_TREES_NEWEST; i++)
		assert_int_equal(prove(w, i), 0);
	store_exec(&w->store, "DELETE FROM chain_leaves");
	assert_int_equal(prove(w, ROOTS), 0);
	assert_int_not_equal(prove(w, 1), 0);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_open, world_close)

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_leaf_is_there_once),
		WORLD_TEST(a_root_of_each_kind_in_each_period),
		WORLD_TEST(more_leaves_than_a_root_holds),
		WORLD_TEST(killed_anywhere_each_leaf_is_in_the_root),
		WORLD_TEST(what_had_no_effect_is_tried_again),
		WORLD_TEST(reverted_roots_keep_their_order),
		WORLD_TEST(each_leaf_leads_to_the_root),
		WORLD_TEST(the_newest_roots_trees_are_kept),
	};

	kind_now = kind;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(run);
}

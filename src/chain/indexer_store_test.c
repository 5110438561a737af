/* What consumers take and what is kept, on each store. */
#include "chain/indexer_store.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#include "io/db_fixture.h"
#include "io/migrate.h"

struct fixture {
	struct store store;
	struct address one, two;
	uint8_t topic[2][32];
};

static enum store_kind kind_of_run;

static struct indexer_log log_of(const struct address *address, int64_t block, int64_t index,
				 uint8_t topic)
{
	struct indexer_log log = { .block = block,
				   .index = index,
				   .address = *address,
				   .n_topics = 2,
				   .data = (const uint8_t *)"data",
				   .len = 4 };

	log.topics[0][0] = topic;
	log.topics[1][0] = (uint8_t)index;
	log.block_hash[0] = (uint8_t)block;
	return log;
}

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .one = { { 1 } }, .two = { { 2 } }, .topic = { { 'a' }, { 'b' } } };
	store_open(&f.store, kind_of_run);
	assert_int_equal(migrate(f.store.db, migrations, NULL), 0);
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(&f->store);
	return 0;
}

/* ---- taking ---- */

/* Final: 5/1 a, 5/2 b, 9/0 a of one, 6/0 a of two. Seen: 9/0 a (final by now), 10/0 b, 11/0 a of one. */
static int fill(struct tx *tx, void *arg)
{
	struct fixture *f = arg;
	struct indexer_log final[] = {
		log_of(&f->one, 5, 1, 'a'),
		log_of(&f->one, 5, 2, 'b'),
		log_of(&f->one, 9, 0, 'a'),
		log_of(&f->two, 6, 0, 'a'),
	};
	struct indexer_log seen[] = {
		log_of(&f->one, 9, 0, 'a'),
		log_of(&f->one, 10, 0, 'b'),
		log_of(&f->one, 11, 0, 'a'),
	};
	const struct log_list finals = { final, 4 }, seens = { seen, 3 };

	final[2].n_topics = 1;
	final[2].len = 0;
	assert_int_equal(indexer_store_add(tx, &finals), 0);
	assert_int_equal(indexer_store_advance(tx, &f->one, 5, 10), 0);
	assert_int_equal(indexer_store_see(tx, &seens, f->topic[0]), 0);
	return 0;
}

static void is_at(const struct indexer_log *log, int64_t block, int64_t index, bool final)
{
	assert_int_equal(log->block, block);
	assert_int_equal(log->index, index);
	assert_int_equal(log->final, final);
	assert_int_equal(log->block_hash[0], block);
}

static int take_some(struct tx *tx, void *arg)
{
	struct fixture *f = arg;
	struct indexer_log *logs;
	size_t n;

	assert_int_equal(indexer_take(tx, "x", &f->one, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 3);
	is_at(&logs[0], 5, 1, true);
	is_at(&logs[1], 5, 2, true);
	is_at(&logs[2], 9, 0, true);
	assert_int_equal(logs[0].n_topics, 2);
	assert_int_equal(logs[0].topics[1][0], 1);
	assert_memory_equal(logs[0].data, "data", 4);
	assert_true(address_equal(&logs[0].address, &f->one));
	assert_int_equal(logs[2].n_topics, 1);
	assert_int_equal(logs[2].len, 0);
	assert_int_equal(indexer_take(tx, "x", &f->one, f->topic[0], 10, &logs, &n), 0);
	assert_int_equal(n, 2);
	is_at(&logs[1], 9, 0, true);
	assert_int_equal(indexer_take(tx, "x", &f->two, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(indexer_take(tx, "x", &f->one, NULL, 2, &logs, &n), 0);
	assert_int_equal(n, 2);
	return indexer_taken(tx, "x", &logs[1]);
}

static int take_rest(struct tx *tx, void *arg)
{
	struct fixture *f = arg;
	struct indexer_log *logs, before = log_of(&f->one, 5, 2, 'b'),
				  seen = log_of(&f->one, 11, 0, 'a');
	size_t n;

	assert_int_equal(indexer_take(tx, "x", &f->one, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 1);
	is_at(&logs[0], 9, 0, true);
	assert_int_equal(indexer_taken(tx, "x", &before), -EINVAL);
	before.index = 1;
	assert_int_equal(indexer_taken(tx, "x", &before), -EINVAL);
	assert_int_equal(indexer_taken(tx, "x", &seen), -EINVAL);
	assert_int_equal(indexer_taken(tx, "", &logs[0]), -EINVAL);
	/* What is shown; and others are where they were. */
	assert_int_equal(indexer_pending(tx, "x", &f->one, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 3);
	is_at(&logs[0], 9, 0, true);
	is_at(&logs[1], 10, 0, false);
	is_at(&logs[2], 11, 0, false);
	assert_int_equal(indexer_pending(tx, "x", &f->one, f->topic[0], 10, &logs, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(indexer_pending(tx, "x", &f->one, NULL, 2, &logs, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(indexer_pending(tx, "x", &f->two, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(indexer_take(tx, "y", &f->one, NULL, 10, &logs, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(indexer_take(tx, "y", &f->one, NULL, 0, &logs, &n), -EINVAL);
	assert_int_equal(indexer_take(tx, "y", &f->one, NULL, INDEXER_TAKE_MAX + 1, &logs, &n),
			 -EINVAL);
	return indexer_taken(tx, "y", &logs[0]);
}

static void each_consumer_has_its_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_run(&f->store, TX_WRITE, fill, f), 0);
	assert_int_equal(store_run(&f->store, TX_WRITE, take_some, f), 0);
	assert_int_equal(store_run(&f->store, TX_WRITE, take_rest, f), 0);
	assert_int_equal(store_number(&f->store, "SELECT count(*) AS n FROM chain_cursors"), 2);
}

static int take_and_fail(struct tx *tx, void *arg)
{
	assert_int_equal(take_some(tx, arg), 0);
	return -EIO;
}

static void what_fails_takes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_run(&f->store, TX_WRITE, fill, f), 0);
	assert_int_equal(store_run(&f->store, TX_WRITE, take_and_fail, f), -EIO);
	assert_int_equal(store_run(&f->store, TX_WRITE, take_some, f), 0);
}

/* ---- keeping ---- */

static int keep(struct tx *tx, void *arg)
{
	const struct block_id root = { 7, { 'r' } }, tip = { 9, { 't' } }, lower = { 8, { 'l' } };
	struct fixture *f = arg;
	const struct indexer_contract contract = { f->one, 7 };
	struct trunk_row trunk;
	uint64_t next;

	assert_int_equal(indexer_store_trunk(tx, &trunk), STORE_E_NOT_FOUND);
	assert_int_equal(indexer_store_plant(tx, &root), 0);
	assert_int_equal(indexer_store_plant(tx, &tip), STORE_E_OVERTAKEN);
	assert_int_equal(indexer_store_grow(tx, &tip), 0);
	assert_int_equal(indexer_store_grow(tx, &lower), 0);
	assert_int_equal(indexer_store_span(tx, 12), 0);
	assert_int_equal(indexer_store_trunk(tx, &trunk), 0);
	assert_int_equal(trunk.root.number, 7);
	assert_memory_equal(trunk.root.hash, root.hash, 32);
	assert_int_equal(trunk.tip.number, 9);
	assert_memory_equal(trunk.tip.hash, tip.hash, 32);
	assert_int_equal(trunk.span, 12);

	assert_int_equal(indexer_store_next(tx, &contract, &next), 0);
	assert_int_equal(next, 7);
	assert_int_equal(indexer_store_advance(tx, &f->one, 7, 10), 0);
	assert_int_equal(indexer_store_advance(tx, &f->one, 7, 10), STORE_E_OVERTAKEN);
	assert_int_equal(indexer_store_advance(tx, &f->one, 10, 12), 0);
	assert_int_equal(indexer_store_next(tx, &contract, &next), 0);
	assert_int_equal(next, 12);
	return 0;
}

static void keeps_its_place(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_run(&f->store, TX_WRITE, keep, f), 0);
}

static int add_many(struct tx *tx, void *arg)
{
	static struct indexer_log logs[INDEXER_BLOCK_LOGS_MAX];
	const struct log_list list = { logs, ARRAY_SIZE(logs) };
	struct fixture *f = arg;

	for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
		logs[i] = log_of(&f->one, 5, (int64_t)i, 'a');
	assert_int_equal(indexer_store_add(tx, &list), 0);
	return 0;
}

static int add_again(struct tx *tx, void *arg)
{
	struct fixture *f = arg;
	struct indexer_log log = log_of(&f->one, 5, 77, 'a');

	return indexer_store_add(tx, &(struct log_list){ &log, 1 });
}

static void a_whole_block(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(store_run(&f->store, TX_WRITE, add_many, f), 0);
	assert_int_equal(store_run(&f->store, TX_WRITE, add_again, f), STORE_E_KNOWN);
	assert_int_equal(store_number(&f->store, "SELECT count(*) AS n FROM chain_logs"),
			 INDEXER_BLOCK_LOGS_MAX);
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_consumer_has_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_fails_takes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_its_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_whole_block, set_up, tear_down),
	};

	kind_of_run = kind;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(run);
}

#include "modules/logging/logging.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "io/db_fixture.h"
#include "io/migrate.h"
#include "modules/logging/logging_store.h"

enum { THREADS = 8, EVENTS_EACH = 40, NOW_MS = 1000000 };

static struct store store;
static struct clock_fake fake;
static struct context context;

static struct account_id account(uint8_t last)
{
	struct account_id id = { 0 };

	id.address.bytes[19] = last;
	return id;
}

struct adding {
	struct account_id account;
	const char *type;
	int then; /* what the transaction ends with */
};

static int add(struct tx *tx, void *arg)
{
	const struct adding *adding = arg;
	int r = logging_event(&context, tx, adding->account, adding->type, "subject",
			      json_pack("{s:i}", "n", 1));

	return r == 0 ? adding->then : r;
}

struct reading {
	struct account_id account;
	int64_t since, limit;
	int64_t first, last;
	size_t n;
};

static int read_page(struct tx *tx, void *arg)
{
	struct reading *reading = arg;
	struct event *events;
	int r = store_events(tx, reading->account, reading->since, reading->limit, &events,
			     &reading->n);

	if (r == 0 && reading->n > 0) {
		reading->first = events[0].seq;
		reading->last = events[reading->n - 1].seq;
	}
	return r;
}

static struct reading page(struct account_id who, int64_t since, int64_t limit)
{
	struct reading reading = { .account = who, .since = since, .limit = limit };

	assert_int_equal(store_run(&store, TX_READ, read_page, &reading), 0);
	return reading;
}

static void *add_many(void *arg)
{
	struct adding *adding = arg;
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		return arg;
	for (int i = 0; i < EVENTS_EACH; i++) {
		arena_reset(arena);
		adding->then = i % 3 == 2 ? 1 : 0;
		if (db_run(store.db, TX_WRITE, arena, add, adding) != adding->then)
			break;
	}
	arena_free(arena);
	return NULL;
}

/* Whatever is rolled back, and however many write at once: 1, 2, 3, ... */
static void numbers_have_no_gaps(void **state _unused_)
{
	struct adding adding[THREADS];
	pthread_t threads[THREADS];
	struct reading all;

	for (size_t i = 0; i < THREADS; i++) {
		adding[i] = (struct adding){ account(1), "test.event", 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &adding[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	all = page(account(1), 0, 1000);
	assert_int_equal(all.n, THREADS * (EVENTS_EACH - EVENTS_EACH / 3));
	assert_int_equal(all.first, 1);
	assert_int_equal(all.last, all.n);
}

static void accounts_are_apart_and_pages_resume(void **state _unused_)
{
	struct adding mine = { account(2), "test.mine", 0 },
		      other = { account(3), "test.other", 0 };
	struct reading part;

	for (int i = 0; i < 5; i++) {
		assert_int_equal(store_run(&store, TX_WRITE, add, &mine), 0);
		assert_int_equal(store_run(&store, TX_WRITE, add, &other), 0);
	}
	part = page(account(2), 0, 3);
	assert_int_equal(part.n, 3);
	assert_int_equal(part.last, 3);
	part = page(account(2), part.last, 3);
	assert_int_equal(part.n, 2);
	assert_int_equal(part.first, 4);
	assert_int_equal(page(account(2), 5, 3).n, 0);
	assert_int_equal(page(account(9), 0, 3).n, 0);
}

enum { PURGED_AT_ONCE = 4 };
static int64_t purged;

static int purge(struct tx *tx, void *arg)
{
	return store_events_purge(tx, *(int64_t *)arg, PURGED_AT_ONCE, &purged);
}

/* Old events go a few at a time, so that others can write in between. */
static void purging_is_bounded(void **state _unused_)
{
	struct adding adding = { account(5), "test.old", 0 };
	int64_t before_ms = NOW_MS + 10, all = 0,
		expected = store_number(&store, "SELECT COUNT(*) AS n FROM events");

	for (int i = 0; i < 6; i++)
		assert_int_equal(store_run(&store, TX_WRITE, add, &adding), 0);
	do {
		assert_int_equal(store_run(&store, TX_WRITE, purge, &before_ms), 0);
		assert_true(purged <= PURGED_AT_ONCE);
		all += purged;
	} while (purged == PURGED_AT_ONCE);
	assert_int_equal(all, expected + 6);
	assert_int_equal(page(account(5), 0, 10).n, 0);
}

/* Numbers go on where they were: a client that resumes must not see old numbers again. */
static void purging_keeps_the_numbers(void **state _unused_)
{
	struct adding adding = { account(4), "test.old", 0 };
	int64_t before_ms = NOW_MS + 10;
	struct reading left;

	assert_int_equal(store_run(&store, TX_WRITE, add, &adding), 0);
	assert_int_equal(store_run(&store, TX_WRITE, purge, &before_ms), 0);
	assert_int_equal(page(account(4), 0, 10).n, 0);
	fake.ms = NOW_MS + 20;
	assert_int_equal(store_run(&store, TX_WRITE, add, &adding), 0);
	assert_int_equal(store_run(&store, TX_WRITE, purge, &before_ms), 0);
	left = page(account(4), 0, 10);
	assert_int_equal(left.n, 1);
	assert_int_equal(left.first, 2);
	fake.ms = NOW_MS;
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_no_gaps),
		cmocka_unit_test(accounts_are_apart_and_pages_resume),
		cmocka_unit_test(purging_is_bounded),
		cmocka_unit_test(purging_keeps_the_numbers),
	};
	int failed;

	store_open(&store, kind);
	clock_fake_init(&fake, NOW_MS);
	context = (struct context){ .clock = &fake.clock,
				    .random = &random_system,
				    .db = store.db };
	if (migrate(store.db, migrations, NULL) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	store_close(&store);
	return failed;
}

int main(void)
{
	return store_each(run);
}

#include "io/migrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/db_fixture.h"

static const struct migration two[] = {
	{ 1, "0001_first",
	  "-- A comment that ends in a semicolon;\n"
	  "CREATE TABLE first (\n\tid BIGINT PRIMARY KEY, -- one;\n\tword TEXT\n);\n"
	  "INSERT INTO first VALUES (1, 'a;b');\n" },
	{ 2, "0002_second", "CREATE TABLE second (id BIGINT REFERENCES first (id));\n" },
	{ 0 },
};

static int setup(void **state)
{
	struct store *store = *state;

	store_open(store, store->kind);
	return 0;
}

static int teardown(void **state)
{
	store_close(*state);
	return 0;
}

static void apply_two(struct store *store)
{
	int applied = -1;

	assert_int_equal(migrate(store->db, two, &applied), 0);
	assert_int_equal(applied, 2);
}

static int64_t known(struct store *store)
{
	return store_number(store, "SELECT count(*) AS n FROM schema_migrations");
}

static void test_each_is_applied_once(void **state)
{
	int applied = -1;

	apply_two(*state);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM first"), 1);
	assert_int_equal(store_number(*state, "SELECT count(*) AS n FROM second"), 0);
	assert_int_equal(migrate(((struct store *)*state)->db, two, &applied), 0);
	assert_int_equal(applied, 0);
	assert_int_equal(known(*state), 2);
}

static void test_what_was_applied_must_not_change(void **state)
{
	struct store *store = *state;
	struct migration changed[] = { two[0], two[1], { 0 } },
			 renamed[] = { two[0], two[1], { 0 } }, gone[] = { two[1], { 0 } };

	apply_two(store);
	changed[0].sql = "CREATE TABLE first (id BIGINT);\n";
	assert_int_equal(migrate(store->db, changed, NULL), -EINVAL);
	renamed[1].name = "0002_other";
	assert_int_equal(migrate(store->db, renamed, NULL), -EINVAL);
	assert_int_equal(migrate(store->db, gone, NULL), -EINVAL);
	assert_int_equal(migrate(store->db, two, NULL), 0);
}

static void test_a_newer_store_is_refused(void **state)
{
	struct store *store = *state;
	const struct migration one[] = { two[0], { 0 } };

	apply_two(store);
	assert_int_equal(migrate(store->db, one, NULL), -EINVAL);
}

static void test_a_broken_one_leaves_nothing(void **state)
{
	static const char *const broken[] = {
		"CREATE TABLE third (id BIGINT);\nCREATE TABEL fourth (id BIGINT);\n",
		"CREATE TABLE third (id BIGINT);\nINSERT INTO first VALUES (1, 'again');\n",
		"CREATE TABLE third (id BIGINT);\nCREATE TABLE fourth (id BIGINT)\n",
	};
	struct store *store = *state;
	struct migration list[] = { two[0], two[1], { 3, "0003_third", NULL }, { 0 } };

	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		int applied = -1;

		list[2].sql = broken[i];
		assert_true(migrate(store->db, list, &applied) < 0);
		assert_int_equal(applied, -1);
		assert_int_equal(known(store), 2);
	}
	list[2].sql = "CREATE TABLE third (id BIGINT);\nCREATE TABLE fourth (id BIGINT);\n";
	assert_int_equal(migrate(store->db, list, NULL), 0);
	assert_int_equal(known(store), 3);
}

static void test_two_processes_at_once(void **state)
{
	enum { CHILDREN = 4 };
	struct store *store = *state;
	pid_t children[CHILDREN];

	if (store->kind == STORE_MEMORY) {
		print_message("skipped: a store in memory belongs to one process\n");
		skip();
	}
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct db *db;

			_exit(db_open(store->url, 1, &db) < 0 || migrate(db, two, NULL) < 0);
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(known(store), 2);
	assert_int_equal(store_number(store, "SELECT count(*) AS n FROM first"), 1);
}

static void test_the_embedded_ones_apply(void **state)
{
	struct store *store = *state;
	int n = 0, applied = -1;

	while (migrations[n].number != 0)
		n++;
	assert_int_equal(migrate(store->db, migrations, &applied), 0);
	assert_int_equal(applied, n);
}

static int test_store(enum store_kind kind)
{
	struct store store = { .kind = kind };
#define TEST(f)                                \
	{                                      \
#f, f, setup, teardown, &store \
	}
	const struct CMUnitTest tests[] = {
		TEST(test_each_is_applied_once),     TEST(test_what_was_applied_must_not_change),
		TEST(test_a_newer_store_is_refused), TEST(test_a_broken_one_leaves_nothing),
		TEST(test_two_processes_at_once),    TEST(test_the_embedded_ones_apply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	return store_each(test_store) != 0;
}

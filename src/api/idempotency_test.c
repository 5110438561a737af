#include "api/idempotency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "io/db_fixture.h"
#include "io/migrate.h"

static struct store store;

struct call {
	struct account_id account;
	const char *key;
	uint8_t digest[32];
	int64_t now_ms;
	int status;
	char body[64];
};

static struct call call_of(uint8_t who, const char *key, uint8_t request)
{
	struct call call = { .key = key, .now_ms = 1000, .status = 201, .body = "{\"id\":1}" };

	call.account.address.bytes[0] = who;
	call.digest[0] = request;
	return call;
}

static int keep(struct tx *tx, void *arg)
{
	const struct call *call = arg;

	return idempotency_store(tx, call->account, call->key, call->digest, call->now_ms,
				 call->status, call->body);
}

static int find(struct tx *tx, void *arg)
{
	struct call *call = arg;
	const char *body;
	int r = idempotency_find(tx, call->account, call->key, call->digest, &call->status, &body);

	if (r == IDEMPOTENCY_E_REPLAY)
		snprintf(call->body, sizeof(call->body), "%s", body);
	return r;
}

static void gives_the_first_answer_again(void **state _unused_)
{
	struct call first = call_of(1, "a", 7), again = call_of(1, "a", 7);

	again.status = 0;
	again.body[0] = 0;
	assert_int_equal(store_run(&store, TX_WRITE, find, &again), 0);
	assert_int_equal(store_run(&store, TX_WRITE, keep, &first), 0);
	assert_int_equal(store_run(&store, TX_WRITE, find, &again), IDEMPOTENCY_E_REPLAY);
	assert_int_equal(again.status, 201);
	assert_string_equal(again.body, "{\"id\":1}");
}

static void other_requests_and_accounts(void **state _unused_)
{
	struct call first = call_of(2, "a", 7), changed = call_of(2, "a", 8);
	struct call other = call_of(3, "a", 7), key = call_of(2, "b", 7);

	assert_int_equal(store_run(&store, TX_WRITE, keep, &first), 0);
	assert_int_equal(store_run(&store, TX_WRITE, find, &changed), IDEMPOTENCY_E_REUSED);
	assert_int_equal(store_run(&store, TX_WRITE, find, &other), 0);
	assert_int_equal(store_run(&store, TX_WRITE, find, &key), 0);
}

static int purge(struct tx *tx, void *arg)
{
	return idempotency_purge(tx, *(int64_t *)arg);
}

static void forgets_after_its_time(void **state _unused_)
{
	struct call old = call_of(4, "old", 7), young = call_of(4, "young", 7);
	int64_t before_ms = 1500;

	young.now_ms = 2000;
	assert_int_equal(store_run(&store, TX_WRITE, keep, &old), 0);
	assert_int_equal(store_run(&store, TX_WRITE, keep, &young), 0);
	assert_int_equal(store_run(&store, TX_WRITE, purge, &before_ms), 0);
	assert_int_equal(store_run(&store, TX_WRITE, find, &old), 0);
	assert_int_equal(store_run(&store, TX_WRITE, find, &young), IDEMPOTENCY_E_REPLAY);
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_the_first_answer_again),
		cmocka_unit_test(other_requests_and_accounts),
		cmocka_unit_test(forgets_after_its_time),
	};
	int failed;

	store_open(&store, kind);
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

#include "chain/signer_keeper.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "chain/contracts.h"

enum { LIMIT = 50, UNITS = 1000, DAY = 20000 };

static struct arena *arena;
static struct signer_policy policy;
static struct secp_key *key;
static char folder[64], path[96];

static int set_up(void **state _unused_)
{
	const uint8_t secret[SECP_SECRET_SIZE] = { [31] = 1 };

	snprintf(folder, sizeof(folder), "/tmp/kaisar-signer-XXXXXX");
	if (!mkdtemp(folder) || arena_new(8 << 20, &arena) < 0 ||
	    secp_key_from_secret(secret, &key) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/counters.db", folder);
	policy.chain_id = 3338;
	for (enum signer_kind kind = 0; kind < SIGNER_KINDS_N; kind++)
		policy.rules[kind] = (struct signer_rule){
			.contract = { { 1 } },
			.max_gas = 100000,
			.max_fee_wei = 1000000,
			.calls_per_day = LIMIT,
			.tokens = { { { { 2 } }, u256_from(UNITS) } },
			.n_tokens = 1,
		};
	return 0;
}

static int tear_down(void **state _unused_)
{
	char command[128];

	arena_free(arena);
	secp_key_free(key);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct signer_store *open_store(void)
{
	struct signer_store *store = NULL;

	assert_int_equal(signer_store_open(path, secp_key_address(key), 3338, &store), 0);
	return store;
}

/* Of both tests' processes, so without assertions. */
static struct transaction anchor_call(uint64_t nonce, uint64_t sequence, uint64_t max_fee)
{
	const struct anchor_root root = { .sequence = sequence, .root = { 1 }, .leaves = 1 };
	struct call_data data = { 0 };

	if (call_anchor(&root, arena, &data) < 0)
		abort();
	return (struct transaction){ .kind = TRANSACTION_EIP1559,
				     .chain_id = 3338,
				     .nonce = nonce,
				     .max_fee = u256_from(max_fee),
				     .gas_limit = 50000,
				     .to = { { 1 } },
				     .data = data.bytes,
				     .data_len = data.len };
}

static int count(struct signer_store *store, const char *kind,
		 const struct transaction *transaction, int64_t day)
{
	const char *detail;
	struct signer_call call;
	int r = signer_policy_check(&policy, kind, transaction, arena, &call, &detail);

	return r == 0 ? signer_store_count(store, &call, day, arena, &detail) : r;
}

static int64_t calls_on(struct signer_store *store, int64_t day)
{
	struct signer_counters counters;

	assert_int_equal(signer_store_read(store, SIGNER_ANCHOR, NULL, day, arena, &counters), 0);
	return counters.calls;
}

static void the_same_call_counts_once(void **state _unused_)
{
	_cleanup_(signer_store_closep) struct signer_store *store = open_store();
	struct transaction first = anchor_call(0, 1, 1000), dearer = anchor_call(0, 1, 2000),
			   other = anchor_call(0, 2, 1000), next = anchor_call(1, 1, 1000);

	assert_int_equal(count(store, "anchor", &first, DAY), 0);
	assert_int_equal(count(store, "anchor", &first, DAY), 0);
	assert_int_equal(count(store, "anchor", &dearer, DAY), 0);
	assert_int_equal(count(store, "anchor", &first, DAY + 1), 0);
	assert_int_equal(calls_on(store, DAY), 1);
	assert_int_equal(count(store, "anchor", &other, DAY), 0);
	assert_int_equal(count(store, "anchor", &next, DAY), 0);
	assert_int_equal(calls_on(store, DAY), 3);
	assert_int_equal(calls_on(store, DAY + 1), 0);
}

static void a_limit_survives_a_restart_and_ends_with_its_day(void **state _unused_)
{
	struct signer_store *store = open_store();
	struct transaction transaction;

	for (uint64_t i = 0; i < LIMIT; i++) {
		transaction = anchor_call(100 + i, i, 1000);
		assert_int_equal(count(store, "anchor", &transaction, DAY + 1), 0);
	}
	signer_store_close(store);
	store = open_store();
	transaction = anchor_call(100 + LIMIT, 1, 1000);
	assert_int_equal(count(store, "anchor", &transaction, DAY + 1), SIGNER_E_REFUSED);
	assert_int_equal(count(store, "anchor", &transaction, DAY), SIGNER_E_REFUSED);
	transaction = anchor_call(100, 0, 9000); /* signed before */
	assert_int_equal(count(store, "anchor", &transaction, DAY + 1), 0);
	assert_int_equal(calls_on(store, DAY + 1), LIMIT);
	transaction = anchor_call(100 + LIMIT, 1, 1000);
	assert_int_equal(count(store, "anchor", &transaction, DAY + 2), 0);
	signer_store_close(store);
}

static int settle(struct signer_store *store, uint64_t nonce, uint64_t charged, int64_t day)
{
	const struct settlement pair = { { { 3 } }, { { 4 } }, u256_from(charged), u256_from(0) };
	const struct address token = { { 2 } };
	struct transaction transaction = anchor_call(nonce, 1, 1000);
	struct call_data data;

	assert_int_equal(call_settle(&token, &pair, 1, arena, &data), 0);
	transaction.data = data.bytes;
	transaction.data_len = data.len;
	return count(store, "settle", &transaction, day);
}

static void sums_are_what_is_newly_moved(void **state _unused_)
{
	struct signer_store *store = open_store();
	const struct address token = { { 2 } };
	struct signer_counters counters;

	assert_int_equal(settle(store, 1, 700, DAY), 0);
	assert_int_equal(settle(store, 2, 1000, DAY), 0);
	assert_int_equal(settle(store, 3, 1001, DAY), SIGNER_E_REFUSED);
	signer_store_close(store);
	store = open_store();
	assert_int_equal(settle(store, 3, 1001, DAY), SIGNER_E_REFUSED);
	assert_int_equal(settle(store, 3, 400, DAY),
			 0); /* less than before: the contract pays nothing */
	assert_int_equal(settle(store, 4, 1001, DAY), SIGNER_E_REFUSED);
	assert_int_equal(signer_store_read(store, SIGNER_SETTLE, &token, DAY, arena, &counters), 0);
	assert_int_equal(u256_low(counters.moved), UNITS);
	assert_int_equal(settle(store, 5, 2000, DAY + 1), 0);
	assert_int_equal(settle(store, 6, 2001, DAY + 1), SIGNER_E_REFUSED);
	signer_store_close(store);
}

static void it_is_one_keys_on_one_chain(void **state _unused_)
{
	struct signer_store *store = open_store();
	struct address other = { { 9 } };

	signer_store_close(store);
	assert_int_equal(signer_store_open(path, &other, 3338, &store), -EKEYREJECTED);
	assert_int_equal(signer_store_open(path, secp_key_address(key), 1, &store), -EKEYREJECTED);
}

/* Counts without end, and says each time when it is done. */
static void count_until_killed(int fd)
{
	struct signer_store *store;

	policy.rules[SIGNER_ANCHOR].calls_per_day = 1000000;
	if (signer_store_open(path, secp_key_address(key), 3338, &store) < 0)
		_exit(1);
	for (uint64_t i = 0;; i++) {
		struct transaction transaction = anchor_call(1000 + i, i, 1000);

		if (count(store, "anchor", &transaction, DAY - 1) != 0 || write(fd, "x", 1) != 1)
			_exit(1);
		arena_reset(arena);
	}
}

static void what_was_counted_stays_after_a_kill(void **state _unused_)
{
	struct signer_store *store;
	int ends[2], status;
	int64_t seen = 0;
	char bytes[64];
	ssize_t n;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		count_until_killed(ends[1]);
	close(ends[1]);
	while (seen < 20 && (n = read(ends[0], bytes, sizeof(bytes))) > 0)
		seen += n;
	kill(child, SIGKILL);
	while ((n = read(ends[0], bytes, sizeof(bytes))) > 0)
		seen += n;
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	store = open_store();
	assert_in_range(calls_on(store, DAY - 1), seen, seen + 1);
	signer_store_close(store);
}

/* ---- the keeper ---- */

static struct signer_answer ask(struct signer_keeper *keeper,
				const struct signer_question *question)
{
	const uint8_t *bytes, *said;
	struct signer_answer answer;
	size_t len, size;

	assert_int_equal(signer_question_write(question, arena, &bytes, &len), 0);
	assert_int_equal(signer_keeper_answer(keeper, bytes + SIGNER_PREFIX, len - SIGNER_PREFIX,
					      arena, &said, &size),
			 0);
	assert_int_equal(signer_answer_read(said + SIGNER_PREFIX, size - SIGNER_PREFIX, &answer),
			 0);
	return answer;
}

static void the_same_question_gets_the_same_bytes(void **state _unused_)
{
	_cleanup_(signer_store_closep) struct signer_store *store = open_store();
	struct clock_fake clock;
	struct signer_keeper keeper = { .policy = &policy, .key = key, .store = store };
	struct signer_question question = { .op = SIGNER_SIGN, .kind = "anchor" };
	struct transaction_signed ready;
	struct signer_answer first, again;
	struct transaction read;

	clock_fake_init(&clock, (int64_t)(DAY + 4) * SIGNER_DAY_MS);
	keeper.clock = &clock.clock;
	question.transaction = anchor_call(5000, 1, 1000);
	first = ask(&keeper, &question);
	again = ask(&keeper, &question);
	assert_int_equal(first.outcome, SIGNER_DONE);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.body, again.body, first.len);
	assert_int_equal(transaction_decode(first.body, first.len, arena, &read, &ready, NULL), 0);
	assert_memory_equal(&ready.sender, secp_key_address(key), 20);
	assert_int_equal(calls_on(store, DAY + 4), 1);
	question.kind = "forbidden";
	assert_int_equal(ask(&keeper, &question).outcome, SIGNER_DENIED);
	question.op = SIGNER_STATUS;
	first = ask(&keeper, &question);
	assert_int_equal(first.outcome, SIGNER_DONE);
	assert_non_null(memmem(first.body, first.len, "\"kind\":\"forbidden\"", 18));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_counted_stays_after_a_kill), /* first: it forks */
		cmocka_unit_test(the_same_call_counts_once),
		cmocka_unit_test(a_limit_survives_a_restart_and_ends_with_its_day),
		cmocka_unit_test(sums_are_what_is_newly_moved),
		cmocka_unit_test(it_is_one_keys_on_one_chain),
		cmocka_unit_test(the_same_question_gets_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

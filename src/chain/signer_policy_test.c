#include "chain/signer_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "chain/contracts.h"

#define RULE(contract)                                                                        \
	"{\"contract\":\"" contract "\",\"max_gas\":100000,\"max_fee_wei\":2000,\"calls_per_" \
	"day\":3"
#define ANCHOR "0x1111111111111111111111111111111111111111"
#define ESCROW "0x2222222222222222222222222222222222222222"
#define REWARDS "0x3333333333333333333333333333333333333333"
#define TOKEN "0x4444444444444444444444444444444444444444"
#define TOKENS ",\"tokens\":[{\"token\":\"" TOKEN "\",\"units_per_day\":\"1000\"}]}"

static const char policy_text[] = "{\"chain_id\":3338,\"kinds\":{\"anchor\":" RULE(
	ANCHOR) "},\"settle\":" RULE(ESCROW) TOKENS ",\"return\":" RULE(ESCROW) TOKENS
	",\"propose\":" RULE(REWARDS) ",\"units_per_day\":\"1000\"},\"activate\":" RULE(
		REWARDS) "}}}";

static struct arena *arena;
static struct signer_policy policy;

static int set_up(void **state _unused_)
{
	struct field_error error;

	if (arena_new(8 << 20, &arena) < 0)
		return -1;
	return signer_policy_read(policy_text, strlen(policy_text), arena, &policy, &error);
}

static int tear_down(void **state _unused_)
{
	arena_free(arena);
	return 0;
}

static struct address address_of(const char *text)
{
	struct address address;

	assert_int_equal(address_parse(text, &address), 0);
	return address;
}

static struct address numbered(uint8_t number)
{
	return (struct address){ .bytes = { [19] = number } };
}

/* What is right, with @data for @contract. */
static struct transaction plain(const char *contract, struct call_data data)
{
	return (struct transaction){ .kind = TRANSACTION_EIP1559,
				     .chain_id = 3338,
				     .nonce = 7,
				     .max_priority_fee = u256_from(1),
				     .max_fee = u256_from(2000),
				     .gas_limit = 100000,
				     .to = address_of(contract),
				     .data = data.bytes,
				     .data_len = data.len };
}

static struct transaction anchor_call(void)
{
	const struct anchor_root root = { .sequence = 1, .root = { 1 }, .leaves = 1 };
	struct call_data data;

	assert_int_equal(call_anchor(&root, arena, &data), 0);
	return plain(ANCHOR, data);
}

static struct transaction settle_call(const struct settlement *items, size_t n)
{
	struct address token = address_of(TOKEN);
	struct call_data data;

	assert_int_equal(call_settle(&token, items, n, arena, &data), 0);
	return plain(ESCROW, data);
}

static struct transaction return_call(uint64_t total)
{
	struct address token = address_of(TOKEN), tenant = numbered(1);
	struct call_data data;

	assert_int_equal(call_give_back(&token, &tenant, u256_from(total), arena, &data), 0);
	return plain(ESCROW, data);
}

static struct signer_call allowed(const char *kind, const struct transaction *transaction)
{
	struct signer_call call;
	const char *detail = NULL;
	int r = signer_policy_check(&policy, kind, transaction, arena, &call, &detail);

	if (r != 0)
		fail_msg("%s: %s", kind, detail);
	return call;
}

static void refused(const char *kind, const struct transaction *transaction, const char *rule)
{
	struct signer_call call;
	const char *detail = NULL;

	assert_int_equal(signer_policy_check(&policy, kind, transaction, arena, &call, &detail),
			 SIGNER_E_REFUSED);
	if (strncmp(detail, rule, strlen(rule)) != 0 || !strchr(detail, ';'))
		fail_msg("not by %s, or without a remedy: %s", rule, detail);
}

static const struct settlement one_pair[] = {
	{ { { 1 } }, { { 2 } }, { { 600 } }, { { 6 } } },
};

static void each_kind_has_its_call(void **state _unused_)
{
	const uint8_t root[32] = { 1 };
	struct transaction transaction = anchor_call();
	struct signer_call call = allowed("anchor", &transaction);
	struct call_data data;

	assert_null(call.token);
	assert_int_equal(call.nonce, 7);
	transaction = settle_call(one_pair, 1);
	call = allowed("settle", &transaction);
	assert_non_null(call.token);
	assert_int_equal(call.n_claims, 1);
	assert_int_equal(u256_low(call.claims[0].total), 600);
	assert_memory_equal(&call.claims[0].provider, &one_pair[0].provider, 20);
	transaction = return_call(5);
	call = allowed("return", &transaction);
	assert_int_equal(u256_low(call.claims[0].total), 5);
	assert_int_equal(call_propose(REWARD_VESTED, 1, root, u256_from(9), arena, &data), 0);
	transaction = plain(REWARDS, data);
	allowed("propose", &transaction);
	assert_int_equal(call_activate(REWARD_LIQUID, arena, &data), 0);
	transaction = plain(REWARDS, data);
	allowed("activate", &transaction);
}

static void every_rule_around_the_data(void **state _unused_)
{
	const struct transaction_access access = { 0 };
	struct transaction good = anchor_call(), bad;

	refused("transfer", &good, "kinds:");
	refused("settle", &good, "kinds.settle.contract:");
#define BROKEN(rule, ...)                      \
	do {                                   \
		bad = good;                    \
		__VA_ARGS__;                   \
		refused("anchor", &bad, rule); \
	} while (0)
	BROKEN("transaction:", bad.kind = TRANSACTION_LEGACY);
	BROKEN("transaction:", bad.creates = true);
	BROKEN("transaction:", bad.access = &access, bad.n_access = 1);
	BROKEN("chain_id:", bad.chain_id = 1);
	BROKEN("value:", bad.value = u256_from(1));
	BROKEN("nonce:", bad.nonce = UINT64_MAX - 1);
	BROKEN("kinds.anchor.contract:", bad.to.bytes[19] ^= 1);
	BROKEN("kinds.anchor.max_gas:", bad.gas_limit++);
	BROKEN("kinds.anchor.max_fee_wei:", bad.max_fee = u256_from(2001));
	BROKEN("kinds.anchor.max_fee_wei:", bad.max_priority_fee = u256_from(2001));
	allowed("anchor", &good);
}

static void a_kind_that_is_not_named(void **state _unused_)
{
	struct signer_policy whole = policy;
	struct transaction transaction = anchor_call();

	policy.rules[SIGNER_ANCHOR].calls_per_day = 0;
	refused("anchor", &transaction, "kinds.anchor:");
	policy = whole;
	allowed("anchor", &transaction);
}

static void only_what_the_encoder_writes(void **state _unused_)
{
	struct transaction good = anchor_call(), bad;
	uint8_t *data = arena_alloc(arena, good.data_len + 32);

	assert_non_null(data);
	memcpy(data, good.data, good.data_len);
	BROKEN("data:", bad.data = data, bad.data_len += 32); /* bytes at the end */
	BROKEN("data:", bad.data_len -= 1);
	BROKEN("data:", bad.data_len = 0);
	data[0] ^= 1; /* another function */
	BROKEN("data:", bad.data = data);
	data[0] ^= 1;
	data[4] = 1; /* a sequence of more than 64 bits */
	BROKEN("data:", bad.data = data);
	data[4] = 0;
	data[4 + 63] = ANCHOR_KINDS_N;
	BROKEN("data:", bad.data = data);
	data[4 + 63] = ANCHOR_KINDS_N - 1;
	bad = good;
	bad.data = data;
	allowed("anchor", &bad);
}

static void settlements_are_of_named_tokens_and_distinct_pairs(void **state _unused_)
{
	struct settlement pairs[2] = { one_pair[0], one_pair[0] };
	struct address other = numbered(9);
	struct call_data data;
	struct transaction transaction = settle_call(pairs, 2);

	refused("settle", &transaction, "data:");
	pairs[1].provider = other;
	transaction = settle_call(pairs, 2);
	allowed("settle", &transaction);
	assert_int_equal(call_settle(&other, pairs, 2, arena, &data), 0);
	transaction = plain(ESCROW, data);
	refused("settle", &transaction, "kinds.settle.tokens:");
	assert_int_equal(call_give_back(&other, &other, u256_from(1), arena, &data), 0);
	transaction = plain(ESCROW, data);
	refused("return", &transaction, "kinds.return.tokens:");
}

/* ---- counting ---- */

static void counted(const struct signer_call *call, int64_t day, const struct u256 *before,
		    struct signer_counters *counters)
{
	const char *detail = NULL;
	int r = signer_policy_count(call, day, before, counters, arena, &detail);

	if (r != 0)
		fail_msg("%s", detail);
}

static void uncounted(const struct signer_call *call, int64_t day, const struct u256 *before,
		      struct signer_counters *counters, const char *rule)
{
	struct signer_counters same = *counters;
	const char *detail = NULL;

	assert_int_equal(signer_policy_count(call, day, before, counters, arena, &detail),
			 SIGNER_E_REFUSED);
	if (strncmp(detail, rule, strlen(rule)) != 0)
		fail_msg("not by %s: %s", rule, detail);
	assert_memory_equal(counters, &same, sizeof(same));
}

static void calls_of_a_day(void **state _unused_)
{
	struct transaction transaction = anchor_call();
	struct signer_call call = allowed("anchor", &transaction);
	struct signer_counters counters = { 0 };

	for (int i = 0; i < 3; i++)
		counted(&call, 100, NULL, &counters);
	uncounted(&call, 100, NULL, &counters, "kinds.anchor.calls_per_day:");
	uncounted(&call, 99, NULL, &counters, "kinds.anchor.calls_per_day:"); /* a clock set back */
	counted(&call, 101, NULL, &counters);
	assert_int_equal(counters.calls, 1);
	assert_int_equal(counters.calls_day, 101);
}

static void units_of_a_day(void **state _unused_)
{
	struct transaction transaction = return_call(1000);
	struct signer_call call = allowed("return", &transaction);
	struct signer_counters counters = { 0 };
	struct u256 before = u256_from(0);
	struct signer_claim more = call.claims[0];

	counted(&call, 100, &before, &counters);
	assert_int_equal(u256_low(counters.moved), 1000);
	before = u256_from(1000);
	counted(&call, 100, &before, &counters); /* named again it moves nothing */
	more.total = u256_from(1001);
	call.claims = &more;
	uncounted(&call, 100, &before, &counters, "kinds.return.tokens:");
	uncounted(&call, 99, &before, &counters, "kinds.return.tokens:");
	counted(&call, 101, &before, &counters);
	assert_int_equal(u256_low(counters.moved), 1);
	more.total = u256_from_bytes((const uint8_t[32]){ [0 ... 31] = 0xff });
	uncounted(&call, 101, &before, &counters, "kinds.return.tokens:");
}

static struct signer_call proposal(enum reward_kind kind, uint64_t total,
				   struct transaction *transaction)
{
	const uint8_t root[32] = { 1 };
	struct call_data data;

	assert_int_equal(call_propose(kind, 1, root, u256_from(total), arena, &data), 0);
	*transaction = plain(REWARDS, data);
	return allowed("propose", transaction);
}

/* A root's total is what may be claimed ever: it grows by so much a day, of both pots together. */
static void units_that_roots_grow_by(void **state _unused_)
{
	struct signer_counters counters = { 0 };
	struct u256 before = u256_from(0);
	struct transaction transaction;
	struct signer_call call = proposal(REWARD_LIQUID, 700, &transaction);

	counted(&call, 100, &before, &counters);
	call = proposal(REWARD_VESTED, 301, &transaction);
	uncounted(&call, 100, &before, &counters, "kinds.propose.units_per_day:");
	call = proposal(REWARD_VESTED, 300, &transaction);
	assert_int_equal(call.claims[0].tenant.bytes[19], REWARD_VESTED);
	counted(&call, 100, &before, &counters);
	call = proposal(REWARD_LIQUID, 1700, &transaction);
	before = u256_from(700);
	counted(&call, 101, &before, &counters);
	call = proposal(REWARD_LIQUID, 1701, &transaction);
	before = u256_from(1700);
	uncounted(
		&call, 101, &before, &counters,
		"kinds.propose.units_per_day: it would let more than 1000 units a day be claimed; "
		"wait for the next day (UTC), or raise the limit");
	/* What no day has room for is not to be waited for. */
	call = proposal(REWARD_LIQUID, 2701, &transaction);
	uncounted(
		&call, 102, &before, &counters,
		"kinds.propose.units_per_day: it alone would let 1001 units more be claimed than "
		"was ever signed, and 1000 units are a day's limit, so that no day will do: raise");
}

static void units_of_all_pairs_together(void **state _unused_)
{
	struct settlement pairs[2] = { one_pair[0], one_pair[0] };
	struct u256 before[2] = { u256_from(0), u256_from(0) };
	struct signer_counters counters = { 0 };
	struct transaction transaction;
	struct signer_call call;

	pairs[1].provider = numbered(9);
	transaction = settle_call(pairs, 2); /* 600 each, 1,000 a day */
	call = allowed("settle", &transaction);
	uncounted(&call, 100, before, &counters, "kinds.settle.tokens:");
	before[1] = u256_from(200);
	counted(&call, 100, before, &counters);
	assert_int_equal(u256_low(counters.moved), 1000);
}

/* ---- the file ---- */

static void wrong_file(const char *find, const char *put, const char *field)
{
	struct field_error error = { 0 };
	struct signer_policy read;
	const char *at = strstr(policy_text, find);
	char *text;

	assert_non_null(at);
	text = arena_printf(arena, "%.*s%s%s", (int)(at - policy_text), policy_text, put,
			    at + strlen(find));
	assert_non_null(text);
	assert_true(signer_policy_read(text, strlen(text), arena, &read, &error) > 0);
	assert_string_equal(error.field, field);
	assert_true(strlen(error.rule) > 0);
}

static void every_field_has_bounds(void **state _unused_)
{
	wrong_file("3338", "0", "chain_id");
	wrong_file("\"chain_id\":3338,", "", "chain_id");
	wrong_file("\"anchor\"", "\"transfer\"", "kinds.transfer");
	wrong_file(ANCHOR, "0x12", "kinds.anchor.contract");
	wrong_file("\"max_gas\":100000", "\"max_gas\":20999", "kinds.anchor.max_gas");
	wrong_file("\"max_fee_wei\":2000", "\"max_fee_wei\":0", "kinds.anchor.max_fee_wei");
	wrong_file("\"calls_per_day\":3", "\"calls_per_day\":1000001",
		   "kinds.anchor.calls_per_day");
	wrong_file("\"calls_per_day\":3}", "\"calls_per_day\":3" TOKENS, "kinds.anchor.tokens");
	wrong_file(TOKENS, "}", "kinds.settle.tokens");
	wrong_file("\"1000\"", "\"01\"", "kinds.settle.tokens[0].units_per_day");
	wrong_file("\"1000\"}", "\"1\"},{\"token\":\"" TOKEN "\",\"units_per_day\":\"1\"}",
		   "kinds.settle.tokens[1].token");
	wrong_file(policy_text + strlen("{\"chain_id\":3338,"), "\"kinds\":{}}", "kinds");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_its_call),
		cmocka_unit_test(every_rule_around_the_data),
		cmocka_unit_test(a_kind_that_is_not_named),
		cmocka_unit_test(only_what_the_encoder_writes),
		cmocka_unit_test(settlements_are_of_named_tokens_and_distinct_pairs),
		cmocka_unit_test(calls_of_a_day),
		cmocka_unit_test(units_of_a_day),
		cmocka_unit_test(units_that_roots_grow_by),
		cmocka_unit_test(units_of_all_pairs_together),
		cmocka_unit_test(every_field_has_bounds),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

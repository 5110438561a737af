#include "chain/contracts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"
#include "chain/contract_event.h"

/* What is written is compared with viem's by tests/blackbox/chain_contracts.test.js; here is what is refused. */

#define A(last) "0x000000000000000000000000000000000000000" last
#define PLACE(name, last) "\"" name "\":{\"address\":\"" A(last) "\",\"block\":7}"
#define HEAD                                                                                       \
	"{\"chain_id\":3338,\"deployer\":\"" A("1") "\",\"parameters_hash\":\"0x00\",\"factory\":" \
						    "{\"address\":\"" A(                           \
							    "2") "\",\"block\":3},\"contracts\":{"
#define MOST                                                                     \
	PLACE("Anchor", "1")                                                     \
	"," PLACE("Distributor", "2") "," PLACE("Escrow", "3") "," PLACE(        \
		"Licence",                                                       \
		"4") "," PLACE("Registry",                                       \
			       "5") "," PLACE("Sale", "6") "," PLACE("Timelock", \
								     "7") "," PLACE("Token", "8")
#define VESTED "," PLACE("VestedToken", "9")

static int read_text(const char *text, struct contracts *ret, char detail[static 256])
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const char *said = NULL;
	int r;

	assert_int_equal(arena_new(1 << 16, &arena), 0);
	r = contracts_read(text, strlen(text), arena, ret, &said);
	if (r > 0)
		snprintf(detail, 256, "%s", said);
	return r;
}

static void a_deployment(void **state _unused_)
{
	struct contracts contracts;
	char detail[256];

	assert_int_equal(read_text(HEAD MOST VESTED "}}", &contracts, detail), 0);
	assert_int_equal(contracts.chain_id, 3338);
	assert_true(contracts.at[CONTRACT_ESCROW].there);
	assert_int_equal(contracts.at[CONTRACT_ESCROW].address.bytes[19], 3);
	assert_int_equal(contracts.at[CONTRACT_ESCROW].block, 7);
	assert_false(contracts.at[CONTRACT_DOLLAR].there);
}

static void files_that_are_refused(void **state _unused_)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "line" },
		{ "[]", "not an object" },
		{ HEAD MOST "}}", "VestedToken is missing: run contracts/deploy/deploy.js" },
		{ HEAD MOST VESTED "," PLACE("Other", "a") "}}", "\"Other\", which is unknown" },
		{ HEAD MOST VESTED "},\"more\":1}", "\"more\", which is unknown" },
		{ HEAD MOST "," PLACE("VestedToken", "8") "}}",
		  "Token and VestedToken have the same" },
		{ HEAD MOST ",\"VestedToken\":{\"address\":\"" A("9") "\"}}}", "no \"block\"" },
		{ HEAD MOST ",\"VestedToken\":{\"address\":\"" A("9") "\",\"block\":-1}}}",
		  "0 or more" },
		{ HEAD MOST ",\"VestedToken\":{\"address\":\"0x9\",\"block\":1}}}",
		  "spelt by EIP-55" },
		{ HEAD MOST ",\"VestedToken\":{\"address\":"
			    "\"0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed\",\"block\":1}}}",
		  "spelt by EIP-55" },
		{ HEAD MOST VESTED "," PLACE("Token", "8") "}}", "duplicate" },
		{ "{\"chain_id\":0,\"deployer\":1,\"parameters_hash\":1,\"factory\":null,"
		  "\"contracts\":{}}",
		  "chain_id" },
	};
	struct contracts contracts;
	char detail[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(read_text(cases[i].text, &contracts, detail),
				 CONTRACTS_E_MALFORMED);
		if (!strstr(detail, cases[i].says))
			fail_msg("%zu: \"%s\" does not say \"%s\"", i, detail, cases[i].says);
	}
}

static void settlements_have_bounds(void **state _unused_)
{
	static struct settlement items[CONTRACTS_SETTLEMENTS_MAX + 1];
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct address token = { 0 };
	struct call_data data;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(call_settle(&token, items, 0, arena, &data), -EINVAL);
	assert_int_equal(call_settle(&token, items, ARRAY_SIZE(items), arena, &data), -EINVAL);
	assert_int_equal(call_settle(&token, items, ARRAY_SIZE(items) - 1, arena, &data), 0);
}

/* A log of Deregistered, and what is wrong with it if one thing is changed. */
static void logs_that_are_refused(void **state _unused_)
{
	uint8_t topics[4][32] = { 0 }, data[32] = { 0 };
	const uint8_t(*t)[32] = (const uint8_t(*)[32])topics;
	struct contract_event event;

	contract_event_topic(EVENT_DEREGISTERED, topics[0]);
	topics[1][31] = 1;
	topics[2][31] = 2;
	topics[3][31] = MACHINE_CHECKER;
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 4, NULL, 0, &event), 0);
	assert_int_equal(event.deregistered.machine.bytes[19], 1);
	assert_int_equal(event.deregistered.kind, MACHINE_CHECKER);
	assert_int_equal(contract_event_read(EVENT_REGISTERED, t, 4, NULL, 0, &event),
			 CONTRACT_EVENT_E_OTHER);
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 0, NULL, 0, &event),
			 CONTRACT_EVENT_E_OTHER);
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 3, NULL, 0, &event),
			 CONTRACT_EVENT_E_MALFORMED);
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 4, data, 32, &event),
			 CONTRACT_EVENT_E_MALFORMED);
	topics[3][31] = MACHINE_KINDS_N;
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 4, NULL, 0, &event),
			 CONTRACT_EVENT_E_MALFORMED);
	topics[3][31] = MACHINE_CHECKER;
	topics[1][11] = 1;
	assert_int_equal(contract_event_read(EVENT_DEREGISTERED, t, 4, NULL, 0, &event),
			 CONTRACT_EVENT_E_MALFORMED);
}

static void answers_that_are_refused(void **state _unused_)
{
	struct anchor_latest latest;
	uint8_t answer[128] = { 0 };

	answer[31] = 9;
	answer[95] = ANCHOR_PAYOUTS;
	assert_int_equal(call_latest_answer(answer, 128, &latest), 0);
	assert_int_equal(latest.sequence, 9);
	assert_int_equal(call_latest_answer(answer, 127, &latest), CONTRACTS_E_MALFORMED);
	answer[95] = ANCHOR_KINDS_N;
	assert_int_equal(call_latest_answer(answer, 128, &latest), CONTRACTS_E_MALFORMED);
	answer[95] = 0;
	answer[23] = 1;
	assert_int_equal(call_latest_answer(answer, 128, &latest), CONTRACTS_E_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deployment),
		cmocka_unit_test(files_that_are_refused),
		cmocka_unit_test(settlements_have_bounds),
		cmocka_unit_test(logs_that_are_refused),
		cmocka_unit_test(answers_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "chain/indexer_log.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

#define H32 "000000000000000000000000000000000000000000000000000000000000"
#define HASH(xx) "0x" H32 "00" xx
#define OURS "0x1111111111111111111111111111111111111111"
#define LOG(block, index, hash, more)                                                           \
	"{\"address\":\"" OURS "\",\"topics\":[\"" HASH("a0") "\",\"" HASH(                     \
		"a1") "\"],"                                                                    \
		      "\"data\":\"0x0102\",\"blockNumber\":\"" block "\",\"logIndex\":\"" index \
		      "\","                                                                     \
		      "\"transactionHash\":\"" HASH("77") "\",\"blockHash\":\"" HASH(           \
			      hash) "\"" more "}"

struct fixture {
	struct arena *arena;
	struct address address;
	struct logs_asked asked; /* of blocks 5 to 9, three at most */
};

static int set_up(void **state)
{
	static struct fixture f;

	f = (struct fixture){ 0 };
	assert_int_equal(arena_new(1 << 20, &f.arena), 0);
	memset(f.address.bytes, 0x11, 20);
	f.asked = (struct logs_asked){
		.first = 5, .last = 9, .addresses = &f.address, .n_addresses = 1, .max = 3
	};
	*state = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	arena_free(f->arena);
	return 0;
}

static int read_text(struct fixture *f, const char *text, struct log_list *ret_list,
		     const char **ret_why)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	int r;

	assert_non_null(json);
	r = logs_read(json, &f->asked, f->arena, ret_list, ret_why);
	json_decref(json);
	return r;
}

static void reads_each_field(void **state)
{
	static const uint8_t data[] = { 1, 2 };
	struct fixture *f = *state;
	struct log_list list;
	const char *why;

	assert_int_equal(
		read_text(f, "[" LOG("0x5", "0x7", "b5", ",\"removed\":false") "]", &list, &why),
		0);
	assert_int_equal(list.n, 1);
	assert_int_equal(list.logs[0].block, 5);
	assert_int_equal(list.logs[0].index, 7);
	assert_int_equal(list.logs[0].block_hash[31], 0xb5);
	assert_int_equal(list.logs[0].transaction[31], 0x77);
	assert_true(address_equal(&list.logs[0].address, &f->address));
	assert_int_equal(list.logs[0].n_topics, 2);
	assert_int_equal(list.logs[0].topics[0][31], 0xa0);
	assert_int_equal(list.logs[0].topics[1][31], 0xa1);
	assert_int_equal(list.logs[0].len, 2);
	assert_memory_equal(list.logs[0].data, data, 2);
	assert_false(list.logs[0].final);
	assert_int_equal(read_text(f, "[]", &list, &why), 0);
	assert_int_equal(list.n, 0);
}

/* Whatever order they come in, they are the same. */
static void orders(void **state)
{
	struct fixture *f = *state;
	struct log_list list, sorted;
	uint8_t digest[32], other[32];
	const char *why;

	assert_int_equal(
		read_text(f,
			  "[" LOG("0x9", "0x0", "b9", "") "," LOG("0x5", "0x7", "b5", "") "," LOG(
				  "0x5", "0x6", "b5", "") "]",
			  &list, &why),
		0);
	assert_int_equal(list.logs[0].index, 6);
	assert_int_equal(list.logs[1].index, 7);
	assert_int_equal(list.logs[2].block, 9);
	assert_int_equal(
		read_text(f,
			  "[" LOG("0x5", "0x6", "b5", "") "," LOG("0x5", "0x7", "b5", "") "," LOG(
				  "0x9", "0x0", "b9", "") "]",
			  &sorted, &why),
		0);
	assert_int_equal(logs_digest(&list, f->arena, digest), 0);
	assert_int_equal(logs_digest(&sorted, f->arena, other), 0);
	assert_memory_equal(digest, other, 32);
	for (size_t i = 0; i < 4; i++) {
		sorted.logs[1] = list.logs[1];
		if (i == 0)
			sorted.logs[1].len--;
		else if (i == 1)
			sorted.logs[1].n_topics--;
		else if (i == 2)
			sorted.logs[1].block_hash[0] ^= 1;
		else
			sorted.logs[1].transaction[0] ^= 1;
		assert_int_equal(logs_digest(&sorted, f->arena, other), 0);
		assert_memory_not_equal(digest, other, 32);
	}
	assert_int_equal(
		read_text(f,
			  "[" LOG("0x5", "0x0", "b5", "") "," LOG("0x5", "0x1", "b5", "") "," LOG(
				  "0x5", "0x2", "b5", "") "," LOG("0x5", "0x3", "b5", "") "]",
			  &list, &why),
		LOGS_E_TOO_MANY);
	assert_int_equal(list.n, 3);
}

static void refuses_lies(void **state)
{
	static const struct {
		const char *text, *why;
	} lies[] = {
		{ "null", "no list" },
		{ "{}", "no list" },
		{ "[null]", "malformed" },
		{ "[{}]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"removed\":true") "]", "dropped" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"removed\":null") "]", "dropped" },
		{ "[" LOG("0x4", "0x0", "b5", "") "]", "another contract or block" },
		{ "[" LOG("0xa", "0x0", "b5", "") "]", "another contract or block" },
		{ "[" LOG("0x05", "0x0", "b5", "") "]", "malformed" },
		{ "[" LOG("5", "0x0", "b5", "") "]", "malformed" },
		{ "[" LOG("0x5", "0x8000000000000000", "b5", "") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b", "") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"data\":\"0x1\"") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"data\":\"\"") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"data\":null") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"topics\":null") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"topics\":[\"0x00\"]") "]", "malformed" },
		{ "[" LOG("0x5", "0x0", "b5",
			  ",\"topics\":[\"" HASH("00") "\",\"" HASH("00") "\",\"" HASH(
				  "00") "\",\"" HASH("00") "\",\"" HASH("00") "\"]") "]",
		  "malformed" },
		{ "[" LOG("0x5", "0x0", "b5",
			  ",\"address\":\"0x1111111111111111111111111111111111111112\"") "]",
		  "another contract or block" },
		{ "[" LOG("0x5", "0x0", "b5", ",\"address\":null") "]", "malformed" },
		{ "[" LOG("0x5", "0x1", "b5", "") "," LOG("0x5", "0x1", "b5", "") "]", "twice" },
		{ "[" LOG("0x5", "0x1", "b5", "") "," LOG("0x5", "0x2", "b6", "") "]",
		  "two hashes" },
	};
	struct fixture *f = *state;
	struct log_list list;
	const char *why;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		assert_int_equal(read_text(f, lies[i].text, &list, &why), LOGS_E_LIE);
		assert_non_null(strstr(why, lies[i].why));
	}
}

static void data_has_a_limit(void **state)
{
	struct fixture *f = *state;
	json_t *data, *log, *json = json_loads("[" LOG("0x5", "0x0", "b5", "") "]", 0, NULL);
	static uint8_t bytes[INDEXER_DATA_MAX + 1];
	struct log_list list;
	const char *why;

	log = json_array_get(json, 0);
	for (size_t extra = 0; extra < 2; extra++) {
		data = rpc_of_bytes(bytes, INDEXER_DATA_MAX + extra);
		assert_int_equal(json_object_set_new(log, "data", data), 0);
		assert_int_equal(logs_read(json, &f->asked, f->arena, &list, &why),
				 extra ? LOGS_E_LIE : 0);
	}
	json_decref(json);
}

static void asks(void **state)
{
	struct fixture *f = *state;
	json_t *params = logs_params(&f->asked);
	char *text = json_dumps(params, JSON_COMPACT);

	assert_string_equal(text, "[{\"fromBlock\":\"0x5\",\"toBlock\":\"0x9\",\"address\":[\"" OURS
				  "\"]}]");
	free(text);
	json_decref(params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_each_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(orders, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(data_has_a_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(asks, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "chain/abi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

static struct arena *arena;

static int set_up(void **state _unused_)
{
	return arena_new(8 << 20, &arena);
}

static int tear_down(void **state _unused_)
{
	arena_free(arena);
	return 0;
}

static const struct abi_type *type_of(const char *text)
{
	const struct abi_type *type = NULL;

	assert_int_equal(abi_type_parse(text, strlen(text), arena, &type), 0);
	return type;
}

/* Words in hexadecimal, as the specification prints them. */
static size_t from_hex(const char *hex, uint8_t **ret_bytes)
{
	size_t len = strlen(hex) / 2;

	*ret_bytes = malloc(len + !len);
	assert_non_null(*ret_bytes);
	assert_int_equal(hex_decode(hex, 2 * len, *ret_bytes, len), 0);
	return len;
}

static void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
	char *text = arena_alloc(arena, 2 * len + 1);

	hex_encode(bytes, len, text);
	assert_string_equal(text, expected);
}

#define ZEROS "000000000000000000000000000000"
#define SMALL(two) ZEROS ZEROS "00" two

/* sam(bytes,bool,uint256[]) and f(uint256,uint32[],bytes10,bytes) of the specification. */
static void known_calls(void **state _unused_)
{
	const struct abi_value three[] = { abi_u64(1), abi_u64(2), abi_u64(3) };
	const struct abi_value two[] = { abi_u64(0x456), abi_u64(0x789) };
	const struct abi_value sam[] = { abi_text("dave"), abi_bool(true), abi_items(three, 3) };
	const struct abi_value f[] = { abi_u64(0x123), abi_items(two, 2),
				       abi_fixed_bytes("1234567890", 10),
				       abi_text("Hello, world!") };
	const uint8_t *bytes;
	size_t len;

	assert_int_equal(abi_encode_call("sam(bytes,bool,uint256[])", sam, 3, arena, &bytes, &len),
			 0);
	assert_hex(bytes, len,
		   "a5643bf2" SMALL("60") SMALL("01") SMALL("a0")
			   SMALL("04") "64617665" ZEROS "00000000000000000000000000" SMALL("03")
				   SMALL("01") SMALL("02") SMALL("03"));
	assert_int_equal(
		abi_encode_call("f(uint256,uint32[],bytes10,bytes)", f, 4, arena, &bytes, &len), 0);
	assert_hex(
		bytes, len,
		"8be65246" ZEROS ZEROS "0123" SMALL("80") "3132333435363738393000000000000000000000"
							  "000000000000000000000000" SMALL("e0")
								  SMALL("02") ZEROS ZEROS
		"0456" ZEROS ZEROS "0789" SMALL(
			"0d") "48656c6c6f2c20776f726c642100000000000000000000000000000000000000");
}

static void known_types(void **state _unused_)
{
	static const char *const bad[] = {
		"",
		"uint",
		"int",
		"uint0",
		"uint7",
		"uint264",
		"uint08",
		"bytes0",
		"bytes33",
		"bytes01",
		"byte",
		"fixed",
		"function",
		"uint256 ",
		"uint8[",
		"uint8[0]",
		"uint8[01]",
		"uint8]",
		"()",
		"(,)",
		"(uint8",
		"(uint8,",
		"uint8,int8",
		"(uint8))",
		"address payable",
		"uint8[1048577]",
		"uint8[1024][1024]",
	};
	const struct abi_type *type;
	char deep[] = "((((((((((((((((((bool))))))))))))))))))";

	type = type_of("(address,bytes32[2],string[3])[]");
	assert_int_equal(type->kind, ABI_LIST);
	assert_true(type->dynamic);
	assert_int_equal(type->of->kind, ABI_TUPLE);
	assert_int_equal(type->of->of[1].head, 64);
	assert_true(type->of->of[2].dynamic);
	assert_int_equal(type_of("uint8[3][2]")->head, 192);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(abi_type_parse(bad[i], strlen(bad[i]), arena, &type),
				 ABI_E_MALFORMED);
	assert_int_equal(abi_type_parse(deep, strlen(deep), arena, &type), ABI_E_MALFORMED);
	assert_int_equal(abi_type_parse(deep + 2, strlen(deep) - 4, arena, &type), 0);
}

static void signatures(void **state _unused_)
{
	static const char *const bad[] = { "",      "f",       "(uint8)", "1f()", "f()x",
					   "f (x)", "f(uint)", "f(uint8", "a-b()" };
	const struct abi_type *type;
	struct abi_value none;
	uint8_t bytes[32];
	size_t len;
	const uint8_t *call;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(abi_signature_parse(bad[i], arena, &type), ABI_E_MALFORMED);
	abi_selector("transfer(address,uint256)", bytes);
	assert_hex(bytes, 4, "a9059cbb");
	abi_topic("Transfer(address,address,uint256)", bytes);
	assert_hex(bytes, 32, "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
	assert_int_equal(abi_encode_call("totalSupply()", NULL, 0, arena, &call, &len), 0);
	assert_hex(call, len, "18160ddd");
	assert_int_equal(abi_decode_call("totalSupply()", call, len, arena, &none), 0);
	assert_int_equal(none.n_items, 0);
	assert_int_equal(abi_decode_call("symbol()", call, len, arena, &none), ABI_E_MALFORMED);
	assert_int_equal(abi_decode_call("totalSupply()", call, 3, arena, &none), ABI_E_MALFORMED);
	assert_int_equal(abi_encode_call("no", NULL, 0, arena, &call, &len), -EINVAL);
}

static int decode(const char *type, const char *hex)
{
	struct abi_value value;
	uint8_t *bytes;
	size_t len = from_hex(hex, &bytes);
	int r;

	r = abi_decode(type_of(type), bytes, len, arena, &value);
	free(bytes);
	return r;
}

#define ONES "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static void accepted(void **state _unused_)
{
	static const struct {
		const char *type, *hex;
	} good[] = {
		{ "(uint8)", SMALL("ff") },
		{ "(int8)", ONES "80" },
		{ "(int8)", SMALL("7f") },
		{ "(int256)", ONES "80" },
		{ "(bool)", SMALL("01") },
		{ "(bytes)", SMALL("20") SMALL("00") },
		{ "(uint8[])", SMALL("20") SMALL("00") },
		{ "(uint8[],uint8[])", SMALL("40") SMALL("60") SMALL("00") SMALL("00") },
		{ "((bytes,bool)[1])",
		  SMALL("20") SMALL("20") SMALL("40") SMALL("01") SMALL("00") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(decode(good[i].type, good[i].hex), 0);
}

static void refused(void **state _unused_)
{
	static const struct {
		const char *type, *hex;
	} bad[] = {
		{ "(uint8)", "" },
		{ "(uint8)", ZEROS ZEROS "01" },
		{ "(uint8)", SMALL("01") SMALL("00") }, /* more than that */
		{ "(uint8)", ZEROS ZEROS "0100" }, /* past its bits */
		{ "(int8)", SMALL("80") },
		{ "(int8)", ONES "7f" },
		{ "(bool)", SMALL("02") },
		{ "(address)", "01" ZEROS ZEROS "00" },
		{ "(bytes1)", "0001" ZEROS ZEROS },
		{ "(bytes)", SMALL("40") SMALL("00") SMALL("00") }, /* a gap */
		{ "(bytes)", SMALL("00") },
		{ "(bytes)", SMALL("20") SMALL("01") SMALL("01") }, /* not padded by zeros */
		{ "(bytes)", SMALL("20") SMALL("21") SMALL("00") },
		{ "(bytes)", SMALL("20") ONES "ff" },
		{ "(bytes)", ONES "e0" SMALL("00") },
		{ "(uint8[])", SMALL("20") SMALL("02") SMALL("01") },
		{ "(uint8[])", SMALL("20") ZEROS "00000000000000000000000004000000000000" },
		{ "(bytes,bytes)", SMALL("40") SMALL("40") SMALL("00") }, /* one tail for two */
		{ "(bytes,bytes)", SMALL("60") SMALL("40") SMALL("00") SMALL("00") },
		{ "(bytes[])", SMALL("20") SMALL("01") SMALL("00") SMALL("00") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decode(bad[i].type, bad[i].hex), ABI_E_MALFORMED);
	assert_int_equal(decode("uint8", SMALL("01")), ABI_E_MALFORMED);
}

static void unencodable(void **state _unused_)
{
	const struct abi_value big = abi_u64(256), two[] = { abi_u64(1), abi_u64(2) };
	static uint8_t long_bytes[ABI_SIZE_MAX];
	const struct abi_value huge = abi_bytes(long_bytes, sizeof(long_bytes));
	const struct abi_value one = abi_items(&big, 1), pair = abi_items(two, 2),
			       much = abi_items(&huge, 1);
	const uint8_t *bytes;
	size_t len;

	assert_int_equal(abi_encode(type_of("(uint8)"), &one, arena, &bytes, &len), -EINVAL);
	assert_int_equal(abi_encode(type_of("(uint16)"), &pair, arena, &bytes, &len), -EINVAL);
	assert_int_equal(abi_encode(type_of("uint16[2]"), &pair, arena, &bytes, &len), -EINVAL);
	assert_int_equal(abi_encode(type_of("(bytes)"), &much, arena, &bytes, &len), -E2BIG);
}

static void values_come_back(void **state _unused_)
{
	struct address address, back;
	struct abi_value members[3], value, read;
	const uint8_t *bytes;
	size_t len;

	assert_int_equal(address_parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", &address), 0);
	members[0] = abi_address(&address);
	members[1] = abi_bool(true);
	members[2] = abi_text("Kaisar");
	value = abi_items(members, 3);
	assert_int_equal(abi_encode(type_of("(address,bool,string)"), &value, arena, &bytes, &len),
			 0);
	assert_int_equal(abi_decode(type_of("(address,bool,string)"), bytes, len, arena, &read), 0);
	assert_int_equal(read.n_items, 3);
	back = abi_as_address(read.items);
	assert_true(address_equal(&address, &back));
	assert_true(abi_as_bool(read.items + 1));
	assert_int_equal(read.items[2].len, 6);
	assert_memory_equal(read.items[2].bytes, "Kaisar", 6);
	assert_int_equal(abi_as_number(read.items + 1).limbs[0], 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(known_calls), TEST(known_types), TEST(signatures),       TEST(accepted),
		TEST(refused),     TEST(unencodable), TEST(values_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "chain/typed_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"
#include "chain/typed_json.h"

static struct arena *arena;

static int set_up(void **state _unused_)
{
	return arena_new(4 << 20, &arena);
}

static int tear_down(void **state _unused_)
{
	arena_free(arena);
	return 0;
}

static void assert_hash(const uint8_t hash[static 32], const char *expected)
{
	char text[65];

	hex_encode(hash, 32, text);
	assert_string_equal(text, expected);
}

/* The example of EIP-712. */
static const char mail_digest[] =
	"be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2";
static const char mail_json[] =
	"{\"types\":{\"EIP712Domain\":[{\"name\":\"name\",\"type\":\"string\"},"
	"{\"name\":\"version\",\"type\":\"string\"},{\"name\":\"chainId\",\"type\":\"uint256\"},"
	"{\"name\":\"verifyingContract\",\"type\":\"address\"}],"
	"\"Person\":[{\"name\":\"name\",\"type\":\"string\"},"
	"{\"name\":\"wallet\",\"type\":\"address\"}],"
	"\"Mail\":[{\"name\":\"from\",\"type\":\"Person\"},{\"name\":\"to\",\"type\":\"Person\"},"
	"{\"name\":\"contents\",\"type\":\"string\"}]},"
	"\"primaryType\":\"Mail\","
	"\"domain\":{\"name\":\"Ether Mail\",\"version\":\"1\",\"chainId\":1,"
	"\"verifyingContract\":\"0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC\"},"
	"\"message\":{\"from\":{\"name\":\"Cow\","
	"\"wallet\":\"0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826\"},"
	"\"to\":{\"name\":\"Bob\",\"wallet\":\"0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB\"},"
	"\"contents\":\"Hello, Bob!\"}}";

static void person(const char *name, const char *wallet, uint8_t ret_hash[static 32])
{
	struct typed_struct fields = typed_begin("Person(string name,address wallet)");
	struct address address;

	assert_int_equal(address_parse(wallet, &address), 0);
	typed_text(&fields, name);
	typed_address(&fields, &address);
	typed_end(&fields, ret_hash);
}

static void built(void **state _unused_)
{
	struct typed_domain domain = { .name = "Ether Mail", .version = "1", .chain_id = 1 };
	struct typed_struct mail = typed_begin("Mail(Person from,Person to,string contents)"
					       "Person(string name,address wallet)");
	uint8_t hash[32], domain_hash[32];

	memset(domain.contract.bytes, 0xcc, sizeof(domain.contract.bytes));
	typed_domain_hash(&domain, domain_hash);
	assert_hash(domain_hash,
		    "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
	person("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826", hash);
	typed_word(&mail, hash);
	person("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB", hash);
	typed_word(&mail, hash);
	typed_text(&mail, "Hello, Bob!");
	typed_end(&mail, hash);
	assert_hash(hash, "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
	typed_digest(domain_hash, hash, hash);
	assert_hash(hash, mail_digest);
}

static int digest(const char *json, uint8_t ret_digest[static 32])
{
	const char *detail = NULL;
	int r = typed_json_digest(json, strlen(json), arena, ret_digest, &detail);

	/* A refusal always says why. */
	assert_int_equal(r > 0, detail != NULL);
	return r;
}

static const char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *result;

	assert_non_null(at);
	result = arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_non_null(result);
	return result;
}

static void read_from_json(void **state _unused_)
{
	uint8_t hash[32];

	assert_int_equal(digest(mail_json, hash), 0);
	assert_hash(hash, mail_digest);
	assert_int_equal(digest(replaced(mail_json, "\"chainId\":1", "\"chainId\":\"1\""), hash),
			 0);
	assert_hash(hash, mail_digest);
	assert_int_equal(digest(replaced(mail_json, "\"chainId\":1", "\"chainId\":\"0x1\""), hash),
			 0);
	assert_hash(hash, mail_digest);
	assert_int_equal(digest(replaced(mail_json, "Hello", "Hallo"), hash), 0);
	assert_memory_not_equal(hash, mail_digest, 32);
}

static void refused(void **state _unused_)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		/* more or less than is signed */
		{ "\"contents\":\"Hello, Bob!\"", "\"contents\":\"a\",\"more\":1" },
		{ ",\"contents\":\"Hello, Bob!\"", "" },
		{ "\"contents\":\"Hello", "\"content\":\"Hello" },
		{ "\"contents\":\"Hello, Bob!\"", "\"contents\":\"a\",\"contents\":\"b\"" },
		{ "{\"types\"", "{\"more\":1,\"types\"" },
		{ "\"primaryType\":\"Mail\"", "\"primaryType\":\"Male\"" },
		{ "\"primaryType\":\"Mail\"", "\"primaryType\":\"EIP712Domain\"" },
		{ "\"primaryType\":\"Mail\"", "\"primaryType\":7" },
		/* types */
		{ "\"Person\":[", "\"uint8\":[" },
		{ "\"Person\":[", "\"Per son\":[" },
		{ "\"type\":\"Person\"", "\"type\":\"Nobody\"" },
		{ "\"type\":\"Person\"", "\"type\":\"Person[\"" },
		{ "\"type\":\"Person\"", "\"type\":\"Person[0]\"" },
		{ "\"type\":\"Person\"", "\"type\":\"(string)\"" },
		{ "\"name\":\"to\"", "\"name\":\"from\"" },
		{ "\"name\":\"to\"", "\"name\":\"t)o\"" },
		{ "\"name\":\"to\",", "" },
		{ "EIP712Domain", "Domain" },
		{ "{\"name\":\"name\",\"type\":\"string\"}",
		  "{\"name\":\"name\",\"type\":\"bytes\"}" },
		{ "{\"name\":\"name\",\"type\":\"string\"}",
		  "{\"name\":\"nome\",\"type\":\"string\"}" },
		/* values */
		{ "\"chainId\":1", "\"chainId\":-1" },
		{ "\"chainId\":1", "\"chainId\":1.0" },
		{ "\"chainId\":1", "\"chainId\":true" },
		{ "\"chainId\":1", "\"chainId\":\"01\"" },
		{ "\"chainId\":1", "\"chainId\":\"\"" },
		{ "0xCD2a", "0xcD2a" },
		{ "0xCD2a", "CD2a" },
		{ "\"Hello, Bob!\"", "7" },
		{ "\"Hello, Bob!\"", "\"\\u0000\"" },
		{ "\"from\":{\"name\":\"Cow\"", "\"from\":[{\"name\":\"Cow\"" },
	};
	uint8_t hash[32];

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		assert_int_equal(digest(replaced(mail_json, changes[i].from, changes[i].to), hash),
				 TYPED_E_MALFORMED);
	assert_int_equal(digest("", hash), TYPED_E_MALFORMED);
	assert_int_equal(digest("[]", hash), TYPED_E_MALFORMED);
	assert_int_equal(digest("{}", hash), TYPED_E_MALFORMED);
}

/* One field x of @type with @value. */
static int one_field(const char *type, const char *value, uint8_t ret_digest[static 32])
{
	const char *json = arena_printf(
		arena,
		"{\"types\":{\"EIP712Domain\":[],\"A\":[{\"name\":\"x\",\"type\":\"%s\"}],"
		"\"B\":[{\"name\":\"x\",\"type\":\"B[]\"}]},"
		"\"primaryType\":\"A\",\"domain\":{},\"message\":{\"x\":%s}}",
		type, value);

	assert_non_null(json);
	return digest(json, ret_digest);
}

static void bounds_of_values(void **state _unused_)
{
	static const struct {
		const char *type, *value;
		bool good;
	} values[] = {
		{ "int8", "-128", true },
		{ "int8", "-129", false },
		{ "int8", "127", true },
		{ "int8", "128", false },
		{ "int8", "\"-0\"", false },
		{ "int16", "\"-32768\"", true },
		{ "uint8", "\"0xff\"", true },
		{ "uint8", "256", false },
		{ "bytes4", "\"0x01020304\"", true },
		{ "bytes4", "\"0x010203\"", false },
		{ "bytes", "\"0x\"", true },
		{ "bytes", "\"0x1\"", false },
		{ "bytes", "17", false },
		{ "bool", "0", false },
		{ "bool", "false", true },
		{ "uint8[2]", "[1,2]", true },
		{ "uint8[2]", "[1]", false },
		{ "uint8[]", "[]", true },
		{ "uint8[]", "{}", false },
		{ "uint8[2][]", "[[1,2],[3,4]]", true },
		{ "uint8[2][]", "[[1,2,3]]", false },
		{ "B", "{\"x\":[{\"x\":[]}]}", true }, /* a type of itself */
		{ "uint8[][][][][][][][]", "[[[[[[[[1]]]]]]]]", true },
		{ "uint8[][][][][][][][][]", "[]", false },
		{ "B",
		  "{\"x\":[{\"x\":[{\"x\":[{\"x\":[{\"x\":[{\"x\":[{\"x\":[{\"x\":[{\"x\":[]}"
		  "]}]}]}]}]}]}]}]}",
		  false },
	};
	uint8_t hash[32];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		int r = one_field(values[i].type, values[i].value, hash);

		if ((r == 0) != values[i].good)
			print_error("%s %s\n", values[i].type, values[i].value);
		assert_int_equal(r == 0, values[i].good);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(built),
		TEST(read_from_json),
		TEST(refused),
		TEST(bounds_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "security/siwe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"
#include "base/random.h"
#include "security/secp.h"

static struct arena *arena;
static struct secp_key *key;

static int set_up(void **state)
{
	uint8_t secret[32];

	(void)state;
	/* The first of the keys that test chains give out. */
	assert_int_equal(
		hex_decode("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80", 64,
			   secret, 32),
		0);
	assert_int_equal(secp_key_from_secret(secret, &key), 0);
	return arena_new(4 << 20, &arena);
}

static int tear_down(void **state)
{
	(void)state;
	secp_key_free(key);
	arena_free(arena);
	return 0;
}

/* Written and signed by viem with the same key. */
static const char full[] =
	"https://cloud.kaisar.example:8443 wants you to sign in with your Ethereum account:\n"
	"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n"
	"\n"
	"Sign in to Kaisar.\n"
	"\n"
	"URI: https://cloud.kaisar.example:8443/login\n"
	"Version: 1\n"
	"Chain ID: 3338\n"
	"Nonce: k1a2i3s4a5r6\n"
	"Issued At: 2026-11-22T17:05:53.250Z\n"
	"Expiration Time: 2026-11-22T17:15:53.000Z\n"
	"Not Before: 2026-11-22T17:05:00.000Z\n"
	"Request ID: req-1";
static const char full_signature[] =
	"a9be3ae7d237316b26e8c314ad2dc498beb6717ac0f727e6abef60e4a17e80dc"
	"6671b67195856da91aac0ce779506fa26292838c64a9f269b2e477fc51036d231b";

static const struct siwe_policy policy = {
	.domain = "cloud.kaisar.example:8443",
	.uri = "https://cloud.kaisar.example:8443/login",
	.chain_id = 3338,
	.now_ms = 1795367160000,
	.skew_ms = 30000,
	.max_age_ms = 300000,
};

static int parse(const char *text, struct siwe_message *ret_message)
{
	const char *detail = NULL;
	int r = siwe_parse(text, strlen(text), arena, ret_message, &detail);

	/* A refusal always says why. */
	assert_int_equal(r == SIWE_E_SYNTAX, detail != NULL);
	return r;
}

/* Reads, signs and checks @text as the account's own wallet would have it. */
static int sign_in(const char *text)
{
	uint8_t digest[32], signature[65];
	struct siwe_message message;
	int r;

	r = parse(text, &message);
	if (r != 0)
		return r;
	assert_int_equal(eip191_digest(text, strlen(text), digest), 0);
	assert_int_equal(secp_sign(key, digest, signature), 0);
	return siwe_check(&message, text, strlen(text), signature, &policy);
}

/* @text with its first @from replaced by @to. */
static const char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *result;

	assert_non_null(at);
	result = arena_printf(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	assert_non_null(result);
	return result;
}

static void test_full_message(void **state)
{
	struct siwe_message m;
	uint8_t signature[65];

	(void)state;
	assert_int_equal(parse(full, &m), 0);
	assert_string_equal(m.scheme, "https");
	assert_string_equal(m.domain, "cloud.kaisar.example:8443");
	assert_true(address_equal(&m.address, secp_key_address(key)));
	assert_string_equal(m.statement, "Sign in to Kaisar.");
	assert_string_equal(m.uri, "https://cloud.kaisar.example:8443/login");
	assert_string_equal(m.version, "1");
	assert_int_equal(m.chain_id, 3338);
	assert_string_equal(m.nonce, "k1a2i3s4a5r6");
	assert_int_equal(m.issued_at_ms, 1795367153250);
	assert_int_equal(m.expires_at_ms, 1795367753000);
	assert_int_equal(m.not_before_ms, 1795367100000);
	assert_string_equal(m.request_id, "req-1");
	assert_int_equal(m.n_resources, 0);
	assert_int_equal(hex_decode(full_signature, 130, signature, 65), 0);
	assert_int_equal(siwe_check(&m, full, strlen(full), signature, &policy), 0);
	signature[64] -= 27;
	assert_int_equal(siwe_check(&m, full, strlen(full), signature, &policy), 0);
}

/* The example of EIP-4361 itself. */
static void test_standard_example(void **state)
{
	static const char text[] =
		"example.com wants you to sign in with your Ethereum account:\n"
		"0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n"
		"\n"
		"I accept the ExampleOrg Terms of Service: https://example.com/tos\n"
		"\n"
		"URI: https://example.com/login\n"
		"Version: 1\n"
		"Chain ID: 1\n"
		"Nonce: 32891756\n"
		"Issued At: 2021-09-30T16:25:24Z\n"
		"Resources:\n"
		"- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/\n"
		"- https://example.com/my-web2-claim.json";
	struct siwe_message m;

	(void)state;
	assert_int_equal(parse(text, &m), 0);
	assert_null(m.scheme);
	assert_string_equal(m.domain, "example.com");
	assert_string_equal(m.statement,
			    "I accept the ExampleOrg Terms of Service: https://example.com/tos");
	assert_int_equal(m.issued_at_ms, 1633019124000);
	assert_int_equal(m.expires_at_ms, 0);
	assert_null(m.request_id);
	assert_int_equal(m.n_resources, 2);
}

static void test_good_changes(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "https://", "" },
		{ "Sign in to Kaisar.\n", "" },
		{ "Sign in to Kaisar.", "URI: a statement may look like a field" },
		{ "\nExpiration Time: 2026-11-22T17:15:53.000Z", "" },
		{ "\nNot Before: 2026-11-22T17:05:00.000Z", "" },
		{ "\nRequest ID: req-1", "" },
		{ "Request ID: req-1", "Request ID: " },
		{ "req-1", "req-1\nResources:" },
		{ "req-1", "req-1\nResources:\n- a:b\n- https://example.com/%41?q#f" },
		{ "2026-11-22T17:05:53.250Z", "2026-11-22T19:05:53+02:00" },
		{ "k1a2i3s4a5r6", "12345678" },
	};

	(void)state;
	assert_int_equal(sign_in(full), 0);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		assert_int_equal(sign_in(replaced(full, changes[i].from, changes[i].to)), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *from, *to;
		int outcome;
	} changes[] = {
		/* the first line */
		{ " wants you to", " wants  you to", SIWE_E_SYNTAX },
		{ "account:\n", "account: \n", SIWE_E_SYNTAX },
		{ "Ethereum account", "ethereum account", SIWE_E_SYNTAX },
		{ "https://cloud.kaisar.example:8443 wants", " wants", SIWE_E_SYNTAX },
		{ "https://cloud", "://cloud", SIWE_E_SYNTAX },
		{ "https://cloud", "1https://cloud", SIWE_E_SYNTAX },
		{ "cloud.kaisar.example:8443 wants", "cloud.kaisar.example/x wants",
		  SIWE_E_SYNTAX },
		{ "cloud.kaisar.example:8443 wants", "cloud kaisar wants", SIWE_E_SYNTAX },
		{ "cloud.kaisar.example:8443 wants", "cloud.%4 wants", SIWE_E_SYNTAX },
		{ "https://cloud", "https://evil.cloud", SIWE_E_DOMAIN },
		{ "https://cloud.kaisar.example:8443 wants", "cloud.kaisar.example wants",
		  SIWE_E_DOMAIN },
		{ "https://cloud.kaisar.example:8443 wants", "CLOUD.kaisar.example:8443 wants",
		  SIWE_E_DOMAIN },
		{ "https://cloud", "http://cloud", SIWE_E_DOMAIN },
		/* the address */
		{ "0xf39Fd6", "0xf39fd6", SIWE_E_SYNTAX },
		{ "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
		  "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", SIWE_E_SYNTAX },
		{ "0xf39Fd6", "f39Fd6", SIWE_E_SYNTAX },
		{ "2266\n", "226\n", SIWE_E_SYNTAX },
		{ "2266\n", "2266 \n", SIWE_E_SYNTAX },
		{ "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
		  "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2", SIWE_E_SIGNATURE },
		/* the statement and the empty lines */
		{ "2266\n\n", "2266\n", SIWE_E_SYNTAX },
		{ "Kaisar.\n\n", "Kaisar.\n", SIWE_E_SYNTAX },
		{ "Kaisar.\n\n", "Kaisar.\n\n\n", SIWE_E_SYNTAX },
		{ "Kaisar.", "Kaisar\xc3\xbc", SIWE_E_SYNTAX },
		{ "Kaisar.", "Kaisar\t", SIWE_E_SYNTAX },
		{ "Kaisar.", "two\nlines", SIWE_E_SYNTAX },
		{ "Kaisar.", "\"quoted\"", SIWE_E_SYNTAX },
		/* the fields */
		{ "URI: ", "URI:", SIWE_E_SYNTAX },
		{ "URI: ", "Uri: ", SIWE_E_SYNTAX },
		{ "URI: https://", "URI: //", SIWE_E_SYNTAX },
		{ "8443/login", "8443/lo gin", SIWE_E_SYNTAX },
		{ "8443/login", "8443/%zz", SIWE_E_SYNTAX },
		{ "8443/login", "8443/login/", SIWE_E_URI },
		{ "8443/login", "8443/log%69n", SIWE_E_URI },
		{ "Version: 1", "Version: 2", SIWE_E_VERSION },
		{ "Version: 1", "Version: 01", SIWE_E_VERSION },
		{ "Version: 1", "Version: one", SIWE_E_SYNTAX },
		{ "Version: 1", "Version: ", SIWE_E_SYNTAX },
		{ "Version: 1\n", "", SIWE_E_SYNTAX },
		{ "Version: 1\n", "Version: 1\nVersion: 1\n", SIWE_E_SYNTAX },
		{ "Chain ID: 3338", "Chain ID: 9990", SIWE_E_CHAIN },
		{ "Chain ID: 3338", "Chain ID: 03338", SIWE_E_SYNTAX },
		{ "Chain ID: 3338", "Chain ID: 0xd0a", SIWE_E_SYNTAX },
		{ "Chain ID: 3338", "Chain ID: -1", SIWE_E_SYNTAX },
		{ "Chain ID: 3338", "Chain ID: ", SIWE_E_SYNTAX },
		{ "Chain ID: 3338", "Chain ID: 18446744073709554954", SIWE_E_SYNTAX },
		{ "Version: 1\nChain ID: 3338", "Chain ID: 3338\nVersion: 1", SIWE_E_SYNTAX },
		{ "k1a2i3s4a5r6", "k1a2i3s", SIWE_E_SYNTAX },
		{ "k1a2i3s4a5r6", "k1a2i3s-", SIWE_E_SYNTAX },
		{ "k1a2i3s4a5r6", "", SIWE_E_SYNTAX },
		{ "k1a2i3s4a5r6\n", "k1a2i3s4a5r6 \n", SIWE_E_SYNTAX },
		/* the times */
		{ "Issued At: 2026-11-22T17:05:53.250Z\n", "", SIWE_E_SYNTAX },
		{ "17:05:53.250Z", "17:05:53.250", SIWE_E_SYNTAX },
		{ "2026-11-22T17:05:53.250Z", "2026-11-31T17:05:53.250Z", SIWE_E_SYNTAX },
		{ "2026-11-22T17:05:53.250Z", "1970-01-01T00:00:00Z", SIWE_E_SYNTAX },
		{ "17:05:53.250Z", "17:06:30.001Z", SIWE_E_TIME },
		{ "17:05:53.250Z", "17:00:59.999Z", SIWE_E_TIME },
		{ "17:15:53.000Z", "17:06:00Z", SIWE_E_TIME },
		{ "Not Before: 2026-11-22T17:05:00.000Z", "Not Before: 2026-11-22T17:06:00.001Z",
		  SIWE_E_TIME },
		{ "Expiration Time: 2026-11-22T17:15:53.000Z\nNot Before: 2026-11-22T17:05:00.000Z",
		  "Not Before: 2026-11-22T17:05:00.000Z\nExpiration Time: 2026-11-22T17:15:53.000Z",
		  SIWE_E_SYNTAX },
		/* the end */
		{ "req-1", "req-1\n", SIWE_E_SYNTAX },
		{ "req-1", "req/1", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nRequest ID: req-1", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nResources: ", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nResources:\n", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nResources:\n-a:b", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nResources:\n- nothing", SIWE_E_SYNTAX },
		{ "req-1", "req-1\nResources:\n- a:b\nResources:", SIWE_E_SYNTAX },
		{ "Request ID", "Other", SIWE_E_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		int r = sign_in(replaced(full, changes[i].from, changes[i].to));

		if (r != changes[i].outcome)
			print_error("change %zu, to \"%s\"\n", i, changes[i].to);
		assert_int_equal(r, changes[i].outcome);
	}
}

/* Line ends of another system, at every line. */
static void test_carriage_returns(void **state)
{
	(void)state;
	for (const char *at = strchr(full, '\n'); at; at = strchr(at + 1, '\n')) {
		char *text = arena_printf(arena, "%.*s\r%s", (int)(at - full), full, at);
		struct siwe_message m;

		assert_non_null(text);
		assert_int_equal(parse(text, &m), SIWE_E_SYNTAX);
	}
}

static void test_embedded_nul(void **state)
{
	char text[sizeof(full)];
	struct siwe_message m;

	(void)state;
	for (size_t i = 0; i < sizeof(full) - 1; i++) {
		memcpy(text, full, sizeof(full));
		text[i] = 0;
		assert_int_equal(siwe_parse(text, sizeof(full) - 1, arena, &m, NULL),
				 SIWE_E_SYNTAX);
	}
	assert_int_equal(siwe_parse(full, sizeof(full), arena, &m, NULL), SIWE_E_SYNTAX);
}

/* A prefix either is refused or ends where an optional part may be left out. */
static void test_truncated_everywhere(void **state)
{
	size_t required = (size_t)(strstr(full, "\nExpiration") - full);

	(void)state;
	for (size_t cut = 0; cut < required; cut++) {
		struct siwe_message m;
		char *copy = malloc(cut + !cut);

		assert_non_null(copy);
		memcpy(copy, full, cut);
		assert_int_equal(siwe_parse(copy, cut, arena, &m, NULL), SIWE_E_SYNTAX);
		free(copy);
	}
}

static void test_too_long(void **state)
{
	char statement[SIWE_MESSAGE_MAX + 1];
	struct siwe_message m;

	(void)state;
	memset(statement, 'a', sizeof(statement) - 1);
	statement[SIWE_MESSAGE_MAX] = 0;
	assert_int_equal(parse(replaced(full, "Sign in to Kaisar.", statement), &m), SIWE_E_SYNTAX);
}

static void test_signatures(void **state)
{
	struct siwe_message m;
	uint8_t signature[65];

	(void)state;
	assert_int_equal(parse(full, &m), 0);
	for (size_t i = 0; i < 65; i++) {
		assert_int_equal(hex_decode(full_signature, 130, signature, 65), 0);
		signature[i] ^= 0x10;
		assert_int_equal(siwe_check(&m, full, strlen(full), signature, &policy),
				 SIWE_E_SIGNATURE);
	}
}

/* ---- writing ---- */

static const char *random_text(struct random_seeded *seeded, const char *charset, uint64_t min,
			       uint64_t max)
{
	char text[128];
	uint64_t len, at;

	assert_int_equal(random_below(&seeded->random, max - min + 1, &len), 0);
	len += min;
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(random_below(&seeded->random, strlen(charset), &at), 0);
		text[i] = charset[at];
	}
	return arena_text(arena, text, len);
}

static uint64_t random_number(struct random_seeded *seeded, uint64_t bound)
{
	uint64_t number;

	assert_int_equal(random_below(&seeded->random, bound, &number), 0);
	return number;
}

static struct siwe_message random_message(struct random_seeded *seeded)
{
	struct siwe_message m = {
		.domain = random_text(seeded, "abc019.-:", 1, 60),
		.uri = arena_printf(arena, "https:%s", random_text(seeded, "ab/?#&=:@", 0, 60)),
		.version = "1",
		.nonce = random_text(seeded, "abcXYZ019", 8, 60),
		.chain_id = random_number(seeded, UINT64_MAX),
		.issued_at_ms = 1 + (int64_t)random_number(seeded, 253402300799999),
	};

	assert_int_equal(random_fill(&seeded->random, m.address.bytes, 20), 0);
	if (random_number(seeded, 2))
		m.scheme = random_text(seeded, "abcde", 1, 10);
	if (random_number(seeded, 2))
		m.statement = random_text(seeded, "URI: ab,.;!", 1, 60);
	if (random_number(seeded, 2))
		m.expires_at_ms = 1 + (int64_t)random_number(seeded, 253402300799999);
	if (random_number(seeded, 2))
		m.not_before_ms = 1 + (int64_t)random_number(seeded, 253402300799999);
	if (random_number(seeded, 2))
		m.request_id = random_text(seeded, "ab-019:@", 0, 60);
	return m;
}

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(!a, !b);
	if (a)
		assert_string_equal(a, b);
}

static void test_random_round_trips(void **state)
{
	struct random_seeded seeded;

	(void)state;
	random_seeded_init(&seeded, 4361);
	for (int i = 0; i < 2000; i++) {
		struct siwe_message m = random_message(&seeded), back;
		const char *text, *again;

		assert_int_equal(siwe_write(&m, arena, &text), 0);
		assert_int_equal(parse(text, &back), 0);
		assert_same_text(m.scheme, back.scheme);
		assert_same_text(m.domain, back.domain);
		assert_same_text(m.statement, back.statement);
		assert_same_text(m.uri, back.uri);
		assert_same_text(m.nonce, back.nonce);
		assert_same_text(m.request_id, back.request_id);
		assert_true(address_equal(&m.address, &back.address));
		assert_true(m.chain_id == back.chain_id);
		assert_int_equal(m.issued_at_ms, back.issued_at_ms);
		assert_int_equal(m.expires_at_ms, back.expires_at_ms);
		assert_int_equal(m.not_before_ms, back.not_before_ms);
		assert_int_equal(siwe_write(&back, arena, &again), 0);
		assert_string_equal(text, again);
		arena_reset(arena);
	}
}

static void test_unwritable(void **state)
{
	struct siwe_message good, m;
	const char *text;

	(void)state;
	assert_int_equal(parse(full, &good), 0);
	m = good;
	m.statement = "two\n\nURI: https://evil.example";
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.statement = "";
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.request_id = "x\nResources:\n- a:b";
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.scheme = NULL;
	m.domain = "https://cloud.kaisar.example";
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.nonce = "short";
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.issued_at_ms = 0;
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
	m = good;
	m.n_resources = 1;
	assert_int_equal(siwe_write(&m, arena, &text), -EINVAL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_full_message),         TEST(test_standard_example),
		TEST(test_good_changes),         TEST(test_refused),
		TEST(test_carriage_returns),     TEST(test_embedded_nul),
		TEST(test_truncated_everywhere), TEST(test_too_long),
		TEST(test_signatures),           TEST(test_random_round_trips),
		TEST(test_unwritable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

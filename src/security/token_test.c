#include "security/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/codec.h"
#include "security/es256.h"

/* The key of RFC 7515, appendix A.3. */
static const char rfc_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
			      "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
			      "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
			      "-----END PRIVATE KEY-----\n";
static const char rfc_kid[] = "oKIywvGUpTVTyxMQ";

static const char issuer[] = "http://127.0.0.1:8080";
enum { LIFE_MS = 900000 };
static const int64_t now = 1763831153000;

static struct es256_key *key;
static struct arena *arena;
static struct token_claims claims;

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(es256_key_from_pem(rfc_pem, strlen(rfc_pem), &key), 0);
	assert_int_equal(arena_new(1 << 20, &arena), 0);
	claims = (struct token_claims){ .permissions = 0x7c,
					.issued_at_ms = now,
					.expires_at_ms = now + LIFE_MS };
	assert_int_equal(address_parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
				       &claims.subject.address),
			 0);
	for (uint8_t i = 0; i < sizeof(claims.session); i++)
		claims.session[i] = i;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	es256_key_free(key);
	arena_free(arena);
	return 0;
}

static const char *mint(void)
{
	const char *token = NULL;

	assert_int_equal(token_mint(key, issuer, &claims, arena, &token), 0);
	return token;
}

static int check(const char *token)
{
	struct token_claims ret;

	return token_check(key, issuer, token, now, &ret);
}

/* A token of any header and payload, signed as it should be. */
static const char *forge(const char *header, const char *payload)
{
	char header_text[TOKEN_MAX], payload_text[TOKEN_MAX], signature_text[100];
	uint8_t signature[ES256_SIGNATURE_SIZE];
	char *text;

	base64url_encode(header, strlen(header), header_text);
	base64url_encode(payload, strlen(payload), payload_text);
	text = arena_printf(arena, "%s.%s", header_text, payload_text);
	assert_non_null(text);
	assert_int_equal(es256_sign(key, text, strlen(text), signature), 0);
	base64url_encode(signature, sizeof(signature), signature_text);
	text = arena_printf(arena, "%s.%s", text, signature_text);
	assert_non_null(text);
	return text;
}

static const char good_header[] =
	"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"}";
static const char good_payload[] =
	"{\"iss\":\"http://127.0.0.1:8080\",\"sub\":\"0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\","
	"\"sid\":\"000102030405060708090a0b0c0d0e0f\",\"prm\":124,\"iat\":1763831153,"
	"\"exp\":1763832053}";

static void test_round_trip(void **state)
{
	struct token_claims back;

	(void)state;
	claims.issued_at_ms += 999; /* cut to the second */
	assert_int_equal(token_check(key, issuer, mint(), now, &back), 0);
	assert_true(account_equal(back.subject, claims.subject));
	assert_memory_equal(back.session, claims.session, sizeof(back.session));
	assert_int_equal(back.permissions, claims.permissions);
	assert_int_equal(back.issued_at_ms, now);
	assert_int_equal(back.expires_at_ms, now + LIFE_MS);
}

/* Made by node's crypto module with the same key. */
static void test_foreign_token(void **state)
{
	(void)state;
	assert_int_equal(
		check("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im9LSXl3dkdVcFRWVHl4TVEifQ."
		      "eyJpc3MiOiJodHRwOi8vMTI3LjAuMC4xOjgwODAiLCJzdWIiOiIweGYzOUZkNmU1MWFhZDg4RjZG"
		      "NGNlNmFCODgyNzI3OWNmZkZiOTIyNjYiLCJzaWQiOiIwMDAxMDIwMzA0MDUwNjA3MDgwOTBhMGIw"
		      "YzBkMGUwZiIsInBybSI6MTI0LCJpYXQiOjE3NjM4MzExNTMsImV4cCI6MTc2MzgzMjA1M30."
		      "kzTzwmeDYUTHrwlGm1s5D3IJ_RA66ofnP26yEtvv4GjZ-XQm3pFyCpzazXYfzcpxiGDQlzkdW4LA"
		      "CUixh64vgQ"),
		0);
}

/* The signature printed in RFC 7515, appendix A.3.1. */
static void test_rfc_signature(void **state)
{
	static const char text[] =
		"eyJhbGciOiJFUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y"
		"b290Ijp0cnVlfQ";
	static const char encoded[] =
		"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
		"pmWQxfKTUJqPP3-Kg6NU1Q";
	uint8_t signature[ES256_SIGNATURE_SIZE];
	char kid[ES256_KID_SIZE];
	uint8_t x[32], y[32];
	size_t len;

	(void)state;
	assert_int_equal(
		base64url_decode(encoded, strlen(encoded), signature, sizeof(signature), &len), 0);
	assert_int_equal(es256_verify(key, text, strlen(text), signature), 0);
	signature[63] ^= 1;
	assert_int_equal(es256_verify(key, text, strlen(text), signature), TOKEN_E_BAD);
	es256_key_public(key, x, y, kid);
	assert_string_equal(kid, rfc_kid);
}

/* What a gateway does that has only the public key: OpenSSL, none of our code but the base64. */
static void test_checks_with_public_key_alone(void **state)
{
	const char *pem, *token = mint(), *dot = strrchr(token, '.');
	uint8_t raw[64], der[80];
	ECDSA_SIG *pair = ECDSA_SIG_new();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	uint8_t *end = der;
	EVP_PKEY *public;
	size_t len;
	BIO *bio;
	int der_len;

	(void)state;
	assert_int_equal(es256_key_public_pem(key, arena, &pem), 0);
	bio = BIO_new_mem_buf(pem, -1);
	public = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	assert_non_null(public);
	assert_int_equal(base64url_decode(dot + 1, strlen(dot + 1), raw, sizeof(raw), &len), 0);
	assert_int_equal(len, 64);
	ECDSA_SIG_set0(pair, BN_bin2bn(raw, 32, NULL), BN_bin2bn(raw + 32, 32, NULL));
	der_len = i2d_ECDSA_SIG(pair, &end);
	assert_int_equal(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, public), 1);
	assert_int_equal(EVP_DigestVerify(context, der, (size_t)der_len, (const uint8_t *)token,
					  (size_t)(dot - token)),
			 1);
	ECDSA_SIG_free(pair);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(public);
	BIO_free(bio);
}

static void test_times(void **state)
{
	struct token_claims back;
	const char *token = mint();

	(void)state;
	assert_int_equal(token_check(key, issuer, token, now + LIFE_MS - 1, &back), 0);
	assert_int_equal(token_check(key, issuer, token, now + LIFE_MS, &back), TOKEN_E_EXPIRED);
	assert_int_equal(token_check(key, issuer, token, now - 30000, &back), 0);
	assert_int_equal(token_check(key, issuer, token, now - 30001, &back), TOKEN_E_BAD);
	claims.expires_at_ms = claims.issued_at_ms;
	assert_int_equal(check(mint()), TOKEN_E_BAD);
}

static void test_other_issuer_or_key(void **state)
{
	struct es256_key *other = NULL;
	struct token_claims back;
	const char *token = mint();

	(void)state;
	assert_int_equal(token_check(key, "http://127.0.0.1:8081", token, now, &back), TOKEN_E_BAD);
	assert_int_equal(es256_key_generate(&other), 0);
	assert_int_equal(token_check(other, issuer, token, now, &back), TOKEN_E_BAD);
	es256_key_free(other);
}

/* No byte of a token may be another one: neither a changed nor a second spelling. */
static void test_every_character_counts(void **state)
{
	static const char others[] = "AQgw-_=+/ .";
	char *token = arena_text(arena, mint(), strlen(mint()));

	(void)state;
	assert_non_null(token);
	for (size_t i = 0; token[i]; i++) {
		char was = token[i];

		for (size_t k = 0; others[k]; k++) {
			token[i] = others[k];
			if (others[k] != was)
				assert_int_equal(check(token), TOKEN_E_BAD);
		}
		token[i] = was;
	}
	assert_int_equal(check(token), 0);
}

static void test_malformed(void **state)
{
	const char *token = mint();
	char *long_token = arena_alloc(arena, TOKEN_MAX + 2);

	(void)state;
	assert_int_equal(check(""), TOKEN_E_BAD);
	assert_int_equal(check("."), TOKEN_E_BAD);
	assert_int_equal(check(".."), TOKEN_E_BAD);
	assert_int_equal(check(arena_printf(arena, "%s=", token)), TOKEN_E_BAD);
	assert_int_equal(check(arena_printf(arena, "%s.", token)), TOKEN_E_BAD);
	assert_int_equal(check(arena_printf(arena, " %s", token)), TOKEN_E_BAD);
	assert_int_equal(check(arena_text(arena, token, strlen(token) - 1)), TOKEN_E_BAD);
	memset(long_token, 'A', TOKEN_MAX + 1);
	assert_int_equal(check(long_token), TOKEN_E_BAD);
	for (size_t cut = 0; cut < strlen(token); cut++)
		assert_int_equal(check(arena_text(arena, token, cut)), TOKEN_E_BAD);
}

static void test_headers_refused(void **state)
{
	static const char *const headers[] = {
		"{\"alg\":\"none\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"}",
		"{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"}",
		"{\"alg\":\"es256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"}",
		"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMR\"}",
		"{\"alg\":\"ES256\",\"typ\":\"JWT\"}",
		"{\"alg\":\"ES256\",\"kid\":\"oKIywvGUpTVTyxMQ\"}",
		("{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"JWT\","
		 "\"kid\":\"oKIywvGUpTVTyxMQ\"}"),
		"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\",\"crit\":[]}",
		"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"} x",
		"{\"alg\":[\"ES256\"],\"typ\":\"JWT\",\"kid\":\"oKIywvGUpTVTyxMQ\"}",
		"[]",
		"",
	};

	(void)state;
	assert_int_equal(check(forge(good_header, good_payload)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		assert_int_equal(check(forge(headers[i], good_payload)), TOKEN_E_BAD);
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

static void test_payloads_refused(void **state)
{
	static const struct {
		const char *from, *to;
	} changes[] = {
		{ "0xf39F", "0xf39f" },
		{ "0xf39F", "0xf39F00" },
		{ "\"prm\":124", "\"prm\":-1" },
		{ "\"prm\":124", "\"prm\":4294967296" },
		{ "\"prm\":124", "\"prm\":\"124\"" },
		{ "\"prm\":124", "\"prm\":124.0" },
		{ "\"prm\":124,", "" },
		{ "\"sid\":\"00", "\"sid\":\"" },
		{ "\"sid\":\"00", "\"sid\":\"0g" },
		{ "1763832053", "99999999999999999" },
		{ "1763832053", "null" },
		{ "\"iat\":", "\"nbf\":0,\"iat\":" },
		{ "\"iss\":", "\"iss\":\"x\",\"iss\":" },
		{ "8080", "8080/" },
		{ "}", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const char *payload = replaced(good_payload, changes[i].from, changes[i].to);

		assert_int_equal(check(forge(good_header, payload)), TOKEN_E_BAD);
	}
}

static void test_pem(void **state)
{
	struct es256_key *made = NULL, *read = NULL;
	uint8_t x[2][32], y[2][32];
	char kid[2][ES256_KID_SIZE];
	const char *pem;

	(void)state;
	assert_int_equal(es256_key_generate(&made), 0);
	assert_int_equal(es256_key_to_pem(made, arena, &pem), 0);
	assert_int_equal(es256_key_from_pem(pem, strlen(pem), &read), 0);
	es256_key_public(made, x[0], y[0], kid[0]);
	es256_key_public(read, x[1], y[1], kid[1]);
	assert_memory_equal(x[0], x[1], 32);
	assert_memory_equal(y[0], y[1], 32);
	assert_string_equal(kid[0], kid[1]);
	es256_key_free(made);
	es256_key_free(read);
}

static void test_pem_refused(void **state)
{
	static const char p384[] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDVPh9z25GmEJnlVwSo\n"
		"BD7cGE5Cnv3FBDOuEQ7IFOag6T2cFV+LgyxeLFGj2m5sYMahZANiAARH7zuzt+pv\n"
		"BbWHstgvronna9vCyqa5tPE7rHby1A7aXuCT8S7/+dVpCfsNuTnq/Mok61xONgl0\n"
		"rgT31QJbftM+Z094bfl0SiWuxUhuk334wuNipa7iBIfN/+j0169Zan0=\n"
		"-----END PRIVATE KEY-----\n";
	static const char other_curve[] = /* secp256k1 */
		"-----BEGIN PRIVATE KEY-----\n"
		"MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgyr8+iZ6AB3faw3rCvDyn\n"
		"szYvp++kyyJ8QHYryzGy7T2hRANCAARwepu3hHhEy1JpWJ6aHtfTXuwbbPIxTwA8\n"
		"9i3EO1LyDW+T6H5UZ8ZB/G/9YLqTxn65UObcLJpfB5YFZSEF5zlc\n"
		"-----END PRIVATE KEY-----\n";
	static const char encrypted[] =
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
		"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgusRVGmD+z0gICCAAw\n"
		"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEENAXAXAn/YUrYsYr8mG4XLMEgZAv\n"
		"X7msnq9ecesM05XIAvJ39CYzeI5rAN0hcrgER149uY1Dpw/xPfrCIvgvXnuMbM3n\n"
		"rLQjhZkdcvaTjB5r/E7cLOI827eZxj4nO8ODWCy32iqPzTcMO2XGku5shha6Akde\n"
		"6MxW3YPWjxNc/Y30NxI/slmlSHDje25x4NtKRW7wC8mOfZQ1quoCvzv/lhGSDr4=\n"
		"-----END ENCRYPTED PRIVATE KEY-----\n";
	const char *public_pem, *swapped;
	struct es256_key *read = NULL;

	(void)state;
	assert_int_equal(es256_key_from_pem("", 0, &read), -EINVAL);
	assert_int_equal(es256_key_from_pem(p384, strlen(p384), &read), -EINVAL);
	assert_int_equal(es256_key_from_pem(other_curve, strlen(other_curve), &read), -EINVAL);
	assert_int_equal(es256_key_from_pem(encrypted, strlen(encrypted), &read), -EINVAL);
	assert_int_equal(es256_key_public_pem(key, arena, &public_pem), 0);
	assert_int_equal(es256_key_from_pem(public_pem, strlen(public_pem), &read), -EINVAL);
	/* Another secret beside the same public point. */
	swapped = replaced(rfc_pem, "jpsQnnGQ", "jpsQnnGR");
	assert_int_equal(es256_key_from_pem(swapped, strlen(swapped), &read), -EINVAL);
	assert_null(read);
}

static void test_long_issuer(void **state)
{
	char name[300];
	const char *token = NULL;

	(void)state;
	memset(name, 'a', sizeof(name));
	name[256] = 0;
	assert_int_equal(token_mint(key, name, &claims, arena, &token), 0);
	assert_true(strlen(token) <= TOKEN_MAX);
	name[256] = 'a';
	name[257] = 0;
	assert_int_equal(token_mint(key, name, &claims, arena, &token), -EINVAL);
}

static void test_secrets(void **state)
{
	char text[SECRET_TEXT_SIZE], again[SECRET_TEXT_SIZE], hex[65];
	uint8_t hash[SECRET_HASH_SIZE];

	(void)state;
	assert_int_equal(secret_make(&random_system, "ksr_", text), 0);
	assert_int_equal(secret_make(&random_system, "ksr_", again), 0);
	assert_int_equal(strlen(text), 4 + 43);
	assert_memory_equal(text, "ksr_", 4);
	assert_string_not_equal(text, again);
	assert_int_equal(secret_make(&random_system, "this_prefix_is_too_long_", text), -EINVAL);
	secret_hash("abc", hash);
	hex_encode(hash, sizeof(hash), hex);
	assert_string_equal(hex,
			    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_foreign_token),
		TEST(test_rfc_signature),
		TEST(test_checks_with_public_key_alone),
		TEST(test_times),
		TEST(test_other_issuer_or_key),
		TEST(test_every_character_counts),
		TEST(test_malformed),
		TEST(test_headers_refused),
		TEST(test_payloads_refused),
		TEST(test_pem),
		TEST(test_pem_refused),
		TEST(test_long_issuer),
		TEST(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

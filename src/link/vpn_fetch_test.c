#include "link/vpn_fetch.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>
#include <cmocka.h>

static struct arena *arena;
static struct nebula_authority *authority;
static uint8_t secret[NEBULA_KEY_SIZE], public_key[NEBULA_KEY_SIZE];

static int set_up(void **state)
{
	const struct nebula_claims claims = { .name = "kaisar",
					      .address = 0x64640000,
					      .mask = 0xffff0000,
					      .not_before_s = 1,
					      .not_after_s = 4000000000 };

	(void)state;
	if (nebula_keypair(secret, public_key) < 0 ||
	    nebula_authority_make(&claims, &authority) < 0)
		return -1;
	return arena_new(VPN_FETCH_ARENA, &arena);
}

static int tear_down(void **state)
{
	(void)state;
	nebula_authority_free(authority);
	arena_free(arena);
	return 0;
}

/* As the control plane answers. */
static json_t *answer_of(const char *group)
{
	struct nebula_claims claims = { .name = "n",
					.address = 0x64640009,
					.mask = 0xffff0000,
					.n_groups = 1,
					.not_before_s = 100,
					.not_after_s = 2000 };
	struct nebula_certificate certificate;
	char pem[NEBULA_PEM_SIZE];

	snprintf(claims.groups[0], sizeof(claims.groups[0]), "%s", group);
	memcpy(claims.public_key, public_key, sizeof(claims.public_key));
	assert_int_equal(nebula_sign(authority, &claims, &certificate), 0);
	assert_int_equal(
		nebula_pem_write(NEBULA_PEM_CERTIFICATE, certificate.bytes, certificate.len, pem),
		0);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:[{s:s, s:s}], s:[s], s:i}",
			 "machine", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", "kind", group,
			 "address", "100.100.0.9", "network", "100.100.0.0/16", "certificate", pem,
			 "authority", nebula_authority_pem(authority), "expires_at_ms",
			 (json_int_t)2000000, "lighthouses", "address", "100.100.0.1", "place",
			 "192.0.2.1:4242", "blocked",
			 "abababababababababababababababababababababababababababababababab",
			 "ask_again_ms", 15000);
}

/* Takes @json over. */
static int read_it(json_t *json, const uint8_t key[static NEBULA_KEY_SIZE],
		   struct vpn_answer *ret_answer)
{
	char *text = json_dumps(json, 0), why[VPN_WHY_SIZE] = "";
	int r = vpn_answer_read(text, strlen(text), key, arena, ret_answer, why);

	assert_int_equal(r != 0, why[0] != '\0');
	json_decref(json);
	free(text);
	return r;
}

static void test_what_is_answered(void **state)
{
	struct vpn_answer answer;

	(void)state;
	assert_int_equal(read_it(answer_of("checker"), public_key, &answer), 0);
	assert_int_equal(answer.kind, VPN_CHECKER);
	assert_int_equal(answer.address, 0x64640009);
	assert_int_equal(answer.mask, 0xffff0000);
	assert_int_equal(answer.begins_at_ms, 100000);
	assert_int_equal(answer.ends_at_ms, 2000000);
	assert_int_equal(answer.n_lighthouses, 1);
	assert_string_equal(answer.lighthouses[0].at, "192.0.2.1:4242");
	assert_int_equal(answer.n_blocked, 1);
	assert_int_equal(answer.blocked[0][31], 0xab);
	assert_int_equal(answer.ask_again_ms, 15000);
}

static json_t *with(const char *member, json_t *value)
{
	json_t *json = answer_of("worker");

	json_object_set_new(json, member, value);
	return json;
}

static void test_what_is_not_so_is_not_believed(void **state)
{
	static const uint8_t other[NEBULA_KEY_SIZE] = { 1 };
	struct vpn_answer answer;

	(void)state;
	assert_int_equal(read_it(answer_of("worker"), other, &answer), VPN_FETCH_LATER);
	assert_int_equal(read_it(answer_of("king"), public_key, &answer), VPN_FETCH_LATER);
	assert_int_equal(read_it(with("certificate", json_string("x")), public_key, &answer),
			 VPN_FETCH_LATER);
	assert_int_equal(read_it(with("blocked", json_pack("[s]", "zz")), public_key, &answer),
			 VPN_FETCH_LATER);
	assert_int_equal(read_it(with("lighthouses", json_pack("[{s:s, s:s}]", "address",
							       "100.100.0.1", "place", "x\"")),
				 public_key, &answer),
			 VPN_FETCH_LATER);
	assert_int_equal(read_it(with("more", json_true()), public_key, &answer), VPN_FETCH_LATER);
	assert_int_equal(read_it(with("ask_again_ms", json_integer(0)), public_key, &answer),
			 VPN_FETCH_LATER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_answered),
		cmocka_unit_test(test_what_is_not_so_is_not_believed),
	};

	return cmocka_run_group_tests_name("vpn_fetch", tests, set_up, tear_down);
}

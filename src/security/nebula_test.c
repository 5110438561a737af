#include "security/nebula.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static const struct nebula_claims authority_claims = {
	.name = "kaisar",
	.address = 0x64640000,
	.mask = 0xffff0000,
	.not_before_s = 1700000000,
	.not_after_s = 4000000000,
};

static struct nebula_authority *authority;

static int set_up(void **state)
{
	(void)state;
	return nebula_authority_make(&authority_claims, &authority);
}

static int tear_down(void **state)
{
	(void)state;
	nebula_authority_free(authority);
	return 0;
}

static struct nebula_claims some_claims(void)
{
	struct nebula_claims claims = {
		.name = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf",
		.address = 0x64640102,
		.mask = 0xffff0000,
		.groups = { "worker", "other" },
		.n_groups = 2,
		.not_before_s = 1750000000,
		.not_after_s = 3999999999,
	};
	uint8_t secret[NEBULA_KEY_SIZE];

	assert_int_equal(nebula_keypair(secret, claims.public_key), 0);
	return claims;
}

static void test_read_gives_what_was_signed(void **state)
{
	struct nebula_claims claims = some_claims(), again;
	struct nebula_certificate certificate, twice;

	(void)state;
	assert_int_equal(nebula_sign(authority, &claims, &certificate), 0);
	assert_int_equal(nebula_read(&certificate, &again), 0);
	assert_string_equal(again.name, claims.name);
	assert_int_equal(again.address, claims.address);
	assert_int_equal(again.n_groups, 2);
	assert_string_equal(again.groups[0], "worker");
	assert_int_equal(again.not_before_s, claims.not_before_s);
	assert_int_equal(again.not_after_s, claims.not_after_s);
	assert_memory_equal(again.public_key, claims.public_key, NEBULA_KEY_SIZE);
	assert_false(again.authority);
	assert_int_equal(nebula_sign(authority, &claims, &twice), 0);
	assert_int_equal(certificate.len, twice.len);
	assert_memory_equal(certificate.bytes, twice.bytes, twice.len);
}

static void test_authority_signs_only_within_its_bounds(void **state)
{
	const struct nebula_claims good = some_claims();
	struct nebula_certificate certificate;
	struct nebula_claims claims;

	(void)state;
	claims = good;
	claims.address = 0x64650102;
	assert_int_equal(nebula_sign(authority, &claims, &certificate), -EINVAL);
	claims = good;
	claims.mask = 0xffffff00;
	assert_int_equal(nebula_sign(authority, &claims, &certificate), -EINVAL);
	claims = good;
	claims.not_after_s = 4000000001;
	assert_int_equal(nebula_sign(authority, &claims, &certificate), -EINVAL);
	claims = good;
	claims.not_before_s = 1699999999;
	assert_int_equal(nebula_sign(authority, &claims, &certificate), -EINVAL);
	claims = good;
	claims.name[0] = '\0';
	assert_int_equal(nebula_sign(authority, &claims, &certificate), -EINVAL);
}

static void test_authority_is_kept_as_files(void **state)
{
	_cleanup_(nebula_authority_freep) struct nebula_authority *again = NULL, *other = NULL;
	char key[NEBULA_PEM_SIZE], other_key[NEBULA_PEM_SIZE];
	struct nebula_certificate one, two;
	struct nebula_claims claims = some_claims();

	(void)state;
	assert_int_equal(nebula_authority_key_pem(authority, key), 0);
	assert_int_equal(nebula_authority_open(key, nebula_authority_pem(authority), &again), 0);
	assert_int_equal(nebula_authority_claims(again)->address, authority_claims.address);
	assert_int_equal(nebula_sign(authority, &claims, &one), 0);
	assert_int_equal(nebula_sign(again, &claims, &two), 0);
	assert_memory_equal(one.bytes, two.bytes, one.len);

	assert_int_equal(nebula_authority_make(&authority_claims, &other), 0);
	assert_int_equal(nebula_authority_key_pem(other, other_key), 0);
	nebula_authority_freep(&again);
	again = NULL;
	assert_int_equal(nebula_authority_open(other_key, nebula_authority_pem(authority), &again),
			 -EBADMSG);
	assert_int_equal(nebula_authority_open(nebula_authority_pem(authority), key, &again),
			 -EBADMSG);
}

/* Each byte changed and each length: refused, or another certificate that says so of itself. */
static void test_read_takes_one_spelling(void **state)
{
	struct nebula_claims claims = some_claims(), read;
	struct nebula_certificate good, bad;

	(void)state;
	assert_int_equal(nebula_sign(authority, &claims, &good), 0);
	for (size_t len = 0; len < good.len; len++) {
		bad = good;
		bad.len = len;
		assert_int_equal(nebula_read(&bad, &read), -EBADMSG);
	}
	bad = good;
	bad.bytes[bad.len++] = 0;
	assert_int_equal(nebula_read(&bad, &read), -EBADMSG);
	for (size_t i = 0; i < good.len; i++) {
		bad = good;
		bad.bytes[i] ^= 0x80;
		if (nebula_read(&bad, &read) == 0)
			assert_memory_not_equal(bad.bytes, good.bytes, good.len);
	}
}

static void test_public_key_is_the_secrets(void **state)
{
	uint8_t secret[NEBULA_KEY_SIZE], public[NEBULA_KEY_SIZE], again[NEBULA_KEY_SIZE];

	(void)state;
	assert_int_equal(nebula_keypair(secret, public), 0);
	assert_int_equal(nebula_public(secret, again), 0);
	assert_memory_equal(public, again, sizeof(public));
}

/* ---- as nebula itself sees it ---- */

static void put(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int run(const char *folder, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "cd %s && %s >out 2>&1", folder, command);
	return WEXITSTATUS(system(line));
}

static void test_nebula_cert_accepts_it(void **state)
{
	char folder[] = "/tmp/nebula-test-XXXXXX", pem[NEBULA_PEM_SIZE];
	uint8_t secret[NEBULA_KEY_SIZE];
	struct nebula_claims claims = some_claims();
	struct nebula_certificate certificate;

	(void)state;
	if (system("nebula-cert -version >/dev/null 2>&1") != 0) {
		print_message("nebula-cert is not installed\n");
		skip();
	}
	assert_non_null(mkdtemp(folder));
	assert_int_equal(nebula_keypair(secret, claims.public_key), 0);
	assert_int_equal(nebula_sign(authority, &claims, &certificate), 0);
	put(folder, "ca.crt", nebula_authority_pem(authority));
	assert_int_equal(
		nebula_pem_write(NEBULA_PEM_CERTIFICATE, certificate.bytes, certificate.len, pem),
		0);
	put(folder, "node.crt", pem);
	assert_int_equal(run(folder, "nebula-cert verify -ca ca.crt -crt node.crt"), 0);
	assert_int_equal(run(folder, "nebula-cert print -json -path node.crt | grep -q "
				     "'\"ips\":\\[\"100.100.1.2/16\"\\]'"),
			 0);
	/* The tool signs with our key, and its certificate is in our one spelling. */
	assert_int_equal(nebula_authority_key_pem(authority, pem), 0);
	put(folder, "ca.key", pem);
	assert_int_equal(
		nebula_pem_write(NEBULA_PEM_PUBLIC, claims.public_key, NEBULA_KEY_SIZE, pem), 0);
	put(folder, "node.pub", pem);
	assert_int_equal(run(folder, "nebula-cert sign -in-pub node.pub -name x -ip "
				     "100.100.3.4/16 -groups a,b -out-crt theirs.crt"),
			 0);
	{
		char path[64], text[NEBULA_PEM_SIZE] = "";
		struct nebula_certificate theirs;
		struct nebula_claims read;
		FILE *file;

		snprintf(path, sizeof(path), "%s/theirs.crt", folder);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
		fclose(file);
		assert_int_equal(nebula_pem_read(NEBULA_PEM_CERTIFICATE, text, theirs.bytes,
						 sizeof(theirs.bytes), &theirs.len),
				 0);
		assert_int_equal(nebula_read(&theirs, &read), 0);
		assert_int_equal(read.address, 0x64640304);
		assert_string_equal(read.groups[1], "b");
	}
	/* Another authority's is refused. */
	{
		_cleanup_(nebula_authority_freep) struct nebula_authority *other = NULL;

		assert_int_equal(nebula_authority_make(&authority_claims, &other), 0);
		put(folder, "ca.crt", nebula_authority_pem(other));
		assert_int_not_equal(run(folder, "nebula-cert verify -ca ca.crt -crt node.crt"), 0);
	}
	char line[128];
	snprintf(line, sizeof(line), "rm -r %s", folder);
	assert_int_equal(system(line), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read_gives_what_was_signed),
		cmocka_unit_test(test_authority_signs_only_within_its_bounds),
		cmocka_unit_test(test_authority_is_kept_as_files),
		cmocka_unit_test(test_read_takes_one_spelling),
		cmocka_unit_test(test_public_key_is_the_secrets),
		cmocka_unit_test(test_nebula_cert_accepts_it),
	};

	return cmocka_run_group_tests_name("nebula", tests, set_up, tear_down);
}

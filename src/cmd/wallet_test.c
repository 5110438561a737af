#include "cmd/wallet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "cmd/file.h"

/* The verbs as people use them: argv, standard input and output, exit status, files. */
static char folder[64];
static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof(folder), "/tmp/kaisar-wallet-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(setenv("KAISAR_HOME", folder, 1), 0);
	assert_int_equal(setenv("KAISAR_PASSWORD", "secret", 1), 0);
	return arena_new(4 << 20, &arena);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	arena_free(arena);
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

/* Runs `kaisar wallet ...` with @input; its output is left in @ret_output. */
static int kaisar_wallet(const char *input, char ret_output[static 8192], const char *verb,
			 const char *a, const char *b)
{
	char *argv[] = { (char *)"wallet", (char *)verb, (char *)a, (char *)b, NULL };
	const char *in = arena_printf(arena, "%s/in", folder);
	const char *out = arena_printf(arena, "%s/out", folder);
	int argc = 1 + (verb != NULL) + (a != NULL) + (b != NULL);
	int saved = dup(STDOUT_FILENO), status;
	size_t len;
	char *text;

	assert_int_equal(file_write(in, input, strlen(input), 0600), 0);
	assert_non_null(freopen(in, "r", stdin));
	fflush(stdout);
	assert_non_null(freopen(out, "w", stdout));
	status = cmd_wallet(argc, argv);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	assert_int_equal(file_read(out, 8190, arena, &text, &len), 0);
	memcpy(ret_output, text, len + 1);
	return status;
}

static const char secret[] = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80\n";
static const char secret_address[] = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n";

static void test_create(void **state)
{
	char output[8192], again[8192];
	struct address address;
	const char *path;
	struct stat st;

	(void)state;
	assert_int_equal(kaisar_wallet("", output, "create", "--light", NULL), 0);
	output[strcspn(output, "\n")] = 0;
	assert_int_equal(address_parse_checksummed(output, &address), 0);
	assert_int_equal(wallet_path(arena, &address, &path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(arena_printf(arena, "%s/keystore", folder), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(kaisar_wallet("", again, "address", NULL, NULL), 0);
	again[strcspn(again, "\n")] = 0;
	assert_string_equal(output, again);
}

static void test_import_and_export_secret(void **state)
{
	char output[8192], keystore[8192];

	(void)state;
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light", NULL), 0);
	assert_string_equal(output, secret_address);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret", NULL), 0);
	assert_string_equal(output, secret);
	/* The keystore alone tells nothing, and another home takes it with its password. */
	assert_int_equal(kaisar_wallet("", keystore, "export", NULL, NULL), 0);
	assert_null(strstr(keystore, "ac0974bec39a17e36ba4"));
	assert_int_equal(setenv("KAISAR_HOME", arena_printf(arena, "%s/other", folder), 1), 0);
	assert_int_equal(kaisar_wallet(keystore, output, "import", NULL, NULL), 0);
	assert_string_equal(output, secret_address);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret", NULL), 0);
	assert_string_equal(output, secret);
}

static void test_wrong_password(void **state)
{
	char output[8192], keystore[8192];

	(void)state;
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light", NULL), 0);
	assert_int_equal(kaisar_wallet("", keystore, "export", NULL, NULL), 0);
	setenv("KAISAR_PASSWORD", "other", 1);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret", NULL), 7);
	assert_string_equal(output, "");
	setenv("KAISAR_HOME", arena_printf(arena, "%s/other", folder), 1);
	assert_int_equal(kaisar_wallet(keystore, output, "import", NULL, NULL), 7);
	assert_int_equal(kaisar_wallet("", output, "address", NULL, NULL), 3);
}

static void test_password_file(void **state)
{
	const char *path = arena_printf(arena, "%s/password", folder);
	char output[8192];

	(void)state;
	unsetenv("KAISAR_PASSWORD");
	assert_int_equal(file_write(path, "from a file\n", 12, 0600), 0);
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light",
				       arena_printf(arena, "--password-file=%s", path)),
			 0);
	assert_int_equal(setenv("KAISAR_PASSWORD", "from a file", 1), 0);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret", NULL), 0);
	assert_string_equal(output, secret);
	assert_int_equal(file_write(path, "two\nlines\n", 10, 0600), 0);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret",
				       arena_printf(arena, "--password-file=%s", path)),
			 1);
	assert_int_equal(
		kaisar_wallet("", output, "export", "--secret", "--password-file=/nonexistent"), 1);
}

static void test_refusals(void **state)
{
	char output[8192];

	(void)state;
	assert_int_equal(kaisar_wallet("", output, NULL, NULL, NULL), 2);
	assert_int_equal(kaisar_wallet("", output, "destroy", NULL, NULL), 2);
	assert_int_equal(kaisar_wallet("", output, "create", "--secret", "x"), 2);
	assert_int_equal(kaisar_wallet("", output, "address", "-o", "xml"), 2);
	assert_int_equal(kaisar_wallet("", output, "use", "0x12", NULL), 2);
	assert_int_equal(kaisar_wallet("", output, "address", NULL, NULL), 3);
	assert_int_equal(kaisar_wallet("", output, "export", NULL, NULL), 3);
	assert_int_equal(kaisar_wallet("", output, "export", "--secret", NULL), 3);
	assert_int_equal(kaisar_wallet("", output, "use",
				       "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", NULL),
			 3);
	/* A secret is never taken from the command line. */
	assert_int_equal(kaisar_wallet("", output, "import", secret, NULL), 2);
	assert_int_equal(kaisar_wallet("", output, "import", NULL, NULL), 2);
	assert_int_equal(kaisar_wallet("00", output, "import", NULL, NULL), 2);
	assert_int_equal(kaisar_wallet("{\"version\":1}", output, "import", NULL, NULL), 1);
	setenv("KAISAR_PASSWORD", "", 1);
	assert_int_equal(kaisar_wallet(secret, output, "import", NULL, NULL), 2);
}

static void test_never_overwrites(void **state)
{
	char output[8192], before[8192];

	(void)state;
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light", NULL), 0);
	assert_int_equal(kaisar_wallet("", before, "export", NULL, NULL), 0);
	setenv("KAISAR_PASSWORD", "other", 1);
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light", NULL), 1);
	assert_int_equal(kaisar_wallet("", output, "export", NULL, NULL), 0);
	assert_string_equal(output, before);
}

static void test_use_and_json(void **state)
{
	char first[8192], output[8192];
	json_t *object;

	(void)state;
	assert_int_equal(kaisar_wallet("", first, "create", "--light", NULL), 0);
	assert_int_equal(kaisar_wallet(secret, output, "import", "--light", NULL), 0);
	first[strcspn(first, "\n")] = 0;
	assert_int_equal(kaisar_wallet("", output, "use", first, NULL), 0);
	assert_int_equal(kaisar_wallet("", output, "address", "-o", "json"), 0);
	object = json_loads(output, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(object, "address")), first);
	assert_true(json_is_string(json_object_get(object, "keystore")));
	json_decref(object);
}

static void test_broken_config(void **state)
{
	const char *path = arena_printf(arena, "%s/config.json", folder);
	char output[8192];

	(void)state;
	assert_int_equal(file_write(path, "not json", 8, 0600), 0);
	assert_int_equal(kaisar_wallet("", output, "address", NULL, NULL), 1);
	assert_int_equal(file_write(path, "{\"wallet\":7}", 12, 0600), 0);
	assert_int_equal(kaisar_wallet("", output, "address", NULL, NULL), 1);
	/* What other commands keep there survives. */
	assert_int_equal(file_write(path, "{\"url\":\"http://x\"}", 18, 0600), 0);
	assert_int_equal(kaisar_wallet("", output, "create", "--light", NULL), 0);
	{
		const char *url;

		assert_int_equal(home_config_get(arena, "url", &url), 0);
		assert_string_equal(url, "http://x");
		assert_int_equal(home_config_get(arena, "nothing", &url), HOME_E_ABSENT);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),         TEST(test_import_and_export_secret),
		TEST(test_wrong_password), TEST(test_password_file),
		TEST(test_refusals),       TEST(test_never_overwrites),
		TEST(test_use_and_json),   TEST(test_broken_config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <jansson.h>

#include "base/codec.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/password.h"
#include "cmd/wallet.h"
#include "security/keystore.h"

enum {
	MEMORY = 1 << 20,
	COST = 262144, /* about a second */
	COST_LIGHT = 4096,
	EXIT_NOT_FOUND = 3,
	EXIT_DENIED = 7,
};

#define ROW_PASSWORD                                                                        \
	{                                                                                   \
		"password-file", 0, "FILE",                                                 \
			"where the password is; else KAISAR_PASSWORD, else it is asked for" \
	}
#define ROW_OUTPUT                                                 \
	{                                                          \
		"output", 'o', "FORMAT", "table (default) or json" \
	}
#define ROW_LIGHT                                                                               \
	{                                                                                       \
		"light", 0, NULL, "encrypt at a 64th of the cost: for tests and small machines" \
	}

/* ---- shared by the verbs ---- */

static int fail(const char *what, int fault)
{
	fprintf(stderr, "kaisar: %s: %s\n", what,
		fault == -EBADMSG ? "is not as kaisar writes it: mend or remove it"
				  : strerror(-fault));
	return EXIT_FAILURE;
}

/* 0, or an exit status. */
static int read_output(const struct options *options, bool *ret_json)
{
	const char *format = options_get(options, "output", "table");

	if (strcmp(format, "json") != 0 && strcmp(format, "table") != 0)
		return options_refuse(options->table, "--output must be table or json");
	*ret_json = strcmp(format, "json") == 0;
	return 0;
}

static int print_wallet(struct arena *arena, const struct address *address, bool json)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *path;
	json_t *object;
	int r;

	r = wallet_path(arena, address, &path);
	if (r < 0)
		return fail("the keystore's folder", r);
	address_text(address, text);
	if (!json) {
		puts(text);
		return 0;
	}
	object = json_pack("{s:s, s:s}", "address", text, "keystore", path);
	if (!object)
		return fail("the keystore's path", -EILSEQ);
	json_dumpf(object, stdout, JSON_INDENT(2));
	puts("");
	json_decref(object);
	return 0;
}

static int store(struct arena *arena, const struct address *address, const char *json,
		 bool output_json)
{
	char text[ADDRESS_TEXT_SIZE];
	int r;

	r = wallet_add(arena, address, json, strlen(json));
	if (r == -EEXIST) {
		address_text(address, text);
		fprintf(stderr, "kaisar: there is a wallet %s already: `kaisar wallet use %s`\n",
			text, text);
		return EXIT_FAILURE;
	}
	if (r < 0)
		return fail("the keystore cannot be written", r);
	return print_wallet(arena, address, output_json);
}

static int encrypt_and_store(const struct options *options, const struct secp_key *key,
			     struct arena *arena, bool output_json)
{
	_cleanup_(password_wipe) struct password password;
	uint32_t n = options_has(options, "light") ? COST_LIGHT : COST;
	const char *json;
	int r;

	r = password_read(options_get(options, "password-file", NULL), true, &password);
	if (r < 0) {
		password_explain(options_get(options, "password-file", NULL), r);
		return EXIT_FAILURE;
	}
	if (!password.text[0])
		return options_refuse(options->table, "the password is empty");
	r = keystore_encrypt(key, password.text, n, &random_system, arena, &json);
	if (r < 0)
		return fail("the key cannot be encrypted", r);
	return store(arena, secp_key_address(key), json, output_json);
}

/* ---- create ---- */

static const struct option_row create_rows[] = { ROW_PASSWORD, ROW_LIGHT, ROW_OUTPUT, { 0 } };
static const struct option_table create_table = {
	.usage = "kaisar wallet create [OPTIONS]",
	.about = "Makes a new key, keeps it encrypted, makes it the current wallet, prints its "
		 "address.\nWithout the password it is lost: export it and keep a copy.",
	.rows = create_rows,
};

static int create(const struct options *options, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	bool json;
	int r;

	r = read_output(options, &json);
	if (r)
		return r;
	r = secp_key_generate(&random_system, &key);
	if (r < 0)
		return fail("a key cannot be made", r);
	return encrypt_and_store(options, key, arena, json);
}

/* ---- import ---- */

static const struct option_row import_rows[] = { ROW_PASSWORD, ROW_LIGHT, ROW_OUTPUT, { 0 } };
static const struct option_table import_table = {
	.usage = "kaisar wallet import [OPTIONS]",
	.about = "Takes a key from standard input, as a keystore file (kept as it is, with its own "
		 "password)\nor as 64 hexadecimal digits, and makes it the current wallet.",
	.rows = import_rows,
};

/* All of standard input, without white space at its end. -EFBIG. */
static int read_input(char *buffer, size_t size)
{
	size_t len = fread(buffer, 1, size - 1, stdin);

	if (ferror(stdin))
		return -EIO;
	if (len == size - 1 && fgetc(stdin) != EOF)
		return -EFBIG;
	while (len > 0 && strchr(" \t\r\n", buffer[len - 1]))
		len--;
	buffer[len] = 0;
	return 0;
}

/* Opens it once: a keystore that cannot be opened is not worth keeping. */
static int import_keystore(const struct options *options, const char *text, struct arena *arena,
			   bool output_json)
{
	_cleanup_(password_wipe) struct password password;
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	const char *detail;
	int r;

	r = password_read(options_get(options, "password-file", NULL), false, &password);
	if (r < 0) {
		password_explain(options_get(options, "password-file", NULL), r);
		return EXIT_FAILURE;
	}
	r = keystore_decrypt(text, strlen(text), password.text, &key, &detail);
	if (r < 0)
		return fail("the keystore cannot be opened", r);
	if (r > 0) {
		fprintf(stderr, "kaisar: the keystore cannot be opened: %s\n", detail);
		return r == KEYSTORE_E_PASSWORD ? EXIT_DENIED : EXIT_FAILURE;
	}
	return store(arena, secp_key_address(key), text, output_json);
}

static int import_secret(const struct options *options, const char *text, struct arena *arena,
			 bool output_json)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	int r;

	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	r = hex_decode(text, strlen(text), secret, sizeof(secret));
	if (r == 0)
		r = secp_key_from_secret(secret, &key);
	explicit_bzero(secret, sizeof(secret));
	if (r == -EINVAL)
		return options_refuse(options->table, "standard input is neither a keystore nor a "
						      "key of 64 hexadecimal digits");
	if (r < 0)
		return fail("the key cannot be read", r);
	return encrypt_and_store(options, key, arena, output_json);
}

static int import(const struct options *options, struct arena *arena)
{
	char text[KEYSTORE_JSON_MAX + 1];
	bool json;
	int r;

	r = read_output(options, &json);
	if (r)
		return r;
	r = read_input(text, sizeof(text));
	if (r < 0)
		return fail("standard input", r);
	if (text[0] == '{')
		r = import_keystore(options, text, arena, json);
	else
		r = import_secret(options, text, arena, json);
	explicit_bzero(text, sizeof(text));
	return r;
}

/* ---- export, address, use ---- */

/* The address that is the only word, or the current wallet's. 0, or an exit status. */
static int which(const struct options *options, struct arena *arena, struct address *ret_address)
{
	int r;

	if (options->n_words > 0) {
		if (address_parse(options->words[0], ret_address) < 0)
			return options_refuse(options->table, "'%s' is not an address",
					      options->words[0]);
		return 0;
	}
	r = wallet_current(arena, ret_address);
	if (r < 0)
		return fail("config.json", r);
	if (r == WALLET_E_NONE) {
		fputs("kaisar: there is no wallet yet: make one with `kaisar wallet create`\n",
		      stderr);
		return EXIT_NOT_FOUND;
	}
	return 0;
}

static const struct option_row export_rows[] = {
	{ "secret", 0, NULL, "print the bare secret instead: whoever sees it owns the wallet" },
	ROW_PASSWORD,
	{ 0 },
};
static const struct option_table export_table = {
	.usage = "kaisar wallet export [OPTIONS] [ADDRESS]",
	.about = "Prints the keystore, which other wallets import; the current one unless named.",
	.rows = export_rows,
	.words_max = 1,
};

static int export_secret(const struct options *options, const struct address *address,
			 struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	char text[2 * SECP_SECRET_SIZE + 1];
	int status;

	if (wallet_open(address, options_get(options, "password-file", NULL), arena, &key,
			&status) != 0)
		return status;
	secp_key_secret(key, secret);
	hex_encode(secret, sizeof(secret), text);
	printf("0x%s\n", text);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return 0;
}

static int export(const struct options *options, struct arena *arena)
{
	struct address address;
	const char *json;
	size_t len;
	int r;

	r = which(options, arena, &address);
	if (r)
		return r;
	if (options_has(options, "secret"))
		return export_secret(options, &address, arena);
	r = wallet_read(arena, &address, &json, &len);
	if (r < 0)
		return fail("the keystore cannot be read", r);
	if (r == WALLET_E_NONE) {
		fputs("kaisar: there is no such wallet here\n", stderr);
		return EXIT_NOT_FOUND;
	}
	puts(json);
	return 0;
}

static const struct option_row address_rows[] = { ROW_OUTPUT, { 0 } };
static const struct option_table address_table = {
	.usage = "kaisar wallet address [OPTIONS]",
	.about = "Prints the current wallet's address, which is the account.",
	.rows = address_rows,
};

static int address(const struct options *options, struct arena *arena)
{
	struct address current;
	bool json;
	int r;

	r = read_output(options, &json);
	if (r == 0)
		r = which(options, arena, &current);
	return r ? r : print_wallet(arena, &current, json);
}

static const struct option_table use_table = {
	.usage = "kaisar wallet use ADDRESS",
	.about = "Makes another wallet the current one.",
	.rows = (const struct option_row[]){ { 0 } },
	.words_min = 1,
	.words_max = 1,
};

static int use(const struct options *options, struct arena *arena)
{
	struct address chosen;
	int r;

	r = which(options, arena, &chosen);
	if (r)
		return r;
	r = wallet_use(arena, &chosen);
	if (r < 0)
		return fail("config.json", r);
	if (r == WALLET_E_NONE) {
		fputs("kaisar: there is no such wallet here\n", stderr);
		return EXIT_NOT_FOUND;
	}
	fputs("sign in with it: `kaisar login`\n", stderr);
	return print_wallet(arena, &chosen, false);
}

/* ---- the verbs ---- */

static const struct {
	const char *name, *help;
	const struct option_table *table;
	int (*run)(const struct options *options, struct arena *arena);
	int (*run_whole)(int argc, char **argv); /* in place of it: reads its options itself */
} verbs[] = {
	{ "create", "make a new wallet", &create_table, create },
	{ "import", "take a key or keystore from standard input", &import_table, import },
	{ "export", "print the keystore, or the secret", &export_table, export },
	{ "address", "print the current wallet's address", &address_table, address },
	{ "use", "make another wallet the current one", &use_table, use },
	{ "balance", "what it has on the chain", .run_whole = wallet_balance },
};

static int usage(FILE *out)
{
	fputs("usage: kaisar wallet VERB [OPTIONS]\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-12s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n`kaisar wallet VERB --help` says more.\n", out);
	return out == stdout ? 0 : EXIT_USAGE;
}

static int run(size_t verb, int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct options options;
	int r, status;

	if (verbs[verb].run_whole)
		return verbs[verb].run_whole(argc, argv);
	if (options_read(verbs[verb].table, argc, argv, &options, &status) != 0)
		return status;
	r = arena_new(MEMORY, &arena);
	if (r < 0)
		return fail("wallet", r);
	status = verbs[verb].run(&options, arena);
	/* A full disk behind `> file` must not look like success. */
	if (fflush(stdout) != 0 && status == 0)
		return fail("standard output", -errno);
	return status;
}

int cmd_wallet(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(name, verbs[i].name) == 0)
			return run(i, argc - 1, argv + 1);
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return usage(stdout);
	if (*name)
		fprintf(stderr, "kaisar wallet: no verb '%s'\n", name);
	return usage(stderr);
}

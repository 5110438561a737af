#include "cmd/signer.h"

#include <unistd.h>

#include "cmd/failure.h"
#include "cmd/file.h"
#include "cmd/password.h"

enum { MEMORY = 1 << 20, COST = 262144, COST_LIGHT = 4096 };

static const struct option_row rows[] = {
	SIGNER_STATE_ROW,
	SIGNER_PASSWORD_ROW,
	{ "light", 0, NULL, "encrypt at a 64th of the cost: for tests and small machines" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar signer create [OPTIONS]",
	.about = "Makes the network's key for the chain, keeps it encrypted in DIR/key.json and\n"
		 "prints its address, which needs coins and is the contracts' settler and "
		 "publisher.\n"
		 "A keystore (version 3) of another tool may be put there instead.",
	.rows = rows,
};

static int encrypt(const struct options *options, const struct secp_key *key, struct arena *arena,
		   const char **ret_json)
{
	_cleanup_(password_wipe) struct password password;
	const char *file = options_get(options, "password-file", NULL);
	int r = password_read(file, true, &password);

	if (r < 0) {
		password_explain(file, r);
		return CLI_FAILED;
	}
	if (!password.text[0])
		return options_refuse(&table, "the password is empty");
	r = keystore_encrypt(key, password.text, options_has(options, "light") ? COST_LIGHT : COST,
			     &random_system, arena, ret_json);
	return r < 0 ? cli_fault(r, "encrypting the key") : 0;
}

static int keep(const char *path, const char *json, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];
	int r = file_write(path, json, strlen(json), 0600);

	if (r < 0)
		return cli_fault(r, path);
	address_text(address, text);
	puts(text);
	return fflush(stdout) == 0 ? 0 : cli_fault(-errno, "standard output");
}

/* The folder that @path is in. */
static int make_folder(const char *path, struct arena *arena)
{
	char *folder = arena_text(arena, path, (size_t)(strrchr(path, '/') - path));
	int r = folder ? file_make_dirs(folder, 0700) : -ENOMEM;

	return r < 0 ? cli_fault(r, path) : 0;
}

int cmd_signer_create(int argc, char **argv)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct options options;
	const char *path, *json;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	r = arena_new(MEMORY, &arena);
	if (r < 0)
		return cli_fault(r, "create");
	r = signer_path(&options, NULL, "key.json", arena, &path);
	if (r == 0)
		r = make_folder(path, arena);
	if (r != 0)
		return r;
	if (access(path, F_OK) == 0)
		return cli_fail(CLI_FAILED,
				"%s is there already: use it, or choose another folder with "
				"--state",
				path);
	r = secp_key_generate(&random_system, &key);
	if (r < 0)
		return cli_fault(r, "making the key");
	r = encrypt(&options, key, arena, &json);
	return r == 0 ? keep(path, json, secp_key_address(key)) : r;
}

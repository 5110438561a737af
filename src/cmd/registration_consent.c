/* The machine's side of a registration: its key's consent, as JSON. */
#include <jansson.h>
#include <strings.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/random.h"
#include "chain/consent.h"
#include "cmd/failure.h"
#include "cmd/file.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/options.h"
#include "cmd/registration.h"

enum { ARENA_MAX = 1 << 20, DAY_S = 86400 };

static const struct option_row rows[] = {
	{ "owner", 0, "ADDRESS", "the wallet that may register this machine" },
	{ "addresses", 0, "FILE", "where the contracts are (KAISAR_ADDRESSES)" },
	{ "state", 0, "DIR", "where this machine keeps its key" },
	{ "specification", 0, "HEX", "32 bytes: the hash of what it is said to be (zeros)" },
	{ "nonce", 0, "N", "how often it was registered before (0)" },
	{ "days", 0, "N", "how long the consent counts (7)" },
	{ 0 },
};

/* Of workers and of checkers. */
struct side {
	struct option_table table;
	enum state_node node;
	enum machine_kind kind;
	const char *folder, *word, *begin;
};

static const struct side worker_side = {
	.table = { .usage = "kaisar worker consent --owner ADDRESS [OPTIONS]",
		   .about = "Prints this machine's consent that its owner registers it on the "
			    "chain, for\n"
			    "`kaisar worker register`. May run beside `kaisar worker run`.",
		   .rows = rows },
	.node = STATE_WORKER,
	.kind = MACHINE_WORKER,
	.folder = "worker",
	.word = "worker",
	.begin = "kaisar worker join",
};
static const struct side checker_side = {
	.table = { .usage = "kaisar checker consent --owner ADDRESS [OPTIONS]",
		   .about = "Prints this checker's consent that its operator registers it on the "
			    "chain, for\n"
			    "`kaisar checker register`. May run beside `kaisar checker run`.",
		   .rows = rows },
	.node = STATE_CHECKER,
	.kind = MACHINE_CHECKER,
	.folder = "checker",
	.word = "checker",
	.begin = "kaisar checker create",
};

static int read_consent(const struct side *side, const struct options *options,
			struct consent *ret_consent)
{
	const char *owner = options_get(options, "owner", NULL);
	const char *hex = options_get(options, "specification", NULL);
	struct consent consent = { .kind = side->kind };
	int64_t nonce, days;

	if (!owner || address_parse(owner, &consent.owner) < 0)
		return options_refuse(
			options->table,
			"whose machine? --owner ADDRESS, as `kaisar wallet address` says it");
	if (hex && strncmp(hex, "0x", 2) == 0)
		hex += 2;
	if (hex && hex_decode(hex, strlen(hex), consent.specification, 32) < 0)
		return options_refuse(options->table,
				      "--specification must be 64 hexadecimal digits");
	if (options_int(options, "nonce", 0, INT64_MAX, 0, &nonce) != 0 ||
	    options_int(options, "days", 1, 365, 7, &days) != 0)
		return CLI_USAGE;
	consent.nonce = (uint64_t)nonce;
	consent.deadline_s = (uint64_t)(clock_now_ms(&clock_system) / 1000 + days * DAY_S);
	*ret_consent = consent;
	return 0;
}

static int read_places(const struct options *options, struct arena *arena,
		       struct contracts *ret_contracts)
{
	const char *path = options_get(options, "addresses", getenv("KAISAR_ADDRESSES")), *detail;
	size_t len;
	char *text;
	int r;

	if (!path)
		return options_refuse(
			options->table,
			"where are the contracts? --addresses FILE, as contracts/deploy wrote it");
	r = file_read(path, CONTRACTS_FILE_MAX, arena, &text, &len);
	if (r == 0)
		r = contracts_read(text, len, arena, ret_contracts, &detail);
	if (r > 0)
		return cli_fail(CLI_USAGE, "--addresses %s: %s", path, detail);
	return r < 0 ? cli_fault(r, path) : 0;
}

static int read_key(const struct side *side, const struct options *options, struct arena *arena,
		    struct secp_key **ret_key)
{
	_cleanup_(state_closep) struct state *state = NULL;
	const char *folder = NULL;
	int r = home_path(arena, side->folder, &folder), status;

	folder = options_get(options, "state", folder);
	if (!folder)
		return options_refuse(options->table, "which folder? --state DIR");
	r = state_look(folder, &state);
	if (r == 0) {
		status = node_check_folder(state, folder, side->node);
		if (status != 0)
			return status;
		r = state_read_key(state, ret_key);
	}
	if (r == -ENOENT)
		return cli_fail(
			CLI_NOT_FOUND,
			"there is no %s's key in %s: --state names its folder, `%s` makes it",
			side->word, folder, side->begin);
	return r < 0 ? cli_fault(r, folder) : 0;
}

static json_t *describe(const struct side *side, const struct consent *consent,
			const struct contracts *contracts,
			const uint8_t signature[static SECP_SIGNATURE_SIZE])
{
	char machine[ADDRESS_TEXT_SIZE], owner[ADDRESS_TEXT_SIZE], registry[ADDRESS_TEXT_SIZE];
	char specification[67] = "0x", text[2 * SECP_SIGNATURE_SIZE + 3] = "0x";

	address_text(&consent->machine, machine);
	address_text(&consent->owner, owner);
	address_text(&contracts->at[CONTRACT_REGISTRY].address, registry);
	hex_encode(consent->specification, 32, specification + 2);
	hex_encode(signature, SECP_SIGNATURE_SIZE, text + 2);
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "machine", machine,
			 "owner", owner, "kind", side->word, "specification", specification,
			 "nonce", (json_int_t)consent->nonce, "deadline_s",
			 (json_int_t)consent->deadline_s, "chain_id",
			 (json_int_t)contracts->chain_id, "registry", registry, "signature", text);
}

static int print(json_t *object)
{
	int r;

	if (!object)
		return cli_fault(-ENOMEM, "consent");
	r = json_dumpf(object, stdout, JSON_INDENT(2));
	json_decref(object);
	if (r < 0 || puts("") == EOF || fflush(stdout) != 0)
		return cli_fail(CLI_FAILED, "standard output cannot be written");
	return 0;
}

static int consent(const struct side *side, const struct options *options, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t digest[32], signature[SECP_SIGNATURE_SIZE];
	struct contracts contracts;
	struct consent consent;
	int r = read_consent(side, options, &consent);

	if (r == 0)
		r = read_places(options, arena, &contracts);
	if (r == 0)
		r = read_key(side, options, arena, &key);
	if (r != 0)
		return r;
	consent.machine = *secp_key_address(key);
	consent_digest(&consent, contracts.chain_id, &contracts.at[CONTRACT_REGISTRY].address,
		       digest);
	r = secp_sign(key, digest, signature);
	if (r < 0)
		return cli_fault(r, "signing");
	return print(describe(side, &consent, &contracts, signature));
}

static int run(const struct side *side, int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct options options;
	int r, status;

	if (options_read(&side->table, argc, argv, &options, &status) != 0)
		return status;
	r = arena_new(ARENA_MAX, &arena);
	return r < 0 ? cli_fault(r, "consent") : consent(side, &options, arena);
}

int registration_consent_worker(int argc, char **argv)
{
	return run(&worker_side, argc, argv);
}

int registration_consent_checker(int argc, char **argv)
{
	return run(&checker_side, argc, argv);
}

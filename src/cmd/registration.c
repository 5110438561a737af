/* The owner's side of a registration: the fee, and the machine's consent to the registry contract. */
#include "cmd/registration.h"

#include "base/clock.h"
#include "base/codec.h"
#include "base/field.h"
#include "chain/coins.h"
#include "chain/consent.h"
#include "cmd/file.h"
#include "cmd/onchain.h"

enum { CONSENT_FILE_MAX = 4096 };

static const struct option_row rows[] = {
	{ "max-fee", 0, "AMOUNT", "the highest fee that you pay (what the registry asks for now)" },
	ONCHAIN_ROWS,
	{ 0 },
};
static const struct option_table worker_table = {
	.usage = "kaisar worker register [OPTIONS] CONSENT",
	.about = "Registers a machine of yours on the chain and pays the fee. CONSENT is the file "
		 "that\n"
		 "`kaisar worker consent` printed on the machine. A machine that is registered "
		 "stays as it is.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};
static const struct option_table checker_table = {
	.usage = "kaisar checker register [OPTIONS] CONSENT",
	.about = "Registers a checker of yours on the chain, so that licences can be delegated to "
		 "it. CONSENT is\n"
		 "the file that `kaisar checker consent` printed. A checker that is registered "
		 "stays as it is.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct column columns[] = {
	{ "machine", "machine" },         { "owner", "owner" }, { "fee", "fee" },
	{ "transaction", "transaction" }, { "block", "block" }, { 0 },
};
static const struct column known_columns[] = {
	{ "machine", "machine" },
	{ "owner", "owner" },
	{ 0 },
};

struct registration {
	enum machine_kind kind;
	const char *word; /* "worker" */
	struct consent consent;
	uint8_t signature[SECP_SIGNATURE_SIZE];
	struct address registry;
	struct onchain_token token;
	struct u256 fee;
	const char *fee_text, *what;
};

/* ---- the consent ---- */

static const char *const kinds[] = { "", "worker", "checker", NULL };

struct consent_fields {
	struct address machine, owner, registry;
	int64_t chain_id, nonce, deadline_s;
	int kind;
	const char *specification, *signature;
};

static const struct field consent_table[] = {
	{ "machine", FIELD_ADDRESS, offsetof(struct consent_fields, machine), .required = true },
	{ "owner", FIELD_ADDRESS, offsetof(struct consent_fields, owner), .required = true },
	{ "kind", FIELD_WORD, offsetof(struct consent_fields, kind), .required = true,
	  .words = kinds },
	{ "specification", FIELD_TEXT, offsetof(struct consent_fields, specification),
	  .required = true, .min = 66, .max = 66 },
	{ "nonce", FIELD_INT, offsetof(struct consent_fields, nonce), .required = true,
	  .max = INT64_MAX },
	{ "deadline_s", FIELD_INT, offsetof(struct consent_fields, deadline_s), .required = true,
	  .max = INT64_MAX },
	{ "chain_id", FIELD_INT, offsetof(struct consent_fields, chain_id), .required = true,
	  .min = 1, .max = INT64_MAX },
	{ "registry", FIELD_ADDRESS, offsetof(struct consent_fields, registry), .required = true },
	{ "signature", FIELD_TEXT, offsetof(struct consent_fields, signature), .required = true,
	  .min = 2 + 2 * SECP_SIGNATURE_SIZE, .max = 2 + 2 * SECP_SIGNATURE_SIZE },
	{ 0 },
};

static int take_consent(const char *path, const struct consent_fields *fields,
			struct registration *registration)
{
	registration->consent = (struct consent){
		.machine = fields->machine,
		.owner = fields->owner,
		.kind = (enum machine_kind)fields->kind,
		.nonce = (uint64_t)fields->nonce,
		.deadline_s = (uint64_t)fields->deadline_s,
	};
	if (strncmp(fields->specification, "0x", 2) != 0 ||
	    hex_decode(fields->specification + 2, 64, registration->consent.specification, 32) < 0)
		return cli_fail(CLI_USAGE, "%s: specification: is no 32 bytes", path);
	if (strncmp(fields->signature, "0x", 2) != 0 ||
	    hex_decode(fields->signature + 2, (size_t)2 * SECP_SIGNATURE_SIZE,
		       registration->signature, SECP_SIGNATURE_SIZE) < 0)
		return cli_fail(CLI_USAGE, "%s: signature: is none", path);
	return 0;
}

static int read_consent(struct onchain *onchain, struct registration *registration,
			struct consent_fields *ret_fields)
{
	const char *path = onchain->options.words[0];
	struct field_error error;
	size_t len;
	char *text;
	int r = file_read(path, CONSENT_FILE_MAX, onchain->arena, &text, &len);

	if (r == 0)
		r = field_decode(text, len, consent_table, onchain->arena, ret_fields, &error);
	if (r < 0)
		return cli_fault(r, path);
	if (r > 0)
		return cli_fail(CLI_USAGE, "%s: %s: %s; `kaisar %s consent` prints one", path,
				error.field, error.rule, registration->word);
	return take_consent(path, ret_fields, registration);
}

/* Whose it is. */
static int check_names(const struct onchain *onchain, const struct registration *registration,
		       const struct consent_fields *fields)
{
	const struct consent *consent = &registration->consent;
	char text[ADDRESS_TEXT_SIZE];

	if ((uint64_t)fields->chain_id != onchain->contracts.chain_id ||
	    !address_equal(&fields->registry, &registration->registry))
		return cli_fail(CLI_USAGE,
				"CONSENT: is for another chain or registry; make it anew with this "
				"--addresses file");
	if (consent->kind != registration->kind)
		return cli_fail(CLI_USAGE, "CONSENT: is a %s's; `kaisar %s register` takes it",
				kinds[consent->kind], kinds[consent->kind]);
	if (!address_equal(&consent->owner, onchain_account(onchain))) {
		address_text(onchain_account(onchain), text);
		return cli_fail(CLI_DENIED,
				"CONSENT: names another owner than this wallet; make it anew with "
				"--owner %s, or choose the wallet with --wallet",
				text);
	}
	return 0;
}

/* What the contract would refuse, in words. */
static int check_signature(const struct onchain *onchain, const struct registration *registration)
{
	const struct consent *consent = &registration->consent;
	struct address signer;
	uint8_t digest[32];

	consent_digest(consent, onchain->contracts.chain_id, &registration->registry, digest);
	if (secp_recover(digest, registration->signature, &signer) != 0 ||
	    !address_equal(&signer, &consent->machine))
		return cli_fail(CLI_DENIED,
				"CONSENT: signature: is not the machine's; make it anew");
	if ((int64_t)consent->deadline_s < clock_now_ms(&clock_system) / 1000)
		return cli_fail(CLI_FAILED, "CONSENT: deadline_s: is over; make it anew");
	return 0;
}

/* ---- the registry ---- */

/* Whether the machine is registered with this wallet already; with another it cannot be. An exit status. */
static int find_machine(struct onchain *onchain, const struct registration *registration,
			bool *ret_registered)
{
	const struct abi_value machine = abi_address(&registration->consent.machine);
	char text[ADDRESS_TEXT_SIZE];
	struct abi_value value;
	struct address owner;
	uint64_t kind;
	int r = onchain_read(onchain, &registration->registry, "machineOf(address)", &machine, 1,
			     "(address,uint8,uint64,bytes32)", &value);

	if (r != 0)
		return r;
	owner = abi_as_address(&value.items[0]);
	kind = (uint64_t)u256_low(abi_as_number(&value.items[1]));
	*ret_registered = kind == registration->kind &&
			  address_equal(&owner, onchain_account(onchain));
	if (*ret_registered)
		return 0;
	address_text(&owner, text);
	if (kind != MACHINE_NONE)
		return cli_fail(
			CLI_FAILED,
			"the machine is registered as a %s of %s, who takes it out first with "
			"`kaisar %s deregister`",
			kind < MACHINE_KINDS_N ? kinds[kind] : "machine", text,
			kind == MACHINE_CHECKER ? "checker" : "worker");
	return 0;
}

static int check_nonce(struct onchain *onchain, const struct registration *registration)
{
	const struct abi_value machine = abi_address(&registration->consent.machine);
	const struct u256 named = u256_from(registration->consent.nonce);
	char wanted[U256_TEXT_SIZE];
	struct u256 nonce;
	int r = onchain_word(onchain, &registration->registry, "nonces(address)", &machine, 1,
			     &nonce);

	if (r != 0 || u256_compare(&nonce, &named) == 0)
		return r;
	u256_text(nonce, wanted);
	return cli_fail(CLI_FAILED,
			"CONSENT: nonce: must be %s by now; make it anew with --nonce %s", wanted,
			wanted);
}

static int read_fee(struct onchain *onchain, struct registration *registration)
{
	const struct abi_value kind = abi_u64(registration->kind);
	const char *most_text = options_get(&onchain->options, "max-fee", NULL);
	struct abi_value token;
	struct address address;
	struct u256 most;
	int r = onchain_read(onchain, &registration->registry, "feeToken()", NULL, 0, "(address)",
			     &token);

	if (r != 0)
		return r;
	address = abi_as_address(&token.items[0]);
	r = onchain_token(onchain, &address, &registration->token);
	if (r == 0)
		r = onchain_word(onchain, &registration->registry, "fees(uint8)", &kind, 1,
				 &registration->fee);
	if (r != 0)
		return r;
	registration->fee_text = onchain_amount(onchain, &registration->token, registration->fee);
	if (!registration->fee_text)
		return cli_fault(-ENOMEM, "the fee");
	if (!most_text)
		return 0;
	if (coins_parse(most_text, registration->token.decimals, &most) < 0)
		return options_refuse(onchain->options.table,
				      "--max-fee: '%s' is no amount like 10", most_text);
	return u256_compare(&registration->fee, &most) <= 0
		       ? 0
		       : cli_fail(CLI_FAILED, "--max-fee: the fee is %s, more than %s",
				  registration->fee_text, most_text);
}

static int show(const struct onchain *onchain, const struct registration *registration,
		const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = done ? onchain_done(done) : json_object();
	char machine[ADDRESS_TEXT_SIZE], owner[ADDRESS_TEXT_SIZE];
	int r;

	address_text(&registration->consent.machine, machine);
	address_text(&registration->consent.owner, owner);
	if (!object || json_object_set_new(object, "machine", json_string(machine)) < 0 ||
	    json_object_set_new(object, "owner", json_string(owner)) < 0 ||
	    (done && json_object_set_new(object, "fee", json_string(registration->fee_text)) < 0))
		return cli_fault(-ENOMEM, "register");
	r = table_object(onchain->format, done ? columns : known_columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int send(struct onchain *onchain, struct registration *registration)
{
	const bool in_coin = onchain_is_coin(&registration->token);
	char machine[ADDRESS_TEXT_SIZE];
	struct transact_done done;
	struct call_data data;
	int r = onchain_has(onchain, &registration->token, registration->fee, "the fee");

	if (r == 0)
		r = onchain_allow(onchain, &registration->token, &registration->registry,
				  registration->fee);
	if (r != 0)
		return r;
	r = call_register(&registration->consent, registration->signature, registration->fee,
			  onchain->arena, &data);
	address_text(&registration->consent.machine, machine);
	registration->what = arena_printf(onchain->arena, "registration of %s %s",
					  registration->word, machine);
	if (r < 0 || !registration->what)
		return cli_fault(-ENOMEM, "register");
	r = onchain_send(onchain, registration->what, &registration->registry,
			 in_coin ? registration->fee : u256_from(0), &data, &done);
	return r == 0 ? show(onchain, registration, &done) : r;
}

static int register_machine(struct onchain *onchain, struct registration *registration)
{
	struct consent_fields fields = { 0 };
	bool registered;
	int r = onchain_contract(onchain, CONTRACT_REGISTRY, &registration->registry);

	if (r == 0)
		r = read_consent(onchain, registration, &fields);
	if (r == 0)
		r = check_names(onchain, registration, &fields);
	if (r == 0)
		r = find_machine(onchain, registration, &registered);
	if (r == 0 && registered) {
		fprintf(stderr, "kaisar: the %s is registered already\n", registration->word);
		return show(onchain, registration, NULL);
	}
	if (r == 0)
		r = check_signature(onchain, registration);
	if (r == 0)
		r = check_nonce(onchain, registration);
	if (r == 0)
		r = read_fee(onchain, registration);
	return r == 0 ? send(onchain, registration) : r;
}

static int run(const struct option_table *table, enum machine_kind kind, int argc, char **argv)
{
	struct registration registration = { .kind = kind, .word = kinds[kind] };
	struct onchain onchain;
	int status;

	if (onchain_begin(table, argc, argv, &onchain, &status) != 0)
		return status;
	status = register_machine(&onchain, &registration);
	onchain_end(&onchain);
	return status;
}

int registration_worker(int argc, char **argv)
{
	return run(&worker_table, MACHINE_WORKER, argc, argv);
}

int registration_checker(int argc, char **argv)
{
	return run(&checker_table, MACHINE_CHECKER, argc, argv);
}

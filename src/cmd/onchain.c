#include "cmd/onchain.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "chain/coins.h"
#include "chain/hex.h"
#include "cmd/file.h"
#include "cmd/home.h"
#include "cmd/wallet.h"

enum {
	ARENA_MAX = 8 << 20,
	COIN_DECIMALS = 18,
	RPC_TIMEOUT_MS = 10000,
	POLL_MS = 250,
	KEPT_MAX = TRANSACTION_SIZE_MAX * 2 + 4096,
};

/* ---- what is on its way ---- */

static int keep(void *arg, const uint8_t *bytes, size_t len)
{
	struct onchain *onchain = arg;
	_cleanup_(freep) char *text = NULL;
	json_t *json;

	if (len == 0)
		return unlink(onchain->path) < 0 && errno != ENOENT ? -errno : 0;
	json = json_pack("{s:s, s:o}", "what", onchain->what, "transaction",
			 rpc_of_bytes(bytes, len));
	text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	json_decref(json);
	return text ? file_write(onchain->path, text, strlen(text), 0600) : -ENOMEM;
}

static void sent(void *arg, const uint8_t hash[static 32])
{
	const struct onchain *onchain = arg;
	char text[65];

	hex_encode(hash, 32, text);
	fprintf(stderr, "kaisar: %s: sent as 0x%s, waiting for a block\n", onchain->what, text);
}

static int find_place(struct onchain *onchain)
{
	const char *folder, *lock;
	char own[ADDRESS_TEXT_SIZE];
	int r = home_path(onchain->arena, "chain", &folder);

	if (r == 0)
		r = file_make_dirs(folder, 0700);
	if (r < 0)
		return cli_fault(r, "the folder for what is on its way");
	address_text(onchain_account(onchain), own);
	onchain->path = arena_printf(onchain->arena, "%s/%" PRIu64 "-%s.json", folder,
				     onchain->contracts.chain_id, own);
	lock = arena_printf(onchain->arena, "%s/%s.lock", folder, own);
	if (!onchain->path || !lock)
		return cli_fault(-ENOMEM, folder);
	onchain->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (onchain->lock >= 0 && flock(onchain->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK
		       ? cli_fail(CLI_FAILED, "another command sends with this wallet; wait for it")
		       : cli_fault(-errno, lock);
}

static int exit_of(int r, const char *problem)
{
	if (r < 0)
		return cli_fault(r, "the transaction");
	return cli_fail(r == TRANSACT_E_FUNDS     ? CLI_BALANCE
			: r == TRANSACT_E_WAITING ? CLI_TIMEOUT
						  : CLI_FAILED,
			"%s", problem);
}

/* 0, or an exit status. */
static int read_kept(struct onchain *onchain, const uint8_t **ret_bytes, size_t *ret_len)
{
	const char *what = NULL, *hex = NULL;
	uint8_t *bytes;
	char *text;
	json_t *json;
	size_t len;
	int r = file_read(onchain->path, KEPT_MAX, onchain->arena, &text, &len);

	*ret_len = 0;
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cli_fault(r, onchain->path);
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	r = json_unpack(json, "{s:s, s:s}", "what", &what, "transaction", &hex);
	bytes = arena_alloc(onchain->arena, TRANSACTION_SIZE_MAX);
	if (r == 0 && bytes)
		r = hex_data_parse(hex, strlen(hex), bytes, TRANSACTION_SIZE_MAX, ret_len);
	onchain->what = what ? arena_text(onchain->arena, what, strlen(what)) : "";
	json_decref(json);
	if (!bytes || !onchain->what)
		return cli_fault(-ENOMEM, onchain->path);
	if (r != 0)
		return cli_fail(CLI_FAILED,
				"%s is damaged: look at what this wallet sent last, then remove it",
				onchain->path);
	*ret_bytes = bytes;
	return 0;
}

static int resume(struct onchain *onchain)
{
	char problem[TRANSACT_PROBLEM_SIZE];
	const uint8_t *bytes;
	size_t len;
	int r = read_kept(onchain, &bytes, &len);

	if (r != 0 || len == 0)
		return r;
	fprintf(stderr, "kaisar: finishing what was interrupted: %s\n", onchain->what);
	r = transact_resume(&onchain->transact, bytes, len, onchain->arena, &onchain->resumed_done,
			    problem);
	if (r == -EBADMSG)
		return cli_fail(CLI_FAILED,
				"%s is damaged: look at what this wallet sent last, then remove it",
				onchain->path);
	if (r < 0 || r == TRANSACT_E_UNAVAILABLE || r == TRANSACT_E_WAITING)
		return exit_of(r, problem);
	if (r == 0)
		onchain->resumed = onchain->what;
	else
		fprintf(stderr, "kaisar: it came to nothing: %s\n", problem);
	return 0;
}

/* ---- the beginning ---- */

static const char *setting(const struct options *options, const char *name, const char *variable)
{
	const char *value = options_get(options, name, getenv(variable));

	return value && *value ? value : NULL;
}

static int read_contracts(struct onchain *onchain)
{
	const char *path = setting(&onchain->options, "addresses", "KAISAR_ADDRESSES"), *detail;
	size_t len;
	char *text;
	int r;

	if (!path)
		return options_refuse(
			onchain->options.table,
			"where are the contracts? --addresses FILE, as contracts/deploy wrote it");
	r = file_read(path, CONTRACTS_FILE_MAX, onchain->arena, &text, &len);
	if (r == 0)
		r = contracts_read(text, len, onchain->arena, &onchain->contracts, &detail);
	if (r > 0)
		return cli_fail(CLI_USAGE, "--addresses %s: %s", path, detail);
	return r < 0 ? cli_fault(r, path) : 0;
}

static int read_chain(struct onchain *onchain)
{
	const char *url = setting(&onchain->options, "rpc", "KAISAR_RPC");
	const struct rpc_config config = {
		.urls = &url,
		.n_urls = 1,
		.agree = 1,
		.chain_id = onchain->contracts.chain_id,
		.timeout_ms = RPC_TIMEOUT_MS,
		.clock = &clock_system,
	};
	int r;

	if (!url)
		return options_refuse(onchain->options.table, "which node of the chain? --rpc URL");
	r = rpc_new(&config, &onchain->rpc);
	if (r == -EINVAL)
		return options_refuse(onchain->options.table,
				      "--rpc: '%s' is no http:// or https:// URL", url);
	return r < 0 ? cli_fault(r, "the chain") : 0;
}

static int read_limits(struct onchain *onchain)
{
	const char *cost = options_get(&onchain->options, "max-gas-cost", "1");
	struct transact *transact = &onchain->transact;
	int64_t seconds;

	if (options_int(&onchain->options, "wait", 1, 86400, 120, &seconds) != 0)
		return CLI_USAGE;
	if (coins_parse(cost, COIN_DECIMALS, &transact->max_cost) < 0 ||
	    u256_bits(transact->max_cost) > 128)
		return options_refuse(onchain->options.table,
				      "--max-gas-cost: '%s' is no amount of coin like 0.5", cost);
	transact->wait_ms = seconds * 1000;
	return 0;
}

/* The wallet that --wallet names, or that none is named. */
static int read_wallet(const struct onchain *onchain, struct address *ret_address, bool *ret_named)
{
	const char *name = options_get(&onchain->options, "wallet", NULL);

	if (name && address_parse(name, ret_address) < 0)
		return options_refuse(onchain->options.table, "--wallet: '%s' is not an address",
				      name);
	*ret_named = name != NULL;
	return 0;
}

static int open_wallet(struct onchain *onchain)
{
	struct address address;
	bool named;
	int status, r = read_wallet(onchain, &address, &named);

	if (r != 0)
		return r;
	r = wallet_open(named ? &address : NULL,
			options_get(&onchain->options, "password-file", NULL), onchain->arena,
			&onchain->key, &status);
	return r != 0 ? status : 0;
}

/* Whose chain it is about, without a password. */
static int name_wallet(struct onchain *onchain)
{
	bool named;
	int r = read_wallet(onchain, &onchain->transact.account, &named);

	if (r != 0 || named)
		return r;
	r = wallet_current(onchain->arena, &onchain->transact.account);
	if (r == WALLET_E_NONE)
		return cli_fail(CLI_NOT_FOUND,
				"there is no wallet yet: make one with `kaisar wallet "
				"create`, or name one with --wallet");
	return r < 0 ? cli_fault(r, "config.json") : 0;
}

/* What reading takes. */
static int prepare_look(struct onchain *onchain)
{
	int r = arena_new(ARENA_MAX, &onchain->arena);

	if (r < 0)
		return cli_fault(r, "the transaction");
	r = read_contracts(onchain);
	if (r == 0)
		r = read_chain(onchain);
	if (r != 0)
		return r;
	onchain->transact.rpc = onchain->rpc;
	onchain->transact.clock = &clock_system;
	onchain->transact.chain_id = onchain->contracts.chain_id;
	return 0;
}

static int prepare(struct onchain *onchain)
{
	int r = prepare_look(onchain);

	if (r == 0)
		r = read_limits(onchain);
	if (r == 0)
		r = open_wallet(onchain);
	if (r != 0)
		return r;
	onchain->transact.account = *secp_key_address(onchain->key);
	onchain->transact.key = onchain->key;
	onchain->transact.poll_ms = POLL_MS;
	onchain->transact.keep = keep;
	onchain->transact.sent = sent;
	onchain->transact.arg = onchain;
	return find_place(onchain);
}

static int read_options(const struct option_table *table, int argc, char **argv,
			struct onchain *onchain, int *ret_exit)
{
	const char *format;

	*onchain = (struct onchain){ .what = "", .lock = -1 };
	if (options_read(table, argc, argv, &onchain->options, ret_exit) != 0)
		return OPTIONS_E_DONE;
	format = options_get(&onchain->options, "output", "table");
	if (out_format_parse(format, &onchain->format) == 0)
		return 0;
	*ret_exit = options_refuse(table, "--output must be table, json or yaml, not '%s'", format);
	return OPTIONS_E_DONE;
}

int onchain_look(const struct option_table *table, int argc, char **argv,
		 struct onchain *ret_onchain, int *ret_exit)
{
	struct onchain *onchain = ret_onchain;

	if (read_options(table, argc, argv, onchain, ret_exit) != 0)
		return OPTIONS_E_DONE;
	*ret_exit = prepare_look(onchain);
	if (*ret_exit == 0)
		*ret_exit = name_wallet(onchain);
	if (*ret_exit == 0)
		return 0;
	onchain_end(onchain);
	return OPTIONS_E_DONE;
}

int onchain_attach(const struct options *options, struct onchain *ret_onchain)
{
	int r;

	*ret_onchain = (struct onchain){ .options = *options, .what = "", .lock = -1 };
	r = prepare_look(ret_onchain);
	if (r != 0)
		onchain_end(ret_onchain);
	return r;
}

int onchain_begin(const struct option_table *table, int argc, char **argv,
		  struct onchain *ret_onchain, int *ret_exit)
{
	struct onchain *onchain = ret_onchain;
	char problem[TRANSACT_PROBLEM_SIZE];
	int r;

	if (read_options(table, argc, argv, onchain, ret_exit) != 0)
		return OPTIONS_E_DONE;
	*ret_exit = prepare(onchain);
	if (*ret_exit == 0)
		*ret_exit = resume(onchain);
	if (*ret_exit == 0) {
		r = transact_settled(&onchain->transact, problem);
		*ret_exit = r != 0 ? exit_of(r, problem) : 0;
	}
	if (*ret_exit == 0)
		return 0;
	onchain_end(onchain);
	return OPTIONS_E_DONE;
}

void onchain_end(struct onchain *onchain)
{
	if (onchain->lock >= 0)
		close(onchain->lock);
	rpc_free(onchain->rpc);
	secp_key_free(onchain->key);
	arena_free(onchain->arena);
}

const struct address *onchain_account(const struct onchain *onchain)
{
	return &onchain->transact.account;
}

int onchain_contract(const struct onchain *onchain, enum contract contract,
		     struct address *ret_address)
{
	const struct contract_place *place = &onchain->contracts.at[contract];

	if (!place->there)
		return cli_fail(CLI_FAILED, "the addresses file has no %s",
				contract_name(contract));
	*ret_address = place->address;
	return 0;
}

int onchain_receiver(const struct onchain *onchain, const char *field, const struct address *to)
{
	static const struct address nobody;

	if (address_equal(to, &nobody))
		return options_refuse(onchain->options.table, "%s: the zero address is nobody's",
				      field);
	for (int i = 0; i < CONTRACTS_N; i++) {
		const struct contract_place *place = &onchain->contracts.at[i];

		if (place->there && address_equal(to, &place->address))
			return options_refuse(
				onchain->options.table,
				"%s: is the network's contract %s, which nobody could get it back "
				"from",
				field, contract_name((enum contract)i));
	}
	return 0;
}

/* ---- reading and sending ---- */

int onchain_read(struct onchain *onchain, const struct address *to, const char *signature,
		 const struct abi_value *arguments, size_t n, const char *type,
		 struct abi_value *ret_value)
{
	struct transact_call call = { .to = *to };
	char problem[TRANSACT_PROBLEM_SIZE];
	const struct abi_type *answer_type;
	char address[ADDRESS_TEXT_SIZE];
	const uint8_t *bytes;
	size_t len;
	int r = abi_encode_call(signature, arguments, n, onchain->arena, &call.data, &call.len);

	if (r == 0)
		r = abi_type_parse(type, strlen(type), onchain->arena, &answer_type);
	if (r < 0)
		return cli_fault(r, signature);
	r = transact_read(&onchain->transact, &call, onchain->arena, &bytes, &len, problem);
	if (r != 0)
		return exit_of(r, problem);
	r = abi_decode(answer_type, bytes, len, onchain->arena, ret_value);
	if (r < 0)
		return cli_fault(r, signature);
	address_text(to, address);
	return r > 0 ? cli_fail(CLI_FAILED,
				"%s answers nothing sensible to %s: is it the contract? see "
				"--addresses",
				address, signature)
		     : 0;
}

int onchain_balance(struct onchain *onchain, const struct onchain_token *token,
		    struct u256 *ret_balance)
{
	const struct abi_value own = abi_address(onchain_account(onchain));
	char problem[TRANSACT_PROBLEM_SIZE];
	int r;

	if (!onchain_is_coin(token))
		return onchain_word(onchain, &token->address, "balanceOf(address)", &own, 1,
				    ret_balance);
	r = transact_coin(&onchain->transact, ret_balance, problem);
	return r != 0 ? exit_of(r, problem) : 0;
}

int onchain_word(struct onchain *onchain, const struct address *to, const char *signature,
		 const struct abi_value *arguments, size_t n, struct u256 *ret_word)
{
	struct abi_value value;
	int r = onchain_read(onchain, to, signature, arguments, n, "(uint256)", &value);

	if (r == 0)
		*ret_word = abi_as_number(&value.items[0]);
	return r;
}

int onchain_now(struct onchain *onchain, uint64_t *ret_at_s)
{
	_cleanup_(json_decrefp) json_t *params = json_pack("[s, b]", "latest", 0), *block = NULL;
	struct rpc_error error;
	int r = params ? rpc_ask(onchain->rpc, "eth_getBlockByNumber", params, &block, &error)
		       : -ENOMEM;

	if (r < 0)
		return cli_fault(r, "the chain");
	if (r > 0 || rpc_quantity(json_object_get(block, "timestamp"), ret_at_s) < 0)
		return cli_fail(CLI_FAILED, "--rpc: the node does not say its latest block");
	return 0;
}

int onchain_send(struct onchain *onchain, const char *what, const struct address *to,
		 struct u256 value, const struct call_data *data, struct transact_done *ret_done)
{
	const struct transact_call call = {
		.to = *to, .value = value, .data = data->bytes, .len = data->len
	};
	char problem[TRANSACT_PROBLEM_SIZE];
	int r;

	onchain->what = what;
	r = transact_send(&onchain->transact, &call, onchain->arena, ret_done, problem);
	if (r != 0)
		return exit_of(r, problem);
	fprintf(stderr, "kaisar: in block %" PRIu64 "; the network counts it when that is final\n",
		ret_done->block);
	return 0;
}

void onchain_time(uint64_t at_s, char ret_text[static CLOCK_TEXT_SIZE])
{
	const uint64_t most_s = UINT64_C(253402300799); /* 9999 */

	clock_text((int64_t)(at_s < most_s ? at_s : most_s) * 1000, ret_text);
}

json_t *onchain_done(const struct transact_done *done)
{
	char hash[67] = "0x";

	hex_encode(done->hash, 32, hash + 2);
	return json_pack("{s:s, s:I}", "transaction", hash, "block", (json_int_t)done->block);
}

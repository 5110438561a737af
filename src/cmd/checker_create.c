#include "cmd/checker.h"

#include <unistd.h>

#include "base/codec.h"
#include "base/random.h"
#include "cmd/client.h"
#include "cmd/file.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/options.h"
#include "link/state.h"
#include "wire/sign.h"

static const struct option_row rows[] = {
	{ "name", 0, "NAME", "what to call this checker (default: its host name)" },
	{ "state", 0, "DIR",
	  "where the checker keeps its key and its records (KAISAR_HOME/checker)" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar checker create URL [OPTIONS]",
	.about =
		"Makes this checker's key and registers it at URL with the account that is signed\n"
		"in there. Again on the same folder it registers the same key.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

/* ---- who asks, and where ---- */

struct place {
	struct address network;
	struct account_id account;
};

static int take_address(const json_t *answer, const char *member, struct address *ret_address)
{
	const char *text = json_string_value(json_object_get(answer, member));

	if (text && address_parse(text, ret_address) == 0)
		return 0;
	return cli_fail(CLI_FAILED, "the control plane's answer is not understood: no %s", member);
}

static int find_place(struct client *client, struct place *ret_place)
{
	_cleanup_(json_decrefp) json_t *network = NULL, *account = NULL;
	int r;

	r = client_get(client, "/v1/network", &network);
	if (r == 0)
		r = take_address(network, "network", &ret_place->network);
	if (r == 0)
		r = client_get(client, "/v1/account", &account);
	if (r == 0)
		r = take_address(account, "account", &ret_place->account.address);
	return r;
}

/* A folder belongs to one network: its key is registered there. */
static int check_config(struct state *state, const struct place *place)
{
	struct state_config config;
	int r;

	r = state_read_config(state, &config);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cli_fault(r, "reading the state");
	if (address_equal(&config.network, &place->network))
		return 0;
	return cli_fail(CLI_FAILED,
			"this folder's checker is another network's, at %s; use another --state",
			config.url);
}

/* ---- registering ---- */

static json_t *make_request(const struct secp_key *key, const struct place *place, const char *name)
{
	const struct checker_statement statement = {
		.network = place->network,
		.checker = *secp_key_address(key),
		.account = place->account,
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	char checker[ADDRESS_TEXT_SIZE], text[2 * SIGNATURE_SIZE + 3] = "0x";

	checker_digest(&statement, digest);
	if (secp_sign(key, digest, signature) < 0)
		return NULL;
	hex_encode(signature, sizeof(signature), text + 2);
	address_text(&statement.checker, checker);
	return json_pack("{s:s, s:s, s:s}", "checker", checker, "signature", text, "name", name);
}

static int keep(struct state *state, const char *folder, struct client *client,
		const struct place *place, const json_t *checker)
{
	const char *name = json_string_value(json_object_get(checker, "name"));
	const char *address = json_string_value(json_object_get(checker, "checker"));
	const char *status = json_string_value(json_object_get(checker, "status"));
	const char *why = json_string_value(json_object_get(checker, "why"));
	struct state_config config = { .node = STATE_CHECKER, .network = place->network };
	int r;

	snprintf(config.url, sizeof(config.url), "%s", client_url(client));
	snprintf(config.name, sizeof(config.name), "%s", name ? name : "");
	r = state_write_config(state, &config);
	if (r < 0)
		return cli_fault(r, "keeping what the network answered");
	printf("%s\n", address ? address : "");
	fprintf(stderr, "registered as %s, %s; start with: kaisar checker run --state %s\n",
		config.name, status ? status : "", folder);
	if (why && *why)
		fprintf(stderr, "no tasks yet: %s\n", why);
	return 0;
}

static int create(struct client *client, struct state *state, const char *folder, const char *name)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	_cleanup_(json_decrefp) json_t *request = NULL, *checker = NULL;
	struct client_call call = { .method = "POST", .path = "/v1/checkers" };
	struct place place = { 0 };
	int r;

	r = find_place(client, &place);
	if (r == 0)
		r = check_config(state, &place);
	if (r != 0)
		return r;
	r = state_take_key(state, &random_system, &key);
	if (r < 0)
		return cli_fault(r, "making the checker's key");
	request = make_request(key, &place, name);
	if (!request)
		return cli_fail(CLI_USAGE, "NAME must be UTF-8");
	call.body = request;
	r = client_call(client, &call, &checker);
	return r == 0 ? keep(state, folder, client, &place, checker) : r;
}

int cmd_checker_create(int argc, char **argv)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	const char *folder = NULL;
	struct options options;
	char host[65] = "checker";
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (strlen(options.words[0]) > 511)
		return options_refuse(&table, "URL is longer than 511 characters");
	gethostname(host, sizeof(host) - 1);
	r = client_open(options.words[0], &client);
	if (r != 0)
		return r;
	folder = options_get(&options, "state", NULL);
	r = folder ? 0 : home_path(client_arena(client), "checker", &folder);
	if (r < 0)
		return options_refuse(&table, "which folder? --state DIR");
	r = file_make_dirs(folder, 0700);
	if (r == 0)
		r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED,
				"a checker or worker is running on %s: end it, or choose "
				"another folder with --state",
				folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_CHECKER);
	if (status != 0)
		return status;
	return create(client, state, folder, options_get(&options, "name", host));
}

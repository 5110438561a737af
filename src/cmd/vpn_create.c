#include "cmd/vpn.h"

#include <unistd.h>

#include "cmd/client.h"
#include "cmd/file.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/options.h"

static const struct option_row rows[] = {
	{ "name", 0, "NAME", "what to call this machine (default: its host name)" },
	{ "state", 0, "DIR", "where its key and its VPN's files are kept (KAISAR_HOME/vpn)" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar vpn create URL [OPTIONS]",
	.about = "Makes the key of a gateway or lighthouse of the network at URL, and prints its\n"
		 "address, by which an operator lets it in: kaisar admin vpn add.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

static int find_network(struct client *client, struct address *ret_network)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const struct client_call call = { .method = "GET",
					  .path = "/v1/network",
					  .anonymous = true };
	const char *text;
	int r = client_call(client, &call, &answer);

	if (r != 0)
		return r;
	text = json_string_value(json_object_get(answer, "network"));
	if (!text || address_parse(text, ret_network) < 0)
		return cli_fail(CLI_FAILED, "the control plane's answer is not understood: no "
					    "network");
	return 0;
}

static int create(struct client *client, struct state *state, const char *folder, const char *name)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	struct state_config config = { .node = STATE_VPN }, old;
	char machine[ADDRESS_TEXT_SIZE];
	int r;

	r = find_network(client, &config.network);
	if (r != 0)
		return r;
	r = state_read_config(state, &old);
	if (r == 0 && !address_equal(&old.network, &config.network))
		return cli_fail(
			CLI_FAILED,
			"this folder's key is another network's, at %s; use another --state",
			old.url);
	if (r < 0 && r != -ENOENT)
		return cli_fault(r, "reading the state");
	r = state_take_key(state, &random_system, &key);
	if (r < 0)
		return cli_fault(r, "making the machine's key");
	snprintf(config.url, sizeof(config.url), "%s", client_url(client));
	snprintf(config.name, sizeof(config.name), "%s", name);
	r = state_write_config(state, &config);
	if (r < 0)
		return cli_fault(r, "keeping what the network answered");
	address_text(secp_key_address(key), machine);
	printf("%s\n", machine);
	fprintf(stderr,
		"an operator lets it in: kaisar admin vpn add %s gateway, or lighthouse --place "
		"HOST:PORT; start with: kaisar vpn run --state %s\n",
		machine, folder);
	return 0;
}

int cmd_vpn_create(int argc, char **argv)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	const char *folder = NULL;
	struct options options;
	char host[65] = "vpn";
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
	r = folder ? 0 : home_path(client_arena(client), "vpn", &folder);
	if (r < 0)
		return options_refuse(&table, "which folder? --state DIR");
	r = file_make_dirs(folder, 0700);
	if (r == 0)
		r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED, "another process is running on %s", folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_VPN);
	return status != 0 ? status
			   : create(client, state, folder, options_get(&options, "name", host));
}

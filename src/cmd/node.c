#include "cmd/node.h"

#include "cmd/failure.h"

static const struct {
	const char *name, *command, *first;
} nodes[] = {
	[STATE_WORKER] = { "worker", "worker run", "worker join URL TOKEN" },
	[STATE_CHECKER] = { "checker", "checker run", "checker create URL" },
	[STATE_VPN] = { "gateway or lighthouse", "vpn run", "vpn create URL" },
};

int node_check_folder(struct state *state, const char *folder, enum state_node node)
{
	struct state_config config;

	/* What else is wrong with it, its own command says. */
	if (state_read_config(state, &config) < 0 || config.node == STATE_ANY ||
	    config.node == node)
		return 0;
	return cli_fail(
		CLI_FAILED,
		"%s is a %s's folder (kaisar %s); a %s gets its own by: kaisar %s --state DIR",
		folder, nodes[config.node].name, nodes[config.node].command, nodes[node].name,
		nodes[node].first);
}

int node_refused(const char *folder, const char *reason)
{
	return cli_fail(CLI_DENIED, "%s: the control plane refused it for good: %s", folder,
			reason);
}

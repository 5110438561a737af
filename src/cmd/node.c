#include "cmd/node.h"

#include "cmd/failure.h"

int node_check_folder(struct state *state, const char *folder, enum state_node node)
{
	struct state_config config;

	/* What else is wrong with it, its own command says. */
	if (state_read_config(state, &config) < 0 || config.node == STATE_ANY ||
	    config.node == node)
		return 0;
	if (node == STATE_CHECKER)
		return cli_fail(
			CLI_FAILED,
			"%s is a worker's folder (kaisar worker run); a checker gets its own by: "
			"kaisar checker create URL --state DIR",
			folder);
	return cli_fail(
		CLI_FAILED,
		"%s is a checker's folder (kaisar checker run); a worker gets its own by: kaisar "
		"worker join URL TOKEN --state DIR",
		folder);
}

int node_refused(const char *folder, const char *reason)
{
	return cli_fail(CLI_DENIED, "%s: the control plane refused it for good: %s", folder,
			reason);
}

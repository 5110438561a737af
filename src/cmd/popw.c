#include "cmd/popw.h"

#include "cmd/cli.h"
#include "cmd/commands.h"

int cmd_popw(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "self-test", "prove to yourself what this machine can do", popw_self_test },
		{ "list", "list the network's published sessions", popw_list },
		{ "show", "show one session, its panel and its verdict", popw_show },
		{ "appeal", "ask for another look at a session", popw_appeal },
		{ "verify", "verify a published session again, offline", popw_verify },
		{ "uptime", "compute again when a machine was away in an hour", popw_uptime },
		{ "bench", "measure what verifying and proving cost one core", popw_bench },
		{ "prove", "prove one session over pipes, for programs", popw_prove },
		{ 0 },
	};

	return cli_verbs("popw", verbs, argc, argv);
}

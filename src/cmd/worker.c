#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/provider.h"
#include "cmd/registration.h"
#include "cmd/worker.h"

int cmd_worker(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "join", "make this machine's key and join a network", cmd_worker_join },
		{ "run", "offer this machine and run what tenants rent on it", cmd_worker_run },
		{ "token", "make a one-time token for a machine to join with", provider_token },
		{ "status", "show your machines", provider_status },
		{ "price", "set what a machine costs, its name, or pause it", provider_price },
		{ "earnings", "what your machines earned", provider_earnings },
		{ "consent", "let a wallet register this machine on the chain",
		  registration_consent_worker },
		{ "register", "register a machine of yours on the chain", registration_worker },
		{ "deregister", "take a machine of yours off the chain's registry",
		  deregistration_worker },
		{ "remove", "take a machine out of the network", provider_remove },
		{ 0 },
	};

	return cli_verbs("worker", verbs, argc, argv);
}

#include "cmd/checker.h"

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/licence.h"
#include "cmd/registration.h"

int cmd_checker(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "create", "make a checker's key and register it with your account",
		  cmd_checker_create },
		{ "run", "verify machines: needs no GPU", cmd_checker_run },
		{ "status", "show your checkers", cmd_checker_status },
		{ "tasks", "show what a checker of yours did", cmd_checker_tasks },
		{ "consent", "let a wallet register this checker on the chain",
		  registration_consent_checker },
		{ "register", "register a checker of yours on the chain", registration_checker },
		{ "deregister", "take a checker of yours off the chain's registry",
		  deregistration_checker },
		{ "delegations", "show the licences that are delegated to your checkers",
		  licence_delegations },
		{ "accept", "accept a licence", licence_accept },
		{ "refuse", "refuse a licence", licence_refuse },
		{ "remove", "take a checker out of the network", cmd_checker_remove },
		{ 0 },
	};

	return cli_verbs("checker", verbs, argc, argv);
}

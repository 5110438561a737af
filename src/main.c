/* main.c - the table of subcommands, nothing else. */
#include "base/base.h"
#include "cmd/commands.h"

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "licence", "buy checker licences, delegate them, take them back", cmd_licence },
	{ "login", "sign in with this machine's wallet", cmd_login },
	{ "logout", "end the session", cmd_logout },
	{ "search", "find offers", cmd_search },
	{ "run", "rent a container", cmd_run },
	{ "ps", "list your rentals", cmd_ps },
	{ "inspect", "all about a rental", cmd_inspect },
	{ "logs", "what a rental wrote", cmd_logs },
	{ "exec", "run a command in a rental", cmd_exec },
	{ "stats", "what a rental uses", cmd_stats },
	{ "stop", "stop a rental", cmd_stop },
	{ "rm", "remove an ended rental", cmd_rm },
	{ "balance", "what you may spend", cmd_balance },
	{ "deposit", "bring tokens into the escrow, to pay rentals with", cmd_deposit },
	{ "bill", "what a rental cost, and where that is recorded", cmd_bill },
	{ "statement", "every movement of your money", cmd_statement },
	{ "deposits", "what lies in the escrow contract for you, and came there", cmd_deposits },
	{ "withdraw", "take back what of your deposits you do not use", cmd_withdraw },
	{ "withdrawals", "what you took back", cmd_withdrawals },
	{ "collect", "fetch what the escrow owes your wallet: earnings, withdrawals", cmd_collect },
	{ "escrow", "what the contract itself holds for you, and how to leave it", cmd_escrow },
	{ "admin", "what operators do", cmd_admin },
	{ "server", "run the control plane", cmd_server },
	{ "migrate", "bring the store's tables up to date", cmd_migrate },
	{ "verify-bill", "check a bill without asking anybody, or on the chain", cmd_verify_bill },
	{ "rewards", "see what epochs paid, and compute it again", cmd_rewards },
	{ "wallet", "make, import, export and choose the keys that sign you in", cmd_wallet },
	{ "anchor", "check the network's final records on the chain", cmd_anchor },
	{ "audit", "who did what, and check it against the chain", cmd_audit },
	{ "popw", "prove what a machine can do, and check such proofs", cmd_popw },
	{ "worker", "offer a machine of yours", cmd_worker },
	{ "checker", "verify machines with a computer of yours", cmd_checker },
	{ "vpn", "the mesh VPN on this machine", cmd_vpn },
	{ "signer", "hold the network's key for the chain, apart", cmd_signer },
};

static int usage(FILE *out)
{
	fputs("usage: kaisar COMMAND [OPTIONS]\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
	fputs("\n`kaisar COMMAND --help` says more.\n", out);
	return out == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--version") == 0) {
		puts("kaisar " KAISAR_VERSION);
		return 0;
	}
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0) {
		/* `kaisar help run` is `kaisar run --help`. */
		char *help[] = { argv[argc > 2 ? 2 : 0], (char[]){ "--help" }, NULL };

		for (size_t i = 0; argc > 2 && i < ARRAY_SIZE(commands); i++)
			if (strcmp(argv[2], commands[i].name) == 0)
				return commands[i].run(2, help);
		if (argc <= 2)
			return usage(stdout);
		name = argv[2];
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "kaisar: no command '%s'\n", name);
	return usage(stderr);
}

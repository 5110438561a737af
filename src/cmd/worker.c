#include "base/base.h"
#include "cmd/commands.h"
#include "cmd/worker.h"

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "join", "make this machine's key and join a network", cmd_worker_join },
	{ "run", "offer this machine and run what tenants rent on it", cmd_worker_run },
};

static int usage(FILE *out)
{
	fputs("usage: kaisar worker COMMAND [OPTIONS]\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
	return out == stdout ? 0 : 2;
}

int cmd_worker(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0)
		return usage(stdout);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "kaisar worker: no command '%s'\n", name);
	return usage(stderr);
}

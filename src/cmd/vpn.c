/* vpn.c - the mesh VPN on this machine: its key (create), keeping a gateway or lighthouse in it (run), and how
 * it does (status). Workers and checkers are kept in it by `kaisar worker run` and `kaisar checker run`. */
#include "cmd/vpn.h"

#include <unistd.h>

#include "base/log.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/node_vpn.h"
#include "io/loop.h"

enum { HOME_MAX = 65536 };

static const struct option_row run_rows[] = {
	{ "state", 0, "DIR", "where `kaisar vpn create` put its key (KAISAR_HOME/vpn)" },
	{ "log-json", 0, NULL, "log lines as JSON" },
	{ 0 },
};
static const struct option_table run_table = {
	.usage = "kaisar vpn run [OPTIONS]",
	.about = "Keeps this machine in the network's VPN, as the gateway or lighthouse that an\n"
		 "operator let in (kaisar admin vpn add). Tunnels end with it.",
	.rows = run_rows,
};

static void on_signal(void *arg, int signal)
{
	log_info("vpn.signal", log_int("signal", signal));
	loop_stop(arg);
}

static int run(struct state *state, const char *folder)
{
	struct loop *loop = NULL;
	struct node_vpn vpn = { 0 };
	int r, status = 0;

	r = loop_new(&loop);
	if (r == 0)
		r = loop_on_signal(loop, on_signal, loop);
	if (r == 0)
		status = node_vpn_start("on", loop, state, folder, 0, &vpn);
	if (r == 0 && status == 0) {
		log_info("vpn.started", log_text("state", folder));
		r = loop_run(loop);
	}
	node_vpn_end(&vpn);
	loop_free(loop);
	return r < 0 ? cli_fault(r, folder) : status;
}

static int cmd_vpn_run(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	const char *folder = NULL;
	struct state_config config;
	struct options options;
	int r, status;

	if (options_read(&run_table, argc, argv, &options, &status) != 0)
		return status;
	log_init(options_has(&options, "log-json"), LOG_INFO);
	r = arena_new(HOME_MAX, &arena);
	if (r == 0)
		r = home_path(arena, "vpn", &folder);
	folder = options_get(&options, "state", folder);
	if (!folder)
		return options_refuse(&run_table, "which folder? --state DIR");
	if (access(folder, F_OK) < 0)
		return cli_fail(CLI_FAILED, "%s is not there; first: kaisar vpn create URL",
				folder);
	r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED, "another process is running on %s", folder);
	if (r == 0)
		r = state_read_config(state, &config);
	if (r == -ENOENT)
		return cli_fail(CLI_FAILED, "%s holds no key; first: kaisar vpn create URL",
				folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_VPN);
	return status != 0 ? status : run(state, folder);
}

int cmd_vpn(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "create", "make the key of a gateway or lighthouse", cmd_vpn_create },
		{ "run", "keep a gateway or lighthouse in the VPN", cmd_vpn_run },
		{ "status", "how the VPN does on this machine, and what is wrong", cmd_vpn_status },
		{ 0 },
	};

	return cli_verbs("vpn", verbs, argc, argv);
}

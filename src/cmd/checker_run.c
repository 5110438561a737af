#include "cmd/checker.h"

#include <unistd.h>

#include "base/log.h"
#include "checker/checker.h"
#include "cmd/client.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/node_vpn.h"
#include "cmd/options.h"
#include "io/loop.h"

static const struct option_row rows[] = {
	{ "state", 0, "DIR", "where `kaisar checker create` put its key (KAISAR_HOME/checker)" },
	NODE_VPN_ROW,
	{ "log-json", 0, NULL, "log lines as JSON" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar checker run [OPTIONS]",
	.about =
		"Verifies machines for the network that this checker is registered with. A CPU is\n"
		"enough; the checker needs a licence to be given tasks.",
	.rows = rows,
};

enum { HOME_MAX = 65536 };

struct running {
	struct loop *loop;
	struct checker *checker;
};

static void on_signal(void *arg, int signal)
{
	struct running *running = arg;

	log_info("checker.signal", log_int("signal", signal));
	if (running->checker)
		checker_stop(running->checker);
	loop_stop(running->loop);
}

/* Why it did not start, and what helps. */
static int say_fault(int r, const char *folder)
{
	switch (r) {
	case -ENOENT:
		return cli_fail(CLI_FAILED,
				"%s holds no checker's key; first: kaisar checker create URL",
				folder);
	case -EBADMSG:
		return cli_fail(CLI_FAILED,
				"%s is damaged: what was read there is not what was written. Put "
				"its files config and key back from a copy, or create another "
				"checker with another folder (--state DIR)",
				folder);
	case -EPROTONOSUPPORT:
		return cli_fail(CLI_FAILED,
				"%s was written by a later version of kaisar: run that one",
				folder);
	default:
		return cli_fault(r, folder);
	}
}

static int run(struct checker_config *config, const char *folder, const char *vpn_word)
{
	struct node_vpn vpn = { 0 };
	struct running running = { 0 };
	int r, status = 0;

	r = loop_new(&running.loop);
	if (r < 0)
		return cli_fault(r, "starting the loop");
	config->loop = running.loop;
	r = loop_on_signal(running.loop, on_signal, &running);
	if (r == 0)
		r = checker_new(config, &running.checker);
	if (r == 0)
		status = node_vpn_start(vpn_word, running.loop, config->state, folder, 0, &vpn);
	if (r == 0 && status == 0) {
		log_info("checker.started", log_text("state", folder));
		r = loop_run(running.loop);
		if (checker_refusal(running.checker))
			status = node_refused(folder, checker_refusal(running.checker));
	}
	node_vpn_end(&vpn);
	checker_free(running.checker);
	loop_free(running.loop);
	return r < 0 ? say_fault(r, folder) : status;
}

int cmd_checker_run(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	struct checker_config config = { .clock = &clock_system,
					 .random = &random_system,
					 .version = KAISAR_VERSION };
	const char *folder = NULL;
	struct options options;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (!node_vpn_word_ok(options_get(&options, "vpn", "auto")))
		return options_refuse(&table, "--vpn must be on, off or auto");
	log_init(options_has(&options, "log-json"), LOG_INFO);
	folder = options_get(&options, "state", NULL);
	r = arena_new(HOME_MAX, &arena);
	if (r == 0 && !folder)
		r = home_path(arena, "checker", &folder);
	if (!folder)
		return options_refuse(&table, "which folder? --state DIR");
	if (access(folder, F_OK) < 0)
		return cli_fail(CLI_FAILED, "%s is not there; first: kaisar checker create URL",
				folder);
	r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED, "a checker or worker is running on %s already", folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_CHECKER);
	if (status != 0)
		return status;
	config.state = state;
	return run(&config, folder, options_get(&options, "vpn", "auto"));
}

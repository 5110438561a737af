/* run.c - `kaisar run`: orders a rental and, unless detached, stays with it to its end. */
#include <signal.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/logs.h"
#include "cmd/order.h"
#include "cmd/rental_wait.h"

enum { POLL_MS = 150, START_WAIT_MS = 30 * 60 * 1000, SIGNAL_CODE = 128 };

static const struct option_row rows[] = {
	{ "detach", 'd', NULL, "print the id and leave it running" },
	ORDER_ROWS,
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar run [OPTIONS] IMAGE [COMMAND...]",
	.about = "Rents a container on the best machine that fits. Without --detach it shows the "
		 "state\n"
		 "and the log and exits with the container's own code; Ctrl-C stops the rental.",
	.rows = rows,
	.stop_at_word = true,
	.words_max = SIZE_MAX,
};

static void say_state(const json_t *rental)
{
	const char *detail = rental_text(rental, "detail");

	fprintf(stderr, "kaisar: %s %s%s%s\n", rental_text(rental, "id"),
		rental_text(rental, "state"), *detail ? ": " : "", detail);
}

/* Its container has begun to be made, so there may be a log; or there never will be one. */
static bool has_begun(const json_t *rental)
{
	const char *state = rental_text(rental, "state");

	return strcmp(state, "running") == 0 || strcmp(state, "stopping") == 0 ||
	       rental_has_ended(rental);
}

static bool says_the_same(const json_t *a, const json_t *b)
{
	return strcmp(rental_text(a, "state"), rental_text(b, "state")) == 0 &&
	       strcmp(rental_text(a, "detail"), rental_text(b, "detail")) == 0;
}

static void interrupts(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGTERM);
}

/* Sleeps a moment. A first Ctrl-C stops the rental, whose end is then awaited; a second one leaves. */
static int pause_or_stop(struct client *client, const char *id, bool *stopping)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000l };
	_cleanup_(json_decrefp) json_t *rental = NULL;
	sigset_t set;
	int signal;

	interrupts(&set);
	signal = sigtimedwait(&set, NULL, &pause);
	if (signal < 0)
		return 0;
	if (*stopping)
		return cli_fail(SIGNAL_CODE + signal, "%s is still stopping", id);
	*stopping = true;
	cli_fail(0, "stopping %s; once more to leave at once", id);
	return rental_stop(client, id, &rental);
}

/* Shows each change until the container runs or the rental has ended; replaces *@rental. */
static int follow_start(struct client *client, json_t **rental)
{
	const char *id = arena_printf(client_arena(client), "%s", rental_text(*rental, "id"));
	int64_t until = clock_mono_ms(&clock_system) + START_WAIT_MS;
	bool stopping = false;

	if (!id)
		return cli_fault(-ENOMEM, "run");
	say_state(*rental);
	while (!has_begun(*rental)) {
		json_t *newer;
		int r;

		if (clock_mono_ms(&clock_system) > until)
			return cli_fail(CLI_TIMEOUT, "%s has not started; `kaisar stop` ends it",
					id);
		r = pause_or_stop(client, id, &stopping);
		if (r == 0)
			r = rental_get(client, id, &newer);
		if (r != 0)
			return r;
		if (!rental_has_ended(newer) && !says_the_same(*rental, newer))
			say_state(newer);
		json_decref(*rental);
		*rental = newer;
	}
	return 0;
}

static int stay_with(struct client *client, json_t **rental)
{
	const struct logs_wish wish = { .follow = true, .owns = true };
	_cleanup_(json_decrefp) json_t *ended = NULL;
	sigset_t set;
	bool ran;
	int r;

	interrupts(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = follow_start(client, rental);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (r != 0)
		return r;
	ran = !json_is_null(json_object_get(*rental, "started_at"));
	if (ran)
		r = logs_show(client, rental_text(*rental, "id"), &wish);
	if (r != 0)
		return r;
	r = rental_wait_end(client, rental_text(*rental, "id"), &ended);
	if (r != 0)
		return r;
	if (strcmp(rental_text(ended, "state"), "stopped") == 0)
		say_state(ended);
	return rental_exit_code(ended);
}

static int run(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *body = NULL, *rental = NULL;
	struct client_call call = { .method = "POST", .path = "/v1/rentals", .creates = true };
	int r = order_body(&cli->options, &body);

	if (r != 0)
		return r;
	call.body = body;
	r = client_call(cli->client, &call, &rental);
	if (r != 0)
		return r;
	if (!options_has(&cli->options, "detach"))
		return stay_with(cli->client, &rental);
	if (cli->format != OUT_TABLE)
		return cli_print_object(cli, NULL, rental);
	puts(rental_text(rental, "id"));
	return 0;
}

int cmd_run(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	status = run(&cli);
	cli_end(&cli);
	return status;
}

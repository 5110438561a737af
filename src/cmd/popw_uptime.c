/* popw_uptime.c - an hour of watching again: what the watchers signed, and when a machine was away for most of
 * them, which is what no tenant is charged for. */
#include "cmd/popw.h"

#include "base/clock.h"
#include "cmd/cli.h"
#include "cmd/file.h"
#include "cmd/watched_hour.h"

enum { ARENA_BYTES = 4 << 20 };

static const struct option_row rows[] = {
	{ "tenant", 0, "ADDRESS", "without this account's checkers, as in its bill" },
	{ "save", 0, "FILE", "keep what was fetched, to compute it again without the network" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar popw uptime [OPTIONS] MACHINE HOUR | FILE",
	.about =
		"Computes again when a machine could not be reached by most of those who watched "
		"it in an\n"
		"hour since 1970 (a bill names the hours in which that excused it), from what they "
		"signed.\n"
		"Of a FILE, asking nobody.",
	.rows = rows,
	.words_min = 1,
	.words_max = 2,
};

static void print_watcher(const struct hour_watcher *watcher)
{
	char checker[ADDRESS_TEXT_SIZE];

	address_text(&watcher->checker, checker);
	if (!watcher->report.signature) {
		printf("%-42s %8s %8s %8s  %s\n", checker, "-", "-", "-", "said nothing");
		return;
	}
	printf("%-42s %8" PRId64 " %8" PRId64 " %7" PRId64 "s  %s%s\n", checker,
	       watcher->report.polls, watcher->report.answered, watcher->away_s,
	       watcher->signed_ ? "ok" : "WRONG", watcher->counted ? "" : ", not counted");
}

static void print_spans(const struct watched_hour *hour)
{
	const struct spans *spans = &hour->computed;
	char from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < spans->n; i++) {
		clock_text(hour->hour * hour->hour_ms + spans->items[i].from_s * 1000, from);
		clock_text(hour->hour * hour->hour_ms + spans->items[i].until_s * 1000, until);
		printf("Away from %s to %s.\n", from, until);
	}
	if (spans->n == 0)
		printf("It was away for fewer than %zu of %zu at any time.\n", hour->needed,
		       hour->drawn);
}

static int check(struct watched_hour *hour, const struct account_id *tenant)
{
	bool holds = watched_hour_check(hour, tenant);

	printf("%-42s %8s %8s %8s  %s\n", "WATCHER", "POLLS", "ANSWERED", "AWAY", "SIGNATURE");
	for (size_t i = 0; i < hour->watchers.n; i++)
		print_watcher(&watched_hour_watchers(hour)[i]);
	if (hour->state == WATCHED_HOUR_OPEN) {
		printf("Hour %" PRId64 " is not over: what was reported is not told yet.\n",
		       hour->hour);
		return 0;
	}
	print_spans(hour);
	if (holds)
		printf("Hour %" PRId64 " holds: %zu of %zu must have missed the machine.\n",
		       hour->hour, hour->needed, hour->drawn);
	else
		printf("Hour %" PRId64 " does NOT hold: a report is not its watcher's, or the "
		       "network made something else of them.\n",
		       hour->hour);
	return holds ? 0 : 1;
}

static int fetch(const struct options *options, char **ret_text, size_t *ret_len)
{
	_cleanup_(client_closep) struct client *client = NULL;
	const char *save = options_get(options, "save", NULL), *machine, *hour;
	char path[160];
	int r = client_open(options_get(options, "url", NULL), &client);

	if (r != 0)
		return r;
	machine = client_escape(client, options->words[0]);
	hour = client_escape(client, options->words[1]);
	if (!machine || !hour)
		return cli_fault(-ENOMEM, "fetch");
	if (snprintf(path, sizeof(path), "/v1/uptime/%s/%s", machine, hour) >= (int)sizeof(path))
		return options_refuse(&table, "MACHINE is an address, HOUR a number");
	r = client_get_text(client, path, WATCHED_HOUR_JSON_MAX, ret_text, ret_len);
	if (r == 0 && save) {
		r = file_write(save, *ret_text, *ret_len, 0644);
		return r < 0 ? cli_fault(r, save) : 0;
	}
	return r;
}

static int read_text(const struct options *options, struct arena *arena, char **ret_text,
		     size_t *ret_len)
{
	_cleanup_(freep) char *fetched = NULL;
	int r;

	if (options->n_words == 1) {
		r = file_read(options->words[0], WATCHED_HOUR_JSON_MAX, arena, ret_text, ret_len);
		return r < 0 ? cli_fault(r, options->words[0]) : 0;
	}
	r = fetch(options, &fetched, ret_len);
	if (r != 0)
		return r;
	*ret_text = arena_text(arena, fetched, *ret_len);
	return *ret_text ? 0 : cli_fault(-ENOMEM, "fetch");
}

static int run(const struct options *options, const struct account_id *tenant, struct arena *arena)
{
	struct field_error error;
	struct watched_hour hour;
	size_t len;
	char *text;
	int r = read_text(options, arena, &text, &len);

	if (r != 0)
		return r;
	r = watched_hour_read(text, len, arena, &hour, &error);
	if (r < 0)
		return cli_fault(r, "read");
	if (r == 0)
		return check(&hour, tenant);
	printf("This is no hour of watching: %s%s%s.\n", error.field, *error.field ? " " : "",
	       error.rule);
	return 1;
}

int popw_uptime(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct options options;
	struct account_id tenant;
	const char *text;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	text = options_get(&options, "tenant", NULL);
	if (text && address_parse(text, &tenant.address) < 0)
		return options_refuse(&table, "--tenant must be 0x and 40 hex digits");
	r = arena_new(ARENA_BYTES, &arena);
	return r < 0 ? cli_fault(r, "start") : run(&options, text ? &tenant : NULL, arena);
}

#include "cmd/vpn.h"

#include <unistd.h>

#include "cmd/cli.h"
#include "cmd/home.h"
#include "link/vpn_folder.h"
#include "link/vpn_keeper.h"

enum { ARENA_MAX = 4 << 20 };

static const struct option_row rows[] = {
	{ "state", 0, "DIR",
	  "the machine's folder (the one of KAISAR_HOME/worker, checker and vpn that is there)" },
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar vpn status [OPTIONS]",
	.about = "How the mesh VPN does on this machine; exits with 1 where something is wrong, "
		 "and\n"
		 "says what helps.",
	.rows = rows,
};

static const struct column columns[] = {
	{ "kind", "kind" },
	{ "address", "address" },
	{ "certificate until", "certificate_until" },
	{ "asked", "asked_at" },
	{ "running since", "started_at" },
	{ "started", "starts" },
	{ "problem", "problem" },
	{ 0 },
};

static const struct column lighthouse_columns[] = {
	{ "LIGHTHOUSE", "address" },
	{ "PLACE", "place" },
	{ "STATE", "state" },
	{ 0 },
};

static const struct column tunnel_columns[] = {
	{ "TUNNEL TO", "address" },
	{ "MACHINE", "machine" },
	{ "AT", "place" },
	{ "SINCE", "since" },
	{ 0 },
};

/* NULL: none of them is there. */
static const char *usual_folder(struct arena *arena)
{
	static const char *const names[] = { "worker/vpn", "checker/vpn", "vpn/vpn" };
	const char *home = NULL, *path;

	if (home_path(arena, "", &home) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		path = arena_printf(arena, "%s/%s", home, names[i]);
		if (path && access(path, F_OK) == 0)
			return arena_printf(arena, "%s/%.*s", home,
					    (int)(strlen(names[i]) - strlen("/vpn")), names[i]);
	}
	return NULL;
}

static int show(enum out_format format, json_t *status, bool kept)
{
	const char *problem = json_string_value(json_object_get(status, "problem"));
	int r;

	if (!kept) {
		problem =
			"no process keeps this machine in the VPN: kaisar worker run, checker run "
			"or vpn run does";
		if (json_object_set_new(status, "problem", json_string(problem)) < 0 ||
		    json_object_set_new(status, "running", json_false()) < 0)
			return cli_fault(-ENOMEM, "status");
	}
	r = table_object(format, columns, status);
	if (r == 0 && format == OUT_TABLE)
		r = table_list(format, lighthouse_columns, json_object_get(status, "lighthouses"));
	if (r == 0 && format == OUT_TABLE)
		r = table_list(format, tunnel_columns, json_object_get(status, "tunnels"));
	if (r < 0)
		return cli_fault(r, "writing");
	return problem && *problem ? cli_fail(CLI_FAILED, "%s", problem) : 0;
}

static int status_of(const char *state, enum out_format format, struct arena *arena)
{
	struct vpn_folder folder;
	json_t *status;
	char *text;
	bool kept;
	int r, code;

	r = vpn_folder_look(state, &folder, &kept);
	if (r == 0) {
		r = vpn_folder_read(&folder, "status", VPN_STATUS_MAX, arena, &text);
		vpn_folder_close(&folder);
	}
	if (r == -ENOENT)
		return cli_fail(CLI_FAILED,
				"%s: no VPN was ever kept here: install nebula, and start the "
				"machine's command (kaisar worker run, checker run or vpn run)",
				state);
	if (r < 0)
		return cli_fault(r, state);
	status = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(status)) {
		json_decref(status);
		return cli_fail(CLI_FAILED,
				"%s/vpn/status is damaged; it is written anew by and by", state);
	}
	code = show(format, status, kept);
	json_decref(status);
	return code;
}

int cmd_vpn_status(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	enum out_format format;
	struct options options;
	const char *state;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (out_format_parse(options_get(&options, "output", "table"), &format) < 0)
		return options_refuse(&table, "--output must be table, json or yaml");
	r = arena_new(ARENA_MAX, &arena);
	if (r < 0)
		return cli_fault(r, "status");
	state = options_get(&options, "state", NULL);
	if (!state)
		state = usual_folder(arena);
	if (!state)
		return options_refuse(&table, "which machine? --state DIR");
	return status_of(state, format, arena);
}

#include "cmd/worker_checks.h"

#include "base/clock.h"

enum { WAITS_SIZE = 96, REMEDIES_MAX = 32 /* failed devices whose sessions are asked for */ };

/* What machines say they have, and what proofs bear out of it: by that they are paid. */
static const struct column credit_columns[] = {
	{ "MACHINE", "name" },
	{ "CORES", "inventory.cpu_count" },
	{ "CREDITED", "credited.cpu_count" },
	{ "RAM", "inventory.memory_bytes", COLUMN_BYTES },
	{ "CREDITED", "credited.memory_bytes", COLUMN_BYTES },
	{ "DISK", "inventory.disk_bytes", COLUMN_BYTES },
	{ "CREDITED", "credited.disk_bytes", COLUMN_BYTES },
	{ "WHY", "credited.why" },
	{ 0 },
};

static const struct column check_columns[] = {
	{ "MACHINE", "name" },
	{ "DEVICE", "kind" },
	{ "UUID", "uuid" },
	{ "CHECK", "state" },
	{ "CLASS", "class" },
	{ "SCORE", "score_milli", COLUMN_MILLI },
	{ "GOPS", "matrix_mops", COLUMN_MILLI },
	{ "WALK MB/S", "walk_kbps", COLUMN_MILLI },
	{ "SET MIB", "set_mib" },
	{ "FILL MB/S", "fill_kbps", COLUMN_MILLI },
	{ "DOWN MBIT/S", "down_kbps", COLUMN_MILLI },
	{ "UP MBIT/S", "up_kbps", COLUMN_MILLI },
	{ "AT", "checked_at" },
	{ "PROOF", "proof" },
	{ "WHY", "why" },
	{ "NEXT", "next" },
	{ 0 },
};

static const struct column session_columns[] = {
	{ "MACHINE", "name" },
	{ "DEVICE", "kind" },
	{ "UUID", "uuid" },
	{ "GOES ON", "session.proof" },
	{ "PHASE", "session.phase" },
	{ "SINCE", "session.started_at" },
	{ "UNTIL", "session.phase_until" },
	{ "PANEL", "session.panel_size" },
	{ 0 },
};

/* ---- noting ---- */

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

static bool is_same(const json_t *a, const char *member, const json_t *b, const char *other)
{
	return strcmp(text_of(a, member), text_of(b, other)) == 0;
}

/* New: of the device's session among the @live ones, or null. */
static json_t *session_of(const json_t *worker, const json_t *device, const json_t *live)
{
	const json_t *proof;
	size_t i;

	json_array_foreach(live, i, proof)
		if (is_same(proof, "machine", worker, "machine") &&
		    is_same(proof, "device", device, "kind") &&
		    is_same(proof, "gpu", device, "uuid"))
			return json_pack("{s:O, s:O, s:O, s:O, s:O}", "proof",
					 json_object_get(proof, "id"), "phase",
					 json_object_get(proof, "phase"), "phase_until",
					 json_object_get(proof, "phase_until"), "started_at",
					 json_object_get(proof, "started_at"), "panel_size",
					 json_object_get(proof, "panel_size"));
	return json_null();
}

/* New: for what the device's next session waits, or null: for its time. */
static json_t *waits_of(const json_t *worker, const json_t *device, const json_t *panel)
{
	json_int_t checkers = json_integer_value(json_object_get(panel, "checkers"));
	json_int_t least = json_integer_value(json_object_get(panel, "least"));
	char text[WAITS_SIZE], now[CLOCK_TEXT_SIZE];
	const char *due = text_of(device, "due_at");

	if (strcmp(text_of(worker, "state"), "online") != 0)
		return json_string("waits for the machine to be online");
	if (checkers < least) {
		snprintf(text, sizeof(text),
			 "waits for checkers: %" JSON_INTEGER_FORMAT
			 " may check it, %" JSON_INTEGER_FORMAT " are needed",
			 checkers, least);
		return json_string(text);
	}
	clock_text(clock_now_ms(&clock_system), now);
	return *due && strcmp(due, now) <= 0 ? json_string("waits for its turn") : json_null();
}

/* New: what may be done about the session by which a device failed, or null: nothing more. One that passed is not
 * why: no session changes what a probe found. */
static json_t *remedy_of(const json_t *proof)
{
	const char *until = text_of(proof, "appeal_until");
	const json_t *appeal = json_object_get(json_object_get(proof, "appeals"), "owner");

	if (strcmp(text_of(proof, "state"), "passed") == 0)
		return json_null();
	if (*until)
		return json_sprintf("until %s `kaisar popw appeal %s` asks for another look", until,
				    text_of(proof, "id"));
	if (strcmp(text_of(appeal, "state"), "queued") == 0)
		return json_string("its appeal waits for its session");
	return json_null();
}

static int note_remedy(struct cli *cli, json_t *device, size_t *left)
{
	bool failed = strcmp(text_of(device, "state"), "failed") == 0;
	_cleanup_(json_decrefp) json_t *proof = NULL;
	const char *path;
	int r;

	if (!failed || !*text_of(device, "proof") || *left == 0)
		return json_object_set_new(device, "remedy", json_null()) < 0 ? -ENOMEM : 0;
	(*left)--;
	path = cli_path(cli, "/v1/proofs/", text_of(device, "proof"), "");
	r = path ? client_get(cli->client, path, &proof) : -ENOMEM;
	if (r == 0 && json_object_set_new(device, "remedy", remedy_of(proof)) < 0)
		r = -ENOMEM;
	return r;
}

static int note_remedies(struct cli *cli, json_t *workers)
{
	json_t *worker, *device;
	size_t i, j, left = REMEDIES_MAX;
	int r;

	json_array_foreach(workers, i, worker) {
		json_array_foreach(json_object_get(worker, "devices"), j, device) {
			r = note_remedy(cli, device, &left);
			if (r != 0)
				return r < 0 ? cli_fault(r, "status") : r;
		}
	}
	return 0;
}

static int note_one(json_t *worker, const json_t *live, const json_t *panel)
{
	json_t *device;
	size_t i;

	json_array_foreach(json_object_get(worker, "devices"), i, device) {
		json_t *session = session_of(worker, device, live);
		json_t *waits = json_is_null(session) ? waits_of(worker, device, panel)
						      : json_null();

		if (json_object_set_new(device, "session", session) < 0 ||
		    json_object_set_new(device, "waits", waits) < 0)
			return -ENOMEM;
	}
	return 0;
}

int worker_checks_note(struct cli *cli, json_t *workers)
{
	_cleanup_(json_decrefp) json_t *live = NULL, *panel = NULL;
	json_t *worker;
	size_t i;
	int r;

	if (json_array_size(workers) == 0)
		return 0;
	r = client_list(cli->client, "/v1/proofs?outcome=live&limit=100", 0, &live);
	if (r == 0)
		r = client_get(cli->client, "/v1/panel", &panel);
	if (r != 0)
		return r;
	json_array_foreach(workers, i, worker)
		if (note_one(worker, live, panel) < 0)
			return cli_fault(-ENOMEM, "status");
	return note_remedies(cli, workers);
}

/* ---- tables ---- */

/* The time of the next session, or what is to be known of it. */
static json_t *next_of(const json_t *device)
{
	if (!json_is_null(json_object_get(device, "session")))
		return json_string("goes on now");
	if (!json_is_null(json_object_get(device, "waits")))
		return json_incref(json_object_get(device, "waits"));
	return json_incref(json_object_get(device, "due_at"));
}

/* Why it failed, and what may be done about it. */
static json_t *why_of(const json_t *device)
{
	const char *reason = text_of(device, "reason"), *remedy = text_of(device, "remedy");

	return json_sprintf("%s%s%s", reason, *reason && *remedy ? "; " : "", remedy);
}

static int collect_one(const json_t *worker, const json_t *device, json_t *checks, json_t *sessions)
{
	_cleanup_(json_decrefp) json_t *check = json_copy((json_t *)(uintptr_t)device);

	if (!check || json_object_set(check, "name", json_object_get(worker, "name")) < 0 ||
	    json_object_set_new(check, "next", next_of(device)) < 0 ||
	    json_object_set_new(check, "why", why_of(device)) < 0 ||
	    json_array_append(checks, check) < 0)
		return -ENOMEM;
	if (json_is_null(json_object_get(check, "session")))
		return 0;
	return json_array_append(sessions, check) < 0 ? -ENOMEM : 0;
}

/* The devices of all machines in one list, each with its machine's name; and those with a session. */
static int collect(const json_t *workers, json_t *checks, json_t *sessions)
{
	json_t *worker, *device;
	size_t i, j;

	json_array_foreach(workers, i, worker)
		json_array_foreach(json_object_get(worker, "devices"), j, device)
			if (collect_one(worker, device, checks, sessions) < 0)
				return -ENOMEM;
	return 0;
}

int worker_checks_show(struct cli *cli, const json_t *workers)
{
	_cleanup_(json_decrefp) json_t *checks = json_array(), *sessions = json_array();
	int r;

	if (json_array_size(workers) == 0)
		return 0;
	if (!checks || !sessions || collect(workers, checks, sessions) < 0)
		return cli_fault(-ENOMEM, "status");
	putchar('\n');
	r = cli_print_list(cli, credit_columns, workers);
	if (r != 0)
		return r;
	putchar('\n');
	r = cli_print_list(cli, check_columns, checks);
	if (r != 0 || json_array_size(sessions) == 0)
		return r;
	putchar('\n');
	return cli_print_list(cli, session_columns, sessions);
}

#include "modules/proof/proof.h"

#include "api/settings.h"
#include "modules/logging/logging.h"
#include "modules/proof/appeals.h"
#include "modules/proof/hours.h"
#include "modules/proof/phases.h"
#include "modules/proof/probes.h"
#include "modules/proof/proof_end.h"
#include "modules/proof/proof_json.h"
#include "modules/proof/schedule.h"
#include "modules/proof/sessions.h"
#include "modules/proof/settle.h"
#include "modules/proof/uptime_routes.h"
#include "modules/proof/watch.h"

enum { SCHEDULE_MS = 1000, APPEALS_MS = 5000, PAGE_MAX = 100 };
enum { START_ARENA_BYTES = 1 << 20 };

/* ---- lists ---- */

/* "live", then verdicts, then why sessions ended (proof_end.c). */
static const char *const outcome_words[] = {
	"live",
	"passed",
	"lower",
	"failed",
	"no_majority",
	"judged",
	"no_quorum",
	"no_results",
	"worker_silent",
	"worker_gone",
	"malformed",
	WIRE_PROOF_YIELDED,
	WIRE_PROOF_NO_DEVICE,
	WIRE_PROOF_NO_MEMORY,
	WIRE_PROOF_BUSY,
	WIRE_PROOF_NO_NONCES,
	WIRE_PROOF_BROKEN,
	WIRE_PROOF_REFUSED,
	"interrupted",
	"fault",
	NULL,
};
static_assert(ARRAY_SIZE(outcome_words) == 5 + END_COUNT, "each end can be asked for");

struct list_query {
	struct address machine;
	int outcome;
	bool disagreements, planted;
	struct proof_id cursor;
	int64_t limit;
};

#define PAGE_FIELDS                                                                                \
	{ "outcome", FIELD_WORD, offsetof(struct list_query, outcome), .words = outcome_words,     \
	  .fallback = -1 },                                                                        \
		{ "cursor", FIELD_ID, offsetof(struct list_query, cursor), .prefix = "prf" },      \
	{                                                                                          \
		"limit", FIELD_INT, offsetof(struct list_query, limit), .min = 1, .max = PAGE_MAX, \
									.fallback = 50             \
	}
#define MACHINE_FIELD                                                          \
	{                                                                      \
		"machine", FIELD_ADDRESS, offsetof(struct list_query, machine) \
	}

static const struct field list_fields[] = { MACHINE_FIELD, PAGE_FIELDS, { 0 } };
static const struct field own_fields[] = { PAGE_FIELDS, { 0 } };
static const struct field admin_fields[] = {
	MACHINE_FIELD,
	{ "disagreements", FIELD_BOOL, offsetof(struct list_query, disagreements) },
	{ "planted", FIELD_BOOL, offsetof(struct list_query, planted) },
	PAGE_FIELDS,
	{ 0 },
};

static int list_json(const struct proof_row *rows, size_t n, json_t **ret_list)
{
	json_t *list = json_array();
	struct session session;
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = session_decode(rows[i].session, SESSION_SIZE, &session, NULL) == 0 ? 0 : -EIO;
		if (r == 0 &&
		    json_array_append_new(list, proof_json(&rows[i], session.panel_size)) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		*ret_list = list;
	else
		json_decref(list);
	return r;
}

static int answer_page(struct tx *tx, struct proof_page *page, struct reply *reply)
{
	size_t n, shown, limit = (size_t)page->limit;
	char next[ID_TEXT_SIZE];
	struct proof_row *rows;
	json_t *list;
	int r;

	page->limit++;
	r = proof_store_list(tx, page, &rows, &n);
	if (r != 0)
		return r;
	shown = size_min(n, limit);
	r = list_json(rows, shown, &list);
	if (r != 0)
		return r;
	if (n > shown)
		proof_id_text(&rows[shown - 1].id, next);
	return reply_with(reply, 200,
			  json_pack("{s:o, s:s?}", "items", list, "next", n > shown ? next : NULL));
}

static struct proof_page page_of(const struct list_query *query, struct machine_id *machine)
{
	static const struct address any;

	*machine = (struct machine_id){ query->machine };
	return (struct proof_page){
		.machine = address_equal(&query->machine, &any) ? NULL : machine,
		.outcome = query->outcome < 0 ? NULL : outcome_words[query->outcome],
		.disagreements = query->disagreements,
		.planted = query->planted,
		.before = query->cursor,
		.limit = query->limit,
	};
}

static int get_proofs(struct request *request, struct tx *tx, struct reply *reply)
{
	struct machine_id machine;
	struct proof_page page = page_of(request->query, &machine);

	return answer_page(tx, &page, reply);
}

static int get_all_proofs(struct request *request, struct tx *tx, struct reply *reply)
{
	struct machine_id machine;
	struct proof_page page = page_of(request->query, &machine);

	page.all = true;
	return answer_page(tx, &page, reply);
}

static int get_own_proofs(struct request *request, struct tx *tx, struct reply *reply)
{
	struct machine_id machine;
	struct proof_page page = page_of(request->query, &machine);
	struct worker_proof_device *devices;
	size_t n;
	int r;

	if (address_parse(request->params[0], &machine.address) < 0)
		return ROUTE_E_NOT_FOUND;
	page.machine = &machine;
	r = worker_proof_devices(request->context, tx, machine, &devices, &n);
	if (r != 0)
		return r;
	if (n > 0 && !account_equal(devices[0].owner, request->caller.account))
		return ROUTE_E_NOT_FOUND;
	page.all = false;
	/* What was checked while another owned it stays public under /v1/proofs. */
	return answer_page(tx, &page, reply);
}

/* ---- one ---- */

static int find(const struct request *request, struct tx *tx, struct proof_row *ret_row)
{
	struct proof_id id;

	if (proof_id_parse(request->params[0], &id) < 0)
		return ROUTE_E_NOT_FOUND;
	return proof_store_get(tx, id, ret_row);
}

static int answer_whole(const struct request *request, struct tx *tx, const struct proof_row *row,
			int status, struct reply *reply)
{
	struct proof_member *members;
	int64_t until_ms;
	size_t n;
	int r = proof_store_members(tx, row->id, &members, &n);

	if (r == 0)
		r = appeals_until(tx, row, clock_now_ms(request->context->clock), &until_ms);
	return r != 0 ? r : reply_with(reply, status, proof_json_whole(row, members, n, until_ms));
}

static int get_proof(struct request *request, struct tx *tx, struct reply *reply)
{
	struct proof_row row;
	int r = find(request, tx, &row);

	return r != 0 ? r : answer_whole(request, tx, &row, 200, reply);
}

static int get_record(struct request *request, struct tx *tx, struct reply *reply)
{
	struct proof_row row;
	const void *bytes;
	size_t len;
	int r = find(request, tx, &row);

	if (r != 0)
		return r;
	r = proof_store_record(tx, row.id, &bytes, &len);
	if (r == ROUTE_E_NOT_FOUND)
		return row.live ? PROOF_E_RUNNING : PROOF_E_NO_RECORD;
	if (r != 0)
		return r;
	return reply_with(reply, 200, json_pack("{s:o}", "record", proof_json_base64(bytes, len)));
}

static int post_appeal(struct request *request, struct tx *tx, struct reply *reply)
{
	char id[ID_TEXT_SIZE];
	struct proof_row row;
	int r = find(request, tx, &row);

	if (r == 0)
		r = appeals_ask(request->context, tx, row.id, request->caller.account);
	if (r != 0)
		return r;
	proof_id_text(&row.id, id);
	r = audit_own(request, tx, AUDIT_APPEAL_ASKED, id, json_object());
	if (r == 0)
		r = proof_store_get(tx, row.id, &row);
	if (r != 0)
		return r;
	job_wake(request->context, "proof_appeals");
	return answer_whole(request, tx, &row, 202, reply);
}

static int get_beacon(struct request *request, struct tx *tx, struct reply *reply)
{
	struct beacon beacon;
	int r = beacon_now(request->context, tx, &beacon);

	if (r != 0)
		return r;
	return reply_with(reply, 200, proof_json_beacon(&beacon, request->context->settings));
}

/* Who may check the caller's machines now: not its own checkers. */
static int get_panel(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct settings *settings = request->context->settings;
	struct checker_member *checkers;
	json_int_t others = 0;
	size_t n;
	int r = checker_eligible(request->context, tx, &checkers, &n);

	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		others += !account_equal(checkers[i].account, request->caller.account);
	return reply_with(reply, 200,
			  json_pack("{s:I, s:I, s:I, s:I, s:I}", "checkers", others, "least",
				    (json_int_t)settings->panel_least, "registration",
				    (json_int_t)settings->panel_registration, "standing",
				    (json_int_t)settings->panel_standing, "appeal",
				    (json_int_t)settings->panel_appeal));
}

static const struct route routes[] = {
	{ HTTP_GET, "/v1/proofs", PERM_PUBLIC, TX_READ,
	  .query = { list_fields, sizeof(struct list_query) }, .handler = get_proofs },
	{ HTTP_GET, "/v1/proofs/{proof}", PERM_PUBLIC, TX_READ, .handler = get_proof },
	{ HTTP_GET, "/v1/proofs/{proof}/record", PERM_PUBLIC, TX_READ, .handler = get_record },
	{ HTTP_POST, "/v1/proofs/{proof}/appeal", PERM_ACCOUNT, TX_WRITE, .handler = post_appeal },
	{ HTTP_GET, "/v1/probes", PERM_PUBLIC, TX_READ,
	  .query = { probes_fields, sizeof(struct probes_query) }, .handler = probes_get },
	{ HTTP_GET, "/v1/uptime/{machine}/{hour}", PERM_PUBLIC, TX_READ, .handler = uptime_get },
	{ HTTP_GET, "/v1/beacon", PERM_PUBLIC, TX_READ, .handler = get_beacon },
	{ HTTP_GET, "/v1/panel", PERM_WORKER_READ, TX_READ, .handler = get_panel },
	{ HTTP_GET, "/v1/workers/{machine}/proofs", PERM_WORKER_READ, TX_READ,
	  .query = { own_fields, sizeof(struct list_query) }, .handler = get_own_proofs },
	{ HTTP_GET, "/v1/admin/proofs", PERM_OPERATOR, TX_READ,
	  .query = { admin_fields, sizeof(struct list_query) }, .handler = get_all_proofs },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ PROOF_E_TOO_LATE, 409, "appeal-too-late",
	  "A session can be appealed against within a day after its end." },
	{ PROOF_E_APPEALED, 409, "appealed",
	  "A machine's owner appeals against a session once, and that appeal's session is the last "
	  "look; GET /v1/proofs/{proof} (`kaisar popw show`) says what came of it." },
	{ PROOF_E_HEARD, 409, "heard",
	  "The checkers that were marked wrong in a session are heard once, all together; GET "
	  "/v1/proofs/{proof} (`kaisar popw show`) says what came of it." },
	{ PROOF_E_RUNNING, 409, "proof-running", "The session is not over yet." },
	{ PROOF_E_NOT_CONCERNED, 403, "not-concerned",
	  "Only the machine's owner, or the owner of a checker that was marked wrong, may "
	  "appeal." },
	{ PROOF_E_NO_RECORD, 404, "no-record",
	  "The session was not judged, so it has no record; GET /v1/proofs/{proof} (`kaisar popw "
	  "show`) says how it ended." },
	{ 0 },
};

static const struct job jobs[] = {
	{ "proofs", SCHEDULE_MS, schedule_run },     { "proof_phases", SCHEDULE_MS, phases_run },
	{ "proof_settle", SCHEDULE_MS, settle_run }, { "proof_appeals", APPEALS_MS, appeals_run },
	{ "proof_watch", SCHEDULE_MS, watch_run },   { "proof_probes", SCHEDULE_MS, probes_run },
	{ "proof_hours", SCHEDULE_MS, hours_run },   { 0 },
};

/* ---- the nodes ---- */

static void on_checker_up(void *arg _unused_, const struct address *checker)
{
	watch_on_up(checker);
}

static void on_checker(void *arg _unused_, const struct address *checker,
		       const Wire__ToServer *message)
{
	sessions_on_checker(checker, message);
	watch_on_checker(checker, message);
	probes_on_checker(checker, message);
}

static void on_checker_down(void *arg _unused_, const struct address *checker)
{
	sessions_on_checker_down(checker);
	watch_on_down(checker);
}

static void on_worker(void *arg _unused_, struct machine_id machine, const Wire__ToServer *message)
{
	sessions_on_worker(machine, message);
	watch_on_worker(machine, message);
}

static void on_worker_down(void *arg _unused_, struct machine_id machine)
{
	sessions_on_worker_down(machine);
}

/* ---- life ---- */

/* What went on when the process, or another instance, ended is over; its devices are still due. */
static int tx_begin(struct tx *tx, void *arg)
{
	const struct context *context = arg;
	int r = proof_store_interrupt(tx, clock_now_ms(context->clock));

	if (r == 0)
		r = probes_start(context, tx);
	return r == 0 ? beacon_renew(context, tx) : r;
}

static void stop(void)
{
	sessions_stop();
	watch_stop();
	probes_stop();
}

static int start(const struct context *context)
{
	static const struct checker_listener checkers = { on_checker_up, on_checker,
							  on_checker_down, NULL };
	static const struct worker_proof_listener workers = { on_worker, on_worker_down, NULL };
	int r = sessions_start(context);

	if (r == 0)
		r = watch_start(context);
	if (r != 0)
		return r;
	checker_listen(&checkers);
	worker_proof_listen(&workers);
	return 0;
}

static int begin(const struct context *context)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(START_ARENA_BYTES, &arena);

	if (r == 0)
		r = db_run(context->db, TX_WRITE, arena, tx_begin, (void *)(uintptr_t)context);
	if (r == 0)
		watch_begin();
	if (r == 0)
		hours_begin(context);
	return r;
}

const struct module proof_module = {
	.name = "proof",
	.duty = NODES_DUTY,
	.routes = routes,
	.outcomes = outcomes,
	.jobs = jobs,
	.start = start,
	.begin = begin,
	.stop = stop,
};

#include "modules/proof/probes.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "base/text.h"
#include "modules/iam/iam.h"
#include "modules/logging/logging.h"
#include "modules/proof/plan.h"
#include "modules/proof/probes_begin.h"
#include "modules/service/service.h"
#include "modules/worker/worker.h"

enum {
	ANSWERS_MAX = 256, /* waiting to be written */
	DETAIL_SIZE = 200,
	REASON_SIZE = 256,
};

struct said {
	struct probe_id probe;
	struct address checker;
	bool passed;
	uint32_t gpus, answer_ms;
	char detail[DETAIL_SIZE];
};

static struct {
	const struct context *context;
	pthread_mutex_t mutex; /* guards what follows */
	struct said said[ANSWERS_MAX];
	size_t n;
	int64_t looked_ms; /* the job's: when machines were chosen last; 0: not yet */
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static bool has_image(const struct context *context)
{
	return context->settings->probe_image && *context->settings->probe_image;
}

/* ---- how one ends ---- */

static int read_host(const struct context *context, struct tx *tx, struct machine_id machine,
		     struct worker_standing *ret_standing)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_proof_devices(context, tx, machine, &devices, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (devices[i].device == WORKER_DEVICE_HOST) {
			*ret_standing = devices[i].standing;
			return 0;
		}
	return r == 0 ? ROUTE_E_NOT_FOUND : r;
}

/* Before the end is written. A machine that is no more has no standing. */
static int stand(const struct context *context, struct tx *tx, const struct probe_row *row)
{
	bool passed = strcmp(row->outcome, "passed") == 0, had_failed;
	struct worker_standing standing;
	char reason[REASON_SIZE];
	int r = probe_store_failed(tx, row->machine, &had_failed);

	if (r == 0 && passed && !had_failed)
		return 0;
	if (r == 0)
		r = read_host(context, tx, row->machine, &standing);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	standing.due_at_ms = row->ended_ms;
	if (!passed) {
		standing.state = WORKER_FAILED;
		standing.failures++;
		standing.checked_at_ms = row->ended_ms;
		standing.due_at_ms += plan_retry(context->settings->proof_retry_ms,
						 standing.failures);
		snprintf(reason, sizeof(reason), "a test container did not answer: %s",
			 row->detail);
		text_trim(reason);
		standing.reason = reason;
	}
	return worker_standing_set(context, tx, row->machine, WORKER_DEVICE_HOST, "", &standing);
}

static int tell(const struct context *context, struct tx *tx, const struct probe_row *row)
{
	char type[32], id[ID_TEXT_SIZE];
	json_t *data = json_pack("{s:o, s:s}", "machine", encode_address(&row->machine.address),
				 "detail", row->detail);

	probe_id_text(&row->id, id);
	snprintf(type, sizeof(type), "probe.%s", row->outcome);
	return data ? logging_event(context, tx, row->owner, type, id, data) : -ENOMEM;
}

static int end(const struct context *context, struct tx *tx, struct probe_row *row,
	       const char *outcome, const char *detail)
{
	int r;

	row->outcome = outcome;
	row->detail = detail;
	row->ended_ms = clock_now_ms(context->clock);
	r = service_probe_end(context, tx, row->rental);
	if (r == ROUTE_E_NOT_FOUND)
		r = 0;
	if (r == 0 && (strcmp(outcome, "passed") == 0 || strcmp(outcome, "failed") == 0))
		r = stand(context, tx, row);
	if (r == 0)
		r = probe_store_end(tx, row);
	return r == 0 ? tell(context, tx, row) : r;
}

/* ---- one that goes on ---- */

struct step {
	const struct context *context;
	struct probe_row row;
	struct probe_answer *answers;
	size_t n;
	bool ask; /* the checkers are to be told, once it is written that they were */
	int64_t left_ms;
};

struct count {
	size_t passed, failed;
	const char *detail; /* of one that failed */
};

static struct count count_answers(const struct step *step)
{
	struct count count = { .detail = "" };

	for (size_t i = 0; i < step->n; i++) {
		if (step->answers[i].passed == 0)
			count.detail = step->answers[i].detail;
		count.passed += step->answers[i].passed == 1;
		count.failed += step->answers[i].passed == 0;
	}
	return count;
}

static int end_undecided(struct step *step, struct tx *tx, const struct count *count)
{
	const char *detail = arena_printf(tx_arena(tx), "%zu of %zu were answered, %zu were not",
					  count->passed, step->n, count->failed);

	return detail ? end(step->context, tx, &step->row, "no_majority", detail) : -ENOMEM;
}

static int end_failed(struct step *step, struct tx *tx, const char *detail)
{
	bool there = worker_linked(step->row.machine);

	return end(step->context, tx, &step->row, there ? "failed" : "worker_gone", detail);
}

static int decide(struct step *step, struct tx *tx, const struct service_probe *look)
{
	struct count count = count_answers(step);

	if (2 * count.passed > step->n)
		return end(step->context, tx, &step->row, "passed", "");
	/* What the others saw was not the machine's doing. */
	if (look->yielded)
		return end(step->context, tx, &step->row, "yielded",
			   "a tenant rented what it held");
	if (2 * count.failed > step->n)
		return end_failed(step, tx, count.detail);
	if (step->row.asked && (count.passed + count.failed == step->n || step->left_ms <= 0))
		return end_undecided(step, tx, &count);
	if (look->ended && look->blamed)
		return end_failed(step, tx, look->detail);
	if (look->ended)
		return end(step->context, tx, &step->row, "not_run", look->detail);
	if (!look->running || step->row.asked)
		return 0;
	step->ask = true;
	return probe_store_asked(tx, step->row.id);
}

static int tx_step(struct tx *tx, void *arg)
{
	struct step *step = arg;
	struct service_probe look;
	int r = service_probe_look(tx, step->row.rental, &look);

	step->ask = false;
	if (r == ROUTE_E_NOT_FOUND)
		return end(step->context, tx, &step->row, "interrupted", "its rental is gone");
	if (r == 0)
		r = probe_store_answers(tx, step->row.id, &step->answers, &step->n);
	if (r != 0)
		return r;
	step->left_ms = look.expires_ms - clock_now_ms(step->context->clock);
	return decide(step, tx, &look);
}

static int send_probe(const struct step *step, struct arena *arena, const struct address *checker)
{
	const struct context *context = step->context;
	const struct account_id network = { context->settings->network };
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Probe probe = WIRE__PROBE__INIT;
	char rental[ID_TEXT_SIZE];
	const char *token;
	int r = iam_ticket(context, network, step->row.rental.bytes, step->left_ms, arena, &token);

	if (r != 0)
		return r > 0 ? -EIO : r;
	rental_id_text(&step->row.rental, rental);
	probe.probe = (ProtobufCBinaryData){ sizeof(step->row.id.bytes),
					     (uint8_t *)(uintptr_t)step->row.id.bytes };
	probe.rental = rental;
	probe.token = (char *)(uintptr_t)token;
	probe.gpus = (uint32_t)step->row.gpus;
	probe.timeout_ms = (uint32_t)step->left_ms;
	message.body_case = WIRE__TO_NODE__BODY_PROBE;
	message.probe = &probe;
	return checker_send(checker, &message);
}

/* One that cannot be told is silent. */
static void ask_all(const struct step *step, struct arena *arena)
{
	for (size_t i = 0; i < step->n; i++) {
		int r = send_probe(step, arena, &step->answers[i].checker);

		if (r < 0 && r != -ENOTCONN)
			log_warn("proof.probe", log_fault(r));
	}
}

static int tx_live(struct tx *tx, void *arg)
{
	struct probe_row **rows = arg, *found;
	size_t n;
	int r = probe_store_live(tx, &found, &n);

	for (size_t i = 0; r == 0 && i < n && i < PROBES_LIVE_MAX; i++)
		(*rows)[i] = found[i];
	if (r == 0 && n < PROBES_LIVE_MAX)
		(*rows)[n].started_ms = 0;
	return r;
}

/* One that cannot be stepped holds up no other. @ret_rows: [PROBES_LIVE_MAX]; the texts of those that go on are empty. */
static int step_all(const struct context *context, struct arena *arena,
		    struct probe_row rows[static PROBES_LIVE_MAX], size_t *ret_n)
{
	struct probe_row *list = rows;
	size_t n = 0;
	int r = db_run(context->db, TX_READ, arena, tx_live, &list);

	if (r != 0)
		return r > 0 ? -EIO : r;
	for (; n < PROBES_LIVE_MAX && rows[n].started_ms; n++) {
		struct step step = { .context = context, .row = rows[n] };
		char id[ID_TEXT_SIZE];

		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_step, &step);
		probe_id_text(&rows[n].id, id);
		if (r != 0)
			log_error("proof.probe", log_text("probe", id),
				  log_fault(r > 0 ? -EIO : r));
		else if (step.ask)
			ask_all(&step, arena);
	}
	*ret_n = n;
	return 0;
}

/* ---- answers ---- */

void probes_on_checker(const struct address *checker, const Wire__ToServer *message)
{
	const Wire__ProbeResult *result = message->probe_result;
	struct said *said;

	if (message->body_case != WIRE__TO_SERVER__BODY_PROBE_RESULT || !all.context)
		return;
	pthread_mutex_lock(&all.mutex);
	/* With so many waiting it is as if this one had said nothing. */
	if (all.n < ANSWERS_MAX) {
		said = &all.said[all.n++];
		*said = (struct said){ .checker = *checker,
				       .passed = result->passed,
				       .gpus = result->gpus,
				       .answer_ms = result->answer_ms };
		memcpy(said->probe.bytes, result->probe.data, sizeof(said->probe.bytes));
		text_copy(said->detail, sizeof(said->detail), result->detail);
	}
	pthread_mutex_unlock(&all.mutex);
	job_wake(all.context, "proof_probes");
}

struct writing {
	struct said *said;
	size_t n;
};

static int tx_write(struct tx *tx, void *arg)
{
	const struct writing *writing = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < writing->n; i++) {
		const struct said *said = &writing->said[i];
		struct probe_answer answer = { said->checker, said->passed, said->gpus,
					       said->answer_ms, said->detail };

		r = probe_store_answer(tx, said->probe, &answer);
	}
	return r;
}

static int write_answers(const struct context *context, struct arena *arena)
{
	struct writing writing = { .said = arena_array(arena, ANSWERS_MAX, sizeof(struct said)) };

	if (!writing.said)
		return -ENOMEM;
	pthread_mutex_lock(&all.mutex);
	writing.n = all.n;
	memcpy(writing.said, all.said, all.n * sizeof(*all.said));
	all.n = 0;
	pthread_mutex_unlock(&all.mutex);
	return writing.n ? db_run(context->db, TX_WRITE, arena, tx_write, &writing) : 0;
}

/* The first look only remembers the time. */
static int begin_due(const struct context *context, struct arena *arena,
		     const struct probe_row *rows, size_t n)
{
	int64_t now_ms = clock_mono_ms(context->clock), before_ms = all.looked_ms;

	if (before_ms != 0 && now_ms - before_ms < probes_look_every(context->settings))
		return 0;
	all.looked_ms = now_ms;
	arena_reset(arena);
	return before_ms == 0 ? 0 : probes_begin(context, arena, rows, n, now_ms - before_ms);
}

int probes_run(const struct context *context, struct arena *arena)
{
	struct probe_row rows[PROBES_LIVE_MAX] = { 0 };
	size_t n = 0;
	int r;

	if (!has_image(context))
		return 0;
	r = write_answers(context, arena);
	if (r == 0)
		r = step_all(context, arena, rows, &n);
	return r == 0 ? begin_due(context, arena, rows, n) : r;
}

/* ---- life ---- */

int probes_start(const struct context *context, struct tx *tx)
{
	struct probe_row *rows;
	size_t n;
	int r = probe_store_live(tx, &rows, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = end(context, tx, &rows[i], "interrupted", "the control plane ended");
	if (r != 0)
		return r > 0 ? -EIO : r;
	if (!has_image(context))
		log_info("proof.no_probes", log_text("remedy", "name an image with --probe-image"));
	all.context = context;
	all.looked_ms = 0;
	all.n = 0;
	return 0;
}

void probes_stop(void)
{
	all.context = NULL;
}

#include "modules/proof/settle.h"

#include "api/settings.h"
#include "base/keccak.h"
#include "base/log.h"
#include "base/text.h"
#include "modules/chain/chain.h"
#include "modules/logging/logging.h"
#include "modules/proof/appeals.h"
#include "modules/proof/excuses.h"
#include "modules/proof/plan.h"
#include "modules/proof/probe_store.h"
#include "modules/proof/sessions.h"

enum {
	GONE_MAX = 3, /* so many broken links in a row, and the device has failed */
	REASON_SIZE = 256,
};

static const char *const outcome_words[] = {
	[0] = "",
	[VERDICT_PASSED] = "passed",
	[VERDICT_LOWER] = "lower",
	[VERDICT_FAILED] = "failed",
	[VERDICT_NO_MAJORITY] = "no_majority",
};

struct settling {
	const struct context *context;
	const struct sessions_order *order;
	const struct conductor_end *end;
	bool judged, agreed; /* agreed: the panel's majority and the control plane */
	uint16_t own_bits;
	const char *own_detail;
	int64_t now_ms;
	struct proof_row row;
	bool known,
		leased; /* the device, now: it may have been removed, or a tenant may have come */
	struct worker_standing standing;
	int64_t last_down_kbps,
		last_up_kbps; /* of the session before, by which it stands; 0: none */
};

int settle_replay(const void *bytes, size_t len, struct arena *arena, struct replay *ret_replay)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct verifier *verifier;
	int r = hasher_new(&hasher);

	if (r == 0)
		r = record_decode(hasher, bytes, len, arena, &ret_replay->record, NULL);
	if (r == 0)
		r = verifier_new(&verifier);
	if (r != 0)
		return r;
	r = record_replay(verifier, &ret_replay->record, &ret_replay->finding,
			  &ret_replay->verdict);
	verifier_free(verifier);
	return r;
}

/* ---- the panel ---- */

static int mark_one(struct settling *s, struct tx *tx, size_t member, enum checker_mark mark)
{
	int r = checker_marked(s->context, tx, &s->order->members[member],
			       s->order->session.id.bytes, mark, s->order->planted, s->now_ms);

	/* It may have been removed meanwhile. */
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	return r == 0 ? proof_store_mark(tx, s->order->session.id, member, mark) : r;
}

static enum checker_mark mark_of(const struct settling *s, size_t member)
{
	const struct verdict *verdict = &s->end->verdict;
	uint32_t bit = 1u << member;

	if (s->end->silent & bit)
		return CHECKER_SILENT;
	if (!s->judged)
		return 0;
	if (verdict->wrong & bit)
		return CHECKER_WRONG;
	return verdict->deviating & bit ? CHECKER_DEVIATING : CHECKER_VALID;
}

static int mark_panel(struct settling *s, struct tx *tx)
{
	int r = 0;

	if (s->judged ? !s->agreed : proof_end_blame(s->end->end) != BLAME_PANEL)
		return 0;
	for (size_t i = 0; r == 0 && i < s->order->session.panel_size; i++) {
		enum checker_mark mark = mark_of(s, i);

		if (mark)
			r = mark_one(s, tx, i, mark);
	}
	return r;
}

/* ---- the device ---- */

/* Of what the session says about the device. FOUND_BUSY: perhaps nothing but what its tenant does. */
enum finding_kind { FOUND_NOTHING, FOUND_PASSED, FOUND_FAILED, FOUND_GONE, FOUND_BUSY };

/* A disk has no class: that it holds its set exactly is all. */
static enum finding_kind found_of_verdict(const struct settling *s)
{
	const struct verdict *verdict = &s->end->verdict;

	if (!s->agreed)
		return FOUND_NOTHING;
	if (verdict->bits != PROOF_ALL)
		return FOUND_FAILED;
	if (s->order->session.device == SESSION_DISK || s->order->session.kind == SESSION_RENTED)
		return FOUND_PASSED;
	return verdict->earned >= 0 || verdict->score_milli > 0 ? FOUND_PASSED : FOUND_FAILED;
}

/* A tenant may fill the device's memory, and its time: neither is held against machine or bill. */
static bool may_be_tenants(const struct settling *s)
{
	enum proof_end end = s->end->end;

	return s->order->session.kind == SESSION_RENTED &&
	       (end == END_WORKER_SILENT || end == END_NO_MEMORY || end == END_BROKEN);
}

/* Its link broke, or it says that it had to stop. Who knows what is to be opened has seen whether it would
 * pass, and must go on. */
static enum finding_kind found_of_leaving(const struct settling *s)
{
	bool rented = s->order->session.kind == SESSION_RENTED;

	if (s->end->end == END_YIELDED && s->leased && !rented)
		return FOUND_NOTHING;
	return !rented && strcmp(s->end->phase, "open") == 0 ? FOUND_FAILED : FOUND_GONE;
}

static enum finding_kind found(const struct settling *s)
{
	switch (proof_end_blame(s->end->end)) {
	case BLAME_VERDICT:
		return found_of_verdict(s);
	case BLAME_WORKER:
		return may_be_tenants(s) ? FOUND_BUSY : FOUND_FAILED;
	case BLAME_LINK:
		return found_of_leaving(s);
	default:
		return FOUND_NOTHING;
	}
}

static const char *class_name(int64_t class_)
{
	return class_ >= 0 && (size_t)class_ < class_rows_n ? class_rows[class_].name : "no class";
}

static void why(const struct settling *s, char ret_text[static REASON_SIZE])
{
	const struct verdict *verdict = &s->end->verdict;

	if (!s->judged)
		snprintf(ret_text, REASON_SIZE, "%s in the phase \"%s\": %s",
			 proof_end_word(s->end->end), s->end->phase, s->end->detail);
	else if (verdict->bits != PROOF_ALL)
		snprintf(ret_text, REASON_SIZE, "the exact part does not hold: %s", s->own_detail);
	else if (verdict->outcome == VERDICT_LOWER)
		snprintf(ret_text, REASON_SIZE,
			 "slower than %s asks: %" PRIu64 " MOPS, %" PRIu64 " kB/s; it earns %s",
			 class_name(verdict->claimed), verdict->measured.matrix_mops,
			 verdict->measured.walk_kbps, class_name(verdict->earned));
	else
		ret_text[0] = '\0';
	text_trim(ret_text);
}

static int64_t fill_kbps(const struct settling *s)
{
	uint64_t bytes = (uint64_t)s->order->session.work.n_items * ITEM_BYTES;
	uint32_t us = s->end->verdict.fill_us;

	return us ? (int64_t)(bytes * 1000 / us) : 0;
}

/* What is measured at one moment may be nothing for want of a network that minute, and a machine that is rented
 * then would stand so until its rental ends. One session that measures none leaves what the one before found. */
static void take_rates(const struct settling *s, struct worker_standing *standing)
{
	const struct verdict *verdict = &s->end->verdict;

	standing->down_kbps = verdict->down_kbps ? verdict->down_kbps : s->last_down_kbps;
	standing->up_kbps = verdict->up_kbps ? verdict->up_kbps : s->last_up_kbps;
}

/* Then it is measured again soon. */
static bool lost_rates(const struct settling *s)
{
	const struct verdict *verdict = &s->end->verdict;

	return s->order->port != 0 && ((verdict->down_kbps == 0 && s->standing.down_kbps > 0) ||
				       (verdict->up_kbps == 0 && s->standing.up_kbps > 0));
}

static void take_measures(const struct settling *s, struct worker_standing *standing)
{
	const struct verdict *verdict = &s->end->verdict;

	if (s->order->session.kind == SESSION_RENTED)
		return; /* too little work to be measured by */
	standing->class_ = s->order->session.device == SESSION_DISK ? -1 : verdict->earned;
	standing->score_milli = verdict->score_milli;
	standing->matrix_mops = (int64_t)verdict->measured.matrix_mops;
	standing->walk_kbps = (int64_t)verdict->measured.walk_kbps;
	standing->set_mib = verdict->measured.set_mib;
	standing->fill_kbps = fill_kbps(s);
	if (s->order->port != 0)
		take_rates(s, standing);
	else /* It tells no way to be measured, and does not live on one good day. */
		standing->down_kbps = standing->up_kbps = 0;
}

static void pass(const struct settling *s, struct worker_standing *standing)
{
	bool rented = s->order->session.kind == SESSION_RENTED;

	take_measures(s, standing);
	/* A small product proves nothing of a device that failed, or was never seen whole. */
	if (!rented)
		standing->state = WORKER_PROVED;
	if (standing->state != WORKER_FAILED)
		standing->failures = 0;
}

/* Until the next look at a device that did nothing wrong. One that is not offered as it stands is not left
 * waiting like those that are: a rental's small product proves it no more than a container that was in the
 * way. */
static int wait_next(const struct settling *s, struct worker_standing *standing)
{
	const struct settings *settings = s->context->settings;
	bool rented = s->order->session.kind == SESSION_RENTED;
	int64_t wait_ms;
	int r = 0;

	if (standing->state != WORKER_PROVED)
		wait_ms = plan_retry(settings->proof_retry_ms, standing->failures);
	else
		r = plan_wait(s->context->random,
			      rented ? settings->proof_rented_ms : settings->proof_standby_ms,
			      &wait_ms);
	if (r == 0)
		standing->due_at_ms = s->now_ms + wait_ms;
	return r;
}

static int stand(const struct settling *s, enum finding_kind what, struct worker_standing *standing)
{
	const struct settings *settings = s->context->settings;

	standing->due_at_ms = s->now_ms + settings->proof_retry_ms;
	if (what == FOUND_NOTHING)
		return 0;
	if (what == FOUND_BUSY)
		return wait_next(s, standing);
	standing->checked_at_ms = s->now_ms;
	memcpy(standing->proof, s->order->session.id.bytes, sizeof(standing->proof));
	if (what == FOUND_PASSED) {
		pass(s, standing);
		return lost_rates(s) ? 0 : wait_next(s, standing);
	}
	standing->failures++;
	if (what == FOUND_FAILED || standing->failures >= GONE_MAX)
		standing->state = WORKER_FAILED;
	standing->due_at_ms = s->now_ms + plan_retry(settings->proof_retry_ms, standing->failures);
	return 0;
}

/* The device as it is now: without it, nothing is known of it. */
static int read_device(struct settling *s, struct tx *tx)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_proof_devices(s->context, tx, s->row.machine, &devices, &n);

	s->known = s->leased = false; /* of a try that is run again */
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	for (size_t i = 0; i < n; i++)
		if ((int64_t)devices[i].device == s->row.device &&
		    strcmp(devices[i].uuid, s->row.uuid) == 0) {
			s->known = true;
			s->leased = devices[i].rented;
			s->standing = devices[i].standing;
		}
	return 0;
}

static int read_last_rates(struct settling *s, struct tx *tx)
{
	struct proof_id last;
	struct proof_row row;
	json_t *verdict;
	int r;

	s->last_down_kbps = s->last_up_kbps = 0; /* of a try that is run again */
	memcpy(last.bytes, s->standing.proof, sizeof(last.bytes));
	r = lost_rates(s) ? proof_store_get(tx, last, &row) : ROUTE_E_NOT_FOUND;
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	verdict = json_loads(row.verdict, 0, NULL);
	s->last_down_kbps = json_integer_value(json_object_get(verdict, "down_kbps"));
	s->last_up_kbps = json_integer_value(json_object_get(verdict, "up_kbps"));
	json_decref(verdict);
	return 0;
}

/* A rental's small product measures nothing, and mends nothing: what is told of the device goes on being told, with
 * the session that showed it. */
static void keep_told(const struct worker_standing *before, struct worker_standing *standing)
{
	standing->reason = before->reason;
	memcpy(standing->proof, before->proof, sizeof(standing->proof));
}

/* No session says that tenants' containers run there: that is for the next probe to show. */
static int heed_probes(struct settling *s, struct tx *tx, const char *reason,
		       struct worker_standing *standing)
{
	bool failed = false;
	int r = 0;

	if (s->row.device == WORKER_DEVICE_HOST && standing->state == WORKER_PROVED)
		r = probe_store_failed(tx, s->row.machine, &failed);
	if (r != 0 || !failed)
		return r;
	standing->state = WORKER_FAILED;
	standing->reason = reason;
	return 0;
}

static int set_standing(struct settling *s, struct tx *tx, enum finding_kind what)
{
	struct worker_standing standing = s->standing;
	char text[REASON_SIZE];
	int r;

	if (!s->known)
		return 0;
	r = read_last_rates(s, tx);
	if (r == 0)
		r = stand(s, what, &standing);
	if (r != 0)
		return r;
	why(s, text);
	if (what != FOUND_NOTHING && what != FOUND_BUSY)
		standing.reason = text;
	if (what == FOUND_PASSED && s->order->session.kind == SESSION_RENTED)
		keep_told(&s->standing, &standing);
	r = heed_probes(s, tx, s->standing.reason, &standing);
	if (r != 0)
		return r;
	return worker_standing_set(s->context, tx, s->row.machine,
				   (enum worker_device)s->row.device, s->row.uuid, &standing);
}

/* Begins only with what the panel's majority saw and anybody can compute again. What a tenant can bring about
 * (a device too busy or too full to answer) excuses nothing: computing would be free of charge. */
static int excuse(struct settling *s, struct tx *tx, enum finding_kind what)
{
	if (what == FOUND_FAILED && s->judged)
		return excuses_begin(s->context, tx, &s->row);
	return what == FOUND_PASSED ? excuses_end(s->context, tx, &s->row) : 0;
}

/* ---- telling ---- */

static int tell(struct settling *s, struct tx *tx, enum finding_kind what)
{
	static const char *const types[] = { "proof.ended", "proof.passed", "proof.failed",
					     "proof.ended", "proof.ended" };
	char id[ID_TEXT_SIZE], text[REASON_SIZE];
	json_t *data;

	proof_id_text(&s->row.id, id);
	why(s, text);
	data = json_pack("{s:o, s:s, s:s, s:s, s:s}", "machine",
			 encode_address(&s->row.machine.address), "gpu", s->row.uuid, "outcome",
			 s->row.outcome, "reason", s->row.reason, "detail", text);
	if (!data)
		return -ENOMEM;
	return logging_event(s->context, tx, s->row.owner, types[what], id, data);
}

/* ---- a session ---- */

static int write_end(struct settling *s, struct tx *tx)
{
	const struct conductor_end *end = s->end;
	struct proof_row *row = &s->row;
	int r = 0;

	row->reason = proof_end_word(end->end);
	row->phase = end->phase;
	row->detail = s->judged && s->own_detail ? s->own_detail : end->detail;
	row->ended_ms = s->now_ms;
	row->verdict = row->outcome = "";
	if (s->judged) {
		row->outcome = outcome_words[end->verdict.outcome];
		row->own_bits = s->own_bits;
		row->disagreement = !s->agreed;
		r = verdict_text(&s->order->session, &end->verdict, tx_arena(tx), &row->verdict);
	}
	if (r == 0)
		r = proof_store_end(tx, row);
	if (r == 0 && row->disagreement && !row->planted && row->kind != SESSION_APPEAL)
		r = appeals_ask_again(tx, row, s->now_ms);
	if (r == 0 && s->judged)
		r = proof_store_record_add(tx, row->id, end->record, end->record_len);
	return r;
}

/* Its published record goes into a root on the chain: a planted session is no report of a machine. */
static int anchor(const struct settling *s, struct tx *tx)
{
	uint8_t id[32], digest[KECCAK_SIZE];

	if (!s->judged)
		return 0;
	anchor_leaf_id(s->row.id.bytes, sizeof(s->row.id.bytes), id);
	keccak256(s->end->record, s->end->record_len, digest);
	return chain_leaf(s->context, tx, ANCHOR_PROOFS, id, digest);
}

static int tx_settle(struct tx *tx, void *arg)
{
	struct settling *s = arg;
	enum finding_kind what;
	int r = proof_store_get(tx, s->order->session.id, &s->row);

	if (r == 0 && !s->row.live)
		return 0; /* settled before */
	if (r == 0)
		r = write_end(s, tx);
	if (r == 0)
		r = mark_panel(s, tx);
	if (r != 0 || s->row.planted)
		return r;
	r = anchor(s, tx);
	if (r == 0)
		r = read_device(s, tx);
	if (r != 0)
		return r;
	what = found(s);
	r = set_standing(s, tx, what);
	if (r == 0)
		r = excuse(s, tx, what);
	if (r == 0 && s->row.kind == SESSION_APPEAL)
		r = appeals_settled(s->context, tx, &s->row, what == FOUND_NOTHING);
	return r == 0 ? tell(s, tx, what) : r;
}

static int look_again(struct settling *s, struct arena *arena)
{
	const struct verdict *verdict = &s->end->verdict;
	struct replay *replay = arena_alloc(arena, sizeof(*replay));
	int r;

	if (!replay)
		return -ENOMEM;
	r = settle_replay(s->end->record, s->end->record_len, arena, replay);
	if (r < 0)
		return r;
	/* What we made ourselves and cannot read is as good as a disagreement. */
	s->own_bits = r == 0 ? replay->finding.bits : 0;
	s->own_detail = r == 0 ? arena_text(arena, replay->finding.detail,
					    strlen(replay->finding.detail))
			       : "the record cannot be read";
	s->agreed = r == 0 && verdict->outcome != VERDICT_NO_MAJORITY &&
		    verdict->bits == replay->finding.bits &&
		    hash_equal(&verdict->transcript, &replay->record.transcript_hash);
	return s->own_detail ? 0 : -ENOMEM;
}

static int settle_one(const struct context *context, struct arena *arena,
		      const struct sessions_ended *ended)
{
	struct settling s = { .context = context,
			      .order = ended->order,
			      .end = ended->end,
			      .judged = ended->end->end == END_JUDGED,
			      .now_ms = clock_now_ms(context->clock) };
	char text[ID_TEXT_SIZE];
	int r = 0;

	if (s.judged)
		r = look_again(&s, arena);
	if (r == 0)
		r = db_run(context->db, TX_WRITE, arena, tx_settle, &s);
	if (r == 0)
		return 0;
	proof_id_text(&ended->order->session.id, text);
	log_error("proof.settle", log_text("proof", text), log_fault(r < 0 ? r : -EIO));
	return r < 0 ? r : -EIO;
}

/* One that fails is tried again later, and keeps no other from being settled now. */
int settle_run(const struct context *context, struct arena *arena)
{
	struct sessions_ended ended;
	int first = 0;

	while (sessions_take(&ended)) {
		int r;

		arena_reset(arena);
		r = settle_one(context, arena, &ended);
		sessions_give(&ended, r == 0);
		first = first == 0 ? r : first;
	}
	return first;
}

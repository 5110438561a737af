#include "modules/proof/appeals.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/logging/logging.h"
#include "modules/proof/plan.h"
#include "modules/proof/proof.h"
#include "modules/proof/settle.h"

enum { DAY_MS = 86400000, HEARINGS_MAX = 16 };

/* ---- asking ---- */

static bool is_marked_wrong(const struct proof_member *members, size_t n, struct account_id account)
{
	for (size_t i = 0; i < n; i++)
		if (account_equal(members[i].account, account) && members[i].mark == CHECKER_WRONG)
			return true;
	return false;
}

static int side_of(struct tx *tx, const struct proof_row *row, struct account_id account,
		   enum appeal_side *ret_side)
{
	struct proof_member *members;
	size_t n;
	int r;

	*ret_side = APPEAL_OWNER;
	if (!row->planted && account_equal(row->owner, account))
		return 0;
	*ret_side = APPEAL_CHECKERS;
	r = proof_store_members(tx, row->id, &members, &n);
	if (r != 0)
		return r;
	return is_marked_wrong(members, n, account) ? 0 : PROOF_E_NOT_CONCERNED;
}

/* Held for an appeal of its owner: a second look is the last. Else a failing machine would try until it is lucky,
 * without waits. One that the network asked for is the first of which the owner was told. */
static int is_last_look(struct tx *tx, const struct proof_row *row, bool *ret_last)
{
	struct proof_row parent;
	int r = 0;

	*ret_last = row->kind == SESSION_APPEAL;
	if (*ret_last)
		r = proof_store_get(tx, row->parent, &parent);
	if (*ret_last && r == 0)
		*ret_last = !proof_id_equal(parent.appeals[APPEAL_NETWORK].session, row->id);
	return r;
}

static int may_ask(struct tx *tx, const struct proof_row *row, enum appeal_side side,
		   int64_t now_ms)
{
	bool last = false;
	int r = 0;

	if (row->live)
		return PROOF_E_RUNNING;
	if (side == APPEAL_OWNER)
		r = is_last_look(tx, row, &last);
	if (r != 0)
		return r;
	if (last || row->appeals[side].state != APPEAL_NONE)
		return side == APPEAL_OWNER ? PROOF_E_APPEALED : PROOF_E_HEARD;
	return now_ms > row->ended_ms + DAY_MS ? PROOF_E_TOO_LATE : 0;
}

int appeals_ask(const struct context *context, struct tx *tx, struct proof_id id,
		struct account_id account)
{
	struct appeal_row appeal = { .proof = id,
				     .state = APPEAL_QUEUED,
				     .by = account,
				     .asked_ms = clock_now_ms(context->clock) };
	struct proof_row row;
	int r = proof_store_get(tx, id, &row);

	if (r == 0)
		r = side_of(tx, &row, account, &appeal.side);
	if (r == 0)
		r = may_ask(tx, &row, appeal.side, appeal.asked_ms);
	return r == 0 ? appeal_store_add(tx, &appeal) : r;
}

int appeals_ask_again(struct tx *tx, const struct proof_row *row, int64_t now_ms)
{
	const struct appeal_row appeal = {
		.proof = row->id, .side = APPEAL_NETWORK, .state = APPEAL_QUEUED, .asked_ms = now_ms
	};

	return appeal_store_add(tx, &appeal);
}

int appeals_until(struct tx *tx, const struct proof_row *row, int64_t now_ms, int64_t *ret_until_ms)
{
	int r = row->planted ? PROOF_E_NOT_CONCERNED : may_ask(tx, row, APPEAL_OWNER, now_ms);

	if (r < 0)
		return r;
	*ret_until_ms = r == 0 ? row->ended_ms + DAY_MS : 0;
	return 0;
}

/* ---- a fresh session ---- */

bool appeals_late(const struct appeal_row *appeal, int64_t now_ms)
{
	return now_ms > appeal->asked_ms + DAY_MS;
}

static int tell(const struct context *context, struct tx *tx, const struct appeal_row *appeal,
		struct account_id account, json_t *data)
{
	static const char *const sides[APPEAL_SIDES_END] = { [APPEAL_OWNER] = "owner",
							     [APPEAL_CHECKERS] = "checkers",
							     [APPEAL_NETWORK] = "network" };
	json_t *decision = json_pack("{s:s, s:s}", "side", sides[appeal->side], "decision",
				     appeal_state_word(appeal->state));
	char id[ID_TEXT_SIZE];
	struct audit_entry entry = { .action = AUDIT_APPEAL_DECIDED,
				     .by = AUDIT_NETWORK,
				     .subject = id,
				     .owner = &account };
	int r;

	if (!data || !decision || json_object_update(data, decision) < 0) {
		json_decref(data);
		json_decref(decision);
		return -ENOMEM;
	}
	json_decref(decision);
	proof_id_text(&appeal->proof, id);
	entry.detail = json_incref(data);
	r = audit_record(context, tx, &entry);
	if (r == 0)
		return logging_event(context, tx, account, "proof.appeal_decided", id, data);
	json_decref(data);
	return r;
}

int appeals_begun(struct tx *tx, struct appeal_row *appeal, struct proof_id session)
{
	appeal->state = APPEAL_LIVE;
	appeal->session = session;
	appeal->sessions++;
	return appeal_store_set(tx, appeal);
}

static int decide(const struct context *context, struct tx *tx, struct appeal_row *appeal,
		  enum appeal_state state)
{
	char session[ID_TEXT_SIZE];
	int r;

	appeal->state = state;
	appeal->decided_ms = clock_now_ms(context->clock);
	r = appeal_store_set(tx, appeal);
	if (r != 0)
		return r;
	proof_id_text(&appeal->session, session);
	return tell(context, tx, appeal, appeal->owner,
		    json_pack("{s:s?}", "session", appeal->sessions ? session : NULL));
}

int appeals_expired(const struct context *context, struct tx *tx, struct appeal_row *appeal)
{
	return decide(context, tx, appeal, APPEAL_EXPIRED);
}

/* What a session found of its machine, in a word; "": nothing. */
static const char *finding_of(const struct proof_row *row)
{
	if (row->disagreement || strcmp(row->outcome, "no_majority") == 0)
		return "";
	if (*row->outcome)
		return row->outcome;
	return proof_end_blame(proof_end_of(row->reason)) == BLAME_WORKER ? "failed" : "";
}

static enum appeal_state decision_of(const struct proof_row *parent, const struct proof_row *row)
{
	const char *found = finding_of(row);

	if (!*found)
		return APPEAL_UNDECIDED;
	return strcmp(found, finding_of(parent)) == 0 ? APPEAL_UPHELD : APPEAL_OVERTURNED;
}

static int settle_one(const struct context *context, struct tx *tx, struct appeal_row *appeal,
		      const struct proof_row *parent, const struct proof_row *row, bool again)
{
	int64_t now_ms = clock_now_ms(context->clock);

	if (!again)
		return decide(context, tx, appeal, decision_of(parent, row));
	if (appeals_late(appeal, now_ms))
		return appeals_expired(context, tx, appeal);
	appeal->state = APPEAL_QUEUED;
	appeal->due_ms = now_ms + plan_retry(context->settings->proof_retry_ms, appeal->sessions);
	return appeal_store_set(tx, appeal);
}

int appeals_settled(const struct context *context, struct tx *tx, const struct proof_row *row,
		    bool again)
{
	struct appeal_row appeal;
	struct proof_row parent;
	int r = proof_store_get(tx, row->parent, &parent);

	for (int side = APPEAL_OWNER; r == 0 && side < APPEAL_SIDES_END; side++) {
		if (parent.appeals[side].state != APPEAL_LIVE ||
		    !proof_id_equal(parent.appeals[side].session, row->id))
			continue;
		r = appeal_store_get(tx, parent.id, (enum appeal_side)side, &appeal);
		if (r == 0)
			r = settle_one(context, tx, &appeal, &parent, row, again);
	}
	return r > 0 ? -EIO : r;
}

/* ---- the checkers' hearing ---- */

struct hearing {
	const struct context *context;
	struct appeal_row *appeals;
	size_t n;
	struct appeal_row appeal; /* the one at hand */
	const void *record;
	size_t record_len;
	struct replay *replay; /* NULL: it cannot be judged again */
	bool cleared[SESSION_PANEL_MAX];
};

/* One that cannot be heard waits behind all others. The job never runs twice at once. */
static int tx_list(struct tx *tx, void *arg)
{
	static struct proof_id after;
	struct hearing *hearing = arg;
	int r = appeal_store_queued(tx, true, clock_now_ms(hearing->context->clock), after,
				    HEARINGS_MAX, &hearing->appeals, &hearing->n);

	if (r == 0 && hearing->n > 0)
		after = hearing->appeals[hearing->n - 1].proof;
	return r;
}

static int tx_record(struct tx *tx, void *arg)
{
	struct hearing *hearing = arg;

	return proof_store_record(tx, hearing->appeal.proof, &hearing->record,
				  &hearing->record_len);
}

static bool was_right(const struct replay *replay, size_t member)
{
	const struct result *result = &replay->record.testimony.results[member];

	return replay->record.testimony.set >> member & 1 && result->bits == replay->finding.bits &&
	       hash_equal(&result->transcript, &replay->record.transcript_hash);
}

static int clear(struct hearing *hearing, struct tx *tx, const struct proof_member *member,
		 size_t at)
{
	int r = checker_cleared(hearing->context, tx, &member->checker,
				hearing->appeal.proof.bytes);

	/* It may have been removed meanwhile. */
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	hearing->cleared[at] = true;
	hearing->appeal.state = APPEAL_OVERTURNED;
	return proof_store_mark(tx, hearing->appeal.proof, at, CHECKER_VALID);
}

/* Each of those that were marked wrong hears what came of it for itself. */
static int tell_members(struct hearing *hearing, struct tx *tx, const struct proof_member *members,
			size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (members[i].mark == CHECKER_WRONG)
			r = tell(hearing->context, tx, &hearing->appeal, members[i].account,
				 json_pack("{s:o, s:b}", "checker",
					   encode_address(&members[i].checker), "cleared",
					   hearing->cleared[i]));
	return r;
}

static int tx_decide(struct tx *tx, void *arg)
{
	struct hearing *hearing = arg;
	const struct replay *replay = hearing->replay;
	struct proof_member *members;
	size_t n;
	int r = proof_store_members(tx, hearing->appeal.proof, &members, &n);

	hearing->appeal.state = replay ? APPEAL_UPHELD : APPEAL_UNDECIDED;
	hearing->appeal.decided_ms = clock_now_ms(hearing->context->clock);
	memset(hearing->cleared, 0, sizeof(hearing->cleared));
	for (size_t i = 0; replay && r == 0 && i < size_min(n, SESSION_PANEL_MAX); i++)
		if (members[i].mark == CHECKER_WRONG && was_right(replay, i))
			r = clear(hearing, tx, &members[i], i);
	if (r == 0)
		r = appeal_store_set(tx, &hearing->appeal);
	return r == 0 ? tell_members(hearing, tx, members, n) : r;
}

static int hear(struct hearing *hearing, struct arena *arena)
{
	int r = db_run(hearing->context->db, TX_READ, arena, tx_record, hearing);

	if (r < 0)
		return r;
	hearing->replay = arena_alloc(arena, sizeof(*hearing->replay));
	if (!hearing->replay)
		return -ENOMEM;
	if (r == 0)
		r = settle_replay(hearing->record, hearing->record_len, arena, hearing->replay);
	if (r < 0)
		return r;
	if (r > 0)
		hearing->replay = NULL;
	return db_run(hearing->context->db, TX_WRITE, arena, tx_decide, hearing);
}

/* One that cannot be heard keeps no other from being heard; it is tried again at a later turn. */
int appeals_run(const struct context *context, struct arena *arena)
{
	struct hearing hearing = { .context = context };
	int first = db_run(context->db, TX_READ, arena, tx_list, &hearing);

	if (first != 0)
		return first;
	for (size_t i = 0; i < hearing.n; i++) {
		struct arena_mark mark = arena_mark(arena);
		char id[ID_TEXT_SIZE];
		int r;

		hearing.appeal = hearing.appeals[i];
		r = hear(&hearing, arena);
		arena_rewind(arena, mark);
		if (r == 0)
			continue;
		proof_id_text(&hearing.appeal.proof, id);
		log_error("proof.appeal", log_text("proof", id), log_fault(r < 0 ? r : -EIO));
		first = first == 0 ? r : first;
	}
	return first;
}

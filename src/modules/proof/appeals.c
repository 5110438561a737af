#include "modules/proof/appeals.h"

#include "base/log.h"
#include "modules/logging/logging.h"
#include "modules/proof/proof.h"
#include "modules/proof/settle.h"

enum { DAY_MS = 86400000, APPEALS_MAX = 16 };

/* The member of @account that was marked wrong; -1. */
static int wrong_member(const struct proof_member *members, size_t n, struct account_id account)
{
	for (size_t i = 0; i < n; i++)
		if (account_equal(members[i].account, account) && members[i].mark == CHECKER_WRONG)
			return (int)i;
	return -1;
}

int appeals_ask(const struct context *context, struct tx *tx, struct proof_id id,
		struct account_id account)
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct proof_member *members;
	struct proof_row row;
	size_t n;
	bool owner;
	int r = proof_store_get(tx, id, &row);

	if (r == 0)
		r = proof_store_members(tx, id, &members, &n);
	if (r != 0)
		return r;
	owner = !row.planted && account_equal(row.owner, account);
	row.appeal_member = owner ? -1 : wrong_member(members, n, account);
	if (!owner && row.appeal_member < 0)
		return PROOF_E_NOT_CONCERNED;
	if (row.live)
		return PROOF_E_RUNNING;
	/* A second look is the last: else a failing machine would try until it is lucky, without waits. */
	if (row.appeal != APPEAL_NONE || (owner && row.kind == SESSION_APPEAL))
		return PROOF_E_APPEALED;
	if (now_ms > row.ended_ms + DAY_MS)
		return PROOF_E_TOO_LATE;
	row.appeal = APPEAL_QUEUED;
	row.appeal_by = account;
	row.appealed_ms = now_ms;
	return proof_store_appeal(tx, &row);
}

/* ---- a checker's ---- */

struct hearing {
	const struct context *context;
	struct proof_row *rows;
	size_t n;
	struct proof_row row; /* the one at hand */
	const void *record;
	size_t record_len;
	bool right;
};

static int tx_list(struct tx *tx, void *arg)
{
	struct hearing *hearing = arg;

	return proof_store_appeals(tx, APPEALS_MAX, &hearing->rows, &hearing->n);
}

static int tx_record(struct tx *tx, void *arg)
{
	struct hearing *hearing = arg;

	return proof_store_record(tx, hearing->row.id, &hearing->record, &hearing->record_len);
}

static int clear(struct hearing *hearing, struct tx *tx)
{
	size_t member = (size_t)hearing->row.appeal_member, n;
	struct proof_member *members;
	int r = proof_store_members(tx, hearing->row.id, &members, &n);

	if (r == 0 && member < n)
		r = checker_cleared(hearing->context, tx, &members[member].checker,
				    hearing->row.id.bytes);
	/* It may have been removed meanwhile. */
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	return r == 0 ? proof_store_mark(tx, hearing->row.id, member, CHECKER_VALID) : r;
}

static int tx_decide(struct tx *tx, void *arg)
{
	struct hearing *hearing = arg;
	char id[ID_TEXT_SIZE];
	json_t *data;
	int r = hearing->right ? clear(hearing, tx) : 0;

	hearing->row.appeal = APPEAL_DONE;
	if (r == 0)
		r = proof_store_appeal(tx, &hearing->row);
	if (r != 0)
		return r;
	data = json_pack("{s:b}", "cleared", hearing->right);
	if (!data)
		return -ENOMEM;
	proof_id_text(&hearing->row.id, id);
	return logging_event(hearing->context, tx, hearing->row.appeal_by, "proof.appeal_decided",
			     id, data);
}

static bool was_right(const struct replay *replay, int64_t member)
{
	const struct result *result = &replay->record.testimony.results[member];

	return replay->record.testimony.set >> member & 1 && result->bits == replay->finding.bits &&
	       hash_equal(&result->transcript, &replay->record.transcript_hash);
}

static int hear(struct hearing *hearing, struct arena *arena)
{
	struct replay *replay;
	int r = db_run(hearing->context->db, TX_READ, arena, tx_record, hearing);

	if (r < 0)
		return r;
	replay = arena_alloc(arena, sizeof(*replay));
	if (!replay)
		return -ENOMEM;
	if (r == 0)
		r = settle_replay(hearing->record, hearing->record_len, arena, replay);
	if (r < 0)
		return r;
	hearing->right = r == 0 && was_right(replay, hearing->row.appeal_member);
	return db_run(hearing->context->db, TX_WRITE, arena, tx_decide, hearing);
}

/* One that cannot be heard keeps no other from being heard; it is tried again at the next turn. */
int appeals_run(const struct context *context, struct arena *arena)
{
	struct hearing hearing = { .context = context };
	int first = db_run(context->db, TX_READ, arena, tx_list, &hearing);

	if (first != 0)
		return first;
	for (size_t i = 0; i < hearing.n; i++) {
		struct arena_mark mark = arena_mark(arena);
		char id[ID_TEXT_SIZE];
		int r = 0;

		hearing.row = hearing.rows[i];
		if (hearing.row.appeal_member >= 0)
			r = hear(&hearing, arena);
		arena_rewind(arena, mark);
		if (r == 0)
			continue;
		proof_id_text(&hearing.row.id, id);
		log_error("proof.appeal", log_text("proof", id), log_fault(r < 0 ? r : -EIO));
		first = first == 0 ? r : first;
	}
	return first;
}

#include "modules/chain/anchors.h"

#include "api/settings.h"
#include "base/keccak.h"
#include "base/log.h"
#include "modules/chain/chain_store.h"

enum {
	OPEN_MAX = 64, /* roots that are looked at in a turn */
	GATHER_MAX = 250, /* leaves in a transaction: it holds up others */
	RETRY_MS = 60 * 1000, /* after a call that ended without effect */
};

void anchors_call_name(uint64_t sequence, int64_t attempt, char ret_name[static ANCHORS_NAME_SIZE])
{
	size_t len = (size_t)snprintf(ret_name, ANCHORS_NAME_SIZE, "anchor/%" PRIu64, sequence);

	if (attempt > 1)
		snprintf(ret_name + len, ANCHORS_NAME_SIZE - len, "/%" PRId64, attempt);
}

struct anchoring {
	const struct context *context;
	const struct chain_state *state;
	char *problem;
	int64_t now_ms;

	bool changes; /* a look that found something to write */
	bool ready; /* every root is in a block */

	uint64_t sequence; /* of the next root */
	uint8_t head[32]; /* before it */
	enum anchor_kind kind; /* ANCHOR_KINDS_N: there is nothing to anchor */
	int64_t gathered, taken; /* leaves: in all, by the last transaction */
	struct anchor_leaf *leaves;
	size_t n;
	struct anchor_row row;
};

/* ---- where to begin ---- */

static int ask_latest(const struct chain_state *state, struct arena *arena,
		      struct anchor_latest *ret_latest)
{
	const struct address *anchor = &state->contracts.at[CONTRACT_ANCHOR].address;
	uint8_t answer[128];
	struct call_data data;
	size_t len;
	int r = call_latest(&state->publisher, arena, &data);

	if (r == 0)
		r = chain_read(anchor, data.bytes, data.len, answer, sizeof(answer), &len);
	return r != 0 ? r : call_latest_answer(answer, len, ret_latest);
}

struct beginning {
	struct identity_row identity;
	struct anchor_latest latest;
};

static int tx_identity(struct tx *tx, void *arg)
{
	struct beginning *beginning = arg;

	return chain_store_identity(tx, &beginning->identity);
}

static int tx_begin(struct tx *tx, void *arg)
{
	const struct beginning *beginning = arg;

	return chain_store_begin(tx, (int64_t)beginning->latest.sequence, beginning->latest.head);
}

/* A store that is younger than the key goes on behind what the key has recorded. Any outcome: it cannot be known yet. */
static int begin(struct anchoring *a, struct arena *arena)
{
	struct beginning beginning;
	int r = db_run(a->context->db, TX_READ, arena, tx_identity, &beginning);

	if (r != 0 || beginning.identity.begun)
		return r > 0 ? -EIO : r;
	r = ask_latest(a->state, arena, &beginning.latest);
	if (r > 0)
		snprintf(a->problem, ANCHORS_PROBLEM_MAX,
			 "the chain does not say which roots the key has recorded; see the "
			 "endpoints' problems");
	if (r != 0)
		return r;
	log_info("anchors.begin", log_int("behind", (int64_t)beginning.latest.sequence));
	return db_run(a->context->db, TX_WRITE, arena, tx_begin, &beginning);
}

/* ---- what becomes of roots ---- */

static int add_call(struct anchoring *a, struct tx *tx, const struct anchor_row *row)
{
	char name[ANCHORS_NAME_SIZE];
	struct outbox_call call = {
		.name = name,
		.kind = "anchor",
		.contract = a->state->contracts.at[CONTRACT_ANCHOR].address,
	};
	struct call_data data;
	int r = call_anchor(&row->root, tx_arena(tx), &data);

	if (r != 0)
		return r;
	anchors_call_name(row->root.sequence, row->attempt, name);
	call.data = data.bytes;
	call.len = data.len;
	r = outbox_add(&a->state->outbox, tx, &call);
	return r == OUTBOX_E_KNOWN ? -EIO : r;
}

static int conclude(struct anchoring *a, struct tx *tx, struct anchor_row *row,
		    const struct outbox_row *call)
{
	a->changes = true;
	row->final = true;
	row->block = call->block;
	memcpy(row->transaction, call->hash, sizeof(row->transaction));
	return tx ? chain_store_anchor_set(tx, row) : 0;
}

static int try_again(struct anchoring *a, struct tx *tx, struct anchor_row *row,
		     const struct outbox_row *call)
{
	int r;

	snprintf(a->problem, ANCHORS_PROBLEM_MAX,
		 "root %" PRIu64 " was not taken by its contract (%.100s); it is sent again "
		 "every minute: see that no other program uses the key, and the limits of gas",
		 row->root.sequence, call->detail);
	a->ready = false;
	/* Later ones wait for this one. */
	if (a->now_ms - row->tried_ms < RETRY_MS && a->now_ms >= row->tried_ms)
		return 0;
	a->changes = true;
	row->attempt++;
	row->tried_ms = a->now_ms;
	if (!tx)
		return 0;
	r = add_call(a, tx, row);
	return r == 0 ? chain_store_anchor_set(tx, row) : r;
}

static int follow_one(struct anchoring *a, struct tx *tx, struct anchor_row *row, bool writes)
{
	char name[ANCHORS_NAME_SIZE];
	struct outbox_row call;
	int r;

	anchors_call_name(row->root.sequence, row->attempt, name);
	r = outbox_find(tx, name, &call);
	if (r != 0)
		return r > 0 ? -EIO : r;
	switch (call.state) {
	case OUTBOX_QUEUED:
	case OUTBOX_SENT:
		a->ready = false;
		return 0;
	case OUTBOX_MINED:
		return 0;
	case OUTBOX_FINAL:
		return conclude(a, writes ? tx : NULL, row, &call);
	case OUTBOX_REVERTED:
	case OUTBOX_REFUSED:
		return try_again(a, writes ? tx : NULL, row, &call);
	}
	return -EIO;
}

static int follow(struct anchoring *a, struct tx *tx, bool writes)
{
	struct anchor_row *rows;
	size_t n;
	int r = chain_store_anchors_open(tx, OPEN_MAX, &rows, &n);

	a->ready = true;
	a->changes = false;
	a->problem[0] = '\0';
	for (size_t i = 0; r == 0 && a->ready && i < n; i++)
		r = follow_one(a, tx, &rows[i], writes);
	if (n == OPEN_MAX)
		a->ready = false;
	return r;
}

static int tx_follow(struct tx *tx, void *arg)
{
	return follow(arg, tx, true);
}

/* ---- which leaves ---- */

/* The first kind behind @last that has leaves, and no root yet in this period, or more leaves than one holds. */
static int choose(struct anchoring *a, struct tx *tx, enum anchor_kind last)
{
	int64_t every_ms = a->context->settings->anchor_every_ms;
	int r = 0;

	a->kind = ANCHOR_KINDS_N;
	for (int i = 1; r == 0 && i <= ANCHOR_KINDS_N && a->kind == ANCHOR_KINDS_N; i++) {
		enum anchor_kind kind = (enum anchor_kind)((last + (unsigned int)i) %
							   ANCHOR_KINDS_N);
		struct anchor_row before;
		int64_t waiting;
		bool due;

		r = chain_store_waiting(tx, kind, ANCHOR_LEAVES_MAX, &waiting);
		if (r != 0 || waiting == 0)
			continue;
		r = chain_store_anchor_last(tx, kind, &before);
		due = r == ROUTE_E_NOT_FOUND || waiting == ANCHOR_LEAVES_MAX ||
		      before.made_ms / every_ms != a->now_ms / every_ms;
		r = r == ROUTE_E_NOT_FOUND ? 0 : r;
		if (due)
			a->kind = kind;
	}
	return r;
}

/* The next root: which, behind what, and of what. */
static int look_ahead(struct anchoring *a, struct tx *tx)
{
	enum anchor_kind last_kind = ANCHOR_PAYOUTS;
	struct identity_row identity;
	struct anchor_row last;
	int r = chain_store_anchor_last(tx, ANCHOR_KINDS_N, &last);

	if (r == 0) {
		a->sequence = last.root.sequence + 1;
		memcpy(a->head, last.head, sizeof(a->head));
		last_kind = last.root.kind;
	} else if (r == ROUTE_E_NOT_FOUND) {
		r = chain_store_identity(tx, &identity);
		a->sequence = (uint64_t)identity.sequence + 1;
		memcpy(a->head, identity.head, sizeof(a->head));
	}
	if (r == 0)
		r = chain_store_leaves(tx, (int64_t)a->sequence, &a->kind, &a->leaves, &a->n);
	a->gathered = (int64_t)a->n;
	/* None were gathered yet. */
	if (r == 0 && a->n == 0)
		r = choose(a, tx, last_kind);
	return r > 0 ? -EIO : r;
}

static int tx_look(struct tx *tx, void *arg)
{
	struct anchoring *a = arg;
	int r = follow(a, tx, false);

	return r == 0 && a->ready && !a->changes ? look_ahead(a, tx) : r;
}

static int tx_gather(struct tx *tx, void *arg)
{
	struct anchoring *a = arg;
	int64_t room = ANCHOR_LEAVES_MAX - a->gathered;

	return chain_store_gather(tx, a->kind, (int64_t)a->sequence,
				  room < GATHER_MAX ? room : GATHER_MAX, &a->taken);
}

/* ---- the root ---- */

static int tx_leaves(struct tx *tx, void *arg)
{
	struct anchoring *a = arg;

	return chain_store_leaves(tx, (int64_t)a->sequence, &a->kind, &a->leaves, &a->n);
}

static int compute(struct anchoring *a)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	const struct anchor_place place = {
		.chain_id = a->state->contracts.chain_id,
		.contract = a->state->contracts.at[CONTRACT_ANCHOR].address,
		.kind = a->kind,
	};
	struct anchor_root *root = &a->row.root;
	int r = anchor_tree(&place, a->leaves, a->n, &merkle);

	if (r != 0)
		return r;
	a->row = (struct anchor_row){ .made_ms = a->now_ms, .attempt = 1, .tried_ms = a->now_ms };
	root->sequence = a->sequence;
	root->kind = a->kind;
	root->leaves = (uint32_t)a->n;
	memcpy(root->root, merkle_root(merkle)->bytes, sizeof(root->root));
	keccak256(a->leaves, a->n * sizeof(*a->leaves), root->content);
	anchor_head_next(a->head, root, a->row.head);
	return 0;
}

static int tx_add(struct tx *tx, void *arg)
{
	struct anchoring *a = arg;
	int64_t n;
	int r = chain_store_count(tx, (int64_t)a->sequence, &n);

	if (r == 0 && n != (int64_t)a->n)
		r = -ESTALE;
	if (r == 0)
		r = chain_store_anchor_add(tx, &a->row);
	if (r == SQL_E_CONFLICT)
		r = -ESTALE;
	return r == 0 ? add_call(a, tx, &a->row) : r;
}

static int make_root(struct anchoring *a, struct arena *arena)
{
	struct db *db = a->context->db;
	int r;

	do {
		r = db_run(db, TX_WRITE, arena, tx_gather, a);
		a->gathered += r == 0 ? a->taken : 0;
	} while (r == 0 && a->taken > 0 && a->gathered < ANCHOR_LEAVES_MAX);
	if (r == 0)
		r = db_run(db, TX_READ, arena, tx_leaves, a);
	if (r == 0)
		r = compute(a);
	if (r == 0)
		r = db_run(db, TX_WRITE, arena, tx_add, a);
	if (r == 0)
		log_info("anchors.root", log_int("sequence", (int64_t)a->sequence),
			 log_text("kind", anchor_kind_words[a->kind]),
			 log_int("leaves", (int64_t)a->n));
	return r;
}

int anchors_turn(const struct context *context, const struct chain_state *state,
		 struct arena *arena, char ret_problem[static ANCHORS_PROBLEM_MAX])
{
	struct anchoring a = { .context = context,
			       .state = state,
			       .problem = ret_problem,
			       .now_ms = clock_now_ms(context->clock) };
	int r;

	ret_problem[0] = '\0';
	r = begin(&a, arena);
	if (r != 0)
		return r > 0 ? 0 : r;
	a.kind = ANCHOR_KINDS_N;
	r = db_run(context->db, TX_READ, arena, tx_look, &a);
	if (r == 0 && a.changes)
		return db_run(context->db, TX_WRITE, arena, tx_follow, &a);
	if (r == 0 && a.ready && a.kind != ANCHOR_KINDS_N)
		r = make_root(&a, arena);
	return r;
}

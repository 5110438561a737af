/* audit_seal.c - entries become batches. */
#include "modules/logging/audit_log.h"

#include "api/settings.h"

/* So many in a turn: the next one goes on. */
enum { BATCHES_MAX = 64 };

int audit_rows_tree(const struct audit_row *rows, size_t n, struct arena *arena,
		    struct merkle **ret_merkle)
{
	uint8_t(*digests)[AUDIT_DIGEST_SIZE] = arena_array(arena, n + 1, sizeof(*digests));
	int r = 0;

	if (!digests)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct arena_mark mark = arena_mark(arena);

		r = audit_row_digest(&rows[i], arena, digests[i]);
		arena_rewind(arena, mark);
	}
	return r == 0 ? audit_tree(digests, n, ret_merkle) : r;
}

struct sealing {
	const struct context *context;
	size_t n; /* entries of the batch */
};

static int find_before(struct tx *tx, struct audit_batch *batch)
{
	struct audit_batch_row before;
	int r = audit_store_batch_last(tx, &before);

	batch->number = 1;
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	if (r == 0) {
		batch->number = before.batch.number + 1;
		memcpy(batch->before, before.digest, sizeof(batch->before));
	}
	return r;
}

/* The batch and its entries are of one moment: what commits in between is left to the next. */
static int seal_batch(struct tx *tx, const struct context *context, const struct audit_row *rows,
		      size_t n)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct audit_batch_row row = {
		.batch = { .network = context->settings->network,
			   .entries = (int64_t)n,
			   .sealed_ms = clock_now_ms(context->clock) },
	};
	int64_t changed;
	int r = find_before(tx, &row.batch);

	if (r == 0)
		r = audit_rows_tree(rows, n, tx_arena(tx), &merkle);
	if (r != 0)
		return r;
	memcpy(row.batch.root, merkle_root(merkle)->bytes, sizeof(row.batch.root));
	audit_batch_digest(&row.batch, row.digest);
	r = audit_store_seal(tx, row.batch.number, &rows[n - 1].id, &changed);
	if (r == 0 && changed != (int64_t)n)
		return -EIO;
	return r == 0 ? audit_store_batch_add(tx, &row) : r;
}

static int run_seal(struct tx *tx, void *arg)
{
	struct sealing *sealing = arg;
	struct audit_row *rows;
	int r = audit_store_open(tx, AUDIT_ENTRIES_MAX, &rows, &sealing->n);

	if (r != 0 || sealing->n == 0)
		return r;
	return seal_batch(tx, sealing->context, rows, sealing->n);
}

static int run_look(struct tx *tx, void *arg)
{
	struct sealing *sealing = arg;
	struct audit_row *rows;

	return audit_store_open(tx, 1, &rows, &sealing->n);
}

int audit_seal(const struct context *context, struct arena *arena)
{
	struct sealing sealing = { .context = context };
	/* Mostly there is nothing: no reason to hold up writers. */
	int r = db_run(context->db, TX_READ, arena, run_look, &sealing);

	if (r != 0 || sealing.n == 0)
		return r;
	sealing.n = AUDIT_ENTRIES_MAX;
	for (int i = 0; r == 0 && sealing.n == AUDIT_ENTRIES_MAX && i < BATCHES_MAX; i++) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, run_seal, &sealing);
	}
	return r;
}

#include "modules/service/service_jobs.h"

#include "base/log.h"
#include "modules/billing/billing.h"
#include "modules/service/rental_step.h"
#include "modules/service/service_store.h"

enum {
	EVERY_MS = 1000,
	BATCH = 64,
	/* A turn ends here; what is left is due at the next. */
	BATCHES_MAX = 64,
	/* A rental whose step fails lets the others go first. */
	DEFER_MS = 5000,
};

struct turn {
	const struct context *context;
	struct rental_id ids[BATCH];
	size_t n;
	int64_t now_ms;
};

static int mark(struct tx *tx, struct turn *turn, enum rental_reason stop)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < turn->n; i++)
		r = store_mark_due(tx, turn->ids[i], stop, turn->now_ms);
	return r;
}

/* Ended with the tenant's money: none of it is left, or it leaves. */
static int gather_stops(struct tx *tx, struct turn *turn,
			int (*take)(struct tx *tx, size_t max, struct rental_id *ret_rentals,
				    size_t *ret_n),
			enum rental_reason reason, size_t *most)
{
	int r = take(tx, BATCH, turn->ids, &turn->n);

	if (r == 0)
		r = mark(tx, turn, reason);
	if (r == 0 && turn->n > *most)
		*most = turn->n;
	return r;
}

/* Turns hints into the store's truth: taken off their lists and due, in one transaction. */
static int gather(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	size_t most;
	int r = worker_changes_take(tx, BATCH, turn->ids, &turn->n);

	if (r == 0)
		r = mark(tx, turn, RENTAL_REASON_NONE);
	most = turn->n;
	/* The first reason stays. */
	if (r == 0)
		r = gather_stops(tx, turn, billing_leaving_take, RENTAL_LEFT_ESCROW, &most);
	if (r == 0)
		r = gather_stops(tx, turn, billing_exhausted_take, RENTAL_BALANCE_EXHAUSTED, &most);
	turn->n = most;
	return r;
}

static int read_due(struct tx *tx, void *arg)
{
	struct turn *turn = arg;

	return store_due(tx, turn->now_ms, BATCH, turn->ids, &turn->n);
}

struct one {
	const struct context *context;
	struct rental_id id;
};

static int settle(struct tx *tx, void *arg)
{
	struct one *one = arg;

	return rental_settle(one->context, tx, one->id);
}

static int defer(struct tx *tx, void *arg)
{
	struct one *one = arg;

	return store_defer(tx, one->id, clock_now_ms(one->context->clock) + DEFER_MS);
}

/* One rental, in its own transaction. Its fault is its own: the others go on. */
static int settle_one(const struct context *context, struct arena *arena, struct rental_id id)
{
	struct one one = { .context = context, .id = id };
	char text[ID_TEXT_SIZE];
	int r;

	arena_reset(arena);
	r = db_run(context->db, TX_WRITE, arena, settle, &one);
	if (r == 0)
		return 0;
	rental_id_text(&id, text);
	log_error("rental.step", log_text("rental", text), log_fault(r < 0 ? r : -EIO));
	arena_reset(arena);
	return db_run(context->db, TX_WRITE, arena, defer, &one);
}

/* Until nothing is left on the lists. */
static int gather_all(const struct context *context, struct arena *arena, struct turn *turn)
{
	int r = 0;

	turn->n = BATCH;
	for (int i = 0; r == 0 && turn->n == BATCH && i < BATCHES_MAX; i++) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, gather, turn);
	}
	return r;
}

int service_rentals_run(const struct context *context, struct arena *arena)
{
	struct turn turn = { .context = context, .now_ms = clock_now_ms(context->clock) };
	int r = gather_all(context, arena, &turn);

	turn.n = BATCH;
	for (int i = 0; r == 0 && turn.n == BATCH && i < BATCHES_MAX; i++) {
		arena_reset(arena);
		r = db_run(context->db, TX_READ, arena, read_due, &turn);
		for (size_t j = 0; r == 0 && j < turn.n; j++)
			r = settle_one(context, arena, turn.ids[j]);
	}
	return r;
}

const struct job service_jobs[] = {
	{ "rentals", EVERY_MS, service_rentals_run },
	{ 0 },
};

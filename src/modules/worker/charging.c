#include "modules/worker/charging.h"

#include <pthread.h>

#include "base/log.h"

enum { CHARGING_ARENA_BYTES = 32 << 20 };

struct charging {
	const struct context *context;
	charging_done *done;
	pthread_mutex_t mutex; /* guards what follows, up to the arena */
	struct charge *first, **last;
	size_t n;
	bool busy; /* a thread charges: the arena is its own */
	struct arena *arena;
};

int charging_new(const struct context *context, charging_done *done, struct charging **ret_charging)
{
	struct charging *charging = calloc(1, sizeof(*charging));
	int r;

	if (!charging)
		return -ENOMEM;
	r = arena_new(CHARGING_ARENA_BYTES, &charging->arena);
	if (r < 0) {
		free(charging);
		return r;
	}
	charging->context = context;
	charging->done = done;
	charging->last = &charging->first;
	pthread_mutex_init(&charging->mutex, NULL);
	*ret_charging = charging;
	return 0;
}

void charging_free(struct charging *charging)
{
	if (!charging)
		return;
	arena_free(charging->arena);
	pthread_mutex_destroy(&charging->mutex);
	free(charging);
}

/* ---- a batch ---- */

struct batch {
	const struct context *context;
	struct billing_record *records[BILLING_RECORDS_MAX];
	size_t n;
};

static int tx_charge(struct tx *tx, void *arg)
{
	const struct batch *batch = arg;

	return billing_usage_many(batch->context, tx, batch->records, batch->n);
}

static int charge(struct charging *charging, struct charge *const *charges, size_t n)
{
	struct batch batch = { .context = charging->context, .n = n };

	for (size_t i = 0; i < n; i++)
		batch.records[i] = &charges[i]->record;
	arena_reset(charging->arena);
	return db_run(charging->context->db, TX_WRITE, charging->arena, tx_charge, &batch);
}

static void charge_alone(struct charging *charging, struct charge *const *charges, size_t n,
			 int fault)
{
	const struct clock *clock = charging->context->clock;
	int64_t until_ms = clock_mono_ms(clock) + CHARGING_ALONE_MS;

	log_warn("worker.batch_failed", log_fault(fault), log_int("records", (int64_t)n));
	for (size_t i = 0; i < n; i++) {
		int r = fault;

		if (clock_mono_ms(clock) < until_ms)
			r = charge(charging, &charges[i], 1);
		charging->done(charges[i], r, charging->arena);
	}
}

static void charge_batch(struct charging *charging, struct charge *const *charges, size_t n)
{
	int r = charge(charging, charges, n);

	if (r < 0 && n > 1) {
		charge_alone(charging, charges, n, r);
		return;
	}
	for (size_t i = 0; i < n; i++)
		charging->done(charges[i], r, charging->arena);
}

/* ---- the queue ---- */

/* None: the thread is no longer the one that charges. */
static size_t next_batch(struct charging *charging,
			 struct charge *ret_charges[static BILLING_RECORDS_MAX])
{
	size_t n = 0;

	pthread_mutex_lock(&charging->mutex);
	for (; n < BILLING_RECORDS_MAX && charging->first; n++) {
		ret_charges[n] = charging->first;
		charging->first = charging->first->next;
	}
	if (!charging->first)
		charging->last = &charging->first;
	charging->n -= n;
	charging->busy = n > 0;
	pthread_mutex_unlock(&charging->mutex);
	return n;
}

/* Whether this thread is now the one that charges, or -EAGAIN. */
static int append(struct charging *charging, struct charge *charges, size_t n, bool *ret_mine)
{
	int r = -EAGAIN;

	pthread_mutex_lock(&charging->mutex);
	if (charging->n + n <= CHARGING_QUEUE_MAX) {
		*charging->last = charges;
		while (*charging->last)
			charging->last = &(*charging->last)->next;
		charging->n += n;
		*ret_mine = !charging->busy;
		charging->busy = true;
		r = 0;
	}
	pthread_mutex_unlock(&charging->mutex);
	return r;
}

int charging_put(struct charging *charging, struct charge *charges, size_t n)
{
	struct charge *batch[BILLING_RECORDS_MAX];
	size_t n_batch;
	bool mine;
	int r;

	r = append(charging, charges, n, &mine);
	if (r < 0)
		return r;
	while (mine && (n_batch = next_batch(charging, batch)) > 0)
		charge_batch(charging, batch, n_batch);
	return 0;
}

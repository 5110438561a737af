#include "modules/proof/uptimes.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/proof/proof_store.h"
#include "security/secp.h"

enum {
	WAITING_MAX = 65536, /* those of an hour come at its end */
	AT_ONCE = WIRE_HEARD_MAX, /* written in one transaction */
	TURNS_MAX = WAITING_MAX / AT_ONCE,
};

static struct {
	const struct context *context;
	pthread_mutex_t mutex; /* guards the queue */
	struct proof_uptime *queue; /* the oldest first */
	size_t n;
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int uptimes_start(const struct context *context)
{
	all.context = context;
	all.queue = calloc(WAITING_MAX, sizeof(*all.queue));
	return all.queue ? 0 : -ENOMEM;
}

void uptimes_stop(void)
{
	free(all.queue);
	all.queue = NULL;
	all.n = 0;
}

bool uptimes_take(const struct address *checker, const Wire__Uptime *said)
{
	struct proof_uptime uptime = { .checker = *checker,
				       .hour = said->hour,
				       .polls = said->polls,
				       .answered = said->answered };
	int64_t seconds = all.context->settings->watch_hour_ms / 1000;
	bool room;

	memcpy(uptime.machine.address.bytes, said->machine.data, 20);
	memcpy(uptime.signature, said->signature.data, sizeof(uptime.signature));
	if (uptime.polls == 0 || uptime.answered > uptime.polls ||
	    spans_decode(said->away.data, said->away.len, seconds, &uptime.away) < 0)
		return false;
	pthread_mutex_lock(&all.mutex);
	room = all.n < WAITING_MAX;
	if (room)
		all.queue[all.n++] = uptime;
	pthread_mutex_unlock(&all.mutex);
	return room;
}

/* ---- the job ---- */

struct batch {
	const struct context *context;
	struct proof_uptime *uptimes;
	bool *wanted;
	size_t n;
};

static bool is_signed(const struct settings *settings, const struct proof_uptime *uptime)
{
	const struct uptime_statement statement = {
		.network = settings->network,
		.machine = uptime->machine,
		.checker = uptime->checker,
		.hour_ms = settings->watch_hour_ms,
		.hour = uptime->hour,
		.polls = uptime->polls,
		.answered = uptime->answered,
		.away = uptime->away,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	uptime_digest(&statement, digest);
	return secp_recover(digest, uptime->signature, &signer) == 0 &&
	       address_equal(&signer, &uptime->checker);
}

static int tx_awaited(struct tx *tx, void *arg)
{
	struct batch *batch = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		struct arena_mark mark = arena_mark(tx_arena(tx));

		r = proof_store_uptime_awaited(tx, &batch->uptimes[i], &batch->wanted[i]);
		arena_rewind(tx_arena(tx), mark);
	}
	return r;
}

static int tx_add(struct tx *tx, void *arg)
{
	const struct batch *batch = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < batch->n; i++) {
		struct arena_mark mark = arena_mark(tx_arena(tx));

		if (batch->wanted[i])
			r = proof_store_uptime_add(tx, &batch->uptimes[i]);
		arena_rewind(tx_arena(tx), mark);
	}
	return r;
}

/* What nobody asked for costs no signature. */
static int keep(struct batch *batch, struct arena *arena)
{
	struct db *db = batch->context->db;
	int r = db_run(db, TX_READ, arena, tx_awaited, batch);

	for (size_t i = 0; r == 0 && i < batch->n; i++)
		batch->wanted[i] = batch->wanted[i] &&
				   is_signed(batch->context->settings, &batch->uptimes[i]);
	return r != 0 ? r : db_run(db, TX_WRITE, arena, tx_add, batch);
}

static int by_checker(const void *a, const void *b)
{
	const struct proof_uptime *x = a, *y = b;

	return memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

static void put_number(uint8_t *to, uint64_t number, size_t len)
{
	for (size_t i = len; i > 0; i--, number >>= 8)
		to[i - 1] = (uint8_t)number;
}

static int tell(const struct proof_uptime *uptimes, size_t n, uint8_t *bytes)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Heard heard = WIRE__HEARD__INIT;

	for (size_t i = 0; i < n; i++) {
		uint8_t *to = bytes + i * WIRE_HEARD_SIZE;

		memcpy(to, uptimes[i].machine.address.bytes, 20);
		put_number(to + 20, (uint64_t)uptimes[i].hour, 8);
		put_number(to + 28, (uint64_t)uptimes[i].polls, 4);
	}
	heard.reports = (ProtobufCBinaryData){ n * WIRE_HEARD_SIZE, bytes };
	message.body_case = WIRE__TO_NODE__BODY_HEARD;
	message.heard = &heard;
	return checker_send(&uptimes[0].checker, &message);
}

/* Whatever became of them: said once is enough. Who is gone says it again. */
static int tell_all(struct batch *batch, struct arena *arena)
{
	uint8_t *bytes = arena_alloc(arena, AT_ONCE * WIRE_HEARD_SIZE);
	size_t of_it;

	if (!bytes)
		return -ENOMEM;
	qsort(batch->uptimes, batch->n, sizeof(*batch->uptimes), by_checker);
	for (size_t i = 0; i < batch->n; i += of_it) {
		int r;

		for (of_it = 1; i + of_it < batch->n; of_it++)
			if (by_checker(&batch->uptimes[i], &batch->uptimes[i + of_it]) != 0)
				break;
		r = tell(&batch->uptimes[i], of_it, bytes);
		if (r < 0 && r != -ENOTCONN)
			log_warn("proof.heard", log_fault(r));
	}
	return 0;
}

/* The oldest of them, and how many. */
static int keep_some(const struct context *context, struct arena *arena, size_t *ret_n)
{
	struct batch batch = { .context = context };
	int r;

	arena_reset(arena);
	batch.uptimes = arena_array(arena, AT_ONCE, sizeof(*batch.uptimes));
	batch.wanted = arena_array(arena, AT_ONCE, sizeof(*batch.wanted));
	if (!batch.uptimes || !batch.wanted)
		return -ENOMEM;
	pthread_mutex_lock(&all.mutex);
	batch.n = size_min(all.n, AT_ONCE);
	memcpy(batch.uptimes, all.queue, batch.n * sizeof(*all.queue));
	pthread_mutex_unlock(&all.mutex);
	*ret_n = batch.n;
	if (batch.n == 0)
		return 0;
	r = keep(&batch, arena);
	if (r != 0)
		return r;
	pthread_mutex_lock(&all.mutex);
	all.n -= batch.n;
	memmove(all.queue, all.queue + batch.n, all.n * sizeof(*all.queue));
	pthread_mutex_unlock(&all.mutex);
	return tell_all(&batch, arena);
}

int uptimes_run(const struct context *context, struct arena *arena)
{
	size_t n = AT_ONCE;
	int r = 0;

	for (int i = 0; r == 0 && n == AT_ONCE && i < TURNS_MAX; i++)
		r = keep_some(context, arena, &n);
	return r;
}

#include <pthread.h>

#include "modules/iam/iam_rules.h"

/* Keys used since the last flush, hashed by the random end of their ids. A use that finds its
 * neighbourhood taken is not noted: the key's next use is. */
enum { USES_SLOTS = 1024, USES_PROBES = 16 };

static struct {
	pthread_mutex_t lock;
	struct iam_key_use slots[USES_SLOTS]; /* at_ms 0: free */
} uses = { .lock = PTHREAD_MUTEX_INITIALIZER };

void iam_key_used(struct api_key_id key, int64_t at_ms)
{
	size_t first = (size_t)key.bytes[14] << 8 | key.bytes[15];

	pthread_mutex_lock(&uses.lock);
	for (size_t i = 0; i < USES_PROBES; i++) {
		struct iam_key_use *use = &uses.slots[(first + i) % USES_SLOTS];

		if (use->at_ms && !api_key_id_equal(use->key, key))
			continue;
		*use = (struct iam_key_use){ key, at_ms };
		break;
	}
	pthread_mutex_unlock(&uses.lock);
}

/* Takes all noted uses off the table. */
static size_t take_uses(struct iam_key_use *to)
{
	size_t n = 0;

	pthread_mutex_lock(&uses.lock);
	for (size_t i = 0; i < USES_SLOTS; i++)
		if (uses.slots[i].at_ms)
			to[n++] = uses.slots[i];
	memset(uses.slots, 0, sizeof(uses.slots));
	pthread_mutex_unlock(&uses.lock);
	return n;
}

struct flush {
	const struct iam_key_use *uses;
	size_t n;
};

static int run_flush(struct tx *tx, void *arg)
{
	const struct flush *flush = arg;

	return iam_store_keys_used(tx, flush->uses, flush->n);
}

static int flush_key_uses(const struct context *context, struct arena *arena)
{
	struct iam_key_use *taken = arena_array(arena, USES_SLOTS, sizeof(*taken));
	struct flush flush;
	int r;

	if (!taken)
		return -ENOMEM;
	flush = (struct flush){ taken, take_uses(taken) };
	if (flush.n == 0)
		return 0;
	r = db_run(context->db, TX_WRITE, arena, run_flush, &flush);
	for (size_t i = 0; r != 0 && i < flush.n; i++)
		iam_key_used(taken[i].key, taken[i].at_ms);
	return r;
}

static int run_purge(struct tx *tx, void *arg)
{
	return iam_store_purge(tx, *(const int64_t *)arg);
}

static int purge(const struct context *context, struct arena *arena)
{
	int64_t now_ms = clock_now_ms(context->clock);

	return db_run(context->db, TX_WRITE, arena, run_purge, &now_ms);
}

const struct job iam_jobs[] = {
	{ "iam-purge", 60000, purge },
	{ "iam-key-uses", IAM_KEY_USE_EVERY_MS, flush_key_uses, .everywhere = true },
	{ 0 },
};

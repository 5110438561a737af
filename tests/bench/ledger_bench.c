/* ledger_bench.c - postings a second through the ledger's own functions: ledger_bench URL THREADS SECONDS
 * BATCH. Each posting moves money of one of 100,000 people to another and a share to the network (three
 * entries, two balances); a transaction holds BATCH of them. The people get their money in the first run
 * on an empty store. */
#include <pthread.h>
#include <stdatomic.h>

#include "api/route.h"
#include "base/clock.h"
#include "io/migrate.h"
#include "modules/billing/ledger.h"

enum { PEOPLE = 100000, BATCH_MAX = 1000, FUNDING_BATCH = 500 };

static struct context context;
static _Atomic(bool) over;
static _Atomic(int64_t) posted;
static int64_t batch, began_ms; /* the latter tells this run's keys from others' */

struct work {
	struct random_seeded seeded;
	int64_t thread, round;
	struct ledger_posting postings[BATCH_MAX];
	size_t n;
};

static struct account_id person(uint64_t number)
{
	struct account_id account = { 0 };

	/* Spread, as addresses are. */
	number = number * 0x9e3779b97f4a7c15u;
	memcpy(account.address.bytes, &number, sizeof(number));
	account.address.bytes[19] = 1;
	return account;
}

static int post(struct tx *tx, void *arg)
{
	struct work *work = arg;

	return ledger_post_many(&context, tx, work->postings, work->n);
}

static int look(struct tx *tx, void *arg)
{
	return ledger_balances(tx, person(0), arg);
}

static int fund(struct work *work)
{
	struct ledger_balances balances;

	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(64 << 20, &arena);

	if (r == 0)
		r = db_run(context.db, TX_READ, arena, look, &balances);
	if (r != 0 || balances.available.micro > 0)
		return r;
	for (uint64_t first = 0; r == 0 && first < PEOPLE; first += FUNDING_BATCH) {
		work->n = FUNDING_BATCH;
		for (size_t i = 0; i < FUNDING_BATCH; i++) {
			struct ledger_posting *p = &work->postings[i];

			*p = (struct ledger_posting){ .kind = "credit" };
			snprintf(p->key, sizeof(p->key), "fund-%" PRIu64, first + i);
			ledger_entry(p, person(first + i), LEDGER_AVAILABLE,
				     (struct amount){ 1000000000000 });
			ledger_entry_network(p, LEDGER_ISSUE, (struct amount){ -1000000000000 });
		}
		arena_reset(arena);
		r = db_run(context.db, TX_WRITE, arena, post, work);
	}
	return r;
}

/* A batch never names a person twice, as a round of charges never names a lease twice. */
static int fill(struct work *work)
{
	uint64_t start, stride = PEOPLE / (2 * (uint64_t)batch);
	int r = random_below(&work->seeded.random, PEOPLE, &start);

	work->n = (size_t)batch;
	for (size_t i = 0; r == 0 && i < work->n; i++) {
		struct ledger_posting *p = &work->postings[i];
		uint64_t payer = (start + 2 * i * stride) % PEOPLE;

		*p = (struct ledger_posting){ .kind = "charge" };
		snprintf(p->key, sizeof(p->key), "b-%" PRId64 "-%" PRId64 "-%" PRId64 "-%zu",
			 began_ms, work->thread, work->round, i);
		ledger_entry(p, person(payer), LEDGER_AVAILABLE, (struct amount){ -10 });
		ledger_entry(p, person((payer + stride) % PEOPLE), LEDGER_EARNED,
			     (struct amount){ 9 });
		ledger_entry_network(p, LEDGER_FEES, (struct amount){ 1 });
	}
	work->round++;
	return r;
}

static void *run(void *arg)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct work *work = arg;
	int r = arena_new(64 << 20, &arena);

	while (r == 0 && !atomic_load(&over)) {
		arena_reset(arena);
		r = fill(work);
		if (r == 0)
			r = db_run(context.db, TX_WRITE, arena, post, work);
		if (r == 0)
			atomic_fetch_add(&posted, (int64_t)work->n);
	}
	if (r != 0)
		fprintf(stderr, "ledger_bench: %d\n", r);
	return NULL;
}

static int measure(struct work *works, pthread_t *threads, int n_threads, int seconds)
{
	int64_t began;

	for (int i = 0; i < n_threads; i++) {
		works[i].thread = i;
		random_seeded_init(&works[i].seeded, (uint64_t)i + 1);
		if (pthread_create(&threads[i], NULL, run, &works[i]) != 0)
			return -EAGAIN;
	}
	began = clock_mono_ms(&clock_system);
	while (clock_mono_ms(&clock_system) - began < seconds * 1000)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	printf("%.1f\n", (double)atomic_load(&posted) * 1000.0 /
				 (double)(clock_mono_ms(&clock_system) - began));
	atomic_store(&over, true);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int main(int argc, char **argv)
{
	int n_threads, seconds, r;
	pthread_t *threads;
	struct work *works;

	if (argc != 5) {
		fprintf(stderr, "usage: ledger_bench URL THREADS SECONDS BATCH\n");
		return 2;
	}
	n_threads = (int)strtol(argv[2], NULL, 10);
	seconds = (int)strtol(argv[3], NULL, 10);
	batch = strtol(argv[4], NULL, 10);
	if (n_threads < 1 || n_threads > 64 || seconds < 1 || seconds > 60 || batch < 1 ||
	    batch > BATCH_MAX)
		return 2;
	works = calloc((size_t)n_threads, sizeof(*works));
	threads = calloc((size_t)n_threads, sizeof(*threads));
	context.clock = &clock_system;
	began_ms = clock_now_ms(&clock_system);
	context.random = &random_system;
	r = works && threads ? db_open(argv[1], (unsigned int)n_threads, &context.db) : -ENOMEM;
	if (r == 0)
		r = migrate(context.db, migrations, NULL);
	if (r == 0)
		r = fund(&works[0]);
	if (r == 0)
		r = measure(works, threads, n_threads, seconds);
	if (context.db)
		db_close(context.db);
	free(works);
	free(threads);
	return r == 0 ? 0 : 1;
}

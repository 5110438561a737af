/* charging_bench.c - usage records a second through the product's own charging queue: charging_bench
 * URL THREADS SECONDS. THREADS threads check the signatures of records and put them, as the agents'
 * pool does, and whoever finds the queue idle charges what waits. 5,000 leases of 1,000 tenants on 500
 * machines, each of its own provider, report in turn; each record costs something, moves four balances
 * and gets a signed receipt. The leases are new in each run; the machines sign before the clock runs. */
#include <pthread.h>
#include <stdatomic.h>

#include "api/settings.h"
#include "base/clock.h"
#include "base/log.h"
#include "io/migrate.h"
#include "modules/worker/charging.h"
#include "security/secp.h"

enum {
	TENANTS = 1000,
	MACHINES = 500,
	LEASES = 5000,
	ROUNDS = 24, /* records of each lease */
	OPEN_BATCH = 250,
	STEP_S = 10,
};

static struct clock_fake now; /* so that the leases have run for long enough */
static struct settings settings;
static struct context context;
static struct secp_key *network_key, *keys[MACHINES];
static struct billing_lease leases[LEASES];
static struct charge *charges[LEASES * ROUNDS];
static struct charging *charging;
static _Atomic(size_t) next_charge, charged, refused;
static _Atomic(bool) over;
static int64_t started_ms;

static struct account_id account_of(uint32_t kind, uint32_t number)
{
	/* Spread, as addresses are. */
	uint64_t spread = (number + 1) * 0x9e3779b97f4a7c15u;
	struct account_id account = { 0 };

	memcpy(account.address.bytes, &spread, sizeof(spread));
	account.address.bytes[19] = (uint8_t)kind;
	return account;
}

/* ---- before the clock runs ---- */

static int open_some(struct tx *tx, void *arg)
{
	size_t first = *(size_t *)arg;
	char key[64];
	int r = 0;

	for (size_t i = first; r == 0 && i < first + OPEN_BATCH; i++) {
		struct billing_lease *lease = &leases[i];

		snprintf(key, sizeof(key), "bench-%" PRId64 "-%zu", started_ms, i);
		r = billing_credit(&context, tx, lease->tenant, (struct amount){ 10000000 }, key,
				   NULL);
		if (r == 0)
			r = billing_lease_open(&context, tx, lease);
	}
	return r;
}

static int open_leases(void)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(64 << 20, &arena);

	for (size_t i = 0; r == 0 && i < MACHINES; i++)
		r = secp_key_generate(&random_system, &keys[i]);
	for (size_t i = 0; r == 0 && i < LEASES; i++) {
		leases[i] = (struct billing_lease){
			.tenant = account_of(1, (uint32_t)(i % TENANTS)),
			.machine = { *secp_key_address(keys[i % MACHINES]) },
			.provider = account_of(2, (uint32_t)(i % MACHINES)),
			.rate_hour = { 360000 },
			.hold = { 10000 },
		};
		r = rental_id_make(&clock_system, &random_system, &leases[i].rental);
		if (r == 0)
			r = lease_id_make(&clock_system, &random_system, &leases[i].lease);
	}
	for (size_t first = 0; r == 0 && first < LEASES; first += OPEN_BATCH) {
		arena_reset(arena);
		r = db_run(context.db, TX_WRITE, arena, open_some, &first);
	}
	return r;
}

static int sign(size_t number)
{
	size_t which = number % LEASES, round = number / LEASES + 1;
	struct charge *charge = calloc(1, sizeof(*charge));
	uint8_t digest[SIGN_DIGEST_SIZE];

	if (!charge)
		return -ENOMEM;
	charges[number] = charge;
	charge->record.usage = (struct usage_statement){
		.network = settings.network,
		.machine = leases[which].machine,
		.lease = leases[which].lease,
		.rental = leases[which].rental,
		.sequence = round,
		.started_at_ms = started_ms,
		.until_ms = started_ms + (int64_t)round * STEP_S * 1000,
		.seconds = (int64_t)round * STEP_S,
	};
	usage_digest(&charge->record.usage, digest);
	return secp_sign(keys[which % MACHINES], digest, charge->record.signature);
}

static int prepare(void)
{
	int r;

	started_ms = clock_now_ms(&clock_system);
	clock_fake_init(&now, started_ms);
	r = secp_key_generate(&random_system, &network_key);
	if (r < 0)
		return r;
	settings.network_key = network_key;
	settings.network = *secp_key_address(network_key);
	settings.fee_basis_points = 1000;
	r = open_leases();
	for (size_t i = 0; r == 0 && i < LEASES * ROUNDS; i++)
		r = sign(i);
	now.ms += ROUNDS * STEP_S * 1000;
	return r;
}

/* ---- the run ---- */

static void done(struct charge *charge, int result, struct arena *arena _unused_)
{
	atomic_fetch_add(result == 0 && charge->record.outcome == 0 ? &charged : &refused, 1);
}

/* Charges of one thread may overtake another's of the same lease only a round of all leases later. */
static void *report(void *arg _unused_)
{
	size_t i;

	while (!atomic_load(&over) && (i = atomic_fetch_add(&next_charge, 1)) < LEASES * ROUNDS) {
		if (billing_record_check(&charges[i]->record) < 0)
			abort();
		while (charging_put(charging, charges[i], 1) < 0)
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	return NULL;
}

static int measure(int n_threads, int seconds)
{
	pthread_t threads[64];
	int64_t began_ms = clock_mono_ms(&clock_system), took_ms = 0;

	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, report, NULL) != 0)
			return -EAGAIN;
	while (took_ms < seconds * 1000 &&
	       atomic_load(&charged) + atomic_load(&refused) < LEASES * ROUNDS) {
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
		took_ms = clock_mono_ms(&clock_system) - began_ms;
	}
	printf("%.1f\n", (double)atomic_load(&charged) * 1000.0 / (double)took_ms);
	atomic_store(&over, true);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	return atomic_load(&refused) == 0 ? 0 : -EIO;
}

int main(int argc, char **argv)
{
	int n_threads, seconds, r;

	if (argc != 4) {
		fprintf(stderr, "usage: charging_bench URL THREADS SECONDS\n");
		return 2;
	}
	n_threads = (int)strtol(argv[2], NULL, 10);
	seconds = (int)strtol(argv[3], NULL, 10);
	if (n_threads < 1 || n_threads > 64 || seconds < 1 || seconds > 60)
		return 2;
	log_init(false, LOG_WARN);
	context = (struct context){ .clock = &now.clock,
				    .random = &random_system,
				    .settings = &settings };
	r = db_open(argv[1], (unsigned int)n_threads, &context.db);
	if (r == 0)
		r = migrate(context.db, migrations, NULL);
	if (r == 0)
		r = prepare();
	if (r == 0)
		r = charging_new(&context, done, &charging);
	if (r == 0)
		r = measure(n_threads, seconds);
	if (r != 0)
		fprintf(stderr, "charging_bench: %d, refused %zu\n", r, atomic_load(&refused));
	charging_free(charging);
	if (context.db)
		db_close(context.db);
	for (size_t i = 0; i < LEASES * ROUNDS; i++)
		free(charges[i]);
	for (size_t i = 0; i < MACHINES; i++)
		secp_key_free(keys[i]);
	secp_key_free(network_key);
	return r == 0 ? 0 : 1;
}

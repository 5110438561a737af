/* When a lease is not billed although it ran (billing.h). */
#include "modules/billing/metering.h"

#include "api/settings.h"
#include "modules/billing/record.h"
#include "modules/logging/logging.h"
#include "security/secp.h"

static int sign(const struct context *context, const struct lease_row *lease,
		struct excuse_row *excuse)
{
	const struct excuse_statement statement = lease_excuse(context, lease, excuse);
	uint8_t digest[SIGN_DIGEST_SIZE];

	excuse_digest(&statement, digest);
	return secp_sign(context->settings->network_key, digest, excuse->signature);
}

static bool has_proof(const struct excuse_row *excuse)
{
	static const uint8_t none[16];

	return memcmp(excuse->proof, none, sizeof(none)) != 0;
}

/* Which session, or which hour. */
static void reason_text(const struct excuse_row *excuse, char ret_text[static ID_TEXT_SIZE])
{
	if (has_proof(excuse))
		id_text("prf", excuse->proof, ret_text);
	else
		snprintf(ret_text, ID_TEXT_SIZE, "hour-%" PRId64, excuse->hour);
}

static struct excuse_row *open_excuse(const struct lease_row *lease)
{
	for (size_t i = 0; i < lease->n_excuses; i++)
		if (lease->excuses[i].until_ms == 0)
			return &lease->excuses[i];
	return NULL;
}

static int tell(const struct context *context, struct tx *tx, const struct lease_row *lease,
		const char *type, const struct excuse_row *excuse)
{
	char subject[ID_TEXT_SIZE], reason[ID_TEXT_SIZE];
	json_t *data;

	rental_id_text(&lease->rental, subject);
	reason_text(excuse, reason);
	data = json_pack("{s:s, s:I, s:I}", has_proof(excuse) ? "proof" : "hour", reason, "from_ms",
			 (json_int_t)excuse->from_ms, "until_ms", (json_int_t)excuse->until_ms);
	if (!data)
		return -ENOMEM;
	return logging_event(context, tx, lease->tenant, type, subject, data);
}

/* The excuse changes the bill also where it changes no charge. */
static int record_closed(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	int r;

	if (!lease->closed_at_ms)
		return 0;
	r = lease_record(context, tx, lease);
	return r != 0 ? r : store_leases_update(tx, (const struct lease_row *[]){ lease }, 1);
}

/* What was charged for excused time is given back at once; what an end of an excuse makes due, the next
 * record asks for. */
static int give_back(const struct context *context, struct tx *tx, struct lease_row *lease,
		     const struct excuse_row *excuse)
{
	struct ledger_posting correction;
	char reason[ID_TEXT_SIZE], key[ID_TEXT_SIZE + 24];
	struct amount due;
	int r;

	r = metering_due(lease, &due);
	if (r < 0)
		return r;
	if (due.micro >= 0)
		return record_closed(context, tx, lease);
	reason_text(excuse, reason);
	snprintf(key, sizeof(key), "%s:%" PRId64, reason, excuse->from_ms);
	r = metering_correct(lease, key, "the machine was found unusable", &correction);
	if (r == 0 && lease->sequence > 0)
		r = metering_receipt(context, lease);
	if (r == 0)
		r = ledger_post_sure(context, tx, &correction, 1);
	if (r == 0)
		r = lease_record(context, tx, lease);
	return r != 0 ? r : store_leases_update(tx, (const struct lease_row *[]){ lease }, 1);
}

/* ---- a bill that can be read ---- */

/* The excuse whose end and the next one's beginning are closest together; the last one: there is no such pair. */
static size_t closest(const struct lease_row *lease)
{
	size_t last = lease->n_excuses - 1, found = last;
	int64_t least_ms = INT64_MAX;

	for (size_t i = 0; i < last; i++) {
		const struct excuse_row *next = &lease->excuses[i + 1];
		int64_t gap_ms = next->from_ms - lease->excuses[i].until_ms;

		if (next->until_ms == 0 || gap_ms >= least_ms)
			continue;
		least_ms = gap_ms;
		found = i;
	}
	return found;
}

static int merge(const struct context *context, struct tx *tx, struct lease_row *lease, size_t at)
{
	struct excuse_row *excuse = &lease->excuses[at], *next = excuse + 1;
	int r;

	excuse->until_ms = next->until_ms;
	r = sign(context, lease, excuse);
	if (r == 0)
		r = store_excuse_remove(tx, lease->lease, next->from_ms);
	if (r == 0)
		r = store_excuse_put(tx, lease->lease, excuse);
	if (r != 0)
		return r;
	lease->n_excuses--;
	memmove(next, next + 1, (lease->n_excuses - at - 1) * sizeof(*next));
	return tell(context, tx, lease, "rental.excused", excuse);
}

static int merge_closest(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	int r = 0;

	while (r == 0 && lease->n_excuses > BILLING_EXCUSES_MAX) {
		size_t at = closest(lease);

		if (at + 1 == lease->n_excuses)
			break;
		r = merge(context, tx, lease, at);
	}
	return r;
}

int metering_end_excuse(const struct context *context, struct tx *tx, struct lease_row *lease,
			int64_t until_ms)
{
	struct excuse_row *excuse = open_excuse(lease);
	int r;

	if (!excuse)
		return 0;
	excuse->until_ms = until_ms > excuse->from_ms ? until_ms : excuse->from_ms;
	r = sign(context, lease, excuse);
	if (r == 0)
		r = store_excuse_put(tx, lease->lease, excuse);
	return r != 0 ? r : tell(context, tx, lease, "rental.excuse_ended", excuse);
}

int billing_excuse_open(struct tx *tx, struct lease_id id, uint8_t ret_proof[static 16])
{
	const struct excuse_row *excuse;
	struct lease_row lease;
	int r;

	memset(ret_proof, 0, sizeof(excuse->proof));
	r = store_lease(tx, id, &lease);
	excuse = r == 0 ? open_excuse(&lease) : NULL;
	if (excuse)
		memcpy(ret_proof, excuse->proof, sizeof(excuse->proof));
	return r;
}

int billing_excuse_end(const struct context *context, struct tx *tx, struct lease_id id,
		       int64_t until_ms)
{
	struct lease_row lease;
	int r;

	r = store_lease(tx, id, &lease);
	return r != 0 ? r : metering_end_excuse(context, tx, &lease, until_ms);
}

/* ---- what is over ---- */

struct adding {
	const struct context *context;
	struct tx *tx;
	const struct lease_row *lease; /* with the excuses that there were */
	struct excuse_row like; /* their reason */
	size_t added;
	struct excuse_row last;
};

static int add(struct adding *adding, int64_t from_ms, int64_t until_ms)
{
	struct excuse_row excuse = adding->like;
	int r;

	if (until_ms <= from_ms)
		return 0;
	excuse.from_ms = from_ms;
	excuse.until_ms = until_ms;
	r = sign(adding->context, adding->lease, &excuse);
	if (r == 0)
		r = store_excuse_put(adding->tx, adding->lease->lease, &excuse);
	if (r == 0)
		r = tell(adding->context, adding->tx, adding->lease, "rental.excused", &excuse);
	adding->added++;
	adding->last = excuse;
	return r;
}

/* What lies between the excuses that there are. */
static int add_around(struct adding *adding, struct billing_time time)
{
	const struct lease_row *lease = adding->lease;
	int r = 0;

	if (time.from_ms < lease->placed_at_ms)
		time.from_ms = lease->placed_at_ms;
	if (lease->closed_at_ms && time.until_ms > lease->ended_at_ms)
		time.until_ms = lease->ended_at_ms;
	for (size_t i = 0; r == 0 && i < lease->n_excuses && time.from_ms < time.until_ms; i++) {
		const struct excuse_row *known = &lease->excuses[i];
		int64_t end_ms = known->until_ms ? known->until_ms : INT64_MAX;

		if (end_ms <= time.from_ms)
			continue;
		r = add(adding, time.from_ms,
			known->from_ms < time.until_ms ? known->from_ms : time.until_ms);
		time.from_ms = known->from_ms < time.until_ms ? end_ms : time.until_ms;
	}
	return r != 0 ? r : add(adding, time.from_ms, time.until_ms);
}

int billing_excuse_begin(const struct context *context, struct tx *tx, struct lease_id id,
			 const uint8_t proof[static 16], int64_t from_ms)
{
	struct excuse_row excuse = { .from_ms = from_ms };
	struct lease_row lease;
	struct adding adding = { context, tx, &lease, .added = 0 };
	int r;

	memcpy(excuse.proof, proof, sizeof(excuse.proof));
	adding.like = excuse;
	r = store_lease(tx, id, &lease);
	if (r != 0 || open_excuse(&lease) || (lease.closed_at_ms && lease.ended_at_ms <= from_ms))
		return r;
	if (from_ms < lease.placed_at_ms)
		excuse.from_ms = from_ms = lease.placed_at_ms;
	/* No moment is excused twice: what lies between those that there are, and what follows the last. */
	if (lease.n_excuses > 0 && lease.excuses[lease.n_excuses - 1].until_ms > from_ms) {
		excuse.from_ms = lease.excuses[lease.n_excuses - 1].until_ms;
		r = add_around(&adding, (struct billing_time){ from_ms, excuse.from_ms });
	}
	if (r == 0 && !(lease.closed_at_ms && lease.ended_at_ms <= excuse.from_ms)) {
		if (lease.closed_at_ms)
			excuse.until_ms = lease.ended_at_ms;
		r = sign(context, &lease, &excuse);
		if (r == 0)
			r = store_excuse_put(tx, id, &excuse);
		if (r == 0)
			r = tell(context, tx, &lease, "rental.excused", &excuse);
		adding.added++;
	}
	if (r != 0 || adding.added == 0)
		return r;
	r = store_lease(tx, id, &lease);
	if (r == 0)
		r = merge_closest(context, tx, &lease);
	return r == 0 ? give_back(context, tx, &lease, &excuse) : r;
}

int billing_excuse_away(const struct context *context, struct tx *tx, struct lease_id id,
			int64_t hour, const struct billing_time *times, size_t n, size_t *ret_added)
{
	struct lease_row lease;
	struct adding adding = { context, tx, &lease, .like.hour = hour };
	int r;

	r = store_lease(tx, id, &lease);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_around(&adding, times[i]);
	if (r == 0 && adding.added > 0) {
		r = store_lease(tx, id, &lease);
		if (r == 0)
			r = merge_closest(context, tx, &lease);
		if (r == 0)
			r = give_back(context, tx, &lease, &adding.last);
	}
	if (r == 0)
		*ret_added = adding.added;
	return r;
}

int billing_machine_tenancies(struct tx *tx, struct machine_id machine, int64_t from_ms,
			      int64_t until_ms, struct billing_tenancy **ret_tenancies,
			      size_t *ret_n)
{
	return store_tenancies(tx, machine, from_ms, until_ms, ret_tenancies, ret_n);
}

int64_t metering_excused(const struct lease_row *lease)
{
	int64_t sum_ms = 0, last_ms = lease->until_ms;

	if (lease->closed_at_ms && lease->ended_at_ms < last_ms)
		last_ms = lease->ended_at_ms;
	for (size_t i = 0; i < lease->n_excuses; i++) {
		int64_t from_ms = lease->excuses[i].from_ms, until_ms = lease->excuses[i].until_ms;

		if (until_ms == 0 || until_ms > last_ms)
			until_ms = last_ms;
		if (from_ms < lease->started_at_ms)
			from_ms = lease->started_at_ms;
		if (until_ms > from_ms)
			sum_ms += until_ms - from_ms;
	}
	return sum_ms / 1000;
}

int billing_machine_jobs(const struct context *context, struct tx *tx, struct machine_id machine,
			 struct account_id provider, int64_t from_ms, struct billing_job **ret_jobs,
			 size_t *ret_n)
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct billing_job *jobs;
	struct lease_id *ids;
	size_t n;
	int r;

	r = store_machine_leases(tx, machine, provider, from_ms, &ids, &n);
	if (r != 0)
		return r;
	jobs = arena_array(tx_arena(tx), n + 1, sizeof(*jobs));
	if (!jobs)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct lease_row lease;

		r = store_lease(tx, ids[i], &lease);
		if (r == 0)
			jobs[i] = (struct billing_job){
				.time = { lease.started_at_ms, lease.until_ms },
				.seconds = metering_seconds(&lease),
				.settled = lease.closed_at_ms &&
					   now_ms - lease.closed_at_ms > METERING_LATE_MS,
			};
	}
	*ret_jobs = jobs;
	*ret_n = n;
	return r;
}

/* When a lease is not billed although it ran (billing.h). */
#include "modules/billing/metering.h"

#include "api/settings.h"
#include "modules/logging/logging.h"
#include "security/secp.h"

static int sign(const struct context *context, const struct lease_row *lease,
		struct excuse_row *excuse)
{
	struct excuse_statement statement = {
		.network = context->settings->network,
		.lease = lease->lease,
		.from_ms = excuse->from_ms,
		.until_ms = excuse->until_ms,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	memcpy(statement.proof, excuse->proof, sizeof(statement.proof));
	excuse_digest(&statement, digest);
	return secp_sign(context->settings->network_key, digest, excuse->signature);
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
	char subject[ID_TEXT_SIZE], proof[ID_TEXT_SIZE];
	json_t *data;

	rental_id_text(&lease->rental, subject);
	id_text("prf", excuse->proof, proof);
	data = json_pack("{s:s, s:I, s:I}", "proof", proof, "from_ms", (json_int_t)excuse->from_ms,
			 "until_ms", (json_int_t)excuse->until_ms);
	if (!data)
		return -ENOMEM;
	return logging_event(context, tx, lease->tenant, type, subject, data);
}

/* What was charged for excused time is given back at once; what an end of an excuse makes due, the next
 * record asks for. */
static int give_back(const struct context *context, struct tx *tx, struct lease_row *lease,
		     const struct excuse_row *excuse)
{
	struct ledger_posting correction;
	char proof[ID_TEXT_SIZE];
	struct amount due;
	int r;

	r = metering_due(lease, &due);
	if (r < 0 || due.micro >= 0)
		return r;
	id_text("prf", excuse->proof, proof);
	r = metering_correct(lease, proof, "the machine was found unusable", &correction);
	if (r == 0 && lease->sequence > 0)
		r = metering_receipt(context, lease);
	if (r == 0)
		r = ledger_post_sure(context, tx, &correction, 1);
	return r != 0 ? r : store_leases_update(tx, (const struct lease_row *[]){ lease }, 1);
}

int billing_excuse_begin(const struct context *context, struct tx *tx, struct lease_id id,
			 const uint8_t proof[static 16], int64_t from_ms)
{
	struct excuse_row excuse = { .from_ms = from_ms };
	struct lease_row lease;
	int r;

	memcpy(excuse.proof, proof, sizeof(excuse.proof));
	r = store_lease(tx, id, &lease);
	if (r != 0 || open_excuse(&lease) || (lease.closed_at_ms && lease.ended_at_ms <= from_ms))
		return r;
	/* No moment is excused twice. */
	if (lease.n_excuses > 0 && lease.excuses[lease.n_excuses - 1].until_ms > from_ms)
		excuse.from_ms = lease.excuses[lease.n_excuses - 1].until_ms;
	if (lease.closed_at_ms)
		excuse.until_ms = lease.ended_at_ms;
	r = sign(context, &lease, &excuse);
	if (r == 0)
		r = store_excuse_put(tx, id, &excuse);
	if (r == 0)
		r = store_lease(tx, id, &lease);
	if (r == 0)
		r = give_back(context, tx, &lease, &excuse);
	return r != 0 ? r : tell(context, tx, &lease, "rental.excused", &excuse);
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

int billing_excuse_end(const struct context *context, struct tx *tx, struct lease_id id,
		       int64_t until_ms)
{
	struct lease_row lease;
	int r;

	r = store_lease(tx, id, &lease);
	return r != 0 ? r : metering_end_excuse(context, tx, &lease, until_ms);
}

int64_t metering_excused(const struct lease_row *lease)
{
	int64_t sum_ms = 0;

	for (size_t i = 0; i < lease->n_excuses; i++) {
		int64_t from_ms = lease->excuses[i].from_ms, until_ms = lease->excuses[i].until_ms;

		if (until_ms == 0 || until_ms > lease->until_ms)
			until_ms = lease->until_ms;
		if (from_ms < lease->started_at_ms)
			from_ms = lease->started_at_ms;
		if (until_ms > from_ms)
			sum_ms += until_ms - from_ms;
	}
	return sum_ms / 1000;
}

int billing_machine_seconds(struct tx *tx, struct machine_id machine, int64_t from_ms,
			    int64_t until_ms, int64_t *ret_seconds)
{
	struct lease_row lease;
	struct lease_id *ids;
	int64_t seconds = 0;
	size_t n;
	int r;

	r = store_machine_leases(tx, machine, from_ms, until_ms, &ids, &n);
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = store_lease(tx, ids[i], &lease);
		if (r == 0)
			seconds += metering_seconds(&lease);
	}
	if (r == 0)
		*ret_seconds = seconds;
	return r;
}

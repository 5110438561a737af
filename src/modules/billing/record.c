#include "modules/billing/record.h"

#include "api/settings.h"
#include "modules/billing/metering.h"
#include "modules/chain/chain.h"

void lease_terms_digest(const struct context *context, const struct lease_row *lease,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	const struct terms_statement terms = {
		.network = context->settings->network,
		.rental = lease->rental,
		.lease = lease->lease,
		.tenant = lease->tenant,
		.machine = lease->machine,
		.rate_hour = lease->rate_hour,
		.fee_basis_points = lease->fee_basis_points,
		.placed_at_ms = lease->placed_at_ms,
	};

	terms_digest(&terms, ret_digest);
}

void lease_usage_digest(const struct context *context, const struct lease_row *lease,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	const struct usage_statement usage = {
		.network = context->settings->network,
		.machine = lease->machine,
		.lease = lease->lease,
		.rental = lease->rental,
		.sequence = (uint64_t)lease->sequence,
		.started_at_ms = lease->started_at_ms,
		.until_ms = lease->until_ms,
		.seconds = lease->seconds,
		.final = lease->final,
	};

	usage_digest(&usage, ret_digest);
}

struct excuse_statement lease_excuse(const struct context *context, const struct lease_row *lease,
				     const struct excuse_row *excuse)
{
	struct excuse_statement statement = {
		.network = context->settings->network,
		.lease = lease->lease,
		.hour = excuse->hour,
		.from_ms = excuse->from_ms,
		.until_ms = excuse->until_ms,
	};

	memcpy(statement.proof, excuse->proof, sizeof(statement.proof));
	return statement;
}

/* ---- records ---- */

static void put_usage(const struct context *context, const struct lease_row *lease,
		      struct record_statement *record)
{
	lease_usage_digest(context, lease, record->usage_digest);
	memcpy(record->usage_signature, lease->usage_signature, SIGNATURE_SIZE);
	memcpy(record->receipt_signature, lease->receipt_signature, SIGNATURE_SIZE);
}

int lease_record_digest(const struct context *context, const struct lease_row *lease,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct record_statement record = {
		.placing = lease->placing,
		.provider = lease->provider,
		.billed = lease->billed,
		.ended_at_ms = lease->closed_at_ms ? lease->ended_at_ms : 0,
		.charged = lease->charged,
	};
	int r = metering_due(lease, &record.unpaid);

	if (r < 0)
		return r;
	lease_terms_digest(context, lease, record.terms_digest);
	memcpy(record.terms_signature, lease->terms_signature, SIGNATURE_SIZE);
	if (lease->sequence > 0)
		put_usage(context, lease, &record);
	for (size_t i = 0; i < lease->n_excuses; i++) {
		const struct excuse_statement excuse = lease_excuse(context, lease,
								    &lease->excuses[i]);

		record_excuse(&record, &excuse, lease->excuses[i].signature);
	}
	record_digest(&record, ret_digest);
	return 0;
}

static int add(const struct context *context, struct tx *tx, const struct lease_row *lease)
{
	uint8_t id[SIGN_DIGEST_SIZE], digest[SIGN_DIGEST_SIZE];
	int r = lease_record_digest(context, lease, digest);

	if (r < 0)
		return r;
	record_id(lease->lease, lease->records, id);
	return chain_leaf(context, tx, ANCHOR_USAGE, id, digest);
}

int lease_record_placing(const struct context *context, struct tx *tx,
			 const struct lease_row *lease)
{
	return chain_enabled() ? add(context, tx, lease) : 0;
}

int lease_record(const struct context *context, struct tx *tx, struct lease_row *lease)
{
	if (!lease->closed_at_ms || !chain_enabled())
		return 0;
	lease->records++;
	return add(context, tx, lease);
}

int rental_record(const struct context *context, struct tx *tx,
		  const struct rental_statement *rental)
{
	uint8_t id[SIGN_DIGEST_SIZE], digest[SIGN_DIGEST_SIZE];

	if (!chain_enabled())
		return 0;
	rental_record_id(rental->rental, id);
	rental_digest(rental, digest);
	return chain_leaf(context, tx, ANCHOR_USAGE, id, digest);
}

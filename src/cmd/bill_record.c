#include "cmd/bill_record.h"

#include "base/codec.h"

bool bill_signature(const char *text, uint8_t ret_signature[static SIGNATURE_SIZE])
{
	return strncmp(text, "0x", 2) == 0 &&
	       hex_decode(text + 2, strlen(text + 2), ret_signature, SIGNATURE_SIZE) == 0;
}

void bill_terms_digest(const struct bill *bill, const struct bill_lease *lease,
		       const struct address *network, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	const struct terms_statement terms = {
		.network = *network,
		.rental = bill->rental,
		.lease = lease->lease,
		.tenant = bill->tenant,
		.machine = lease->machine,
		.rate_hour = lease->rate_hour,
		.fee_basis_points = lease->fee_basis_points,
		.placed_at_ms = lease->placed_at_ms,
	};

	terms_digest(&terms, ret_digest);
}

void bill_usage_digest(const struct bill *bill, const struct bill_lease *lease,
		       const struct address *network, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	const struct usage_statement usage = {
		.network = *network,
		.machine = lease->machine,
		.lease = lease->lease,
		.rental = bill->rental,
		.sequence = (uint64_t)lease->usage.sequence,
		.started_at_ms = lease->usage.started_at_ms,
		.until_ms = lease->usage.until_ms,
		.seconds = lease->usage.seconds,
		.final = lease->usage.final,
	};

	usage_digest(&usage, ret_digest);
}

struct excuse_statement bill_excuse_statement(const struct bill_lease *lease,
					      const struct bill_excuse *excuse,
					      const struct address *network)
{
	struct excuse_statement statement = {
		.network = *network,
		.lease = lease->lease,
		.hour = excuse->hour,
		.from_ms = excuse->from_ms,
		.until_ms = excuse->until_ms,
	};

	memcpy(statement.proof, excuse->proof.bytes, sizeof(statement.proof));
	return statement;
}

/* ---- the record ---- */

static int put_usage(const struct bill *bill, const struct bill_lease *lease,
		     struct record_statement *record)
{
	if (lease->usage.sequence > 0) {
		bill_usage_digest(bill, lease, &bill->network, record->usage_digest);
		if (!bill_signature(lease->usage.signature, record->usage_signature))
			return -EINVAL;
	}
	if (lease->receipt_signature &&
	    !bill_signature(lease->receipt_signature, record->receipt_signature))
		return -EINVAL;
	return 0;
}

static int put_excuses(const struct bill *bill, const struct bill_lease *lease,
		       struct record_statement *record)
{
	const struct bill_excuse *excuses = lease->excuses.items;

	for (size_t i = 0; i < lease->excuses.n; i++) {
		const struct excuse_statement statement = bill_excuse_statement(lease, &excuses[i],
										&bill->network);
		uint8_t signature[SIGNATURE_SIZE];

		if (!bill_signature(excuses[i].signature, signature))
			return -EINVAL;
		record_excuse(record, &statement, signature);
	}
	return 0;
}

/* @all: of what was used and charged, too. */
static int lease_digest(const struct bill *bill, const struct bill_lease *lease, bool all,
			uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct record_statement record = { .placing = lease->placing,
					   .provider = lease->provider,
					   .billed = true };
	int r = 0;

	bill_terms_digest(bill, lease, &bill->network, record.terms_digest);
	if (!bill_signature(lease->terms_signature, record.terms_signature))
		return -EINVAL;
	if (all) {
		record.billed = lease->billed;
		record.ended_at_ms = lease->ended_at_ms;
		record.charged = lease->charged;
		record.unpaid = lease->unpaid;
		r = put_usage(bill, lease, &record);
		if (r == 0)
			r = put_excuses(bill, lease, &record);
	}
	if (r == 0)
		record_digest(&record, ret_digest);
	return r;
}

int bill_record_digest(const struct bill *bill, const struct bill_lease *lease,
		       uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	return lease_digest(bill, lease, lease->record > 0, ret_digest);
}

int bill_whole_digest(const struct bill *bill, const struct address *network,
		      uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct bill_statement statement = {
		.network = *network,
		.rental = bill->rental,
		.tenant = bill->tenant,
		.made_at_ms = bill->made_at_ms,
		.placings = bill->placings,
		.total = bill->total,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	int r = 0;

	for (size_t i = 0; r == 0 && i < bill->leases.n; i++) {
		r = lease_digest(bill, &bill_leases(bill)[i], true, digest);
		if (r == 0)
			bill_add_lease(&statement, bill_leases(bill)[i].record, digest);
	}
	if (r == 0)
		bill_digest(&statement, ret_digest);
	return r;
}

void bill_rental_digest(const struct bill *bill, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	const struct rental_statement rental = {
		.network = bill->network,
		.rental = bill->rental,
		.tenant = bill->tenant,
		.placings = bill->placings,
	};

	rental_digest(&rental, ret_digest);
}

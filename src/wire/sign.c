#include "wire/sign.h"

#include "base/keccak.h"

enum { TAG_SIZE = 16, LAYOUT_MAX = 384 };

/* The bytes to be hashed, in a row. The longest statement (record) takes 360. */
struct layout {
	uint8_t bytes[LAYOUT_MAX];
	size_t len;
};

static void put(struct layout *layout, const void *bytes, size_t len)
{
	memcpy(layout->bytes + layout->len, bytes, len);
	layout->len += len;
}

static struct layout layout_start(const char *tag)
{
	struct layout layout = { .len = TAG_SIZE };

	memcpy(layout.bytes, tag, strlen(tag));
	return layout;
}

static void put_integer(struct layout *layout, uint64_t value)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
	put(layout, bytes, sizeof(bytes));
}

static void put_address(struct layout *layout, const struct address *address)
{
	put(layout, address->bytes, sizeof(address->bytes));
}

void hello_digest(const struct hello_statement *hello, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-hello-1");

	put_address(&layout, &hello->network);
	put(&layout, hello->nonce, sizeof(hello->nonce));
	put_address(&layout, &hello->machine.address);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void join_digest(const struct join_statement *join, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-join-1");

	put(&layout, join->token_hash, sizeof(join->token_hash));
	put_address(&layout, &join->machine.address);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void terms_digest(const struct terms_statement *terms, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-terms-1");

	put_address(&layout, &terms->network);
	put(&layout, terms->rental.bytes, sizeof(terms->rental.bytes));
	put(&layout, terms->lease.bytes, sizeof(terms->lease.bytes));
	put_address(&layout, &terms->tenant.address);
	put_address(&layout, &terms->machine.address);
	put_integer(&layout, (uint64_t)terms->rate_hour.micro);
	put_integer(&layout, (uint64_t)terms->fee_basis_points);
	put_integer(&layout, (uint64_t)terms->placed_at_ms);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void usage_digest(const struct usage_statement *usage, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-usage-1");
	uint8_t final = usage->final ? 1 : 0;

	put_address(&layout, &usage->network);
	put_address(&layout, &usage->machine.address);
	put(&layout, usage->lease.bytes, sizeof(usage->lease.bytes));
	put(&layout, usage->rental.bytes, sizeof(usage->rental.bytes));
	put_integer(&layout, usage->sequence);
	put_integer(&layout, (uint64_t)usage->started_at_ms);
	put_integer(&layout, (uint64_t)usage->until_ms);
	put_integer(&layout, (uint64_t)usage->seconds);
	put(&layout, &final, sizeof(final));
	keccak256(layout.bytes, layout.len, ret_digest);
}

void receipt_digest(const struct receipt_statement *receipt,
		    uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-receipt-1");

	put(&layout, receipt->usage_digest, sizeof(receipt->usage_digest));
	put_integer(&layout, (uint64_t)receipt->charged.micro);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void poll_digest(const struct poll_statement *poll, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-poll-1");

	put_address(&layout, &poll->network);
	put_address(&layout, &poll->machine.address);
	put_address(&layout, &poll->checker);
	put(&layout, poll->nonce, sizeof(poll->nonce));
	keccak256(layout.bytes, layout.len, ret_digest);
}

void uptime_digest(const struct uptime_statement *uptime,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-uptime-2");
	uint8_t spans[SPANS_BYTES_MAX];

	put_address(&layout, &uptime->network);
	put_address(&layout, &uptime->machine.address);
	put_address(&layout, &uptime->checker);
	put_integer(&layout, (uint64_t)uptime->hour_ms);
	put_integer(&layout, (uint64_t)uptime->hour);
	put_integer(&layout, (uint64_t)uptime->polls);
	put_integer(&layout, (uint64_t)uptime->answered);
	put(&layout, spans, spans_encode(&uptime->away, spans));
	keccak256(layout.bytes, layout.len, ret_digest);
}

void checker_digest(const struct checker_statement *checker,
		    uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-checker-1");

	put_address(&layout, &checker->network);
	put_address(&layout, &checker->checker);
	put_address(&layout, &checker->account.address);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void vpn_digest(const struct vpn_statement *vpn, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-vpn-1");

	put_address(&layout, &vpn->network);
	put_address(&layout, &vpn->machine.address);
	put(&layout, vpn->public_key, sizeof(vpn->public_key));
	put_integer(&layout, (uint64_t)vpn->at_ms);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void excuse_digest(const struct excuse_statement *excuse,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-excuse-2");

	put_address(&layout, &excuse->network);
	put(&layout, excuse->lease.bytes, sizeof(excuse->lease.bytes));
	put(&layout, excuse->proof, sizeof(excuse->proof));
	put_integer(&layout, (uint64_t)excuse->hour);
	put_integer(&layout, (uint64_t)excuse->from_ms);
	put_integer(&layout, (uint64_t)excuse->until_ms);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void record_excuse(struct record_statement *record, const struct excuse_statement *excuse,
		   const uint8_t signature[static SIGNATURE_SIZE])
{
	uint8_t bytes[2 * SIGN_DIGEST_SIZE + SIGNATURE_SIZE];

	memcpy(bytes, record->excuses, SIGN_DIGEST_SIZE);
	excuse_digest(excuse, bytes + SIGN_DIGEST_SIZE);
	memcpy(bytes + 2 * SIGN_DIGEST_SIZE, signature, SIGNATURE_SIZE);
	keccak256(bytes, sizeof(bytes), record->excuses);
}

void record_digest(const struct record_statement *record,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-record-2");
	uint8_t billed = record->billed ? 1 : 0;

	put(&layout, record->terms_digest, sizeof(record->terms_digest));
	put(&layout, record->terms_signature, sizeof(record->terms_signature));
	put_integer(&layout, (uint64_t)record->placing);
	put_address(&layout, &record->provider.address);
	put(&layout, &billed, sizeof(billed));
	put_integer(&layout, (uint64_t)record->ended_at_ms);
	put(&layout, record->usage_digest, sizeof(record->usage_digest));
	put(&layout, record->usage_signature, sizeof(record->usage_signature));
	put(&layout, record->receipt_signature, sizeof(record->receipt_signature));
	put_integer(&layout, (uint64_t)record->charged.micro);
	put_integer(&layout, (uint64_t)record->unpaid.micro);
	put(&layout, record->excuses, sizeof(record->excuses));
	keccak256(layout.bytes, layout.len, ret_digest);
}

void record_id(struct lease_id lease, int64_t number, uint8_t ret_id[static SIGN_DIGEST_SIZE])
{
	struct layout layout = { .len = 0 };

	put(&layout, lease.bytes, sizeof(lease.bytes));
	put_integer(&layout, 0);
	put_integer(&layout, (uint64_t)number);
	memcpy(ret_id, layout.bytes, SIGN_DIGEST_SIZE);
}

void rental_digest(const struct rental_statement *rental,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-rental-1");

	put_address(&layout, &rental->network);
	put(&layout, rental->rental.bytes, sizeof(rental->rental.bytes));
	put_address(&layout, &rental->tenant.address);
	put_integer(&layout, (uint64_t)rental->placings);
	keccak256(layout.bytes, layout.len, ret_digest);
}

void rental_record_id(struct rental_id rental, uint8_t ret_id[static SIGN_DIGEST_SIZE])
{
	memset(ret_id, 0, SIGN_DIGEST_SIZE);
	memcpy(ret_id, rental.bytes, sizeof(rental.bytes));
}

void bill_add_lease(struct bill_statement *bill, int64_t number,
		    const uint8_t digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = { .len = 0 };

	put(&layout, bill->leases, sizeof(bill->leases));
	put_integer(&layout, (uint64_t)number);
	put(&layout, digest, SIGN_DIGEST_SIZE);
	keccak256(layout.bytes, layout.len, bill->leases);
	bill->n_leases++;
}

void bill_digest(const struct bill_statement *bill, uint8_t ret_digest[static SIGN_DIGEST_SIZE])
{
	struct layout layout = layout_start("kaisar-bill-1");

	put_address(&layout, &bill->network);
	put(&layout, bill->rental.bytes, sizeof(bill->rental.bytes));
	put_address(&layout, &bill->tenant.address);
	put_integer(&layout, (uint64_t)bill->made_at_ms);
	put_integer(&layout, (uint64_t)bill->placings);
	put_integer(&layout, (uint64_t)bill->n_leases);
	put(&layout, bill->leases, sizeof(bill->leases));
	put_integer(&layout, (uint64_t)bill->total.micro);
	keccak256(layout.bytes, layout.len, ret_digest);
}

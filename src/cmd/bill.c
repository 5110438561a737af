#include "cmd/bill.h"

#include "cmd/bill_record.h"
#include "security/secp.h"

enum {
	VERSION = 2,
	SIGNATURE_LEN = 2 + 2 * SIGNATURE_SIZE,
	/* The network's own rule for what it accepts: see modules/billing/README.md. */
	SKEW_MS = 5000,
};

#define TIME_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define AMOUNT_MAX_MICRO INT64_C(1000000000000000)

/* ---- reading ---- */

#define SIGNATURE_FIELD(type, member)                                                          \
	FIELD_TEXT, offsetof(struct type, member), .min = SIGNATURE_LEN, .max = SIGNATURE_LEN, \
						   .charset = "0123456789abcdefABCDEFx"

static const struct field usage_fields[] = {
	{ "sequence", FIELD_INT, offsetof(struct bill_usage, sequence), .required = true, .min = 1,
	  .max = INT64_MAX },
	{ "started_at_ms", FIELD_INT, offsetof(struct bill_usage, started_at_ms), .required = true,
	  .max = TIME_MAX_MS },
	{ "until_ms", FIELD_INT, offsetof(struct bill_usage, until_ms), .required = true,
	  .max = TIME_MAX_MS },
	{ "seconds", FIELD_INT, offsetof(struct bill_usage, seconds), .required = true,
	  .max = TIME_MAX_MS / 1000 },
	{ "final", FIELD_BOOL, offsetof(struct bill_usage, final), .required = true },
	{ "signature", SIGNATURE_FIELD(bill_usage, signature), .required = true },
	{ 0 },
};

static const struct field excuse_fields[] = {
	{ "proof", FIELD_ID, offsetof(struct bill_excuse, proof), .prefix = "prf" },
	{ "hour", FIELD_INT, offsetof(struct bill_excuse, hour), .min = 1, .max = TIME_MAX_MS },
	{ "from_ms", FIELD_INT, offsetof(struct bill_excuse, from_ms), .required = true, .min = 1,
	  .max = TIME_MAX_MS },
	{ "until_ms", FIELD_INT, offsetof(struct bill_excuse, until_ms), .required = true,
	  .max = TIME_MAX_MS },
	{ "signature", SIGNATURE_FIELD(bill_excuse, signature), .required = true },
	{ 0 },
};

static const struct field lease_fields[] = {
	{ "lease", FIELD_ID, offsetof(struct bill_lease, lease), .required = true,
	  .prefix = "lse" },
	{ "placing", FIELD_INT, offsetof(struct bill_lease, placing), .required = true,
	  .max = INT32_MAX },
	{ "machine", FIELD_ADDRESS, offsetof(struct bill_lease, machine), .required = true },
	{ "provider", FIELD_ADDRESS, offsetof(struct bill_lease, provider), .required = true },
	{ "rate_hour", FIELD_AMOUNT, offsetof(struct bill_lease, rate_hour), .required = true,
	  .max = AMOUNT_MAX_MICRO },
	{ "fee_basis_points", FIELD_INT, offsetof(struct bill_lease, fee_basis_points),
	  .required = true, .max = 10000 },
	{ "placed_at_ms", FIELD_INT, offsetof(struct bill_lease, placed_at_ms), .required = true,
	  .min = 1, .max = TIME_MAX_MS },
	{ "terms_signature", SIGNATURE_FIELD(bill_lease, terms_signature), .required = true },
	{ "billed", FIELD_BOOL, offsetof(struct bill_lease, billed), .required = true },
	{ "ended_at_ms", FIELD_INT, offsetof(struct bill_lease, ended_at_ms), .min = 1,
	  .max = TIME_MAX_MS },
	{ "usage", FIELD_OBJECT, offsetof(struct bill_lease, usage), .fields = usage_fields },
	{ "receipt_signature", SIGNATURE_FIELD(bill_lease, receipt_signature) },
	{ "charged", FIELD_AMOUNT, offsetof(struct bill_lease, charged), .required = true,
	  .max = AMOUNT_MAX_MICRO },
	{ "unpaid", FIELD_AMOUNT, offsetof(struct bill_lease, unpaid), .required = true,
	  .max = AMOUNT_MAX_MICRO },
	{ "excuses", FIELD_OBJECTS, offsetof(struct bill_lease, excuses), .count = BILL_EXCUSES_MAX,
	  .size = sizeof(struct bill_excuse), .fields = excuse_fields },
	{ "record", FIELD_INT, offsetof(struct bill_lease, record), .max = INT64_MAX - 1 },
	{ 0 },
};

static const struct field bill_fields[] = {
	{ "version", FIELD_INT, offsetof(struct bill, version), .required = true, .min = VERSION,
	  .max = VERSION },
	{ "network", FIELD_ADDRESS, offsetof(struct bill, network), .required = true },
	{ "rental", FIELD_ID, offsetof(struct bill, rental), .required = true, .prefix = "rnt" },
	{ "tenant", FIELD_ADDRESS, offsetof(struct bill, tenant), .required = true },
	{ "made_at_ms", FIELD_INT, offsetof(struct bill, made_at_ms), .required = true, .min = 1,
	  .max = TIME_MAX_MS },
	{ "placings", FIELD_INT, offsetof(struct bill, placings), .required = true, .min = 1,
	  .max = INT32_MAX },
	{ "leases", FIELD_OBJECTS, offsetof(struct bill, leases), .required = true,
	  .count = BILL_LEASES_MAX, .size = sizeof(struct bill_lease), .fields = lease_fields },
	{ "total", FIELD_AMOUNT, offsetof(struct bill, total), .required = true, .max = INT64_MAX },
	{ "signature", SIGNATURE_FIELD(bill, signature), .required = true },
	{ 0 },
};

static int malformed(struct field_error *error, const char *rule)
{
	field_error_set(error, "", rule);
	return BILL_E_MALFORMED;
}

/* Where the network says that it anchored the lease: verify-bill asks for that itself. */
static void drop_anchors(const json_t *bill)
{
	const json_t *leases = json_object_get(bill, "leases");

	for (size_t i = 0; i < json_array_size(leases); i++)
		json_object_del(json_array_get(leases, i), "anchor");
}

static int decode(const json_t *json, struct arena *arena, struct bill *ret_bill,
		  struct field_error *ret_error)
{
	struct bill bill = { 0 };
	int r;

	if (!json_is_object(json))
		return malformed(ret_error, "it is not one JSON object");
	if (json_integer_value(json_object_get(json, "version")) == 1)
		return malformed(
			ret_error,
			"it is of version 1, which the network did not sign as a whole, so "
			"that leases could be left out: fetch the bill anew");
	drop_anchors(json);
	r = field_decode_object(json, bill_fields, arena, &bill, ret_error);
	if (r == 0)
		*ret_bill = bill;
	return r > 0 ? BILL_E_MALFORMED : r;
}

int bill_read(const char *json, size_t len, struct arena *arena, struct bill *ret_bill,
	      struct field_error *ret_error)
{
	json_t *object;
	int r;

	if (len > BILL_JSON_MAX)
		return malformed(ret_error, "a bill has at most 4 MiB");
	object = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	r = decode(object, arena, ret_bill, ret_error);
	json_decref(object);
	return r;
}

/* ---- checking ---- */

struct checker {
	const struct bill *bill;
	const struct address *network;
	struct arena *arena;
	struct bill_findings *findings;
};

static int find(struct checker *c, const struct bill_lease *lease, const char *check,
		const char *expected, const char *actual)
{
	if (!expected || !actual)
		return -ENOMEM;
	if (c->findings->n < BILL_FINDINGS_MAX)
		c->findings->items[c->findings->n++] = (struct bill_finding){ lease, check,
									      expected, actual };
	return 0;
}

static const char *keep_amount(struct checker *c, struct amount amount)
{
	char text[AMOUNT_TEXT_SIZE];

	amount_text(amount, text);
	return arena_text(c->arena, text, strlen(text));
}

static const char *keep_address(struct checker *c, const struct address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(address, text);
	return arena_text(c->arena, text, strlen(text));
}

static const char *keep_rental(struct checker *c, const struct rental_id *rental)
{
	char text[ID_TEXT_SIZE];

	rental_id_text(rental, text);
	return arena_text(c->arena, text, strlen(text));
}

static int require(struct checker *c, const struct bill_lease *lease, bool holds, const char *check,
		   const char *expected, const char *actual)
{
	return holds ? 0 : find(c, lease, check, expected, actual);
}

static int require_amount(struct checker *c, const struct bill_lease *lease, const char *check,
			  struct amount expected, struct amount actual)
{
	if (amount_compare(expected, actual) == 0)
		return 0;
	return find(c, lease, check, keep_amount(c, expected), keep_amount(c, actual));
}

/* @ret_holds says whether @signer signed @digest; a finding says who did. */
static int require_signer(struct checker *c, const struct bill_lease *lease, const char *check,
			  const uint8_t digest[static SIGN_DIGEST_SIZE], const char *text,
			  const struct address *signer, bool *ret_holds)
{
	uint8_t signature[SIGNATURE_SIZE];
	struct address actual;
	int r = SECP_E_BAD;

	if (bill_signature(text, signature))
		r = secp_recover(digest, signature, &actual);
	if (r < 0)
		return r;
	*ret_holds = r == 0 && address_equal(&actual, signer);
	if (*ret_holds)
		return 0;
	return find(c, lease, check, keep_address(c, signer),
		    r == 0 ? keep_address(c, &actual) : "no signature of anybody");
}

static int check_terms(struct checker *c, const struct bill_lease *lease, bool *ret_signed)
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	bill_terms_digest(c->bill, lease, c->network, digest);
	return require_signer(c, lease, "terms signature", digest, lease->terms_signature,
			      c->network, ret_signed);
}

static int check_usage(struct checker *c, const struct bill_lease *lease, bool *ret_signed)
{
	struct receipt_statement receipt = { .charged = lease->charged };
	uint8_t digest[SIGN_DIGEST_SIZE];
	bool by_machine, by_network;
	int r;

	*ret_signed = false;
	if (lease->usage.sequence == 0)
		return find(c, lease, "usage", "what the receipt signature is over", "none");
	if (!lease->receipt_signature)
		return find(c, lease, "receipt signature", keep_address(c, c->network), "none");
	bill_usage_digest(c->bill, lease, c->network, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	r = require_signer(c, lease, "usage signature", receipt.usage_digest,
			   lease->usage.signature, &lease->machine.address, &by_machine);
	if (r == 0)
		r = require_signer(c, lease, "receipt signature", digest, lease->receipt_signature,
				   c->network, &by_network);
	if (r == 0)
		*ret_signed = by_machine && by_network;
	return r;
}

/* Whether the seconds fit into the time. */
static int check_times(struct checker *c, const struct bill_lease *lease)
{
	const struct bill_usage *usage = &lease->usage;
	int64_t most = (usage->until_ms - usage->started_at_ms) / 1000 + 1;
	int r;

	r = require(c, lease, usage->started_at_ms >= lease->placed_at_ms - SKEW_MS, "start",
		    "not before the placing", "before it");
	if (r == 0)
		r = require(c, lease, usage->until_ms >= usage->started_at_ms, "until",
			    "not before the start", "before it");
	if (r == 0 && usage->seconds > most)
		r = find(c, lease, "seconds", arena_printf(c->arena, "at most %" PRId64, most),
			 arena_printf(c->arena, "%" PRId64, usage->seconds));
	return r;
}

static int check_excuse(struct checker *c, const struct bill_lease *lease,
			const struct bill_excuse *excuse)
{
	const struct excuse_statement statement = bill_excuse_statement(lease, excuse, c->network);
	uint8_t digest[SIGN_DIGEST_SIZE];
	bool holds;

	excuse_digest(&statement, digest);
	return require_signer(c, lease, "excuse signature", digest, excuse->signature, c->network,
			      &holds);
}

/* What is excused twice would be taken off twice: they follow each other, and only the last may go on. */
static int check_order(struct checker *c, const struct bill_lease *lease)
{
	const struct bill_excuse *excuses = lease->excuses.items;

	for (size_t i = 1; i < lease->excuses.n; i++)
		if (excuses[i - 1].until_ms == 0 || excuses[i].from_ms < excuses[i - 1].until_ms)
			return find(c, lease, "excuses", "each moment once", "some twice");
	return 0;
}

/* Excuses, within the time that the last record tells of and that is charged, are added up and rounded down
 * once. */
static int64_t excused_seconds(const struct bill_lease *lease)
{
	const struct bill_excuse *excuses = lease->excuses.items;
	int64_t sum_ms = 0, last_ms = lease->usage.until_ms;

	if (lease->ended_at_ms && lease->ended_at_ms < last_ms)
		last_ms = lease->ended_at_ms;
	for (size_t i = 0; i < lease->excuses.n; i++) {
		int64_t from_ms = excuses[i].from_ms, until_ms = excuses[i].until_ms;

		if (until_ms == 0 || until_ms > last_ms)
			until_ms = last_ms;
		if (from_ms < lease->usage.started_at_ms)
			from_ms = lease->usage.started_at_ms;
		if (until_ms > from_ms)
			sum_ms += until_ms - from_ms;
	}
	return sum_ms / 1000;
}

/* Only what was used before the end is charged, a begun second included, without what is excused. */
static int64_t seconds_to_charge(const struct bill_lease *lease)
{
	const struct bill_usage *usage = &lease->usage;
	int64_t seconds = usage->seconds, room, excused;

	if (!lease->billed || usage->sequence == 0)
		return 0;
	if (lease->ended_at_ms) {
		if (lease->ended_at_ms < usage->started_at_ms)
			return 0;
		room = (lease->ended_at_ms - usage->started_at_ms) / 1000 + 1;
		if (room < seconds)
			seconds = room;
	}
	excused = excused_seconds(lease);
	return seconds > excused ? seconds - excused : 0;
}

static int check_charge(struct checker *c, struct bill_lease *lease)
{
	struct amount sum;
	int r;

	lease->seconds = seconds_to_charge(lease);
	r = amount_for_seconds(lease->rate_hour, lease->seconds, &lease->recomputed);
	if (r == -ERANGE)
		return find(c, lease, "charge", "an amount", "more than can be counted");
	if (r == 0)
		r = amount_add(lease->charged, lease->unpaid, &sum);
	return r < 0 ? r : require_amount(c, lease, "charge", lease->recomputed, sum);
}

static int check_unique(struct checker *c, const struct bill_lease *lease)
{
	for (const struct bill_lease *other = bill_leases(c->bill); other < lease; other++)
		if (lease_id_equal(other->lease, lease->lease))
			return find(c, lease, "lease", "once", "twice");
	return 0;
}

static int check_lease(struct checker *c, struct bill_lease *lease)
{
	bool usage_signed = true;
	int r;

	r = check_unique(c, lease);
	if (r == 0)
		r = check_terms(c, lease, &lease->signed_);
	if (r == 0 && (lease->usage.sequence > 0 || lease->receipt_signature))
		r = check_usage(c, lease, &usage_signed);
	if (r == 0 && lease->usage.sequence > 0)
		r = check_times(c, lease);
	for (size_t i = 0; r == 0 && i < lease->excuses.n; i++)
		r = check_excuse(c, lease, (const struct bill_excuse *)lease->excuses.items + i);
	if (r == 0)
		r = check_order(c, lease);
	lease->signed_ = r == 0 && lease->signed_ && usage_signed;
	return r == 0 ? check_charge(c, lease) : r;
}

static bool is_all_of(const struct bill *bill, const struct address *provider)
{
	for (size_t i = 0; i < bill->leases.n; i++)
		if (!address_equal(&bill_leases(bill)[i].provider.address, provider))
			return false;
	return bill->leases.n > 0;
}

/* All of the rental's leases, in their order, or a provider's alone. */
static int check_placings(struct checker *c, const struct address *provider)
{
	const struct bill *bill = c->bill;
	int64_t last = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < bill->leases.n; i++) {
		const struct bill_lease *lease = &bill_leases(bill)[i];

		if (lease->placing == 0)
			continue;
		if (lease->placing <= last || lease->placing > bill->placings)
			r = find(c, lease, "placing",
				 arena_printf(c->arena, "more than %" PRId64 ", at most %" PRId64,
					      last, bill->placings),
				 arena_printf(c->arena, "%" PRId64, lease->placing));
		last = lease->placing;
	}
	if (r != 0 || (int64_t)bill->leases.n == bill->placings ||
	    (bill_is_part(bill) && provider && is_all_of(bill, provider) &&
	     !address_equal(provider, &bill->tenant.address)))
		return r;
	return find(c, NULL, "leases", arena_printf(c->arena, "%" PRId64, bill->placings),
		    arena_printf(c->arena, "%zu", bill->leases.n));
}

static int check_whole(struct checker *c)
{
	uint8_t digest[SIGN_DIGEST_SIZE];
	bool holds;
	int r = bill_whole_digest(c->bill, c->network, digest);

	if (r == -EINVAL)
		return find(c, NULL, "bill signature", keep_address(c, c->network),
			    "over signatures that are none");
	return r < 0 ? r
		     : require_signer(c, NULL, "bill signature", digest, c->bill->signature,
				      c->network, &holds);
}

static bool is_of(const struct bill *bill, const struct address *reader)
{
	if (address_equal(&bill->tenant.address, reader))
		return true;
	for (size_t i = 0; i < bill->leases.n; i++)
		if (address_equal(&bill_leases(bill)[i].provider.address, reader))
			return true;
	return false;
}

/* Whoever answers may answer with another's true bill. */
static int check_whose(struct checker *c, const struct bill_wanted *wanted)
{
	const struct bill *bill = c->bill;
	int r = 0;

	if (!address_equal(c->network, &bill->network))
		r = find(c, NULL, "network", keep_address(c, c->network),
			 keep_address(c, &bill->network));
	if (r == 0 && wanted->rental && !rental_id_equal(*wanted->rental, bill->rental))
		r = find(c, NULL, "rental", keep_rental(c, wanted->rental),
			 keep_rental(c, &bill->rental));
	if (r == 0 && wanted->reader && !is_of(bill, wanted->reader))
		r = find(c, NULL, "tenant", keep_address(c, wanted->reader),
			 keep_address(c, &bill->tenant.address));
	return r;
}

int bill_check(struct bill *bill, const struct bill_wanted *wanted, struct arena *arena,
	       struct bill_findings *ret_findings)
{
	struct checker c = { bill, wanted->network ? wanted->network : &bill->network, arena,
			     ret_findings };
	struct amount total = AMOUNT_ZERO;
	int r;

	ret_findings->n = 0;
	r = check_whose(&c, wanted);
	for (size_t i = 0; r == 0 && i < bill->leases.n; i++) {
		r = check_lease(&c, &bill_leases(bill)[i]);
		if (r == 0)
			r = amount_add(total, bill_leases(bill)[i].charged, &total);
	}
	if (r == 0)
		r = require_amount(&c, NULL, "total", total, bill->total);
	if (r == 0)
		r = check_placings(&c, wanted->provider);
	return r == 0 ? check_whole(&c) : r;
}

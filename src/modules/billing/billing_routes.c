#include "api/settings.h"
#include "base/codec.h"
#include "modules/billing/billing_jobs.h"
#include "modules/billing/billing_store_escrow.h"
#include "modules/billing/escrow_routes.h"
#include "modules/billing/billing_store_settlement.h"
#include "modules/billing/metering.h"
#include "modules/billing/record.h"
#include "modules/logging/logging.h"
#include "modules/billing/owed.h"
#include "security/secp.h"

static json_t *json_rental(const struct rental_id *rental)
{
	char text[ID_TEXT_SIZE];

	rental_id_text(rental, text);
	return json_string(text);
}

static json_t *json_lease(const struct lease_id *lease)
{
	char text[ID_TEXT_SIZE];

	lease_id_text(lease, text);
	return json_string(text);
}

/* ---- balance and statement ---- */

/* What the contract paid of what was earned, and what it is still to pay. */
struct earned {
	struct amount paid, due;
};

static int find_earned(struct tx *tx, struct account_id account, struct amount earned,
		       struct earned *ret_earned)
{
	int r = store_paid(tx, account, &ret_earned->paid);

	if (r == 0)
		r = amount_sub(earned, ret_earned->paid, &ret_earned->due);
	/* Refunded after it was paid: the next charges pay the less. */
	if (r == 0 && ret_earned->due.micro < 0)
		ret_earned->due = AMOUNT_ZERO;
	return r;
}

static int get_balance(struct request *request, struct tx *tx, struct reply *reply)
{
	struct ledger_balances balances;
	struct amount owed, withdrawable = AMOUNT_ZERO;
	struct earned earned;
	int64_t leaves_ms = 0;
	int r;

	r = store_leaving(tx, request->caller.account, &leaves_ms);
	if (r == 0 || r == ROUTE_E_NOT_FOUND)
		r = ledger_balances(tx, request->caller.account, &balances);
	if (r == 0)
		r = find_earned(tx, request->caller.account, balances.earned, &earned);
	if (r == 0)
		r = owed_to(tx, request->caller.account, &owed);
	if (r != 0)
		return r;
	if (leaves_ms == 0)
		withdrawable = ledger_coins(&balances);
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "available",
			  encode_amount(balances.available), "held", encode_amount(balances.held),
			  "points", encode_amount(balances.points), "withdrawable",
			  encode_amount(withdrawable), "leaves_at",
			  leaves_ms ? encode_time(leaves_ms) : json_null(), "earned",
			  encode_amount(balances.earned), "paid", encode_amount(earned.paid), "due",
			  encode_amount(earned.due), "collectable", encode_amount(owed)));
}

/* A cursor is the last item's id; zeros: from the newest. */
struct page_query {
	int64_t limit;
	uint8_t cursor[16];
};

static const struct field statement_fields[] = {
	{ "limit", FIELD_INT, offsetof(struct page_query, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct page_query, cursor), .prefix = "pst" },
	{ 0 },
};

static const struct field earnings_fields[] = {
	{ "limit", FIELD_INT, offsetof(struct page_query, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct page_query, cursor), .prefix = "lse" },
	{ 0 },
};

static bool has_cursor(const struct page_query *query)
{
	static const uint8_t none[16];

	return memcmp(query->cursor, none, sizeof(none)) != 0;
}

static json_t *json_statement_item(const struct statement_item *item)
{
	char posting[ID_TEXT_SIZE];

	posting_id_text(&item->posting, posting);
	return json_pack(
		"{s:s, s:o, s:s, s:o, s:o, s:o, s:s}", "posting", posting, "at",
		encode_time(item->at_ms), "kind", item->kind, "amount", encode_amount(item->amount),
		"rental", item->has_rental ? json_rental(&item->rental) : json_null(), "lease",
		item->has_lease ? json_lease(&item->lease) : json_null(), "memo", item->memo);
}

static json_t *json_statement(const struct statement_item *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(list, json_statement_item(&items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int get_statement(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct page_query *query = request->query;
	struct posting_id before;
	char next[ID_TEXT_SIZE] = "";
	struct statement_item *items;
	size_t n;
	int r;

	memcpy(before.bytes, query->cursor, sizeof(before.bytes));
	r = store_statement(tx, request->caller.account, has_cursor(query) ? &before : NULL,
			    (size_t)query->limit + 1, &items, &n);
	if (r != 0)
		return r;
	if (n > (size_t)query->limit) {
		n--;
		posting_id_text(&items[n - 1].posting, next);
	}
	return reply_with(reply, 200,
			  json_pack("{s:o, s:s?}", "items", json_statement(items, n), "next",
				    *next ? next : NULL));
}

/* ---- bills ---- */

static json_t *json_usage(const struct lease_row *lease)
{
	if (lease->sequence == 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:o}", "sequence", (json_int_t)lease->sequence,
			 "started_at_ms", (json_int_t)lease->started_at_ms, "until_ms",
			 (json_int_t)lease->until_ms, "seconds", (json_int_t)lease->seconds,
			 "final", lease->final, "signature",
			 encode_bytes(lease->usage_signature, SIGNATURE_SIZE));
}

/* It has a proof or an hour. */
static json_t *json_excuse(const struct excuse_row *excuse)
{
	static const uint8_t none[16];
	bool proved = memcmp(excuse->proof, none, sizeof(none)) != 0;
	char proof[ID_TEXT_SIZE];

	id_text("prf", excuse->proof, proof);
	return json_pack("{s:s?, s:o, s:I, s:I, s:o}", "proof", proved ? proof : NULL, "hour",
			 proved ? json_null() : json_integer(excuse->hour), "from_ms",
			 (json_int_t)excuse->from_ms, "until_ms", (json_int_t)excuse->until_ms,
			 "signature", encode_bytes(excuse->signature, SIGNATURE_SIZE));
}

static json_t *json_excuses(const struct lease_row *lease)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < lease->n_excuses; i++)
		if (json_array_append_new(list, json_excuse(&lease->excuses[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *json_bill_lease(const struct lease_row *lease, struct amount unpaid)
{
	return json_pack(
		"{s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
		"lease", json_lease(&lease->lease), "placing", (json_int_t)lease->placing,
		"machine", encode_address(&lease->machine.address), "provider",
		encode_address(&lease->provider.address), "rate_hour",
		encode_amount(lease->rate_hour), "fee_basis_points",
		(json_int_t)lease->fee_basis_points, "placed_at_ms",
		(json_int_t)lease->placed_at_ms, "terms_signature",
		encode_bytes(lease->terms_signature, SIGNATURE_SIZE), "billed", lease->billed,
		"ended_at_ms", lease->closed_at_ms ? json_integer(lease->ended_at_ms) : json_null(),
		"usage", json_usage(lease), "receipt_signature",
		lease->sequence > 0 ? encode_bytes(lease->receipt_signature, SIGNATURE_SIZE)
				    : json_null(),
		"charged", encode_amount(lease->charged), "unpaid", encode_amount(unpaid),
		"excuses", json_excuses(lease), "record", (json_int_t)lease->records);
}

/* The tenant sees every lease of the rental, a provider those on its own machines. */
static bool may_see(const struct caller *caller, const struct lease_row *lease)
{
	return account_equal(caller->account, lease->tenant) ||
	       account_equal(caller->account, lease->provider);
}

static int add_bill_lease(const struct context *context, const struct lease_row *lease,
			  json_t *list, struct bill_statement *bill)
{
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct amount unpaid;
	int r;

	r = metering_due(lease, &unpaid);
	if (r == 0)
		r = amount_add(bill->total, lease->charged, &bill->total);
	if (r == 0)
		r = lease_record_digest(context, lease, digest);
	if (r < 0)
		return r;
	bill_add_lease(bill, lease->records, digest);
	return json_array_append_new(list, json_bill_lease(lease, unpaid)) < 0 ? -ENOMEM : 0;
}

/* As a whole, so that no lease can be left out of it. */
static int sign_bill(const struct context *context, const struct bill_statement *bill,
		     uint8_t ret_signature[static SIGNATURE_SIZE])
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	bill_digest(bill, digest);
	return secp_sign(context->settings->network_key, digest, ret_signature);
}

/* Takes @leases over. */
static int reply_bill(const struct context *context, const struct bill_statement *bill,
		      json_t *leases, struct reply *reply)
{
	uint8_t signature[SIGNATURE_SIZE];
	int r = sign_bill(context, bill, signature);

	if (r < 0) {
		json_decref(leases);
		return r;
	}
	return reply_with(
		reply, 200,
		json_pack("{s:i, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "version", 2, "network",
			  encode_address(&bill->network), "rental", json_rental(&bill->rental),
			  "tenant", encode_address(&bill->tenant.address), "made_at_ms",
			  (json_int_t)bill->made_at_ms, "placings", (json_int_t)bill->placings,
			  "leases", leases, "total", encode_amount(bill->total), "signature",
			  encode_bytes(signature, SIGNATURE_SIZE)));
}

/* What `kaisar verify-bill` checks without us. */
static int answer_bill(const struct request *request, const struct lease_row *leases, size_t n,
		       struct reply *reply)
{
	const struct context *context = request->context;
	struct bill_statement bill = { .network = context->settings->network,
				       .made_at_ms = clock_now_ms(context->clock),
				       .placings = (int64_t)n };
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (may_see(&request->caller, &leases[i]))
			r = add_bill_lease(context, &leases[i], list, &bill);
	if (r == 0 && bill.n_leases == 0)
		r = ROUTE_E_NOT_FOUND;
	if (r != 0) {
		json_decref(list);
		return r;
	}
	bill.rental = leases[0].rental;
	bill.tenant = leases[0].tenant;
	return reply_bill(context, &bill, list, reply);
}

static int get_bill(struct request *request, struct tx *tx, struct reply *reply)
{
	struct rental_id rental;
	struct lease_row *leases;
	size_t n;
	int r;

	if (rental_id_parse(request->params[0], &rental) < 0)
		return ROUTE_E_NOT_FOUND;
	r = store_leases_of_rental(tx, rental, &leases, &n);
	return r != 0 ? r : answer_bill(request, leases, n, reply);
}

/* ---- earnings ---- */

static json_t *json_earnings(const struct lease_row *leases, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		const struct lease_row *lease = &leases[i];
		struct amount earned = { lease->charged.micro - lease->fee.micro };
		json_t *item;

		item = json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "lease",
				 json_lease(&lease->lease), "rental", json_rental(&lease->rental),
				 "machine", encode_address(&lease->machine.address), "seconds",
				 (json_int_t)metering_seconds(lease), "charged",
				 encode_amount(lease->charged), "fee", encode_amount(lease->fee),
				 "earned", encode_amount(earned));
		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int get_earnings(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct page_query *query = request->query;
	struct ledger_balances balances;
	struct earned earned;
	char next[ID_TEXT_SIZE] = "";
	struct lease_row *leases;
	struct lease_id before;
	size_t n;
	int r;

	memcpy(before.bytes, query->cursor, sizeof(before.bytes));
	r = ledger_balances(tx, request->caller.account, &balances);
	if (r == 0)
		r = find_earned(tx, request->caller.account, balances.earned, &earned);
	if (r == 0)
		r = store_leases_of_provider(tx, request->caller.account,
					     has_cursor(query) ? &before : NULL,
					     (size_t)query->limit + 1, &leases, &n);
	if (r != 0)
		return r;
	if (n > (size_t)query->limit) {
		n--;
		lease_id_text(&leases[n - 1].lease, next);
	}
	return reply_with(
		reply, 200,
		json_pack("{s:o, s:o, s:o, s:o, s:s?}", "earned", encode_amount(balances.earned),
			  "paid", encode_amount(earned.paid), "due", encode_amount(earned.due),
			  "items", json_earnings(leases, n), "next", *next ? next : NULL));
}

/* ---- operators ---- */

struct credit_body {
	struct account_id account;
	struct amount amount;
	const char *key, *memo;
};

static const struct field credit_fields[] = {
	{ "account", FIELD_ADDRESS, offsetof(struct credit_body, account), .required = true },
	{ "amount", FIELD_AMOUNT, offsetof(struct credit_body, amount), .required = true, .min = 1,
	  .max = BILLING_CREDIT_MAX_MICRO },
	{ "key", FIELD_TEXT, offsetof(struct credit_body, key), .required = true, .min = 1,
	  .max = BILLING_KEY_MAX,
	  .charset = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-" },
	{ "memo", FIELD_TEXT, offsetof(struct credit_body, memo), .max = BILLING_MEMO_MAX },
	{ 0 },
};

static int audit_credit(struct request *request, struct tx *tx, const struct credit_body *body)
{
	char account[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = AUDIT_CREDIT_GIVEN,
		.by = AUDIT_OPERATOR,
		.request = request,
		.subject = account,
		.owner = &body->account,
		.detail = json_pack("{s:o, s:s}", "amount", encode_amount(body->amount), "key",
				    body->key),
	};

	address_text(&body->account.address, account);
	return audit_record(request->context, tx, &entry);
}

static int post_credit(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct credit_body *body = request->body;
	struct amount before, available;
	int r;

	r = billing_available(tx, body->account, &before);
	if (r != 0)
		return r;
	r = billing_credit(request->context, tx, body->account, body->amount, body->key,
			   body->memo);
	if (r == 0)
		r = billing_available(tx, body->account, &available);
	/* The same key again gives nothing. */
	if (r == 0 && amount_compare(before, available) != 0)
		r = audit_credit(request, tx, body);
	if (r != 0)
		return r;
	return reply_with(reply, 201,
			  json_pack("{s:o, s:o}", "account", encode_address(&body->account.address),
				    "available", encode_amount(available)));
}

struct books {
	struct amount issued, fees, escrow, settled, fund;
	struct settlement_sums sums;
};

static int read_books(struct tx *tx, struct books *books)
{
	/* Those that the network is against are below zero. */
	const struct {
		enum ledger_account account;
		bool against;
		struct amount *to;
	} sums[] = {
		{ LEDGER_ISSUE, true, &books->issued },  { LEDGER_FEES, false, &books->fees },
		{ LEDGER_ESCROW, true, &books->escrow }, { LEDGER_SETTLED, true, &books->settled },
		{ LEDGER_FUND, false, &books->fund },
	};
	struct account_id treasury = { 0 };
	int r = store_treasury(tx, &treasury);

	r = r == ROUTE_E_NOT_FOUND ? 0 : r;
	if (r == 0)
		r = store_settlement_sums(tx, treasury, &books->sums);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sums); i++) {
		r = store_network_sum(tx, sums[i].account, sums[i].to);
		if (r == 0 && sums[i].against)
			r = amount_sub(AMOUNT_ZERO, *sums[i].to, sums[i].to);
	}
	return r;
}

static int get_ledger(struct request *request _unused_, struct tx *tx, struct reply *reply)
{
	struct books books;
	const char *problem;
	int r;

	r = billing_check(tx, &problem);
	if (r == 0)
		r = read_books(tx, &books);
	if (r != 0)
		return r;
	return reply_with(
		reply, 200,
		json_pack("{s:b, s:s?, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "balanced", !problem,
			  "problem", problem, "issued", encode_amount(books.issued), "fees",
			  encode_amount(books.fees), "escrow", encode_amount(books.escrow), "fund",
			  encode_amount(books.fund), "settled", encode_amount(books.settled), "due",
			  encode_amount(books.sums.due), "unpaid",
			  encode_amount(books.sums.unpaid)));
}

/* ---- tables ---- */

static const struct route routes[] = {
	{ HTTP_GET, "/v1/balance", PERM_BILLING_READ, TX_READ, .handler = get_balance },
	{ HTTP_GET, "/v1/statement", PERM_BILLING_READ, TX_READ,
	  .query = { statement_fields, sizeof(struct page_query) }, .handler = get_statement },
	{ HTTP_GET, "/v1/bills/{rental}", PERM_BILLING_READ, TX_READ, .handler = get_bill },
	{ HTTP_GET, "/v1/earnings", PERM_BILLING_READ, TX_READ,
	  .query = { earnings_fields, sizeof(struct page_query) }, .handler = get_earnings },
	{ HTTP_GET, "/v1/deposits", PERM_BILLING_READ, TX_READ,
	  .query = { deposits_fields, sizeof(struct escrow_page) }, .handler = get_deposits },
	{ HTTP_GET, "/v1/withdrawals", PERM_BILLING_READ, TX_READ,
	  .query = { withdrawals_fields, sizeof(struct escrow_page) }, .handler = get_withdrawals },
	{ HTTP_GET, "/v1/withdrawals/{withdrawal}", PERM_BILLING_READ, TX_READ,
	  .handler = get_withdrawal },
	{ HTTP_POST, "/v1/withdrawals", PERM_ACCOUNT, TX_WRITE, .idempotent = true,
	  .body = { withdrawal_fields, sizeof(struct withdrawal_body) },
	  .handler = post_withdrawal },
	{ HTTP_POST, "/v1/admin/credits", PERM_OPERATOR, TX_WRITE, .idempotent = true,
	  .body = { credit_fields, sizeof(struct credit_body) }, .handler = post_credit },
	{ HTTP_GET, "/v1/admin/ledger", PERM_OPERATOR, TX_READ, .handler = get_ledger },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ BILLING_E_INSUFFICIENT, 402, "insufficient-balance",
	  "The available balance does not cover it: deposit or have the operator credit "
	  "you, or choose a lower rate." },
	{ BILLING_E_NO_LEASE, 404, "no-such-lease", "There is no such lease." },
	{ BILLING_E_CLOSED, 409, "lease-closed",
	  "The lease was closed before this usage record's time." },
	{ BILLING_E_RECORD, 409, "usage-contradicts",
	  "The usage record contradicts the lease or an earlier record." },
	{ BILLING_E_SIGNATURE, 403, "usage-signature",
	  "The usage record is not signed by the lease's machine." },
	{ BILLING_E_LIMIT, 422, "amount-out-of-bounds",
	  "The amount, or the balance it would make, is out of bounds." },
	{ BILLING_E_TOO_MUCH, 402, "more-than-withdrawable",
	  "Only deposits that are neither spent nor held are withdrawn, points never: "
	  "`kaisar balance` says how much that is." },
	{ BILLING_E_TOO_OFTEN, 409, "withdrawals-of-a-day",
	  "The account withdrew as often as it may in 24 hours: wait, and withdraw more at once." },
	{ BILLING_E_WITHDRAWING, 409, "withdrawal-under-way",
	  "Another withdrawal goes on: wait until it has ended." },
	{ BILLING_E_NO_CHAIN, 404, "no-chain",
	  "This network has no chain, hence no deposits: ask its operator." },
	{ BILLING_E_LEAVING, 409, "leaving-the-escrow",
	  "The account asked the escrow contract to leave: `kaisar escrow stay` cancels that." },
	{ BILLING_E_KEY, 409, "credit-key-reused",
	  "This key was used for another account or amount: choose a new one." },
	{ 0 },
};

const struct module billing_module = {
	.name = "billing",
	.routes = routes,
	.outcomes = outcomes,
	.jobs = billing_jobs,
};

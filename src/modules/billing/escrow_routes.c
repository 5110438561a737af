#include "modules/billing/escrow_routes.h"

#include "api/settings.h"
#include "modules/billing/conversion.h"
#include "modules/billing/escrow.h"
#include "modules/billing/withdrawal.h"
#include "modules/chain/chain.h"
#include "modules/logging/logging.h"

const struct field deposits_fields[] = {
	{ "limit", FIELD_INT, offsetof(struct escrow_page, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct escrow_page, cursor), .prefix = "dep" },
	{ 0 },
};

const struct field withdrawals_fields[] = {
	{ "limit", FIELD_INT, offsetof(struct escrow_page, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ "cursor", FIELD_ID, offsetof(struct escrow_page, cursor), .prefix = "wdr" },
	{ 0 },
};

static bool is_first_page(const struct escrow_page *query)
{
	static const uint8_t none[16];

	return memcmp(query->cursor, none, sizeof(none)) == 0;
}

/* ---- deposits ---- */

static const char *state_of(const struct deposit_row *deposit, bool final,
			    const struct conversion_row *conversion)
{
	if (!final)
		return "pending";
	if (deposit->credited.micro > 0)
		return "credited";
	return conversion && conversion->state == CONVERSION_WAITS ? "converting" : "not_credited";
}

/* @conversion: NULL where it is none. */
static json_t *json_deposit(const struct deposit_row *deposit, bool final,
			    const struct conversion_row *conversion)
{
	char id[ID_TEXT_SIZE], amount[U256_TEXT_SIZE], rest[U256_TEXT_SIZE];

	deposit_id_text(&deposit->id, id);
	u256_text(deposit->amount, amount);
	if (conversion)
		u256_text(conversion->rest, rest);
	return json_pack(
		"{s:s?, s:s, s:o, s:s, s:o, s:o, s:s?, s:o, s:I, s:o, s:o, s:s}", "id",
		final ? id : NULL, "state", state_of(deposit, final, conversion), "token",
		encode_address(&deposit->token), "amount", amount, "credited",
		encode_amount(deposit->credited), "price",
		conversion ? encode_amount(conversion->price) : json_null(), "rest",
		conversion ? rest : NULL, "payer", encode_address(&deposit->payer.address), "block",
		(json_int_t)deposit->block, "transaction", encode_bytes(deposit->transaction, 32),
		"at", final ? encode_time(deposit->at_ms) : json_null(), "detail", deposit->detail);
}

static int append_one(struct tx *tx, json_t *list, const struct deposit_row *deposit, bool final)
{
	const struct address *kai = &chain_contracts()->at[CONTRACT_TOKEN].address;
	struct conversion_row conversion;
	bool converts = false;
	int r;

	if (final && address_equal(&deposit->token, kai)) {
		r = store_conversion(tx, deposit->id, &conversion);
		if (r != 0 && r != ROUTE_E_NOT_FOUND)
			return r;
		converts = r == 0;
	}
	return json_array_append_new(
		       list, json_deposit(deposit, final, converts ? &conversion : NULL)) < 0
		       ? -ENOMEM
		       : 0;
}

/* Without a chain there are none. */
static int append(struct tx *tx, json_t *list, const struct deposit_row *deposits, size_t n,
		  bool final)
{
	int r = 0;

	for (size_t i = 0; r == 0 && chain_enabled() && i < n; i++)
		r = append_one(tx, list, &deposits[i], final);
	return r;
}

int get_deposits(struct request *request, struct tx *tx, struct reply *reply)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	const struct escrow_page *query = request->query;
	struct deposit_row *pending = NULL, *deposits;
	struct deposit_id before;
	char next[ID_TEXT_SIZE] = "";
	size_t n_pending = 0, n;
	int r = list ? 0 : -ENOMEM;

	memcpy(before.bytes, query->cursor, sizeof(before.bytes));
	if (r == 0 && is_first_page(query))
		r = escrow_pending(tx, request->caller.account, &pending, &n_pending);
	if (r == 0)
		r = store_deposits(tx, request->caller.account,
				   is_first_page(query) ? NULL : &before, (size_t)query->limit + 1,
				   &deposits, &n);
	if (r != 0)
		return r;
	if (n > (size_t)query->limit) {
		n--;
		deposit_id_text(&deposits[n - 1].id, next);
	}
	r = append(tx, list, pending, n_pending, false);
	if (r == 0)
		r = append(tx, list, deposits, n, true);
	return r != 0 ? r
		      : reply_with(reply, 200,
				   json_pack("{s:O, s:s?}", "items", list, "next",
					     *next ? next : NULL));
}

/* ---- withdrawals ---- */

static json_t *json_withdrawal(const struct withdrawal_row *withdrawal)
{
	static const char *const states[] = { "asked", "returned", "failed" };
	char id[ID_TEXT_SIZE];

	withdrawal_id_text(&withdrawal->id, id);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s}", "id", id, "state",
			 states[withdrawal->state], "amount", encode_amount(withdrawal->amount),
			 "asked_at", encode_time(withdrawal->asked_at_ms), "ended_at",
			 withdrawal->ended_at_ms ? encode_time(withdrawal->ended_at_ms)
						 : json_null(),
			 "transaction",
			 withdrawal->has_transaction ? encode_bytes(withdrawal->transaction, 32)
						     : json_null(),
			 "detail", withdrawal->detail);
}

int get_withdrawals(struct request *request, struct tx *tx, struct reply *reply)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	const struct escrow_page *query = request->query;
	struct withdrawal_row *withdrawals;
	struct withdrawal_id before;
	char next[ID_TEXT_SIZE] = "";
	size_t n;
	int r;

	memcpy(before.bytes, query->cursor, sizeof(before.bytes));
	r = store_withdrawals(tx, request->caller.account, is_first_page(query) ? NULL : &before,
			      (size_t)query->limit + 1, &withdrawals, &n);
	if (r != 0 || !list)
		return r != 0 ? r : -ENOMEM;
	if (n > (size_t)query->limit) {
		n--;
		withdrawal_id_text(&withdrawals[n - 1].id, next);
	}
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(list, json_withdrawal(&withdrawals[i])) < 0)
			return -ENOMEM;
	return reply_with(reply, 200,
			  json_pack("{s:O, s:s?}", "items", list, "next", *next ? next : NULL));
}

int get_withdrawal(struct request *request, struct tx *tx, struct reply *reply)
{
	struct withdrawal_row withdrawal;
	struct withdrawal_id id;
	int r;

	if (withdrawal_id_parse(request->params[0], &id) < 0)
		return ROUTE_E_NOT_FOUND;
	r = store_withdrawal(tx, id, &withdrawal);
	if (r == 0 && !account_equal(withdrawal.tenant, request->caller.account))
		return ROUTE_E_NOT_FOUND;
	return r != 0 ? r : reply_with(reply, 200, json_withdrawal(&withdrawal));
}

const struct field withdrawal_fields[] = {
	{ "amount", FIELD_AMOUNT, offsetof(struct withdrawal_body, amount), .required = true,
	  .min = 1, .max = INT64_C(1000000000000000) },
	{ 0 },
};

static int audit_withdrawal(struct request *request, struct tx *tx,
			    const struct withdrawal_row *withdrawal)
{
	char id[ID_TEXT_SIZE];

	withdrawal_id_text(&withdrawal->id, id);
	return audit_own(request, tx, AUDIT_WITHDRAWAL_ASKED, id,
			 json_pack("{s:o}", "amount", encode_amount(withdrawal->amount)));
}

static int refuse_above(struct reply *reply, struct amount most)
{
	char text[AMOUNT_TEXT_SIZE], rule[sizeof(reply->error.rule)];

	amount_text(most, text);
	snprintf(rule, sizeof(rule), "must be at most %s: withdraw the rest with another", text);
	return reply_refuse(reply, "amount", rule);
}

static int refuse_below(struct reply *reply, struct amount least)
{
	char text[AMOUNT_TEXT_SIZE], rule[sizeof(reply->error.rule)];

	amount_text(least, text);
	snprintf(rule, sizeof(rule), "must be at least %s, or all that is left", text);
	return reply_refuse(reply, "amount", rule);
}

int post_withdrawal(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct withdrawal_body *body = request->body;
	const struct settings *settings = request->context->settings;
	const struct amount most = { settings->withdrawal_most_micro };
	struct withdrawal_row withdrawal;
	int r;

	/* The signer would never sign it, and it would hold up everybody's. */
	if (amount_compare(body->amount, most) > 0)
		return refuse_above(reply, most);
	r = withdrawal_ask(request->context, tx, request->caller.account, body->amount,
			   &withdrawal);
	if (r == BILLING_E_TOO_LITTLE)
		return refuse_below(reply, (struct amount){ settings->withdrawal_least_micro });
	if (r == 0)
		r = audit_withdrawal(request, tx, &withdrawal);
	return r != 0 ? r : reply_with(reply, 201, json_withdrawal(&withdrawal));
}

#include "modules/billing/conversion.h"

#include "api/settings.h"
#include "modules/billing/deposit.h"

enum { WAITING_AT_ONCE = 500 };

#define KAI_UNITS ((unsigned __int128)1000000000000000000)

void conversion_value(struct u256 amount, struct amount price, struct amount *ret_credit,
		      struct u256 *ret_used)
{
	const struct u256 unit = u256_from(KAI_UNITS), most = u256_from(DEPOSIT_MAX_MICRO);
	const struct u256 cost = u256_from((unsigned __int128)price.micro);
	struct u256 credit, rest, used;

	*ret_credit = AMOUNT_ZERO;
	*ret_used = u256_from(0);
	/* All that there is of KAI has 90 bits. */
	if (price.micro <= 0 || u256_bits(amount) > 128)
		return;
	credit = u256_divide(u256_mul(amount, cost), unit, &rest);
	if (u256_is_zero(credit) || u256_compare(&credit, &most) > 0)
		return;
	used = u256_divide(u256_mul(credit, unit), cost, &rest);
	if (!u256_is_zero(rest))
		used = u256_add(used, u256_from(1));
	ret_credit->micro = (int64_t)u256_low(credit);
	*ret_used = used;
}

static const char *why_not(struct amount price)
{
	return price.micro > 0
		       ? "too little for 0.000001, or more than a balance can hold: it "
			 "stays in the contract, which gives it back to who asks to leave "
			 "(requestExit)"
		       : "this network publishes no price for KAI: it stays in the "
			 "contract, which gives it back to who asks to leave (requestExit); "
			 "deposit the stablecoin";
}

static int add(struct tx *tx, const struct deposit_row *deposit, struct conversion_row *conversion)
{
	struct conversion_row last;
	int r = store_conversion_last(tx, deposit->tenant, &last);

	if (r == ROUTE_E_NOT_FOUND) {
		last.total = u256_from(0);
		r = 0;
	}
	if (r != 0)
		return r;
	conversion->total = u256_add(last.total, conversion->used);
	return store_conversion_add(tx, conversion);
}

int conversion_deposit(const struct context *context, struct tx *tx, struct deposit_row *deposit)
{
	struct conversion_row conversion = {
		.deposit = deposit->id,
		.tenant = deposit->tenant,
		.price = context->settings->chain->kai_price,
	};
	struct amount available, sum;
	int r = billing_available(tx, deposit->tenant, &available);

	conversion_value(deposit->amount, conversion.price, &conversion.credit, &conversion.used);
	deposit->credited = AMOUNT_ZERO;
	deposit->detail = "";
	if (conversion.credit.micro == 0 || amount_add(available, conversion.credit, &sum) < 0)
		deposit->detail = why_not(conversion.price);
	if (r == 0)
		r = no_conflict(store_deposit_add(tx, deposit));
	if (r != 0 || *deposit->detail)
		return r != 0 ? r : deposit_tell(context, tx, deposit);
	conversion.rest = u256_subtract(deposit->amount, conversion.used);
	return add(tx, deposit, &conversion);
}

static int end(const struct context *context, struct tx *tx, struct conversion_row *conversion,
	       enum conversion_state state, const char *detail)
{
	struct deposit_row deposit = { .id = conversion->deposit,
				       .tenant = conversion->tenant,
				       .detail = detail };
	int r;

	if (state == CONVERSION_CREDITED)
		deposit.credited = conversion->credit;
	conversion->state = state;
	r = store_conversion_state(tx, conversion);
	if (r == 0)
		r = store_deposit_credit(tx, deposit.id, deposit.credited, detail);
	return r == 0 ? deposit_tell(context, tx, &deposit) : r;
}

static int credit(const struct context *context, struct tx *tx, struct conversion_row *conversion)
{
	struct ledger_posting posting = { .kind = "conversion" };
	char id[ID_TEXT_SIZE], price[AMOUNT_TEXT_SIZE];
	int r;

	deposit_id_text(&conversion->deposit, id);
	amount_text(conversion->price, price);
	snprintf(posting.key, sizeof(posting.key), "conversion:%s", id);
	snprintf(posting.memo, sizeof(posting.memo), "%s, KAI at %s", id, price);
	ledger_entry(&posting, conversion->tenant, LEDGER_AVAILABLE, conversion->credit);
	ledger_entry_network(&posting, LEDGER_ISSUE, (struct amount){ -conversion->credit.micro });
	ledger_entry_points(&posting, conversion->tenant, conversion->credit);
	r = ledger_post_sure(context, tx, &posting, 1);
	return r == 0 ? end(context, tx, conversion, CONVERSION_CREDITED, "") : r;
}

int conversion_take(const struct context *context, struct tx *tx, struct account_id tenant,
		    struct u256 total)
{
	struct conversion_row *waiting;
	size_t n;
	int r = store_conversions_of(tx, tenant, &waiting, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (u256_compare(&waiting[i].total, &total) <= 0)
			r = credit(context, tx, &waiting[i]);
	return r;
}

int conversion_leave(const struct context *context, struct tx *tx, struct account_id tenant)
{
	struct conversion_row *waiting;
	size_t n;
	int r = store_conversions_of(tx, tenant, &waiting, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = end(context, tx, &waiting[i], CONVERSION_LEFT,
			"you left the contract with it before it was credited");
	return r;
}

/* A tenant's is there once, with the highest total. */
static void put(struct settlement *items, size_t *n, size_t max, struct account_id treasury,
		const struct conversion_row *waiting)
{
	for (size_t i = 0; i < *n; i++)
		if (address_equal(&items[i].tenant, &waiting->tenant.address)) {
			if (u256_compare(&waiting->total, &items[i].charged) > 0)
				items[i].charged = waiting->total;
			return;
		}
	if (*n < max)
		items[(*n)++] = (struct settlement){ .tenant = waiting->tenant.address,
						     .provider = treasury.address,
						     .charged = waiting->total };
}

int conversion_gather(struct tx *tx, struct account_id treasury, size_t max,
		      struct settlement **ret_items, size_t *ret_n)
{
	struct settlement *items = arena_array(tx_arena(tx), max, sizeof(*items));
	struct conversion_row *waiting;
	size_t n, kept = 0;
	int r = items ? store_conversions_waiting(tx, WAITING_AT_ONCE, &waiting, &n) : -ENOMEM;

	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		put(items, &kept, max, treasury, &waiting[i]);
	*ret_items = items;
	*ret_n = kept;
	return 0;
}

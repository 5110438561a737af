#include "modules/billing/conversion.h"

#include "api/settings.h"
#include "modules/billing/deposit.h"

enum {
	DAY_MS = 86400000,
	LOOK_AT = 1000, /* tenants for a call: those that fit in none keep so many from nothing */
};

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

/* NULL: it becomes points. */
static const char *why_not(const struct settings *settings, struct amount credit)
{
	if (settings->chain->kai_price.micro <= 0)
		return "this network publishes no price for KAI: it stays in the contract, which "
		       "gives it back to who asks to leave (kaisar escrow leave --token kai); "
		       "deposit the stablecoin";
	if (credit.micro == 0)
		return "too little for 0.000001, or more than a balance can hold: it stays in the "
		       "contract, which gives it back to who asks to leave (kaisar escrow leave "
		       "--token kai)";
	if (credit.micro > settings->kai_day_micro)
		return "more points than this network makes of KAI in a day: it stays in the "
		       "contract, which gives it back to who asks to leave (kaisar escrow leave "
		       "--token kai); deposit less at a time";
	return NULL;
}

/* The contract's sums only grow: the next is above all that it paid or is to. */
static int total_before(struct tx *tx, struct account_id tenant, struct u256 *ret_total)
{
	struct converter_row converter;
	struct conversion_row last;
	int r = store_converter(tx, tenant, &converter);

	if (r == 0)
		r = store_conversion_last(tx, tenant, &last);
	if (r < 0)
		return r;
	if (r == ROUTE_E_NOT_FOUND || u256_compare(&converter.total, &last.total) > 0)
		*ret_total = converter.total;
	else
		*ret_total = last.total;
	return 0;
}

static int add(struct tx *tx, struct conversion_row *conversion)
{
	struct u256 before;
	int r = total_before(tx, conversion->tenant, &before);

	if (r != 0)
		return r;
	conversion->total = u256_add(before, conversion->used);
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
	const char *why;
	int r = billing_available(tx, deposit->tenant, &available);

	conversion_value(deposit->amount, conversion.price, &conversion.credit, &conversion.used);
	if (r == 0 && amount_add(available, conversion.credit, &sum) < 0)
		conversion.credit = AMOUNT_ZERO;
	why = why_not(context->settings, conversion.credit);
	deposit->credited = AMOUNT_ZERO;
	deposit->detail = why ? why : "";
	if (r == 0)
		r = no_conflict(store_deposit_add(tx, deposit));
	if (r != 0 || why)
		return r != 0 ? r : deposit_tell(context, tx, deposit);
	conversion.rest = u256_subtract(deposit->amount, conversion.used);
	return add(tx, &conversion);
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
	r = store_conversion_end(tx, conversion, clock_now_ms(context->clock));
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
	struct converter_row converter;
	struct conversion_row *waiting;
	size_t n;
	int r = store_converter(tx, tenant, &converter);

	if (r == 0 && u256_compare(&total, &converter.total) > 0) {
		converter.total = total;
		converter.tried_ms = 0;
		r = store_converter_put(tx, &converter);
	}
	if (r == 0)
		r = store_conversions_of(tx, tenant, &waiting, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (u256_compare(&waiting[i].total, &total) <= 0)
			r = credit(context, tx, &waiting[i]);
	return r;
}

int conversion_leave(const struct context *context, struct tx *tx, struct account_id tenant)
{
	struct conversion_row *waiting;
	size_t n;
	int r = conversion_leaving(tx, tenant, false);

	if (r == 0)
		r = store_conversions_of(tx, tenant, &waiting, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = end(context, tx, &waiting[i], CONVERSION_LEFT,
			"you left the contract with it before it was credited");
	return r;
}

int conversion_leaving(struct tx *tx, struct account_id tenant, bool leaves)
{
	struct converter_row converter;
	int r = store_converter(tx, tenant, &converter);

	converter.leaves = leaves;
	return r == 0 ? store_converter_put(tx, &converter) : r;
}

/* ---- the next call ---- */

/* What of each there still is. */
struct room {
	struct u256 kai;
	int64_t day, backed; /* points */
	bool kai_full, day_full, backed_full; /* something waits for it */
};

static int room_find(const struct context *context, struct tx *tx,
		     const struct conversion_call *call, struct room *ret_room)
{
	const int64_t day_ms = call->now_ms - call->now_ms % DAY_MS;
	struct settlement_sums sums;
	struct amount today, fund, given, undue;
	int r = store_conversions_since(tx, day_ms, &today);

	if (r == 0)
		r = store_settlement_sums(tx, call->treasury, &sums);
	if (r == 0)
		r = store_network_sum(tx, LEDGER_FUND, &fund);
	/* Below zero: the points that are out. */
	if (r == 0)
		r = store_network_sum(tx, LEDGER_POINTS_GIVEN, &given);
	if (r == 0)
		r = store_undue(tx, &undue);
	if (r == 0)
		*ret_room = (struct room){
			.kai = call->left,
			.day = context->settings->kai_day_micro - today.micro,
			.backed = fund.micro - sums.due_network.micro - undue.micro + given.micro,
		};
	return r;
}

static bool room_take(struct room *room, const struct conversion_row *conversion)
{
	const int64_t credit = conversion->credit.micro;
	const bool kai = u256_compare(&conversion->used, &room->kai) > 0;

	room->kai_full |= kai;
	room->day_full |= credit > room->day;
	room->backed_full |= credit > room->backed;
	if (kai || credit > room->day || credit > room->backed)
		return false;
	room->kai = u256_subtract(room->kai, conversion->used);
	room->day -= credit;
	room->backed -= credit;
	return true;
}

static const char *room_waits(const struct room *room)
{
	if (room->backed_full)
		return "deposits of KAI wait: the network's own deposit in the escrow does not "
		       "cover "
		       "more points than are out; deposit more for the treasury (kaisar deposit "
		       "--for)";
	if (room->day_full)
		return "deposits of KAI wait for tomorrow (UTC): today's points, kai_day_micro, "
		       "are "
		       "given";
	if (room->kai_full)
		return "deposits of KAI wait: they are more than the escrow's daily limit of KAI "
		       "leaves for today (UTC)";
	return "";
}

/* As many of the tenant's deposits as fit, the oldest first. Who is said alone is marked: if the contract refuses that, the
 * others go first. */
static int gather_tenant(struct tx *tx, struct conversion_call *call, struct converter_row *tenant,
			 struct room *room)
{
	struct settlement *item = &call->items[call->n];
	struct conversion_row *waiting;
	size_t n, i;
	int r = store_conversions_of(tx, tenant->tenant, &waiting, &n);

	if (r != 0)
		return r;
	for (i = 0; i < n && room_take(room, &waiting[i]); i++)
		*item = (struct settlement){ .tenant = tenant->tenant.address,
					     .provider = call->treasury.address,
					     .charged = waiting[i].total };
	call->n += i > 0;
	if (i == 0 || call->max > 1 || !call->marks)
		return 0;
	tenant->tried_ms = call->now_ms;
	return store_converter_put(tx, tenant);
}

int conversion_gather(const struct context *context, struct tx *tx, struct conversion_call *call)
{
	struct converter_row *tenants;
	struct room room;
	size_t n;
	int r;

	call->n = 0;
	call->waits = "";
	call->items = arena_array(tx_arena(tx), call->max, sizeof(*call->items));
	r = call->items ? store_converters_waiting(tx, LOOK_AT, &tenants, &n) : -ENOMEM;
	if (r != 0 || n == 0)
		return r;
	r = room_find(context, tx, call, &room);
	for (size_t i = 0; r == 0 && i < n && call->n < call->max; i++)
		r = gather_tenant(tx, call, &tenants[i], &room);
	if (r == 0)
		call->waits = room_waits(&room);
	return r;
}

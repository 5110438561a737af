#include "modules/billing/shares.h"

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* All sums are below 2^62, so that those of two are amounts. */
static bool is_sane(const struct shares *s)
{
	const int64_t bound = INT64_C(1) << 62;

	return s->charged >= 0 && s->charged < bound && s->points >= 0 && s->points <= s->charged &&
	       s->refunded >= 0 && s->refunded <= s->charged && s->fee >= 0 &&
	       s->fee <= s->charged - s->refunded;
}

/* Of the whole fee as much as of what it is in, and as leaves the provider no more than its own beside what the network
 * pays; but never less than before, nor more above that than what was added. */
static int64_t fee_of(const struct shares *s, int64_t net, int64_t from_tenant)
{
	int64_t part = s->fee;

	if (from_tenant < net)
		part = (int64_t)((__int128)s->fee * from_tenant / net);
	part = most(part, from_tenant - (net - s->fee - s->network_pays));
	part = least(part, s->tenant_fee + (from_tenant - s->from_tenant));
	return most(part, s->tenant_fee);
}

int shares_divide(struct shares *s)
{
	int64_t net = s->charged - s->refunded, coins = s->charged - s->points;
	int64_t from_tenant;

	if (!is_sane(s))
		return -ERANGE;
	from_tenant = most(s->from_tenant, least(coins - s->to_treasury, net - s->from_network));
	s->tenant_fee = fee_of(s, net, from_tenant);
	s->from_tenant = from_tenant;
	s->to_treasury = most(s->to_treasury, coins - from_tenant);
	s->from_network = most(s->from_network, net - from_tenant);
	s->network_pays = most(s->network_pays, net - s->fee - (s->from_tenant - s->tenant_fee));
	return 0;
}

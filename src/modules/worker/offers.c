#include "modules/worker/offers.h"

const char *const offer_condition_names[OFFER_CONDITIONS] = {
	"offline", "paused", "unproved", "no_price", "class", "gpu_model",
	"gpus",    "cpu",    "memory",   "disk",     "price", "avoided",
};

static bool is_avoided(const struct fleet_query *query, struct machine_id machine)
{
	for (size_t i = 0; i < query->n_avoid; i++)
		if (machine_equal(query->avoid[i], machine))
			return true;
	return false;
}

static struct amount product(int64_t price, int64_t count)
{
	struct amount amount;

	if (amount_mul((struct amount){ price }, count, &amount) != 0)
		amount.micro = INT64_MAX;
	return amount;
}

struct amount offer_rate(const struct fleet_machine *machine, const struct fleet_query *query)
{
	struct amount rate;

	if (machine->n_gpus > 0)
		return product(machine->gpu_hour, query->gpus > 0 ? query->gpus : 1);
	rate = product(machine->core_hour, query->cpu_milli > 0 ? query->cpu_milli : 1000);
	rate.micro = rate.micro / 1000 + (rate.micro % 1000 != 0);
	return rate;
}

static uint32_t gpu_failures(const struct fleet_machine *machine, size_t kind,
			     const struct fleet_query *query)
{
	const struct fleet_gpus *gpus = &machine->gpus[kind];
	uint32_t failed = 0;

	if (query->gpus == 0 && !query->any_class)
		return 1u << OFFER_CLASS;
	if (query->model && strcmp(query->model, gpus->model) != 0)
		failed |= 1u << OFFER_GPU_MODEL;
	if (gpus->free < (query->gpus > 0 ? query->gpus : 1))
		failed |= 1u << OFFER_GPUS;
	return failed;
}

uint32_t offer_failures(const struct fleet_machine *machine, size_t kind, bool online,
			const struct fleet_query *query)
{
	int64_t price = machine->n_gpus > 0 ? machine->gpu_hour : machine->core_hour;
	struct amount limit = query->max_rate_hour;
	uint32_t failed = 0;

	if (machine->n_gpus > 0)
		failed |= gpu_failures(machine, kind, query);
	else if (query->gpus > 0 || query->model)
		failed |= 1u << OFFER_CLASS;
	failed |= (uint32_t)!online << OFFER_OFFLINE;
	failed |= (uint32_t)machine->paused << OFFER_PAUSED;
	failed |= (uint32_t)machine->unproved << OFFER_UNPROVED;
	failed |= (uint32_t)(price <= 0) << OFFER_NO_PRICE;
	failed |= (uint32_t)(machine->cpu_milli < query->cpu_milli) << OFFER_CPU;
	failed |= (uint32_t)(machine->memory_bytes < query->memory_bytes) << OFFER_MEMORY;
	failed |= (uint32_t)(machine->disk_bytes < query->disk_bytes) << OFFER_DISK;
	if (limit.micro > 0 && amount_compare(offer_rate(machine, query), limit) > 0)
		failed |= 1u << OFFER_PRICE;
	failed |= (uint32_t)is_avoided(query, machine->machine) << OFFER_AVOIDED;
	return failed;
}

/* Offers of one machine: one for each model, or one of class cpu. */
static size_t kinds_of(const struct fleet_machine *machine)
{
	return machine->n_gpus > 0 ? machine->n_gpus : 1;
}

static bool is_meant(const struct fleet_query *query, const struct fleet_machine *machine)
{
	return !query->machine || machine_equal(*query->machine, machine->machine);
}

/* ---- list ---- */

struct listing {
	const struct fleet_query *query;
	enum offer_order order;
	size_t max, n;
	struct offer *offers;
};

static int64_t gpus_free(const struct offer *offer)
{
	return offer->machine.n_gpus > 0 ? offer->machine.gpus[offer->kind].free : 0;
}

static bool comes_before(enum offer_order order, const struct offer *a, const struct offer *b)
{
	int64_t difference = 0;

	if (order == OFFER_BY_QUALITY)
		difference = b->machine.quality - a->machine.quality;
	else if (order == OFFER_BY_GPUS)
		difference = gpus_free(b) - gpus_free(a);
	if (difference == 0)
		difference = amount_compare(a->rate_hour, b->rate_hour);
	if (difference == 0)
		difference = memcmp(&a->machine.machine, &b->machine.machine,
				    sizeof(a->machine.machine));
	return difference < 0;
}

static void list_one(void *arg, const struct fleet_machine *machine,
		     const struct fleet_pulse *pulse)
{
	struct listing *listing = arg;
	struct offer offer = { .machine = *machine, .pulse = *pulse };
	size_t at;

	if (!is_meant(listing->query, machine))
		return;
	for (offer.kind = 0; offer.kind < kinds_of(machine); offer.kind++) {
		if (offer_failures(machine, offer.kind, pulse->online, listing->query) != 0)
			continue;
		offer.rate_hour = offer_rate(machine, listing->query);
		at = listing->n;
		while (at > 0 && comes_before(listing->order, &offer, &listing->offers[at - 1]))
			at--;
		if (at == listing->max)
			continue;
		if (listing->n < listing->max)
			listing->n++;
		memmove(&listing->offers[at + 1], &listing->offers[at],
			(listing->n - 1 - at) * sizeof(offer));
		listing->offers[at] = offer;
	}
}

void offers_list(struct fleet *fleet, const struct fleet_query *query, enum offer_order order,
		 size_t max, struct offer *ret_offers, size_t *ret_n)
{
	struct listing listing = { query, order, max, 0, ret_offers };

	fleet_each(fleet, list_one, &listing);
	*ret_n = listing.n;
}

/* ---- explain ---- */

struct explaining {
	const struct fleet_query *query;
	struct offer_why *why;
	int64_t alone[OFFER_CONDITIONS]; /* offers that fail this condition and no other */
	int64_t best[OFFER_CONDITIONS]; /* what the best of them would allow */
	char model[GPU_NAME_SIZE];
};

static void explain_alone(struct explaining *e, enum offer_condition condition,
			  const struct fleet_machine *machine, size_t kind)
{
	int64_t value = 0;

	if (condition == OFFER_GPUS)
		value = machine->gpus[kind].free;
	else if (condition == OFFER_CPU)
		value = machine->cpu_milli;
	else if (condition == OFFER_MEMORY)
		value = machine->memory_bytes;
	else if (condition == OFFER_DISK)
		value = machine->disk_bytes;
	else if (condition == OFFER_PRICE)
		value = -offer_rate(machine, e->query).micro;
	else if (condition == OFFER_GPU_MODEL)
		memcpy(e->model, machine->gpus[kind].model, sizeof(e->model));
	if (e->alone[condition]++ == 0 || value > e->best[condition])
		e->best[condition] = value;
}

static void explain_one(void *arg, const struct fleet_machine *machine,
			const struct fleet_pulse *pulse)
{
	struct explaining *e = arg;

	if (!is_meant(e->query, machine))
		return;
	for (size_t kind = 0; kind < kinds_of(machine); kind++) {
		uint32_t failed = offer_failures(machine, kind, pulse->online, e->query);

		e->why->fitting += failed == 0;
		for (int c = 0; c < OFFER_CONDITIONS; c++)
			e->why->excluded[c] += failed >> c & 1;
		if (failed != 0 && (failed & (failed - 1)) == 0)
			explain_alone(e, (enum offer_condition)__builtin_ctz(failed), machine,
				      kind);
	}
}

/* "3 offers would fit with memory of at most 2048 MiB" */
static void write_hint(const struct explaining *e, enum offer_condition condition,
		       char ret_hint[static OFFER_HINT_SIZE])
{
	char amount[AMOUNT_TEXT_SIZE], rest[128];
	int64_t n = e->alone[condition], best = e->best[condition];

	if (condition == OFFER_GPUS)
		snprintf(rest, sizeof(rest), "with at most %" PRId64 " gpus", best);
	else if (condition == OFFER_CPU)
		snprintf(rest, sizeof(rest), "with cpu_milli of at most %" PRId64, best);
	else if (condition == OFFER_MEMORY || condition == OFFER_DISK)
		snprintf(rest, sizeof(rest), "with %s of at most %" PRId64 " MiB",
			 offer_condition_names[condition], best >> 20);
	else if (condition == OFFER_GPU_MODEL)
		snprintf(rest, sizeof(rest), "with gpu_model %s", e->model);
	else if (condition == OFFER_CLASS)
		snprintf(rest, sizeof(rest), "%s",
			 e->query->gpus > 0 ? "without a GPU" : "with gpus of at least 1");
	else if (condition == OFFER_PRICE) {
		amount_text((struct amount){ -best }, amount);
		snprintf(rest, sizeof(rest), "with max_rate_hour of at least %s", amount);
	} else
		snprintf(rest, sizeof(rest), "on machines where this rental failed before");
	snprintf(ret_hint, OFFER_HINT_SIZE, "%" PRId64 " %s would fit %s", n,
		 n == 1 ? "offer" : "offers", rest);
}

void offers_explain(struct fleet *fleet, const struct fleet_query *query, struct offer_why *ret_why)
{
	struct explaining e = { .query = query, .why = ret_why };
	int most = -1;

	*ret_why = (struct offer_why){ 0 };
	fleet_each(fleet, explain_one, &e);
	/* What a tenant cannot change is no help. */
	for (int c = OFFER_CLASS; c < OFFER_CONDITIONS; c++)
		if (e.alone[c] > 0 && (most < 0 || e.alone[c] > e.alone[most]))
			most = c;
	if (ret_why->fitting == 0 && most >= 0)
		write_hint(&e, (enum offer_condition)most, ret_why->hint);
}

json_t *offer_why_excluded(const struct offer_why *why)
{
	json_t *excluded = json_object();

	for (size_t c = 0; excluded && c < OFFER_CONDITIONS; c++)
		if (why->excluded[c] > 0 &&
		    json_object_set_new(excluded, offer_condition_names[c],
					json_integer(why->excluded[c])) < 0) {
			json_decref(excluded);
			return NULL;
		}
	return excluded;
}

/* Placing, and why not (worker.h). */
#include "modules/worker/worker.h"

#include "api/settings.h"
#include "modules/worker/lease_store.h"
#include "modules/worker/offers.h"
#include "modules/worker/worker_state.h"

enum {
	TRIES = 8, /* machines that turn out full before it is given up */
	SHARE_MAX_LOG2 =
		50, /* needs above 2^50 of anything fit nowhere, and sums cannot overflow */
};

static bool is_sane(const struct worker_need *need)
{
	const int64_t max = 1LL << SHARE_MAX_LOG2;

	return need->gpus >= 0 && need->gpus <= WORKER_GPUS_MAX && need->cpu_milli > 0 &&
	       need->cpu_milli <= max && need->memory_bytes > 0 && need->memory_bytes <= max &&
	       need->disk_bytes > 0 && need->disk_bytes <= max && need->max_rate_hour.micro >= 0 &&
	       need->n_avoid <= WORKER_AVOID_MAX;
}

/* A need as the index is asked; @model holds the canonical name. */
static struct fleet_query query_of(const struct worker_need *need, char model[static GPU_NAME_SIZE])
{
	struct fleet_query query = {
		.gpus = need->gpus,
		.cpu_milli = need->cpu_milli,
		.memory_bytes = need->memory_bytes,
		.disk_bytes = need->disk_bytes,
		.max_rate_hour = need->max_rate_hour,
		.machine = need->machine,
		.avoid = need->avoid,
		.n_avoid = need->n_avoid,
	};

	if (need->gpu_model && need->gpus > 0) {
		gpu_name_canonical(need->gpu_model, model);
		query.model = model;
	}
	return query;
}

/* The highest price of a unit that keeps the whole rental within its limit. */
static int64_t price_max(const struct worker_need *need)
{
	int64_t limit = need->max_rate_hour.micro, max = INT64_MAX;

	if (limit == 0)
		return FLEET_PRICE_MAX;
	if (need->gpus > 0)
		max = limit / need->gpus;
	else if (limit < INT64_MAX / 1000)
		max = limit * 1000 / need->cpu_milli;
	return max < FLEET_PRICE_MAX ? max : FLEET_PRICE_MAX;
}

static const char *model_that_fits(const struct fleet_machine *machine,
				   const struct fleet_query *query)
{
	for (size_t kind = 0; kind < machine->n_gpus; kind++)
		if ((!query->model || strcmp(machine->gpus[kind].model, query->model) == 0) &&
		    machine->gpus[kind].free >= query->gpus)
			return machine->gpus[kind].model;
	return "";
}

struct attempt {
	const struct context *context;
	struct tx *tx;
	struct lease_id lease;
	struct rental_id rental;
	const struct worker_need *need;
	const struct fleet_query *query;
};

static int record(const struct attempt *attempt, const struct worker_row *row)
{
	const struct worker_need *need = attempt->need;
	struct lease_row lease = {
		.lease = attempt->lease,
		.rental = attempt->rental,
		.machine = row->machine,
		.cpu_milli = need->trial ? 0 : need->cpu_milli,
		.memory_bytes = need->trial ? 0 : need->memory_bytes,
		.disk_bytes = need->trial ? 0 : need->disk_bytes,
	};
	int r;

	r = lease_store_add(attempt->tx, &lease);
	return r != 0 ? r : worker_fleet_refresh_row(attempt->tx, row);
}

/* The price is the one in the row that was changed, whatever the index thought. */
static struct amount rate_of(const struct worker_row *row, const struct fleet_query *query)
{
	struct fleet_machine machine = {
		.gpu_hour = row->gpu_hour.micro,
		.core_hour = row->core_hour.micro,
		.n_gpus = query->gpus > 0,
	};

	return offer_rate(&machine, query);
}

static int take_gpus(const struct attempt *attempt, const struct fleet_machine *chosen,
		     struct worker_placement *ret)
{
	const struct worker_need *need = attempt->need;
	const char *model = model_that_fits(chosen, attempt->query);

	if (need->gpus == 0)
		return 0;
	if (need->trial)
		return worker_store_gpus_try(attempt->tx, chosen->machine, attempt->lease, model,
					     (size_t)need->gpus, ret->gpus);
	return worker_store_gpus_take(attempt->tx, chosen->machine, attempt->lease, model,
				      (size_t)need->gpus, ret->gpus);
}

static int take_share(const struct attempt *attempt, struct machine_id machine,
		      struct worker_row *ret_row)
{
	const struct worker_need *need = attempt->need;
	struct worker_share share = {
		.gpus = need->gpus,
		.cpu_milli = need->cpu_milli,
		.memory_bytes = need->memory_bytes,
		.disk_bytes = need->disk_bytes,
		.price_max = price_max(need),
		.proved = attempt->context->settings->proof_required,
	};

	if (need->trial)
		return worker_store_try(attempt->tx, machine, attempt->lease, &share, ret_row);
	return worker_store_take(attempt->tx, machine, &share, ret_row);
}

static int find_displaced(const struct attempt *attempt, struct lease_id trial,
			  struct worker_placement *ret)
{
	struct lease_report report;
	struct lease_row lease;
	int r = lease_store_get(attempt->tx, trial, &lease, &report);

	if (r != 0)
		return r < 0 ? r : -EIO;
	ret->displaces = true;
	ret->displaced = lease.rental;
	return 0;
}

static int take(const struct attempt *attempt, const struct fleet_machine *chosen,
		struct worker_placement *ret)
{
	const struct worker_need *need = attempt->need;
	struct worker_row row;
	int r, undone;

	r = take_gpus(attempt, chosen, ret);
	if (r != 0)
		return r;
	r = take_share(attempt, chosen->machine, &row);
	if (r == WORKER_E_NO_CAPACITY && need->gpus > 0) {
		undone = worker_store_gpus_give(attempt->tx, attempt->lease);
		r = undone != 0 ? undone : r;
	}
	if (r != 0)
		return r;
	ret->machine = row.machine;
	ret->provider = row.owner;
	ret->rate_hour = need->trial ? AMOUNT_ZERO : rate_of(&row, attempt->query);
	ret->n_gpus = (size_t)need->gpus;
	r = record(attempt, &row);
	if (r == 0 && row.tried && !need->trial)
		r = find_displaced(attempt, row.trial, ret);
	return r;
}

/* The index was behind: it learns at once, so that the next one does not run into the same. */
static int correct(struct tx *tx, struct machine_id machine)
{
	struct fleet_machine now;
	int r;

	r = worker_fleet_read(tx, machine, &now);
	if (r == ROUTE_E_NOT_FOUND) {
		fleet_remove(worker_state.fleet, machine);
		return 0;
	}
	return r != 0 ? r : fleet_put(worker_state.fleet, &now);
}

/* The index offers only what is for sale; a trial goes by the store alone. */
static int try_machine(const struct attempt *attempt, struct worker_placement *ret)
{
	struct fleet_machine machine;
	int r = worker_fleet_read(attempt->tx, *attempt->need->machine, &machine);

	if (r == 0)
		r = take(attempt, &machine, ret);
	return r == ROUTE_E_NOT_FOUND ? WORKER_E_NO_CAPACITY : r;
}

int worker_place(const struct context *context, struct tx *tx, struct lease_id lease,
		 struct rental_id rental, const struct worker_need *need,
		 struct worker_placement *ret_placement)
{
	struct machine_id avoid[WORKER_AVOID_MAX + TRIES];
	struct worker_placement placement = { 0 };
	struct fleet_machine chosen;
	char model[GPU_NAME_SIZE];
	struct fleet_query query;
	struct attempt attempt = { context, tx, lease, rental, need, &query };
	bool found;
	int r;

	if (!is_sane(need))
		return WORKER_E_NO_CAPACITY;
	query = query_of(need, model);
	if (need->trial) {
		r = try_machine(&attempt, &placement);
		if (r == 0)
			*ret_placement = placement;
		return r;
	}
	memcpy(avoid, need->avoid, need->n_avoid * sizeof(*avoid));
	query.avoid = avoid;
	for (int i = 0; i < TRIES; i++) {
		r = fleet_match(worker_state.fleet, &query, context->random, &found, &chosen);
		if (r != 0)
			return r;
		if (!found)
			return WORKER_E_NO_CAPACITY;
		r = take(&attempt, &chosen, &placement);
		if (r == 0)
			*ret_placement = placement;
		if (r != WORKER_E_NO_CAPACITY)
			return r;
		r = correct(tx, chosen.machine);
		if (r != 0)
			return r;
		avoid[query.n_avoid++] = chosen.machine;
	}
	return WORKER_E_NO_CAPACITY;
}

int worker_explain(const struct context *context _unused_, struct tx *tx _unused_,
		   const struct worker_need *need, json_t **ret_why)
{
	char model[GPU_NAME_SIZE];
	struct fleet_query query = query_of(need, model);
	struct offer_why why;
	json_t *answer;

	offers_explain(worker_state.fleet, &query, &why);
	answer = json_pack("{s:o, s:s?}", "excluded", offer_why_excluded(&why), "hint",
			   *why.hint ? why.hint : NULL);
	if (!answer)
		return -ENOMEM;
	*ret_why = answer;
	return 0;
}

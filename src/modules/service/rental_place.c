#include "modules/service/rental_place.h"

#include "modules/billing/billing.h"
#include "modules/service/rental_step.h"
#include "modules/service/service.h"
#include "modules/service/service_store.h"

static void need_of(const struct order *order, bool trial, struct worker_need *ret_need)
{
	*ret_need = (struct worker_need){
		.gpu_model = order->gpu_model,
		.gpus = order->gpus,
		.cpu_milli = order->cpu_milli,
		.memory_bytes = order->memory_bytes,
		.disk_bytes = order->disk_bytes,
		.max_rate_hour = order->max_rate_hour,
		.machine = order_pinned(order) ? &order->machine : NULL,
		.trial = trial,
	};
}

/* Enough for a while at this rate, or for the whole term where that is shorter. */
static int hold_for(const struct settings *settings, const struct order *order, struct amount rate,
		    struct amount *ret_hold)
{
	int64_t seconds = settings->hold_seconds;

	if (order->term_s && order->term_s < seconds)
		seconds = order->term_s;
	return amount_for_seconds(rate, seconds, ret_hold);
}

static int open_lease(const struct context *context, struct tx *tx, const struct rental *rental,
		      const struct order *order, struct lease_id lease,
		      const struct worker_placement *placement)
{
	struct billing_lease opened = {
		.rental = rental->id,
		.lease = lease,
		.placing = rental->attempts + 1,
		.tenant = rental->tenant,
		.machine = placement->machine,
		.provider = placement->provider,
		.rate_hour = placement->rate_hour,
	};
	int r = hold_for(context->settings, order, placement->rate_hour, &opened.hold);

	if (r == 0)
		r = billing_lease_open(context, tx, &opened);
	if (r == BILLING_E_INSUFFICIENT)
		return SERVICE_E_BALANCE;
	if (r == BILLING_E_LEAVING)
		return SERVICE_E_LEAVING;
	return r > 0 ? -EIO : r;
}

static int start_lease(const struct context *context, struct tx *tx, struct lease_id lease,
		       const struct order *order)
{
	struct worker_port ports[ORDER_PORTS_MAX];
	struct worker_container container = {
		.image = order->image,
		.command = order->command,
		.env = order->env,
		.cpu_milli = order->cpu_milli,
		.memory_bytes = order->memory_bytes,
		.disk_bytes = order->disk_bytes,
		.pids = order->pids,
		.shm_bytes = order->shm_bytes,
		.ports = ports,
		.n_ports = order_ports(order, ports),
		.stop_timeout_s = order->stop_timeout_s,
	};
	int r = worker_lease_start(context, tx, lease, &container);

	if (r == WORKER_E_CONTAINER)
		return SERVICE_E_NO_CAPACITY;
	return r > 0 ? -EIO : r;
}

/* Gives the machine and the money back, for @outcome. */
static int undo(const struct context *context, struct tx *tx, struct lease_id lease, int outcome)
{
	int r = worker_lease_remove(context, tx, lease);

	/* Those two come before the lease's account is opened. */
	if (r == 0 && outcome != SERVICE_E_BALANCE && outcome != SERVICE_E_LEAVING)
		r = billing_lease_close(context, tx, lease, clock_now_ms(context->clock), false);
	if (r != 0)
		return r < 0 ? r : -EIO;
	return outcome;
}

static void placed_on(struct rental *rental, struct lease_id lease,
		      const struct worker_placement *placement, const struct order *order,
		      int64_t now_ms)
{
	rental->placed = true;
	rental->lease = lease;
	rental->machine = placement->machine;
	rental->rate_hour = placement->rate_hour;
	rental->placed_ms = now_ms;
	rental->n_ports = order_ports(order, rental->ports);
}

int rental_place(const struct context *context, struct tx *tx, struct rental *rental,
		 const struct order *order)
{
	struct worker_placement placement;
	struct worker_need need;
	struct lease_id lease;
	int r;

	need_of(order, rental->probe, &need);
	r = store_attempt_machines(tx, rental->id, WORKER_AVOID_MAX, need.avoid, &need.n_avoid);
	if (r == 0)
		r = lease_id_make(context->clock, context->random, &lease);
	if (r != 0)
		return r;
	r = worker_place(context, tx, lease, rental->id, &need, &placement);
	if (r != 0)
		return r == WORKER_E_NO_CAPACITY ? SERVICE_E_NO_CAPACITY : r < 0 ? r : -EIO;
	r = open_lease(context, tx, rental, order, lease, &placement);
	if (r == 0)
		rental->attempts++;
	/* Before the lease starts, so that the machine hears of the end first. */
	if (r == 0 && placement.displaces)
		r = rental_yield(context, tx, placement.displaced);
	if (r == 0)
		r = start_lease(context, tx, lease, order);
	if (r > 0)
		return undo(context, tx, lease, r);
	if (r < 0)
		return r;
	placed_on(rental, lease, &placement, order, clock_now_ms(context->clock));
	return store_attempt_insert(tx, rental);
}

int rental_place_why(const struct context *context, struct tx *tx, const struct order *order,
		     const char **ret_why)
{
	_cleanup_(freep) char *text = NULL;
	struct worker_need need;
	const char *copy;
	json_t *why;
	int r;

	need_of(order, false, &need);
	r = worker_explain(context, tx, &need, &why);
	if (r != 0)
		return r < 0 ? r : -EIO;
	text = json_dumps(why, JSON_COMPACT);
	json_decref(why);
	copy = text ? arena_text(tx_arena(tx), text, strlen(text)) : NULL;
	if (!copy)
		return -ENOMEM;
	*ret_why = copy;
	return 0;
}

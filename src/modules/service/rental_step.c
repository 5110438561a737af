#include "modules/service/rental_step.h"

#include "modules/billing/billing.h"
#include "modules/logging/logging.h"
#include "modules/service/rental_place.h"
#include "modules/service/service.h"
#include "modules/service/service_json.h"
#include "modules/service/service_store.h"

/* Three attempts of four moves each, and an end. */
enum { SETTLE_STEPS_MAX = 16 };

/* Outcomes that cannot be here mean that the store is not what we wrote. */
static int no_outcome(int r)
{
	return r > 0 ? -EIO : r;
}

/* Writes a move: the row, the history, the tenant's event. @rental holds what is true afterwards,
 * except for the state. */
static int write_move(const struct context *context, struct tx *tx, struct rental *rental,
		      struct rental_move *move)
{
	char type[32], subject[ID_TEXT_SIZE];
	json_t *data;
	int r;

	if (!move->first && !moves_allow(&rental_moves, (int)move->from, (int)move->to))
		return -EINVAL;
	rental->state = move->to;
	rental->phase_ms = move->at_ms;
	r = store_rental_move(tx, rental, move);
	if (r != 0)
		return r;
	if (rental->probe)
		return 0; /* nobody waits to hear of it */
	r = service_event_json(tx, rental, &data);
	if (r != 0)
		return r;
	snprintf(type, sizeof(type), "rental.%s", rental_moves.names[move->to]);
	rental_id_text(&rental->id, subject);
	return no_outcome(logging_event(context, tx, rental->tenant, type, subject, data));
}

static int move_to(const struct context *context, struct tx *tx, struct rental *rental,
		   enum rental_state to, enum rental_reason reason, const char *detail)
{
	struct rental_move move = {
		.from = rental->state,
		.to = to,
		.at_ms = clock_now_ms(context->clock),
		.reason = rental_reason_row(reason)->name,
		.caused_by = rental_reason_row(reason)->caused_by,
		.detail = detail,
	};

	return write_move(context, tx, rental, &move);
}

/* ---- the acts ---- */

static int rest(struct tx *tx, struct rental *rental, int64_t check_ms)
{
	if (rental->check_ms == check_ms)
		return 0;
	rental->check_ms = check_ms;
	return store_rental_update(tx, rental);
}

static const char *placed_text(struct tx *tx, const struct rental *rental)
{
	char machine[ADDRESS_TEXT_SIZE];

	address_text(&rental->machine.address, machine);
	return arena_printf(tx_arena(tx), "attempt %" PRId64 " on machine %s", rental->attempts,
			    machine);
}

static int audit_end(const struct context *context, struct tx *tx, const struct rental *rental,
		     enum rental_reason reason)
{
	const struct rental_reason_row *why = rental_reason_row(reason);
	char subject[ID_TEXT_SIZE], machine[ADDRESS_TEXT_SIZE];
	struct audit_entry entry = { .action = AUDIT_RENTAL_ENDED,
				     .by = AUDIT_NETWORK,
				     .subject = subject,
				     .owner = &rental->tenant };

	rental_id_text(&rental->id, subject);
	address_text(&rental->machine.address, machine);
	entry.detail = json_pack("{s:s, s:s, s:s?}", "reason", why->name, "caused_by",
				 why->caused_by, "machine", rental->placed ? machine : NULL);
	return no_outcome(audit_record(context, tx, &entry));
}

static int end(const struct context *context, struct tx *tx, struct rental *rental,
	       const struct rental_verdict *verdict)
{
	/* What costs nothing is no service either, for which a machine would be rewarded. */
	bool billed = rental_ran(rental) && !rental->probe &&
		      rental_reason_row(verdict->reason)->billed;
	int r = 0;

	if (rental->placed)
		r = billing_lease_close(context, tx, rental->lease, verdict->ended_ms, billed);
	if (r == 0)
		r = billing_rental_end(context, tx, rental->id, rental->tenant, rental->attempts);
	if (r == 0 && rental->placed)
		r = worker_lease_want(context, tx, rental->lease, WORKER_STOP);
	if (r == 0 && rental->placed)
		r = worker_lease_release(context, tx, rental->lease);
	if (r != 0)
		return no_outcome(r);
	rental->kept = rental->placed;
	rental->reason = verdict->reason;
	rental->detail = verdict->detail;
	rental->ended_ms = verdict->ended_ms;
	rental->check_ms = rental->kept ? verdict->ended_ms + context->settings->keep_stopped_ms
					: 0;
	if (rental->probe)
		rental->check_ms = rental->deleted_ms = clock_now_ms(context->clock);
	if (!rental->probe)
		r = audit_end(context, tx, rental, verdict->reason);
	return r != 0 ? r
		      : move_to(context, tx, rental, verdict->to, verdict->reason, verdict->detail);
}

static void take_ports(struct rental *rental, const struct worker_actual *actual)
{
	for (size_t i = 0; i < rental->n_ports; i++)
		for (size_t j = 0; j < actual->n_ports; j++)
			if (actual->ports[j].container == rental->ports[i].container)
				rental->ports[i].host = actual->ports[j].host;
}

static void begin_running(struct rental *rental, const struct worker_actual *actual, int64_t now_ms)
{
	int64_t started_ms = actual->started_at_ms;

	/* A machine's clock is its own: the run lies between the placing and now. */
	if (started_ms < rental->placed_ms)
		started_ms = rental->placed_ms;
	rental->started_ms = started_ms < now_ms ? started_ms : now_ms;
	if (rental->term_ms)
		rental->expires_ms = rental->started_ms + rental->term_ms;
	take_ports(rental, actual);
}

static int advance(const struct context *context, struct tx *tx, struct rental *rental,
		   const struct worker_actual *actual, const struct rental_verdict *verdict)
{
	int64_t now_ms = clock_now_ms(context->clock);
	int r = 0;

	/* The next step, which follows at once, says when to look again; until then it is due. */
	rental->check_ms = now_ms;
	if (verdict->to == RENTAL_RUNNING)
		begin_running(rental, actual, now_ms);
	if (verdict->to == RENTAL_STOPPING) {
		rental->stop = verdict->stop;
		r = worker_lease_want(context, tx, rental->lease, WORKER_STOP);
	}
	if (r != 0)
		return no_outcome(r);
	return move_to(context, tx, rental, verdict->to, verdict->stop,
		       rental_reason_row(verdict->stop)->detail);
}

/* The attempt costs nothing and gives its resources back, which the next one may need. */
static int drop_attempt(const struct context *context, struct tx *tx, const struct rental *rental,
			int64_t now_ms)
{
	int r = billing_lease_close(context, tx, rental->lease, now_ms, false);

	if (r == 0)
		r = worker_lease_release(context, tx, rental->lease);
	return no_outcome(r);
}

/* With nowhere else to go it ends at once, and its container stays for its logs. */
static int retry(const struct context *context, struct tx *tx, struct rental *rental,
		 const struct rental_verdict *verdict)
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct rental_verdict failure = *verdict;
	struct lease_id failed = rental->lease;
	const char *detail;
	struct order order;
	int r = drop_attempt(context, tx, rental, now_ms);

	if (r == 0)
		r = store_order(tx, rental->id, &order);
	if (r == 0)
		r = rental_place(context, tx, rental, &order);
	if (r > 0) {
		failure.to = RENTAL_FAILED;
		return end(context, tx, rental, &failure);
	}
	if (r == 0)
		r = no_outcome(worker_lease_remove(context, tx, failed));
	if (r != 0)
		return r;
	detail = arena_printf(tx_arena(tx), "%s Now %s.", verdict->detail, placed_text(tx, rental));
	if (!detail)
		return -ENOMEM;
	rental->check_ms = now_ms + context->settings->place_deadline_ms;
	return move_to(context, tx, rental, RENTAL_QUEUED, verdict->reason, detail);
}

static int discard(const struct context *context, struct tx *tx, struct rental *rental)
{
	int r = worker_lease_remove(context, tx, rental->lease);

	if (r != 0)
		return no_outcome(r);
	rental->kept = false;
	rental->check_ms = 0;
	return store_rental_update(tx, rental);
}

/* How it ended, in words that name the code. */
static int take_exit(struct tx *tx, struct rental *rental, const struct worker_actual *actual,
		     struct rental_verdict *verdict)
{
	const char *text;

	if (!actual || actual->phase != WORKER_PHASE_EXITED)
		return 0;
	rental->exited = true;
	rental->exit_code = actual->exit_code;
	if (verdict->reason != RENTAL_EXITED)
		return 0;
	text = arena_printf(tx_arena(tx), "The container's process ended with exit code %d.",
			    (int)actual->exit_code);
	if (!text)
		return -ENOMEM;
	verdict->detail = text;
	return 0;
}

/* Ports may move when a machine's engine starts again. */
static int rest_running(struct tx *tx, struct rental *rental, const struct worker_actual *actual,
			int64_t check_ms)
{
	struct worker_port before[RENTAL_PORTS_MAX];

	memcpy(before, rental->ports, sizeof(before));
	take_ports(rental, actual);
	if (memcmp(before, rental->ports, sizeof(before)) == 0)
		return rest(tx, rental, check_ms);
	rental->check_ms = check_ms;
	return store_rental_update(tx, rental);
}

static int act(const struct context *context, struct tx *tx, struct rental *rental,
	       const struct worker_actual *actual, struct rental_verdict *verdict, bool *ret_again)
{
	int r;

	*ret_again = true;
	switch (verdict->act) {
	case RENTAL_ADVANCE:
		return advance(context, tx, rental, actual, verdict);
	case RENTAL_RETRY:
		return retry(context, tx, rental, verdict);
	case RENTAL_END:
		r = take_exit(tx, rental, actual, verdict);
		return r != 0 ? r : end(context, tx, rental, verdict);
	case RENTAL_DISCARD:
		*ret_again = false;
		return discard(context, tx, rental);
	case RENTAL_REST:
		break;
	}
	*ret_again = false;
	if (rental->state == RENTAL_RUNNING)
		return rest_running(tx, rental, actual, verdict->check_ms);
	return rest(tx, rental, verdict->check_ms);
}

int rental_step(const struct context *context, struct tx *tx, struct rental_id id, bool *ret_again)
{
	struct worker_actual actual;
	struct rental_verdict verdict;
	struct rental rental;
	bool live, again;
	int r = store_rental(tx, id, &rental);

	if (r != 0)
		return r;
	live = rental.placed && !rental_ended(&rental);
	if (live)
		r = worker_lease_actual(context, tx, rental.lease, &actual);
	if (r != 0)
		return no_outcome(r);
	rental_judge(&rental, live ? &actual : NULL, context->settings,
		     clock_now_ms(context->clock), &verdict);
	r = act(context, tx, &rental, live ? &actual : NULL, &verdict, &again);
	if (r == 0)
		*ret_again = again;
	return r;
}

int rental_settle(const struct context *context, struct tx *tx, struct rental_id id)
{
	bool again = true;
	int r = 0;

	for (int i = 0; r == 0 && again && i < SETTLE_STEPS_MAX; i++)
		r = rental_step(context, tx, id, &again);
	return r;
}

int rental_ask_stop(struct tx *tx, struct rental *rental, enum rental_reason reason)
{
	if (rental->stop != RENTAL_REASON_NONE || rental_ended(rental))
		return 0;
	rental->stop = reason;
	return store_rental_update(tx, rental);
}

int rental_yield(const struct context *context, struct tx *tx, struct rental_id id)
{
	struct rental_verdict verdict = {
		.to = RENTAL_STOPPED,
		.reason = RENTAL_YIELDED,
		.detail = rental_reason_row(RENTAL_YIELDED)->detail,
		.ended_ms = clock_now_ms(context->clock),
	};
	struct rental rental;
	int r = store_rental(tx, id, &rental);

	if (r == 0)
		r = end(context, tx, &rental, &verdict);
	return r == 0 ? rental_settle(context, tx, id) : no_outcome(r);
}

/* ---- making one ---- */

static int new_rental(const struct context *context, struct account_id tenant,
		      const struct order *order, struct rental *ret_rental)
{
	struct rental rental = {
		.tenant = tenant,
		.state = RENTAL_QUEUED,
		.detail = "",
		.pinned = order_pinned(order),
		.stop_timeout_ms = order->stop_timeout_s * 1000,
		.term_ms = order->term_s * 1000,
		.created_ms = clock_now_ms(context->clock),
	};
	int r = rental_id_make(context->clock, context->random, &rental.id);

	if (r == 0)
		*ret_rental = rental;
	return r;
}

static int write_first_move(const struct context *context, struct tx *tx, struct rental *rental)
{
	struct rental_move move = {
		.to = RENTAL_QUEUED,
		.first = true,
		.at_ms = rental->created_ms,
		.reason = "",
		.caused_by = rental_reason_row(RENTAL_REASON_NONE)->caused_by,
		.detail = placed_text(tx, rental),
	};

	if (!move.detail)
		return -ENOMEM;
	rental->check_ms = rental->created_ms + context->settings->place_deadline_ms;
	if (rental->expires_ms && rental->expires_ms < rental->check_ms)
		rental->check_ms = rental->expires_ms;
	return write_move(context, tx, rental, &move);
}

/* The row, its place, and the first move of it. */
static int write_new(const struct context *context, struct tx *tx, struct rental *rental,
		     const struct order *order)
{
	int r = store_rental_insert(tx, rental, order);

	if (r == 0)
		r = rental_place(context, tx, rental, order);
	return r == 0 ? write_first_move(context, tx, rental) : r;
}

int rental_create(const struct context *context, struct tx *tx, struct account_id tenant,
		  const struct order *order, struct rental_id *ret_id, const char **ret_why)
{
	struct rental rental;
	int64_t live;
	int r = store_live_count(tx, tenant, &live);

	if (r != 0)
		return r;
	if (live >= RENTALS_LIVE_MAX)
		return SERVICE_E_TOO_MANY;
	r = new_rental(context, tenant, order, &rental);
	if (r == 0)
		r = write_new(context, tx, &rental, order);
	if (r == SERVICE_E_NO_CAPACITY) {
		r = rental_place_why(context, tx, order, ret_why);
		return r < 0 ? r : SERVICE_E_NO_CAPACITY;
	}
	if (r == 0)
		*ret_id = rental.id;
	return r;
}

int rental_create_probe(const struct context *context, struct tx *tx, const struct order *order,
			struct rental_id *ret_id)
{
	const struct account_id network = { context->settings->network };
	struct rental rental;
	int r = new_rental(context, network, order, &rental);

	if (r != 0)
		return r;
	rental.probe = true;
	rental.expires_ms = rental.created_ms + context->settings->probe_deadline_ms;
	r = write_new(context, tx, &rental, order);
	if (r == 0)
		*ret_id = rental.id;
	return r;
}

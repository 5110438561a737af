#include "modules/proof/schedule.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/proof/appeals.h"
#include "modules/proof/cohort.h"
#include "modules/proof/draft.h"
#include "modules/proof/panel.h"
#include "modules/proof/plan.h"

enum {
	DUE_MAX = 4096, /* devices that one turn looks at */
	BEGIN_MAX = 64, /* sessions that one turn begins */
	APPEALS_MAX = 64,
};

struct turn {
	const struct context *context;
	struct hasher *hasher;
	struct beacon beacon;
	struct checker_member *checkers;
	size_t n_checkers;
	size_t room;
	bool full; /* what comes next waits for more of it */
	bool alone; /* nothing goes on, and nothing else is due */
	bool planted; /* one is due */
	bool cohort; /* what is added is of one */
	bool work; /* there is something to write */
	struct sessions_order *orders;
	size_t n;
};

/* ---- drafting ---- */

static void forget(struct turn *turn)
{
	while (turn->n > 0)
		secp_key_free(turn->orders[--turn->n].key);
}

/* A panel that is too small waits for more checkers. */
static int add(struct turn *turn, struct tx *tx, const struct worker_proof_device *device,
	       enum session_kind kind, struct proof_id parent)
{
	const struct draft draft = {
		device, kind, turn->cohort, parent, &turn->beacon, turn->checkers, turn->n_checkers,
	};
	int r;

	if (turn->n >= turn->room)
		return 0;
	r = draft_session(turn->context, tx, &draft, &turn->orders[turn->n]);
	if (r == 0)
		turn->n++;
	return r == DRAFT_E_PANEL ? 0 : r;
}

static bool is_taken(const struct turn *turn, struct machine_id machine)
{
	for (size_t i = 0; i < turn->n; i++)
		if (address_equal(&turn->orders[i].session.machine, &machine.address))
			return true;
	return sessions_busy(&machine.address);
}

static enum session_kind kind_of(const struct worker_proof_device *device)
{
	if (device->rented)
		return SESSION_RENTED;
	return device->standing.state == WORKER_PROVED ? SESSION_STANDBY : SESSION_REGISTRATION;
}

static bool may_begin(const struct turn *turn, const struct worker_proof_device *device)
{
	if (is_taken(turn, device->machine))
		return false;
	return kind_of(device) != SESSION_STANDBY ||
	       panel_cohort(turn->hasher, &turn->beacon.value, &device->machine.address);
}

/* What is checked together with a due device: itself, and for a GPU all GPUs of its machine that are due or
 * idle and proved, so that one GPU cannot answer for two. */
static bool goes_along(const struct worker_proof_device *first,
		       const struct worker_proof_device *other, int64_t now_ms)
{
	if (other->device != first->device)
		return false;
	return first->device != WORKER_DEVICE_GPU || other->standing.due_at_ms <= now_ms ||
	       (!first->rented && kind_of(other) == SESSION_STANDBY);
}

/* Host before disk before GPUs, where several of a machine are due: its first unproved one. */
static const struct worker_proof_device *first_of(const struct worker_proof_device *devices,
						  size_t n, const struct worker_proof_device *due,
						  int64_t now_ms)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i].standing.due_at_ms <= now_ms &&
		    kind_of(&devices[i]) == SESSION_REGISTRATION)
			return &devices[i];
	return due;
}

/* What there is room for when nothing goes on. */
static size_t most_room(const struct turn *turn)
{
	return size_min((size_t)turn->context->settings->proof_at_once, BEGIN_MAX);
}

/* Whether all of them can begin in this turn; or it can never be more of them. */
static bool fits(const struct turn *turn, size_t wanted)
{
	return turn->n + wanted <= turn->room || (turn->n == 0 && turn->room >= most_room(turn));
}

/* More of a machine that is not proved than all of these together may have: it waits for a turn of its own, and
 * keeps no room free meanwhile. Else machines that show many GPUs could follow each other, and nobody else
 * would begin. */
static bool is_crowd(const struct turn *turn, const struct worker_proof_device *first, size_t along)
{
	return kind_of(first) == SESSION_REGISTRATION && along > 1 &&
	       along > sessions_unproved_most(turn->context->settings);
}

static int add_machine(struct turn *turn, struct tx *tx, const struct worker_proof_device *due,
		       int64_t now_ms)
{
	static const struct proof_id none;
	struct worker_proof_device *devices;
	const struct worker_proof_device *first;
	size_t n, along = 0;
	int r = worker_proof_devices(turn->context, tx, due->machine, &devices, &n);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	first = first_of(devices, n, due, now_ms);
	for (size_t i = 0; i < n; i++)
		along += goes_along(first, &devices[i], now_ms);
	if (along == 0 || is_crowd(turn, first, along) != turn->alone ||
	    !sessions_fair(turn->orders, turn->n, &first->owner.address, kind_of(first), along))
		return 0;
	if (!fits(turn, along)) {
		/* The room that comes is its own: machines behind it do not take it away. */
		turn->full = true;
		return 0;
	}
	for (size_t i = 0; r == 0 && i < n; i++)
		if (goes_along(first, &devices[i], now_ms))
			r = add(turn, tx, &devices[i], kind_of(&devices[i]), none);
	return r;
}

/* A disk that a tenant uses is left alone for a while: one that is not proved as long as after a failure, so that
 * its check comes soon behind the rental. */
static int defer_disk(struct turn *turn, struct tx *tx, const struct worker_proof_device *device,
		      int64_t now_ms)
{
	const struct settings *settings = turn->context->settings;
	struct worker_standing standing = device->standing;

	standing.due_at_ms = now_ms +
			     (standing.state == WORKER_PROVED
				      ? settings->proof_rented_ms
				      : plan_retry(settings->proof_retry_ms, standing.failures));
	return worker_standing_set(turn->context, tx, device->machine, device->device, "",
				   &standing);
}

static int add_each(struct turn *turn, struct tx *tx, const struct worker_proof_device *devices,
		    size_t n, int64_t now_ms)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n && turn->n < turn->room && !turn->full; i++)
		if (devices[i].device == WORKER_DEVICE_DISK && devices[i].rented)
			r = turn->alone ? 0 : defer_disk(turn, tx, &devices[i], now_ms);
		else if (may_begin(turn, &devices[i]))
			r = add_machine(turn, tx, &devices[i], now_ms);
	return r;
}

static int add_due(struct turn *turn, struct tx *tx, int64_t now_ms)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_proof_due(turn->context, tx, now_ms, DUE_MAX, &devices, &n);

	if (r == 0)
		r = add_each(turn, tx, devices, n, now_ms);
	turn->alone = turn->n == 0 && !turn->full && turn->room >= most_room(turn);
	return r == 0 && turn->alone ? add_each(turn, tx, devices, n, now_ms) : r;
}

/* ---- a cohort ---- */

/* Whether this slot has one that has not begun. */
static int cohort_due(const struct turn *turn, struct tx *tx, bool *ret_due)
{
	const struct settings *settings = turn->context->settings;
	bool begun;
	int r;

	*ret_due = panel_cohort_slot(turn->hasher, &turn->beacon.value, settings->beacon_slot_ms,
				     settings->proof_standby_ms);
	if (!*ret_due)
		return 0;
	r = proof_store_cohort(tx, turn->beacon.slot, &begun);
	if (r == 0)
		*ret_due = !begun;
	return r;
}

/* How many places the cohort takes when all are free: an owner's machines a quarter. */
static size_t cohort_places(const struct turn *turn, const struct cohort_machine *machines,
			    size_t n)
{
	const struct cohort_machine *going[BEGIN_MAX];
	size_t n_going = 0, places = 0;

	for (size_t i = 0; i < n; i++) {
		size_t owners = 0;

		for (size_t g = 0; g < n_going; g++)
			if (account_equal(going[g]->gpus->owner, machines[i].gpus->owner))
				owners += going[g]->n;
		if (places + machines[i].n > most_room(turn) ||
		    !sessions_owner_fair(turn->context->settings, owners, machines[i].n) ||
		    is_taken(turn, machines[i].machine))
			continue;
		going[n_going++] = &machines[i];
		places += machines[i].n;
	}
	return places;
}

/* What went on before the slot ends, and what is due waits behind the cohort: soon there is room for it. In the
 * slot's second half it begins with what there is. */
static bool cohort_waits(const struct turn *turn, const struct cohort_machine *machines, size_t n,
			 int64_t now_ms)
{
	int64_t slot_ms = turn->context->settings->beacon_slot_ms;

	return turn->n + cohort_places(turn, machines, n) > turn->room &&
	       now_ms - turn->beacon.slot * slot_ms < slot_ms / 2;
}

/* Whole machines, in the order of their tickets, as long as there is room, and no owner has more of it than its
 * share. */
static int add_cohort_machine(struct turn *turn, struct tx *tx,
			      const struct cohort_machine *machine)
{
	static const struct proof_id none;
	int r = 0;

	if (is_taken(turn, machine->machine) || turn->n + machine->n > turn->room ||
	    !sessions_fair(turn->orders, turn->n, &machine->gpus->owner.address, SESSION_STANDBY,
			   machine->n))
		return 0;
	for (size_t i = 0; r == 0 && i < machine->n; i++)
		r = add(turn, tx, &machine->gpus[i], SESSION_STANDBY, none);
	return r;
}

static int add_cohort(struct turn *turn, struct tx *tx, int64_t now_ms)
{
	struct cohort_machine *machines;
	size_t n;
	bool due;
	int r = cohort_due(turn, tx, &due);

	if (r != 0 || !due)
		return r;
	r = cohort_list(turn->context, tx, turn->hasher, &turn->beacon.value, &machines, &n);
	if (r != 0)
		return r;
	turn->full = cohort_waits(turn, machines, n, now_ms);
	if (turn->full)
		return 0;
	turn->cohort = true;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_cohort_machine(turn, tx, &machines[i]);
	turn->cohort = false;
	return r == 0 ? proof_store_cohort_begin(tx, turn->beacon.slot, now_ms) : r;
}

/* ---- appeals that ask for a fresh session ---- */

static int find_device(struct turn *turn, struct tx *tx, const struct appeal_row *appeal,
		       const struct worker_proof_device **ret_device)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_proof_devices(turn->context, tx, appeal->machine, &devices, &n);

	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if ((int64_t)devices[i].device == appeal->device &&
		    strcmp(devices[i].uuid, appeal->uuid) == 0) {
			*ret_device = &devices[i];
			return 0;
		}
	return ROUTE_E_NOT_FOUND;
}

/* Waits while the device is rented or away, and for its owner's share of the room; a day later it is too late. */
static int add_appeal(struct turn *turn, struct tx *tx, struct appeal_row *appeal, int64_t now_ms)
{
	const struct worker_proof_device *device;
	size_t n = turn->n;
	int r;

	if (is_taken(turn, appeal->machine))
		return 0;
	r = find_device(turn, tx, appeal, &device);
	if (r < 0)
		return r;
	if (r == 0 && !device->rented && worker_linked(appeal->machine) &&
	    sessions_fair(turn->orders, n, &device->owner.address, SESSION_APPEAL, 1))
		r = add(turn, tx, device, SESSION_APPEAL, appeal->proof);
	if (r < 0)
		return r;
	if (turn->n > n)
		return appeals_begun(tx, appeal, turn->orders[n].session.id);
	if (r != 0 || appeals_late(appeal, now_ms))
		return appeals_expired(turn->context, tx, appeal);
	return 0;
}

/* Those that wait keep none behind them from being looked at. The job never runs twice at once. */
static int add_appeals(struct turn *turn, struct tx *tx, int64_t now_ms)
{
	static struct proof_id after;
	struct appeal_row *appeals;
	size_t n;
	int r = appeal_store_queued(tx, false, now_ms, after, APPEALS_MAX, &appeals, &n);

	for (size_t i = 0; r == 0 && i < n && turn->n < turn->room; i++) {
		after = appeals[i].proof;
		r = add_appeal(turn, tx, &appeals[i], now_ms);
	}
	return r;
}

/* ---- a turn ---- */

static int gather(struct turn *turn, struct tx *tx)
{
	int r = beacon_renew(turn->context, tx);

	if (r == 0)
		r = beacon_now(turn->context, tx, &turn->beacon);
	if (r == 0)
		r = checker_eligible(turn->context, tx, &turn->checkers, &turn->n_checkers);
	return r;
}

static bool has_panel(const struct turn *turn)
{
	return (int64_t)turn->n_checkers >= turn->context->settings->panel_least;
}

/* Whether there is anything to write: most turns have nothing. */
static int tx_look(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	struct worker_proof_device *devices = NULL;
	struct appeal_row *appeals;
	int64_t now_ms = clock_now_ms(turn->context->clock);
	static const struct proof_id first;
	size_t n = 0, n_appeals;
	bool due = false;
	int r = beacon_now(turn->context, tx, &turn->beacon);

	turn->work = r == ROUTE_E_UNAVAILABLE || turn->planted;
	if (turn->work)
		return 0;
	if (r == 0)
		r = cohort_due(turn, tx, &due);
	if (r == 0)
		r = checker_eligible(turn->context, tx, &turn->checkers, &turn->n_checkers);
	if (r != 0 || !has_panel(turn))
		return r;
	r = appeal_store_queued(tx, false, now_ms, first, 1, &appeals, &n_appeals);
	if (r == 0)
		r = worker_proof_due(turn->context, tx, now_ms, DUE_MAX, &devices, &n);
	turn->work = r == 0 && (due || n_appeals > 0);
	for (size_t i = 0; r == 0 && i < n && !turn->work; i++)
		turn->work = may_begin(turn, &devices[i]);
	return r;
}

static int tx_turn(struct tx *tx, void *arg)
{
	static const struct proof_id none;
	struct turn *turn = arg;
	int64_t now_ms = clock_now_ms(turn->context->clock);
	int r;

	forget(turn); /* of a try that is run again */
	turn->full = turn->cohort = turn->alone = false;
	r = gather(turn, tx);
	if (r != 0 || !has_panel(turn))
		return r;
	r = add_appeals(turn, tx, now_ms);
	if (r == 0 && turn->planted)
		r = add(turn, tx, NULL, SESSION_STANDBY, none);
	if (r == 0)
		r = add_cohort(turn, tx, now_ms);
	return r == 0 ? add_due(turn, tx, now_ms) : r;
}

struct failing {
	const struct context *context;
	struct proof_id id;
};

static int tx_fail(struct tx *tx, void *arg)
{
	const struct failing *failing = arg;
	struct proof_row row;
	int r = proof_store_get(tx, failing->id, &row);

	if (r != 0)
		return r;
	row.reason = proof_end_word(END_FAULT);
	row.detail = "it could not begin";
	row.ended_ms = clock_now_ms(failing->context->clock);
	r = proof_store_end(tx, &row);
	return r == 0 && row.kind == SESSION_APPEAL
		       ? appeals_settled(failing->context, tx, &row, true)
		       : r;
}

static int begin_all(struct turn *turn, struct arena *arena)
{
	int r = 0;

	for (size_t i = 0; i < turn->n; i++) {
		struct failing failing = { turn->context, turn->orders[i].session.id };
		int s = sessions_begin(&turn->orders[i]);

		if (s == 0)
			continue;
		secp_key_free(turn->orders[i].key);
		s = db_run(turn->context->db, TX_WRITE, arena, tx_fail, &failing);
		r = r != 0 ? r : s;
	}
	turn->n = 0;
	return r;
}

/* The first some time after the start, then by the dice. */
static int planted_due(const struct context *context, bool *ret_due)
{
	static int64_t due_ms; /* the job never runs twice at once */
	int64_t now_ms = clock_mono_ms(context->clock), wait_ms;
	bool due = due_ms != 0 && now_ms >= due_ms;
	int r;

	*ret_due = false;
	if (context->settings->proof_planted_ms == 0 || (due_ms != 0 && !due))
		return 0;
	r = plan_wait(context->random, context->settings->proof_planted_ms, &wait_ms);
	if (r < 0)
		return r;
	due_ms = now_ms + wait_ms + 1;
	*ret_due = due;
	return 0;
}

int schedule_run(const struct context *context, struct arena *arena)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct turn turn = { .context = context, .room = size_min(sessions_room(), BEGIN_MAX) };
	int r;

	if (turn.room == 0)
		return 0;
	r = hasher_new(&hasher);
	turn.hasher = hasher;
	if (r == 0)
		r = planted_due(context, &turn.planted);
	if (r < 0)
		return r;
	r = db_run(context->db, TX_READ, arena, tx_look, &turn);
	if (r != 0 || !turn.work)
		return r;
	turn.orders = calloc(turn.room, sizeof(*turn.orders));
	if (!turn.orders)
		return -ENOMEM;
	arena_reset(arena);
	r = db_run(context->db, TX_WRITE, arena, tx_turn, &turn);
	if (r == 0)
		r = begin_all(&turn, arena);
	forget(&turn);
	free(turn.orders);
	return r == ROUTE_E_UNAVAILABLE ? 0 : r;
}

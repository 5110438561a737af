#include "modules/proof/probes_begin.h"

#include "api/settings.h"
#include "modules/checker/checker.h"
#include "modules/proof/beacon.h"
#include "modules/proof/panel.h"
#include "modules/proof/sessions.h"
#include "modules/service/service.h"
#include "modules/worker/worker.h"

enum {
	IDLE_MAX = 4096, /* hosts that are chosen from at once */
	LOOK_LEAST_MS = 1000,
	LOOK_MOST_MS = 60000,
};

#define KEPT_MS (INT64_C(30) * 24 * 3600000)

struct begin {
	const struct context *context;
	struct machine_id machine;
	struct probe_row row;
	struct hasher *hasher;
};

/* Whether nobody uses any of it, and how many GPUs a user would rent: one, where there are any. */
static bool is_idle(const struct worker_proof_device *devices, size_t n, int64_t *ret_gpus)
{
	*ret_gpus = 0;
	for (size_t i = 0; i < n; i++) {
		if (devices[i].rented)
			return false;
		if (devices[i].device == WORKER_DEVICE_GPU)
			*ret_gpus = 1;
	}
	return n > 0;
}

/* Outcome ROUTE_E_UNAVAILABLE: too few checkers. */
static int draw(const struct begin *begin, struct tx *tx,
		struct address ret_members[static SESSION_PANEL_MAX], size_t *ret_n)
{
	const struct settings *settings = begin->context->settings;
	struct panel_call call = { .machine = begin->machine.address };
	size_t places[SESSION_PANEL_MAX], n;
	struct panel_candidate *candidates;
	struct checker_member *checkers;
	struct beacon beacon;
	int64_t attempt;
	int r = beacon_now(begin->context, tx, &beacon);

	if (r == 0)
		r = probe_store_count(tx, begin->machine, &attempt);
	if (r == 0)
		r = checker_eligible(begin->context, tx, &checkers, &n);
	if (r != 0)
		return r;
	candidates = arena_array(tx_arena(tx), n + 1, sizeof(*candidates));
	if (!candidates)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		candidates[i] = (struct panel_candidate){
			checkers[i].checker, checkers[i].account.address,
			(uint32_t)size_min((size_t)checkers[i].licences, PANEL_LICENCES_MAX)
		};
	call.beacon = beacon.value;
	call.attempt = (uint32_t)attempt;
	*ret_n = panel_draw(begin->hasher, &call, candidates, n, &begin->row.owner.address,
			    (size_t)settings->panel_standing, places);
	for (size_t i = 0; i < *ret_n; i++)
		ret_members[i] = candidates[places[i]].checker;
	return (int64_t)*ret_n < settings->panel_least ? ROUTE_E_UNAVAILABLE : 0;
}

/* Outcomes: not now. */
static int tx_begin(struct tx *tx, void *arg)
{
	struct address members[SESSION_PANEL_MAX];
	struct worker_proof_device *devices;
	struct begin *begin = arg;
	const struct context *context = begin->context;
	struct probe_row *row = &begin->row;
	size_t n;
	int r = worker_proof_devices(context, tx, begin->machine, &devices, &n);

	if (r != 0)
		return r;
	*row = (struct probe_row){ .machine = begin->machine,
				   .started_ms = clock_now_ms(context->clock) };
	if (!is_idle(devices, n, &row->gpus))
		return SERVICE_E_NO_CAPACITY;
	row->owner = devices[0].owner;
	r = draw(begin, tx, members, &n);
	if (r == 0)
		r = service_probe_begin(context, tx, begin->machine, row->gpus, &row->rental);
	if (r == 0)
		r = probe_id_make(context->clock, context->random, &row->id);
	if (r == 0)
		r = probe_store_add(tx, row, members, n);
	return r == 0 ? probe_store_purge(tx, row->started_ms - KEPT_MS) : r;
}

static int begin_one(const struct context *context, struct arena *arena, struct machine_id machine)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct begin begin = { .context = context, .machine = machine };
	int r;

	if (!worker_linked(machine) || sessions_busy(&machine.address))
		return 0;
	r = hasher_new(&hasher);
	begin.hasher = hasher;
	if (r == 0)
		r = db_run(context->db, TX_WRITE, arena, tx_begin, &begin);
	return r > 0 ? 0 : r;
}

struct choice {
	const struct context *context;
	struct machine_id *again; /* they failed, and are due */
	size_t n_again;
	struct worker_proof_device *idle; /* hosts */
	size_t n_idle;
};

static int tx_choose(struct tx *tx, void *arg)
{
	struct choice *choice = arg;
	const struct context *context = choice->context;
	int64_t now_ms = clock_now_ms(context->clock);
	struct address from;
	int r = probe_store_again(tx, now_ms - context->settings->proof_retry_ms, PROBES_LIVE_MAX,
				  &choice->again, &choice->n_again);

	if (r == 0)
		r = random_fill(context->random, from.bytes, sizeof(from.bytes));
	return r == 0 ? worker_proof_idle(context, tx, WORKER_DEVICE_HOST, &from, IDLE_MAX,
					  &choice->idle, &choice->n_idle)
		      : r;
}

/* As if each idle machine threw a die at each moment of @elapsed_ms. */
static int begin_some(const struct choice *choice, struct arena *arena, int64_t elapsed_ms,
		      size_t room)
{
	const struct context *context = choice->context;
	int64_t mean_ms = context->settings->proof_probe_ms;
	int64_t odds = elapsed_ms * (int64_t)choice->n_idle;
	uint64_t die, at;
	int r = 0;

	for (; r == 0 && odds > 0 && room > 0; odds -= mean_ms, room--) {
		r = random_below(context->random, (uint64_t)mean_ms, &die);
		if (r == 0 && (int64_t)die >= odds)
			break;
		if (r == 0)
			r = random_below(context->random, choice->n_idle, &at);
		if (r == 0)
			r = begin_one(context, arena, choice->idle[at].machine);
	}
	return r;
}

static bool goes_on(const struct probe_row *rows, size_t n, struct machine_id machine)
{
	for (size_t i = 0; i < n; i++)
		if (machine_equal(rows[i].machine, machine))
			return true;
	return false;
}

int64_t probes_look_every(const struct settings *settings)
{
	int64_t every_ms = settings->proof_probe_ms / 100;

	if (every_ms < LOOK_LEAST_MS)
		return LOOK_LEAST_MS;
	return every_ms < LOOK_MOST_MS ? every_ms : LOOK_MOST_MS;
}

int probes_begin(const struct context *context, struct arena *arena, const struct probe_row *rows,
		 size_t n, int64_t elapsed_ms)
{
	struct choice choice = { .context = context };
	size_t room = PROBES_LIVE_MAX - n;
	int r;

	if (room == 0)
		return 0;
	r = db_run(context->db, TX_READ, arena, tx_choose, &choice);
	for (size_t i = 0; r == 0 && i < choice.n_again && room > 0; i++, room--)
		if (!goes_on(rows, n, choice.again[i]))
			r = begin_one(context, arena, choice.again[i]);
	return r == 0 ? begin_some(&choice, arena, elapsed_ms, room) : r;
}

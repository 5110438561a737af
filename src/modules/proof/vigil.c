#include "modules/proof/vigil.h"

#include "api/settings.h"
#include "modules/worker/worker.h"

enum { RECENT_MS = 7 * 24 * 3600000, PAGE = 8192 /* rows read at once */ };

int vigil_init(struct vigil *vigil)
{
	*vigil = (struct vigil){ .hour = -1 };
	return hasher_new(&vigil->hasher);
}

void vigil_done(struct vigil *vigil)
{
	hasher_free(vigil->hasher);
	free(vigil->watchers);
	free(vigil->checkers);
	*vigil = (struct vigil){ .hour = -1 };
}

struct figured {
	struct machine_id machine;
	struct worker_figures figures;
};

struct look {
	struct vigil *vigil;
	const struct context *context;
	struct arena *arena;
	int64_t hour;
	struct hash beacon; /* at its start */
	bool beacon_known;
	struct checker_member *checkers;
	size_t n_checkers;
	struct proof_machine *machines; /* by address */
	size_t n_machines;
	uint32_t *loads;
	struct proof_watcher *fresh; /* by machine */
	size_t n_fresh;
	/* of the page or the part in hand */
	struct proof_watcher *watchers, after;
	struct worker_checked *checked;
	struct machine_id from;
	size_t n;
	struct figured *figured; /* machines of the part that are drawn */
	size_t n_figured;
};

/* ---- what is there ---- */

static int tx_read(struct tx *tx, void *arg)
{
	struct look *look = arg;
	int64_t start_ms = look->hour * look->context->settings->watch_hour_ms;
	int r = checker_eligible(look->context, tx, &look->checkers, &look->n_checkers);

	if (r != 0)
		return r;
	r = beacon_then(look->context, tx, start_ms, &look->beacon);
	look->beacon_known = r == 0;
	return r == ROUTE_E_UNAVAILABLE ? 0 : r;
}

static int take_checkers(struct look *look)
{
	struct vigil *vigil = look->vigil;
	struct checker_member *list = calloc(look->n_checkers + 1, sizeof(*list));

	if (!list)
		return -ENOMEM;
	if (look->n_checkers)
		memcpy(list, look->checkers, look->n_checkers * sizeof(*list));
	free(vigil->checkers);
	vigil->checkers = list;
	vigil->n_checkers = look->n_checkers;
	return 0;
}

static int tx_watchers(struct tx *tx, void *arg)
{
	struct look *look = arg;

	return proof_store_watchers_page(tx, look->hour, &look->after, PAGE, &look->watchers,
					 &look->n);
}

static int take_watchers(struct vigil *vigil, const struct proof_watcher *watchers, size_t n)
{
	struct proof_watcher *list;

	if (n == 0)
		return 0;
	list = realloc(vigil->watchers, (vigil->n + n) * sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list + vigil->n, watchers, n * sizeof(*list));
	vigil->watchers = list;
	vigil->n += n;
	return 0;
}

/* Once an hour, and when a fault made it uncertain what is there. */
static int load(struct look *look)
{
	const struct arena_mark mark = arena_mark(look->arena);
	struct vigil *vigil = look->vigil;
	int r = 0;

	free(vigil->watchers);
	vigil->watchers = NULL;
	vigil->n = 0;
	vigil->hour = -1;
	look->after = (struct proof_watcher){ 0 };
	for (look->n = PAGE; r == 0 && look->n == PAGE;) {
		arena_rewind(look->arena, mark);
		r = db_run(look->context->db, TX_READ, look->arena, tx_watchers, look);
		if (r == 0)
			r = take_watchers(vigil, look->watchers, look->n);
		if (r == 0 && look->n > 0)
			look->after = look->watchers[look->n - 1];
	}
	arena_rewind(look->arena, mark);
	if (r == 0)
		vigil->hour = look->hour;
	return r;
}

/* ---- which machines ---- */

static size_t machines_max(const struct look *look)
{
	return size_min(VIGIL_MACHINES_MAX, look->n_checkers * WIRE_WATCHED_MAX);
}

static int tx_machines(struct tx *tx, void *arg)
{
	struct look *look = arg;
	int64_t since_ms = clock_now_ms(look->context->clock) - RECENT_MS;

	return worker_checked_machines(tx, since_ms, look->from, PAGE, &look->checked, &look->n);
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct machine_id));
}

/* From @look->from on, before @until; NULL: to the last. */
static int read_machines(struct look *look, const struct machine_id *until)
{
	const struct arena_mark mark = arena_mark(look->arena);
	size_t max = machines_max(look);
	int r = 0;

	for (look->n = PAGE; r == 0 && look->n == PAGE && look->n_machines < max;) {
		arena_rewind(look->arena, mark);
		r = db_run(look->context->db, TX_READ, look->arena, tx_machines, look);
		for (size_t i = 0; r == 0 && i < look->n && look->n_machines < max; i++) {
			look->from = look->checked[i].machine;
			if (until && by_address(&look->from, until) > 0)
				return 0;
			look->machines[look->n_machines++] = (struct proof_machine){
				look->checked[i].machine, look->checked[i].owner
			};
		}
	}
	return r;
}

static int find_machines(struct look *look)
{
	struct machine_id turn;
	size_t first;
	int r;

	look->machines = calloc(machines_max(look) + 1, sizeof(*look->machines));
	if (!look->machines)
		return -ENOMEM;
	memcpy(&turn, look->beacon.bytes, sizeof(turn));
	look->from = turn;
	r = read_machines(look, NULL);
	first = look->n_machines;
	look->from = (struct machine_id){ 0 };
	if (r == 0)
		r = read_machines(look, &turn);
	if (look->n_machines > first)
		qsort(look->machines, look->n_machines, sizeof(*look->machines), by_address);
	return r;
}

/* ---- drawing ---- */

static size_t watchers_each(const struct look *look)
{
	size_t most = size_min(look->n_checkers * WIRE_WATCHED_MAX, VIGIL_WATCHERS_MAX);
	size_t each = size_min((size_t)look->context->settings->panel_standing, look->n_checkers);

	if (look->n_machines > 0 && each > most / look->n_machines)
		each = most / look->n_machines;
	return each > 0 ? each : 1;
}

static int add_figures(struct tx *tx, struct look *look, struct machine_id machine)
{
	struct arena_mark mark = arena_mark(tx_arena(tx));
	struct figured *figured = &look->figured[look->n_figured];
	int r;

	*figured = (struct figured){ .machine = machine };
	r = worker_figures(tx, machine, &figured->figures);
	arena_rewind(tx_arena(tx), mark);
	/* Of one that was removed nothing is proved. */
	if (r != 0 && r != ROUTE_E_NOT_FOUND)
		return r;
	look->n_figured++;
	return 0;
}

/* In a transaction of its own, so that none that writes waits for all these. */
static int tx_figures(struct tx *tx, void *arg)
{
	struct look *look = arg;
	int r = 0;

	look->n_figured = 0; /* of a try that is run again */
	look->figured = arena_array(tx_arena(tx), look->n + 1, sizeof(*look->figured));
	if (!look->figured)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < look->n; i++)
		if (i == 0 ||
		    !machine_equal(look->watchers[i].machine, look->watchers[i - 1].machine))
			r = add_figures(tx, look, look->watchers[i].machine);
	return r;
}

static int tx_add(struct tx *tx, void *arg)
{
	const struct look *look = arg;
	int r = proof_store_watchers_add(tx, look->hour, look->watchers, look->n);

	for (size_t i = 0; r == 0 && i < look->n_figured; i++)
		r = proof_store_hour_figures(tx, look->figured[i].machine, look->hour,
					     &look->figured[i].figures);
	return r;
}

/* Who is drawn is written before anybody is told, and with it what is proved of the machine: the hour's figures
 * for rewards. */
static int draw_part(struct look *look, struct watchers_call *call, const struct proof_watcher **at)
{
	const struct vigil *vigil = look->vigil;
	const struct proof_watcher *end = vigil->watchers + vigil->n, *until = *at;
	struct proof_watcher *fresh;
	int r;

	while (until < end &&
	       by_address(&until->machine, &call->machines[call->n_machines - 1].machine) <= 0)
		until++;
	r = watchers_draw(vigil->hasher, call, *at, (size_t)(until - *at), look->arena,
			  &look->watchers, &look->n);
	*at = until;
	if (r != 0 || look->n == 0)
		return r;
	fresh = realloc(look->fresh, (look->n_fresh + look->n) * sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	memcpy(fresh + look->n_fresh, look->watchers, look->n * sizeof(*fresh));
	look->fresh = fresh;
	look->n_fresh += look->n;
	r = db_run(look->context->db, TX_READ, look->arena, tx_figures, look);
	return r != 0 ? r : db_run(look->context->db, TX_WRITE, look->arena, tx_add, look);
}

static int draw(struct look *look)
{
	const struct arena_mark mark = arena_mark(look->arena);
	struct vigil *vigil = look->vigil;
	const struct proof_watcher *at = vigil->watchers;
	struct watchers_call call = {
		.beacon = look->beacon,
		.hour = look->hour,
		.wanted = vigil->each,
		.checkers = vigil->checkers,
		.n_checkers = vigil->n_checkers,
		.loads = look->loads,
		.most = WIRE_WATCHED_MAX,
	};
	size_t part = VIGIL_DRAWN_AT_ONCE / vigil->each;
	int r = 0;

	watchers_load(&call, vigil->watchers, vigil->n);
	for (size_t m = 0; r == 0 && m < look->n_machines; m += call.n_machines) {
		call.machines = look->machines + m;
		call.n_machines = size_min(look->n_machines - m, part);
		arena_rewind(look->arena, mark);
		r = draw_part(look, &call, &at);
	}
	arena_rewind(look->arena, mark);
	return r;
}

/* Those of one machine come one after another, the older first. */
static int merge(struct look *look)
{
	struct vigil *vigil = look->vigil;
	size_t n = vigil->n + look->n_fresh, a = 0, b = 0;
	struct proof_watcher *list;

	if (look->n_fresh == 0)
		return 0;
	list = calloc(n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (b == look->n_fresh ||
		    (a < vigil->n &&
		     by_address(&vigil->watchers[a].machine, &look->fresh[b].machine) <= 0))
			list[i] = vigil->watchers[a++];
		else
			list[i] = look->fresh[b++];
	free(vigil->watchers);
	vigil->watchers = list;
	vigil->n = n;
	return 0;
}

static int draw_missing(struct look *look)
{
	int r;

	if (!look->beacon_known || look->n_checkers == 0)
		return 0;
	r = find_machines(look);
	look->loads = calloc(look->n_checkers, sizeof(*look->loads));
	if (r == 0 && !look->loads)
		r = -ENOMEM;
	if (r != 0)
		return r;
	look->vigil->each = watchers_each(look);
	r = draw(look);
	if (r == 0)
		r = merge(look);
	/* Of what was to be written nobody knows how much is there. */
	if (r != 0)
		look->vigil->hour = -1;
	return r;
}

int vigil_look(struct vigil *vigil, const struct context *context, int64_t hour,
	       struct arena *arena)
{
	struct look look = { .vigil = vigil, .context = context, .arena = arena, .hour = hour };
	int r = db_run(context->db, TX_READ, arena, tx_read, &look);

	if (r == 0)
		r = take_checkers(&look);
	if (r == 0 && vigil->hour != hour)
		r = load(&look);
	if (r == 0)
		r = draw_missing(&look);
	free(look.machines);
	free(look.loads);
	free(look.fresh);
	return r;
}

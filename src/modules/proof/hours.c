#include "modules/proof/hours.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/billing/billing.h"
#include "modules/proof/watchers.h"

enum { HOURS_A_TURN = 256, WATCHERS_MAX = 64 /* more than panel_standing may be */ };

static int64_t open_ms; /* of the clock that never steps back */

void hours_begin(const struct context *context)
{
	open_ms = clock_mono_ms(context->clock) + context->settings->poll_after_ms;
}

int hours_view(struct tx *tx, struct machine_id machine, int64_t hour, struct hour_view *ret_view)
{
	int r = proof_store_hour(tx, machine, hour, &ret_view->state);

	if (r == 0)
		r = proof_store_watchers(tx, machine, hour, &ret_view->watchers,
					 &ret_view->n_watchers);
	if (r == 0)
		r = proof_store_uptimes(tx, machine, hour, &ret_view->uptimes,
					&ret_view->n_uptimes);
	return r;
}

static const struct proof_uptime *uptime_of(const struct hour_view *view,
					    const struct address *checker)
{
	for (size_t i = 0; i < view->n_uptimes; i++)
		if (address_equal(&view->uptimes[i].checker, checker))
			return &view->uptimes[i];
	return NULL;
}

void hours_away(const struct hour_view *view, const struct account_id *tenant, size_t least,
		struct spans *ret_away)
{
	struct spans lists[WATCHERS_MAX];
	size_t drawn = 0, n = 0;

	for (size_t i = 0; i < view->n_watchers; i++) {
		const struct proof_watcher *watcher = &view->watchers[i];
		const struct proof_uptime *uptime = uptime_of(view, &watcher->checker);

		if (tenant && account_equal(watcher->account, *tenant))
			continue;
		drawn++;
		if (uptime && n < WATCHERS_MAX)
			lists[n++] = uptime->away;
	}
	*ret_away = (struct spans){ 0 };
	if (drawn > 0)
		spans_shared(lists, n, watchers_needed(drawn, least), ret_away);
}

/* ---- the job ---- */

struct closing {
	const struct context *context;
	int64_t last; /* hour that is over */
	struct proof_hour *hours;
	size_t n;
	struct proof_hour one;
};

static int excuse(const struct closing *c, struct tx *tx, const struct hour_view *view,
		  const struct billing_tenancy *tenancy, bool *excused)
{
	const struct settings *settings = c->context->settings;
	int64_t start_ms = c->one.hour * settings->watch_hour_ms;
	struct billing_time times[SPANS_MAX];
	struct spans away;
	size_t added = 0;
	int r;

	hours_away(view, &tenancy->tenant, (size_t)settings->panel_least, &away);
	for (size_t i = 0; i < away.n; i++)
		times[i] = (struct billing_time){ start_ms + away.items[i].from_s * 1000,
						  start_ms + away.items[i].until_s * 1000 };
	r = billing_excuse_away(c->context, tx, tenancy->lease, c->one.hour, times, away.n, &added);
	*excused = *excused || added > 0;
	return r;
}

static int tx_close(struct tx *tx, void *arg)
{
	const struct closing *c = arg;
	int64_t hour_ms = c->context->settings->watch_hour_ms;
	struct billing_tenancy *tenancies;
	struct hour_view view;
	bool excused = false;
	size_t n = 0;
	int r;

	r = hours_view(tx, c->one.machine, c->one.hour, &view);
	if (r != 0 || view.state != HOUR_OPEN)
		return r;
	r = billing_machine_tenancies(tx, c->one.machine, c->one.hour * hour_ms,
				      (c->one.hour + 1) * hour_ms, &tenancies, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = excuse(c, tx, &view, &tenancies[i], &excused);
	return r != 0 ? r
		      : proof_store_hour_set(tx, c->one.machine, c->one.hour,
					     excused ? HOUR_EXCUSED : HOUR_OVER);
}

static int tx_open(struct tx *tx, void *arg)
{
	struct closing *c = arg;

	return proof_store_hours_open(tx, c->last, HOURS_A_TURN, &c->hours, &c->n);
}

static int tx_quiet(struct tx *tx, void *arg)
{
	const struct closing *c = arg;

	return proof_store_hours_quiet(tx, c->last);
}

/* One that fails does not keep others from being seen to; it is tried again at the next turn. */
static int close_all(struct closing *c, struct arena *arena)
{
	struct arena_mark mark = arena_mark(arena);
	int first = 0;

	for (size_t i = 0; i < c->n; i++) {
		int r;

		c->one = c->hours[i];
		arena_rewind(arena, mark);
		r = db_run(c->context->db, TX_WRITE, arena, tx_close, c);
		first = first == 0 ? r : first;
	}
	return first <= 0 ? first : -EIO;
}

int hours_run(const struct context *context, struct arena *arena)
{
	const struct settings *settings = context->settings;
	struct closing c = { .context = context };
	int r;

	if (clock_mono_ms(context->clock) - open_ms < settings->uptime_grace_ms)
		return 0;
	c.last = (clock_now_ms(context->clock) - settings->uptime_grace_ms) /
			 settings->watch_hour_ms -
		 1;
	r = db_run(context->db, TX_READ, arena, tx_open, &c);
	if (r != 0 || c.n == 0)
		return r;
	r = db_run(context->db, TX_WRITE, arena, tx_quiet, &c);
	if (r == 0)
		r = db_run(context->db, TX_READ, arena, tx_open, &c);
	return r != 0 ? r : close_all(&c, arena);
}

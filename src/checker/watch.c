#include "checker/watch.h"

#include <math.h>

#include "base/log.h"
#include "popw/layout.h"

struct target {
	struct address machine;
	int64_t next_ms; /* of its next poll */
	int64_t soon_ms; /* of one that does not count; 0: none */
	bool waiting, counts;
	struct poll_nonce nonce;
	struct watch_time sent;
	bool away;
	int64_t away_ms; /* since when, by the wall, in the last hour that has a span of it */
};

struct entry {
	struct watch_tally tally;
	int64_t reported_ms; /* monotonic; 0: not yet */
};

struct watch {
	struct watch_config config;
	uint32_t every_ms;
	int64_t hour_ms;
	int64_t heard_ms; /* monotonic, of the last tick or answer */
	int64_t second; /* monotonic, in which @asked polls and @said reports were made */
	unsigned int asked, said;
	struct target *targets;
	size_t n_targets, next; /* behind the one that was polled last: none waits for ever */
	struct entry *entries; /* WATCH_TALLIES_MAX of them; the oldest first */
	size_t n_entries;
	bool changed;
};

int watch_new(const struct watch_config *config, struct watch **ret_watch)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->config = *config;
	watch->hour_ms = WATCH_HOUR_MS;
	watch->entries = calloc(WATCH_TALLIES_MAX, sizeof(*watch->entries));
	if (!watch->entries) {
		watch_free(watch);
		return -ENOMEM;
	}
	*ret_watch = watch;
	return 0;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	free(watch->targets);
	free(watch->entries);
	free(watch);
}

/* ---- tallies ---- */

static void drop_entry(struct watch *watch, size_t i)
{
	watch->n_entries--;
	memmove(&watch->entries[i], &watch->entries[i + 1],
		(watch->n_entries - i) * sizeof(*watch->entries));
	watch->changed = true;
}

static struct entry *find_entry(struct watch *watch, const struct address *machine, int64_t hour)
{
	for (size_t i = watch->n_entries; i > 0; i--) {
		struct entry *entry = &watch->entries[i - 1];

		if (entry->tally.hour == hour && address_equal(&entry->tally.machine, machine))
			return entry;
	}
	return NULL;
}

static struct entry *entry_of(struct watch *watch, const struct address *machine, int64_t hour)
{
	struct entry *entry = find_entry(watch, machine, hour);

	if (entry)
		return entry;
	if (watch->n_entries == WATCH_TALLIES_MAX) {
		log_warn("checker.uptime_lost", log_int("hour", watch->entries[0].tally.hour),
			 log_text("reason", "too much waits to be reported"));
		drop_entry(watch, 0);
	}
	entry = &watch->entries[watch->n_entries++];
	*entry = (struct entry){ .tally = { .machine = *machine, .hour = hour } };
	return entry;
}

static void count(struct watch *watch, struct target *target, bool answered, struct watch_time now)
{
	struct entry *entry = entry_of(watch, &target->machine, now.wall_ms / watch->hour_ms);

	entry->tally.polls++;
	entry->tally.answered += answered;
	watch->changed = true;
}

/* ---- who is away ---- */

/* Whole seconds only, so that no span says more than was seen. */
static struct span span_of(const struct watch *watch, int64_t from_ms, int64_t until_ms)
{
	int64_t start_ms = from_ms / watch->hour_ms * watch->hour_ms;

	return (struct span){ (uint16_t)((from_ms - start_ms + 999) / 1000),
			      (uint16_t)((until_ms - start_ms) / 1000) };
}

static void put_span(struct spans *spans, struct span span)
{
	struct span *last = spans->n > 0 ? &spans->items[spans->n - 1] : NULL;

	if (span.until_s <= span.from_s)
		return;
	if (last && last->from_s == span.from_s)
		last->until_s = span.until_s > last->until_s ? span.until_s : last->until_s;
	else if (spans->n < SPANS_MAX && (!last || span.from_s >= last->until_s))
		spans->items[spans->n++] = span;
}

/* It is still away: its span reaches to now, in each hour a part. */
static void grow(struct watch *watch, struct target *target, int64_t wall_ms)
{
	/* The wall's clock may be set meanwhile. */
	if (wall_ms < target->away_ms || wall_ms - target->away_ms >= 2 * watch->hour_ms)
		target->away_ms = wall_ms;
	for (;;) {
		int64_t hour = target->away_ms / watch->hour_ms,
			end_ms = (hour + 1) * watch->hour_ms;
		struct entry *entry = entry_of(watch, &target->machine, hour);

		watch->changed = true;
		if (wall_ms < end_ms) {
			put_span(&entry->tally.away, span_of(watch, target->away_ms, wall_ms));
			return;
		}
		put_span(&entry->tally.away,
			 (struct span){ span_of(watch, target->away_ms, target->away_ms).from_s,
					(uint16_t)(watch->hour_ms / 1000) });
		target->away_ms = end_ms;
	}
}

/* Who is away when an hour ends is away up to its end. */
static void cross_hours(struct watch *watch, struct watch_time now)
{
	for (size_t i = 0; i < watch->n_targets; i++) {
		struct target *target = &watch->targets[i];
		int64_t start_ms = now.wall_ms / watch->hour_ms * watch->hour_ms;

		if (target->away && target->away_ms < start_ms)
			grow(watch, target, start_ms);
	}
}

/* The link has been dead for who knows how long. */
static void doubt(struct watch *watch, struct target *target, struct watch_time now)
{
	struct entry *entry = find_entry(watch, &target->machine, target->away_ms / watch->hour_ms);
	int64_t until_ms = now.wall_ms - WATCH_DOUBT_MS;
	struct spans *away = entry ? &entry->tally.away : NULL;
	struct span span;

	target->away = false;
	if (!away || away->n == 0)
		return;
	if (until_ms < target->away_ms)
		until_ms = target->away_ms;
	span = span_of(watch, target->away_ms, until_ms);
	if (away->items[away->n - 1].from_s != span.from_s)
		return;
	watch->changed = true;
	if (span.until_s <= span.from_s)
		away->n--;
	else if (span.until_s < away->items[away->n - 1].until_s)
		away->items[away->n - 1].until_s = span.until_s;
}

/* ---- reports ---- */

static void report(struct watch *watch, struct entry *entry, int64_t mono_ms)
{
	int r;

	if (entry->tally.polls == 0)
		return;
	r = watch->config.report(watch->config.arg, watch->hour_ms, &entry->tally);
	if (r < 0)
		log_warn("checker.report", log_fault(r));
	else
		entry->reported_ms = mono_ms;
}

/* Of so many machines all reports at once would find no room. */
static void report_hours(struct watch *watch, struct watch_time now)
{
	int64_t hour = now.wall_ms / watch->hour_ms;

	while (watch->n_entries > 0 && watch->entries[0].tally.hour + WATCH_TALLY_HOURS < hour)
		drop_entry(watch, 0);
	for (size_t i = 0; i < watch->n_entries && watch->said < WATCH_REPORTS_A_SECOND; i++) {
		struct entry *entry = &watch->entries[i];

		if (entry->tally.hour < hour && entry->tally.polls > 0 &&
		    (entry->reported_ms == 0 ||
		     now.mono_ms - entry->reported_ms >= WATCH_AGAIN_MS)) {
			report(watch, entry, now.mono_ms);
			watch->said++;
		}
	}
}

void watch_report_all(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_entries; i++)
		report(watch, &watch->entries[i], 0);
}

void watch_heard(struct watch *watch, const struct address *machine, int64_t hour, uint32_t polls,
		 struct watch_time now)
{
	struct entry *entry = find_entry(watch, machine, hour);

	if (entry && hour < now.wall_ms / watch->hour_ms && entry->tally.polls == polls)
		drop_entry(watch, (size_t)(entry - watch->entries));
}

/* ---- polls ---- */

/* Exponential: then nothing that happened tells when the next poll comes. */
static int64_t pause_ms(struct watch *watch, uint32_t mean_ms)
{
	uint64_t bits;

	if (random_fill(watch->config.random, &bits, sizeof(bits)) < 0)
		return mean_ms;
	return (int64_t)(-log(((double)(bits >> 11) + 1) / 0x1p53) * mean_ms);
}

static void ask_soon(struct watch *watch, struct target *target, int64_t mono_ms)
{
	uint32_t mean_ms = watch->every_ms < WATCH_SOON_MS ? watch->every_ms : WATCH_SOON_MS;

	target->soon_ms = mono_ms + pause_ms(watch, mean_ms);
}

static void ask(struct watch *watch, struct target *target, struct watch_time now)
{
	int r;

	watch->asked++;
	target->soon_ms = 0;
	target->counts = now.mono_ms >= target->next_ms;
	if (target->counts)
		target->next_ms = now.mono_ms + pause_ms(watch, watch->every_ms);
	r = random_fill(watch->config.random, target->nonce.bytes, sizeof(target->nonce.bytes));
	if (r == 0)
		r = watch->config.poll(watch->config.arg, &target->machine, &target->nonce);
	if (r < 0) {
		log_warn("checker.poll", log_fault(r));
		ask_soon(watch, target, now.mono_ms);
		return;
	}
	target->waiting = true;
	target->sent = now;
}

/* What became of the poll that it was sent. */
static void judge(struct watch *watch, struct target *target, bool answered, struct watch_time now)
{
	target->waiting = false;
	if (target->counts)
		count(watch, target, answered, now);
	if (!answered && !target->away) {
		target->away = true;
		target->away_ms = target->sent.wall_ms;
	}
	if (target->away)
		grow(watch, target, now.wall_ms);
	target->away = !answered;
	if (!answered)
		ask_soon(watch, target, now.mono_ms);
}

static bool is_due(const struct watch *watch, const struct target *target, int64_t mono_ms)
{
	return watch->every_ms > 0 && !target->waiting &&
	       (mono_ms >= target->next_ms || (target->soon_ms > 0 && mono_ms >= target->soon_ms));
}

/* Whoever stopped this process, or its machine, is no reason to hold answers for late. */
static void wake(struct watch *watch, struct watch_time now)
{
	bool slept = now.mono_ms - watch->heard_ms > WATCH_ASLEEP_MS;

	watch->heard_ms = now.mono_ms;
	for (size_t i = 0; slept && i < watch->n_targets; i++) {
		struct target *target = &watch->targets[i];

		if (target->waiting || target->away)
			ask_soon(watch, target, now.mono_ms);
		target->waiting = target->away = false;
	}
}

void watch_tick(struct watch *watch, struct watch_time now)
{
	const size_t first = watch->next;

	if (watch->second != now.mono_ms / 1000) {
		watch->second = now.mono_ms / 1000;
		watch->asked = watch->said = 0;
	}
	wake(watch, now);
	cross_hours(watch, now);
	for (size_t i = 0; i < watch->n_targets; i++) {
		size_t at = (first + i) % watch->n_targets;
		struct target *target = &watch->targets[at];

		if (target->waiting && now.mono_ms - target->sent.mono_ms > POLL_ANSWER_MS)
			judge(watch, target, false, now);
		/* One that nobody hands on would count against its machine: it is rather made later. */
		if (!is_due(watch, target, now.mono_ms) || watch->asked == WATCH_POLLS_A_SECOND)
			continue;
		ask(watch, target, now);
		watch->next = at + 1;
	}
	report_hours(watch, now);
}

bool watch_answered(struct watch *watch, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE], struct watch_time now)
{
	wake(watch, now);
	for (size_t i = 0; i < watch->n_targets; i++) {
		struct target *target = &watch->targets[i];
		const struct poll_path path = { watch->config.network, target->machine,
						watch->config.checker };

		if (!target->waiting || !poll_nonce_equal(&target->nonce, nonce))
			continue;
		judge(watch, target,
		      now.mono_ms - target->sent.mono_ms <= POLL_ANSWER_MS &&
			      poll_answer_holds(&path, nonce, signature),
		      now);
		return true;
	}
	return false;
}

void watch_down(struct watch *watch, struct watch_time now)
{
	for (size_t i = 0; i < watch->n_targets; i++) {
		struct target *target = &watch->targets[i];

		if (target->away)
			doubt(watch, target, now);
	}
	watch->n_targets = 0;
	for (size_t i = 0; i < watch->n_entries; i++)
		watch->entries[i].reported_ms = 0;
}

/* ---- the list ---- */

static const struct target *find_target(const struct watch *watch, const struct address *machine)
{
	for (size_t i = 0; i < watch->n_targets; i++)
		if (address_equal(&watch->targets[i].machine, machine))
			return &watch->targets[i];
	return NULL;
}

static void set_hour(struct watch *watch, uint32_t hour_ms)
{
	if (watch->hour_ms == hour_ms)
		return;
	watch->hour_ms = hour_ms;
	watch->n_entries = 0;
	watch->changed = true;
	for (size_t i = 0; i < watch->n_targets; i++)
		watch->targets[i].away = false;
}

/* One that is known goes on as it is. */
static struct target new_target(struct watch *watch, const struct address *machine, bool keep,
				struct watch_time now)
{
	const struct target *known = find_target(watch, machine);
	struct target target = known ? *known : (struct target){ .machine = *machine };

	if (!keep || !known)
		target.next_ms = now.mono_ms + pause_ms(watch, watch->every_ms);
	if (!known)
		ask_soon(watch, &target, now.mono_ms);
	return target;
}

int watch_set(struct watch *watch, const struct watch_list *list, struct watch_time now)
{
	uint32_t every_ms = list->every_ms;
	struct target *targets;
	bool keep;

	if (list->n > WATCH_MACHINES_MAX)
		return -E2BIG;
	targets = calloc(list->n + 1, sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	if (every_ms > 0 && every_ms < WATCH_EVERY_MIN_MS)
		every_ms = WATCH_EVERY_MIN_MS;
	set_hour(watch, list->hour_ms);
	cross_hours(watch, now);
	keep = every_ms == watch->every_ms;
	watch->every_ms = every_ms;
	for (size_t i = 0; i < list->n; i++)
		targets[i] = new_target(watch, &list->machines[i], keep, now);
	free(watch->targets);
	watch->targets = targets;
	watch->n_targets = list->n;
	return 0;
}

/* ---- on the disk ---- */

static int tally_pass(struct layout *layout, int64_t hour_ms, struct watch_tally *tally)
{
	uint64_t hour = (uint64_t)tally->hour;
	uint8_t away[SPANS_BYTES_MAX] = { 0 };
	uint32_t len = (uint32_t)spans_encode(&tally->away, away);

	layout_bytes(layout, tally->machine.bytes, sizeof(tally->machine.bytes));
	layout_u64(layout, &hour);
	layout_u32(layout, &tally->polls);
	layout_u32(layout, &tally->answered);
	layout_u32(layout, &len);
	layout_bytes(layout, away, sizeof(away));
	tally->hour = (int64_t)hour;
	return spans_decode(away, len, hour_ms / 1000, &tally->away);
}

bool watch_changed(const struct watch *watch)
{
	return watch->changed;
}

size_t watch_encode(struct watch *watch, uint8_t *ret_bytes)
{
	struct layout layout = { .out = ret_bytes };
	uint32_t hour_ms = (uint32_t)watch->hour_ms, n = (uint32_t)watch->n_entries;

	layout_u32(&layout, &hour_ms);
	layout_u32(&layout, &n);
	for (size_t i = 0; i < watch->n_entries; i++)
		/* What it holds are spans. */
		(void)tally_pass(&layout, watch->hour_ms, &watch->entries[i].tally);
	watch->changed = false;
	return 8 + watch->n_entries * WATCH_TALLY_SIZE;
}

int watch_decode(struct watch *watch, const void *bytes, size_t len)
{
	struct layout layout = { .in = bytes };
	uint32_t hour_ms = 0, n = 0;

	if (len < 8)
		return -EBADMSG;
	layout_u32(&layout, &hour_ms);
	layout_u32(&layout, &n);
	if (n > WATCH_TALLIES_MAX || len != 8 + (size_t)n * WATCH_TALLY_SIZE ||
	    hour_ms < WIRE_HOUR_MS_MIN || hour_ms > WIRE_HOUR_MS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		if (tally_pass(&layout, hour_ms, &watch->entries[i].tally) < 0)
			return -EBADMSG;
	watch->hour_ms = hour_ms;
	watch->n_entries = n;
	return 0;
}

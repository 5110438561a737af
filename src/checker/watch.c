#include "checker/watch.h"

#include <math.h>

#include "base/log.h"
#include "popw/layout.h"

struct target {
	struct address machine;
	int64_t next_ms; /* of its next poll */
	bool waiting;
	struct poll_nonce nonce;
	int64_t sent_ms;
};

struct entry {
	struct watch_tally tally;
	int64_t reported_ms; /* monotonic; 0: not yet */
};

struct watch {
	struct watch_config config;
	uint32_t every_ms;
	int64_t second; /* monotonic, in which @asked polls were made */
	unsigned int asked;
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
	struct entry *entry;

	for (size_t i = watch->n_entries; i > 0; i--) {
		entry = &watch->entries[i - 1];
		if (entry->tally.hour == hour && address_equal(&entry->tally.machine, machine))
			return entry;
	}
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
	struct entry *entry = find_entry(watch, &target->machine, now.wall_ms / WATCH_HOUR_MS);

	entry->tally.polls++;
	entry->tally.answered += answered;
	target->waiting = false;
	watch->changed = true;
}

/* ---- reports ---- */

static void report(struct watch *watch, struct entry *entry, int64_t mono_ms)
{
	int r = watch->config.report(watch->config.arg, &entry->tally);

	if (r < 0)
		log_warn("checker.report", log_fault(r));
	else
		entry->reported_ms = mono_ms;
}

static void report_hours(struct watch *watch, struct watch_time now)
{
	int64_t hour = now.wall_ms / WATCH_HOUR_MS;

	while (watch->n_entries > 0 && watch->entries[0].tally.hour + WATCH_TALLY_HOURS < hour)
		drop_entry(watch, 0);
	for (size_t i = 0; i < watch->n_entries; i++) {
		struct entry *entry = &watch->entries[i];

		if (entry->tally.hour < hour &&
		    (entry->reported_ms == 0 || now.mono_ms - entry->reported_ms >= WATCH_AGAIN_MS))
			report(watch, entry, now.mono_ms);
	}
}

void watch_report_all(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_entries; i++)
		report(watch, &watch->entries[i], 0);
}

static void drop_heard(struct watch *watch, struct watch_time now)
{
	int64_t hour = now.wall_ms / WATCH_HOUR_MS;

	for (size_t i = watch->n_entries; i > 0; i--)
		if (watch->entries[i - 1].tally.hour < hour && watch->entries[i - 1].reported_ms)
			drop_entry(watch, i - 1);
}

/* ---- polls ---- */

/* Exponential with the mean every_ms: then nothing that happened tells when the next poll comes. */
static int64_t pause_ms(struct watch *watch)
{
	uint64_t bits;

	if (random_fill(watch->config.random, &bits, sizeof(bits)) < 0)
		return watch->every_ms;
	return (int64_t)(-log(((double)(bits >> 11) + 1) / 0x1p53) * watch->every_ms);
}

static void ask(struct watch *watch, struct target *target, int64_t mono_ms)
{
	int r;

	watch->asked++;
	target->next_ms = mono_ms + pause_ms(watch);
	r = random_fill(watch->config.random, target->nonce.bytes, sizeof(target->nonce.bytes));
	if (r == 0)
		r = watch->config.poll(watch->config.arg, &target->machine, &target->nonce);
	if (r < 0) {
		log_warn("checker.poll", log_fault(r));
		return;
	}
	target->waiting = true;
	target->sent_ms = mono_ms;
}

/* A poll that nobody hands on would count against its machine: it is rather made later. */
static bool may_ask(struct watch *watch, int64_t mono_ms)
{
	if (watch->second != mono_ms / 1000) {
		watch->second = mono_ms / 1000;
		watch->asked = 0;
	}
	return watch->asked < WATCH_POLLS_A_SECOND;
}

static bool is_due(const struct watch *watch, const struct target *target, int64_t mono_ms)
{
	return watch->every_ms > 0 && !target->waiting && mono_ms >= target->next_ms;
}

void watch_tick(struct watch *watch, struct watch_time now)
{
	const size_t first = watch->next;

	for (size_t i = 0; i < watch->n_targets; i++) {
		size_t at = (first + i) % watch->n_targets;
		struct target *target = &watch->targets[at];

		if (target->waiting && now.mono_ms - target->sent_ms > POLL_ANSWER_MS)
			count(watch, target, false, now);
		if (!is_due(watch, target, now.mono_ms) || !may_ask(watch, now.mono_ms))
			continue;
		ask(watch, target, now.mono_ms);
		watch->next = at + 1;
	}
	report_hours(watch, now);
}

bool watch_answered(struct watch *watch, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE], struct watch_time now)
{
	for (size_t i = 0; i < watch->n_targets; i++) {
		struct target *target = &watch->targets[i];
		const struct poll_path path = { watch->config.network, target->machine,
						watch->config.checker };

		if (!target->waiting || !poll_nonce_equal(&target->nonce, nonce))
			continue;
		count(watch, target,
		      now.mono_ms - target->sent_ms <= POLL_ANSWER_MS &&
			      poll_answer_holds(&path, nonce, signature),
		      now);
		return true;
	}
	return false;
}

void watch_down(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_targets; i++)
		watch->targets[i].waiting = false;
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

int watch_set(struct watch *watch, uint32_t every_ms, const struct address *machines, size_t n,
	      struct watch_time now)
{
	struct target *targets;

	if (n > WATCH_MACHINES_MAX)
		return -E2BIG;
	targets = calloc(n + 1, sizeof(*targets));
	if (!targets)
		return -ENOMEM;
	if (every_ms > 0 && every_ms < WATCH_EVERY_MIN_MS)
		every_ms = WATCH_EVERY_MIN_MS;
	drop_heard(watch, now);
	for (size_t i = 0; i < n; i++) {
		const struct target *known = every_ms == watch->every_ms
						     ? find_target(watch, &machines[i])
						     : NULL;

		if (known)
			targets[i] = *known;
		else
			targets[i] = (struct target){ .machine = machines[i] };
	}
	watch->every_ms = every_ms;
	for (size_t i = 0; i < n; i++)
		if (targets[i].next_ms == 0)
			targets[i].next_ms = now.mono_ms + pause_ms(watch);
	free(watch->targets);
	watch->targets = targets;
	watch->n_targets = n;
	return 0;
}

/* ---- on the disk ---- */

static void tally_pass(struct layout *layout, struct watch_tally *tally)
{
	uint64_t hour = (uint64_t)tally->hour;

	layout_bytes(layout, tally->machine.bytes, sizeof(tally->machine.bytes));
	layout_u64(layout, &hour);
	layout_u32(layout, &tally->polls);
	layout_u32(layout, &tally->answered);
	tally->hour = (int64_t)hour;
}

bool watch_changed(const struct watch *watch)
{
	return watch->changed;
}

size_t watch_encode(struct watch *watch, uint8_t *ret_bytes)
{
	struct layout layout = { .out = ret_bytes };
	uint32_t n = (uint32_t)watch->n_entries;

	layout_u32(&layout, &n);
	for (size_t i = 0; i < watch->n_entries; i++)
		tally_pass(&layout, &watch->entries[i].tally);
	watch->changed = false;
	return 4 + watch->n_entries * WATCH_TALLY_SIZE;
}

int watch_decode(struct watch *watch, const void *bytes, size_t len)
{
	struct layout layout = { .in = bytes };
	uint32_t n = 0;

	if (len < 4)
		return -EBADMSG;
	layout_u32(&layout, &n);
	if (n > WATCH_TALLIES_MAX || len != 4 + (size_t)n * WATCH_TALLY_SIZE)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		tally_pass(&layout, &watch->entries[i].tally);
	watch->n_entries = n;
	return 0;
}

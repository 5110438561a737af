#include "modules/worker/fleet.h"

#include <pthread.h>

#include "modules/worker/offers.h"
#include "modules/worker/shelf.h"

enum {
	BANDS_NEAR = 2, /* so many bands above the cheapest are still among the best */
	CANDIDATES = 8,
	PROBES_MAX = 256, /* rows looked at exactly in one choice and band */
};

/* Where an offer of a machine lies. */
struct place {
	int shelf, band; /* SHELF_NONE: in no segment */
	uint32_t index;
};

struct member {
	struct fleet_machine machine;
	int64_t heard_mono_ms, heard_at_ms, latency_ms;
	bool used, heard, engine_up;
	struct place places[FLEET_KINDS_MAX];
	uint32_t next; /* in its bucket, or among the free */
};

struct fleet {
	const struct clock *clock;
	int64_t offline_after_ms, listens_mono_ms;
	pthread_mutex_t mutex;
	struct member *members;
	size_t n, size, used;
	uint32_t free; /* first unused slot, or NO_SLOT */
	uint32_t *buckets; /* by machine; as many as members has room for, a power of two */
	uint64_t hash_key;
	struct shelves shelves;
};

static const uint32_t NO_SLOT = UINT32_MAX;

int fleet_new(const struct clock *clock, int64_t offline_after_ms, struct fleet **ret_fleet)
{
	struct fleet *fleet = calloc(1, sizeof(*fleet));

	if (!fleet)
		return -ENOMEM;
	/* Machines choose their addresses: without a secret they could choose one bucket. */
	if (random_fill(&random_system, &fleet->hash_key, sizeof(fleet->hash_key)) != 0)
		fleet->hash_key = (uint64_t)(uintptr_t)fleet;
	fleet->hash_key |= 1;
	fleet->clock = clock;
	fleet->offline_after_ms = offline_after_ms;
	fleet->listens_mono_ms = clock_mono_ms(clock);
	fleet->free = NO_SLOT;
	pthread_mutex_init(&fleet->mutex, NULL);
	*ret_fleet = fleet;
	return 0;
}

void fleet_listen(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->mutex);
	fleet->listens_mono_ms = clock_mono_ms(fleet->clock);
	pthread_mutex_unlock(&fleet->mutex);
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	shelves_done(&fleet->shelves);
	pthread_mutex_destroy(&fleet->mutex);
	free(fleet->members);
	free(fleet->buckets);
	free(fleet);
}

/* ---- members by machine ---- */

static size_t bucket_of(const struct fleet *fleet, struct machine_id machine)
{
	uint64_t a, b;

	memcpy(&a, machine.address.bytes, sizeof(a));
	memcpy(&b, machine.address.bytes + sizeof(a), sizeof(b));
	a = (a ^ b >> 32) * fleet->hash_key;
	a = (a ^ a >> 29 ^ b) * fleet->hash_key;
	return (size_t)(a >> 20) & (fleet->size - 1);
}

static struct member *find(struct fleet *fleet, struct machine_id machine)
{
	uint32_t slot;

	if (fleet->size == 0)
		return NULL;
	for (slot = fleet->buckets[bucket_of(fleet, machine)]; slot != NO_SLOT;
	     slot = fleet->members[slot].next)
		if (machine_equal(fleet->members[slot].machine.machine, machine))
			return &fleet->members[slot];
	return NULL;
}

static void link_member(struct fleet *fleet, uint32_t slot)
{
	size_t bucket = bucket_of(fleet, fleet->members[slot].machine.machine);

	fleet->members[slot].next = fleet->buckets[bucket];
	fleet->buckets[bucket] = slot;
}

static void unlink_member(struct fleet *fleet, uint32_t slot)
{
	uint32_t *at = &fleet->buckets[bucket_of(fleet, fleet->members[slot].machine.machine)];

	while (*at != slot)
		at = &fleet->members[*at].next;
	*at = fleet->members[slot].next;
}

static int grow(struct fleet *fleet)
{
	size_t size = fleet->size ? fleet->size * 2 : 64;
	struct member *members = reallocarray(fleet->members, size, sizeof(*members));
	uint32_t *buckets;

	if (!members)
		return -ENOMEM;
	fleet->members = members;
	buckets = reallocarray(fleet->buckets, size, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	fleet->buckets = buckets;
	fleet->size = size;
	memset(buckets, 0xff, size * sizeof(*buckets));
	for (size_t i = 0; i < fleet->n; i++)
		if (fleet->members[i].used)
			link_member(fleet, (uint32_t)i);
	return 0;
}

static int add_member(struct fleet *fleet, struct machine_id machine, struct member **ret_member)
{
	struct member *member;
	uint32_t slot = fleet->free;

	if (slot == NO_SLOT) {
		if (fleet->n == fleet->size && grow(fleet) != 0)
			return -ENOMEM;
		slot = (uint32_t)fleet->n++;
	} else {
		fleet->free = fleet->members[slot].next;
	}
	member = &fleet->members[slot];
	*member = (struct member){
		.machine.machine = machine, .machine.revision = -1, .used = true, .engine_up = true
	};
	for (size_t k = 0; k < FLEET_KINDS_MAX; k++)
		member->places[k].shelf = SHELF_NONE;
	link_member(fleet, slot);
	fleet->used++;
	*ret_member = member;
	return 0;
}

static void pulse_of(const struct fleet *fleet, const struct member *member,
		     struct fleet_pulse *ret_pulse)
{
	bool since_then = member->heard && member->heard_mono_ms > fleet->listens_mono_ms;
	int64_t since = since_then ? member->heard_mono_ms : fleet->listens_mono_ms;

	*ret_pulse = (struct fleet_pulse){
		.heard = member->heard,
		.engine_up = member->engine_up,
		.heard_at_ms = member->heard_at_ms,
		.silent_ms = clock_mono_ms(fleet->clock) - since,
		.latency_ms = member->latency_ms,
	};
	ret_pulse->online = member->heard && member->engine_up &&
			    ret_pulse->silent_ms <= fleet->offline_after_ms;
}

/* ---- shelves ---- */

static void take_out(struct fleet *fleet, struct member *member, size_t kind)
{
	struct place *place = &member->places[kind];
	struct segment *segment;

	if (place->shelf == SHELF_NONE)
		return;
	segment = fleet->shelves.items[place->shelf]->bands[place->band];
	if (segment_drop(segment, place->index)) {
		struct member *moved = &fleet->members[segment->slot[place->index]];

		for (size_t k = 0; k < FLEET_KINDS_MAX; k++)
			if (moved->places[k].shelf == place->shelf &&
			    moved->places[k].band == place->band &&
			    moved->places[k].index == segment->n)
				moved->places[k].index = place->index;
	}
	place->shelf = SHELF_NONE;
}

/* Only what could be rented lies in a segment. */
static bool is_open(const struct fleet *fleet, const struct member *member, size_t kind)
{
	const struct fleet_machine *m = &member->machine;
	int64_t price = m->n_gpus ? m->gpu_hour : m->core_hour;
	struct fleet_pulse pulse;

	pulse_of(fleet, member, &pulse);
	return pulse.online && !m->paused && !m->unproved && price > 0 &&
	       price <= FLEET_PRICE_MAX && m->cpu_milli > 0 && m->memory_bytes > 0 &&
	       (m->n_gpus ? kind < m->n_gpus && m->gpus[kind].free > 0 : kind == 0);
}

static int put_in(struct fleet *fleet, struct member *member, size_t kind)
{
	struct segment_row row = shelf_row(&member->machine, kind,
					   (uint32_t)(member - fleet->members));
	struct place *place = &member->places[kind];
	const char *model = member->machine.n_gpus ? member->machine.gpus[kind].model : "cpu";
	int shelf = shelves_find(&fleet->shelves, model), band = shelf_band(row.price), r;
	struct segment *segment;

	if (shelf == SHELF_NONE)
		return -ENOMEM;
	segment = shelves_segment(&fleet->shelves, shelf, band);
	if (!segment)
		return -ENOMEM;
	if (place->shelf == shelf && place->band == band) {
		segment_set(segment, place->index, &row);
		return 0;
	}
	take_out(fleet, member, kind);
	r = segment_add(segment, &row, &place->index);
	if (r < 0)
		return r;
	place->shelf = shelf;
	place->band = band;
	return 0;
}

static int file(struct fleet *fleet, struct member *member)
{
	for (size_t kind = 0; kind < FLEET_KINDS_MAX; kind++) {
		int r = 0;

		if (is_open(fleet, member, kind))
			r = put_in(fleet, member, kind);
		else
			take_out(fleet, member, kind);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- changes ---- */

int fleet_put(struct fleet *fleet, const struct fleet_machine *machine)
{
	struct member *member;
	int r = 0;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine->machine);
	if (!member)
		r = add_member(fleet, machine->machine, &member);
	if (r == 0 && machine->revision >= member->machine.revision) {
		/* A model may have moved to another kind: rows are looked up by shelf and band. */
		for (size_t kind = 0; kind < FLEET_KINDS_MAX; kind++)
			if (member->machine.n_gpus != machine->n_gpus ||
			    strcmp(member->machine.gpus[kind].model, machine->gpus[kind].model) !=
				    0)
				take_out(fleet, member, kind);
		member->machine = *machine;
		r = file(fleet, member);
	}
	pthread_mutex_unlock(&fleet->mutex);
	return r;
}

void fleet_remove(struct fleet *fleet, struct machine_id machine)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member) {
		uint32_t slot = (uint32_t)(member - fleet->members);

		for (size_t kind = 0; kind < FLEET_KINDS_MAX; kind++)
			take_out(fleet, member, kind);
		unlink_member(fleet, slot);
		member->used = false;
		member->next = fleet->free;
		fleet->free = slot;
		fleet->used--;
	}
	pthread_mutex_unlock(&fleet->mutex);
}

size_t fleet_count(struct fleet *fleet)
{
	size_t n;

	pthread_mutex_lock(&fleet->mutex);
	n = fleet->used;
	pthread_mutex_unlock(&fleet->mutex);
	return n;
}

/* With the mutex held; a memory fault keeps it out of the index until it is heard again. */
static void hear(struct fleet *fleet, struct member *member, bool engine_up, int64_t ago_ms)
{
	struct fleet_pulse before;

	pulse_of(fleet, member, &before);
	member->heard = true;
	member->engine_up = engine_up;
	member->heard_mono_ms = clock_mono_ms(fleet->clock) - ago_ms;
	member->heard_at_ms = clock_now_ms(fleet->clock) - ago_ms;
	if (before.online != engine_up && file(fleet, member) < 0)
		member->heard = false;
}

bool fleet_heard(struct fleet *fleet, struct machine_id machine, bool engine_up,
		 int64_t *ret_generation)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member) {
		hear(fleet, member, engine_up, 0);
		*ret_generation = member->machine.generation;
	}
	pthread_mutex_unlock(&fleet->mutex);
	return member != NULL;
}

void fleet_heard_elsewhere(struct fleet *fleet, struct machine_id machine, bool engine_up,
			   int64_t ago_ms)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member)
		hear(fleet, member, engine_up, ago_ms);
	pthread_mutex_unlock(&fleet->mutex);
}

void fleet_generation(struct fleet *fleet, struct machine_id machine, int64_t generation)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member && generation > member->machine.generation)
		member->machine.generation = generation;
	pthread_mutex_unlock(&fleet->mutex);
}

bool fleet_generation_of(struct fleet *fleet, struct machine_id machine, int64_t *ret_generation)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member)
		*ret_generation = member->machine.generation;
	pthread_mutex_unlock(&fleet->mutex);
	return member != NULL;
}

void fleet_latency(struct fleet *fleet, struct machine_id machine, int64_t latency_ms)
{
	struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	if (member)
		member->latency_ms = latency_ms;
	pthread_mutex_unlock(&fleet->mutex);
}

void fleet_pulse_of(struct fleet *fleet, struct machine_id machine, struct fleet_pulse *ret_pulse)
{
	static const struct member unknown;
	const struct member *member;

	pthread_mutex_lock(&fleet->mutex);
	member = find(fleet, machine);
	pulse_of(fleet, member ? member : &unknown, ret_pulse);
	pthread_mutex_unlock(&fleet->mutex);
}

void fleet_each(struct fleet *fleet,
		void (*fn)(void *arg, const struct fleet_machine *machine,
			   const struct fleet_pulse *pulse),
		void *arg)
{
	struct fleet_pulse pulse;

	pthread_mutex_lock(&fleet->mutex);
	for (size_t i = 0; i < fleet->n; i++)
		if (fleet->members[i].used) {
			pulse_of(fleet, &fleet->members[i], &pulse);
			fn(arg, &fleet->members[i].machine, &pulse);
		}
	pthread_mutex_unlock(&fleet->mutex);
}

void fleet_sweep(struct fleet *fleet)
{
	pthread_mutex_lock(&fleet->mutex);
	for (size_t i = 0; i < fleet->n; i++)
		for (size_t kind = 0; fleet->members[i].used && kind < FLEET_KINDS_MAX; kind++)
			if (!is_open(fleet, &fleet->members[i], kind))
				take_out(fleet, &fleet->members[i], kind);
	pthread_mutex_unlock(&fleet->mutex);
}

/* ---- the choice ---- */

struct choice {
	struct fleet *fleet;
	const struct fleet_query *query;
	struct matcher_need need;
	uint64_t random;
	struct matcher_candidate candidates[CANDIDATES];
	uint32_t slots[CANDIDATES];
	size_t n;
};

/* Holds a row that the scan found against the machine as it is. */
static void consider(struct choice *choice, uint32_t slot)
{
	const struct member *member = &choice->fleet->members[slot];
	const struct fleet_machine *m = &member->machine;
	struct fleet_pulse pulse;

	pulse_of(choice->fleet, member, &pulse);
	for (size_t kind = 0; kind < (m->n_gpus ? m->n_gpus : 1); kind++) {
		if (offer_failures(m, kind, pulse.online, choice->query) != 0)
			continue;
		choice->slots[choice->n] = slot;
		choice->candidates[choice->n++] = (struct matcher_candidate){
			.price = m->n_gpus ? m->gpu_hour : m->core_hour,
			.quality = (int32_t)m->quality,
			.latency_ms = (int32_t)member->latency_ms,
		};
		return;
	}
}

static void scan_segment(struct choice *choice, const struct segment *segment)
{
	struct matcher_columns columns = segment_columns(segment);
	uint32_t rows[CANDIDATES];
	size_t start, want = CANDIDATES - choice->n, n;

	if (columns.n == 0 || want == 0)
		return;
	start = (size_t)((unsigned __int128)choice->random * columns.n >> 64);
	n = matcher_scan(&columns, &choice->need, start, want, rows);
	for (size_t i = 0; i < n; i++)
		consider(choice, segment->slot[rows[i]]);
	if (choice->n > 0 || n < want)
		return;
	/* Rounding or an avoided machine hid behind every row: look at all, exactly. */
	for (size_t i = 0; i < columns.n && i < PROBES_MAX && choice->n < CANDIDATES; i++)
		consider(choice, segment->slot[(start + i) % columns.n]);
}

/* From the cheapest band upwards, until there are enough among the best. */
static void scan_shelves(struct choice *choice)
{
	struct fleet *fleet = choice->fleet;
	const struct shelf *meant[FLEET_MODELS_MAX];
	size_t n = 0, first;
	int last = SHELF_BANDS - 1;

	for (size_t i = 0; i < fleet->shelves.n; i++)
		if (shelf_is_meant(fleet->shelves.items[i], choice->query))
			meant[n++] = fleet->shelves.items[i];
	if (n == 0)
		return;
	first = (size_t)(choice->random % n);
	for (int band = 0; band <= last && choice->n < CANDIDATES; band++) {
		bool none = choice->n == 0;

		for (size_t i = 0; i < n; i++) {
			const struct segment *segment = meant[(first + i) % n]->bands[band];

			if (segment)
				scan_segment(choice, segment);
		}
		if (none && choice->n > 0 && band + BANDS_NEAR < last)
			last = band + BANDS_NEAR;
	}
}

int fleet_match(struct fleet *fleet, const struct fleet_query *query, struct random *random,
		bool *ret_found, struct fleet_machine *ret_machine)
{
	struct choice choice = { .fleet = fleet, .query = query, .need = shelf_need(query) };
	const struct member *member;
	uint64_t bits[2];
	int r;

	r = random_fill(random, bits, sizeof(bits));
	if (r < 0)
		return r;
	choice.random = bits[0];
	pthread_mutex_lock(&fleet->mutex);
	if (query->machine) {
		member = find(fleet, *query->machine);
		if (member)
			consider(&choice, (uint32_t)(member - fleet->members));
	} else {
		scan_shelves(&choice);
	}
	*ret_found = choice.n > 0;
	if (choice.n > 0)
		*ret_machine = fleet->members[choice.slots[matcher_choose(choice.candidates,
									  choice.n, bits[1])]]
				       .machine;
	pthread_mutex_unlock(&fleet->mutex);
	return 0;
}

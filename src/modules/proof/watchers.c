#include "modules/proof/watchers.h"

enum { TRIES = 16 };

size_t watchers_needed(size_t drawn, size_t least)
{
	return drawn < least ? drawn : drawn / 2 + 1;
}

static void draw_number(struct hasher *hasher, const struct watchers_call *call,
			const struct address *machine, uint32_t number, struct hash *ret_hash)
{
	static const char tag[] = "popw1/watch";
	uint8_t bytes[12];

	for (int b = 0; b < 8; b++)
		bytes[b] = (uint8_t)((uint64_t)call->hour >> (8 * b));
	for (int b = 0; b < 4; b++)
		bytes[8 + b] = (uint8_t)(number >> (8 * b));
	hasher_start(hasher);
	hasher_add(hasher, tag, sizeof(tag) - 1);
	hasher_add(hasher, call->beacon.bytes, HASH_SIZE);
	hasher_add(hasher, bytes, 8);
	hasher_add(hasher, machine->bytes, sizeof(machine->bytes));
	hasher_add(hasher, bytes + 8, 4);
	hasher_end(hasher, ret_hash);
}

static bool is_among(const struct proof_watcher *watchers, size_t n, const struct address *checker)
{
	for (size_t i = 0; i < n; i++)
		if (address_equal(&watchers[i].checker, checker))
			return true;
	return false;
}

static int compare_members(const void *a, const void *b)
{
	const struct checker_member *x = a, *y = b;

	return memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

void watchers_load(const struct watchers_call *call, const struct proof_watcher *known, size_t n)
{
	for (size_t i = 0; i < n && call->n_checkers > 0; i++) {
		const struct checker_member key = { .checker = known[i].checker };
		const struct checker_member *member = bsearch(
			&key, call->checkers, call->n_checkers, sizeof(key), compare_members);

		if (member)
			call->loads[member - call->checkers]++;
	}
}

/* One machine's. */
struct draw {
	const struct watchers_call *call;
	const struct proof_machine *machine;
	const struct proof_watcher *known; /* are drawn already */
	size_t n_known;
	struct proof_watcher *to; /* where they are added */
	size_t n;
};

static void try_place(struct draw *draw, size_t place)
{
	const struct watchers_call *call = draw->call;
	const struct checker_member *checker = &call->checkers[place];

	if (call->loads[place] >= call->most ||
	    account_equal(draw->machine->owner, checker->account) ||
	    is_among(draw->known, draw->n_known, &checker->checker) ||
	    is_among(draw->to, draw->n, &checker->checker))
		return;
	call->loads[place]++;
	draw->to[draw->n++] = (struct proof_watcher){ draw->machine->machine, checker->checker,
						      checker->account };
}

static bool is_full(const struct draw *draw)
{
	return draw->n_known + draw->n >= draw->call->wanted;
}

static void draw_machine(struct hasher *hasher, struct draw *draw)
{
	const struct watchers_call *call = draw->call;
	uint32_t tries = call->n_checkers > call->wanted ? (uint32_t)(TRIES * call->wanted) : 0;
	size_t place = call->n_checkers - 1;
	struct hash hash;
	uint64_t word;

	for (uint32_t number = 0; number < tries && !is_full(draw); number++) {
		draw_number(hasher, call, &draw->machine->machine.address, number, &hash);
		memcpy(&word, hash.bytes, sizeof(word));
		place = word % call->n_checkers;
		try_place(draw, place);
	}
	for (size_t i = 0; i < call->n_checkers && !is_full(draw); i++) {
		place = (place + 1) % call->n_checkers;
		try_place(draw, place);
	}
}

int watchers_draw(struct hasher *hasher, const struct watchers_call *call,
		  const struct proof_watcher *known, size_t n_known, struct arena *arena,
		  struct proof_watcher **ret_new, size_t *ret_n)
{
	struct proof_watcher *fresh = arena_array(arena, call->n_machines * call->wanted + 1,
						  sizeof(*fresh));
	size_t n = 0, at = 0;

	if (!fresh)
		return -ENOMEM;
	for (size_t m = 0; call->n_checkers > 0 && m < call->n_machines; m++) {
		const struct proof_machine *machine = &call->machines[m];
		struct draw draw = { .call = call, .machine = machine, .to = fresh + n };

		while (at < n_known &&
		       memcmp(&known[at].machine, &machine->machine, sizeof(machine->machine)) < 0)
			at++;
		draw.known = known + at;
		while (at < n_known && machine_equal(known[at].machine, machine->machine))
			at++, draw.n_known++;
		draw_machine(hasher, &draw);
		n += draw.n;
	}
	*ret_new = fresh;
	*ret_n = n;
	return 0;
}

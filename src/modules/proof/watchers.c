#include "modules/proof/watchers.h"

/* Of as many checkers as are wanted none is left out but by a chance of one to millions. */
enum { TRIES = 16 };

int watchers_compare(const void *a, const void *b)
{
	const struct proof_watcher *x = a, *y = b;
	int order = memcmp(&x->machine, &y->machine, sizeof(x->machine));

	return order != 0 ? order : memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

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

static bool owns(const struct proof_machine *machines, size_t n, struct account_id account)
{
	for (size_t i = 0; i < n; i++)
		if (account_equal(machines[i].owner, account))
			return true;
	return false;
}

static bool is_among(const struct proof_watcher *watchers, size_t n, const struct address *checker)
{
	for (size_t i = 0; i < n; i++)
		if (address_equal(&watchers[i].checker, checker))
			return true;
	return false;
}

/* One machine's: @known of it are drawn already. Returns how many are added at @to. */
static size_t draw_machine(struct hasher *hasher, const struct watchers_call *call,
			   const struct proof_machine *machine, size_t owners,
			   const struct proof_watcher *known, size_t n_known,
			   struct proof_watcher *to)
{
	size_t n = 0;

	for (uint32_t number = 0; n_known + n < call->wanted && number < TRIES * call->wanted;
	     number++) {
		const struct checker_member *checker;
		struct hash hash;
		uint64_t word;

		draw_number(hasher, call, &machine->machine.address, number, &hash);
		memcpy(&word, hash.bytes, sizeof(word));
		checker = &call->checkers[word % call->n_checkers];
		if (owns(machine, owners, checker->account) ||
		    is_among(known, n_known, &checker->checker) ||
		    is_among(to, n, &checker->checker))
			continue;
		to[n++] = (struct proof_watcher){ machine->machine, checker->checker,
						  checker->account };
	}
	return n;
}

int watchers_draw(struct hasher *hasher, const struct watchers_call *call,
		  const struct proof_watcher *known, size_t n_known, struct arena *arena,
		  struct proof_watcher **ret_new, size_t *ret_n)
{
	struct proof_watcher *fresh = arena_array(arena, call->n_machines * call->wanted + 1,
						  sizeof(*fresh));
	size_t n = 0, at = 0, owners;

	if (!fresh)
		return -ENOMEM;
	for (size_t m = 0; call->n_checkers > 0 && m < call->n_machines; m += owners) {
		const struct proof_machine *machine = &call->machines[m];
		size_t of_it = 0;

		for (owners = 1; m + owners < call->n_machines; owners++)
			if (!machine_equal(machine[owners].machine, machine->machine))
				break;
		while (at < n_known &&
		       memcmp(&known[at].machine, &machine->machine, sizeof(machine->machine)) < 0)
			at++;
		while (at + of_it < n_known &&
		       machine_equal(known[at + of_it].machine, machine->machine))
			of_it++;
		n += draw_machine(hasher, call, machine, owners, known + at, of_it, fresh + n);
	}
	*ret_new = fresh;
	*ret_n = n;
	return 0;
}

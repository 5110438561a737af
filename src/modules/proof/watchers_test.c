#include "modules/proof/watchers.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/clock.h"

enum { ARENA_BYTES = 256 << 20 };

struct fixture {
	struct hasher *hasher;
	struct arena *arena;
	struct watchers_call call;
	struct checker_member *checkers;
	struct proof_machine *machines;
	struct proof_watcher *drawn; /* by machine */
	size_t n;
};

/* Addresses ascend; machine i and checker i belong to account i. */
static void put_index(struct address *address, size_t i)
{
	for (size_t b = 4; b > 0; b--, i >>= 8)
		address->bytes[b - 1] = (uint8_t)i;
}

static size_t index_of(const struct address *address)
{
	const uint8_t *bytes = address->bytes;

	return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

static void set_up(struct fixture *f, size_t n_machines, size_t n_checkers)
{
	*f = (struct fixture){ 0 };
	assert_int_equal(hasher_new(&f->hasher), 0);
	assert_int_equal(arena_new(ARENA_BYTES, &f->arena), 0);
	f->machines = calloc(n_machines, sizeof(*f->machines));
	f->checkers = calloc(n_checkers, sizeof(*f->checkers));
	for (size_t i = 0; i < n_machines; i++) {
		put_index(&f->machines[i].machine.address, i);
		put_index(&f->machines[i].owner.address, i);
	}
	for (size_t i = 0; i < n_checkers; i++) {
		put_index(&f->checkers[i].checker, i);
		put_index(&f->checkers[i].account.address, i);
	}
	f->call = (struct watchers_call){ .hour = 7,
					  .wanted = 7,
					  .checkers = f->checkers,
					  .n_checkers = n_checkers,
					  .loads = calloc(n_checkers, sizeof(uint32_t)),
					  .most = 4096,
					  .machines = f->machines,
					  .n_machines = n_machines };
}

static void tear_down(struct fixture *f)
{
	free(f->machines);
	free(f->checkers);
	free(f->call.loads);
	arena_free(f->arena);
	hasher_free(f->hasher);
}

static void draw(struct fixture *f)
{
	assert_int_equal(watchers_draw(f->hasher, &f->call, NULL, 0, f->arena, &f->drawn, &f->n),
			 0);
}

/* Each machine has @each, all different, in order, and none is its owner's; no checker has more than its share. */
static void assert_drawn(const struct fixture *f, size_t each)
{
	assert_int_equal(f->n, f->call.n_machines * each);
	for (size_t i = 0; i < f->n; i++) {
		const struct proof_watcher *watcher = &f->drawn[i];

		assert_int_equal(index_of(&watcher->machine.address), i / each);
		assert_int_not_equal(index_of(&watcher->checker), i / each);
		for (size_t j = i / each * each; j < i; j++)
			assert_false(address_equal(&watcher->checker, &f->drawn[j].checker));
	}
	for (size_t i = 0; i < f->call.n_checkers; i++)
		assert_in_range(f->call.loads[i], 0, f->call.most);
}

static void who_is_drawn_stays_drawn(void **state _unused_)
{
	struct proof_watcher *first, *more, *none, all[8];
	size_t n_first, n_more, n_none, n = 0;
	struct fixture f;

	set_up(&f, 2, 9);
	f.call.wanted = 4;
	f.call.n_checkers = 2;
	assert_int_equal(watchers_draw(f.hasher, &f.call, NULL, 0, f.arena, &first, &n_first), 0);
	assert_int_equal(n_first, 2); /* each machine's owner has one of the two */
	f.call.n_checkers = 9;
	assert_int_equal(watchers_draw(f.hasher, &f.call, first, n_first, f.arena, &more, &n_more),
			 0);
	assert_int_equal(n_first + n_more, 8);
	for (size_t m = 0; m < 2; m++) {
		for (size_t i = 0; i < n_first; i++)
			if (index_of(&first[i].machine.address) == m)
				all[n++] = first[i];
		for (size_t i = 0; i < n_more; i++)
			if (index_of(&more[i].machine.address) == m)
				all[n++] = more[i];
	}
	f.drawn = all;
	f.n = n;
	assert_drawn(&f, 4);
	assert_int_equal(watchers_draw(f.hasher, &f.call, all, 8, f.arena, &none, &n_none), 0);
	assert_int_equal(n_none, 0);
	tear_down(&f);
}

/* To the last place: whoever has its share is passed over, and no machine is left out. */
static void shares_are_kept(void **state _unused_)
{
	enum { MACHINES = 600, CHECKERS_ = 12, EACH = 2 };
	struct fixture f;

	set_up(&f, MACHINES, CHECKERS_);
	f.call.wanted = EACH;
	f.call.most = MACHINES * EACH / CHECKERS_ + 1;
	draw(&f);
	assert_drawn(&f, EACH);
	/* What was drawn before counts, too. */
	memset(f.call.loads, 0, CHECKERS_ * sizeof(*f.call.loads));
	watchers_load(&f.call, f.drawn, f.n);
	for (size_t i = 0, sum = 0; i < CHECKERS_; i++) {
		sum += f.call.loads[i];
		assert_true(i + 1 < CHECKERS_ || sum == f.n);
	}
	tear_down(&f);
}

static void few_checkers_are_all_drawn(void **state _unused_)
{
	struct fixture f;

	set_up(&f, 40, 4);
	for (size_t i = 0; i < 4; i++)
		put_index(&f.checkers[i].account.address, 1000 + i);
	draw(&f);
	assert_int_equal(f.n, 40 * 4);
	tear_down(&f);
}

/* How long the drawing takes where it is long: said, not asserted. */
static void a_large_network_is_drawn(void **state _unused_)
{
	enum { MACHINES = 100000, CHECKERS_ = 1000 };
	uint32_t least = UINT32_MAX, most = 0;
	struct fixture f;
	int64_t start_ms;

	set_up(&f, MACHINES, CHECKERS_);
	start_ms = clock_mono_ms(&clock_system);
	draw(&f);
	print_message("%d machines, %d checkers: drawn in %" PRId64 " ms\n", MACHINES, CHECKERS_,
		      clock_mono_ms(&clock_system) - start_ms);
	assert_drawn(&f, 7);
	for (size_t i = 0; i < CHECKERS_; i++) {
		least = f.call.loads[i] < least ? f.call.loads[i] : least;
		most = f.call.loads[i] > most ? f.call.loads[i] : most;
	}
	/* 700 each, and six standard deviations. */
	assert_in_range(least, 700 - 160, 700);
	assert_in_range(most, 700, 700 + 160);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_drawn_stays_drawn),
		cmocka_unit_test(shares_are_kept),
		cmocka_unit_test(few_checkers_are_all_drawn),
		cmocka_unit_test(a_large_network_is_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

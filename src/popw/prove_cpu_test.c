#include "popw/prover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/cpu.h"
#include "popw/level_world.h"
#include "popw/prove_host.h"
#include "popw/prove_world.h"

static struct prover_device *open_cpu(unsigned int threads)
{
	struct prover_device *device = NULL;
	const char *detail = "";

	if (prover_cpu_open(threads, &device, &detail) < 0)
		fail_msg("%s", detail);
	return device;
}

/* Any number of threads, and one session behind another on the same device. */
static void test_threads(void **state)
{
	static const unsigned int threads[] = { 2, 3, 8 };
	struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		struct prover_device *device = open_cpu(threads[i]);

		world_assert_same(device, i, &plan);
		world_assert_same(device, i + 10, &plan);
		device->ops->close(device);
	}
}

static void check_level(void)
{
	struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);
	struct prover_device *device = open_cpu(2);
	_cleanup_(arena_freep) struct arena *arena = NULL;
	static struct hash first;
	static bool known;
	struct hasher *hasher;
	struct hash found;
	uint8_t *bytes;
	size_t len;

	assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
	assert_int_equal(hasher_new(&hasher), 0);
	world_prove(device, 77, &plan, arena, &bytes, &len);
	hasher_once(hasher, bytes, len, &found);
	if (known)
		assert_memory_equal(&found, &first, sizeof(found));
	first = found;
	known = true;
	hasher_free(hasher);
	device->ops->close(device);
}

static void test_levels(void **state)
{
	(void)state;
	at_every_level(check_level);
}

/* Trees that were not kept are made again, the same. */
static void test_trees_made_again(void **state)
{
	static const uint32_t tiles[] = { 0, 5, 63 };
	struct session plan = world_plan(SESSION_HAS_MATRIX);
	struct tile_opening kept[ARRAY_SIZE(tiles)], again[ARRAY_SIZE(tiles)];
	struct host_rounds all = { 0 }, one = { 0 };
	struct prg_key seed_g = { { 1, 2, 3 } }, seed_i = { { 4, 5, 6 } };
	struct crew *crew;
	struct hash a, b;

	(void)state;
	assert_int_equal(crew_new(2, &crew), 0);
	assert_int_equal(host_rounds_init(&all, crew, &seed_g, &plan.work, 1 << 20), 0);
	assert_int_equal(host_rounds_init(&one, crew, &seed_g, &plan.work, 0), 0);
	assert_true(all.kept);
	assert_false(one.kept);
	for (uint32_t round = 0; round < plan.work.rounds; round++) {
		assert_int_equal(host_rounds_run(&all, &seed_i, round, &a), 0);
		assert_int_equal(host_rounds_run(&one, &seed_i, round, &b), 0);
		assert_memory_equal(&a, &b, sizeof(a));
	}
	assert_int_equal(host_rounds_open(&all, &seed_i, 1, tiles, ARRAY_SIZE(tiles), kept), 0);
	assert_int_equal(host_rounds_open(&one, &seed_i, 1, tiles, ARRAY_SIZE(tiles), again), 0);
	assert_memory_equal(kept, again, sizeof(kept));
	host_rounds_done(&all);
	host_rounds_done(&one);
	crew_free(crew);
}

/* What cannot fit is refused in words before anything is taken. */
static void test_too_large(void **state)
{
	struct prover_device *device = open_cpu(1);
	struct session plan = world_plan(SESSION_HAS_WALK);
	struct prg_key key = { { 0 } };

	(void)state;
	plan.work.n_items = UINT32_MAX;
	assert_int_equal(device->ops->fill(device, &key, &plan.work), -ENOMEM);
	assert_non_null(strstr(device->detail, "the walk phase would take 1048"));
	device->ops->close(device);
}

static void test_too_many_threads(void **state)
{
	struct prover_device *device;
	const char *detail = "";

	(void)state;
	assert_int_equal(prover_cpu_open(PROVER_THREADS_MAX + 1, &device, &detail), -EINVAL);
	assert_string_equal(detail, "too many threads: at most 1024");
}

static void test_info(void **state)
{
	struct prover_device *device = open_cpu(3);
	struct prover_info info;

	(void)state;
	device->ops->info(device, &info);
	assert_non_null(strstr(info.name, "3 threads"));
	assert_true(info.memory_bytes > 0);
	device->ops->close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),          cmocka_unit_test(test_levels),
		cmocka_unit_test(test_trees_made_again), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_too_many_threads), cmocka_unit_test(test_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

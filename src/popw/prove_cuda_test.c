#include "popw/prover.h"

#include "popw/gpu_world.h"
#include "popw/prove_world.h"

/* Runs on a GPU where there is one, and on tests/emulate's, which runs the same kernels on the CPU. Elsewhere it
 * holds the prover to saying that there is none. */
static struct prover_device *device_open(void)
{
	struct prover_device *device;
	const char *detail = "";
	const int r = prover_cuda_open(0, &device, &detail);

	if (r == PROVER_E_NONE) {
		assert_true(strlen(detail) > 0);
		print_message("skipped: %s\n", detail);
		/* CUDA cannot be run where there is no card; tests/emulate runs its kernels everywhere. */
		skip();
	}
	if (r)
		print_message("%s\n", detail);
	assert_int_equal(r, 0);
	return device;
}

static void test_a_device_says_what_it_is(void **state)
{
	const char *way = getenv("KAISAR_TEST_CUDA_WAY"); /* that the products must be made by */
	struct prover_device *device = device_open();
	struct prover_info info;

	(void)state;
	device->ops->info(device, &info);
	print_message("device: %s\n", info.name);
	assert_string_equal(device->ops->backend, "cuda");
	assert_true(info.memory_bytes > 0);
	if (way)
		assert_non_null(strstr(info.name, way));
	device->ops->close(device);
}

static void test_a_device_that_is_not_there_is_said(void **state)
{
	struct prover_device *device;
	const char *detail = NULL;

	(void)state;
	assert_int_equal(prover_cuda_open(9999, &device, &detail), PROVER_E_NONE);
	assert_non_null(detail);
}

static void test_walks_are_those_of_the_book(void **state)
{
	/* The second has fewer walks than a warp. */
	static const struct session_work works[] = {
		{ .n_items = 5003, .double_rounds = 3, .walks = 128, .steps = 9, .epochs = 3 },
		{ .n_items = 1024, .double_rounds = 1, .walks = 2, .steps = 5, .epochs = 2 },
	};
	struct prover_device *device = device_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		assert_walks(device, &works[i]);
	device->ops->close(device);
}

static void test_products_are_those_of_the_book(void **state)
{
	/* The last three are made with matrix units, where there are some: a row shorter than the stages, one
	 * longer, and two groups of rows of blocks. */
	static const struct session_work works[] = {
		{ .m = 16, .n = 16, .k = 64, .rounds = 2 },
		{ .m = 128, .n = 64, .k = 192, .rounds = 2 },
		{ .m = 32, .n = 256, .k = 64, .rounds = 2 },
		{ .m = 128, .n = 256, .k = 64, .rounds = 2 },
		{ .m = 128, .n = 256, .k = 384, .rounds = 1 },
		{ .m = 2048, .n = 512, .k = 64, .rounds = 1 },
	};
	struct prover_device *device = device_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		assert_matrices(device, &works[i]);
	device->ops->close(device);
}

static void test_the_vectors(void **state)
{
	struct prover_device *device = device_open();

	(void)state;
	assert_walk_vectors(device);
	assert_matrix_vectors(device);
	device->ops->close(device);
}

/* Every message of a session is the CPU's, byte for byte. */
static void test_sessions_are_the_cpus(void **state)
{
	const struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);
	struct prover_device *device = device_open();

	(void)state;
	world_assert_same(device, 50, &plan);
	device->ops->close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_device_says_what_it_is),
		cmocka_unit_test(test_a_device_that_is_not_there_is_said),
		cmocka_unit_test(test_walks_are_those_of_the_book),
		cmocka_unit_test(test_products_are_those_of_the_book),
		cmocka_unit_test(test_the_vectors),
		cmocka_unit_test(test_sessions_are_the_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

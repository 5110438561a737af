#include "popw/prover.h"

#include "popw/gpu_world.h"
#include "popw/prove_world.h"

/* PoCL and its compiler keep what they allocated until the process ends. What this side forgets is still
 * seen: it is not allocated in there. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libpocl\nleak:libLLVM\nleak:libOpenCL\nleak:libclang-cpp\n";
}

/* The first device of any platform; on machines without a GPU that is PoCL's. */
static struct prover_device *device_open(void)
{
	struct prover_device *device;
	const char *detail = "";
	const int r = prover_opencl_open(0, &device, &detail);

	if (r == PROVER_E_NONE) {
		print_message("skipped: %s\n", detail);
		/* Any machine of the suite has PoCL (deploy/packages); elsewhere there may be no OpenCL. */
		skip();
	}
	if (r)
		print_message("%s\n", detail);
	assert_int_equal(r, 0);
	return device;
}

static struct session_work walk_work(uint32_t n_items)
{
	return (struct session_work){ .n_items = n_items,
				      .double_rounds = 3,
				      .walks = 64,
				      .steps = 33,
				      .epochs = 3,
				      .open_walks = 8 };
}

static void test_walks_are_those_of_the_book(void **state)
{
	struct prover_device *device = device_open();
	const struct session_work work = walk_work(5003), other = walk_work(1024);

	(void)state;
	assert_walks(device, &work);
	/* A device is used again, for another work. */
	assert_walks(device, &other);
	device->ops->close(device);
}

/* 5003 items in buffers of 1024: five of them, the last one shorter. */
static void test_a_set_lies_in_several_buffers(void **state)
{
	struct prover_device *device = device_open();
	struct gpu *gpu = (struct gpu *)device;
	const struct session_work work = walk_work(5003);

	(void)state;
	gpu->allocation_max = 1024 * ITEM_BYTES + 77;
	assert_walks(device, &work);
	assert_int_equal(gpu->set.shift, 10);
	device->ops->close(device);
}

static void test_what_does_not_fit_is_said(void **state)
{
	struct prover_device *device = device_open();
	struct gpu *gpu = (struct gpu *)device;
	const struct prg_key seed = gpu_key(1);
	struct session_work work = walk_work(5003);

	(void)state;
	gpu->allocation_max = 512 * ITEM_BYTES; /* 8 of them hold 4096 items */
	assert_int_equal(device->ops->fill(device, &seed, &work), -ENOMEM);
	assert_non_null(strstr(device->detail, "data set"));
	/* It is usable behind that. */
	work.n_items = 4096;
	assert_walks(device, &work);
	device->ops->close(device);
}

static void test_products_are_those_of_the_book(void **state)
{
	static const struct session_work works[] = {
		{ .m = 16, .n = 16, .k = 64, .rounds = 2 },
		{ .m = 64, .n = 128, .k = 192, .rounds = 2 },
		{ .m = 128, .n = 32, .k = 256, .rounds = 2 },
		{ .m = 32, .n = 256, .k = 64, .rounds = 2 },
		{ .m = 256, .n = 64, .k = 1024, .rounds = 1 },
	};
	struct prover_device *device = device_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(works); i++)
		assert_matrices(device, &works[i]);
	device->ops->close(device);
}

/* Sums at the end of what K = 65536 can reach stay exact. */
static void test_the_longest_rows(void **state)
{
	const struct session_work work = { .m = 16, .n = 16, .k = MATRIX_K_MAX, .rounds = 1 };
	struct prover_device *device = device_open();

	(void)state;
	assert_matrices(device, &work);
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
	static const uint16_t flags[] = { SESSION_HAS_WALK | SESSION_HAS_MATRIX, SESSION_HAS_WALK,
					  SESSION_HAS_MATRIX };
	struct prover_device *device = device_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct session plan = world_plan(flags[i]);

		world_assert_same(device, 40 + i, &plan);
	}
	device->ops->close(device);
}

static void test_a_device_says_what_it_is(void **state)
{
	struct prover_device *device = device_open();
	struct prover_info info;

	(void)state;
	device->ops->info(device, &info);
	assert_string_equal(device->ops->backend, "opencl");
	assert_true(strlen(info.name) > 0 && info.memory_bytes > 0);
	print_message("device: %s\n", info.name);
	device->ops->close(device);
}

static void test_a_device_that_is_not_there_is_said(void **state)
{
	struct prover_device *device;
	const char *detail = NULL;

	(void)state;
	assert_int_equal(prover_opencl_open(9999, &device, &detail), PROVER_E_NONE);
	assert_non_null(detail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walks_are_those_of_the_book),
		cmocka_unit_test(test_a_set_lies_in_several_buffers),
		cmocka_unit_test(test_what_does_not_fit_is_said),
		cmocka_unit_test(test_products_are_those_of_the_book),
		cmocka_unit_test(test_the_longest_rows),
		cmocka_unit_test(test_the_vectors),
		cmocka_unit_test(test_sessions_are_the_cpus),
		cmocka_unit_test(test_a_device_says_what_it_is),
		cmocka_unit_test(test_a_device_that_is_not_there_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

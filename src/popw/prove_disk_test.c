#include "popw/prover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>

#include "popw/prove_world.h"

static struct prover_device *open_disk(const char *folder, unsigned int threads)
{
	struct prover_device *device = NULL;
	const char *detail = "";

	if (prover_disk_open(folder, threads, &device, &detail) < 0)
		fail_msg("%s: %s", folder, detail);
	return device;
}

static size_t count_files(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* What the CPU proves from memory, byte for byte, and nothing of it stays in the folder. Here, and in the
 * folder of the build, which need not be of the same kind. */
static void test_same(void **state)
{
	char folders[][32] = { "/tmp/popw-disk-XXXXXX", "./popw-disk-XXXXXX" };
	struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		struct prover_device *device;
		struct prover_info info;

		assert_non_null(mkdtemp(folders[i]));
		device = open_disk(folders[i], 0);
		device->ops->info(device, &info);
		print_message("%s\n", info.name);
		world_assert_same(device, 3, &plan);
		world_assert_same(device, 4, &plan);
		assert_int_equal(count_files(folders[i]), 2);
		device->ops->close(device);
		assert_int_equal(rmdir(folders[i]), 0);
	}
}

/* Of more items than are written at once, and a last block that is not full. */
static void test_chunks(void **state)
{
	char folder[] = "/tmp/popw-disk-XXXXXX";
	struct session plan = world_plan(SESSION_HAS_WALK);
	struct prover_device *device;

	(void)state;
	plan.work.n_items = 3 * 4096 + 17;
	plan.work.double_rounds = 1;
	assert_non_null(mkdtemp(folder));
	device = open_disk(folder, 5);
	world_assert_same(device, 6, &plan);
	device->ops->close(device);
	assert_int_equal(rmdir(folder), 0);
}

static void test_no_folder(void **state)
{
	struct prover_device *device;
	const char *detail = "";

	(void)state;
	assert_int_equal(prover_disk_open("/proc/nowhere", 1, &device, &detail), -ENOENT);
	assert_non_null(strstr(detail, "no file can be made"));
}

/* A disk that is too small says so. */
static void test_no_room(void **state)
{
	char folder[] = "/tmp/popw-disk-XXXXXX";
	struct session plan = world_plan(SESSION_HAS_WALK);
	struct prg_key key = { { 0 } };
	struct prover_device *device;
	struct prover_info info;

	(void)state;
	assert_non_null(mkdtemp(folder));
	device = open_disk(folder, 1);
	device->ops->info(device, &info);
	plan.work.n_items = UINT32_MAX;
	if (info.memory_bytes >= (uint64_t)plan.work.n_items * ITEM_BYTES) {
		print_message("skipped: /tmp has room for a TiB\n");
	} else {
		assert_true(device->ops->fill(device, &key, &plan.work) < 0);
		assert_non_null(strstr(device->detail, "1048576 MiB cannot be written"));
	}
	device->ops->close(device);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_no_folder),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

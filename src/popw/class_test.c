#include "popw/class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

static const struct class_row *row(const char *name)
{
	int class_ = class_find(name);

	assert_true(class_ >= 0);
	return &class_rows[class_];
}

static struct measured reference(const char *name)
{
	const struct class_row *of = row(name);

	return (struct measured){ of->matrix_mops, of->walk_kbps, of->set_mib };
}

static void rows_are_found_by_name(void **state _unused_)
{
	assert_int_equal(class_find("cpu"), CLASS_CPU);
	assert_int_equal(class_find("nvidia-h100-sxm-80gb"), 1);
	assert_int_equal(class_find("nvidia-h100"), -1);
	assert_int_equal(class_find(""), -1);
	for (size_t i = 0; i < class_rows_n; i++)
		assert_int_equal(class_find(class_rows[i].name), i);
}

/* The protocol's floors are what a claim needs at least. */
static void floors_are_the_protocols(void **state _unused_)
{
	static const struct {
		const char *name;
		uint64_t tops, gb_per_second;
		uint32_t gib;
	} floors[] = {
		{ "nvidia-h100-sxm-80gb", 1060, 1600, 67 },
		{ "nvidia-a100-sxm-80gb", 400, 980, 67 },
		{ "nvidia-a40", 190, 330, 40 },
		{ "nvidia-rtx-a6000", 200, 370, 40 },
		{ "nvidia-rtx-4090", 420, 480, 20 },
		{ "nvidia-t4", 50, 150, 13 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(floors); i++) {
		struct measured measured = { floors[i].tops * 1000000,
					     floors[i].gb_per_second * 1000000,
					     floors[i].gib * 1024 };
		uint16_t class_ = (uint16_t)class_find(floors[i].name);

		assert_true(class_satisfied(class_, &measured));
		measured.matrix_mops--;
		assert_false(class_satisfied(class_, &measured));
		measured.matrix_mops++, measured.walk_kbps--;
		assert_false(class_satisfied(class_, &measured));
		measured.walk_kbps++, measured.set_mib--;
		assert_false(class_satisfied(class_, &measured));
	}
}

static void nobody_satisfies_an_unknown_class(void **state _unused_)
{
	struct measured measured = { UINT64_MAX, UINT64_MAX, UINT32_MAX };

	assert_false(class_satisfied(CLASS_UNKNOWN, &measured));
	assert_true(class_satisfied(1, &measured));
}

static void the_best_paid_class_is_earned(void **state _unused_)
{
	struct measured measured = reference("nvidia-h100-sxm-80gb");

	assert_int_equal(class_best(&measured), class_find("nvidia-h100-sxm-80gb"));
	/* Still enough for the PCIe card, which is paid as much. */
	measured.matrix_mops = row("nvidia-h100-pcie-80gb")->matrix_mops;
	assert_int_equal(class_best(&measured), class_find("nvidia-h100-pcie-80gb"));
	measured.set_mib = 40 * 1024;
	assert_int_equal(class_best(&measured), class_find("nvidia-a40"));
	measured.set_mib = 1;
	assert_int_equal(class_best(&measured), CLASS_CPU);
	measured.set_mib = 0;
	assert_int_equal(class_best(&measured), -1);
}

static void the_lesser_share_scores(void **state _unused_)
{
	struct measured measured = reference("nvidia-h100-sxm-80gb");

	assert_int_equal(class_score_milli(1, &measured), 10000);
	measured.matrix_mops *= 3;
	assert_int_equal(class_score_milli(1, &measured), 10000);
	measured.walk_kbps = measured.walk_kbps / 10 * 9;
	assert_int_equal(class_score_milli(1, &measured), 9000);
	measured.walk_kbps--;
	assert_int_equal(class_score_milli(1, &measured), 8999);
	measured.matrix_mops = 0;
	assert_int_equal(class_score_milli(1, &measured), 0);
	assert_int_equal(class_score_milli(CLASS_CPU, &measured), 0);
}

static uint32_t unknown_score(uint64_t mops)
{
	struct measured measured = { .matrix_mops = mops, .walk_kbps = UINT64_MAX };

	return class_score_milli(CLASS_UNKNOWN, &measured);
}

/* Naming an unknown model does not get around the walk. */
static void unknown_models_need_memory_too(void **state _unused_)
{
	struct measured measured = { .matrix_mops = UINT64_MAX,
				     .walk_kbps = row("nvidia-a40")->walk_kbps };

	assert_int_equal(class_score_milli(CLASS_UNKNOWN, &measured), 2000);
	measured.walk_kbps = 0;
	assert_int_equal(class_score_milli(CLASS_UNKNOWN, &measured), 0);
}

static void unknown_models_score_by_speed(void **state _unused_)
{
	uint64_t slowest = row("nvidia-p100-pcie-16gb")->matrix_mops;
	uint64_t a40 = row("nvidia-a40")->matrix_mops, a6000 = row("nvidia-rtx-a6000")->matrix_mops;

	assert_int_equal(unknown_score(0), 0);
	assert_int_equal(unknown_score(slowest / 5), 50);
	assert_int_equal(unknown_score(slowest), 250);
	assert_int_equal(unknown_score(a40), 2000);
	assert_int_equal(unknown_score(a6000), 1500);
	assert_int_equal(unknown_score(a40 + (a6000 - a40) / 5), 1900);
	assert_int_equal(unknown_score(a40 + (a6000 - a40) / 5 + 1), 1899);
	assert_int_equal(unknown_score(UINT64_MAX), 10000);
}

/* Whatever there is, nothing earns more than its neighbours do. */
static void interpolation_stays_between(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 1);
	for (int i = 0; i < 10000; i++) {
		uint64_t mops = 0;
		uint32_t least = UINT32_MAX, most = 0, score;

		assert_int_equal(random_below(&seeded.random, 2000000000, &mops), 0);
		score = unknown_score(mops);
		for (size_t j = 1; j < class_rows_n; j++) {
			least = class_rows[j].score_milli < least ? class_rows[j].score_milli
								  : least;
			most = class_rows[j].score_milli > most ? class_rows[j].score_milli : most;
		}
		assert_true(score <= most);
		assert_true(score >= least || mops < row("nvidia-p100-pcie-16gb")->matrix_mops);
	}
}

static void assert_fits_a_session(const struct session_work *work)
{
	struct session session = { .kind = SESSION_REGISTRATION,
				   .device = SESSION_GPU,
				   .flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
				   .panel_size = 1,
				   .work = *work,
				   .fill_ms = 1,
				   .walk_ms = 1,
				   .matrix_ms = 1 };

	assert_int_equal(session_check(&session, NULL), 0);
}

static void every_classes_work_can_be_asked(void **state _unused_)
{
	static const uint64_t memories[] = { 0, 1 << 20, UINT64_C(6) << 30, UINT64_C(80) << 30,
					     UINT64_MAX };

	for (size_t i = 0; i <= class_rows_n; i++)
		for (size_t j = 0; j < ARRAY_SIZE(memories); j++) {
			struct session_work work;

			class_work(i < class_rows_n ? (uint16_t)i : CLASS_UNKNOWN, memories[j],
				   &work);
			assert_fits_a_session(&work);
			assert_true((uint64_t)work.walks * work.epochs * 320 <= UINT64_C(8) << 30);
		}
}

static void gpus_work_for_seconds(void **state _unused_)
{
	struct session_work work;

	/* 81,559 MiB, as NVML says. */
	class_work(1, UINT64_C(81559) << 20, &work);
	assert_int_equal(work.n_items, UINT64_C(81559) * 1048576 / 10 * 9 / 256);
	assert_true((uint64_t)work.n_items * 256 >> 20 >= class_rows[1].set_mib);
	assert_int_equal(work.epochs, 232); /* 2000 GB/s: 17.2 GB an epoch */
	assert_int_equal(work.rounds, 451); /* 1325 TOPS: 8.8e12 a round */
	assert_int_equal(work.open_walks, 64);
	assert_int_equal(work.open_tiles, 64);
	class_work((uint16_t)class_find("nvidia-rtx-4090"), UINT64_C(24564) << 20, &work);
	assert_int_equal(work.double_rounds, 1024);
	assert_int_equal(work.steps, 512);
	assert_int_equal(work.epochs, 139);
	assert_int_equal(work.rounds, 179);
}

/* Of 16 GB there are V100s, a 4080, an A4000, a T4, a 4070 Ti SUPER and a P100. */
static void unknown_models_work_like_those_of_their_size(void **state _unused_)
{
	struct session_work work;

	class_work(CLASS_UNKNOWN, UINT64_C(16) << 30, &work);
	assert_int_equal(work.double_rounds, 1024);
	assert_int_equal(work.rounds, 40);
	assert_int_equal(work.epochs, 93);
	class_work(CLASS_UNKNOWN, UINT64_C(1) << 30, &work);
	assert_int_equal(work.rounds, 27);
	class_work(CLASS_UNKNOWN, UINT64_C(192) << 30, &work);
	assert_int_equal(work.rounds, 284);
}

static void a_host_fills_half_its_memory(void **state _unused_)
{
	struct session_work work;

	class_work(CLASS_CPU, UINT64_C(64) << 30, &work);
	assert_int_equal(work.n_items, UINT64_C(32) << 30 >> 8);
	assert_int_equal(work.walks, 65536);
	class_work(CLASS_CPU, (UINT64_C(512) << 20) + 12345, &work);
	assert_int_equal(work.n_items, 256 << 20 >> 8);
	assert_int_equal(work.walks, 1024);
	class_work(CLASS_CPU, 0, &work);
	assert_int_equal(work.n_items, 1 << 20 >> 8);
	assert_int_equal(work.walks, 64);
	class_work(CLASS_CPU, UINT64_MAX, &work);
	assert_int_equal(work.n_items, UINT32_MAX / 4096 * 4096);
	assert_int_equal(work.double_rounds, 512);
	assert_int_equal(work.k, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_found_by_name),
		cmocka_unit_test(floors_are_the_protocols),
		cmocka_unit_test(nobody_satisfies_an_unknown_class),
		cmocka_unit_test(the_best_paid_class_is_earned),
		cmocka_unit_test(the_lesser_share_scores),
		cmocka_unit_test(unknown_models_score_by_speed),
		cmocka_unit_test(unknown_models_need_memory_too),
		cmocka_unit_test(interpolation_stays_between),
		cmocka_unit_test(every_classes_work_can_be_asked),
		cmocka_unit_test(gpus_work_for_seconds),
		cmocka_unit_test(unknown_models_work_like_those_of_their_size),
		cmocka_unit_test(a_host_fills_half_its_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

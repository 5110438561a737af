#include "modules/worker/fleet.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "modules/worker/offers.h"

static const char *const models[] = { "nvidia-rtx-4090", "nvidia-h100-sxm-80gb", "nvidia-t4" };

static int64_t below(struct random *random, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(random, bound, &value), 0);
	return (int64_t)value;
}

static struct machine_id machine_number(int64_t n)
{
	struct machine_id machine = { 0 };

	memcpy(machine.address.bytes + 4, &n, sizeof(n));
	return machine;
}

static struct fleet_machine random_machine(struct random *random, int64_t n)
{
	struct fleet_machine m = {
		.machine = machine_number(n),
		.paused = below(random, 8) == 0,
		.gpu_hour = below(random, 6) ? 100000 + below(random, 3000000) : 0,
		.core_hour = below(random, 6) ? 1000 + below(random, 50000) : 0,
		.cpu_milli = below(random, 65000),
		.memory_bytes = below(random, 512) << 30,
		.disk_bytes = below(random, 2048) << 30,
		.quality = below(random, 1001),
		.n_gpus = (size_t)below(random, 3),
	};

	for (size_t k = 0; k < m.n_gpus; k++) {
		snprintf(m.gpus[k].model, GPU_NAME_SIZE, "%s", models[(n + (int64_t)k) % 3]);
		m.gpus[k].total = 8;
		m.gpus[k].free = below(random, 9);
	}
	return m;
}

static struct fleet_query random_query(struct random *random)
{
	struct fleet_query query = {
		.gpus = below(random, 3) ? below(random, 5) : 0,
		.cpu_milli = 1 + below(random, 30000),
		.memory_bytes = 1 + (below(random, 128) << 30),
		.disk_bytes = 1 + (below(random, 512) << 30),
	};

	if (query.gpus > 0 && below(random, 2))
		query.model = models[below(random, 3)];
	if (below(random, 2))
		query.max_rate_hour.micro = 1 + below(random, 4000000);
	return query;
}

struct reference {
	const struct fleet_query *query;
	int64_t fitting, cheapest;
	bool chosen_fits;
	struct machine_id chosen;
};

/* The plain matcher: looks at everything. */
static void look(void *arg, const struct fleet_machine *m, const struct fleet_pulse *pulse)
{
	struct reference *reference = arg;
	int64_t price = m->n_gpus ? m->gpu_hour : m->core_hour;
	bool any = false;

	for (size_t k = 0; k < (m->n_gpus ? m->n_gpus : 1); k++)
		any |= offer_failures(m, k, pulse->online, reference->query) == 0;
	if (!any)
		return;
	if (reference->fitting++ == 0 || price < reference->cheapest)
		reference->cheapest = price;
	reference->chosen_fits |= machine_equal(m->machine, reference->chosen);
}

static void check_one(struct fleet *fleet, struct random *random)
{
	struct fleet_query query = random_query(random);
	struct reference reference = { .query = &query };
	struct fleet_machine chosen;
	bool found;

	assert_int_equal(fleet_match(fleet, &query, random, &found, &chosen), 0);
	if (found)
		reference.chosen = chosen.machine;
	fleet_each(fleet, look, &reference);
	assert_int_equal(found, reference.fitting > 0);
	if (!found)
		return;
	assert_true(reference.chosen_fits);
	/* Among the best: at most the cheapest band's own width and two bands more. */
	assert_true((chosen.n_gpus ? chosen.gpu_hour : chosen.core_hour) <= reference.cheapest * 2);
}

static void test_match_against_the_reference(void **state _unused_)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;
	struct random_seeded seeded;
	struct clock_fake clock;
	int64_t generation;

	random_seeded_init(&seeded, 3);
	clock_fake_init(&clock, 1000000);
	assert_int_equal(fleet_new(&clock.clock, 30000, &fleet), 0);
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 60; i++) {
			struct fleet_machine m = random_machine(&seeded.random,
								below(&seeded.random, 400));

			m.revision = round;
			assert_int_equal(fleet_put(fleet, &m), 0);
			if (below(&seeded.random, 10) > 0)
				fleet_heard(fleet, m.machine, below(&seeded.random, 10) > 0,
					    &generation);
			if (below(&seeded.random, 10) == 0)
				fleet_remove(fleet, machine_number(below(&seeded.random, 400)));
		}
		clock.ms += 4000;
		if (round % 3 == 0)
			fleet_sweep(fleet);
		for (int i = 0; i < 50; i++)
			check_one(fleet, &seeded.random);
	}
}

static struct fleet_machine gpu_machine(int64_t n)
{
	struct fleet_machine m = { .machine = machine_number(n),
				   .gpu_hour = 500000,
				   .cpu_milli = 8000,
				   .memory_bytes = 2LL << 30,
				   .disk_bytes = 100LL << 30,
				   .quality = 900,
				   .n_gpus = 1 };

	snprintf(m.gpus[0].model, GPU_NAME_SIZE, "%s", models[0]);
	m.gpus[0].total = m.gpus[0].free = 2;
	return m;
}

static void test_older_rows_do_not_replace_newer(void **state _unused_)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;
	struct fleet_query query = {
		.gpus = 1, .cpu_milli = 1, .memory_bytes = 1, .disk_bytes = 1
	};
	struct fleet_machine m = gpu_machine(1), chosen;
	struct clock_fake clock;
	int64_t generation;
	bool found;

	clock_fake_init(&clock, 5000);
	assert_int_equal(fleet_new(&clock.clock, 30000, &fleet), 0);
	m.revision = 7;
	m.generation = 3;
	m.gpus[0].free = 0;
	assert_int_equal(fleet_put(fleet, &m), 0);
	assert_true(fleet_heard(fleet, m.machine, true, &generation));
	assert_int_equal(generation, 3);
	m.revision = 6;
	m.gpus[0].free = 2;
	assert_int_equal(fleet_put(fleet, &m), 0);
	assert_int_equal(fleet_match(fleet, &query, &random_system, &found, &chosen), 0);
	assert_false(found);
	m.revision = 8;
	assert_int_equal(fleet_put(fleet, &m), 0);
	assert_int_equal(fleet_match(fleet, &query, &random_system, &found, &chosen), 0);
	assert_true(found);
	query.avoid = &m.machine;
	query.n_avoid = 1;
	assert_int_equal(fleet_match(fleet, &query, &random_system, &found, &chosen), 0);
	assert_false(found);
	assert_false(fleet_heard(fleet, machine_number(99), true, &generation));
}

static void test_silence_is_counted_from_the_start(void **state _unused_)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;
	struct fleet_machine m = gpu_machine(1);
	struct fleet_pulse pulse;
	struct clock_fake clock;
	int64_t generation;

	clock_fake_init(&clock, 1000000000);
	assert_int_equal(fleet_new(&clock.clock, 30000, &fleet), 0);
	assert_int_equal(fleet_put(fleet, &m), 0);
	clock.ms += 20000;
	fleet_pulse_of(fleet, m.machine, &pulse);
	assert_false(pulse.online);
	assert_int_equal(pulse.silent_ms, 20000);
	fleet_heard(fleet, m.machine, true, &generation);
	fleet_pulse_of(fleet, m.machine, &pulse);
	assert_true(pulse.online);
	assert_int_equal(pulse.silent_ms, 0);
	clock.ms += 30001;
	fleet_pulse_of(fleet, m.machine, &pulse);
	assert_false(pulse.online);
	fleet_heard(fleet, m.machine, false, &generation);
	fleet_pulse_of(fleet, m.machine, &pulse);
	assert_false(pulse.online);
}

static void test_explain_counts_and_helps(void **state _unused_)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;
	struct fleet_query query = { .model = models[0],
				     .gpus = 1,
				     .cpu_milli = 1000,
				     .memory_bytes = 8LL << 30,
				     .disk_bytes = 1LL << 30 };
	struct offer_why why;
	struct clock_fake clock;
	int64_t generation;

	clock_fake_init(&clock, 5000);
	assert_int_equal(fleet_new(&clock.clock, 30000, &fleet), 0);
	for (int i = 0; i < 6; i++) {
		struct fleet_machine m = gpu_machine(i);

		m.paused = i == 4;
		m.gpu_hour = i == 5 ? 0 : m.gpu_hour;
		assert_int_equal(fleet_put(fleet, &m), 0);
		if (i != 3)
			fleet_heard(fleet, m.machine, true, &generation);
	}
	offers_explain(fleet, &query, &why);
	assert_int_equal(why.excluded[OFFER_MEMORY], 6);
	assert_int_equal(why.excluded[OFFER_OFFLINE], 1);
	assert_int_equal(why.excluded[OFFER_PAUSED], 1);
	assert_int_equal(why.excluded[OFFER_NO_PRICE], 1);
	assert_int_equal(why.fitting, 0);
	assert_string_equal(why.hint, "3 offers would fit with memory of at most 2048 MiB");
	query.memory_bytes = 1;
	offers_explain(fleet, &query, &why);
	assert_int_equal(why.fitting, 3);
	assert_string_equal(why.hint, "");
	query.max_rate_hour.micro = 250000;
	offers_explain(fleet, &query, &why);
	assert_string_equal(why.hint, "3 offers would fit with max_rate_hour of at least 0.5");
}

static void test_list_is_ordered_and_bounded(void **state _unused_)
{
	_cleanup_(fleet_freep) struct fleet *fleet = NULL;
	struct fleet_query query = { .any_class = true };
	struct offer offers[5];
	struct clock_fake clock;
	int64_t generation;
	size_t n;

	clock_fake_init(&clock, 5000);
	assert_int_equal(fleet_new(&clock.clock, 30000, &fleet), 0);
	for (int i = 0; i < 20; i++) {
		struct fleet_machine m = gpu_machine(i);

		m.gpu_hour = 1000 * (1 + (i * 7) % 20);
		assert_int_equal(fleet_put(fleet, &m), 0);
		fleet_heard(fleet, m.machine, true, &generation);
	}
	offers_list(fleet, &query, OFFER_BY_PRICE, 5, offers, &n);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(offers[i].rate_hour.micro, 1000 * (int64_t)(i + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_match_against_the_reference),
		cmocka_unit_test(test_older_rows_do_not_replace_newer),
		cmocka_unit_test(test_silence_is_counted_from_the_start),
		cmocka_unit_test(test_explain_counts_and_helps),
		cmocka_unit_test(test_list_is_ordered_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

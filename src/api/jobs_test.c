#include "api/jobs.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <cmocka.h>

#include "io/loop.h"
#include "io/pool.h"

/* A job that waits for somebody else's machine until it is let go, and one of ours. */

static pthread_mutex_t hung = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(int) began, charged;

static int run_outside(const struct context *context, struct arena *arena)
{
	(void)context, (void)arena;
	atomic_fetch_add(&began, 1);
	pthread_mutex_lock(&hung);
	pthread_mutex_unlock(&hung);
	return 0;
}

static int run_charging(const struct context *context, struct arena *arena)
{
	(void)arena;
	/* Counted only while the other one hangs. */
	if (atomic_load(&began) > 0 && atomic_fetch_add(&charged, 1) == 20)
		loop_stop(context->loop);
	return 0;
}

static const struct job jobs_table[] = {
	{ "outside", 1, run_outside, .outside = true },
	{ "charging", 1, run_charging },
	{ 0 },
};
static const struct module module = { .name = "test", .jobs = jobs_table };

static void test_what_hangs_outside_holds_up_nothing(void **state)
{
	const struct module *const modules[] = { &module };
	struct context context = { .clock = &clock_system };

	(void)state;
	assert_int_equal(loop_new(&context.loop), 0);
	assert_int_equal(pool_new("background", 1, 8, &context.background), 0);
	assert_int_equal(pool_new("outside", 1, 8, &context.outside), 0);
	pthread_mutex_lock(&hung);
	assert_int_equal(jobs_start(&context, modules, 1, &context.jobs), 0);
	assert_int_equal(loop_run(context.loop), 0);
	assert_int_equal(atomic_load(&began), 1);
	jobs_stop(context.jobs);
	pthread_mutex_unlock(&hung);
	pool_free(context.background);
	pool_free(context.outside);
	jobs_free(context.jobs);
	loop_free(context.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_hangs_outside_holds_up_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

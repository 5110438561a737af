#include "api/duty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "api/settings.h"
#include "io/db_fixture.h"
#include "io/loop.h"
#include "io/migrate.h"

enum { DUTY_MS = 4000 };

static struct store store;
static struct clock_fake wall;
static struct settings settings = { .duty_ms = DUTY_MS, .instance_url = "http://127.0.0.1:1" };
static int begun, begin_fault;

static int on_begin(const struct context *context _unused_)
{
	begun++;
	return begin_fault;
}

static const struct module api = { .name = "api" };
static const struct module billing = { .name = "billing", .begin = on_begin };
static const struct module worker = { .name = "worker", .duty = NODES_DUTY };
static const struct module service = { .name = "service", .duty = NODES_DUTY };
static const struct module *const modules[] = { &api, &billing, &worker, &service };

/* One process. */
struct one {
	struct context context;
	struct duties *duties;
	bool lost;
};

static void on_lost(void *arg)
{
	struct one *one = arg;

	one->lost = true;
	loop_stop(one->context.loop);
}

static int start(struct one *one, uint8_t id, const char *serves)
{
	struct duties_config config = {
		.context = &one->context,
		.modules = modules,
		.n_modules = ARRAY_SIZE(modules),
		.serves = serves,
		.instance = { { id } },
		.version = "test",
		.lost = on_lost,
		.arg = one,
	};

	*one = (struct one){ .context = { .clock = &wall.clock,
					  .random = &random_system,
					  .db = store.db,
					  .settings = &settings } };
	assert_int_equal(loop_new(&one->context.loop), 0);
	return duties_start(&config, &one->duties);
}

static void begin_one(struct one *one, uint8_t id, const char *serves)
{
	assert_int_equal(start(one, id, serves), 0);
}

static void end_one(struct one *one)
{
	duties_give_back(one->duties);
	duties_free(one->duties);
	loop_free(one->context.loop);
}

/* As when the process was killed: nothing is given back. */
static void kill_one(struct one *one)
{
	duties_free(one->duties);
	loop_free(one->context.loop);
}

static void pass(int64_t ms)
{
	wall.ms += ms;
}

static void one_at_a_time(void **state _unused_)
{
	struct one first, second;

	begin_one(&first, 1, NULL);
	begin_one(&second, 2, NULL);
	assert_true(duties_hold(first.duties, "billing"));
	assert_true(duties_hold(first.duties, NODES_DUTY));
	assert_false(duties_hold(second.duties, "billing"));
	assert_false(duties_hold(first.duties, "worker"));
	/* As long as the first moves its beat, nobody waits long enough. */
	for (int i = 0; i < 8; i++) {
		pass(DUTY_MS - 1);
		assert_int_equal(duties_look(first.duties), 0);
		assert_int_equal(duties_look(second.duties), 0);
		assert_false(duties_hold(second.duties, "billing"));
	}
	assert_int_equal(begun, 1);
	end_one(&first);
	/* Given back: at once. */
	assert_int_equal(duties_look(second.duties), 0);
	assert_true(duties_hold(second.duties, "billing"));
	assert_int_equal(begun, 2);
	end_one(&second);
}

static int count_fn(struct tx *tx, void *arg _unused_)
{
	return tx_exec(tx, "UPDATE network SET address = address", SQL_NO_PARAMS, NULL);
}

static int write_for(struct one *one, const char *duty)
{
	int r;

	duty_fence(&one->context, duty);
	r = store_run(&store, TX_WRITE, count_fn, NULL);
	duty_fence(&one->context, NULL);
	return r;
}

static void who_was_silent_is_relieved_and_changes_nothing(void **state _unused_)
{
	struct one first, second;

	begin_one(&first, 1, NULL);
	begin_one(&second, 2, NULL);
	assert_int_equal(write_for(&first, "billing"), 0);
	pass(DUTY_MS - 1);
	assert_int_equal(duties_look(second.duties), 0);
	assert_false(duties_hold(second.duties, "billing"));
	pass(1);
	assert_int_equal(duties_look(second.duties), 0);
	assert_true(duties_hold(second.duties, "billing"));
	/* It does not know yet, but the store does. */
	assert_true(duties_hold(first.duties, "billing"));
	assert_int_equal(write_for(&first, "billing"), -ESTALE);
	assert_int_equal(write_for(&second, "billing"), 0);
	assert_int_equal(write_for(&first, NULL), 0);
	assert_int_equal(duties_look(first.duties), 0);
	assert_false(duties_hold(first.duties, "billing"));
	assert_int_equal(loop_run(first.context.loop), 0);
	assert_true(first.lost);
	/* It gives back nothing that is another's. */
	end_one(&first);
	assert_int_equal(duties_look(second.duties), 0);
	assert_true(duties_hold(second.duties, "billing"));
	assert_int_equal(write_for(&second, "billing"), 0);
	end_one(&second);
}

static void who_is_started_again_goes_on(void **state _unused_)
{
	struct one first, second;

	begin_one(&first, 1, NULL);
	begin_one(&second, 2, NULL);
	kill_one(&first);
	begin_one(&first, 1, NULL);
	assert_true(duties_hold(first.duties, "billing"));
	assert_int_equal(write_for(&first, "billing"), 0);
	assert_int_equal(
		store_number(&store, "SELECT token AS n FROM duties WHERE name = 'billing'"), 2);
	assert_int_equal(store_number(&store, "SELECT COUNT(*) AS n FROM instances"), 2);
	end_one(&first);
	end_one(&second);
}

static void some_modules_have_some_duties(void **state _unused_)
{
	struct one some;

	begin_one(&some, 1, "worker,billing");
	assert_true(duties_hold(some.duties, "billing"));
	/* It would need all that share one. */
	assert_false(duties_hold(some.duties, NODES_DUTY));
	assert_false(module_is_among(&service, "worker,billing"));
	assert_true(module_is_among(&worker, "billing,worker"));
	assert_false(module_is_among(&worker, "work,workers"));
	assert_true(module_is_among(&worker, NULL));
	end_one(&some);
	assert_int_equal(start(&some, 1, "worker,bilking"), -EINVAL);
	loop_free(some.context.loop);
}

static void a_module_that_cannot_begin_is_asked_again(void **state _unused_)
{
	struct one one, other;

	begin_one(&other, 2, NULL);
	begin_one(&one, 1, NULL);
	kill_one(&other);
	begin_fault = -EIO;
	pass(DUTY_MS);
	assert_int_equal(duties_look(one.duties), -EIO);
	assert_false(duties_hold(one.duties, "billing"));
	assert_true(duties_hold(one.duties, NODES_DUTY));
	begin_fault = 0;
	assert_int_equal(duties_look(one.duties), 0);
	assert_true(duties_hold(one.duties, "billing"));
	assert_int_equal(write_for(&one, "billing"), 0);
	end_one(&one);
}

static int set_up(void **state _unused_)
{
	begun = begin_fault = 0;
	clock_fake_init(&wall, 1000000);
	store_exec(&store, "DELETE FROM duties");
	store_exec(&store, "DELETE FROM instances");
	return 0;
}

static int run(enum store_kind kind)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_at_a_time, set_up),
		cmocka_unit_test_setup(who_was_silent_is_relieved_and_changes_nothing, set_up),
		cmocka_unit_test_setup(who_is_started_again_goes_on, set_up),
		cmocka_unit_test_setup(some_modules_have_some_duties, set_up),
		cmocka_unit_test_setup(a_module_that_cannot_begin_is_asked_again, set_up),
	};
	int applied, failed;

	store_open(&store, kind);
	if (migrate(store.db, migrations, &applied) < 0)
		abort();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	store_close(&store);
	return failed;
}

int main(void)
{
	return store_each(run);
}

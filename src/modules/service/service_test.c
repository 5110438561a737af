#include "modules/service/service_world.h"

#include <pthread.h>

#include "modules/billing/leaver.h"
#include "modules/service/service.h"

static const struct world_report pulling = { WORKER_PHASE_PULLING, "", 0 };
static const struct world_report starting = { WORKER_PHASE_STARTING, "", 0 };
static const struct world_report running = { WORKER_PHASE_RUNNING, "", 0 };
static const struct world_report exited = { WORKER_PHASE_EXITED, "exited", 3 };
static const struct world_report stopped = { WORKER_PHASE_EXITED, "stopped", 143 };
static const struct world_report pull_failed = { WORKER_PHASE_FAILED, "pull_failed", 0 };

/* An order of a tenant with 10 in the account. */
static struct rental_id ordered(struct world *world)
{
	struct rental_id id;

	world_credit(world, 10000000, "first");
	assert_int_equal(world_order(world, 0, &id), 0);
	return id;
}

static void says(struct world *world, struct rental_id id, struct world_report report)
{
	world_report(world, id, &report);
	world_turn(world);
}

static void an_order_is_placed_and_held_at_once(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);
	struct rental rental = world_rental(world, id);

	assert_state(world, id, RENTAL_QUEUED, RENTAL_REASON_NONE);
	assert_true(rental.placed);
	assert_int_equal(rental.attempts, 1);
	assert_int_equal(rental.rate_hour.micro, 3600000);
	/* A minute at 1000 a second. */
	assert_int_equal(world_available(world), 10000000 - 60000);
	assert_int_equal(
		world_count(world, "SELECT COUNT(*) AS n FROM worker_leases WHERE want = 1"), 1);
	world_check(world);
}

static void a_short_term_holds_less(void **state)
{
	struct world *world = *state;

	world->settings.hold_seconds = 3600;
	world_credit(world, 100000, "first");
	assert_int_equal(world_order(world, 90, NULL), 0);
	assert_int_equal(world_available(world), 10000);
}

static void a_life_is_billed_by_the_second(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, pulling);
	assert_state(world, id, RENTAL_PULLING, RENTAL_REASON_NONE);
	world_pass(world, 40000);
	says(world, id, starting);
	assert_state(world, id, RENTAL_STARTING, RENTAL_REASON_NONE);
	says(world, id, running);
	assert_state(world, id, RENTAL_RUNNING, RENTAL_REASON_NONE);
	assert_int_equal(world_rental(world, id).ports[0].host, 40000);
	world_pass(world, 100000);
	assert_int_equal(world_usage(world, id, 1, 100, false), 0);
	assert_int_equal(world_stop(world, id), 0);
	assert_state(world, id, RENTAL_STOPPING, RENTAL_REASON_NONE);
	world_pass(world, 1000);
	says(world, id, stopped);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_STOPPED_BY_TENANT);
	assert_int_equal(world_usage(world, id, 2, 101, true), 0);
	assert_int_equal(world_available(world), 10000000 - 101000);
	assert_int_equal(world_rental(world, id).exit_code, 143);
	world_check(world);
}

static void a_fast_start_goes_through_every_state(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, exited);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_EXITED);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rental_moves"), 4);
	assert_int_equal(world_rental(world, id).exit_code, 3);
	world_check(world);
}

static void an_order_that_fits_nowhere_leaves_nothing(void **state)
{
	struct world *world = *state;

	world_credit(world, 100000000, "first");
	for (int i = 0; i < MACHINES * CPUS; i++)
		assert_int_equal(world_order(world, 0, NULL), 0);
	assert_int_equal(world_order(world, 0, NULL), SERVICE_E_NO_CAPACITY);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rentals"), MACHINES * CPUS);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rental_orders"),
			 MACHINES * CPUS);
	assert_int_equal(world_available(world), 100000000 - MACHINES * CPUS * 60000);
	world_check(world);
}

static void an_order_that_cannot_be_paid_leaves_nothing(void **state)
{
	struct world *world = *state;

	world_credit(world, 59999, "first");
	assert_int_equal(world_order(world, 0, NULL), SERVICE_E_BALANCE);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rentals"), 0);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM worker_leases"), 0);
	assert_int_equal(world_available(world), 59999);
	world_check(world);
}

static void live_rentals_are_limited(void **state)
{
	struct world *world = *state;
	struct rental_id id;

	world->cpu_milli = 100;
	world_credit(world, 100000000, "first");
	for (int i = 0; i < RENTALS_LIVE_MAX; i++)
		assert_int_equal(world_order(world, 0, &id), 0);
	assert_int_equal(world_order(world, 0, NULL), SERVICE_E_TOO_MANY);
	assert_int_equal(world_stop(world, id), 0);
	assert_int_equal(world_order(world, 0, NULL), 0);
	world_check(world);
}

static void three_machines_are_tried_and_nothing_is_billed(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	for (int attempt = 1; attempt <= RENTAL_ATTEMPTS_MAX; attempt++) {
		assert_int_equal(world_rental(world, id).attempts, attempt);
		says(world, id, pulling);
		assert_state(world, id, RENTAL_PULLING, RENTAL_REASON_NONE);
		says(world, id, pull_failed);
	}
	assert_state(world, id, RENTAL_FAILED, RENTAL_PULL_FAILED);
	assert_int_equal(
		world_count(world, "SELECT COUNT(DISTINCT machine) AS n FROM rental_attempts"), 3);
	assert_int_equal(world_count(world, "SELECT COUNT(DISTINCT place) AS n FROM billing_leases "
					    "WHERE place BETWEEN 1 AND 3"),
			 3);
	assert_int_equal(world_available(world), 10000000);
	world_check(world);
}

static void with_nowhere_else_to_go_it_ends_with_its_logs(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);
	struct rental rental = world_rental(world, id);

	for (int i = 0; i < MACHINES * CPUS; i++)
		(void)!world_order(world, 0, NULL);
	says(world, id, pull_failed);
	assert_state(world, id, RENTAL_FAILED, RENTAL_PULL_FAILED);
	assert_true(world_rental(world, id).kept);
	assert_true(lease_id_equal(world_rental(world, id).lease, rental.lease));
	world_check(world);
}

static void a_missing_image_is_not_tried_again(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, (struct world_report){ WORKER_PHASE_FAILED, "image_not_found", 0 });
	assert_state(world, id, RENTAL_FAILED, RENTAL_IMAGE_NOT_FOUND);
	assert_int_equal(world_available(world), 10000000);
	world_check(world);
}

static void silence_before_the_run_moves_it(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);
	struct rental first = world_rental(world, id), second;

	says(world, id, pulling);
	world_silence(world, first.machine, true);
	world_pass(world, 65000);
	world_turn(world);
	second = world_rental(world, id);
	assert_int_equal(second.attempts, 2);
	assert_false(machine_equal(first.machine, second.machine));
	assert_state(world, id, RENTAL_QUEUED, RENTAL_REASON_NONE);
	world_check(world);
}

static void a_machine_that_never_begins_is_left(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	for (int attempt = 1; attempt <= RENTAL_ATTEMPTS_MAX; attempt++) {
		assert_int_equal(world_rental(world, id).attempts, attempt);
		world_pass(world, 30000);
		world_turn(world);
	}
	assert_state(world, id, RENTAL_FAILED, RENTAL_PLACE_TIMEOUT);
	world_check(world);
}

static void silence_after_the_run_loses_it(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, running);
	world_pass(world, 20000);
	assert_int_equal(world_usage(world, id, 1, 20, false), 0);
	world_silence(world, world_rental(world, id).machine, true);
	world_pass(world, 65000);
	world_turn(world);
	assert_state(world, id, RENTAL_LOST, RENTAL_WORKER_LOST);
	assert_int_equal(world_rental(world, id).ended_ms, START_MS + 20000);
	assert_int_equal(world_available(world), 10000000 - 20000);
	/* A machine that comes back is told to stop what it may still run. */
	assert_int_equal(world_count(world, "SELECT want AS n FROM worker_leases"), WORKER_STOP);
	world_check(world);
}

static int leave_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;

	return leaver_asked(&world->context, tx, "log:1", world->tenant, INT64_MAX);
}

static int stay_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;

	return leaver_cancelled(&world->context, tx, "log:2", world->tenant);
}

/* What it would use could not be settled any more. */
static void who_leaves_the_escrow_is_stopped(void **state)
{
	struct world *world = *state;
	struct rental_id id;

	world_credit(world, 10000000, "first");
	assert_int_equal(world_order(world, 0, &id), 0);
	says(world, id, running);
	assert_int_equal(world_tx(world, TX_WRITE, leave_fn, world), 0);
	world_turn(world);
	assert_state(world, id, RENTAL_STOPPING, RENTAL_REASON_NONE);
	says(world, id, stopped);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_LEFT_ESCROW);
	assert_int_equal(world_order(world, 0, NULL), SERVICE_E_LEAVING);
	assert_int_equal(world_count(world, "SELECT COUNT(*) AS n FROM rentals"), 1);
	world_check(world);
	assert_int_equal(world_tx(world, TX_WRITE, stay_fn, world), 0);
	assert_int_equal(world_order(world, 0, &id), 0);
	world_check(world);
}

/* Its machine does not begin in time, and no other attempt can be paid. */
static void who_leaves_the_escrow_is_not_placed_again(void **state)
{
	struct world *world = *state;
	struct rental_id id;

	world_credit(world, 10000000, "first");
	assert_int_equal(world_order(world, 0, &id), 0);
	assert_int_equal(world_tx(world, TX_WRITE, leave_fn, world), 0);
	world_turn(world);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_LEFT_ESCROW);
	assert_int_equal(world_available(world), 10000000);
	world_check(world);
}

static void an_empty_balance_stops_and_keeps_it(void **state)
{
	struct world *world = *state;
	struct rental_id id;

	world_credit(world, 60000, "first");
	assert_int_equal(world_order(world, 0, &id), 0);
	says(world, id, running);
	world_pass(world, 70000);
	assert_int_equal(world_usage(world, id, 1, 70, false), 0);
	world_turn(world);
	assert_state(world, id, RENTAL_STOPPING, RENTAL_REASON_NONE);
	says(world, id, stopped);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_BALANCE_EXHAUSTED);
	assert_int_equal(world_available(world), 0);
	assert_true(world_rental(world, id).kept);
	world_check(world);
	world_pass(world, world->settings.keep_stopped_ms - 1000);
	world_turn(world);
	assert_true(world_rental(world, id).kept);
	world_pass(world, 2000);
	world_turn(world);
	assert_false(world_rental(world, id).kept);
	assert_int_equal(world_count(world, "SELECT removed AS n FROM worker_leases"), 1);
	world_check(world);
}

static void a_term_stops_it(void **state)
{
	struct world *world = *state;
	struct rental_id id;

	world_credit(world, 1000000, "first");
	assert_int_equal(world_order(world, 60, &id), 0);
	says(world, id, running);
	assert_int_equal(world_rental(world, id).expires_ms, START_MS + 60000);
	world_pass(world, 60000);
	world_turn(world);
	assert_state(world, id, RENTAL_STOPPING, RENTAL_REASON_NONE);
	says(world, id, stopped);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_TERM_ENDED);
	world_check(world);
}

static void a_machine_that_does_not_stop_is_not_paid_for_it(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, running);
	world_pass(world, 10000);
	assert_int_equal(world_stop(world, id), 0);
	world_pass(world, 25000);
	assert_int_equal(world_usage(world, id, 1, 35, false), 0);
	world_turn(world);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_STOP_TIMEOUT);
	/* Ten seconds, and the one that had begun. */
	assert_int_equal(world_available(world), 10000000 - 11000);
	world_check(world);
}

static void a_stop_before_the_run_costs_nothing(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	says(world, id, pulling);
	assert_int_equal(world_stop(world, id), 0);
	assert_state(world, id, RENTAL_STOPPED, RENTAL_STOPPED_BY_TENANT);
	assert_int_equal(world_available(world), 10000000);
	assert_int_equal(world_stop(world, id), 0);
	world_check(world);
}

/* ---- through the routes ---- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int call(struct world *world, enum http_method method, const char *path, const char *param,
		json_t **ret_body)
{
	struct world_call call = {
		.method = method, .path = path, .account = world->tenant, .param = param
	};

	return world_call(world, &call, ret_body);
}

static int post(struct world *world, const char *json, json_t **ret_body)
{
	struct world_call call = {
		.method = HTTP_POST, .path = "/v1/rentals", .account = world->tenant, .json = json
	};

	return world_call(world, &call, ret_body);
}

static void a_tenant_orders_looks_stops_and_deletes(void **state)
{
	struct world *world = *state;
	struct rental_id id;
	char param[ID_TEXT_SIZE];
	json_t *body;

	world_credit(world, 10000000, "first");
	assert_int_equal(post(world, "{\"template\":\"busybox\",\"name\":\"web\"}", &body), 201);
	assert_string_equal(text_of(body, "state"), "queued");
	assert_string_equal(text_of(body, "billing"), "none");
	assert_string_equal(text_of(body, "rate_hour"), "3.6");
	assert_string_equal(text_of(body, "image"), "docker.io/library/busybox:1.36");
	snprintf(param, sizeof(param), "%s", text_of(body, "id"));
	assert_int_equal(rental_id_parse(param, &id), 0);
	json_decref(body);

	assert_int_equal(call(world, HTTP_DELETE, "/v1/rentals/{rental}", param, NULL),
			 SERVICE_E_STATE);
	says(world, id, running);
	assert_int_equal(call(world, HTTP_GET, "/v1/rentals/{rental}", param, &body), 200);
	assert_string_equal(text_of(body, "state"), "running");
	assert_string_equal(text_of(body, "billing"), "metering");
	json_decref(body);
	assert_int_equal(call(world, HTTP_POST, "/v1/rentals/{rental}/stop", param, &body), 200);
	assert_string_equal(text_of(body, "state"), "stopping");
	json_decref(body);
	says(world, id, stopped);
	assert_int_equal(call(world, HTTP_GET, "/v1/rentals/{rental}/history", param, &body), 200);
	assert_int_equal(json_array_size(json_object_get(body, "items")), 5);
	json_decref(body);
	assert_int_equal(call(world, HTTP_DELETE, "/v1/rentals/{rental}", param, NULL), 204);
	assert_int_equal(call(world, HTTP_GET, "/v1/rentals/{rental}", param, NULL),
			 ROUTE_E_NOT_FOUND);
	assert_int_equal(world_count(world, "SELECT removed AS n FROM worker_leases"), 1);
	world_check(world);
}

static void a_foreign_rental_is_unknown(void **state)
{
	static const struct {
		enum http_method method;
		const char *path;
	} all[] = {
		{ HTTP_GET, "/v1/rentals/{rental}" },
		{ HTTP_GET, "/v1/rentals/{rental}/history" },
		{ HTTP_POST, "/v1/rentals/{rental}/stop" },
		{ HTTP_DELETE, "/v1/rentals/{rental}" },
		{ HTTP_GET, "/v1/rentals/{rental}/logs" },
		{ HTTP_GET, "/v1/rentals/{rental}/exec" },
		{ HTTP_GET, "/v1/rentals/{rental}/stats" },
	};
	struct world *world = *state;
	struct rental_id id = ordered(world);
	char param[ID_TEXT_SIZE];

	says(world, id, running);
	rental_id_text(&id, param);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct world_call foreign = { .method = all[i].method,
					      .path = all[i].path,
					      .account = world->provider,
					      .param = param };

		assert_int_equal(world_call(world, &foreign, NULL), ROUTE_E_NOT_FOUND);
		foreign.account = world->tenant;
		foreign.param = "rnt-00000000000000000000000000";
		assert_int_equal(world_call(world, &foreign, NULL), ROUTE_E_NOT_FOUND);
		foreign.param = "nonsense";
		assert_int_equal(world_call(world, &foreign, NULL), ROUTE_E_NOT_FOUND);
	}
	assert_state(world, id, RENTAL_RUNNING, RENTAL_REASON_NONE);
}

static void lists_are_paged_from_the_youngest(void **state)
{
	struct world *world = *state;
	struct world_call list = { .method = HTTP_GET,
				   .path = "/v1/rentals",
				   .account = world->tenant,
				   .query = "{\"limit\":2}" };
	struct rental_id ids[3];
	char youngest[ID_TEXT_SIZE], query[128];
	json_t *body;

	world_credit(world, 10000000, "first");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		world_pass(world, 10);
		assert_int_equal(world_order(world, 0, &ids[i]), 0);
	}
	assert_int_equal(world_call(world, &list, &body), 200);
	assert_int_equal(json_array_size(json_object_get(body, "items")), 2);
	rental_id_text(&ids[2], youngest);
	assert_string_equal(text_of(json_array_get(json_object_get(body, "items"), 0), "id"),
			    youngest);
	snprintf(query, sizeof(query), "{\"limit\":2,\"cursor\":\"%s\"}", text_of(body, "next"));
	json_decref(body);
	list.query = query;
	assert_int_equal(world_call(world, &list, &body), 200);
	assert_int_equal(json_array_size(json_object_get(body, "items")), 1);
	assert_true(json_is_null(json_object_get(body, "next")));
	json_decref(body);
	list.query = "{\"state\":\"running\"}";
	assert_int_equal(world_call(world, &list, &body), 200);
	assert_int_equal(json_array_size(json_object_get(body, "items")), 0);
	json_decref(body);
}

static void refusals_are_told_apart(void **state)
{
	struct world *world = *state;
	struct rental_id id;
	char param[ID_TEXT_SIZE];

	assert_int_equal(post(world, "{\"image\":\"busybox\"}", NULL), SERVICE_E_BALANCE);
	world_credit(world, 10000000, "first");
	assert_int_equal(post(world, "{\"template\":\"none\"}", NULL), SERVICE_E_TEMPLATE);
	assert_int_equal(post(world, "{\"image\":\"Bad\"}", NULL), ROUTE_E_FIELD);
	assert_int_equal(post(world, "{\"image\":\"busybox\",\"gpus\":1}", NULL),
			 SERVICE_E_NO_CAPACITY);
	assert_int_equal(world_order(world, 0, &id), 0);
	rental_id_text(&id, param);
	assert_int_equal(call(world, HTTP_GET, "/v1/rentals/{rental}/exec", param, NULL),
			 SERVICE_E_NOT_RUNNING);
	world_silence(world, world_rental(world, id).machine, true);
	world_pass(world, 20000);
	assert_int_equal(call(world, HTTP_GET, "/v1/rentals/{rental}/logs", param, NULL),
			 SERVICE_E_OFFLINE);
	world_check(world);
}

static void templates_are_orders(void **state)
{
	struct world *world = *state;
	json_t *body, *item;
	size_t i;

	assert_int_equal(call(world, HTTP_GET, "/v1/templates", NULL, &body), 200);
	assert_true(json_array_size(json_object_get(body, "items")) >= 7);
	json_array_foreach(json_object_get(body, "items"), i, item) {
		char order[128];

		/* It resolves: only the GPU may be missing here, and money. */
		snprintf(order, sizeof(order), "{\"template\":\"%s\",\"gpus\":0}",
			 text_of(item, "name"));
		assert_int_equal(post(world, order, NULL), SERVICE_E_BALANCE);
	}
	json_decref(body);
	assert_int_equal(call(world, HTTP_GET, "/v1/templates/{name}", "cuda", &body), 200);
	assert_int_equal(json_integer_value(json_object_get(body, "gpus")), 1);
	json_decref(body);
	assert_int_equal(call(world, HTTP_GET, "/v1/templates/{name}", "none", NULL),
			 ROUTE_E_NOT_FOUND);
}

/* ---- faults ---- */

/* From a report of an exit on, every statement may fail once: the end is the same. */
static void any_statement_may_fail_once(void **state)
{
	struct world *world = *state;
	unsigned int n = 0;
	bool failed;

	world_credit(world, 1000000000, "first");
	do {
		struct rental_id id;
		int64_t moves;
		int r;

		assert_int_equal(world_order(world, 0, &id), 0);
		world_report(world, id, &running);
		assert_int_equal(world_settle(world, id), 0);
		world_pass(world, 2000);
		world_report(world, id, &exited);
		moves = world_rental(world, id).n_moves;
		db_fault_at(world->db, DB_FAULT_STATEMENT, ++n, -EIO);
		r = world_settle(world, id);
		db_fault_at(world->db, DB_FAULT_STATEMENT, 0, 0);
		failed = r == -EIO;
		if (failed)
			assert_int_equal(world_rental(world, id).n_moves, moves);
		else
			assert_int_equal(r, 0);
		assert_int_equal(world_settle(world, id), 0);
		assert_state(world, id, RENTAL_STOPPED, RENTAL_EXITED);
		assert_int_equal(world_rental(world, id).n_moves, moves + 1);
		world_check(world);
	} while (failed);
	assert_true(n > 8);
}

static void a_commit_that_fails_changes_nothing(void **state)
{
	struct world *world = *state;
	struct rental_id id = ordered(world);

	world_report(world, id, &pull_failed);
	db_fault_at(world->db, DB_FAULT_COMMIT, 1, -EIO);
	assert_int_equal(world_settle(world, id), -EIO);
	assert_int_equal(world_rental(world, id).attempts, 1);
	world_check(world);
	assert_int_equal(world_settle(world, id), 0);
	assert_int_equal(world_rental(world, id).attempts, 2);
	world_check(world);
}

struct racer {
	struct world *world;
	struct rental_id id;
	pthread_t thread;
	int r;
};

static int race_fn(struct tx *tx, void *arg)
{
	struct racer *racer = arg;

	return rental_settle(&racer->world->context, tx, racer->id);
}

static void *race(void *arg)
{
	struct racer *racer = arg;
	_cleanup_(arena_freep) struct arena *arena = NULL;

	racer->r = arena_new(8 << 20, &arena);
	if (racer->r == 0)
		racer->r = db_run(racer->world->db, TX_WRITE, arena, race_fn, racer);
	return NULL;
}

static void two_reconcilers_do_no_harm(void **state)
{
	static const struct world_report reports[] = {
		{ WORKER_PHASE_FAILED, "pull_failed", 0 },
		{ WORKER_PHASE_PULLING, "", 0 },
		{ WORKER_PHASE_RUNNING, "", 0 },
		{ WORKER_PHASE_EXITED, "exited", 0 },
	};
	struct world *world = *state;
	struct rental_id id = ordered(world);

	for (size_t i = 0; i < ARRAY_SIZE(reports); i++) {
		struct racer racers[3];

		world_report(world, id, &reports[i]);
		for (size_t j = 0; j < ARRAY_SIZE(racers); j++) {
			racers[j] = (struct racer){ .world = world, .id = id };
			assert_int_equal(pthread_create(&racers[j].thread, NULL, race, &racers[j]),
					 0);
		}
		for (size_t j = 0; j < ARRAY_SIZE(racers); j++) {
			pthread_join(racers[j].thread, NULL);
			assert_int_equal(racers[j].r, 0);
		}
		world_check(world);
	}
	assert_state(world, id, RENTAL_STOPPED, RENTAL_EXITED);
	/* queued, queued elsewhere, pulling, starting, running, stopped. */
	assert_int_equal(world_rental(world, id).n_moves, 6);
	assert_int_equal(world_rental(world, id).attempts, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(an_order_is_placed_and_held_at_once),
		WORLD_TEST(a_short_term_holds_less),
		WORLD_TEST(a_life_is_billed_by_the_second),
		WORLD_TEST(a_fast_start_goes_through_every_state),
		WORLD_TEST(an_order_that_fits_nowhere_leaves_nothing),
		WORLD_TEST(an_order_that_cannot_be_paid_leaves_nothing),
		WORLD_TEST(live_rentals_are_limited),
		WORLD_TEST(three_machines_are_tried_and_nothing_is_billed),
		WORLD_TEST(with_nowhere_else_to_go_it_ends_with_its_logs),
		WORLD_TEST(a_missing_image_is_not_tried_again),
		WORLD_TEST(silence_before_the_run_moves_it),
		WORLD_TEST(a_machine_that_never_begins_is_left),
		WORLD_TEST(silence_after_the_run_loses_it),
		WORLD_TEST(who_leaves_the_escrow_is_stopped),
		WORLD_TEST(who_leaves_the_escrow_is_not_placed_again),
		WORLD_TEST(an_empty_balance_stops_and_keeps_it),
		WORLD_TEST(a_term_stops_it),
		WORLD_TEST(a_machine_that_does_not_stop_is_not_paid_for_it),
		WORLD_TEST(a_stop_before_the_run_costs_nothing),
		WORLD_TEST(a_tenant_orders_looks_stops_and_deletes),
		WORLD_TEST(a_foreign_rental_is_unknown),
		WORLD_TEST(lists_are_paged_from_the_youngest),
		WORLD_TEST(refusals_are_told_apart),
		WORLD_TEST(templates_are_orders),
		WORLD_TEST(any_statement_may_fail_once),
		WORLD_TEST(a_commit_that_fails_changes_nothing),
		WORLD_TEST(two_reconcilers_do_no_harm),
	};

	return world_run(tests, ARRAY_SIZE(tests)) + model_tests() + probe_tests();
}

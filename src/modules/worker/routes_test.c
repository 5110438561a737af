/* The module's routes, as the api calls them: tables decode, handlers answer. */
#include "base/codec.h"
#include "modules/worker/worker_world.h"

struct ask {
	struct world *world;
	const struct route *route;
	struct account_id caller;
	const char *param, *body, *query;
	struct reply reply;
	struct field_error error;
};

static const struct route *route_of(enum http_method method, const char *path)
{
	for (const struct route *route = worker_module.routes; route->handler; route++)
		if (route->method == method && strcmp(route->path, path) == 0)
			return route;
	fail_msg("no route %s", path);
	return NULL;
}

static int ask_fn(struct tx *tx, void *arg)
{
	struct ask *ask = arg;
	char body[512] = { 0 }, query[512] = { 0 };
	struct request request = { .context = &ask->world->context,
				   .arena = tx_arena(tx),
				   .caller = { .known = true, .account = ask->caller },
				   .params = { ask->param },
				   .body = body,
				   .query = query };
	int r = 0;

	json_decref(ask->reply.body);
	ask->reply = (struct reply){ .status = 200 };
	assert_true(ask->route->body.size <= sizeof(body) &&
		    ask->route->query.size <= sizeof(query));
	if (ask->route->body.fields)
		r = field_decode(ask->body, strlen(ask->body), ask->route->body.fields,
				 tx_arena(tx), body, &ask->error);
	if (r == 0 && ask->route->query.fields)
		r = field_decode_query(ask->query ? ask->query : "",
				       ask->query ? strlen(ask->query) : 0,
				       ask->route->query.fields, tx_arena(tx), query, &ask->error);
	return r != 0 ? ROUTE_E_FIELD : ask->route->handler(&request, tx, &ask->reply);
}

static int ask_route(struct ask *ask, enum http_method method, const char *path)
{
	ask->route = route_of(method, path);
	assert_int_not_equal(ask->route->permission, PERM_UNSET);
	return store_run(&ask->world->store, TX_WRITE, ask_fn, ask);
}

static const char *text_of(const struct ask *ask, const char *name)
{
	const char *text = json_string_value(json_object_get(ask->reply.body, name));

	assert_non_null(text);
	return text;
}

static int64_t count_of(const struct ask *ask, const char *name)
{
	return (int64_t)json_array_size(json_object_get(ask->reply.body, name));
}

static void test_a_machine_joins_by_command(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world, .caller = account_of(1), .body = "{\"name\":\"rig\"}" };
	char token[SECRET_TEXT_SIZE], machine[ADDRESS_TEXT_SIZE], body[512], signature[131];
	char command[256];
	struct worker_join joining;

	assert_int_equal(ask_route(&ask, HTTP_POST, "/v1/workers/tokens"), 0);
	assert_int_equal(ask.reply.status, 201);
	snprintf(token, sizeof(token), "%s", text_of(&ask, "token"));
	snprintf(command, sizeof(command), "kaisar worker join http://127.0.0.1:7070 %s", token);
	assert_string_equal(text_of(&ask, "command"), command);
	sign_join(world, token, 0, &joining);
	hex_encode(joining.signature, sizeof(joining.signature), signature);
	address_text(&joining.machine.address, machine);
	snprintf(body, sizeof(body), "{\"token\":\"%s\",\"machine\":\"%s\",\"signature\":\"0x%s\"}",
		 token, machine, signature);
	ask.body = body;
	assert_int_equal(ask_route(&ask, HTTP_POST, "/v1/workers/join"), 0);
	assert_int_equal(ask.reply.status, 201);
	assert_string_equal(text_of(&ask, "machine"), machine);
	assert_string_equal(text_of(&ask, "name"), "rig");
	assert_int_equal(ask_route(&ask, HTTP_POST, "/v1/workers/join"), WORKER_E_JOIN_TOKEN);
	ask.body = "{\"token\":\"x\"}";
	assert_int_equal(ask_route(&ask, HTTP_POST, "/v1/workers/join"), ROUTE_E_FIELD);
	ask.param = machine;
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/workers/{machine}"), 0);
	assert_string_equal(text_of(&ask, "state"), "joining");
	json_decref(ask.reply.body);
}

static void test_what_is_not_given_is_not_changed(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world,
			   .caller = account_of(0x77),
			   .body = "{\"paused\":true}" };
	char machine[ADDRESS_TEXT_SIZE];

	set_up_machine(world, 0, 1);
	address_text(&world->machines[0].address, machine);
	ask.param = machine;
	assert_int_equal(ask_route(&ask, HTTP_PATCH, "/v1/workers/{machine}"), 0);
	assert_true(json_is_true(json_object_get(ask.reply.body, "paused")));
	assert_string_equal(text_of(&ask, "gpu_hour"), "0.5");
	ask.body = "{\"gpu_hour\":\"0\",\"name\":\"x\"}";
	assert_int_equal(ask_route(&ask, HTTP_PATCH, "/v1/workers/{machine}"), 0);
	assert_true(row_of(world, 0).paused);
	assert_int_equal(row_of(world, 0).gpu_hour.micro, 0);
	assert_int_equal(row_of(world, 0).core_hour.micro, 20000);
	ask.body = "{\"paused\":false}";
	assert_int_equal(ask_route(&ask, HTTP_PATCH, "/v1/workers/{machine}"), 0);
	assert_false(row_of(world, 0).paused);
	ask.body = "{\"gpu_hour\":\"1000.000001\"}";
	assert_int_equal(ask_route(&ask, HTTP_PATCH, "/v1/workers/{machine}"), ROUTE_E_FIELD);
	assert_string_equal(ask.error.field, "gpu_hour");
	json_decref(ask.reply.body);
}

static void test_foreign_machines_do_not_exist(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world, .caller = account_of(2), .body = "{}" };
	char machine[ADDRESS_TEXT_SIZE];
	static const enum http_method methods[] = { HTTP_GET, HTTP_PATCH, HTTP_DELETE };

	set_up_machine(world, 0, 1);
	address_text(&world->machines[0].address, machine);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		ask.param = machine;
		assert_int_equal(ask_route(&ask, methods[i], "/v1/workers/{machine}"),
				 ROUTE_E_NOT_FOUND);
		ask.param = "0xfish";
		assert_int_equal(ask_route(&ask, methods[i], "/v1/workers/{machine}"),
				 ROUTE_E_NOT_FOUND);
	}
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/workers"), 0);
	assert_int_equal(count_of(&ask, "items"), 0);
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/admin/workers"), 0);
	assert_int_equal(count_of(&ask, "items"), 1);
	json_decref(ask.reply.body);
}

static void test_lists_go_on_at_the_cursor(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world, .caller = account_of(0x77), .query = "limit=3" };
	char query[96];

	for (size_t i = 0; i < MACHINES; i++)
		set_up_machine(world, i, 0);
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/workers"), 0);
	assert_int_equal(count_of(&ask, "items"), 3);
	snprintf(query, sizeof(query), "limit=3&cursor=%s", text_of(&ask, "next"));
	ask.query = query;
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/workers"), 0);
	assert_int_equal(count_of(&ask, "items"), 1);
	assert_true(json_is_null(json_object_get(ask.reply.body, "next")));
	json_decref(ask.reply.body);
}

static void test_leases_keep_a_machine(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world, .caller = account_of(0x77) };
	struct worker_need need = need_of(1);
	struct worker_placement placement;
	char machine[ADDRESS_TEXT_SIZE];

	set_up_machine(world, 0, 1);
	address_text(&world->machines[0].address, machine);
	ask.param = machine;
	assert_int_equal(place(world, 1, &need, &placement), 0);
	assert_int_equal(ask_route(&ask, HTTP_DELETE, "/v1/workers/{machine}"), WORKER_E_BUSY);
	assert_int_equal(remove_lease(world, 1), 0);
	assert_int_equal(ask_route(&ask, HTTP_DELETE, "/v1/workers/{machine}"), 0);
	assert_int_equal(ask.reply.status, 204);
	json_decref(ask.reply.body);
}

static void test_offers_say_what_excludes(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world };
	const json_t *item;

	set_up_machine(world, 0, 2);
	set_up_machine(world, 1, 0);
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/offers"), 0);
	assert_int_equal(count_of(&ask, "items"), 2);
	ask.query = "gpu_model=RTX_4090&gpus=2&max_rate_hour=1";
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/offers"), 0);
	assert_int_equal(count_of(&ask, "items"), 1);
	item = json_array_get(json_object_get(ask.reply.body, "items"), 0);
	assert_string_equal(json_string_value(json_object_get(item, "rate_hour")), "1.0");
	assert_string_equal(json_string_value(json_object_get(item, "gpu_model")),
			    "nvidia-rtx-4090");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(ask.reply.body, "excluded"), "class")),
			 1);
	ask.query = "gpus=1&memory=64GiB";
	assert_int_equal(ask_route(&ask, HTTP_GET, "/v1/offers"), 0);
	assert_int_equal(count_of(&ask, "items"), 0);
	assert_string_equal(text_of(&ask, "hint"),
			    "1 offer would fit with memory of at most 16384 MiB");
	json_decref(ask.reply.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_machine_joins_by_command),
		WORLD_TEST(test_what_is_not_given_is_not_changed),
		WORLD_TEST(test_foreign_machines_do_not_exist),
		WORLD_TEST(test_lists_go_on_at_the_cursor),
		WORLD_TEST(test_leases_keep_a_machine),
		WORLD_TEST(test_offers_say_what_excludes),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

/* The module's routes, as the api calls them. */
#include "modules/rewards/rewards_world.h"

struct ask {
	struct world *world;
	const struct route *route;
	struct account_id caller;
	const char *param, *query;
	struct reply reply;
	char *plain; /* kept past the arena */
	struct field_error error;
};

static const struct route *route_of(const char *path)
{
	for (const struct route *route = rewards_module.routes; route->handler; route++)
		if (strcmp(route->path, path) == 0)
			return route;
	fail_msg("no route %s", path);
	return NULL;
}

static int ask_fn(struct tx *tx, void *arg)
{
	struct ask *ask = arg;
	char query[256] = { 0 };
	struct request request = { .context = &ask->world->context,
				   .arena = tx_arena(tx),
				   .caller = { .known = true, .account = ask->caller },
				   .params = { ask->param },
				   .query = query };
	int r = 0;

	if (ask->route->query.fields)
		r = field_decode_query(ask->query, strlen(ask->query), ask->route->query.fields,
				       tx_arena(tx), query, &ask->error);
	if (r == 0)
		r = ask->route->handler(&request, tx, &ask->reply);
	if (r == 0 && ask->reply.plain)
		ask->plain = strdup(ask->reply.plain);
	return r;
}

static int ask_route(struct ask *ask, const char *path)
{
	ask->route = route_of(path);
	ask->query = ask->query ? ask->query : "";
	json_decref(ask->reply.body);
	ask->reply = (struct reply){ 0 };
	return store_run(&ask->world->store, TX_READ, ask_fn, ask);
}

static const char *text_at(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	assert_non_null(text);
	return text;
}

static void close_epoch(struct world *world, int64_t n)
{
	world->clock.ms = WORLD_FROM_MS + n * WORLD_EPOCH_MS + CLOSING_GRACE_MS;
	assert_int_equal(settle(world), 0);
}

/* Two machines and a checker of one account, in three epochs, two rows a page. */
static void test_mine(void **state)
{
	static const struct rig rigs[] = { { 1, WORKER_PROVED, WORKER_PROVED, .hours = 5 },
					   { 2, WORKER_PROVED, WORKER_PROVED, .job_seconds = 9 } };
	static const struct {
		int64_t epoch;
		const char *kind, *pot, *units;
	} expected[] = {
		{ 2, "worker", "capacity", "0" },
		{ 1, "worker", "capacity", "0" },
		{ 0, "worker", "capacity", "700000000000000000000" },
	};
	struct world *world = *state;
	struct ask ask = { .world = world, .caller = account_of(1), .query = "limit=1" };
	char query[128];

	add_rig(world, &rigs[0]);
	add_rig(world, &rigs[1]);
	add_checker(world, 3, 4, 0, false);
	for (int64_t i = 1; i <= 3; i++)
		close_epoch(world, i);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		const json_t *items, *item, *next;

		assert_int_equal(ask_route(&ask, "/v1/rewards/mine"), 0);
		items = json_object_get(ask.reply.body, "items");
		next = json_object_get(ask.reply.body, "next");
		assert_int_equal(json_array_size(items), 1);
		item = json_array_get(items, 0);
		assert_int_equal(json_integer_value(json_object_get(item, "epoch")),
				 WORLD_NUMBER + expected[i].epoch);
		assert_string_equal(text_at(item, "kind"), expected[i].kind);
		assert_string_equal(text_at(item, expected[i].pot), expected[i].units);
		assert_int_equal(json_is_null(next), i == ARRAY_SIZE(expected) - 1);
		if (json_is_string(next))
			snprintf(query, sizeof(query), "limit=1&cursor=%s",
				 json_string_value(next));
		ask.query = query;
	}
	ask.caller = account_of(3);
	ask.query = "epoch=20000";
	assert_int_equal(ask_route(&ask, "/v1/rewards/mine"), 0);
	assert_string_equal(
		text_at(json_array_get(json_object_get(ask.reply.body, "items"), 0), "checking"),
		"500000000000000000000");
	ask.query = "epoch=20001";
	assert_int_equal(ask_route(&ask, "/v1/rewards/mine"), 0);
	assert_int_equal(json_array_size(json_object_get(ask.reply.body, "items")), 0);
	json_decref(ask.reply.body);
}

static void test_cursors(void **state)
{
	static const char *const wrong[] = {
		"1",      "1.1",      "1.1.",
		"x.1.0x", "1.1.0x12", "1.10x0000000000000000000000000000000000000001"
	};
	struct ask ask = { .world = *state };
	char query[128];

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		snprintf(query, sizeof(query), "cursor=%s", wrong[i]);
		ask.query = query;
		assert_int_equal(ask_route(&ask, "/v1/rewards/mine"), ROUTE_E_FIELD);
		assert_string_equal(ask.reply.error.field, "cursor");
	}
}

static void test_texts(void **state)
{
	struct world *world = *state;
	struct ask ask = { .world = world, .param = "20000" };

	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/records"), REWARDS_E_NOT_CLOSED);
	close_epoch(world, 1);
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/payouts"), 0);
	assert_non_null(strstr(ask.plain, "kaisar epoch payouts 1\nepoch 20000\n"));
	free(ask.plain);
	ask.param = "020000";
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/payouts"), ROUTE_E_NOT_FOUND);
	ask.param = "20000x";
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}"), ROUTE_E_NOT_FOUND);
	ask.param = "4294967296";
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}"), ROUTE_E_NOT_FOUND);
}

/* Large texts, as those of many machines: one at a time for everybody. */
static void test_large_texts(void **state)
{
	static int64_t later_ms; /* the limit is the process's, and outlives a store */
	struct world *world = *state;
	struct ask ask = { .world = world, .param = "20000" };

	close_epoch(world, 1);
	later_ms += 10000;
	world->clock.ms += later_ms;
	store_exec(&world->store, "UPDATE reward_epochs SET records_bytes = 1048577");
	/* The stored text is shorter: the fault says that it was read. */
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/records"), -EIO);
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/records"), ROUTE_E_UNAVAILABLE);
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/payouts"), 0);
	free(ask.plain);
	world->clock.ms += 250;
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/records"), -EIO);
	world->clock.ms += 250;
	store_exec(&world->store, "UPDATE reward_epochs SET records_bytes = 50331649");
	assert_int_equal(ask_route(&ask, "/v1/rewards/{epoch}/records"), REWARDS_E_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_mine),
		WORLD_TEST(test_cursors),
		WORLD_TEST(test_texts),
		WORLD_TEST(test_large_texts),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

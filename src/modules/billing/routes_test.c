#include "modules/billing/billing_world.h"

/* ---- asking the routes as the api does ---- */

struct ask {
	struct call call; /* first: run_ask gets it back */
	const struct route *route;
	struct request request;
	struct reply reply;
};

static int ask_fn(struct tx *tx, struct call *call)
{
	struct ask *ask = (struct ask *)call;

	json_decref(ask->reply.body);
	ask->reply = (struct reply){ 0 };
	return ask->route->handler(&ask->request, tx, &ask->reply);
}

static const struct route *find_route(enum http_method method, const char *path)
{
	const struct route *row = billing_module.routes;

	while (row->handler && (row->method != method || strcmp(row->path, path) != 0))
		row++;
	assert_non_null(row->handler);
	return row;
}

/* @param: the path's; @text: query or body. The body of the answer is the caller's. */
static int ask(struct world *world, struct account_id account, enum http_method method,
	       const char *path, const char *param, const char *text, json_t **ret_body)
{
	struct ask ask = { .call = { world, ask_fn }, .route = find_route(method, path) };
	const struct body_shape *shape = method == HTTP_GET ? &ask.route->query : &ask.route->body;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct field_error error;
	void *decoded;
	int r = 0;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	decoded = arena_alloc(arena, shape->size + 1);
	assert_non_null(decoded);
	if (shape->fields && method == HTTP_GET)
		r = field_decode_query(text, strlen(text), shape->fields, arena, decoded, &error);
	else if (shape->fields)
		r = field_decode(text, strlen(text), shape->fields, arena, decoded, &error);
	if (r != 0)
		return r;
	ask.request = (struct request){ .context = &world->context,
					.arena = arena,
					.caller = { .known = true, .account = account },
					.params = { param },
					.query = decoded,
					.body = decoded };
	r = run(&ask.call, ask.route->tx);
	if (r == 0 && ret_body)
		*ret_body = ask.reply.body;
	else
		json_decref(ask.reply.body);
	return r;
}

static const char *text_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static size_t items_of(const json_t *page)
{
	return json_array_size(json_object_get(page, "items"));
}

/* ---- tests ---- */

static void answers_credits_and_balances(void **state)
{
	struct world *world = *state;
	const char *path = "/v1/admin/credits";
	json_t *body;

	assert_int_equal(ask(world, account_of(9), HTTP_POST, path, NULL,
			     "{\"account\":\"0x0101010101010101010101010101010101010101\","
			     "\"amount\":\"12.5\",\"key\":\"INV-1\",\"memo\":\"hello\"}",
			     &body),
			 0);
	assert_string_equal(text_at(body, "available"), "12.5");
	json_decref(body);
	assert_int_equal(ask(world, account_of(1), HTTP_GET, "/v1/balance", NULL, "", &body), 0);
	assert_string_equal(text_at(body, "available"), "12.5");
	assert_string_equal(text_at(body, "held"), "0.0");
	assert_string_equal(text_at(body, "earned"), "0.0");
	json_decref(body);

#define REFUSED(amount, key, memo)                                                          \
	assert_int_equal(ask(world, account_of(9), HTTP_POST, path, NULL,                   \
			     "{\"account\":\"0x0101010101010101010101010101010101010101\"," \
			     "\"amount\":" amount ",\"key\":" key ",\"memo\":" memo "}",    \
			     &body),                                                        \
			 FIELD_E_INVALID)
	REFUSED("\"0\"", "\"k\"", "\"\"");
	REFUSED("\"-1\"", "\"k\"", "\"\"");
	REFUSED("\"1000000.000001\"", "\"k\"", "\"\"");
	REFUSED("5", "\"k\"", "\"\"");
	REFUSED("\"1\"", "\"\"", "\"\"");
	REFUSED("\"1\"", "\"two words\"", "\"\"");
	REFUSED("\"1\"", "\"k\"", "\"line\\nline\"");
#undef REFUSED
	assert_int_equal(postings(world), 1);
}

static struct billing_lease used_lease(struct world *world)
{
	struct billing_lease lease = lease_of(world, 1);
	struct usage_statement usage = usage_of(world, &lease, 1, 60);

	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	world->clock.ms = START_MS + 60000;
	assert_int_equal(report(world, &usage, NULL), 0);
	return lease;
}

static void pages_the_statement(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used_lease(world);
	char query[64] = "limit=1", rental[ID_TEXT_SIZE];
	const char *kinds[] = { "charge", "hold", "credit" };
	const char *amounts[] = { "-0.06", "0.0", "1.0" };
	json_t *page, *item;

	/* The hold is a millisecond younger than the credit by its clock, or as old: sort by kind. */
	assert_int_equal(close_lease(world, lease.lease, world->clock.ms, true), 0);
	rental_id_text(&lease.rental, rental);
	assert_int_equal(ask(world, lease.tenant, HTTP_GET, "/v1/statement", NULL, "", &page), 0);
	assert_int_equal(items_of(page), 4);
	assert_true(json_is_null(json_object_get(page, "next")));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t found = 0;

		for (size_t j = 0; j < 4; j++) {
			item = json_array_get(json_object_get(page, "items"), j);
			if (strcmp(text_at(item, "kind"), kinds[i]) != 0)
				continue;
			found++;
			assert_string_equal(text_at(item, "amount"), amounts[i]);
			if (i < 2)
				assert_string_equal(text_at(item, "rental"), rental);
		}
		assert_int_equal(found, 1);
	}
	json_decref(page);

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
			ask(world, lease.tenant, HTTP_GET, "/v1/statement", NULL, query, &page), 0);
		assert_int_equal(items_of(page), 1);
		if (i < 3)
			snprintf(query, sizeof(query), "limit=1&cursor=%s", text_at(page, "next"));
		else
			assert_true(json_is_null(json_object_get(page, "next")));
		json_decref(page);
	}
	assert_int_equal(ask(world, account_of(2), HTTP_GET, "/v1/statement", NULL, "", &page), 0);
	assert_int_equal(items_of(page), 0);
	json_decref(page);
}

static void shows_a_bill_to_its_own(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used_lease(world);
	const char *path = "/v1/bills/{rental}";
	char rental[ID_TEXT_SIZE];
	json_t *bill;

	rental_id_text(&lease.rental, rental);
	assert_int_equal(ask(world, account_of(2), HTTP_GET, path, rental, "", NULL),
			 ROUTE_E_NOT_FOUND);
	assert_int_equal(ask(world, lease.tenant, HTTP_GET, path, "rnt-no", "", NULL),
			 ROUTE_E_NOT_FOUND);
	rental[ID_TEXT_SIZE - 4] ^= 1;
	assert_int_equal(ask(world, lease.tenant, HTTP_GET, path, rental, "", NULL),
			 ROUTE_E_NOT_FOUND);
	rental[ID_TEXT_SIZE - 4] ^= 1;
	assert_int_equal(ask(world, lease.tenant, HTTP_GET, path, rental, "", &bill), 0);
	assert_string_equal(text_at(bill, "rental"), rental);
	assert_string_equal(text_at(bill, "total"), "0.06");
	json_decref(bill);
	assert_int_equal(ask(world, lease.provider, HTTP_GET, path, rental, "", &bill), 0);
	json_decref(bill);
}

static void hides_other_providers_leases(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used_lease(world), other = lease_of(world, 1);
	char rental[ID_TEXT_SIZE];
	json_t *bill;

	other.rental = lease.rental;
	other.provider = account_of(0x55);
	assert_int_equal(open_lease(world, &other), 0);
	rental_id_text(&lease.rental, rental);
	assert_int_equal(
		ask(world, other.provider, HTTP_GET, "/v1/bills/{rental}", rental, "", &bill), 0);
	assert_int_equal(json_array_size(json_object_get(bill, "leases")), 1);
	assert_string_equal(text_at(bill, "total"), "0.0");
	json_decref(bill);
	assert_int_equal(
		ask(world, lease.tenant, HTTP_GET, "/v1/bills/{rental}", rental, "", &bill), 0);
	assert_int_equal(json_array_size(json_object_get(bill, "leases")), 2);
	json_decref(bill);
}

static void shows_earnings_and_the_ledger(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used_lease(world);
	json_t *body, *item;

	assert_int_equal(ask(world, lease.provider, HTTP_GET, "/v1/earnings", NULL, "", &body), 0);
	assert_string_equal(text_at(body, "earned"), "0.054");
	assert_int_equal(items_of(body), 1);
	item = json_array_get(json_object_get(body, "items"), 0);
	assert_string_equal(text_at(item, "charged"), "0.06");
	assert_string_equal(text_at(item, "fee"), "0.006");
	assert_string_equal(text_at(item, "earned"), "0.054");
	json_decref(body);
	assert_int_equal(ask(world, account_of(9), HTTP_GET, "/v1/admin/ledger", NULL, "", &body),
			 0);
	assert_true(json_is_true(json_object_get(body, "balanced")));
	assert_string_equal(text_at(body, "issued"), "1.0");
	assert_string_equal(text_at(body, "fees"), "0.006");
	json_decref(body);
}

/* Whoever changes the tables by hand is found out. */
static int tamper_fn(struct tx *tx, struct call *call)
{
	return tx_exec(tx, call->key, SQL_NO_PARAMS, NULL);
}

static void finds_tampering(void **state)
{
	static const char *const tricks[] = {
		"UPDATE billing_balances SET amount = amount + 1 WHERE account = 1",
		"UPDATE billing_entries SET amount = amount + 1 WHERE account = 4",
		"UPDATE billing_leases SET charged = charged + 1",
		"UPDATE billing_leases SET held = held + 1",
		"DELETE FROM billing_postings WHERE kind = 'hold'",
		"DELETE FROM billing_balances WHERE account = 3",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tricks); i++) {
		struct world *world = *state;
		struct call call = { world, tamper_fn, .key = tricks[i] };
		json_t *body;

		used_lease(world);
		assert_int_equal(run(&call, TX_WRITE), 0);
		assert_int_equal(
			ask(world, account_of(9), HTTP_GET, "/v1/admin/ledger", NULL, "", &body),
			0);
		assert_true(json_is_false(json_object_get(body, "balanced")));
		assert_true(strlen(text_at(body, "problem")) > 10);
		json_decref(body);
		world_close(state);
		world_open(state);
	}
}

int routes_tests(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(answers_credits_and_balances),  WORLD_TEST(pages_the_statement),
		WORLD_TEST(shows_a_bill_to_its_own),       WORLD_TEST(hides_other_providers_leases),
		WORLD_TEST(shows_earnings_and_the_ledger), WORLD_TEST(finds_tampering),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

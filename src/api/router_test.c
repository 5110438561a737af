#include "api/router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int nothing(struct request *request _unused_, struct tx *tx _unused_,
		   struct reply *reply _unused_)
{
	return 0;
}

static int try_routes(const struct route *routes)
{
	const struct module module = { .name = "test", .routes = routes };
	const struct module *const modules[] = { &module };
	struct router *router;
	int r = router_new(modules, 1, &router);

	if (r == 0)
		router_free(router);
	return r;
}

static void finds_rows(void **state _unused_)
{
	static const struct route routes[] = {
		{ HTTP_GET, "/v1/things", PERM_PUBLIC, .handler = nothing },
		{ HTTP_GET, "/v1/things/{thing}", PERM_PUBLIC, .handler = nothing },
		{ HTTP_DELETE, "/v1/things/{thing}", PERM_PUBLIC, .handler = nothing },
		{ HTTP_GET, "/v1/things/special", PERM_PUBLIC, .handler = nothing },
		{ HTTP_POST, "/v1/things/{thing}/parts/{part}", PERM_PUBLIC, .handler = nothing },
		{ 0 },
	};
	const struct module module = { .name = "test", .routes = routes };
	const struct module *const modules[] = { &module };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct router_match match;
	struct router *router;

	assert_int_equal(arena_new(65536, &arena), 0);
	assert_int_equal(router_new(modules, 1, &router), 0);
	assert_int_equal(router_find(router, HTTP_GET, "/v1/things", arena, &match), 0);
	assert_ptr_equal(match.route, &routes[0]);
	assert_int_equal(router_find(router, HTTP_GET, "/v1/things/special", arena, &match), 0);
	assert_ptr_equal(match.route, &routes[3]);
	assert_int_equal(router_find(router, HTTP_POST, "/v1/things/a/parts/b", arena, &match), 0);
	assert_string_equal(match.params[0], "a");
	assert_string_equal(match.params[1], "b");
	assert_null(match.params[2]);
	assert_int_equal(router_find(router, HTTP_PUT, "/v1/things/a", arena, &match),
			 ROUTER_E_METHOD);
	assert_int_equal(match.allowed, 1u << HTTP_GET | 1u << HTTP_DELETE);
	/* Nearly right is wrong: an empty parameter, a trailing slash, more, less, a NUL's place. */
	const char *const missing[] = { "/v1/things/",
					"/v1",
					"/",
					"",
					"v1/things",
					"/v1/thing",
					"/v1/things/a/parts",
					"/v1/things/a/parts/b/c",
					"/1/2/3/4/5/6/7/8/9/10" };
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(router_find(router, HTTP_GET, missing[i], arena, &match),
				 ROUTER_E_PATH);
	router_free(router);
}

static void refuses_bad_tables(void **state _unused_)
{
	static const struct route no_permission[] = { { HTTP_GET, "/a", .handler = nothing },
						      { 0 } };
	static const struct route twice[] = {
		{ HTTP_GET, "/a/{x}", PERM_PUBLIC, .handler = nothing },
		{ HTTP_GET, "/a/{y}", PERM_PUBLIC, .handler = nothing },
		{ 0 },
	};
	static const struct route inline_write[] = {
		{ HTTP_GET, "/a", PERM_PUBLIC, TX_WRITE, .inline_ = true, .handler = nothing },
		{ 0 },
	};
	static const struct route idempotent_read[] = {
		{ HTTP_POST, "/a", PERM_ACCOUNT, TX_READ, .idempotent = true, .handler = nothing },
		{ 0 },
	};
	static const struct route many_params[] = {
		{ HTTP_GET, "/{a}/{b}/{c}/{d}", PERM_PUBLIC, .handler = nothing },
		{ 0 },
	};

	assert_int_equal(try_routes(no_permission), -EINVAL);
	assert_int_equal(try_routes(twice), -EINVAL);
	assert_int_equal(try_routes(inline_write), -EINVAL);
	assert_int_equal(try_routes(idempotent_read), -EINVAL);
	assert_int_equal(try_routes(many_params), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_rows),
		cmocka_unit_test(refuses_bad_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

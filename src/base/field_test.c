#include "base/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct port {
	int64_t number;
};

struct sample {
	const char *name;
	int64_t times, size;
	bool flag;
	struct amount price;
	struct address who;
	int color;
	struct field_texts words;
	struct field_ints numbers;
	struct field_objects ports;
	struct field_pairs env;
	struct port inner;
};

static const char *const colors[] = { "red", "green", NULL };
static const struct field port_fields[] = {
	{ "number", FIELD_INT, offsetof(struct port, number), .required = true, .min = 1,
	  .max = 65535 },
	{ 0 },
};
static const struct field fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct sample, name), .required = true, .min = 1, .max = 8 },
	{ "times", FIELD_INT, offsetof(struct sample, times), .min = -5, .max = 9, .fallback = 3 },
	{ "size", FIELD_SIZE, offsetof(struct sample, size), .max = INT64_MAX },
	{ "flag", FIELD_BOOL, offsetof(struct sample, flag) },
	{ "price", FIELD_AMOUNT, offsetof(struct sample, price), .max = 5000000 },
	{ "who", FIELD_ADDRESS, offsetof(struct sample, who) },
	{ "color", FIELD_WORD, offsetof(struct sample, color), .words = colors, .fallback = 1 },
	{ "words", FIELD_TEXTS, offsetof(struct sample, words), .max = 4, .count = 2 },
	{ "numbers", FIELD_INTS, offsetof(struct sample, numbers), .min = 1, .max = 9, .count = 2 },
	{ "ports", FIELD_OBJECTS, offsetof(struct sample, ports), .count = 2, .fields = port_fields,
	  .size = sizeof(struct port) },
	{ "env", FIELD_PAIRS, offsetof(struct sample, env), .max = 4, .count = 2 },
	{ "inner", FIELD_OBJECT, offsetof(struct sample, inner), .fields = port_fields },
	{ 0 },
};

static struct arena *arena;
static struct sample sample;
static struct field_error error;

static int decode(const char *json)
{
	arena_reset(arena);
	sample = (struct sample){ 0 };
	error = (struct field_error){ 0 };
	return field_decode(json, strlen(json), fields, arena, &sample, &error);
}

static void takes_what_fits(void **state _unused_)
{
	assert_int_equal(decode("{\"name\":\"x\"}"), 0);
	assert_string_equal(sample.name, "x");
	assert_int_equal(sample.times, 3);
	assert_int_equal(sample.color, 1);
	assert_int_equal(
		decode("{\"name\":\"\xc3\xa9\",\"times\":-5,\"size\":\"2GiB\",\"flag\":true,"
		       "\"price\":\"5\",\"color\":\"red\",\"words\":[\"a\",\"bcde\"],\"numbers\":["
		       "1,9],"
		       "\"ports\":[{\"number\":1},{\"number\":65535}],\"env\":{\"A.b\":\"=\"},"
		       "\"inner\":{\"number\":7},"
		       "\"who\":\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed\"}"),
		0);
	assert_int_equal(sample.times, -5);
	assert_int_equal(sample.size, INT64_C(2) << 30);
	assert_true(sample.flag);
	assert_int_equal(sample.price.micro, 5000000);
	assert_int_equal(sample.color, 0);
	assert_int_equal(sample.words.n, 2);
	assert_int_equal(sample.numbers.n, 2);
	assert_int_equal(sample.numbers.items[1], 9);
	assert_string_equal(sample.words.items[1], "bcde");
	assert_int_equal(((struct port *)sample.ports.items)[1].number, 65535);
	assert_string_equal(sample.env.items[0].name, "A.b");
	assert_string_equal(sample.env.items[0].value, "=");
	assert_int_equal(sample.inner.number, 7);
}

static void names_the_field_and_the_rule(void **state _unused_)
{
	static const struct {
		const char *json, *field;
	} rows[] = {
		{ "{}", "name" },
		{ "{\"name\":null}", "name" },
		{ "{\"name\":\"\"}", "name" },
		{ "{\"name\":\"123456789\"}", "name" },
		{ "{\"name\":7}", "name" },
		{ "{\"name\":\"a\\nb\"}", "name" },
		{ "{\"name\":\"a\\u007f\"}", "name" },
		{ "{\"name\":\"x\",\"times\":10}", "times" },
		{ "{\"name\":\"x\",\"times\":-6}", "times" },
		{ "{\"name\":\"x\",\"times\":1.0}", "times" },
		{ "{\"name\":\"x\",\"times\":\"1\"}", "times" },
		{ "{\"name\":\"x\",\"size\":\"2 GiB\"}", "size" },
		{ "{\"name\":\"x\",\"size\":\"-2\"}", "size" },
		{ "{\"name\":\"x\",\"size\":-2}", "size" },
		{ "{\"name\":\"x\",\"size\":\"9223372036854775807TiB\"}", "size" },
		{ "{\"name\":\"x\",\"flag\":1}", "flag" },
		{ "{\"name\":\"x\",\"flag\":\"true\"}", "flag" },
		{ "{\"name\":\"x\",\"price\":5}", "price" },
		{ "{\"name\":\"x\",\"price\":\"5.000001\"}", "price" },
		{ "{\"name\":\"x\",\"price\":\"-1\"}", "price" },
		{ "{\"name\":\"x\",\"who\":\"0x00\"}", "who" },
		{ "{\"name\":\"x\",\"color\":\"blue\"}", "color" },
		{ "{\"name\":\"x\",\"words\":[\"a\",\"b\",\"c\"]}", "words" },
		{ "{\"name\":\"x\",\"words\":[\"a\",\"bcdef\"]}", "words[1]" },
		{ "{\"name\":\"x\",\"words\":\"a\"}", "words" },
		{ "{\"name\":\"x\",\"numbers\":[1,10]}", "numbers[1]" },
		{ "{\"name\":\"x\",\"numbers\":[1,2,3]}", "numbers" },
		{ "{\"name\":\"x\",\"numbers\":[\"1\"]}", "numbers[0]" },
		{ "{\"name\":\"x\",\"ports\":[{\"number\":1},{\"number\":0}]}", "ports[1].number" },
		{ "{\"name\":\"x\",\"ports\":[{\"number\":1,\"other\":0}]}", "ports[0].other" },
		{ "{\"name\":\"x\",\"ports\":[{}]}", "ports[0].number" },
		{ "{\"name\":\"x\",\"env\":{\"a b\":\"c\"}}", "env" },
		{ "{\"name\":\"x\",\"env\":{\"\":\"c\"}}", "env" },
		{ "{\"name\":\"x\",\"env\":{\"a\":7}}", "env.a" },
		{ "{\"name\":\"x\",\"inner\":{}}", "inner.number" },
		{ "{\"name\":\"x\",\"unknown\":1}", "unknown" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(decode(rows[i].json), FIELD_E_INVALID);
		assert_string_equal(error.field, rows[i].field);
		assert_true(strlen(error.rule) > 5);
	}
}

static void refuses_what_is_not_one_object(void **state _unused_)
{
	static const char *const bad[] = { "",
					   "[]",
					   "7",
					   "{\"name\":\"x\"} x",
					   "{\"name\":\"x\",\"name\":\"y\"}",
					   "{\"name\":\"\xff\"}",
					   "{\"name\":\"a\\u0000b\"}",
					   "{\"name\":\"x\",}",
					   "{name:1}",
					   "{\"name\":\"x\",\"times\":99999999999999999999}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(decode(bad[i]), FIELD_E_SYNTAX);
}

static int decode_query(const char *query)
{
	arena_reset(arena);
	sample = (struct sample){ 0 };
	return field_decode_query(query, strlen(query), fields, arena, &sample, &error);
}

static void reads_queries(void **state _unused_)
{
	assert_int_equal(decode_query("name=a%20b+c&times=4&flag=true&size=1KiB"), 0);
	assert_string_equal(sample.name, "a b c");
	assert_int_equal(sample.times, 4);
	assert_true(sample.flag);
	assert_int_equal(decode_query("name=x&name=y"), FIELD_E_INVALID);
	assert_int_equal(decode_query("name=%0"), FIELD_E_SYNTAX);
	assert_int_equal(decode_query("name=%00"), FIELD_E_SYNTAX);
	assert_int_equal(decode_query("name=%ff"), FIELD_E_SYNTAX);
	assert_int_equal(decode_query("name=x&times=+4"), FIELD_E_INVALID);
	assert_int_equal(decode_query("name=x&other"), FIELD_E_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_fits),
		cmocka_unit_test(names_the_field_and_the_rule),
		cmocka_unit_test(refuses_what_is_not_one_object),
		cmocka_unit_test(reads_queries),
	};
	int failed;

	if (arena_new(1 << 20, &arena) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	arena_free(arena);
	return failed;
}

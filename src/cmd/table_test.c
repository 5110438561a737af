#include "cmd/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

static const struct column columns[] = {
	{ "NAME", "name" },
	{ "RAM", "free.memory", COLUMN_BYTES },
	{ "CORES", "milli", COLUMN_MILLI },
	{ "TIME", "seconds", COLUMN_SECONDS },
	{ "ERRORS", "ppm", COLUMN_PPM },
	{ "PORTS", "ports", COLUMN_PORTS },
	{ 0 },
};

static const char items_json[] =
	"[{\"name\":\"größe\",\"free\":{\"memory\":1610612736},\"milli\":500,\"seconds\":3725,"
	"\"ppm\":12500,"
	"\"ports\":[{\"container\":80,\"host\":32768,\"address\":null},{\"container\":81,\"host\":"
	"9,\"address\":\"h:9\"}]},"
	"{\"name\":\"\\u001b[2Jx\",\"free\":null,\"milli\":2000,\"seconds\":59,\"ports\":[]}]";

/* What @format prints for @json. */
static char *printed(enum out_format format, bool list, const struct column *shown,
		     const char *json)
{
	static char text[4096];
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	FILE *file = tmpfile();
	int before = dup(STDOUT_FILENO);
	size_t n;

	assert_non_null(value);
	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	assert_int_equal(
		list ? table_list(format, shown, value) : table_object(format, shown, value), 0);
	dup2(before, STDOUT_FILENO);
	close(before);
	rewind(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = 0;
	fclose(file);
	json_decref(value);
	return text;
}

static void test_table(void **state _unused_)
{
	assert_string_equal(printed(OUT_TABLE, true, columns, items_json),
			    "NAME   RAM     CORES  TIME    ERRORS  PORTS\n"
			    "größe  1.5GiB  0.5    1h2m5s  1.25%   32768->80, h:9->81\n"
			    "?[2Jx  -       2      59s     -       -\n");
	assert_string_equal(printed(OUT_TABLE, true, columns, "[]"),
			    "NAME  RAM  CORES  TIME  ERRORS  PORTS\n");
}

static void test_object(void **state _unused_)
{
	static const struct column two[] = { { "a", "x" }, { "long", "y.z" }, { 0 } };

	assert_string_equal(printed(OUT_TABLE, false, two, "{\"x\":true,\"y\":{\"z\":[1,\"b\"]}}"),
			    "a     yes\nlong  1 b\n");
}

static void test_json(void **state _unused_)
{
	json_t *back = json_loads(printed(OUT_JSON, true, columns, items_json), 0, NULL);
	json_t *wanted = json_loads(items_json, 0, NULL);

	assert_true(json_equal(back, wanted));
	json_decref(back);
	json_decref(wanted);
}

static void test_yaml(void **state _unused_)
{
	assert_string_equal(printed(OUT_YAML, true, NULL,
				    "[{\"a\":1,\"b\":[\"x\",\"no\",\"1\"],\"c\":{\"d\":null}},[],"
				    "{\"e\":{},\"f\":\"two words\\n\"}]"),
			    "- a: 1\n"
			    "  b:\n"
			    "    - x\n"
			    "    - \"no\"\n"
			    "    - \"1\"\n"
			    "  c:\n"
			    "    d: null\n"
			    "- []\n"
			    "- e: {}\n"
			    "  f: \"two words\\n\"\n");
}

static void test_units(void **state)
{
	static const struct column column[] = { { "U", "u", COLUMN_UNITS }, { 0 } };
	static const struct {
		const char *json, *shown;
	} cases[] = {
		{ "[{\"u\":\"0\"}]", "U\n0\n" },
		{ "[{\"u\":\"1\"}]", "U\n0.000000000000000001\n" },
		{ "[{\"u\":\"1500000000000000000\"}]", "U\n1.5\n" },
		{ "[{\"u\":\"100000000000000000\"}]", "U\n0.1\n" },
		{ "[{\"u\":\"70000000000000000000000000000\"}]", "U\n70000000000\n" },
		{ "[{\"u\":\"1x\"}]", "U\n1x\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(printed(OUT_TABLE, true, column, cases[i].json),
				    cases[i].shown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),  cmocka_unit_test(test_units),
		cmocka_unit_test(test_object), cmocka_unit_test(test_json),
		cmocka_unit_test(test_yaml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

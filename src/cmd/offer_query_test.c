#include "cmd/offer_query.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GIB (INT64_C(1) << 30)

static struct offer_query parse(const char *text)
{
	char error[OFFER_ERROR_SIZE] = "";
	struct offer_query query;

	offer_query_init(&query);
	assert_int_equal(offer_query_add(&query, text, error), 0);
	return query;
}

static void refuse(const char *text, const char *part)
{
	char error[OFFER_ERROR_SIZE] = "";
	struct offer_query query;

	offer_query_init(&query);
	assert_int_equal(offer_query_add(&query, text, error), OFFER_QUERY_E_SYNTAX);
	if (!strstr(error, part))
		fail_msg("'%s' should say '%s', says '%s'", text, part, error);
}

static void test_all_words(void **state _unused_)
{
	struct offer_query q = parse("gpu_name=RTX_4090 num_gpus>=2 gpu_ram>=24 cpu_cores>=0.5\t"
				     "cpu_ram>=32 disk_space>=100GB dph<=0.5 quality>900");

	assert_string_equal(q.gpu_name, "RTX_4090");
	assert_int_equal(q.gpus, 2);
	assert_int_equal(q.gpu_memory_bytes, 24 * GIB);
	assert_int_equal(q.cpu_milli, 500);
	assert_int_equal(q.memory_bytes, 32 * GIB);
	assert_int_equal(q.disk_bytes, 100000000000);
	assert_int_equal(q.max_rate_micro, 500000);
	assert_int_equal(q.quality, 901);
}

static void test_nothing(void **state _unused_)
{
	struct offer_query q = parse("  ");

	assert_int_equal(q.gpus, -1);
	assert_int_equal(q.max_rate_micro, 0);
	assert_string_equal(q.gpu_name, "");
}

static void test_spellings(void **state _unused_)
{
	assert_string_equal(parse("gpu_name=\"RTX 4090\" gpus=0").gpu_name, "RTX 4090");
	assert_int_equal(parse("gpus==4").gpus, 4);
	assert_int_equal(parse("num_gpus>1").gpus, 2);
	assert_int_equal(parse("cpu_ram>=0.5").memory_bytes, GIB / 2);
	assert_int_equal(parse("dph<1").max_rate_micro, 999999);
}

static void test_refused(void **state _unused_)
{
	refuse("colour=red", "no condition 'colour'");
	refuse("num_gpus<=2", "takes >=");
	refuse("dph>=1", "takes <=");
	refuse("dph<=0", "above 0");
	refuse("gpu_name>=H100", "takes =");
	refuse("num_gpus>=1.5", "whole number");
	refuse("num_gpus>=many", "needs a number");
	refuse("cpu_ram>=lots", "size like");
	refuse("num_gpus", "needs one of");
	refuse("num_gpus>= 2", "needs a value");
	refuse("gpu_name=\"RTX 4090", "not closed");
	refuse("=2", "is no condition");
	refuse("cpu_ram>=99999999999999999999", "size like");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_words),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void sorts_by_age(void **state _unused_)
{
	struct random_seeded seeded;
	struct clock_fake fake;
	char before[ID_TEXT_SIZE] = "", text[ID_TEXT_SIZE];

	random_seeded_init(&seeded, 3);
	clock_fake_init(&fake, 1700000000000);
	for (int i = 0; i < 200; i++, fake.ms += 37) {
		struct rental_id id, back;

		assert_int_equal(rental_id_make(&fake.clock, &seeded.random, &id), 0);
		rental_id_text(&id, text);
		assert_true(strcmp(before, text) < 0);
		assert_int_equal(rental_id_parse(text, &back), 0);
		assert_true(rental_id_equal(id, back));
		memcpy(before, text, sizeof(before));
	}
}

static void kinds_do_not_mix(void **state _unused_)
{
	static const char *const bad[] = { "",
					   "rnt",
					   "rnt-",
					   "rnt_00000000000000000000000000",
					   "rnt-0000000000000000000000000",
					   "rnt-000000000000000000000000000",
					   "RNT-00000000000000000000000000",
					   "lse-00000000000000000000000000" };
	struct rental_id id;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(rental_id_parse(bad[i], &id), -EINVAL);
	assert_int_equal(rental_id_parse("rnt-00000000000000000000000000", &id), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_by_age),
		cmocka_unit_test(kinds_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

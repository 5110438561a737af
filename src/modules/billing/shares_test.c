#include <setjmp.h>
#include <stdarg.h>

#include "base/random.h"
#include "modules/billing/shares.h"

#include <cmocka.h>

/* Charged, points, refunded and fee; then who pays what. */
static void assert_divides(struct shares before, const struct shares *then)
{
	assert_int_equal(shares_divide(&before), 0);
	assert_memory_equal(&before, then, sizeof(before));
}

static void test_who_pays(void **state _unused_)
{
	/* Coins alone; points alone, without a fee; both. */
	assert_divides((struct shares){ .charged = 100, .fee = 10 },
		       &(struct shares){
			       .charged = 100, .fee = 10, .from_tenant = 100, .tenant_fee = 10 });
	assert_divides((struct shares){ .charged = 100, .points = 100, .fee = 10 },
		       &(struct shares){ .charged = 100,
					 .points = 100,
					 .fee = 10,
					 .from_network = 100,
					 .network_pays = 90 });
	assert_divides((struct shares){ .charged = 100, .points = 35, .fee = 10 },
		       &(struct shares){ .charged = 100,
					 .points = 35,
					 .fee = 10,
					 .from_tenant = 65,
					 .tenant_fee = 6,
					 .from_network = 35,
					 .network_pays = 31 });
	/* What coins paid and was refunded as points goes to the network. */
	assert_divides((struct shares){ .charged = 100, .refunded = 40, .fee = 6 },
		       &(struct shares){ .charged = 100,
					 .refunded = 40,
					 .fee = 6,
					 .from_tenant = 60,
					 .tenant_fee = 6,
					 .to_treasury = 40 });
	assert_divides((struct shares){ .charged = 100, .points = 30, .refunded = 100 },
		       &(struct shares){
			       .charged = 100, .points = 30, .refunded = 100, .to_treasury = 70 });
}

static void test_late_refund(void **state _unused_)
{
	struct shares s = { .charged = 100, .fee = 10 };

	assert_int_equal(shares_divide(&s), 0);
	s.refunded = 50;
	s.fee = 5;
	assert_int_equal(shares_divide(&s), 0);
	assert_int_equal(s.from_tenant, 100);
	assert_int_equal(s.to_treasury, 0);
	/* Of the next 80, 50 were paid before: what deposits paid of them is the network's, for the refund. */
	s.charged = 180;
	s.fee = 13;
	assert_int_equal(shares_divide(&s), 0);
	assert_int_equal(s.from_tenant + s.to_treasury, 180);
	assert_int_equal(s.from_tenant, 130);
	assert_int_equal(s.tenant_fee, 13);
	assert_int_equal(s.network_pays, 0);
}

static void test_bounds(void **state _unused_)
{
	struct shares s = { .charged = INT64_C(1) << 62 };

	assert_int_equal(shares_divide(&s), -ERANGE);
	s = (struct shares){ .charged = 10, .refunded = 11 };
	assert_int_equal(shares_divide(&s), -ERANGE);
	s = (struct shares){ .charged = (INT64_C(1) << 62) - 1, .points = 1, .fee = 1 << 20 };
	assert_int_equal(shares_divide(&s), 0);
}

static int64_t below(struct random *random, int64_t bound)
{
	uint64_t value = 0;

	assert_int_equal(random_below(random, (uint64_t)bound, &value), 0);
	return (int64_t)value;
}

/* What the contract requires of each report, and the ledger of all. */
static void assert_sound(const struct shares *was, const struct shares *is, int64_t most_overpaid)
{
	int64_t net = is->charged - is->refunded;
	int64_t paid = is->from_tenant - is->tenant_fee + is->network_pays;

	assert_true(is->from_tenant >= was->from_tenant && is->tenant_fee >= was->tenant_fee);
	assert_true(is->to_treasury >= was->to_treasury && is->network_pays >= was->network_pays);
	assert_true(is->tenant_fee - was->tenant_fee <= is->from_tenant - was->from_tenant);
	/* Not a unit of the tenant's coins is left over, nor more than there are taken. */
	assert_int_equal(is->from_tenant + is->to_treasury, is->charged - is->points);
	/* The provider has all that is its own; more than that only of what was refunded after it was paid. */
	assert_true(paid >= net - is->fee);
	assert_true(paid <= net - is->fee + most_overpaid);
}

static void step(struct random *random, struct shares *s, bool refunds)
{
	int64_t more = below(random, 1000), net = s->charged - s->refunded, back;

	s->charged += more;
	s->points += below(random, 3) == 0 ? more : below(random, more + 1);
	s->fee += more * below(random, 4) / 10;
	if (refunds && net > 0 && below(random, 4) == 0) {
		back = below(random, net + 1);
		s->fee = s->fee * (net + more - back) / (net + more);
		s->refunded += back;
	}
}

static void test_any_order(void **state _unused_)
{
	struct random_seeded seeded;

	random_seeded_init(&seeded, 27);
	for (int run = 0; run < 300; run++) {
		struct shares s = { 0 };

		for (int i = 0; i < 60; i++) {
			struct shares was = s;

			step(&seeded.random, &s, run % 2);
			assert_int_equal(shares_divide(&s), 0);
			assert_sound(&was, &s, run % 2 ? INT64_MAX / 2 : 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_pays),
		cmocka_unit_test(test_late_refund),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

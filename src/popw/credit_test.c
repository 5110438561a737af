#include "popw/credit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define GIB (UINT64_C(1) << 30)

static const struct credit_claim claim = { .cores = 64,
					   .memory_bytes = 256 * GIB,
					   .disk_bytes = 2048 * GIB };

/* Of an honest machine: half the memory was filled, a 64th of the disk, all at the least speeds. */
static struct credit_seen honest(void)
{
	return (struct credit_seen){ .fill_kbps = UINT64_C(64) * CREDIT_FILL_KBPS,
				     .walk_kbps = UINT64_C(64) * CREDIT_READ_KBPS,
				     .set_mib = 128 << 10,
				     .disk_mib = 32 << 10 };
}

static struct credit credit(const struct credit_claim *of, const struct credit_seen *seen)
{
	struct credit credit;

	credit_of(of, seen, &credit);
	return credit;
}

static void an_honest_claim_is_credited_whole(void **state _unused_)
{
	struct credit_seen seen = honest();
	struct credit c = credit(&claim, &seen);

	assert_int_equal(c.cores, claim.cores);
	assert_int_equal(c.memory_bytes, claim.memory_bytes);
	assert_int_equal(c.disk_bytes, claim.disk_bytes);
}

static void nobody_is_credited_more_than_he_claims(void **state _unused_)
{
	static const struct credit_claim nothing = { 0 },
					 everything = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct credit_seen seen = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct credit c = credit(&claim, &seen);

	assert_int_equal(c.cores, claim.cores);
	assert_int_equal(c.memory_bytes, claim.memory_bytes);
	assert_int_equal(c.disk_bytes, claim.disk_bytes);
	c = credit(&nothing, &seen);
	assert_int_equal(c.cores | c.memory_bytes | c.disk_bytes, 0);
	c = credit(&everything, &seen);
	assert_int_equal(c.memory_bytes, 0); /* so many processors could make all that */
	assert_int_equal(c.disk_bytes, UINT64_MAX);
}

static void cores_are_what_filled(void **state _unused_)
{
	struct credit_seen seen = honest();

	seen.fill_kbps--;
	assert_int_equal(credit(&claim, &seen).cores, 63);
	seen.fill_kbps = 40 * CREDIT_FILL_KBPS + 1;
	assert_int_equal(credit(&claim, &seen).cores, 40);
	seen.fill_kbps = 0; /* who proved anything has a processor */
	assert_int_equal(credit(&claim, &seen).cores, 1);
	/* What is not held was not made beforehand, either. */
	seen = honest();
	seen.walk_kbps = UINT64_C(64) * (CREDIT_MAKE_KBPS + CREDIT_READ_KBPS) / 2;
	assert_int_equal(credit(&claim, &seen).cores, 32);
}

static void memory_is_what_was_held(void **state _unused_)
{
	struct credit_seen seen = honest();

	seen.set_mib--;
	assert_int_equal(credit(&claim, &seen).memory_bytes, 256 * GIB - (2 << 20));
	seen.set_mib = 16 << 10; /* it has 32 GiB and claims 256 */
	assert_int_equal(credit(&claim, &seen).memory_bytes, 32 * GIB);
	seen.set_mib = 0;
	assert_int_equal(credit(&claim, &seen).memory_bytes, 0);
}

static void what_is_made_anew_is_not_held(void **state _unused_)
{
	struct credit_seen seen = honest();
	uint64_t half = (CREDIT_MAKE_KBPS + CREDIT_READ_KBPS) / 2;

	assert_int_equal(credit_held(64, 0), 0);
	assert_int_equal(credit_held(64, UINT64_C(64) * CREDIT_MAKE_KBPS), 0);
	assert_int_equal(credit_held(64, 64 * half), CREDIT_WHOLE / 2);
	assert_int_equal(credit_held(64, UINT64_C(64) * CREDIT_READ_KBPS - 1), CREDIT_WHOLE - 1);
	assert_int_equal(credit_held(64, UINT64_C(64) * CREDIT_READ_KBPS), CREDIT_WHOLE);
	assert_int_equal(credit_held(0, CREDIT_READ_KBPS), CREDIT_WHOLE); /* one, at least */
	assert_int_equal(credit_held(UINT64_MAX, UINT64_MAX), 0);
	seen.walk_kbps = UINT64_C(64) * CREDIT_MAKE_KBPS;
	assert_int_equal(credit(&claim, &seen).memory_bytes, 0);
	assert_int_equal(credit(&claim, &seen).cores, 1);
	seen.walk_kbps = 64 * half;
	assert_int_equal(credit(&claim, &seen).memory_bytes, 128 * GIB);
}

static void disk_is_a_multiple_of_what_was_held(void **state _unused_)
{
	struct credit_seen seen = honest();

	seen.disk_mib--;
	assert_int_equal(credit(&claim, &seen).disk_bytes, 2048 * GIB - (64 << 20));
	seen.disk_mib = 0;
	assert_int_equal(credit(&claim, &seen).disk_bytes, 0);
	assert_int_equal(credit(&claim, &seen).memory_bytes, claim.memory_bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_honest_claim_is_credited_whole),
		cmocka_unit_test(nobody_is_credited_more_than_he_claims),
		cmocka_unit_test(cores_are_what_filled),
		cmocka_unit_test(memory_is_what_was_held),
		cmocka_unit_test(what_is_made_anew_is_not_held),
		cmocka_unit_test(disk_is_a_multiple_of_what_was_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "popw/prover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/prove_world.h"
#include "popw/verify.h"

static const uint16_t kinds[] = { SESSION_HAS_WALK, SESSION_HAS_MATRIX,
				  SESSION_HAS_WALK | SESSION_HAS_MATRIX };

static struct prover_device *open_cpu(unsigned int threads)
{
	struct prover_device *device = NULL;
	const char *detail = "";

	if (prover_cpu_open(threads, &device, &detail) < 0)
		fail_msg("%s", detail);
	return device;
}

static void assert_holds(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct transcript transcript;
	struct verifier *verifier;
	struct finding finding;
	const char *detail = "";

	assert_int_equal(hasher_new(&hasher), 0);
	assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
	assert_int_equal(verifier_new(&verifier), 0);
	if (transcript_decode(hasher, bytes, len, arena, &transcript, &detail) != 0)
		fail_msg("%s", detail);
	verify(verifier, &transcript, &finding);
	verifier_free(verifier);
	assert_string_equal(finding.detail, "");
	assert_int_equal(finding.bits, PROOF_ALL);
}

/* What the CPU proves holds, whatever the session consists of. */
static void test_holds(void **state)
{
	struct prover_device *device = open_cpu(1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(arena_freep) struct arena *arena = NULL;
		struct session plan = world_plan(kinds[i]);
		uint8_t *bytes;
		size_t len;

		assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
		world_prove(device, i, &plan, arena, &bytes, &len);
		assert_holds(bytes, len);
	}
	device->ops->close(device);
}

/* The smallest that there can be. */
static void test_smallest(void **state)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct prover_device *device = open_cpu(2);
	struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);
	uint8_t *bytes;
	size_t len;

	(void)state;
	plan.work = (struct session_work){ .n_items = 1024,
					   .double_rounds = 1,
					   .walks = 2,
					   .steps = 1,
					   .epochs = 1,
					   .k = 64,
					   .n = 16,
					   .m = 16,
					   .rounds = 1,
					   .open_walks = 1,
					   .open_tiles = 1 };
	assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
	world_prove(device, 1, &plan, arena, &bytes, &len);
	assert_holds(bytes, len);
	device->ops->close(device);
}

/* ---- faults ---- */

struct deaf {
	struct prover_exchange exchange, inner;
	uint8_t silent_at; /* these nonces end the session */
	uint32_t set; /* else: nonces of these members */
	unsigned int said;
};

static int deaf_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	const struct deaf *deaf = arg;
	int r;

	if (k == deaf->silent_at)
		return -EPIPE;
	r = deaf->inner.nonces(deaf->inner.arg, k, ret_nonces);
	if (deaf->set)
		ret_nonces->set = deaf->set;
	return r;
}

static int deaf_say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct deaf *deaf = arg;

	deaf->said++;
	return deaf->inner.say(deaf->inner.arg, kind, bytes, len);
}

static int prove_to(struct deaf *deaf, struct prover_device *device, uint16_t flags)
{
	_cleanup_(rehearsal_freep) struct rehearsal *rehearsal = NULL;
	struct session plan = world_plan(flags);
	struct random_seeded random;

	random_seeded_init(&random, 5);
	assert_int_equal(rehearsal_new(&random.random, WORLD_PANEL, &rehearsal), 0);
	assert_int_equal(rehearsal_begin(rehearsal, &plan, NULL), 0);
	deaf->inner = rehearsal_exchange(rehearsal);
	deaf->exchange = (struct prover_exchange){ deaf_nonces, deaf_say, deaf };
	return prove(&rehearsal->transcript.session, device, &deaf->exchange);
}

/* Nothing of a phase is said before its nonces are there, and a parent that is gone ends it. */
static void test_waits_for_nonces(void **state)
{
	static const unsigned int said[] = { 0, 1, 1 + 4 + 1, 1 + 4 + 1 + 3 + 1 };
	struct prover_device *device = open_cpu(1);

	(void)state;
	for (uint8_t k = NONCE_FILL; k <= NONCE_OPEN; k++) {
		struct deaf deaf = { .silent_at = k };

		assert_int_equal(prove_to(&deaf, device, SESSION_HAS_WALK | SESSION_HAS_MATRIX),
				 -EPIPE);
		assert_int_equal(deaf.said, said[k - 1]);
	}
	device->ops->close(device);
}

static void test_nonces_of_nobody(void **state)
{
	struct prover_device *device = open_cpu(1);
	struct deaf none = { .set = 1u << WORLD_PANEL };

	(void)state;
	assert_int_equal(prove_to(&none, device, SESSION_HAS_MATRIX), -EBADMSG);
	assert_int_equal(none.said, 0);
	device->ops->close(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_waits_for_nonces),
		cmocka_unit_test(test_nonces_of_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

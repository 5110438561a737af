/* honest_test.c - thousands of sessions in which nobody cheats, of any size and kind: none is refused. */
#include "popw/rehearsal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/cheat_world.h"

enum { SESSIONS = 10000, PANELS = 5 };

static uint32_t below(struct campaign *campaign, uint32_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&campaign->random.random, bound, &value), 0);
	return (uint32_t)value;
}

static struct session any_session(struct campaign *campaign)
{
	struct session plan = {
		.kind = (uint8_t)(SESSION_REGISTRATION + below(campaign, SESSION_SELF_TEST)),
		.device = SESSION_HOST,
		.flags = (uint16_t)(1 + below(campaign, 3)),
		.chain_id = below(campaign, 3),
		.epoch = below(campaign, 1000),
	};

	if (plan.flags & SESSION_HAS_WALK) {
		plan.fill_ms = plan.walk_ms = 1;
		plan.work.n_items = 1024 + below(campaign, 100);
		plan.work.double_rounds = (uint16_t)(1 + below(campaign, 3));
		plan.work.walks = 2u << below(campaign, 5);
		plan.work.steps = (uint16_t)(1 + below(campaign, 8));
		plan.work.epochs = (uint16_t)(1 + below(campaign, 5));
		plan.work.open_walks = (uint16_t)(1 + below(campaign, 12));
	}
	if (plan.flags & SESSION_HAS_MATRIX) {
		plan.matrix_ms = 1;
		plan.work.k = 64 * (1 + below(campaign, 4));
		plan.work.n = 16u << below(campaign, 3);
		plan.work.m = 16u << below(campaign, 3);
		plan.work.rounds = (uint16_t)(1 + below(campaign, 5));
		plan.work.open_tiles = (uint16_t)(1 + below(campaign, 12));
	}
	return plan;
}

/* Whether the session has the phase that set @k begins. */
static bool is_asked(const struct session *session, unsigned int k)
{
	if (k + 1 == NONCE_OPEN)
		return true;
	return session->flags & (k + 1 == NONCE_MATRIX ? SESSION_HAS_MATRIX : SESSION_HAS_WALK);
}

/* Some members' nonces come too late, one in a phase; a quorum is there. Who fell silent stays so. */
static void lose_nonces(struct campaign *campaign)
{
	struct rehearsal *rehearsal = campaign->rehearsal;
	unsigned int m = rehearsal->transcript.session.panel_size;
	uint32_t set = rehearsal->transcript.committed;

	for (unsigned int k = 0; k < SESSION_NONCES; k++) {
		uint32_t less = set & ~(1u << below(campaign, m));

		if (is_asked(&rehearsal->transcript.session, k) && below(campaign, 2) &&
		    (unsigned int)__builtin_popcount(less) >= session_quorum(m))
			set = less;
		for (unsigned int i = 0; i < m; i++)
			if (!(set >> i & 1))
				memset(rehearsal->nonces[k].bytes[i], 0, SESSION_NONCE_SIZE);
		rehearsal->nonces[k].set = set;
	}
}

static void prove_on_cpu(struct campaign *campaign, struct prover_device *device)
{
	struct prover_exchange exchange = rehearsal_exchange(campaign->rehearsal);
	struct session plan = any_session(campaign);

	campaign_session(campaign, &plan);
	lose_nonces(campaign);
	assert_int_equal(prove(&campaign->rehearsal->transcript.session, device, &exchange), 0);
	if (!campaign_accepted(campaign))
		fail_msg("session %u: bits %u: %s", campaign->sessions, campaign->finding.bits,
			 campaign->finding.detail);
}

static void test_none_refused(void **state)
{
	static const unsigned int panels[PANELS] = { 1, 2, 3, 4, 7 };
	struct campaign *campaign = campaign_new(20261122);
	struct prover_device *device;
	const char *detail;

	(void)state;
	assert_int_equal(prover_cpu_open(1, &device, &detail), 0);
	for (size_t i = 0; i < PANELS; i++) {
		rehearsal_free(campaign->rehearsal);
		assert_int_equal(
			rehearsal_new(&campaign->random.random, panels[i], &campaign->rehearsal),
			0);
		for (unsigned int n = 0; n < SESSIONS / PANELS; n++)
			prove_on_cpu(campaign, device);
	}
	print_message("%u sessions, none refused\n", campaign->sessions);
	assert_int_equal(campaign->sessions, SESSIONS);
	device->ops->close(device);
	campaign_free(campaign);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_none_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* cheat_world.h - for tests: a campaign of sessions in one process, proved by a device that may cheat, and judged
 * as a checker does, from the bytes of the transcript alone. Deterministic from a seed. */
#pragma once

#include "popw/cheat_device.h"
#include "popw/rehearsal.h"
#include "popw/verify.h"

enum { CAMPAIGN_PANEL = 3, CAMPAIGN_ARENA = 4 << 20 };

struct campaign {
	struct random_seeded random;
	struct rehearsal *rehearsal;
	struct cheat_device *cheat;
	struct verifier *verifier;
	struct arena *arena;
	unsigned int sessions; /* judged so far */
	struct finding finding; /* of the last one; what is malformed has none */
};

static inline struct session campaign_plan(unsigned int openings)
{
	return (struct session){
		.kind = SESSION_REGISTRATION,
		.device = SESSION_GPU,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.chain_id = 1,
		.gpu_uuid = { 1, 2, 3 },
		.work = { .n_items = 1024,
			  .double_rounds = 1,
			  .walks = 32,
			  .steps = 3,
			  .epochs = 5,
			  .k = 64,
			  .n = 32,
			  .m = 64,
			  .rounds = 4,
			  .open_walks = (uint16_t)openings,
			  .open_tiles = (uint16_t)openings },
		.fill_ms = 1000,
		.walk_ms = 1000,
		.matrix_ms = 1000,
	};
}

static inline struct campaign *campaign_new(uint64_t seed)
{
	struct campaign *campaign = calloc(1, sizeof(*campaign));

	assert_non_null(campaign);
	random_seeded_init(&campaign->random, seed);
	assert_int_equal(
		rehearsal_new(&campaign->random.random, CAMPAIGN_PANEL, &campaign->rehearsal), 0);
	assert_int_equal(cheat_device_new(&campaign->random.random, &campaign->cheat), 0);
	assert_int_equal(verifier_new(&campaign->verifier), 0);
	assert_int_equal(arena_new(CAMPAIGN_ARENA, &campaign->arena), 0);
	return campaign;
}

static inline void campaign_free(struct campaign *campaign)
{
	arena_free(campaign->arena);
	verifier_free(campaign->verifier);
	cheat_device_free(campaign->cheat);
	rehearsal_free(campaign->rehearsal);
	free(campaign);
}

/* As a checker does: from the bytes alone. */
static inline bool campaign_accepts(struct campaign *campaign, const uint8_t *bytes, size_t len)
{
	struct transcript transcript;
	int r;

	campaign->sessions++;
	campaign->finding = (struct finding){ 0 };
	r = transcript_decode(campaign->rehearsal->hasher, bytes, len, campaign->arena, &transcript,
			      NULL);
	assert_true(r >= 0);
	if (r > 0)
		return false;
	verify(campaign->verifier, &transcript, &campaign->finding);
	return campaign->finding.bits == PROOF_ALL;
}

static inline bool campaign_accepted(struct campaign *campaign)
{
	uint8_t *bytes;
	size_t len;

	arena_reset(campaign->arena);
	assert_int_equal(rehearsal_transcript(campaign->rehearsal, campaign->arena, &bytes, &len),
			 0);
	return campaign_accepts(campaign, bytes, len);
}

static inline void campaign_prove(struct campaign *campaign, const struct session *session)
{
	struct prover_exchange exchange = rehearsal_exchange(campaign->rehearsal);

	assert_int_equal(prove(session, &campaign->cheat->host.device, &exchange), 0);
}

static inline void campaign_session(struct campaign *campaign, const struct session *wanted)
{
	assert_int_equal(rehearsal_begin(campaign->rehearsal, wanted, NULL), 0);
}

/* cheat_message_test.c - thousands of sessions in which the work is done, but not for this session, or in
 * which somebody says something else: a machine with another's answers, a relay that helps it, a member who
 * copies. None is accepted. */
#include "popw/rehearsal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/cheat_world.h"
#include "popw/judge.h"

enum {
	SESSIONS = 120, /* of each cheat */
	FLIPS = 20, /* in each of as many transcripts */
	OPENINGS = 8,
	TRIES = 20000, /* at drawing openings that miss what was skipped */
	SKIPPED_PERMILLE = 200,
};

static uint32_t below(struct campaign *campaign, uint32_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&campaign->random.random, bound, &value), 0);
	return (uint32_t)value;
}

static struct transcript *transcript_of(struct campaign *campaign)
{
	return &campaign->rehearsal->transcript;
}

static void spoil(struct campaign *campaign, uint8_t *bytes, size_t len)
{
	bytes[below(campaign, (uint32_t)len)] ^= (uint8_t)(1 + below(campaign, 255));
}

/* ---- signing again ---- */

static void sign(struct campaign *campaign, const char *tag, const struct secp_key *key,
		 uint8_t *bytes, size_t len)
{
	assert_int_equal(message_sign(campaign->rehearsal->hasher, tag,
				      &transcript_of(campaign)->session_digest, key, bytes, len),
			 0);
}

static void sign_session(struct campaign *campaign)
{
	struct transcript *transcript = transcript_of(campaign);

	session_digest(campaign->rehearsal->hasher, &transcript->session,
		       &transcript->session_digest);
	assert_int_equal(secp_sign(campaign->rehearsal->network, transcript->session_digest.bytes,
				   transcript->session.signature),
			 0);
}

static void sign_filled(struct campaign *campaign, const struct secp_key *key)
{
	uint8_t bytes[FILLED_SIZE];

	filled_encode(&transcript_of(campaign)->filled, bytes);
	sign(campaign, TAG_FILLED, key, bytes, sizeof(bytes));
	assert_int_equal(filled_decode(bytes, sizeof(bytes), &transcript_of(campaign)->filled), 0);
}

static void sign_seal(struct campaign *campaign, const struct secp_key *key, struct seal *seal)
{
	uint8_t bytes[SEAL_SIZE];

	seal_encode(seal, bytes);
	sign(campaign, TAG_SEAL, key, bytes, sizeof(bytes));
	assert_int_equal(seal_decode(bytes, sizeof(bytes), seal), 0);
}

/* Over the roots as they are now. */
static void seal_again(struct campaign *campaign, struct seal *seal, const struct hash *roots,
		       size_t n)
{
	hasher_once(campaign->rehearsal->hasher, roots, n * sizeof(*roots), &seal->roots);
	sign_seal(campaign, campaign->rehearsal->machine, seal);
}

static void seal_both_again(struct campaign *campaign)
{
	struct transcript *transcript = transcript_of(campaign);
	const struct session_work *work = &transcript->session.work;

	seal_again(campaign, &transcript->walk_seal, transcript->walk_roots, work->epochs);
	seal_again(campaign, &transcript->matrix_seal, transcript->matrix_roots, work->rounds);
}

static void sign_open(struct campaign *campaign, const struct secp_key *key)
{
	struct transcript *transcript = transcript_of(campaign);
	size_t len = open_size(&transcript->session);
	_cleanup_(freep) uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	open_encode(&transcript->session, &transcript->open, bytes);
	sign(campaign, TAG_OPEN, key, bytes, len);
	assert_int_equal(open_decode(&transcript->session, bytes, len, campaign->rehearsal->arena,
				     &transcript->open),
			 0);
}

static void sign_nonces(struct campaign *campaign, unsigned int k, const struct secp_key *key)
{
	struct nonces_message *message = &transcript_of(campaign)->nonces[k - 1];
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len = nonces_encode(message, bytes);

	sign(campaign, TAG_NONCES, key, bytes, len);
	assert_int_equal(nonces_decode(bytes, len, message), 0);
}

/* ---- before the proof: what network and panel do ---- */

static void change_nonce(struct campaign *campaign)
{
	unsigned int k = below(campaign, SESSION_NONCES);

	spoil(campaign, campaign->rehearsal->nonces[k].bytes[below(campaign, CAMPAIGN_PANEL)],
	      SESSION_NONCE_SIZE);
}

static void keep_one_nonce(struct campaign *campaign, unsigned int k)
{
	struct nonces *nonces = &campaign->rehearsal->nonces[k];

	nonces->set = 1;
	memset(nonces->bytes[1], 0, sizeof(nonces->bytes[1]) * (SESSION_PANEL_MAX - 1));
}

static void miss_quorum(struct campaign *campaign)
{
	keep_one_nonce(campaign, below(campaign, SESSION_NONCES));
}

/* A member's nonces are used that it never committed to. */
static void forget_commit(struct campaign *campaign)
{
	uint32_t member = below(campaign, CAMPAIGN_PANEL);

	transcript_of(campaign)->committed &= ~(1u << member);
	memset(&transcript_of(campaign)->commits[member], 0, sizeof(struct ncommit));
}

static void forge_commit(struct campaign *campaign)
{
	spoil(campaign, transcript_of(campaign)->commits[below(campaign, CAMPAIGN_PANEL)].signature,
	      SECP_SIGNATURE_SIZE);
}

/* A member that was silent before has a say in the openings, having seen all roots. */
static void come_back(struct campaign *campaign)
{
	struct nonces *matrix = &campaign->rehearsal->nonces[NONCE_MATRIX - 1];
	uint32_t member = below(campaign, CAMPAIGN_PANEL);

	matrix->set &= ~(1u << member);
	memset(matrix->bytes[member], 0, SESSION_NONCE_SIZE);
}

/* ---- in the proof: another's work ---- */

static void other_machine(struct campaign *campaign, struct session *session)
{
	spoil(campaign, session->machine.bytes, sizeof(session->machine.bytes));
}

static void other_gpu(struct campaign *campaign, struct session *session)
{
	spoil(campaign, session->gpu_uuid, SESSION_UUID_SIZE);
}

static void other_block(struct campaign *campaign, struct session *session)
{
	spoil(campaign, session->block_hash.bytes, HASH_SIZE);
}

static void other_time(struct campaign *campaign, struct session *session)
{
	session->epoch += 1 + below(campaign, 10);
}

/* ---- after the proof: what is said ---- */

static void other_key_filled(struct campaign *campaign)
{
	sign_filled(campaign, campaign->rehearsal->members[0]);
}

static void other_key_walk(struct campaign *campaign)
{
	sign_seal(campaign, campaign->rehearsal->members[0], &transcript_of(campaign)->walk_seal);
}

static void other_key_matrix(struct campaign *campaign)
{
	sign_seal(campaign, campaign->rehearsal->members[0], &transcript_of(campaign)->matrix_seal);
}

static void other_key_open(struct campaign *campaign)
{
	sign_open(campaign, campaign->rehearsal->network);
}

static void other_key_nonces(struct campaign *campaign)
{
	sign_nonces(campaign, 1 + below(campaign, SESSION_NONCES), campaign->rehearsal->machine);
}

static void unsigned_session(struct campaign *campaign)
{
	spoil(campaign, transcript_of(campaign)->session.gpu_uuid, SESSION_UUID_SIZE);
	session_digest(campaign->rehearsal->hasher, &transcript_of(campaign)->session,
		       &transcript_of(campaign)->session_digest);
}

/* The answers of one GPU for another one, with a session that the network signed, too. */
static void session_signed_again(struct campaign *campaign)
{
	spoil(campaign, transcript_of(campaign)->session.gpu_uuid, SESSION_UUID_SIZE);
	sign_session(campaign);
	for (unsigned int k = 1; k <= SESSION_NONCES; k++)
		sign_nonces(campaign, k, campaign->rehearsal->network);
	for (unsigned int i = 0; i < CAMPAIGN_PANEL; i++) {
		struct ncommit *commit = &transcript_of(campaign)->commits[i];
		uint8_t bytes[NCOMMIT_SIZE];

		ncommit_encode(commit, bytes);
		sign(campaign, TAG_NCOMMIT, campaign->rehearsal->members[i], bytes, sizeof(bytes));
		assert_int_equal(ncommit_decode(bytes, sizeof(bytes), commit), 0);
	}
	sign_filled(campaign, campaign->rehearsal->machine);
	seal_both_again(campaign);
	sign_open(campaign, campaign->rehearsal->machine);
}

static void own_panel(struct campaign *campaign)
{
	spoil(campaign, transcript_of(campaign)->members[below(campaign, CAMPAIGN_PANEL)].bytes,
	      sizeof(struct address));
}

static void other_root(struct campaign *campaign)
{
	struct transcript *transcript = transcript_of(campaign);

	if (below(campaign, 2))
		spoil(campaign,
		      transcript->walk_roots[below(campaign, transcript->session.work.epochs)]
			      .bytes,
		      HASH_SIZE);
	else
		spoil(campaign,
		      transcript->matrix_roots[below(campaign, transcript->session.work.rounds)]
			      .bytes,
		      HASH_SIZE);
}

static void other_root_sealed(struct campaign *campaign)
{
	other_root(campaign);
	seal_both_again(campaign);
}

static void other_set(struct campaign *campaign)
{
	struct transcript *transcript = transcript_of(campaign);
	uint32_t set = 1 + below(campaign, 6); /* all three are 7 */

	switch (below(campaign, 4)) {
	case 0:
		transcript->filled.set = set;
		sign_filled(campaign, campaign->rehearsal->machine);
		break;
	case 1:
		transcript->walk_seal.set = set;
		sign_seal(campaign, campaign->rehearsal->machine, &transcript->walk_seal);
		break;
	case 2:
		transcript->matrix_seal.set = set;
		sign_seal(campaign, campaign->rehearsal->machine, &transcript->matrix_seal);
		break;
	default:
		transcript->open.set = set;
		sign_open(campaign, campaign->rehearsal->machine);
	}
}

static void other_tile_opened(struct campaign *campaign)
{
	struct tile_opening *tiles = transcript_of(campaign)->open.tiles;

	tiles[1] = tiles[0];
	spoil(campaign, (uint8_t *)&tiles[0].tile, sizeof(tiles[0].tile));
	sign_open(campaign, campaign->rehearsal->machine);
}

static void other_walk_opened(struct campaign *campaign)
{
	struct walk_opening *walks = transcript_of(campaign)->open.walks;

	spoil(campaign, walks[below(campaign, OPENINGS)].path_after[0].bytes, HASH_SIZE);
	sign_open(campaign, campaign->rehearsal->machine);
}

/* ---- the campaign ---- */

struct falsehood {
	const char *name;
	void (*before)(struct campaign *campaign);
	void (*during)(struct campaign *campaign, struct session *session);
	void (*after)(struct campaign *campaign);
	uint16_t missing; /* at least one of these does not hold */
};

static const struct falsehood falsehoods[] = {
	{ "nonce changed", .before = change_nonce, .missing = PROOF_NONCES },
	{ "no quorum", .before = miss_quorum, .missing = PROOF_NONCES },
	{ "nonce of nobody", .before = forget_commit, .missing = PROOF_NONCES },
	{ "commitment forged", .before = forge_commit, .missing = PROOF_NONCES },
	{ "late member", .before = come_back, .missing = PROOF_NONCES },
	{ "another machine's work", .during = other_machine, .missing = PROOF_WALK },
	{ "another GPU's work", .during = other_gpu, .missing = PROOF_TILES },
	{ "work before the block", .during = other_block, .missing = PROOF_WALK },
	{ "work of another epoch", .during = other_time, .missing = PROOF_TILES },
	{ "FILLED by another key", .after = other_key_filled, .missing = PROOF_SEALS },
	{ "walk by another key", .after = other_key_walk, .missing = PROOF_SEALS },
	{ "rounds by another key", .after = other_key_matrix, .missing = PROOF_SEALS },
	{ "OPEN by another key", .after = other_key_open, .missing = PROOF_SEALS },
	{ "NONCES by another key", .after = other_key_nonces, .missing = PROOF_NONCES },
	{ "session changed", .after = unsigned_session, .missing = PROOF_SESSION },
	{ "GPU changed by all", .after = session_signed_again, .missing = PROOF_TILES },
	{ "a panel of its own", .after = own_panel, .missing = PROOF_SESSION },
	{ "root changed", .after = other_root, .missing = PROOF_SEALS },
	{ "root changed, sealed", .after = other_root_sealed, .missing = PROOF_WALK | PROOF_TILES },
	{ "for other nonces", .after = other_set, .missing = PROOF_SEALS },
	{ "another tile opened", .after = other_tile_opened, .missing = PROOF_TILES },
	{ "another walk opened", .after = other_walk_opened, .missing = PROOF_WALK },
};

static void tell(struct campaign *campaign, const struct falsehood *falsehood)
{
	struct session wanted = campaign_plan(OPENINGS), session;

	campaign_session(campaign, &wanted);
	if (falsehood->before)
		falsehood->before(campaign);
	session = transcript_of(campaign)->session;
	if (falsehood->during)
		falsehood->during(campaign, &session);
	campaign_prove(campaign, &session);
	if (falsehood->after)
		falsehood->after(campaign);
	if (campaign_accepted(campaign))
		fail_msg("accepted: %s", falsehood->name);
	/* What cannot even be read has no bits. */
	if (campaign->finding.detail[0] &&
	    (campaign->finding.bits & falsehood->missing) == falsehood->missing)
		fail_msg("%s: bits %u: %s", falsehood->name, campaign->finding.bits,
			 campaign->finding.detail);
}

static void test_falsehoods(void **state)
{
	struct campaign *campaign = *state;

	cheat_device_set(campaign->cheat, CHEAT_NOTHING, 0);
	for (size_t f = 0; f < ARRAY_SIZE(falsehoods); f++)
		for (unsigned int i = 0; i < SESSIONS; i++)
			tell(campaign, &falsehoods[f]);
}

/* ---- answers of the session before ---- */

struct answers {
	struct hash walk_roots[8], matrix_roots[8];
	struct walk_opening walks[OPENINGS];
	struct tile_opening tiles[OPENINGS];
};

static void keep_answers(struct campaign *campaign, struct answers *answers)
{
	const struct transcript *transcript = transcript_of(campaign);
	const struct session_work *work = &transcript->session.work;

	memcpy(answers->walk_roots, transcript->walk_roots, work->epochs * sizeof(struct hash));
	memcpy(answers->matrix_roots, transcript->matrix_roots, work->rounds * sizeof(struct hash));
	memcpy(answers->walks, transcript->open.walks, sizeof(answers->walks));
	memcpy(answers->tiles, transcript->open.tiles, sizeof(answers->tiles));
}

static void show_answers(struct campaign *campaign, const struct answers *answers)
{
	struct transcript *transcript = transcript_of(campaign);
	const struct session_work *work = &transcript->session.work;

	memcpy(transcript->walk_roots, answers->walk_roots, work->epochs * sizeof(struct hash));
	memcpy(transcript->matrix_roots, answers->matrix_roots, work->rounds * sizeof(struct hash));
	memcpy(transcript->open.walks, answers->walks, sizeof(answers->walks));
	memcpy(transcript->open.tiles, answers->tiles, sizeof(answers->tiles));
	seal_both_again(campaign);
	sign_open(campaign, campaign->rehearsal->machine);
}

static void test_replay(void **state)
{
	_cleanup_(freep) struct answers *before = calloc(1, sizeof(*before));
	_cleanup_(freep) struct answers *now = calloc(1, sizeof(*now));
	struct session wanted = campaign_plan(OPENINGS);
	struct campaign *campaign = *state;

	assert_non_null(before);
	assert_non_null(now);
	cheat_device_set(campaign->cheat, CHEAT_NOTHING, 0);
	for (unsigned int i = 0; i <= SESSIONS; i++) {
		campaign_session(campaign, &wanted);
		campaign_prove(campaign, &transcript_of(campaign)->session);
		keep_answers(campaign, now);
		if (i > 0) {
			show_answers(campaign, before);
			assert_false(campaign_accepted(campaign));
			assert_int_equal(campaign->finding.bits & (PROOF_WALK | PROOF_TILES), 0);
		}
		*before = *now;
	}
}

/* ---- nonces known too early ---- */

/* Whether all openings would miss the tiles that were skipped. */
static bool misses(struct campaign *campaign, const struct nonces *nonces)
{
	const struct transcript *transcript = transcript_of(campaign);
	const struct session_work *work = &transcript->session.work;
	struct hash opening;

	seed_opening(campaign->rehearsal->hasher, &transcript->walk_seal.roots,
		     &transcript->matrix_seal.roots, nonces, &opening);
	for (uint32_t i = 0; i < work->open_tiles; i++) {
		uint32_t tile, round;

		opening_place(&opening, work->open_walks + i, session_tiles(work), work->rounds,
			      &tile, &round);
		if (campaign->cheat->bad_tile[round * session_tiles(work) + tile])
			return false;
	}
	return true;
}

/* A member and the relay help the machine: knowing all roots, they draw another last nonce until the
 * openings suit. The work then looks right; what the member committed to gives it away. */
static int suitable_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct campaign *campaign = arg;
	struct nonces *nonces = &campaign->rehearsal->nonces[NONCE_OPEN - 1];
	struct prover_exchange exchange = rehearsal_exchange(campaign->rehearsal);

	for (unsigned int i = 0; k == NONCE_OPEN && i < TRIES; i++) {
		if (misses(campaign, nonces))
			break;
		memcpy(nonces->bytes[0], &i, sizeof(i));
	}
	return exchange.nonces(exchange.arg, k, ret_nonces);
}

static int hear(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct campaign *campaign = arg;

	return rehearsal_hear(campaign->rehearsal, kind, bytes, len);
}

static void test_early_nonces(void **state)
{
	struct session wanted = campaign_plan(OPENINGS);
	struct campaign *campaign = *state;
	struct prover_exchange exchange = { suitable_nonces, hear, campaign };
	unsigned int looked_right = 0, lucky = 0;

	cheat_device_set(campaign->cheat, CHEAT_TILES_SKIPPED, SKIPPED_PERMILLE);
	for (unsigned int i = 0; i < SESSIONS; i++) {
		struct nonces drawn;
		bool passed;

		campaign_session(campaign, &wanted);
		drawn = campaign->rehearsal->nonces[NONCE_OPEN - 1];
		assert_int_equal(prove(&transcript_of(campaign)->session,
				       &campaign->cheat->host.device, &exchange),
				 0);
		passed = campaign_accepted(campaign);
		looked_right += campaign->finding.bits == (PROOF_ALL & ~PROOF_NONCES);
		/* Luck with the right nonces is what openings allow. */
		lucky += passed;
		assert_true(!passed || memcmp(&drawn, &campaign->rehearsal->nonces[NONCE_OPEN - 1],
					      sizeof(drawn)) == 0);
	}
	print_message("early nonces: %u looked right but for the nonces, %u were lucky without\n",
		      looked_right, lucky);
	assert_int_equal(looked_right + lucky, SESSIONS);
}

/* ---- bytes ---- */

/* Any byte of an honest transcript, changed: unreadable, or not accepted. */
static void test_flips(void **state)
{
	struct session wanted = campaign_plan(OPENINGS);
	struct campaign *campaign = *state;

	cheat_device_set(campaign->cheat, CHEAT_NOTHING, 0);
	for (unsigned int i = 0; i < SESSIONS; i++) {
		uint8_t *bytes;
		size_t len;

		campaign_session(campaign, &wanted);
		campaign_prove(campaign, &transcript_of(campaign)->session);
		arena_reset(campaign->arena);
		assert_int_equal(
			rehearsal_transcript(campaign->rehearsal, campaign->arena, &bytes, &len),
			0);
		for (unsigned int flip = 0; flip < FLIPS; flip++) {
			uint32_t at = below(campaign, (uint32_t)len);
			uint8_t right = bytes[at];

			bytes[at] ^= (uint8_t)(1 + below(campaign, 255));
			if (campaign_accepts(campaign, bytes, len))
				fail_msg("byte %u of %zu may be %u", at, len, bytes[at]);
			bytes[at] = right;
		}
	}
}

/* ---- members ---- */

/* A member that did nothing takes another's result for its own: word for word, or under its own name. Its
 * commitment came first, and the other's words are not signed by it. */
static void test_copied_results(void **state)
{
	struct session wanted = campaign_plan(OPENINGS);
	struct campaign *campaign = *state;
	struct rehearsal *rehearsal = campaign->rehearsal;

	cheat_device_set(campaign->cheat, CHEAT_NOTHING, 0);
	campaign_session(campaign, &wanted);
	campaign_prove(campaign, &rehearsal->transcript.session);
	for (unsigned int i = 0; i < SESSIONS; i++) {
		struct testimony testimony = { .set = 3,
					       .results = { { .bits = PROOF_ALL, .fill_us = 5 } } };
		struct result *results = testimony.results;
		struct record *record;
		struct verdict verdict;
		uint8_t *bytes, *again;
		const char *detail = "";
		size_t len, again_len;
		int r;

		arena_reset(campaign->arena);
		record = arena_alloc(campaign->arena, sizeof(*record));
		assert_non_null(record);
		assert_int_equal(rehearsal_transcript(rehearsal, campaign->arena, &bytes, &len), 0);
		hasher_once(rehearsal->hasher, bytes, len, &results[0].transcript);
		assert_int_equal(rehearsal_sign_result(rehearsal, 0, &results[0]), 0);
		results[1] = results[0];
		if (i % 2)
			results[1].member = 1;
		assert_int_equal(rehearsal_testify(rehearsal, 3, &testimony), 0);
		assert_int_equal(
			record_encode(bytes, len, &testimony, campaign->arena, &again, &again_len),
			0);
		campaign->sessions++;
		r = record_decode(rehearsal->hasher, again, again_len, campaign->arena, record,
				  &detail);
		if (r == 0)
			r = record_replay(campaign->verifier, record, &campaign->finding, &verdict);
		assert_int_equal(r, RECORD_E_MALFORMED);
	}
}

static int begin(void **state)
{
	*state = campaign_new(20261123);
	return 0;
}

static int end(void **state)
{
	struct campaign *campaign = *state;

	print_message("%u sessions, no falsehood accepted\n", campaign->sessions);
	campaign_free(campaign);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_falsehoods),     cmocka_unit_test(test_replay),
		cmocka_unit_test(test_early_nonces),   cmocka_unit_test(test_flips),
		cmocka_unit_test(test_copied_results),
	};

	return cmocka_run_group_tests(tests, begin, end);
}

#include "popw/verify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "popw/verify_world.h"

static const uint16_t both = SESSION_HAS_WALK | SESSION_HAS_MATRIX;

static int setup(void **state)
{
	struct verify_world *world = malloc(sizeof(*world));

	assert_non_null(world);
	verify_world_init(world, 11);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	verify_world_done(*state);
	free(*state);
	return 0;
}

static void assert_found(struct verify_world *world, uint16_t missing, const char *detail)
{
	struct finding finding = verify_world_finding(world);

	assert_int_equal(finding.bits, PROOF_ALL & ~missing);
	assert_memory_equal(finding.detail, detail, strlen(detail));
	assert_true(finding.detail[0] || !missing);
}

static void honest_sessions_hold(void **state)
{
	struct verify_world *world = *state;

	for (uint16_t flags = SESSION_HAS_WALK; flags <= both; flags++) {
		struct finding finding;

		verify_world_begin(world, flags);
		verify_world_prove(world);
		finding = verify_world_finding(world);
		assert_string_equal(finding.detail, "");
		assert_int_equal(finding.bits, PROOF_ALL);
	}
}

/* ---- changed before the proof: the worker is honest, the others are not ---- */

static void another_network_signs_the_session(struct verify_world *world)
{
	struct transcript *transcript = world->transcript;

	assert_int_equal(secp_sign(world->rehearsal->machine, transcript->session_digest.bytes,
				   transcript->session.signature),
			 0);
}

static void a_signature_spelled_otherwise(struct verify_world *world)
{
	world->transcript->session.signature[64] -= 27;
}

static void too_few_fill(struct verify_world *world)
{
	world->rehearsal->nonces[NONCE_FILL - 1].set = 1;
}

static void too_few_open(struct verify_world *world)
{
	world->rehearsal->nonces[NONCE_OPEN - 1].set = 4;
}

static void a_latecomer_opens(struct verify_world *world)
{
	world->rehearsal->nonces[NONCE_MATRIX - 1].set = 3;
	world->rehearsal->nonces[NONCE_OPEN - 1].set = 6;
}

static void another_nonce_than_committed(struct verify_world *world)
{
	world->rehearsal->nonces[NONCE_WALK - 1].bytes[1][31] ^= 1;
}

static void members_fall_silent(struct verify_world *world)
{
	world->rehearsal->nonces[NONCE_FILL - 1].set = 6;
	world->rehearsal->nonces[NONCE_WALK - 1].set = 5;
	world->rehearsal->nonces[NONCE_OPEN - 1].set = 3;
}

static const struct {
	void (*change)(struct verify_world *world);
	uint16_t missing;
	const char *detail;
} changes_before[] = {
	{ another_network_signs_the_session, PROOF_SESSION, "session: not signed" },
	{ a_signature_spelled_otherwise, PROOF_SESSION, "session: not signed" },
	{ too_few_fill, PROOF_NONCES, "NONCES 1: fewer than a quorum of 2" },
	{ too_few_open, PROOF_NONCES, "NONCES 4: fewer" },
	{ a_latecomer_opens, PROOF_NONCES, "NONCES 4: from members not in NONCES 3" },
	{ another_nonce_than_committed, PROOF_NONCES, "NONCES 2 of member 1: not what" },
	{ members_fall_silent, 0, "" },
};

static void faults_of_network_and_panel_clear_their_bit(void **state)
{
	struct verify_world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes_before); i++) {
		verify_world_begin(world, both);
		changes_before[i].change(world);
		verify_world_prove(world);
		assert_found(world, changes_before[i].missing, changes_before[i].detail);
	}
}

/* Without a matrix phase the walk's nonces are those before the opening's. */
static void the_last_phases_nonces_bound_the_openings(void **state)
{
	struct verify_world *world = *state;

	verify_world_begin(world, SESSION_HAS_WALK);
	world->rehearsal->nonces[NONCE_WALK - 1].set = 3;
	world->rehearsal->nonces[NONCE_OPEN - 1].set = 5;
	verify_world_prove(world);
	assert_found(world, PROOF_NONCES, "NONCES 4: from members not in NONCES 2");
}

static void assert_opened_by(struct verify_world *world, uint32_t before, uint32_t set,
			     const char *detail)
{
	verify_world_begin(world, SESSION_HAS_MATRIX);
	world->rehearsal->nonces[NONCE_MATRIX - 1].set = before;
	world->rehearsal->nonces[NONCE_OPEN - 1].set = set;
	verify_world_prove(world);
	assert_found(world, *detail ? PROOF_NONCES : 0, detail);
}

/* A relay that could leave out more could draw the openings as often as there are sets. */
static void one_member_may_be_missing_from_the_openings(void **state _unused_)
{
	struct verify_world world;

	verify_world_init_panel(&world, 21, 7);
	assert_opened_by(&world, 127, 127, "");
	assert_opened_by(&world, 127, 63, "");
	assert_opened_by(&world, 127, 62, "NONCES 4: more than one of NONCES 3");
	assert_opened_by(&world, 63, 62, "");
	assert_opened_by(&world, 31, 31, "");
	assert_opened_by(&world, 31, 15, "NONCES 4: fewer than a quorum of 5");
	verify_world_done(&world);
}

/* ---- changed after the proof, and signed again ---- */

static void sign(struct verify_world *world, const char *tag, uint8_t *bytes, size_t len)
{
	assert_int_equal(message_sign(world->rehearsal->hasher, tag,
				      &world->transcript->session_digest, world->rehearsal->machine,
				      bytes, len),
			 0);
}

static void sign_filled(struct verify_world *world)
{
	uint8_t bytes[FILLED_SIZE];

	filled_encode(&world->transcript->filled, bytes);
	sign(world, TAG_FILLED, bytes, sizeof(bytes));
	assert_int_equal(filled_decode(bytes, sizeof(bytes), &world->transcript->filled), 0);
}

static void sign_seal(struct verify_world *world, struct seal *seal)
{
	uint8_t bytes[SEAL_SIZE];

	seal_encode(seal, bytes);
	sign(world, TAG_SEAL, bytes, sizeof(bytes));
	assert_int_equal(seal_decode(bytes, sizeof(bytes), seal), 0);
}

static void sign_open(struct verify_world *world)
{
	struct transcript *transcript = world->transcript;
	size_t len = open_size(&transcript->session);
	_cleanup_(freep) uint8_t *bytes = malloc(len);

	assert_non_null(bytes);
	open_encode(&transcript->session, &transcript->open, bytes);
	sign(world, TAG_OPEN, bytes, len);
	memcpy(transcript->open.signature, bytes + len - SECP_SIGNATURE_SIZE, SECP_SIGNATURE_SIZE);
}

static void a_foreign_panel(struct verify_world *world)
{
	world->transcript->members[2].bytes[0] ^= 1;
}

static void nonces_of_one_who_did_not_commit(struct verify_world *world)
{
	world->transcript->committed = 3;
}

static void nonces_that_the_network_did_not_sign(struct verify_world *world)
{
	world->transcript->nonces[NONCE_MATRIX - 1].signature[5] ^= 1;
}

static void filled_for_other_nonces(struct verify_world *world)
{
	world->transcript->filled.set = 3;
	sign_filled(world);
}

static void filled_unsigned(struct verify_world *world)
{
	world->transcript->filled.signature[0] ^= 1;
}

static void walks_sealed_for_other_nonces(struct verify_world *world)
{
	world->transcript->walk_seal.set = 3;
	sign_seal(world, &world->transcript->walk_seal);
}

static void other_roots_sealed(struct verify_world *world)
{
	world->transcript->matrix_seal.roots.bytes[0] ^= 1;
	sign_seal(world, &world->transcript->matrix_seal);
}

static void opened_for_other_nonces(struct verify_world *world)
{
	world->transcript->open.set = 3;
	sign_open(world);
}

static void opened_unsigned(struct verify_world *world)
{
	world->transcript->open.signature[40] ^= 1;
}

/* The opened place @i is of an epoch behind the first. */
static bool has_state_before(const struct verify_world *world, size_t i)
{
	const struct walk_opening *walk = &world->transcript->open.walks[i];

	for (size_t word = 0; word < ITEM_WORDS; word++)
		if (walk->before.words[word])
			return true;
	return false;
}

static struct walk_opening *opened_walk(struct verify_world *world, bool with_state)
{
	for (size_t i = 0; i < world->transcript->session.work.open_walks; i++)
		if (has_state_before(world, i) == with_state)
			return &world->transcript->open.walks[i];
	fail_msg("of 16 openings in 4 epochs none is as wanted");
	return NULL;
}

static void another_state_before(struct verify_world *world)
{
	opened_walk(world, true)->before.words[63] ^= 1;
	sign_open(world);
}

static void a_state_before_the_first_epoch(struct verify_world *world)
{
	opened_walk(world, false)->before.words[0] = 1;
	sign_open(world);
}

static void a_path_before_the_first_epoch(struct verify_world *world)
{
	opened_walk(world, false)->path_before[8].bytes[31] = 1;
	sign_open(world);
}

static void another_path_before(struct verify_world *world)
{
	opened_walk(world, true)->path_before[0].bytes[0] ^= 1;
	sign_open(world);
}

static void another_path_after(struct verify_world *world)
{
	opened_walk(world, false)->path_after[8].bytes[0] ^= 1;
	sign_open(world);
}

static void walks_in_another_order(struct verify_world *world)
{
	struct walk_opening *walks = world->transcript->open.walks, first = walks[0];

	walks[0] = walks[1];
	walks[1] = first;
	sign_open(world);
}

static void another_tile(struct verify_world *world)
{
	world->transcript->open.tiles[15].tile.words[127]++;
	sign_open(world);
}

static void another_path_of_a_tile(struct verify_world *world)
{
	world->transcript->open.tiles[0].path[5].bytes[31] ^= 0x80;
	sign_open(world);
}

static const struct {
	void (*change)(struct verify_world *world);
	uint16_t missing;
	const char *detail;
} changes_after[] = {
	{ a_foreign_panel, PROOF_SESSION | PROOF_NONCES, "session: the members" },
	{ nonces_of_one_who_did_not_commit, PROOF_NONCES, "NONCES 1: from members that" },
	{ nonces_that_the_network_did_not_sign, PROOF_NONCES, "NONCES 3: not signed" },
	{ filled_for_other_nonces, PROOF_SEALS, "FILLED: for other" },
	{ filled_unsigned, PROOF_SEALS, "FILLED: not signed" },
	{ walks_sealed_for_other_nonces, PROOF_SEALS, "SEAL of the walk phase: for" },
	{ other_roots_sealed, PROOF_SEALS, "SEAL of the matrix phase: over" },
	{ opened_for_other_nonces, PROOF_SEALS, "OPEN: for other" },
	{ opened_unsigned, PROOF_SEALS, "OPEN: not signed" },
	{ another_state_before, PROOF_WALK, "walk opening " },
	{ a_state_before_the_first_epoch, PROOF_WALK, "walk opening " },
	{ a_path_before_the_first_epoch, PROOF_WALK, "walk opening " },
	{ another_path_before, PROOF_WALK, "walk opening " },
	{ another_path_after, PROOF_WALK, "walk opening " },
	{ walks_in_another_order, PROOF_WALK, "walk opening 0" },
	{ another_tile, PROOF_TILES, "tile opening 15" },
	{ another_path_of_a_tile, PROOF_TILES, "tile opening 0" },
};

static void cheats_clear_their_bit_only(void **state)
{
	struct verify_world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(changes_after); i++) {
		verify_world_begin(world, both);
		verify_world_prove(world);
		changes_after[i].change(world);
		assert_found(world, changes_after[i].missing, changes_after[i].detail);
	}
}

/* What follows from a root is lost with it, though everything is sealed. */
static void a_forged_root_falls(void **state)
{
	struct verify_world *world = *state;
	struct transcript *transcript = world->transcript;

	verify_world_begin(world, both);
	verify_world_prove(world);
	transcript->walk_roots[3].bytes[0] ^= 1;
	hasher_once(world->rehearsal->hasher, transcript->walk_roots, sizeof(struct hash) * 4,
		    &transcript->walk_seal.roots);
	sign_seal(world, &transcript->walk_seal);
	assert_int_equal(verify_world_finding(world).bits,
			 PROOF_SESSION | PROOF_NONCES | PROOF_SEALS);
}

/* ---- somebody on the way changes a byte ---- */

static bool holds(struct verify_world *world, const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct transcript transcript;
	struct finding finding;
	int r;

	assert_int_equal(arena_new(WORLD_ARENA, &arena), 0);
	r = transcript_decode(verifier_hasher(world->verifier), bytes, len, arena, &transcript,
			      NULL);
	if (r != 0) {
		assert_int_equal(r, TRANSCRIPT_E_MALFORMED);
		return false;
	}
	verify(world->verifier, &transcript, &finding);
	assert_true(finding.bits == PROOF_ALL || finding.detail[0]);
	return finding.bits == PROOF_ALL;
}

/* Every byte of the head and of the end, and some of all others: none can be another one. */
static void no_byte_can_be_changed(void **state)
{
	enum { HEAD = 8 + SESSION_SIZE + 3 * 20 + 4, EVERY = 61 };
	struct verify_world *world = *state;
	uint64_t change;
	uint8_t *bytes;
	size_t len;

	verify_world_begin(world, both);
	verify_world_prove(world);
	bytes = verify_world_bytes(world, &len);
	assert_true(holds(world, bytes, len));
	for (size_t i = 0; i < len; i += i < HEAD || i > len - SECP_SIGNATURE_SIZE ? 1 : EVERY) {
		assert_int_equal(random_below(&world->random.random, 255, &change), 0);
		bytes[i] ^= (uint8_t)(change + 1);
		if (holds(world, bytes, len))
			fail_msg("byte %zu can be changed", i);
		bytes[i] ^= (uint8_t)(change + 1);
	}
	assert_true(holds(world, bytes, len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_sessions_hold),
		cmocka_unit_test(faults_of_network_and_panel_clear_their_bit),
		cmocka_unit_test(the_last_phases_nonces_bound_the_openings),
		cmocka_unit_test(one_member_may_be_missing_from_the_openings),
		cmocka_unit_test(cheats_clear_their_bit_only),
		cmocka_unit_test(a_forged_root_falls),
		cmocka_unit_test(no_byte_can_be_changed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

#include "popw/verify.h"

#include <stdarg.h>

struct verifier {
	struct hasher *hasher;
	struct matrix_scratch scratch;
	struct walk_state states[SESSION_OPENINGS_MAX];
	uint32_t walks[SESSION_OPENINGS_MAX], epochs[SESSION_OPENINGS_MAX];
	struct hash rounds[SESSION_ROUNDS_MAX]; /* seed_i */
	uint8_t open[OPEN_SIZE_MAX];
};

/* One verification: what follows from the transcript, and what was found. */
struct check {
	struct verifier *verifier;
	struct hasher *hasher;
	const struct transcript *transcript;
	struct hash walk_roots, matrix_roots; /* H of all; zeros without that phase */
	struct hash seed_d, seed_w, seed_g, opening;
	struct finding finding;
};

int verifier_new(struct verifier **ret_verifier)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	int r;

	if (!verifier)
		return -ENOMEM;
	r = hasher_new(&verifier->hasher);
	if (r == 0)
		r = matrix_scratch_init(&verifier->scratch, MATRIX_K_MAX);
	if (r < 0) {
		hasher_free(verifier->hasher);
		free(verifier);
		return r;
	}
	*ret_verifier = verifier;
	return 0;
}

void verifier_free(struct verifier *verifier)
{
	if (!verifier)
		return;
	hasher_free(verifier->hasher);
	matrix_scratch_done(&verifier->scratch);
	free(verifier);
}

struct hasher *verifier_hasher(struct verifier *verifier)
{
	return verifier->hasher;
}

/* The first thing that does not hold stays. */
static _printf_(2, 3) bool wrong(struct check *check, const char *format, ...)
{
	struct finding *finding = &check->finding;
	va_list args;

	if (finding->detail[0])
		return false;
	va_start(args, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, args);
	va_end(args);
	return false;
}

static bool has(const struct check *check, uint16_t phase)
{
	return check->transcript->session.flags & phase;
}

static bool signed_by(struct check *check, const char *tag, const struct address *signer,
		      const uint8_t *bytes, size_t len)
{
	return message_signed_by(check->hasher, tag, &check->transcript->session_digest, signer,
				 bytes, len);
}

/* ---- session ---- */

static bool session_holds(struct check *check)
{
	const struct transcript *transcript = check->transcript;
	const struct session *session = &transcript->session;
	struct hash panel;

	if (!digest_signed_by(&transcript->session_digest, session->signature, &session->network))
		return wrong(check, "session: not signed by the network that it names");
	session_panel_hash(check->hasher, transcript->members, session->panel_size, &panel);
	if (!hash_equal(&panel, &session->panel))
		return wrong(check, "session: the members are not the panel that it names");
	return true;
}

/* ---- nonces ---- */

static bool commits_hold(struct check *check)
{
	const struct transcript *transcript = check->transcript;

	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		uint8_t bytes[NCOMMIT_SIZE];

		if (!(transcript->committed >> i & 1))
			continue;
		ncommit_encode(&transcript->commits[i], bytes);
		if (!signed_by(check, TAG_NCOMMIT, &transcript->members[i], bytes, sizeof(bytes)))
			return wrong(check, "NCOMMIT of member %u: not signed by it", i);
	}
	return true;
}

static bool revealed_as_committed(struct check *check, unsigned int k)
{
	const struct nonces *nonces = &check->transcript->nonces[k - 1].nonces;

	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		struct hash hash;

		if (!(nonces->set >> i & 1))
			continue;
		hasher_once(check->hasher, nonces->bytes[i], SESSION_NONCE_SIZE, &hash);
		if (!hash_equal(&hash, &check->transcript->commits[i].nonces[k - 1]))
			return wrong(check, "NONCES %u of member %u: not what it committed to", k,
				     i);
	}
	return true;
}

static bool nonces_hold(struct check *check, unsigned int k)
{
	const struct transcript *transcript = check->transcript;
	const struct nonces_message *message = &transcript->nonces[k - 1];
	uint32_t set = message->nonces.set;
	unsigned int quorum = session_quorum(transcript->session.panel_size);
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len = nonces_encode(message, bytes);

	if (!signed_by(check, TAG_NONCES, &transcript->session.network, bytes, len))
		return wrong(check, "NONCES %u: not signed by the network", k);
	if (set & ~transcript->committed)
		return wrong(check, "NONCES %u: from members that committed to none", k);
	if ((unsigned int)__builtin_popcount(set) < quorum)
		return wrong(check, "NONCES %u: fewer than a quorum of %u", k, quorum);
	return revealed_as_committed(check, k);
}

/* Who could leave members out of the last set alone, having seen the roots, could draw the openings
 * again and again; one member that fell silent in between may be missing. */
static bool opening_set_holds(struct check *check)
{
	const struct nonces_message *nonces = check->transcript->nonces;
	unsigned int k = has(check, SESSION_HAS_MATRIX) ? NONCE_MATRIX : NONCE_WALK;
	uint32_t before = nonces[k - 1].nonces.set, set = nonces[NONCE_OPEN - 1].nonces.set;
	unsigned int least = session_least_open(check->transcript->session.panel_size, before);

	if (set & ~before)
		return wrong(check, "NONCES %d: from members not in NONCES %u", NONCE_OPEN, k);
	if ((unsigned int)__builtin_popcount(set) < least)
		return wrong(check, "NONCES %d: more than one of NONCES %u is missing", NONCE_OPEN,
			     k);
	return true;
}

static bool all_nonces_hold(struct check *check)
{
	if (!commits_hold(check))
		return false;
	if (has(check, SESSION_HAS_WALK) &&
	    (!nonces_hold(check, NONCE_FILL) || !nonces_hold(check, NONCE_WALK)))
		return false;
	if (has(check, SESSION_HAS_MATRIX) && !nonces_hold(check, NONCE_MATRIX))
		return false;
	return nonces_hold(check, NONCE_OPEN) && opening_set_holds(check);
}

/* ---- seals ---- */

static bool filled_holds(struct check *check)
{
	const struct transcript *transcript = check->transcript;
	uint8_t bytes[FILLED_SIZE];

	filled_encode(&transcript->filled, bytes);
	if (!signed_by(check, TAG_FILLED, &transcript->session.machine, bytes, sizeof(bytes)))
		return wrong(check, "FILLED: not signed by the machine");
	if (transcript->filled.set != transcript->nonces[NONCE_FILL - 1].nonces.set)
		return wrong(check, "FILLED: for other nonces");
	return true;
}

static bool seal_holds(struct check *check, const struct seal *seal, const struct hash *roots,
		       unsigned int k)
{
	const struct transcript *transcript = check->transcript;
	const char *phase = seal->phase == PHASE_WALK ? "walk" : "matrix";
	uint8_t bytes[SEAL_SIZE];

	seal_encode(seal, bytes);
	if (!signed_by(check, TAG_SEAL, &transcript->session.machine, bytes, sizeof(bytes)))
		return wrong(check, "SEAL of the %s phase: not signed by the machine", phase);
	if (!hash_equal(&seal->roots, roots))
		return wrong(check, "SEAL of the %s phase: over other roots", phase);
	if (seal->set != transcript->nonces[k - 1].nonces.set)
		return wrong(check, "SEAL of the %s phase: for other nonces", phase);
	return true;
}

static bool open_holds(struct check *check)
{
	const struct transcript *transcript = check->transcript;
	size_t len = open_size(&transcript->session);
	uint8_t *bytes = check->verifier->open;

	open_encode(&transcript->session, &transcript->open, bytes);
	if (!signed_by(check, TAG_OPEN, &transcript->session.machine, bytes, len))
		return wrong(check, "OPEN: not signed by the machine");
	if (transcript->open.set != transcript->nonces[NONCE_OPEN - 1].nonces.set)
		return wrong(check, "OPEN: for other nonces");
	return true;
}

static bool seals_hold(struct check *check)
{
	const struct transcript *transcript = check->transcript;

	if (has(check, SESSION_HAS_WALK) &&
	    (!filled_holds(check) ||
	     !seal_holds(check, &transcript->walk_seal, &check->walk_roots, NONCE_WALK)))
		return false;
	if (has(check, SESSION_HAS_MATRIX) &&
	    !seal_holds(check, &transcript->matrix_seal, &check->matrix_roots, NONCE_MATRIX))
		return false;
	return open_holds(check);
}

/* ---- walks ---- */

static bool is_zero(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		if (at[i])
			return false;
	return true;
}

static bool state_leads(struct check *check, const struct walk_state *state, uint32_t walk,
			const struct hash *path, const struct hash *root)
{
	struct hash leaf;

	hasher_once(check->hasher, state->words, sizeof(state->words), &leaf);
	return tree_leads(check->hasher, &leaf, walk, check->transcript->session.work.walks, path,
			  root);
}

/* The state with which opening @i's epoch begins, the epoch's salt in it: what the walk goes on from. */
static bool walk_begins(struct check *check, uint32_t i)
{
	static const struct hash no_root;
	const struct transcript *transcript = check->transcript;
	const struct walk_opening *opening = &transcript->open.walks[i];
	uint32_t walk = check->verifier->walks[i], epoch = check->verifier->epochs[i];
	const struct hash *before = epoch ? &transcript->walk_roots[epoch - 1] : &no_root;
	struct walk_state *state = &check->verifier->states[i];
	struct prg_key seed_w;
	uint32_t salt[8];

	prg_key_from(check->seed_w.bytes, &seed_w);
	if (epoch == 0) {
		if (!is_zero(opening, offsetof(struct walk_opening, path_after)))
			return wrong(check, "walk opening %u: a state before the first epoch", i);
		walk_start(&seed_w, walk, state);
	} else {
		if (!state_leads(check, &opening->before, walk, opening->path_before, before))
			return wrong(check,
				     "walk opening %u: not the state of walk %u before epoch %u", i,
				     walk, epoch);
		*state = opening->before;
	}
	walk_salt(check->hasher, &seed_w, before, epoch, salt);
	walk_enter(state, walk, salt);
	return true;
}

static bool walk_ends(struct check *check, uint32_t i)
{
	const struct transcript *transcript = check->transcript;
	uint32_t walk = check->verifier->walks[i], epoch = check->verifier->epochs[i];

	if (!state_leads(check, &check->verifier->states[i], walk,
			 transcript->open.walks[i].path_after, &transcript->walk_roots[epoch]))
		return wrong(check, "walk opening %u: walk %u does not end epoch %u as committed",
			     i, walk, epoch);
	return true;
}

/* All opened walks go together, so that their items are made many at once. */
static bool walks_hold(struct check *check)
{
	const struct session_work *work = &check->transcript->session.work;
	struct verifier *verifier = check->verifier;
	struct prg_key seed_d;

	for (uint32_t i = 0; i < work->open_walks; i++) {
		opening_place(&check->opening, i, work->walks, work->epochs, &verifier->walks[i],
			      &verifier->epochs[i]);
		if (!walk_begins(check, i))
			return false;
	}
	prg_key_from(check->seed_d.bytes, &seed_d);
	walk_epoch_remade(verifier->states, work->open_walks, &seed_d, work->double_rounds,
			  work->n_items, work->steps);
	for (uint32_t i = 0; i < work->open_walks; i++)
		if (!walk_ends(check, i))
			return false;
	return true;
}

/* ---- tiles ---- */

static bool tile_holds(struct check *check, uint32_t i)
{
	const struct transcript *transcript = check->transcript;
	const struct session_work *work = &transcript->session.work;
	const struct tile_opening *opening = &transcript->open.tiles[i];
	struct prg_key seed_g, seed_i;
	uint32_t index, round;
	struct hash leaf;
	struct tile tile;

	opening_place(&check->opening, work->open_walks + i, session_tiles(work), work->rounds,
		      &index, &round);
	prg_key_from(check->seed_g.bytes, &seed_g);
	prg_key_from(check->verifier->rounds[round].bytes, &seed_i);
	matrix_tile_remade(&check->verifier->scratch, &seed_g, &seed_i, round, work->k, work->n,
			   index, &tile);
	if (memcmp(tile.words, opening->tile.words, sizeof(tile.words)) != 0)
		return wrong(check, "tile opening %u: tile %u of round %u is not the product", i,
			     index, round);
	hasher_once(check->hasher, tile.words, sizeof(tile.words), &leaf);
	if (!tree_leads(check->hasher, &leaf, index, session_tiles(work), opening->path,
			&transcript->matrix_roots[round]))
		return wrong(check, "tile opening %u: tile %u of round %u is not the one committed",
			     i, index, round);
	return true;
}

static bool tiles_hold(struct check *check)
{
	const struct transcript *transcript = check->transcript;
	const struct session_work *work = &transcript->session.work;
	struct hash *seeds = check->verifier->rounds;

	seeds[0] = check->seed_g;
	for (uint32_t i = 1; i < work->rounds; i++)
		seed_round(check->hasher, &seeds[i - 1], &transcript->matrix_roots[i - 1],
			   &seeds[i]);
	for (uint32_t i = 0; i < work->open_tiles; i++)
		if (!tile_holds(check, i))
			return false;
	return true;
}

/* ---- all ---- */

static void draw_seeds(struct check *check)
{
	const struct transcript *transcript = check->transcript;
	const struct session *session = &transcript->session;
	const struct nonces_message *nonces = transcript->nonces;
	struct hasher *hasher = check->hasher;
	struct hash last_root = { 0 };

	if (has(check, SESSION_HAS_WALK)) {
		size_t n = session->work.epochs;

		seed_data(hasher, session, &nonces[NONCE_FILL - 1].nonces, &check->seed_d);
		seed_walk(hasher, &check->seed_d, &nonces[NONCE_WALK - 1].nonces, &check->seed_w);
		hasher_once(hasher, transcript->walk_roots, n * HASH_SIZE, &check->walk_roots);
		last_root = transcript->walk_roots[n - 1];
	}
	if (has(check, SESSION_HAS_MATRIX)) {
		seed_matrix(hasher, session, &last_root, &check->seed_d,
			    &nonces[NONCE_MATRIX - 1].nonces, &check->seed_g);
		hasher_once(hasher, transcript->matrix_roots,
			    session->work.rounds * (size_t)HASH_SIZE, &check->matrix_roots);
	}
	seed_opening(hasher, &check->walk_roots, &check->matrix_roots,
		     &nonces[NONCE_OPEN - 1].nonces, &check->opening);
}

void verify(struct verifier *verifier, const struct transcript *transcript,
	    struct finding *ret_finding)
{
	struct check check = {
		.verifier = verifier,
		.hasher = verifier->hasher,
		.transcript = transcript,
	};
	uint16_t bits = 0;

	draw_seeds(&check);
	if (session_holds(&check))
		bits |= PROOF_SESSION;
	if (all_nonces_hold(&check))
		bits |= PROOF_NONCES;
	if (seals_hold(&check))
		bits |= PROOF_SEALS;
	if (!has(&check, SESSION_HAS_WALK) || walks_hold(&check))
		bits |= PROOF_WALK;
	if (!has(&check, SESSION_HAS_MATRIX) || tiles_hold(&check))
		bits |= PROOF_TILES;
	check.finding.bits = bits;
	*ret_finding = check.finding;
}

#include "popw/prover.h"

struct proof {
	const struct session *session;
	struct prover_device *device;
	const struct prover_exchange *exchange;
	struct hasher *hasher;
	struct nonces nonces[SESSION_NONCES]; /* by k - 1 */
	struct hash seed_d; /* zero without a walk */
	struct hash *walk_roots; /* work.epochs of them */
	struct hash *matrix_roots; /* work.rounds of them */
	struct hash *round_seeds; /* of each round */
	struct hash walk_sealed, matrix_sealed; /* H of the roots; zero without the phase */
};

static void proof_done(struct proof *proof)
{
	free(proof->walk_roots);
	free(proof->matrix_roots);
	free(proof->round_seeds);
	hasher_free(proof->hasher);
}

static int proof_init(struct proof *proof)
{
	const struct session_work *work = &proof->session->work;
	int r;

	r = hasher_new(&proof->hasher);
	if (r < 0)
		return r;
	proof->walk_roots = calloc(work->epochs + 1, sizeof(*proof->walk_roots));
	proof->matrix_roots = calloc(work->rounds + 1, sizeof(*proof->matrix_roots));
	proof->round_seeds = calloc(work->rounds + 1, sizeof(*proof->round_seeds));
	if (!proof->walk_roots || !proof->matrix_roots || !proof->round_seeds)
		return -ENOMEM;
	return 0;
}

static bool has(const struct proof *proof, unsigned int phase)
{
	return proof->session->flags & phase;
}

/* ---- what is heard and said ---- */

static const struct nonces *heard(const struct proof *proof, enum session_nonce k)
{
	return &proof->nonces[k - 1];
}

static int hear_nonces(struct proof *proof, enum session_nonce k)
{
	struct nonces *nonces = &proof->nonces[k - 1];
	unsigned int m = proof->session->panel_size;
	int r;

	r = proof->exchange->nonces(proof->exchange->arg, (uint8_t)k, nonces);
	if (r < 0)
		return r;
	if (nonces->set == 0 || (m < 32 && nonces->set >> m))
		return -EBADMSG;
	return 0;
}

static int say(struct proof *proof, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	return proof->exchange->say(proof->exchange->arg, kind, bytes, len);
}

static int say_filled(struct proof *proof)
{
	struct filled filled = { proof->session->id, .tag = 1,
				 .set = heard(proof, NONCE_FILL)->set };
	uint8_t bytes[FILLED_SIZE];

	filled_encode(&filled, bytes);
	return say(proof, MESSAGE_FILLED, bytes, sizeof(bytes));
}

static int say_root(struct proof *proof, enum phase phase, uint32_t index, const struct hash *hash)
{
	struct root root = { proof->session->id, (uint8_t)phase, index, *hash };
	uint8_t bytes[ROOT_SIZE];

	root_encode(&root, bytes);
	return say(proof, MESSAGE_ROOT, bytes, sizeof(bytes));
}

/* @began: with these nonces. The hash of all roots of the phase is wanted for the openings, too. */
static int say_seal(struct proof *proof, enum phase phase, const struct nonces *began,
		    const struct hash *roots, size_t n, struct hash *ret_sealed)
{
	struct seal seal = { proof->session->id, (uint8_t)phase, began->set };
	uint8_t bytes[SEAL_SIZE];

	hasher_once(proof->hasher, roots, n * sizeof(*roots), &seal.roots);
	*ret_sealed = seal.roots;
	seal_encode(&seal, bytes);
	return say(proof, MESSAGE_SEAL, bytes, sizeof(bytes));
}

/* ---- the walk phase ---- */

static int walk_all(struct proof *proof, const struct prg_key *seed_w)
{
	const struct session_work *work = &proof->session->work;
	const struct prover_ops *ops = proof->device->ops;
	struct hash before = { { 0 } };
	int r;

	for (uint32_t e = 0; e < work->epochs; e++) {
		uint32_t salt[8];

		walk_salt(proof->hasher, seed_w, &before, e, salt);
		r = ops->walk_epoch(proof->device, salt, e, &proof->walk_roots[e]);
		if (r < 0)
			return r;
		before = proof->walk_roots[e];
		r = say_root(proof, PHASE_WALK, e, &before);
		if (r < 0)
			return r;
	}
	return say_seal(proof, PHASE_WALK, heard(proof, NONCE_WALK), proof->walk_roots,
			work->epochs, &proof->walk_sealed);
}

static int fill(struct proof *proof)
{
	struct prg_key key;
	int r;

	r = hear_nonces(proof, NONCE_FILL);
	if (r < 0)
		return r;
	seed_data(proof->hasher, proof->session, heard(proof, NONCE_FILL), &proof->seed_d);
	prg_key_from(proof->seed_d.bytes, &key);
	r = proof->device->ops->fill(proof->device, &key, &proof->session->work);
	return r < 0 ? r : say_filled(proof);
}

static int walk_phase(struct proof *proof)
{
	const struct prover_ops *ops = proof->device->ops;
	struct prg_key seed_w;
	struct hash seed;
	int r;

	r = fill(proof);
	if (r == 0)
		r = hear_nonces(proof, NONCE_WALK);
	if (r < 0)
		return r;
	seed_walk(proof->hasher, &proof->seed_d, heard(proof, NONCE_WALK), &seed);
	prg_key_from(seed.bytes, &seed_w);
	r = ops->walk_start(proof->device, &seed_w);
	if (r == 0)
		r = walk_all(proof, &seed_w);
	return r < 0 ? r : ops->walk_end(proof->device);
}

/* ---- the matrix phase ---- */

static int run_round(struct proof *proof, uint32_t i)
{
	struct hash *root = &proof->matrix_roots[i];
	struct prg_key seed_i;
	int r;

	prg_key_from(proof->round_seeds[i].bytes, &seed_i);
	r = proof->device->ops->matrix_round(proof->device, &seed_i, i, root);
	if (r < 0)
		return r;
	/* One more than there are rounds has its place. */
	seed_round(proof->hasher, &proof->round_seeds[i], root, &proof->round_seeds[i + 1]);
	return say_root(proof, PHASE_MATRIX, i, root);
}

static int matrix_phase(struct proof *proof)
{
	const struct session_work *work = &proof->session->work;
	bool walked = has(proof, SESSION_HAS_WALK);
	struct hash none = { { 0 } };
	struct prg_key seed_g;
	int r;

	r = hear_nonces(proof, NONCE_MATRIX);
	if (r < 0)
		return r;
	seed_matrix(proof->hasher, proof->session,
		    walked ? &proof->walk_roots[work->epochs - 1] : &none, &proof->seed_d,
		    heard(proof, NONCE_MATRIX), &proof->round_seeds[0]);
	prg_key_from(proof->round_seeds[0].bytes, &seed_g);
	r = proof->device->ops->matrix_start(proof->device, &seed_g, work);
	for (uint32_t i = 0; r == 0 && i < work->rounds; i++)
		r = run_round(proof, i);
	if (r < 0)
		return r;
	return say_seal(proof, PHASE_MATRIX, heard(proof, NONCE_MATRIX), proof->matrix_roots,
			work->rounds, &proof->matrix_sealed);
}

/* ---- openings ---- */

static int open_walks(struct proof *proof, const struct hash *seed, struct walk_opening *openings)
{
	const struct session_work *work = &proof->session->work;

	for (uint32_t i = 0; i < work->open_walks; i++) {
		uint32_t walk, epoch;
		int r;

		opening_place(seed, i, work->walks, work->epochs, &walk, &epoch);
		r = proof->device->ops->open_walk(proof->device, walk, epoch, &openings[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

struct tile_places {
	uint32_t rounds[SESSION_OPENINGS_MAX], tiles[SESSION_OPENINGS_MAX];
	uint32_t n;
};

/* All that lie in @round, in one go: the device may have to compute the round again. */
static int open_round(struct proof *proof, const struct tile_places *places, uint32_t round,
		      struct tile_opening *openings)
{
	_cleanup_(freep) struct tile_opening *found = calloc(places->n, sizeof(*found));
	uint32_t tiles[SESSION_OPENINGS_MAX];
	struct prg_key seed_i;
	size_t n = 0;
	int r;

	if (!found)
		return -ENOMEM;
	for (uint32_t i = 0; i < places->n; i++)
		if (places->rounds[i] == round)
			tiles[n++] = places->tiles[i];
	prg_key_from(proof->round_seeds[round].bytes, &seed_i);
	r = proof->device->ops->open_tiles(proof->device, &seed_i, round, tiles, n, found);
	if (r < 0)
		return r;
	n = 0;
	for (uint32_t i = 0; i < places->n; i++)
		if (places->rounds[i] == round)
			openings[i] = found[n++];
	return 0;
}

static bool opened_before(const struct tile_places *places, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (places->rounds[i] == places->rounds[index])
			return true;
	return false;
}

static int open_tiles(struct proof *proof, const struct hash *seed, struct tile_opening *openings)
{
	const struct session_work *work = &proof->session->work;
	struct tile_places places = { .n = work->open_tiles };

	for (uint32_t i = 0; i < places.n; i++)
		opening_place(seed, work->open_walks + i, session_tiles(work), work->rounds,
			      &places.tiles[i], &places.rounds[i]);
	for (uint32_t i = 0; i < places.n; i++) {
		int r;

		if (opened_before(&places, i))
			continue;
		r = open_round(proof, &places, places.rounds[i], openings);
		if (r < 0)
			return r;
	}
	return 0;
}

static int say_open(struct proof *proof, const struct open *open)
{
	size_t len = open_size(proof->session);
	_cleanup_(freep) uint8_t *bytes = calloc(1, len);

	if (!bytes)
		return -ENOMEM;
	open_encode(proof->session, open, bytes);
	return say(proof, MESSAGE_OPEN, bytes, len);
}

static int open_all(struct proof *proof)
{
	_cleanup_(freep) struct walk_opening *walks = NULL;
	_cleanup_(freep) struct tile_opening *tiles = NULL;
	const struct session_work *work = &proof->session->work;
	struct open open = { proof->session->id };
	struct hash seed;
	int r;

	r = hear_nonces(proof, NONCE_OPEN);
	if (r < 0)
		return r;
	open.set = heard(proof, NONCE_OPEN)->set;
	walks = calloc(work->open_walks + 1u, sizeof(*walks));
	tiles = calloc(work->open_tiles + 1u, sizeof(*tiles));
	if (!walks || !tiles)
		return -ENOMEM;
	seed_opening(proof->hasher, &proof->walk_sealed, &proof->matrix_sealed,
		     heard(proof, NONCE_OPEN), &seed);
	if (has(proof, SESSION_HAS_WALK)) {
		r = open_walks(proof, &seed, walks);
		open.walks = walks;
	}
	if (r == 0 && has(proof, SESSION_HAS_MATRIX)) {
		r = open_tiles(proof, &seed, tiles);
		open.tiles = tiles;
	}
	return r < 0 ? r : say_open(proof, &open);
}

/* ---- the whole ---- */

static int run(struct proof *proof)
{
	int r;

	r = proof_init(proof);
	if (r == 0 && has(proof, SESSION_HAS_WALK))
		r = walk_phase(proof);
	if (r == 0 && has(proof, SESSION_HAS_MATRIX))
		r = matrix_phase(proof);
	return r < 0 ? r : open_all(proof);
}

int prove(const struct session *session, struct prover_device *device,
	  const struct prover_exchange *exchange)
{
	struct proof proof = { .session = session, .device = device, .exchange = exchange };
	int r;

	device->detail[0] = 0;
	r = run(&proof);
	proof_done(&proof);
	return r;
}

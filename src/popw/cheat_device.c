#include "popw/cheat_device.h"

#include <math.h>

enum { LOW_BITS = 0x0f };

static struct cheat_device *cheat_of(struct prover_device *device)
{
	return (struct cheat_device *)device;
}

/* Exactly the share of @n, drawn without putting back. */
static int draw_share(struct cheat_device *cheat, bool *drawn, size_t n)
{
	size_t left = n * cheat->share_permille / 1000;

	memset(drawn, 0, n * sizeof(*drawn));
	while (left > 0) {
		uint64_t at;
		int r;

		r = random_below(cheat->random, n, &at);
		if (r < 0)
			return r;
		left -= !drawn[at];
		drawn[at] = true;
	}
	return 0;
}

static int resize(void *array, size_t n, size_t size)
{
	free(*(void **)array);
	*(void **)array = calloc(n, size);
	return *(void **)array ? 0 : -ENOMEM;
}

/* ---- walks ---- */

static int fill(struct prover_device *device, const struct prg_key *seed_d,
		const struct session_work *work)
{
	struct cheat_device *cheat = cheat_of(device);
	int r;

	r = host_begin(device, seed_d, work, 0);
	if (r == 0)
		r = resize(&cheat->items, work->n_items, sizeof(*cheat->items));
	if (r == 0)
		r = resize(&cheat->missing, work->n_items, sizeof(*cheat->missing));
	if (r == 0)
		r = resize(&cheat->bad_walk, (size_t)work->walks * work->epochs, 1);
	if (r < 0)
		return r;
	cheat->bad_walks = 0;
	item_fill(seed_d, work->double_rounds, 0, work->n_items, cheat->items);
	if (cheat->kind != CHEAT_ITEMS_MISSING)
		return 0;
	r = draw_share(cheat, cheat->missing, work->n_items);
	for (uint32_t i = 0; r == 0 && i < work->n_items; i++)
		if (cheat->missing[i])
			memset(&cheat->items[i], 0, sizeof(cheat->items[i]));
	return r;
}

static int start(struct prover_device *device, const struct prg_key *seed_w)
{
	cheat_of(device)->seed_w = *seed_w;
	return host_walk_start(device, seed_w);
}

static void mark_walk(struct cheat_device *cheat, uint32_t epoch, uint32_t walk)
{
	uint8_t *bad = &cheat->bad_walk[epoch * cheat->host.work.walks + walk];

	cheat->bad_walks += !*bad;
	*bad = 1;
}

/* All steps of one walk; whether each item that it read was there. */
static bool walk(struct cheat_device *cheat, struct walk_state *state)
{
	const struct session_work *work = &cheat->host.work;
	bool whole = true;

	for (uint32_t step = 0; step < work->steps; step++) {
		uint32_t i = walk_index(state, work->n_items);

		whole = whole && !cheat->missing[i];
		walk_mix(state, &cheat->items[i]);
	}
	return whole;
}

/* Were the salts alike, all would be as it should behind the first epoch. */
static void walk_first(struct cheat_device *cheat, struct walk_state *states, uint32_t epoch)
{
	(void)walk(cheat, &states[0]);
	for (uint32_t w = 1; w < cheat->host.work.walks; w++) {
		states[w] = states[0];
		mark_walk(cheat, epoch, w);
	}
}

static int walk_with(struct cheat_device *cheat, const uint32_t salt[static 8], uint32_t epoch,
		     struct hash *ret_root)
{
	struct host_prover *host = &cheat->host;
	struct walk_state *states = walk_log_enter(&host->log, epoch, salt);
	_cleanup_(freep) bool *still = calloc(host->work.walks, sizeof(*still));
	int r = 0;

	if (!still)
		return -ENOMEM;
	if (cheat->kind == CHEAT_WALKS_MERGED) {
		walk_first(cheat, states, epoch);
		return walk_log_seal(&host->log, host->crew, epoch, ret_root);
	}
	if (cheat->kind == CHEAT_WALKS_SKIPPED)
		r = draw_share(cheat, still, host->work.walks);
	for (uint32_t w = 0; r == 0 && w < host->work.walks; w++)
		if (still[w] || !walk(cheat, &states[w]))
			mark_walk(cheat, epoch, w);
	return r < 0 ? r : walk_log_seal(&host->log, host->crew, epoch, ret_root);
}

static void mark_epoch(struct cheat_device *cheat, uint32_t epoch)
{
	for (uint32_t w = 0; w < cheat->host.work.walks; w++)
		mark_walk(cheat, epoch, w);
}

/* In which place of the log the epoch lies that is shown as @epoch. */
static uint32_t shown_as(const struct cheat_device *cheat, uint32_t epoch)
{
	if (cheat->kind != CHEAT_EPOCHS_REORDERED || (epoch != 1 && epoch != 2))
		return epoch;
	return 3 - epoch;
}

/* All epochs as they should be, with salts of its own, to show them in another order. */
static int walk_ahead(struct cheat_device *cheat)
{
	struct host_prover *host = &cheat->host;
	struct hash root = { { 0 } };

	for (uint32_t e = 0; e < host->work.epochs; e++) {
		uint32_t salt[8];
		int r;

		walk_salt(crew_hasher(host->crew, 0), &cheat->seed_w, &root, e, salt);
		r = walk_with(cheat, salt, e, &root);
		if (r < 0)
			return r;
	}
	return 0;
}

static int epoch(struct prover_device *device, const uint32_t salt[static 8], uint32_t index,
		 struct hash *ret_root)
{
	static const uint32_t none[8];
	struct cheat_device *cheat = cheat_of(device);
	struct walk_log *log = &cheat->host.log;
	int r = 0;

	if (cheat->kind == CHEAT_EPOCHS_REORDERED) {
		if (index == 0)
			r = walk_ahead(cheat);
		*ret_root = log->nodes[2 * (size_t)log->walks * shown_as(cheat, index) + 1];
		if (index > 0 && index <= 3)
			mark_epoch(cheat, index);
		return r;
	}
	if (cheat->kind == CHEAT_EPOCHS_UNCHAINED && index > 0) {
		salt = none;
		mark_epoch(cheat, index);
	}
	r = walk_with(cheat, salt, index, ret_root);
	if (r == 0 && cheat->kind == CHEAT_FORGED_ROOTS) {
		mark_epoch(cheat, index);
		return random_fill(cheat->random, ret_root->bytes, HASH_SIZE);
	}
	return r;
}

static int open_walk(struct prover_device *device, uint32_t walk_, uint32_t index,
		     struct walk_opening *ret_opening)
{
	struct cheat_device *cheat = cheat_of(device);
	struct walk_opening before;

	walk_log_open(&cheat->host.log, walk_, shown_as(cheat, index), ret_opening);
	if (index == 0 || cheat->kind != CHEAT_EPOCHS_REORDERED)
		return 0;
	/* What ends the epoch that is shown before it. */
	walk_log_open(&cheat->host.log, walk_, shown_as(cheat, index - 1) + 1, &before);
	ret_opening->before = before.before;
	memcpy(ret_opening->path_before, before.path_before, sizeof(before.path_before));
	return 0;
}

static int walk_end(_unused_ struct prover_device *device)
{
	return 0;
}

/* ---- tiles ---- */

static int matrix_start(struct prover_device *device, const struct prg_key *seed_g,
			const struct session_work *work)
{
	struct cheat_device *cheat = cheat_of(device);
	size_t tiles = (size_t)session_tiles(work) * work->rounds;
	int r;

	cheat->host.work = *work;
	cheat->seed_g = *seed_g;
	cheat->bad_tiles = 0;
	r = host_matrix_start(device, seed_g, work);
	if (r == 0)
		r = resize(&cheat->skipped, tiles, sizeof(*cheat->skipped));
	if (r == 0)
		r = resize(&cheat->bad_tile, tiles, 1);
	if (r == 0 && cheat->kind == CHEAT_TILES_SKIPPED)
		r = draw_share(cheat, cheat->skipped, tiles);
	return r;
}

static void round_words(struct tile *tile)
{
	for (size_t i = 0; i < TILE_WORDS; i++)
		tile->words[i] &= ~LOW_BITS;
}

/* The tile with @k of each row and column, and without @dropped bits of A. */
static void tile_with(struct cheat_device *cheat, const struct prg_key *seed_i, uint32_t round,
		      uint32_t index, uint32_t k, uint8_t dropped, struct tile *ret_tile)
{
	uint32_t across = cheat->host.work.n / TILE_COLUMNS;
	int8_t *a = cheat->scratch.a, *b = cheat->scratch.b;

	for (uint32_t i = 0; i < TILE_ROWS; i++)
		prg_row(seed_i, PRG_A, index / across * TILE_ROWS + i, round, 0, a + (size_t)i * k,
			k);
	for (uint32_t i = 0; i < TILE_COLUMNS; i++)
		prg_row(&cheat->seed_g, PRG_B, index % across * TILE_COLUMNS + i, 0, 0,
			b + (size_t)i * k, k);
	for (size_t i = 0; i < (size_t)TILE_ROWS * k; i++)
		a[i] = (int8_t)(a[i] & ~dropped);
	matrix_tile(a, b, k, ret_tile);
}

static bool truncated(const struct cheat_device *cheat, uint32_t round)
{
	uint32_t rounds = cheat->host.work.rounds;

	return cheat->kind == CHEAT_ROUNDS_TRUNCATED && round > 0 &&
	       round >= rounds - rounds * cheat->share_permille / 1000;
}

/* What it has in place of the tile. */
static void degrade(struct cheat_device *cheat, const struct prg_key *seed_i, uint32_t round,
		    uint32_t index, struct tile *tile)
{
	const struct session_work *work = &cheat->host.work;

	if (cheat->skipped[(size_t)round * session_tiles(work) + index])
		memset(tile, 0, sizeof(*tile));
	else if (truncated(cheat, round))
		tile_with(cheat, &cheat->first_seed_i, 0, index, work->k, 0, tile);
	else if (cheat->kind == CHEAT_INT4)
		tile_with(cheat, seed_i, round, index, work->k, LOW_BITS, tile);
	else if (cheat->kind == CHEAT_SHORT_SUMS)
		tile_with(cheat, seed_i, round, index, work->k / 2, 0, tile);
	else if (cheat->kind == CHEAT_ROUNDED)
		round_words(tile);
}

static int matrix_round(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
			struct hash *ret_root)
{
	struct cheat_device *cheat = cheat_of(device);
	const struct session_work *work = &cheat->host.work;
	uint32_t tiles = session_tiles(work);
	struct hasher *hasher = crew_hasher(cheat->host.crew, 0);
	struct hash *nodes = cheat->host.rounds.nodes + 2 * (size_t)round * tiles;
	bool forged = cheat->kind == CHEAT_FORGED_ROOTS;
	int r;

	if (round == 0)
		cheat->first_seed_i = *seed_i;
	r = host_matrix_round(device, seed_i, round, ret_root);
	if (r < 0)
		return r;
	for (uint32_t t = 0; t < tiles; t++) {
		struct tile right, shown;

		matrix_tile_remade(&cheat->scratch, &cheat->seed_g, seed_i, round, work->k, work->n,
				   t, &right);
		shown = right;
		degrade(cheat, seed_i, round, t, &shown);
		hasher_once(hasher, &shown, sizeof(shown), &nodes[tiles + t]);
		cheat->bad_tile[(size_t)round * tiles + t] = forged || memcmp(&right, &shown,
									      sizeof(shown)) != 0;
		cheat->bad_tiles += cheat->bad_tile[(size_t)round * tiles + t];
	}
	tree_build(hasher, nodes, tiles);
	*ret_root = nodes[1];
	return forged ? random_fill(cheat->random, ret_root->bytes, HASH_SIZE) : 0;
}

static int open_tiles(struct prover_device *device, const struct prg_key *seed_i, uint32_t round,
		      const uint32_t *tiles, size_t n, struct tile_opening *ret_openings)
{
	int r;

	r = host_open_tiles(device, seed_i, round, tiles, n, ret_openings);
	for (size_t i = 0; r == 0 && i < n; i++)
		degrade(cheat_of(device), seed_i, round, tiles[i], &ret_openings[i].tile);
	return r;
}

/* ---- its life ---- */

static void info(_unused_ struct prover_device *device, struct prover_info *ret_info)
{
	*ret_info = (struct prover_info){ .name = "a cheat" };
}

static void close_cheat(struct prover_device *device)
{
	cheat_device_free(cheat_of(device));
}

static const struct prover_ops ops = {
	.backend = "cheat",
	.close = close_cheat,
	.info = info,
	.fill = fill,
	.walk_start = start,
	.walk_epoch = epoch,
	.open_walk = open_walk,
	.walk_end = walk_end,
	.matrix_start = matrix_start,
	.matrix_round = matrix_round,
	.open_tiles = open_tiles,
};

int cheat_device_new(struct random *random, struct cheat_device **ret_cheat)
{
	struct cheat_device *cheat = calloc(1, sizeof(*cheat));
	const char *detail;
	int r;

	if (!cheat)
		return -ENOMEM;
	cheat->random = random;
	r = host_init(&cheat->host, &ops, 1, &detail);
	if (r == 0)
		r = matrix_scratch_init(&cheat->scratch, MATRIX_K_MAX);
	if (r < 0) {
		cheat_device_free(cheat);
		return r;
	}
	*ret_cheat = cheat;
	return 0;
}

void cheat_device_free(struct cheat_device *cheat)
{
	if (!cheat)
		return;
	host_done(&cheat->host);
	matrix_scratch_done(&cheat->scratch);
	free(cheat->items);
	free(cheat->missing);
	free(cheat->skipped);
	free(cheat->bad_walk);
	free(cheat->bad_tile);
	free(cheat);
}

void cheat_device_set(struct cheat_device *cheat, enum cheat_kind kind, uint32_t share_permille)
{
	cheat->kind = kind;
	cheat->share_permille = share_permille;
	cheat->bad_walks = cheat->bad_tiles = 0;
}

static double all_right(double bad, double places, double openings)
{
	return pow(1 - bad / places, openings);
}

double cheat_device_passes(const struct cheat_device *cheat, const struct session *session)
{
	const struct session_work *work = &session->work;
	double passes = 1;

	if (session->flags & SESSION_HAS_WALK)
		passes *= all_right(cheat->bad_walks, (double)work->walks * work->epochs,
				    work->open_walks);
	if (session->flags & SESSION_HAS_MATRIX)
		passes *= all_right(cheat->bad_tiles, (double)session_tiles(work) * work->rounds,
				    work->open_tiles);
	return passes;
}

#include "popw/host_rounds.h"

enum { STRIP_ROWS_MAX = 256, COLUMNS_A_TURN = 64, ALIGNMENT = 64 };

struct strip {
	int8_t *a; /* strip_rows rows */
	struct tile *tiles; /* of those rows */
};

static uint32_t strip_rows(const struct session_work *work, unsigned int threads)
{
	size_t each = work->m / threads / TILE_ROWS * TILE_ROWS;

	if (each < TILE_ROWS)
		return TILE_ROWS;
	return (uint32_t)size_min(each, STRIP_ROWS_MAX);
}

static size_t tree_bytes(const struct session_work *work)
{
	return 2 * (size_t)session_tiles(work) * sizeof(struct hash);
}

static size_t strip_tiles(uint32_t rows, const struct session_work *work)
{
	return (size_t)rows / TILE_ROWS * (work->n / TILE_COLUMNS);
}

static bool trees_fit(const struct session_work *work, size_t trees_max)
{
	return tree_bytes(work) * work->rounds <= trees_max;
}

size_t host_rounds_bytes(const struct session_work *work, unsigned int threads)
{
	size_t trees_max = (size_t)HOST_TREES_MIB << 20;
	uint32_t rows = strip_rows(work, threads);
	size_t strip = (size_t)rows * work->k + strip_tiles(rows, work) * sizeof(struct tile);
	size_t trees = tree_bytes(work);

	if (trees_fit(work, trees_max))
		trees *= work->rounds;
	return (size_t)work->n * work->k + threads * strip + trees;
}

/* ---- B ---- */

static int fill_columns(void *arg, _unused_ unsigned int worker, size_t i)
{
	struct host_rounds *rounds = arg;
	uint32_t k = rounds->work.k;
	uint32_t first = (uint32_t)i * COLUMNS_A_TURN;
	uint32_t last = (uint32_t)size_min(first + COLUMNS_A_TURN, rounds->work.n);

	for (uint32_t c = first; c < last; c++)
		prg_row(&rounds->seed_g, PRG_B, c, 0, 0, rounds->b + (size_t)c * k, k);
	return 0;
}

static int reserve(struct host_rounds *rounds, size_t trees)
{
	const struct session_work *work = &rounds->work;
	size_t a_bytes = (size_t)rounds->strip_rows * work->k;
	size_t c_bytes = strip_tiles(rounds->strip_rows, work) * sizeof(struct tile);

	rounds->b = aligned_alloc(ALIGNMENT, (size_t)work->n * work->k);
	rounds->strips = calloc(crew_size(rounds->crew), sizeof(*rounds->strips));
	rounds->nodes = calloc(trees, tree_bytes(work));
	if (!rounds->b || !rounds->strips || !rounds->nodes)
		return -ENOMEM;
	for (unsigned int i = 0; i < crew_size(rounds->crew); i++) {
		rounds->strips[i].a = aligned_alloc(ALIGNMENT, a_bytes);
		rounds->strips[i].tiles = aligned_alloc(ALIGNMENT, c_bytes);
		if (!rounds->strips[i].a || !rounds->strips[i].tiles)
			return -ENOMEM;
	}
	return matrix_scratch_init(&rounds->scratch, work->k);
}

int host_rounds_init(struct host_rounds *rounds, struct crew *crew, const struct prg_key *seed_g,
		     const struct session_work *work, size_t trees_max)
{
	int r;

	*rounds = (struct host_rounds){
		.crew = crew,
		.work = *work,
		.seed_g = *seed_g,
		.strip_rows = strip_rows(work, crew_size(crew)),
		.kept = trees_fit(work, trees_max),
	};
	r = reserve(rounds, rounds->kept ? work->rounds : 1);
	if (r == 0)
		r = crew_run(crew, (work->n + COLUMNS_A_TURN - 1) / COLUMNS_A_TURN, fill_columns,
			     rounds);
	if (r < 0)
		host_rounds_done(rounds);
	return r;
}

void host_rounds_done(struct host_rounds *rounds)
{
	for (unsigned int i = 0; rounds->strips && i < crew_size(rounds->crew); i++) {
		free(rounds->strips[i].a);
		free(rounds->strips[i].tiles);
	}
	free(rounds->strips);
	free(rounds->b);
	free(rounds->nodes);
	matrix_scratch_done(&rounds->scratch);
	*rounds = (struct host_rounds){ .kept = false };
}

/* ---- one round ---- */

struct one_round {
	struct host_rounds *rounds;
	const struct prg_key *seed_i;
	uint32_t round;
	struct hash *leaves;
};

/* Strip @i: its rows of A, its tiles of C, their hashes. */
static int run_strip(void *arg, unsigned int worker, size_t i)
{
	const struct one_round *one = arg;
	const struct host_rounds *rounds = one->rounds;
	const struct session_work *work = &rounds->work;
	const struct strip *strip = &rounds->strips[worker];
	uint32_t first = (uint32_t)i * rounds->strip_rows;
	uint32_t rows = (uint32_t)size_min(rounds->strip_rows, work->m - first);
	struct hash *leaves = one->leaves + strip_tiles(first, work);
	int r;

	for (uint32_t row = 0; row < rows; row++)
		prg_row(one->seed_i, PRG_A, first + row, one->round, 0,
			strip->a + (size_t)row * work->k, work->k);
	r = matrix_multiply(strip->a, rounds->b, rows, work->n, work->k, strip->tiles);
	if (r < 0)
		return r;
	for (size_t t = 0; t < strip_tiles(rows, work); t++)
		hasher_once(crew_hasher(rounds->crew, worker), &strip->tiles[t], TILE_BYTES,
			    &leaves[t]);
	return 0;
}

static struct hash *nodes_of(const struct host_rounds *rounds, uint32_t round)
{
	size_t each = 2 * (size_t)session_tiles(&rounds->work);

	return rounds->nodes + (rounds->kept ? round * each : 0);
}

int host_rounds_run(struct host_rounds *rounds, const struct prg_key *seed_i, uint32_t round,
		    struct hash *ret_root)
{
	uint32_t tiles = session_tiles(&rounds->work);
	struct hash *nodes = nodes_of(rounds, round);
	struct one_round one = { rounds, seed_i, round, nodes + tiles };
	int r;

	r = crew_run(rounds->crew, (rounds->work.m + rounds->strip_rows - 1) / rounds->strip_rows,
		     run_strip, &one);
	if (r < 0)
		return r;
	crew_tree_build(rounds->crew, nodes, tiles);
	*ret_root = nodes[1];
	return 0;
}

int host_rounds_open(struct host_rounds *rounds, const struct prg_key *seed_i, uint32_t round,
		     const uint32_t *tiles, size_t n, struct tile_opening *ret_openings)
{
	const struct session_work *work = &rounds->work;
	struct hash root;

	if (!rounds->kept) {
		int r = host_rounds_run(rounds, seed_i, round, &root);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < n; i++) {
		struct tile_opening *opening = &ret_openings[i];

		memset(opening, 0, sizeof(*opening));
		matrix_tile_remade(&rounds->scratch, &rounds->seed_g, seed_i, round, work->k,
				   work->n, tiles[i], &opening->tile);
		tree_path(nodes_of(rounds, round), session_tiles(work), tiles[i], opening->path);
	}
	return 0;
}

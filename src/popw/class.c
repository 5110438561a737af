#include "popw/class.h"

#include "popw/class_table.h"
#include "popw/credit.h"

/* Products of figures that may each fill 64 bits. */
typedef unsigned __int128 wide;

enum {
	WALKS = 65536,
	MATRIX_SIDE = 8192,
	OPENINGS = 64,
	CPU_WALKS_MIN = 64,
	CPU_MIB_MAX = 1048575, /* as n_items can count them */
	WALK_MS = 2000,
	MATRIX_MS = 3000,
	/* Steps of a class that the table does not have: dear enough for the fastest arithmetic there is. */
	UNKNOWN_DOUBLE_ROUNDS = 1024,
	UNKNOWN_STEPS = 512,
	STATE_BYTES = ITEM_BYTES + 2 * HASH_SIZE, /* of a walk and epoch, with its nodes */
};

/* Of host memory, for what openings need. */
static const uint64_t states_bytes_max = UINT64_C(8) << 30;

int class_find(const char *name)
{
	for (size_t i = 0; i < class_rows_n; i++)
		if (strcmp(class_rows[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* ---- work ---- */

static uint64_t clamp(uint64_t value, uint64_t least, uint64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* As many walks as keep the processors of a host with such a set busy, each with some at once. */
static uint32_t cpu_walks(uint64_t set_mib)
{
	uint32_t walks = CPU_WALKS_MIN;

	while (walks < WALKS && walks < 4 * set_mib)
		walks *= 2;
	return walks;
}

static void cpu_work(uint64_t memory_bytes, struct session_work *ret_work)
{
	uint64_t mib = clamp(memory_bytes / CREDIT_MEMORY_SHARE >> 20, 1, CPU_MIB_MAX);

	*ret_work = (struct session_work){
		.n_items = (uint32_t)((mib << 20) / ITEM_BYTES),
		.double_rounds = class_rows[CLASS_CPU].double_rounds,
		.walks = cpu_walks(mib),
		.steps = class_rows[CLASS_CPU].steps,
		.epochs = 32,
		.k = 4096,
		.n = 256,
		.m = 256,
		.rounds = 12,
		.open_walks = 32,
		.open_tiles = 32,
	};
}

/* What an unknown GPU may be like: the mean of the rows with the largest set that fits into its memory, or
 * of those with the smallest. */
static struct class_row row_of_memory(uint32_t set_mib)
{
	struct class_row row = { .double_rounds = UNKNOWN_DOUBLE_ROUNDS, .steps = UNKNOWN_STEPS };
	unsigned int n = 0;

	for (size_t i = CLASS_CPU + 1; i < class_rows_n; i++) {
		uint32_t other = class_rows[i].set_mib;
		bool nearer = other <= set_mib ? row.set_mib > set_mib || other > row.set_mib
					       : row.set_mib > set_mib && other < row.set_mib;

		if (!n || nearer) {
			row.set_mib = other;
			row.matrix_mops = row.walk_kbps = n = 0;
		}
		if (other != row.set_mib)
			continue;
		row.matrix_mops += class_rows[i].matrix_mops;
		row.walk_kbps += class_rows[i].walk_kbps;
		n++;
	}
	row.matrix_mops /= n;
	row.walk_kbps /= n;
	return row;
}

static uint16_t epochs_of(const struct class_row *row)
{
	uint64_t epoch_bytes = (uint64_t)WALKS * row->steps * ITEM_BYTES;
	uint64_t epochs = row->walk_kbps * WALK_MS / epoch_bytes;

	return (uint16_t)clamp(epochs, 1, states_bytes_max / (WALKS * STATE_BYTES));
}

static uint16_t rounds_of(const struct class_row *row)
{
	uint64_t round_ops = UINT64_C(2) * MATRIX_K_MAX * MATRIX_SIDE * MATRIX_SIDE;
	uint64_t rounds = row->matrix_mops * (MATRIX_MS * UINT64_C(1000)) / round_ops;

	return (uint16_t)clamp(rounds, 1, SESSION_ROUNDS_MAX);
}

void class_work(uint16_t class_, uint64_t memory_bytes, struct session_work *ret_work)
{
	uint64_t items = memory_bytes / 10 * 9 / ITEM_BYTES;
	struct class_row row;

	if (class_ == CLASS_CPU) {
		cpu_work(memory_bytes, ret_work);
		return;
	}
	items = clamp(items, SESSION_ITEMS_MIN, UINT32_MAX);
	row = class_ < class_rows_n ? class_rows[class_]
				    : row_of_memory((uint32_t)(items * ITEM_BYTES >> 20));
	*ret_work = (struct session_work){
		.n_items = (uint32_t)items,
		.double_rounds = row.double_rounds,
		.walks = WALKS,
		.steps = row.steps,
		.epochs = epochs_of(&row),
		.k = MATRIX_K_MAX,
		.n = MATRIX_SIDE,
		.m = MATRIX_SIDE,
		.rounds = rounds_of(&row),
		.open_walks = OPENINGS,
		.open_tiles = OPENINGS,
	};
}

/* ---- what was reached ---- */

static bool reaches(uint64_t measured, uint64_t reference)
{
	return (wide)measured * 1000 >= (wide)reference * CLASS_PASS_PERMILLE;
}

bool class_satisfied(uint16_t class_, const struct measured *measured)
{
	const struct class_row *row;

	if (class_ >= class_rows_n)
		return false;
	row = &class_rows[class_];
	return reaches(measured->matrix_mops, row->matrix_mops) &&
	       reaches(measured->walk_kbps, row->walk_kbps) && measured->set_mib >= row->set_mib;
}

static bool better(const struct class_row *row, const struct class_row *than)
{
	return row->score_milli != than->score_milli ? row->score_milli > than->score_milli
						     : row->matrix_mops > than->matrix_mops;
}

int class_best(const struct measured *measured)
{
	int best = -1;

	for (size_t i = 0; i < class_rows_n; i++)
		if (class_satisfied((uint16_t)i, measured) &&
		    (best < 0 || better(&class_rows[i], &class_rows[best])))
			best = (int)i;
	return best;
}

/* ---- scores ---- */

/* floor(score * part / whole), at most the score. */
static uint32_t share(uint32_t score, uint64_t part, uint64_t whole)
{
	return part >= whole ? score : (uint32_t)((wide)score * part / whole);
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* One of a row's references. */
typedef uint64_t reference_fn(const struct class_row *row);

static uint64_t matrix_reference(const struct class_row *row)
{
	return row->matrix_mops;
}

static uint64_t walk_reference(const struct class_row *row)
{
	return row->walk_kbps;
}

/* The GPUs' rows nearest in speed: the fastest of those that @figure reaches, the slowest of those that
 * it does not; NULL: there is none. Of equally fast ones the first. */
static void neighbours(uint64_t figure, reference_fn *reference, const struct class_row **ret_below,
		       const struct class_row **ret_above)
{
	const struct class_row *below = NULL, *above = NULL;

	for (size_t i = CLASS_CPU + 1; i < class_rows_n; i++) {
		const struct class_row *row = &class_rows[i];

		if (reference(row) <= figure && (!below || reference(row) > reference(below)))
			below = row;
		if (reference(row) > figure && (!above || reference(row) < reference(above)))
			above = row;
	}
	*ret_below = below;
	*ret_above = above;
}

static uint32_t interpolated(uint64_t figure, reference_fn *reference)
{
	const struct class_row *below, *above;
	uint64_t gap, up, down;

	neighbours(figure, reference, &below, &above);
	if (!below)
		return share(above->score_milli, figure, reference(above));
	if (!above)
		return below->score_milli;
	gap = reference(above) - reference(below);
	up = figure - reference(below);
	down = reference(above) - figure;
	return (uint32_t)(((wide)below->score_milli * down + (wide)above->score_milli * up) / gap);
}

uint32_t class_score_milli(uint16_t class_, const struct measured *measured)
{
	const struct class_row *row;

	if (class_ >= class_rows_n)
		return lesser(interpolated(measured->matrix_mops, matrix_reference),
			      interpolated(measured->walk_kbps, walk_reference));
	row = &class_rows[class_];
	return lesser(share(row->score_milli, measured->matrix_mops, row->matrix_mops),
		      share(row->score_milli, measured->walk_kbps, row->walk_kbps));
}

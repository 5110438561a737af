#include "popw/walk_log.h"

enum { WALKS_A_TURN = 256 };

static size_t count(const struct walk_log *log)
{
	return (size_t)log->walks * log->epochs;
}

static struct walk_state *states_of(const struct walk_log *log, uint32_t epoch)
{
	return log->states + (size_t)epoch * log->walks;
}

static struct hash *nodes_of(const struct walk_log *log, uint32_t epoch)
{
	return log->nodes + 2 * (size_t)epoch * log->walks;
}

size_t walk_log_bytes(const struct session_work *work)
{
	return (size_t)work->walks * work->epochs *
	       (sizeof(struct walk_state) + 2 * sizeof(struct hash));
}

int walk_log_init(struct walk_log *log, const struct session_work *work)
{
	*log = (struct walk_log){ .walks = work->walks, .epochs = work->epochs };
	log->states = calloc(count(log), sizeof(*log->states));
	log->nodes = calloc(count(log), 2 * sizeof(*log->nodes));
	if (!log->states || !log->nodes) {
		walk_log_done(log);
		return -ENOMEM;
	}
	return 0;
}

void walk_log_done(struct walk_log *log)
{
	free(log->states);
	free(log->nodes);
	*log = (struct walk_log){ .walks = 0 };
}

/* ---- loops over the walks ---- */

struct over {
	struct walk_log *log;
	struct crew *crew;
	const struct prg_key *seed_w;
	uint32_t epoch;
};

static int turns_run(struct over *over, int (*turn)(void *arg, unsigned int worker, size_t i))
{
	return crew_run(over->crew, (over->log->walks + WALKS_A_TURN - 1) / WALKS_A_TURN, turn,
			over);
}

static uint32_t last_of(const struct over *over, size_t turn)
{
	return (uint32_t)size_min((turn + 1) * WALKS_A_TURN, over->log->walks);
}

static int start_some(void *arg, _unused_ unsigned int worker, size_t i)
{
	const struct over *over = arg;

	for (uint32_t w = (uint32_t)i * WALKS_A_TURN; w < last_of(over, i); w++)
		walk_start(over->seed_w, w, &over->log->states[w]);
	return 0;
}

int walk_log_start(struct walk_log *log, struct crew *crew, const struct prg_key *seed_w)
{
	struct over over = { .log = log, .crew = crew, .seed_w = seed_w };

	return turns_run(&over, start_some);
}

struct walk_state *walk_log_enter(struct walk_log *log, uint32_t epoch,
				  const uint32_t salt[static 8])
{
	struct walk_state *states = states_of(log, epoch);

	/* The first states lie where epoch 0 walks them. */
	if (epoch > 0)
		memcpy(states, states_of(log, epoch - 1), log->walks * sizeof(*states));
	for (uint32_t w = 0; w < log->walks; w++)
		walk_enter(&states[w], w, salt);
	return states;
}

static int hash_some(void *arg, unsigned int worker, size_t i)
{
	const struct over *over = arg;
	const struct walk_state *states = states_of(over->log, over->epoch);
	struct hash *leaves = nodes_of(over->log, over->epoch) + over->log->walks;
	struct hasher *hasher = crew_hasher(over->crew, worker);

	for (uint32_t w = (uint32_t)i * WALKS_A_TURN; w < last_of(over, i); w++)
		hasher_once(hasher, &states[w], sizeof(states[w]), &leaves[w]);
	return 0;
}

int walk_log_seal(struct walk_log *log, struct crew *crew, uint32_t epoch, struct hash *ret_root)
{
	struct over over = { .log = log, .crew = crew, .epoch = epoch };
	struct hash *nodes = nodes_of(log, epoch);
	int r;

	r = turns_run(&over, hash_some);
	if (r < 0)
		return r;
	crew_tree_build(crew, nodes, log->walks);
	*ret_root = nodes[1];
	return 0;
}

void walk_log_open(const struct walk_log *log, uint32_t walk, uint32_t epoch,
		   struct walk_opening *ret_opening)
{
	memset(ret_opening, 0, sizeof(*ret_opening));
	if (epoch > 0) {
		ret_opening->before = states_of(log, epoch - 1)[walk];
		tree_path(nodes_of(log, epoch - 1), log->walks, walk, ret_opening->path_before);
	}
	tree_path(nodes_of(log, epoch), log->walks, walk, ret_opening->path_after);
}

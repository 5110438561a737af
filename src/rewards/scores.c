#include "rewards/scores.h"

#include <assert.h>

struct tier {
	uint64_t at_least, and_up; /* the latter for bandwidth only */
	uint32_t milli;
};

static const struct tier bandwidth[] = {
	{ 1600, 1200, 800 }, { 800, 600, 600 }, { 400, 300, 400 }, { 75, 75, 200 }, { 0, 0, 0 },
};
static const struct tier cores_tiers[] = {
	{ 129, 0, 800 }, { 64, 0, 600 }, { 32, 0, 400 }, { 1, 0, 200 }, { 0, 0, 0 },
};
static const struct tier disk[] = {
	{ 10241, 0, 800 }, { 5120, 0, 600 }, { 512, 0, 400 }, { 1, 0, 200 }, { 0, 0, 0 },
};
static const struct tier memory[] = {
	{ 513, 0, 800 }, { 128, 0, 600 }, { 32, 0, 400 }, { 1, 0, 200 }, { 0, 0, 0 },
};

enum {
	WEIGHT_BANDWIDTH = 2,
	WEIGHT_CORES = 1,
	WEIGHT_GPU = 3,
	WEIGHT_DISK = 1,
	WEIGHT_MEMORY = 1,
};

/* Every table ends with a row that all figures reach. */
static uint32_t tier_of(const struct tier *tiers, uint64_t figure, uint64_t up)
{
	while (figure < tiers->at_least || up < tiers->and_up)
		tiers++;
	return tiers->milli;
}

uint32_t score_bandwidth_milli(uint64_t down_mbps, uint64_t up_mbps)
{
	return tier_of(bandwidth, down_mbps, up_mbps);
}

uint32_t score_cores_milli(uint64_t cores)
{
	return tier_of(cores_tiers, cores, 0);
}

uint32_t score_disk_milli(uint64_t disk_gb)
{
	return tier_of(disk, disk_gb, 0);
}

uint32_t score_memory_milli(uint64_t memory_gb)
{
	return tier_of(memory, memory_gb, 0);
}

uint64_t score_machine_milli(const struct machine_figures *figures)
{
	return WEIGHT_BANDWIDTH * score_bandwidth_milli(figures->down_mbps, figures->up_mbps) +
	       WEIGHT_CORES * score_cores_milli(figures->cores) + WEIGHT_GPU * figures->gpu_milli +
	       WEIGHT_DISK * score_disk_milli(figures->disk_gb) +
	       WEIGHT_MEMORY * score_memory_milli(figures->memory_gb);
}

struct u256 score_worker(uint64_t seconds, struct tokens stake, struct tokens max_stake,
			 uint64_t machine_milli)
{
	unsigned __int128 counted = stake.units < max_stake.units ? stake.units : max_stake.units;

	return u256_mul(u256_from(max_stake.units + counted),
			u256_from((unsigned __int128)seconds * machine_milli));
}

uint32_t score_error_ppm(uint64_t valid, uint64_t wrong)
{
	unsigned __int128 judged = (unsigned __int128)valid + wrong;

	return judged ? (uint32_t)((unsigned __int128)wrong * SCORE_PPM / judged) : 0;
}

struct u256 score_checker(uint64_t valid, uint64_t licences_milli, uint32_t error_ppm)
{
	assert(error_ppm <= SCORE_PPM);
	return u256_mul(u256_from((unsigned __int128)valid * licences_milli),
			u256_from(SCORE_PPM - error_ppm));
}

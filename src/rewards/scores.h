/* scores.h - what a worker and a checker are worth, by the documented tables; exact integers.
 * Tier scores are in thousandths: 800 is the document's 0.8.
 *
 * Readings: a tier begins at its lower figure (64 cores are in "64-128"), but the highest one of
 * cores, disk and memory above it ("> 128"). The top disk tier is above 10240 GB. What was not
 * measured is 0 and scores 0. Both bandwidths must reach a tier. */
#pragma once

#include "base/u256.h"
#include "rewards/tokens.h"

/* What a machine has, as measured; the figures of the tiers. */
struct machine_figures {
	uint64_t down_mbps, up_mbps, cores;
	uint64_t gpu_milli; /* C: the sum of its GPUs' scores; 10000 is an H100 */
	uint64_t disk_gb, memory_gb;
};

uint32_t score_bandwidth_milli(uint64_t down_mbps, uint64_t up_mbps);
uint32_t score_cores_milli(uint64_t cores);
uint32_t score_disk_milli(uint64_t disk_gb);
uint32_t score_memory_milli(uint64_t memory_gb);

/* A*Wa + B*Wb + C*Wc + D*Wd + E*We, in thousandths: Wa 2, Wb 1, Wc 3, Wd 1, We 1. */
uint64_t score_machine_milli(const struct machine_figures *figures);

enum { SCORE_JOBTIME_WEIGHT = 3 /* Wj */ };

/* seconds * (Max_Stake + min(stake, Max_Stake)) * the machine's score. All workers share the
 * document's denominators (3600, Max_Stake, 1000), so shares by these numbers are its shares,
 * exactly. A stake above Max_Stake counts as Max_Stake: the bonus is at most double. */
struct u256 score_worker(uint64_t seconds, struct tokens stake, struct tokens max_stake,
			 uint64_t machine_milli);

enum { SCORE_PPM = 1000000 };

/* floor(wrong / (valid + wrong)) in parts per million; 0 without any. */
uint32_t score_error_ppm(uint64_t valid, uint64_t wrong);

/* valid * licences * (1 - error rate), in thousandths of millionths. */
struct u256 score_checker(uint64_t valid, uint64_t licences_milli, uint32_t error_ppm);

/* level_world.h - for tests: the same check at every level that this machine has. */
#pragma once

#include "popw/cpu.h"

static inline void at_every_level(void (*check)(void))
{
	for (enum cpu_level level = CPU_SCALAR; level <= CPU_AVX512; level++) {
		if (cpu_level_force(level)) {
			print_message("skipped: this machine has no %s\n", cpu_level_name(level));
			continue;
		}
		check();
	}
	assert_int_equal(cpu_level_force(0), 0);
}

/* Bytes that look random and are the same in every run: xorshift64 (Marsaglia 2003). */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

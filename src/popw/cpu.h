/* cpu.h - which vector instructions the exact arithmetic may use, found at run time. Every level gives
 * the same bits; tests force each that the machine has. */
#pragma once

#include "base/base.h"

enum cpu_level { CPU_SCALAR = 1, CPU_AVX2, CPU_AVX512 /* F, BW, VL and VNNI */ };

/* The best that this machine has, or the one forced. */
enum cpu_level cpu_level(void);
const char *cpu_level_name(enum cpu_level level);

/* For tests and benchmarks, before any thread computes: 0 undoes it. -ENOTSUP: not on this machine. */
_must_check_ int cpu_level_force(enum cpu_level level);

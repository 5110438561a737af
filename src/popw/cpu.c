#include "popw/cpu.h"

static enum cpu_level forced;

static bool has(enum cpu_level level)
{
	switch (level) {
	case CPU_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
		       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
	case CPU_AVX2:
		return __builtin_cpu_supports("avx2");
	case CPU_SCALAR:
		return true;
	}
	return false;
}

enum cpu_level cpu_level(void)
{
	if (forced)
		return forced;
	return has(CPU_AVX512) ? CPU_AVX512 : has(CPU_AVX2) ? CPU_AVX2 : CPU_SCALAR;
}

const char *cpu_level_name(enum cpu_level level)
{
	switch (level) {
	case CPU_AVX512:
		return "AVX-512 VNNI";
	case CPU_AVX2:
		return "AVX2";
	case CPU_SCALAR:
		return "scalar";
	}
	return "unknown";
}

int cpu_level_force(enum cpu_level level)
{
	if (level && !has(level))
		return -ENOTSUP;
	forced = level;
	return 0;
}

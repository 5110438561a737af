#include "popw/credit.h"

/* Products of figures that may each fill 64 bits. */
typedef unsigned __int128 wide;

enum { MIB_BITS = 20 };

static uint64_t lesser(wide a, uint64_t b)
{
	return a < b ? (uint64_t)a : b;
}

uint32_t credit_held(uint64_t cores, uint64_t walk_kbps)
{
	wide processors = cores ? cores : 1;
	wide made = processors * CREDIT_MAKE_KBPS, read = processors * CREDIT_READ_KBPS;

	if (walk_kbps <= made)
		return 0;
	if (walk_kbps >= read)
		return CREDIT_WHOLE;
	return (uint32_t)((walk_kbps - made) * CREDIT_WHOLE / (read - made));
}

void credit_of(const struct credit_claim *claim, const struct credit_seen *seen,
	       struct credit *ret_credit)
{
	wide held = credit_held(claim->cores, seen->walk_kbps);
	wide cores = seen->fill_kbps * held / CREDIT_WHOLE / CREDIT_FILL_KBPS;
	wide set = ((wide)seen->set_mib << MIB_BITS) * held / CREDIT_WHOLE;
	wide disk = (wide)seen->disk_mib << MIB_BITS;

	*ret_credit = (struct credit){
		.cores = lesser(cores ? cores : 1, claim->cores),
		.memory_bytes = lesser(set * CREDIT_MEMORY_SHARE, claim->memory_bytes),
		.disk_bytes = lesser(disk * CREDIT_DISK_SHARE, claim->disk_bytes),
	};
}

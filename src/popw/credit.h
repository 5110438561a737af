/* credit.h - how much of what a host says it has its sessions bear out: processors, memory and disk, for
 * rewards and for people. docs/popw.md, section 8, has the rules, and section 14 what they do not show. */
#pragma once

#include "base/base.h"

enum {
	/* Sessions fill one part in so many of what is claimed, and each byte that is held bears out so
	 * many. */
	CREDIT_MEMORY_SHARE = 2,
	CREDIT_DISK_SHARE = 64,
	/* Of one processor, in kB/s of items of the host class: what any of them makes, what the best is
	 * taken to make, and what any reads from memory. */
	CREDIT_FILL_KBPS = 8000,
	CREDIT_MAKE_KBPS = 256000,
	CREDIT_READ_KBPS = 640000,
	CREDIT_WHOLE = 1000,
};

struct credit_claim {
	uint64_t cores, memory_bytes, disk_bytes;
};

/* Figures of the last sessions that passed; 0: none did. */
struct credit_seen {
	uint64_t fill_kbps, walk_kbps, set_mib; /* of the host */
	uint64_t disk_mib; /* the disk's set */
};

struct credit {
	uint64_t cores, memory_bytes, disk_bytes;
};

/* In parts of CREDIT_WHOLE, how much of the set counts as held in memory: nothing at the speed that
 * @cores processors reach by making each item anew, all at CREDIT_READ_KBPS a processor. */
uint32_t credit_held(uint64_t cores, uint64_t walk_kbps);

/* Never more than was claimed. A host whose set counts for nothing has no memory, and one processor. */
void credit_of(const struct credit_claim *claim, const struct credit_seen *seen,
	       struct credit *ret_credit);

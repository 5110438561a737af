/* large_text.h - texts that anybody may ask for. Those above a mebibyte are sent to all callers together once in 250 ms:
 * each is kept in memory until it is taken. */
#pragma once

#include "modules/rewards/rewards.h"

/* Whether a text of at most @bytes may be made for a reply now; asked before it is. 0 or an outcome: it is larger
 * than a reply (REWARDS_E_TOO_LARGE), or another was sent just now (ROUTE_E_UNAVAILABLE). */
_must_check_ int large_text_admit(const struct context *context, int64_t bytes);

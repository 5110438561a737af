#include "modules/rewards/large_text.h"

#include <stdatomic.h>

enum { LARGE_BYTES = 1 << 20, LARGE_EVERY_MS = 250 };

int large_text_admit(const struct context *context, int64_t bytes)
{
	static _Atomic(int64_t) next_ms;
	int64_t now_ms = clock_mono_ms(context->clock), next = atomic_load(&next_ms);

	if (bytes <= LARGE_BYTES)
		return 0;
	if (bytes > REPLY_PLAIN_MAX)
		return REWARDS_E_TOO_LARGE;
	if (now_ms < next ||
	    !atomic_compare_exchange_strong(&next_ms, &next, now_ms + LARGE_EVERY_MS))
		return ROUTE_E_UNAVAILABLE;
	return 0;
}

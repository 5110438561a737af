/* clock.h - time is passed in, so that tests can make it.
 *
 * now_ms: wall time, milliseconds since 1970 UTC, for records. mono_ms: never steps back, for
 * deadlines inside one process. */
#pragma once

#include "base/base.h"

struct clock {
	int64_t (*now_ms)(const struct clock *clock);
	int64_t (*mono_ms)(const struct clock *clock);
};

extern const struct clock clock_system;

static inline int64_t clock_now_ms(const struct clock *clock)
{
	return clock->now_ms(clock);
}

static inline int64_t clock_mono_ms(const struct clock *clock)
{
	return clock->mono_ms(clock);
}

/* A clock that stands still until it is moved: pass &fake.clock. */
struct clock_fake {
	struct clock clock;
	int64_t ms;
};

void clock_fake_init(struct clock_fake *fake, int64_t ms);

/* Writes "2026-11-22T17:05:53Z" (milliseconds cut off). */
enum { CLOCK_TEXT_SIZE = 32 };
void clock_text(int64_t ms, char ret_text[static CLOCK_TEXT_SIZE]);

#include "base/clock.h"

#include <time.h>

static int64_t read_clock(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_now(const struct clock *clock _unused_)
{
	return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(const struct clock *clock _unused_)
{
	return read_clock(CLOCK_MONOTONIC);
}

const struct clock clock_system = { .now_ms = system_now, .mono_ms = system_mono };

static int64_t fake_read(const struct clock *clock)
{
	return ((const struct clock_fake *)clock)->ms;
}

void clock_fake_init(struct clock_fake *fake, int64_t ms)
{
	*fake = (struct clock_fake){ .clock = { fake_read, fake_read }, .ms = ms };
}

void clock_text(int64_t ms, char ret_text[static CLOCK_TEXT_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
	    strftime(ret_text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(ret_text, CLOCK_TEXT_SIZE, "%" PRId64 "ms", ms);
}

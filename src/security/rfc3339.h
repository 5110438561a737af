/* rfc3339.h - "2026-11-22T17:05:53.250+01:00" as milliseconds since 1970 UTC. Strict: capital T and
 * Z, a day that the calendar has, no leap second, years 1970 to 9999, 1 to 9 digits of fraction
 * (cut to milliseconds), offsets below 24 hours. */
#pragma once

#include "base/base.h"

/* -EINVAL. */
_must_check_ int rfc3339_parse(const char *text, size_t len, int64_t *ret_ms);

/* "2026-11-22T17:05:53Z", with ".250" where the milliseconds are not 0. -EINVAL outside the years. */
enum { RFC3339_TEXT_SIZE = 32 };
_must_check_ int rfc3339_text(int64_t ms, char ret_text[static RFC3339_TEXT_SIZE]);

/* base.h - what every file may use: attributes, cleanup, and the result convention.
 *
 * Results, everywhere: 0 is success. A negative value is a fault, -errno: the caller passes it up
 * and nobody but the top of the stack acts on it. A positive value is an outcome, an enum of the
 * function's own header: the direct caller handles it. Values come back through trailing ret_*
 * parameters, which are written on success only. */
#pragma once

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define _must_check_ __attribute__((warn_unused_result))
#define _cleanup_(f) __attribute__((cleanup(f)))
#define _printf_(fmt, first) __attribute__((format(printf, fmt, first)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* For _cleanup_(freep): frees what the variable points to when it goes out of scope. */
static inline void freep(void *p)
{
	free(*(void **)p);
}

/* What has no bound does not compile. */
#undef sprintf
#undef vsprintf
#undef alloca
#pragma GCC poison strcpy strcat sprintf vsprintf gets atoi atol atoll strtok alloca

/* rental_reason.h - why a rental ended or an attempt failed: who caused it, whether what was used
 * until then is billed, whether another machine may be tried. One table; README.md shows it. */
#pragma once

#include "base/base.h"

enum rental_reason {
	RENTAL_REASON_NONE,
	RENTAL_STOPPED_BY_TENANT,
	RENTAL_EXITED,
	RENTAL_BALANCE_EXHAUSTED,
	RENTAL_TERM_ENDED,
	RENTAL_LEFT_ESCROW,
	RENTAL_IMAGE_NOT_FOUND,
	RENTAL_PULL_FAILED,
	RENTAL_CREATE_FAILED,
	RENTAL_START_FAILED,
	RENTAL_COMMAND_NOT_FOUND,
	RENTAL_ENGINE_DOWN,
	RENTAL_OUT_OF_MEMORY,
	RENTAL_WORKER_LOST,
	RENTAL_PLACE_TIMEOUT,
	RENTAL_PULL_TIMEOUT,
	RENTAL_START_TIMEOUT,
	RENTAL_STOP_TIMEOUT,
	RENTAL_CONTAINER_GONE,
	RENTAL_GPU_MISSING,
	RENTAL_YIELDED, /* only of a probe */
	RENTAL_REASONS,
};

struct rental_reason_row {
	const char *name; /* stable, for programs */
	const char *caused_by; /* tenant, provider, network, operator, none */
	bool billed; /* the use until the end, if the container ran */
	bool retried; /* elsewhere, if it never ran */
	bool reported; /* a machine may say so */
	const char *detail; /* for people, where nobody said more */
};

/* Never NULL. */
const struct rental_reason_row *rental_reason_row(enum rental_reason reason);

/* The reason called @name; RENTAL_REASON_NONE for "" and for what is not known. */
enum rental_reason rental_reason_find(const char *name);

/* What a machine gave as its reason; @otherwise where it may not say so, or where that cannot break
 * what already @ran. */
enum rental_reason rental_reason_reported(const char *name, bool ran, enum rental_reason otherwise);

/* meter.h - for how long a lease's container ran, as cumulative whole seconds, in numbered records.
 *
 * Counts only what the engine says: a run is known by its start, and its end is added once. A
 * restarted agent that reads the same meter back goes on without losing or doubling a second. Pure:
 * who owns it keeps it on disk before a record leaves the machine. */
#pragma once

#include <jansson.h>

#include "wire/sign.h"

struct meter {
	int64_t first_started_ms; /* of the first run; 0: never ran */
	int64_t run_started_ms; /* of the latest run that was seen */
	int64_t closed_ms; /* length of all runs that ended */
	int64_t until_ms; /* of the last record, never steps back */
	uint64_t seconds; /* of the last record, never falls */
	uint64_t sequence; /* of the last record; 0: none yet */
	uint64_t settled; /* the last record that a receipt answered */
	bool open; /* the latest run goes on */
	bool final; /* the last record was final */
};

/* The engine shows a running container that started at @started_ms. */
void meter_running(struct meter *meter, int64_t started_ms);

/* The engine shows an ended container. Its run is added once, however often this is called. */
void meter_ended(struct meter *meter, int64_t started_ms, int64_t ended_ms);

/* The container is gone without a trace of its end: what was recorded last is what counts. */
void meter_lost(struct meter *meter);

/* Makes the next record as of @now_ms. False if there is nothing to say: it never ran, or nothing
 * changed since the last record. A final record follows the end of the last run. */
bool meter_record(struct meter *meter, int64_t now_ms);

/* The last record is still unanswered, and is to be sent again after a reconnect. */
static inline bool meter_owes(const struct meter *meter)
{
	return meter->sequence > meter->settled;
}

/* Takes a receipt, in any order. */
void meter_settle(struct meter *meter, uint64_t sequence);

/* The last record, to be signed; the caller fills in who and what. */
void meter_statement(const struct meter *meter, struct usage_statement *statement);

_must_check_ json_t *meter_json(const struct meter *meter);
/* -EBADMSG. */
_must_check_ int meter_parse(const json_t *json, struct meter *ret_meter);

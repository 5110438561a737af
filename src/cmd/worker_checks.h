/* worker_checks.h - what proofs say of somebody's machines, and what goes on about them now. */
#pragma once

#include "cmd/cli.h"

/* Adds to each device of @workers "session" ({proof, phase, started_at, panel_size} of the one that goes on now, or
 * null), "waits" (for what the next one waits, or null) and "remedy" (how to appeal against the session by which it
 * failed, or null; of the first 32 that failed). 0 or an exit status. */
_must_check_ int worker_checks_note(struct cli *cli, json_t *workers);

/* The tables behind the list of machines: what is credited, each device's checks, sessions that go on. After
 * worker_checks_note. 0 or an exit status. */
_must_check_ int worker_checks_show(struct cli *cli, const json_t *workers);

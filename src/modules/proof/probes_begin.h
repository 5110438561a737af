/* probes_begin.h - which machines are probed, and by whom. */
#pragma once

#include "modules/proof/probe_store.h"

enum { PROBES_LIVE_MAX = 16 /* at the same time */ };

/* How often to look. */
int64_t probes_look_every(const struct settings *settings);

/* Begins what is due @elapsed_ms after the last look: machines that failed their last probe, then idle ones as
 * chance has it. @rows: the @n that go on. What does not fit now is left out. */
_must_check_ int probes_begin(const struct context *context, struct arena *arena,
			      const struct probe_row *rows, size_t n, int64_t elapsed_ms);

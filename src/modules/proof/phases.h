/* phases.h - writes down in which phase the sessions are that go on (the job "proof_phases"), so that one that the
 * process does not outlive says where it was. */
#pragma once

#include "api/route.h"

_must_check_ int phases_run(const struct context *context, struct arena *arena);

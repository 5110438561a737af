/* following.h - what other instances do to machines: their changes are laid over the index, what they placed on a machine that
 * is linked here is told to it, and machines that they hear can be rented here. From the store, every second: a message of
 * theirs would only be sooner. */
#pragma once

#include "api/route.h"

_must_check_ int worker_follow(const struct context *context, struct arena *arena);

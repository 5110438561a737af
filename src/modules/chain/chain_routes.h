/* chain_routes.h - the module's HTTP face. */
#pragma once

#include "api/route.h"

extern const struct route chain_routes[];

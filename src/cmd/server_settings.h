/* server_settings.h - the network's parameters as `kaisar server` reads them: defaults, then
 * name=value from --set. */
#pragma once

#include "api/settings.h"

void server_settings_init(struct settings *settings);

/* "heartbeat_ms=500". -EINVAL with a line on standard error that names the parameter and its bounds. */
_must_check_ int server_settings_set(struct settings *settings, const char *assignment);

/* One line for each parameter: name, default, bounds, meaning. */
void server_settings_print(FILE *out);

/* home.h - the person's own folder, $KAISAR_HOME or ~/.kaisar: config.json and what the commands
 * keep there. Mode 0700, made when it is first needed. Two commands at once may lose one's change
 * of config.json, never the file. */
#pragma once

#include "base/arena.h"

/* The path of @name in the folder, which is there afterwards. -ENOENT: neither variable is set. */
_must_check_ int home_path(struct arena *arena, const char *name, const char **ret_path);

/* A text of config.json. Outcome HOME_E_ABSENT; -EBADMSG: the file is not what home_config_set
 * writes. */
enum home_outcome { HOME_E_ABSENT = 1 };
_must_check_ int home_config_get(struct arena *arena, const char *name, const char **ret_value);
_must_check_ int home_config_set(struct arena *arena, const char *name, const char *value);

/* cdi.h - which device nodes, mounts and variables a GPU needs in a container, by the Container Device
 * Interface's JSON files (/etc/cdi, /var/run/cdi), since engines' own support differs. */
#pragma once

#include <jansson.h>

#include "base/base.h"

struct cdi;

enum { CDI_FILE_MAX = 1 << 20, CDI_FILES_MAX = 64 };

/* Reads the *.json files of @folders (NULL-terminated; those that are missing are passed over). A
 * file that is no CDI specification is logged and left out. -ENOMEM. */
_must_check_ int cdi_load(const char *const *folders, struct cdi **ret_cdi);
void cdi_free(struct cdi *cdi);

/* Outcome: CDI_E_MISSING, no file describes it. */
enum cdi_outcome { CDI_E_MISSING = 1 };

/* Adds what the device called @uuid (or, for files that number devices, @index) needs to @body, a
 * body of containers/create. What several devices share is added once. -ENOMEM. */
_must_check_ int cdi_apply(const struct cdi *cdi, const char *uuid, unsigned int index,
			   json_t *body);

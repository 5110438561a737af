/* gpu_name.h - one name for each GPU model, whatever NVML or a person calls it.
 *
 * "NVIDIA GeForce RTX 4090", "RTX_4090" and "rtx4090" are all nvidia-rtx-4090. Pure. */
#pragma once

#include "base/base.h"

enum { GPU_NAME_SIZE = 64 };

/* The canonical name. A model that the table does not know becomes its words in lower case joined by
 * dashes, so that it can be offered and searched all the same; cut at GPU_NAME_SIZE - 1 bytes. A text
 * without a letter or digit becomes "unknown". */
void gpu_name_canonical(const char *model, char ret_name[static GPU_NAME_SIZE]);

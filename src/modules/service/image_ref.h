/* image_ref.h - the grammar of image references: [host[:port]/]path[:tag][@digest], as the
 * distribution specification has it. Strict: what an engine might read in two ways is refused. */
#pragma once

#include "base/base.h"

enum { IMAGE_REF_MAX = 512 };

bool image_ref_ok(const char *text);

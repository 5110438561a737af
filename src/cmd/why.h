/* why.h - why no offer fits, as the API says it, in a sentence for people. */
#pragma once

#include <jansson.h>

#include "base/base.h"

enum { WHY_SIZE = 512 };

/* @why: {"excluded": {condition: count}, "hint": text or null}. */
void why_text(const json_t *why, char ret_text[static WHY_SIZE]);

/* yaml.h - JSON values written as YAML 1.2, block style. Texts are quoted as in JSON (which YAML
 * reads the same) unless they are plainly words. */
#pragma once

#include <jansson.h>
#include <stdio.h>

void yaml_print(FILE *out, const json_t *value);

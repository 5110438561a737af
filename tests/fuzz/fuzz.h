/* fuzz.h - what a target gives to libFuzzer, or to replay.c where there is none. It must return 0
 * whatever the bytes are; sanitizers and assert() are its verdict. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

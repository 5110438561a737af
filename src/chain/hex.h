/* hex.h - bytes and numbers as Ethereum's JSON spells them. Data is "0x" and two digits for each
 * byte; a quantity "0x" and a number's digits without leading zeros ("0x0" is zero). Written in
 * lower case, read in either. Source: the execution API's specification, "hex value encoding". */
#pragma once

#include "base/u256.h"

/* Writes 2 * len + 3 bytes. */
void hex_data(const void *bytes, size_t len, char *ret_text);

/* At most @size bytes. -EINVAL: not data; -ENOSPC: too long. */
_must_check_ int hex_data_parse(const char *text, size_t text_len, void *ret_bytes, size_t size,
				size_t *ret_len);

/* Exactly @len bytes; -EINVAL. */
_must_check_ int hex_data_exact(const char *text, size_t text_len, void *ret_bytes, size_t len);

enum { HEX_QUANTITY_SIZE = 67 };

/* Gives the length. */
size_t hex_quantity(struct u256 value, char ret_text[static HEX_QUANTITY_SIZE]);

/* -EINVAL: not a quantity; -ERANGE: from 2^256 (2^64) on. */
_must_check_ int hex_quantity_parse(const char *text, size_t len, struct u256 *ret_value);
_must_check_ int hex_quantity_u64(const char *text, size_t len, uint64_t *ret_value);

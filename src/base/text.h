/* text.h - UTF-8 from outside: where its characters end. Half a character is refused by JSON, by PostgreSQL and
 * on the wire, so a text that is cut to fit is cut between them. */
#pragma once

#include "base/base.h"

/* The bytes of the well-formed character at @at, of which @len may be read (Unicode 15, table 3-7: shortest form, no
 * surrogates, at most U+10FFFF); 0 if there is none. */
size_t text_character(const char *at, size_t len);

/* Drops what is left of a character that was cut at the end of @text, as snprintf cuts it. */
void text_trim(char *text);

/* As much of @text as @size bytes hold, cut between characters, ended with 0. @size is not 0. */
void text_copy(char *ret_text, size_t size, const char *text);

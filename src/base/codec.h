/* codec.h - bytes as text and back: hexadecimal, base64url (RFC 4648 section 5, no padding) and
 * Crockford's base32 in lower case. Decoders are strict: no white space, no second spelling. */
#pragma once

#include "base/base.h"

/* Writes 2 * len + 1 bytes. */
void hex_encode(const void *bytes, size_t len, char *ret_text);

/* Exactly @len bytes from exactly 2 * len digits, either case. -EINVAL otherwise. */
_must_check_ int hex_decode(const char *text, size_t text_len, void *ret_bytes, size_t len);

/* Length of the text without its NUL. */
static inline size_t base64url_size(size_t len)
{
	return (len * 4 + 2) / 3;
}

/* Writes base64url_size(len) + 1 bytes. */
void base64url_encode(const void *bytes, size_t len, char *ret_text);

/* At most @size bytes; -EINVAL on anything but the one canonical spelling, -ENOSPC if too long. */
_must_check_ int base64url_decode(const char *text, size_t text_len, void *ret_bytes, size_t size,
				  size_t *ret_len);

/* 16 bytes as 26 digits of Crockford's alphabet (0-9 a-z without i l o u), most significant first. */
enum { BASE32_ID_LEN = 26 };
void base32_id_encode(const uint8_t bytes[static 16], char ret_text[static BASE32_ID_LEN + 1]);
_must_check_ int base32_id_decode(const char *text, size_t text_len, uint8_t ret_bytes[static 16]);

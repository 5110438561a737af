/* id.h - the names of things: 16 bytes, 48 bits of milliseconds and 80 random bits, so that they
 * sort by age. A distinct struct for each kind. As text: a prefix, a dash, 26 base32 digits
 * ("rnt-01jd..."): fit for a host name. Stored as 16-byte blobs. */
#pragma once

#include "base/base.h"
#include "base/clock.h"
#include "base/random.h"

enum { ID_TEXT_SIZE = 32 };

_must_check_ int id_make(const struct clock *clock, struct random *random,
			 uint8_t ret_bytes[static 16]);
void id_text(const char *prefix, const uint8_t bytes[static 16],
	     char ret_text[static ID_TEXT_SIZE]);
_must_check_ int id_parse(const char *prefix, const char *text, uint8_t ret_bytes[static 16]);

/* struct NAME_id with NAME_id_make, _text, _parse (-EINVAL) and _equal. */
#define ID_DEFINE(name, prefix)                                                                    \
	struct name##_id {                                                                         \
		uint8_t bytes[16];                                                                 \
	};                                                                                         \
	static inline _must_check_ int name##_id_make(                                             \
		const struct clock *clock, struct random *random, struct name##_id *ret_id)        \
	{                                                                                          \
		return id_make(clock, random, ret_id->bytes);                                      \
	}                                                                                          \
	static inline void name##_id_text(const struct name##_id *id,                              \
					  char ret_text[static ID_TEXT_SIZE])                      \
	{                                                                                          \
		id_text(prefix, id->bytes, ret_text);                                              \
	}                                                                                          \
	static inline _must_check_ int name##_id_parse(const char *text, struct name##_id *ret_id) \
	{                                                                                          \
		return id_parse(prefix, text, ret_id->bytes);                                      \
	}                                                                                          \
	static inline bool name##_id_equal(struct name##_id a, struct name##_id b)                 \
	{                                                                                          \
		return memcmp(a.bytes, b.bytes, sizeof(a.bytes)) == 0;                             \
	}

ID_DEFINE(rental, "rnt")
ID_DEFINE(lease, "lse") /* one placement of a rental on one machine */
ID_DEFINE(hold, "hld") /* money set aside */
ID_DEFINE(posting, "pst") /* one balanced movement of money */
ID_DEFINE(deposit, "dep")
ID_DEFINE(withdrawal, "wdr")
ID_DEFINE(session, "ses") /* a sign-in and its refresh tokens */
ID_DEFINE(api_key, "key")
ID_DEFINE(join_token, "jtk")
ID_DEFINE(probe, "prb") /* of a machine, by checkers as users */
ID_DEFINE(request, "req")
ID_DEFINE(instance, "ins") /* of the control plane */

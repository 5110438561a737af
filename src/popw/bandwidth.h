/* bandwidth.h - how fast a machine's network is: what a member of a panel and the worker say to each other
 * over a WebSocket of their own, at the worker's proof port, behind OPEN.
 *
 *	member -> worker	binary: HELLO, 117 bytes, signed by the member as its other messages are
 *	worker -> member	binary messages of BANDWIDTH_CHUNK bytes, the stream (HELLO's nonce, member),
 *				until the member says the text "stop" or bandwidth_limit_ms passed;
 *				then the text "stop"
 *	member -> worker	binary messages of at most BANDWIDTH_CHUNK bytes of its own stream, for as
 *				long, then the text "end"
 *	worker -> member	binary: ANSWER, 40 bytes: how many bytes came, and their SHA-256
 *	member -> worker	close
 *
 * A stream is the PRG's row (PRG_BANDWIDTH, member, round 0) under a key of 32 bytes. The key of the
 * member's own stream is its secret: a worker that could compute the bytes could answer for bytes that it
 * never got. Rates are the machine's: up is what the member got, down what it gave and was answered for.
 * Pure: who owns sockets and clocks calls this. */
#pragma once

#include "popw/session.h"

#define TAG_HELLO "popw1/hello"
#define BANDWIDTH_PATH "/v1/bandwidth"
#define BANDWIDTH_STOP "stop"
#define BANDWIDTH_END "end"

enum {
	BANDWIDTH_HELLO_SIZE = 52 + SECP_SIGNATURE_SIZE,
	BANDWIDTH_ANSWER_SIZE = 40,
	BANDWIDTH_CHUNK = 65536,
	BANDWIDTH_KEY_SIZE = 32,
};

/* How long the worker goes on by itself, of summons.h's bandwidth_ms. */
static inline uint64_t bandwidth_limit_ms(uint16_t bandwidth_ms)
{
	return (uint64_t)bandwidth_ms * 12 / 10;
}

/* Signed, or whoever knows of the session could come in all members' names: each has one visit. */
struct bandwidth_hello {
	struct proof_id session;
	uint32_t member;
	uint8_t nonce[BANDWIDTH_KEY_SIZE];
	uint8_t signature[SECP_SIGNATURE_SIZE];
};

struct bandwidth_answer {
	uint64_t bytes;
	struct hash hash;
};

enum bandwidth_outcome { BANDWIDTH_E_MALFORMED = 1 };

void bandwidth_hello_encode(const struct bandwidth_hello *hello,
			    uint8_t ret_bytes[static BANDWIDTH_HELLO_SIZE]);
_must_check_ int bandwidth_hello_decode(const void *bytes, size_t len,
					struct bandwidth_hello *ret_hello);
void bandwidth_answer_encode(const struct bandwidth_answer *answer,
			     uint8_t ret_bytes[static BANDWIDTH_ANSWER_SIZE]);
_must_check_ int bandwidth_answer_decode(const void *bytes, size_t len,
					 struct bandwidth_answer *ret_answer);

/* ---- streams ---- */

struct bandwidth_stream {
	struct prg_key key;
	uint32_t member;
	uint64_t offset;
};

void bandwidth_stream_init(struct bandwidth_stream *stream,
			   const uint8_t key[static BANDWIDTH_KEY_SIZE], uint32_t member);
/* The next BANDWIDTH_CHUNK bytes. */
void bandwidth_next(struct bandwidth_stream *stream, uint8_t ret_bytes[static BANDWIDTH_CHUNK]);
/* Whether a chunk that came is the next one. BANDWIDTH_E_MALFORMED: it is not, and counts for nothing. */
_must_check_ int bandwidth_check(struct bandwidth_stream *stream, const void *bytes, size_t len);

/* ---- what one side took of the other's ---- */

/* The worker's count of what came, and the member's of what it gave: equal answers show that all came. */
struct bandwidth_count {
	struct hasher *hasher;
	uint64_t bytes;
};

/* -ENOMEM. */
_must_check_ int bandwidth_count_init(struct bandwidth_count *count);
void bandwidth_count_done(struct bandwidth_count *count);
void bandwidth_count_add(struct bandwidth_count *count, const void *bytes, size_t len);
/* Once. */
void bandwidth_count_end(struct bandwidth_count *count, struct bandwidth_answer *ret_answer);

static inline bool bandwidth_answer_equal(const struct bandwidth_answer *a,
					  const struct bandwidth_answer *b)
{
	return a->bytes == b->bytes && hash_equal(&a->hash, &b->hash);
}

/* kbit/s as in a RESULT, at most UINT32_MAX; 0 for no time. */
uint32_t bandwidth_kbps(uint64_t bytes, uint64_t us);

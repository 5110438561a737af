/* rlp.h - Recursive Length Prefix: strings of bytes, and lists of them. What is read has to be spelt
 * in the one canonical way (shortest lengths, numbers without leading zeros), so that reading and
 * writing give the same bytes again. Source: Yellow Paper, appendix B. */
#pragma once

#include "base/u256.h"

/* Writes into the caller's buffer. What does not fit is dropped, and rlp_end says so. */
struct rlp_writer {
	uint8_t *bytes;
	size_t size, used;
	bool full;
};

struct rlp_writer rlp_begin(void *buffer, size_t size);
void rlp_bytes(struct rlp_writer *writer, const void *bytes, size_t len);
void rlp_u256(struct rlp_writer *writer, struct u256 value);
void rlp_u64(struct rlp_writer *writer, uint64_t value);

/* What is written between the two is in the list. Lists may nest. */
size_t rlp_list_begin(struct rlp_writer *writer);
void rlp_list_end(struct rlp_writer *writer, size_t begun);

/* -ENOSPC: the buffer was too small. */
_must_check_ int rlp_end(const struct rlp_writer *writer, size_t *ret_len);

/* Reads in order from borrowed bytes. After an outcome the reader is where it was. */
struct rlp_reader {
	const uint8_t *at;
	size_t left;
};

enum rlp_outcome {
	RLP_E_MALFORMED = 1, /* cut, another spelling, a list for a string, or past the limit */
};

static inline bool rlp_at_end(const struct rlp_reader *reader)
{
	return reader->left == 0;
}

_must_check_ int rlp_read_bytes(struct rlp_reader *reader, const uint8_t **ret_bytes,
				size_t *ret_len);
/* A string of exactly @len bytes. */
_must_check_ int rlp_read_exactly(struct rlp_reader *reader, void *ret_bytes, size_t len);
_must_check_ int rlp_read_u256(struct rlp_reader *reader, struct u256 *ret_value);
_must_check_ int rlp_read_u64(struct rlp_reader *reader, uint64_t *ret_value);
_must_check_ int rlp_read_list(struct rlp_reader *reader, struct rlp_reader *ret_items);

/* Whether a list comes next; a reader at its end has neither. */
bool rlp_next_is_list(const struct rlp_reader *reader);

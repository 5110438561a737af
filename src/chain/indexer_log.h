/* indexer_log.h - logs as an endpoint tells them. Inside chain/ only. */
#pragma once

#include "chain/indexer.h"

/* What an endpoint was asked for. */
struct logs_asked {
	uint64_t first, last; /* blocks, both included */
	const struct address *addresses;
	size_t n_addresses;
	size_t max;
};

struct log_list {
	struct indexer_log *logs;
	size_t n;
};

enum logs_outcome {
	LOGS_E_LIE = 1, /* not an answer to what was asked: @ret_why says what is wrong */
	LOGS_E_TOO_MANY, /* more than the maximum, and all that was looked at is right */
};

/* Reads eth_getLogs' answer, in @arena: strictly each field that counts, and each log one that was asked for,
 * there once, and not of a dropped block. In the order of the chain, whatever order they come in. -ENOMEM. */
_must_check_ int logs_read(const json_t *answer, const struct logs_asked *asked,
			   struct arena *arena, struct log_list *ret_list, const char **ret_why);

/* The same logs give the same digest, others another. -ENOMEM. */
_must_check_ int logs_digest(const struct log_list *list, struct arena *arena,
			     uint8_t ret_digest[static 32]);

/* eth_getLogs' parameters; NULL without memory. */
json_t *logs_params(const struct logs_asked *asked);

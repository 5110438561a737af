/* signer_wire.h - what goes over the signer's socket: messages of four bytes of length (big endian) and an RLP
 * list, one question and one answer at a time. Questions: [1, "address"], [1, "status"], and [1, "sign", kind,
 * unsigned transaction]; answers: [1, outcome, body]. Inside chain/ and its fuzz target only. */
#pragma once

#include "chain/outbox.h"

enum {
	SIGNER_VERSION = 1,
	SIGNER_PREFIX = 4,
	SIGNER_QUESTION_MAX = OUTBOX_DATA_MAX + 1024,
	SIGNER_ANSWER_MAX = OUTBOX_DATA_MAX + 1024,
};

enum signer_op { SIGNER_ADDRESS, SIGNER_STATUS, SIGNER_SIGN };

struct signer_question {
	enum signer_op op;
	const char *kind; /* SIGN: printable, without spaces, OUTBOX_KIND_MAX bytes at most */
	struct transaction transaction;
};

struct signer_answer {
	enum signer_outcome {
		SIGNER_DONE, /* the address, the status as JSON, or what was signed */
		SIGNER_DENIED, /* by the policy, whatever else is asked: why */
		SIGNER_FAILED, /* asked again later it may do: why */
	} outcome;
	const uint8_t *body;
	size_t len;
};

enum signer_wire_outcome { SIGNER_E_MALFORMED = 1 };

/* With their length before them, in @arena. -EINVAL, -E2BIG: no message can say it; -ENOMEM. */
_must_check_ int signer_question_write(const struct signer_question *question, struct arena *arena,
				       const uint8_t **ret_bytes, size_t *ret_len);
_must_check_ int signer_answer_write(const struct signer_answer *answer, struct arena *arena,
				     const uint8_t **ret_bytes, size_t *ret_len);

/* What is behind a length. Data is borrowed, texts are in @arena. SIGNER_E_MALFORMED; -ENOMEM. */
_must_check_ int signer_question_read(const uint8_t *bytes, size_t len, struct arena *arena,
				      struct signer_question *ret_question);
_must_check_ int signer_answer_read(const uint8_t *bytes, size_t len,
				    struct signer_answer *ret_answer);

/* Of a message, by its first bytes. SIGNER_E_MALFORMED: empty, or above @max. */
_must_check_ int signer_length(const uint8_t prefix[static SIGNER_PREFIX], size_t max,
			       size_t *ret_len);

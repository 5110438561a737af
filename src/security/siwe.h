/* siwe.h - Sign-In with Ethereum, EIP-4361: writing and strictly reading the message a wallet signs.
 * The reader accepts exactly the grammar's one order and spelling (CR, trailing bytes, doubled or
 * missing lines, other orders are refused); what the fields must equal is the caller's policy,
 * siwe_check. */
#pragma once

#include "base/address.h"
#include "base/arena.h"

enum { SIWE_MESSAGE_MAX = 4096, SIWE_NONCE_MIN = 8, SIWE_NONCE_MAX = 128 };

struct siwe_message {
	const char *scheme; /* NULL if absent */
	const char *domain;
	struct address address; /* EIP-55 spelling required */
	const char *statement; /* NULL if absent */
	const char *uri;
	const char *version;
	uint64_t chain_id;
	const char *nonce;
	int64_t issued_at_ms;
	int64_t expires_at_ms; /* 0 if absent */
	int64_t not_before_ms; /* 0 if absent */
	const char *request_id; /* NULL if absent */
	size_t n_resources;
};

enum siwe_outcome {
	SIWE_E_SYNTAX = 1,
	SIWE_E_DOMAIN,
	SIWE_E_URI,
	SIWE_E_VERSION,
	SIWE_E_CHAIN,
	SIWE_E_TIME, /* issued in the future, expired, or not yet valid */
	SIWE_E_SIGNATURE, /* malformed, high s, or by another address */
};

/* Texts live in @arena. Outcome SIWE_E_SYNTAX; @ret_detail (may be NULL): which line and
 * why, a static text. */
_must_check_ int siwe_parse(const char *text, size_t len, struct arena *arena,
			    struct siwe_message *ret_message, const char **ret_detail);

/* The message's text, ready to be signed (EIP-191). -EINVAL: the reader would refuse it. Resources
 * are not written. */
_must_check_ int siwe_write(const struct siwe_message *message, struct arena *arena,
			    const char **ret_text);

struct siwe_policy {
	const char *domain, *uri;
	uint64_t chain_id;
	int64_t now_ms;
	int64_t skew_ms; /* issued-at may lie so far ahead; 30,000 */
	int64_t max_age_ms; /* and so far back */
};

/* Compares the fields with the policy (a scheme, where there is one, with that of its URI) and the
 * signature with the stated address. @message is what siwe_parse read from @text. The nonce is the
 * caller's: it is looked up and used up in the store, atomically. */
_must_check_ int siwe_check(const struct siwe_message *message, const char *text, size_t len,
			    const uint8_t signature[static 65], const struct siwe_policy *policy);

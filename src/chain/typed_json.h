/* typed_json.h - the digest of typed data as eth_signTypedData_v4 has it: {"types", "primaryType",
 * "domain", "message"}. Strict, because whoever signs must see all that is signed: every field is there
 * and of its type, no other is, "types" has EIP712Domain and lists what EIP-712 lets it, in its order.
 * Numbers are JSON integers, decimal strings or "0x" quantities; bytes are "0x" data. Source: EIP-712. */
#pragma once

#include "base/arena.h"

enum {
	TYPED_JSON_MAX = 65536, /* bytes */
	TYPED_STRUCTS_MAX = 64, /* with the domain's */
	TYPED_MEMBERS_MAX = 64, /* fields of one */
	TYPED_DEPTH_MAX = 16, /* values within values */
	TYPED_NAME_MAX = 64,
};

enum typed_outcome {
	TYPED_E_MALFORMED = 1,
};

/* @ret_detail (may be NULL): what was wrong, a static text. -ENOMEM. */
_must_check_ int typed_json_digest(const char *json, size_t len, struct arena *arena,
				   uint8_t ret_digest[static 32], const char **ret_detail);

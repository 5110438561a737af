/* audit_form.h - the audit log's byte forms: what an entry says, what a sealed batch of entries says, and how the
 * one is found in the other. docs/records.md tells it to those who write a verifier of their own.
 *
 * Each is a text of lines "name: value", so every value is one line. A batch names the one before it by its digest;
 * its own digest is what is anchored. Its tree (chain/merkle.h) has the digests of its entries as leaves. */
#pragma once

#include "base/address.h"
#include "base/arena.h"
#include "chain/merkle.h"

enum {
	AUDIT_ENTRIES_MAX = 1024, /* of a batch */
	AUDIT_PATH_MAX = 10, /* hashes from an entry to its batch's root */
	AUDIT_DETAIL_MAX = 1024, /* bytes */
	AUDIT_SUBJECT_MAX = 63,
	AUDIT_DIGEST_SIZE = 32,
};

/* "-" where there is none. */
struct audit_text {
	const char *entry; /* "aud-..." */
	int64_t at_ms;
	const char *actor; /* "account 0x...", "operator 0x...", "machine ...", "network" */
	const char *action; /* "role.granted" */
	const char *subject; /* the id of what it was done to */
	const char *owner; /* whose that is: an account */
	const char *origin; /* 0x and the digest of struct audit_origin */
	const char *detail; /* an object: sorted names, no spaces */
};

/* From where: only the actor and operators are told, hence only its digest is in the entry, and the salt keeps
 * others from guessing. */
struct audit_origin {
	const char *via; /* the session or API key */
	const char *peer, *request;
	const char *salt; /* 32 hex digits */
};

struct audit_batch {
	struct address network;
	int64_t number; /* from 1, without gaps */
	uint8_t before[AUDIT_DIGEST_SIZE]; /* the digest of the batch before; zeros: the first */
	int64_t entries;
	uint8_t root[MERKLE_HASH_SIZE];
	int64_t sealed_ms;
};

/* -ENOMEM. */
_must_check_ int audit_origin_digest(const struct audit_origin *origin, struct arena *arena,
				     uint8_t ret_digest[static AUDIT_DIGEST_SIZE]);
_must_check_ int audit_text_digest(const struct audit_text *text, struct arena *arena,
				   uint8_t ret_digest[static AUDIT_DIGEST_SIZE]);
void audit_batch_digest(const struct audit_batch *batch,
			uint8_t ret_digest[static AUDIT_DIGEST_SIZE]);

/* The id that a batch is anchored under: its number in 8 bytes, the highest first, zeros behind. */
void audit_batch_id(int64_t number, uint8_t ret_id[static 32]);

/* The tree over the digests of a batch's entries. -EINVAL: none or too many; -ENOMEM. */
_must_check_ int audit_tree(const uint8_t (*digests)[AUDIT_DIGEST_SIZE], size_t n,
			    struct merkle **ret_merkle);

/* Whether @path leads from an entry to the batch's root. */
bool audit_leads(const uint8_t digest[static AUDIT_DIGEST_SIZE], const struct merkle_hash *path,
		 size_t n, const struct audit_batch *batch);

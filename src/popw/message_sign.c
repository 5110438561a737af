#include "popw/message.h"

void message_digest(struct hasher *hasher, const char *tag, const struct hash *session_digest,
		    const void *bytes, size_t len, struct hash *ret_digest)
{
	hasher_start(hasher);
	hasher_add(hasher, tag, strlen(tag));
	hasher_add(hasher, session_digest->bytes, HASH_SIZE);
	hasher_add(hasher, bytes, len - SECP_SIGNATURE_SIZE);
	hasher_end(hasher, ret_digest);
}

void reveal_digest(struct hasher *hasher, const struct hash *session_digest,
		   const struct commits *commits, struct hash *ret_digest)
{
	uint8_t bytes[COMMITS_SIZE_MAX];
	size_t len = commits_encode(commits, bytes);

	hasher_start(hasher);
	hasher_add(hasher, TAG_REVEAL, strlen(TAG_REVEAL));
	hasher_add(hasher, session_digest->bytes, HASH_SIZE);
	hasher_add(hasher, bytes, len);
	hasher_end(hasher, ret_digest);
}

int message_sign(struct hasher *hasher, const char *tag, const struct hash *session_digest,
		 const struct secp_key *key, uint8_t *bytes, size_t len)
{
	struct hash hash;

	message_digest(hasher, tag, session_digest, bytes, len, &hash);
	return secp_sign(key, hash.bytes, bytes + len - SECP_SIGNATURE_SIZE);
}

bool digest_signed_by(const struct hash *digest,
		      const uint8_t signature[static SECP_SIGNATURE_SIZE],
		      const struct address *signer)
{
	uint8_t v = signature[SECP_SIGNATURE_SIZE - 1];
	struct address found;

	return (v == 27 || v == 28) && secp_recover(digest->bytes, signature, &found) == 0 &&
	       address_equal(&found, signer);
}

bool message_signed_by(struct hasher *hasher, const char *tag, const struct hash *session_digest,
		       const struct address *signer, const void *bytes, size_t len)
{
	struct hash hash;

	message_digest(hasher, tag, session_digest, bytes, len, &hash);
	return digest_signed_by(&hash, (const uint8_t *)bytes + len - SECP_SIGNATURE_SIZE, signer);
}

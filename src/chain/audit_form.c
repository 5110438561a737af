#include "chain/audit_form.h"

#include "base/keccak.h"
#include "chain/anchor_leaf.h"
#include "chain/hex.h"

static int digest_of(const char *text, uint8_t ret_digest[static AUDIT_DIGEST_SIZE])
{
	if (!text)
		return -ENOMEM;
	keccak256(text, strlen(text), ret_digest);
	return 0;
}

int audit_origin_digest(const struct audit_origin *origin, struct arena *arena,
			uint8_t ret_digest[static AUDIT_DIGEST_SIZE])
{
	return digest_of(arena_printf(arena,
				      "Kaisar audit origin 1\n"
				      "via: %s\n"
				      "peer: %s\n"
				      "request: %s\n"
				      "salt: %s\n",
				      origin->via, origin->peer, origin->request, origin->salt),
			 ret_digest);
}

int audit_text_digest(const struct audit_text *text, struct arena *arena,
		      uint8_t ret_digest[static AUDIT_DIGEST_SIZE])
{
	return digest_of(arena_printf(arena,
				      "Kaisar audit entry 1\n"
				      "entry: %s\n"
				      "at_ms: %" PRId64 "\n"
				      "actor: %s\n"
				      "action: %s\n"
				      "subject: %s\n"
				      "owner: %s\n"
				      "origin: %s\n"
				      "detail: %s\n",
				      text->entry, text->at_ms, text->actor, text->action,
				      text->subject, text->owner, text->origin, text->detail),
			 ret_digest);
}

void audit_batch_digest(const struct audit_batch *batch,
			uint8_t ret_digest[static AUDIT_DIGEST_SIZE])
{
	char text[512], network[ADDRESS_TEXT_SIZE], before[67], root[67];
	int len;

	address_text(&batch->network, network);
	hex_data(batch->before, sizeof(batch->before), before);
	hex_data(batch->root, sizeof(batch->root), root);
	len = snprintf(text, sizeof(text),
		       "Kaisar audit batch 1\n"
		       "network: %s\n"
		       "number: %" PRId64 "\n"
		       "before: %s\n"
		       "entries: %" PRId64 "\n"
		       "root: %s\n"
		       "sealed_at_ms: %" PRId64 "\n",
		       network, batch->number, before, batch->entries, root, batch->sealed_ms);
	keccak256(text, (size_t)len, ret_digest);
}

void audit_batch_id(int64_t number, uint8_t ret_id[static 32])
{
	uint8_t bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
	anchor_leaf_id(bytes, sizeof(bytes), ret_id);
}

int audit_tree(const uint8_t (*digests)[AUDIT_DIGEST_SIZE], size_t n, struct merkle **ret_merkle)
{
	struct merkle *merkle;
	int r = n > AUDIT_ENTRIES_MAX ? -EINVAL : merkle_new(n, &merkle);

	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = merkle_add(merkle, digests[i], sizeof(digests[i]));
	if (r == 0)
		r = merkle_seal(merkle);
	if (r == 0)
		*ret_merkle = merkle;
	else
		merkle_free(merkle);
	return r;
}

bool audit_leads(const uint8_t digest[static AUDIT_DIGEST_SIZE], const struct merkle_hash *path,
		 size_t n, const struct audit_batch *batch)
{
	struct merkle_hash leaf, root;

	merkle_leaf(digest, AUDIT_DIGEST_SIZE, &leaf);
	memcpy(root.bytes, batch->root, sizeof(root.bytes));
	return merkle_leads(&leaf, path, n, &root);
}

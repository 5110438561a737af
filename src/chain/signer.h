/* signer.h - asking the process that holds the network's key (`kaisar signer run`), over its socket. What it
 * signs, its policy says (signer_policy.h). Each question is a connection of its own, so that a signer that was
 * started again is simply asked again. Thread safe; blocks for SIGNER_ANSWER_MS at most, and as long again where
 * many others ask. */
#pragma once

#include "chain/outbox.h"

enum {
	SIGNER_PATH_MAX = 107, /* bytes of a socket's path */
	SIGNER_ANSWER_MS = 10000,
};

struct signer_client;

/* Nobody is asked yet. -ENAMETOOLONG: the path is longer than a socket's may be. */
_must_check_ int signer_client_new(const char *socket, struct signer_client **ret_client);
void signer_client_free(struct signer_client *client);

/* For outbox_config.sign, @client is its arg. OUTBOX_E_DENIED: a rule does not allow it; OUTBOX_E_AWAY: it does
 * not answer, or cannot now. @ret_detail, in @arena: why, with the remedy. */
_must_check_ int signer_client_sign(void *client, const struct outbox_signing *signing,
				    struct arena *arena, struct transaction_signed *ret_signed,
				    const char **ret_detail);

/* Whose key it is. OUTBOX_E_AWAY like above. */
_must_check_ int signer_client_address(struct signer_client *client, struct arena *arena,
				       struct address *ret_address, const char **ret_detail);

/* What `kaisar signer status` shows, JSON in @arena: {"address", "chain_id", "day", "kinds": [{"kind", "contract",
 * "signed", "limit", "tokens": [{"token", "moved", "limit"}]}], "refusals": [{"at", "kind", "reason"}]}; of
 * today (UTC), refusals of this run, the latest first. OUTBOX_E_AWAY like above. */
_must_check_ int signer_client_status(struct signer_client *client, struct arena *arena,
				      const char **ret_json, const char **ret_detail);

static inline void signer_client_freep(struct signer_client **client)
{
	signer_client_free(*client);
}

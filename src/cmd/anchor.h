/* anchor.h - checks a record against the chain, for every command that checks records. */
#pragma once

#include <stdio.h>

#include "chain/anchor_check.h"
#include "cmd/client.h"
#include "cmd/options.h"

/* Rows for the table of such a command; "rpc" asks for the check. */
#define ANCHOR_ROWS                                                                                \
	{ "rpc", 0, "URL",                                                                         \
	  "check it on the chain, too, by this endpoint; may be repeated: all must bear it out" }, \
		{ "anchor-contract", 0, "ADDRESS",                                                 \
		  "the contract Anchor (as the network says, which is then believed)" },           \
	{                                                                                          \
		"publisher", 0, "ADDRESS", "the network's key on the chain (likewise)"             \
	}

/* Where the network says that the record called @id is: what GET /v1/inclusions answers, for the caller to free.
 * NULL: in no root, and @ret_waits says whether it waits for one or there is no such record. 0 or an exit status. */
_must_check_ int anchor_find(struct client *client, enum anchor_kind kind,
			     const uint8_t id[static 32], json_t **ret_inclusion, bool *ret_waits);

/* Whether the record called @id, of this digest (NULL: what the network says it is), is under a root of the
 * network's on the chain. Says so on @out; asks nobody else for it than the endpoints. 0 or an exit status. */
_must_check_ int anchor_verify(struct client *client, const struct option_table *table,
			       const struct options *options, enum anchor_kind kind,
			       const uint8_t id[static 32], const uint8_t *digest, FILE *out);

/* The same, telling what was found in place of saying so: for who checks many records of one root. */
_must_check_ int anchor_prove(struct client *client, const struct option_table *table,
			      const struct options *options, enum anchor_kind kind,
			      const uint8_t id[static 32], const uint8_t *digest,
			      struct anchor_place *ret_place, struct anchor_found *ret_found);

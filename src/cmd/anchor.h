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

/* Whether what was given of these rows can be meant: 0 or an exit status. To be asked before anything is done. */
_must_check_ int anchor_options(const struct option_table *table, const struct options *options);

/* Where the network says that the record called @id is: what GET /v1/inclusions answers, for the caller to free.
 * NULL: in no root, and @ret_waits says whether it waits for one or there is no such record. 0 or an exit status. */
_must_check_ int anchor_find(struct client *client, enum anchor_kind kind,
			     const uint8_t id[static 32], json_t **ret_inclusion, bool *ret_waits);

/* Whether the record called @id, of this digest (NULL: what the network says it is), is under a root of the
 * network's on the chain. Says so on @out; asks nobody else for it than the endpoints. 0, or an exit status:
 * CLI_NOT_YET where it is not anchored or final yet, or an endpoint does not say. */
_must_check_ int anchor_verify(struct client *client, const struct option_table *table,
			       const struct options *options, enum anchor_kind kind,
			       const uint8_t id[static 32], const uint8_t *digest, FILE *out);

/* ---- for who reads roots himself (anchor_roots.h) ---- */

/* Where the network's roots are and whose: what the options name, else what the network says (then believed), and how
 * often they are made. The kind is not set. 0 or an exit status. */
_must_check_ int anchor_of(struct client *client, const struct option_table *table,
			   const struct options *options, struct anchor_place *ret_place,
			   struct address *ret_publisher, int64_t *ret_every_ms);

/* The endpoints that the options name. 0 or an exit status. */
_must_check_ int anchor_rpc(const struct option_table *table, const struct options *options,
			    uint64_t chain_id, struct rpc **ret_rpc);

/* A root as the network lists it. -EINVAL. */
_must_check_ int anchor_read_root(const json_t *json, struct anchor_root *ret_root);

/* The hashes of a path as the network gives it. -EINVAL. */
_must_check_ int anchor_read_path(const json_t *list,
				  struct merkle_hash ret_path[static MERKLE_DEPTH_MAX],
				  size_t *ret_n);

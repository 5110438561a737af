/* instance_store.h - the rows of instances and duties (db/0041_duties.sql). Called in transactions; a fault of the store is
 * returned as it is, a broken row is -EIO. */
#pragma once

#include "base/address.h"
#include "base/id.h"
#include "io/db.h"

struct instance_row {
	struct instance_id id;
	const char *url, *modules, *version; /* borrowed */
	bool draining;
	int64_t started_ms, seen_ms;
};

_must_check_ int instance_store_write(struct tx *tx, const struct instance_row *row);

_must_check_ int instance_store_forget(struct tx *tx, int64_t unseen_since_ms);

/* @ret: whether any but @id was seen after @since_ms and does not drain. */
_must_check_ int instance_store_others(struct tx *tx, const struct instance_id *id,
				       int64_t since_ms, bool *ret);

/* At most a hundred. */
_must_check_ int instance_store_list(struct tx *tx, struct sql_rows **ret_rows);

/* name, instance, token, beat; by name. */
_must_check_ int duty_store_list(struct tx *tx, struct sql_rows **ret_rows);

/* @ret: 0 where nobody has held it yet. */
_must_check_ int duty_store_token(struct tx *tx, const char *duty, int64_t *ret);

/* -EIO: @token is not the last. */
_must_check_ int duty_store_renew(struct tx *tx, const char *duty, int64_t token, int64_t beat);

_must_check_ int duty_store_take(struct tx *tx, const char *duty, const struct instance_id *by,
				 int64_t token);

/* Nothing, where @token is not the last. */
_must_check_ int duty_store_give_back(struct tx *tx, const char *duty, int64_t token);

/* The network that the store belongs to: @network, if it is the first to ask. */
_must_check_ int network_store_own(struct tx *tx, const struct address *network,
				   struct address *ret);

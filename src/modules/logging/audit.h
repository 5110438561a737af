/* audit.h - who did what: the audit log. logging.h includes it.
 *
 * A module records an entry in the transaction of the deed. Entries are never changed and never deleted; every few
 * seconds a job seals those that are new, in the order of their ids, into a batch (chain/audit_form.h) that names
 * the batch before it. Sealed batches are anchored by the module chain, where the network has one. Sealing is apart
 * from recording so that no two deeds wait for one row. */
#pragma once

#include "api/route.h"
#include "chain/audit_form.h"

/* What is recorded: this list and no more. As words in audit_action_words. */
enum audit_action {
	AUDIT_SESSION_CREATED, /* a sign-in */
	AUDIT_SESSION_ENDED, /* a sign-out */
	AUDIT_SESSION_REVOKED, /* one of its used refresh tokens came again */
	AUDIT_KEY_CREATED,
	AUDIT_KEY_DELETED,
	AUDIT_ROLE_GRANTED,
	AUDIT_ROLE_WITHDRAWN,
	AUDIT_CREDIT_GIVEN,
	AUDIT_WITHDRAWAL_ASKED,
	AUDIT_TOKEN_CREATED, /* with which machines join */
	AUDIT_WORKER_JOINED,
	AUDIT_WORKER_CHANGED, /* its name, prices, or whether it is paused */
	AUDIT_WORKER_REMOVED,
	AUDIT_MACHINE_CLASS, /* proofs gave a device another class, or took it */
	AUDIT_MACHINE_FAILED, /* a device that had not failed before did not pass a check */
	AUDIT_RENTAL_CREATED,
	AUDIT_RENTAL_STOPPED, /* asked to stop */
	AUDIT_RENTAL_ENDED,
	AUDIT_RENTAL_REMOVED, /* what was kept of its container */
	AUDIT_CHECKER_ADDED,
	AUDIT_CHECKER_REMOVED,
	AUDIT_CHECKER_LICENSED, /* on a network without a chain */
	AUDIT_CHECKER_BANNED,
	AUDIT_CHECKER_UNBANNED, /* marks that it rested on were taken back */
	AUDIT_APPEAL_ASKED,
	AUDIT_APPEAL_DECIDED,
	AUDIT_ROOT_REPLACED, /* a disputed root of rewards */
	AUDIT_VPN_ADDED, /* a gateway or lighthouse */
	AUDIT_VPN_ADMITTED, /* a machine's new key was certified */
	AUDIT_VPN_REVOKED,
	AUDIT_VPN_RESTORED,
	AUDIT_ACTIONS_N,
};
extern const char *const audit_action_words[AUDIT_ACTIONS_N + 1]; /* NULL ends */

/* By whom. */
enum audit_actor { AUDIT_NETWORK, AUDIT_ACCOUNT, AUDIT_OPERATOR, AUDIT_MACHINE, AUDIT_CHECKER };

struct audit_entry {
	enum audit_action action;
	enum audit_actor by;
	const struct address *actor; /* NULL: the account that sent @request */
	const struct request *request; /* from where; NULL: from no request */
	const char *subject; /* the text of an id, at most AUDIT_SUBJECT_MAX bytes */
	const struct account_id
		*owner; /* whose that is, who may read the entry, too; NULL: nobody's */
	json_t *detail; /* taken over, also on failure: an object of bounded members; NULL, for want
			 * of memory, is -ENOMEM */
};

/* Exists exactly when the deed does. -E2BIG: a detail longer than AUDIT_DETAIL_MAX; -EINVAL: a detail that is no
 * object, a subject that is not one line, or no actor. */
_must_check_ int audit_record(const struct context *context, struct tx *tx,
			      const struct audit_entry *entry);

/* The same, for what the account that sent @request did to what is its own. */
_must_check_ int audit_own(const struct request *request, struct tx *tx, enum audit_action action,
			   const char *subject, json_t *detail);

/* ---- for the module chain ---- */

struct audit_sealed {
	int64_t number;
	uint8_t digest[AUDIT_DIGEST_SIZE];
};

/* Sealed batches that were not taken, the first first, at most @max. */
_must_check_ int audit_sealed(struct tx *tx, int64_t max, struct audit_sealed **ret_batches,
			      size_t *ret_n);
_must_check_ int audit_taken(struct tx *tx, int64_t through);

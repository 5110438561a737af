/* checker.h - the checkers: nodes that verify workers, their owners, licences, links, record and bans.
 *
 * A checker is a key in a state folder, registered by an account. Without a licence it is pending and
 * gets no tasks: one that its owner delegated and the checker's operator accepted, on the chain (licences.h). On a
 * network without a chain the network's operator sets the number. */
#pragma once

#include "api/route.h"
#include "wire/wire.h"

enum checker_outcome {
	CHECKER_E_SIGNATURE = ROUTE_E_MODULE, /* not by the checker's key over checker_digest */
	CHECKER_E_TAKEN, /* registered by another account */
	CHECKER_E_TOO_MANY,
	CHECKER_E_HAS_RECORD, /* cannot be removed: it took part in sessions */
	CHECKER_E_ON_CHAIN, /* licences are delegated there, and nobody sets them */
	CHECKER_E_NO_CHAIN, /* the network has none */
};

enum {
	CHECKERS_LINKED_MAX = 4096,
	CHECKER_DAY_MS = 86400000,
};

enum checker_status {
	CHECKER_PENDING = 1, /* no licence */
	CHECKER_OFFLINE,
	CHECKER_READY,
	CHECKER_CHECKING, /* at work in a session now */
	CHECKER_BANNED,
};

/* ---- drawing and talking ---- */

struct checker_member {
	struct address checker;
	struct account_id account;
	int64_t licences; /* at least 1 */
};

/* Those that may be drawn: linked, licensed, not banned. By address, in the transaction's arena. */
_must_check_ int checker_eligible(const struct context *context, struct tx *tx,
				  struct checker_member **ret_members, size_t *ret_n);

/* Whether it carries a licence and is not banned; false of what is no checker, too. */
_must_check_ int checker_admitted(const struct context *context, struct tx *tx,
				  const struct address *checker, bool *ret_admitted);

/* To its link, if it has one. From any thread. -ENOTCONN, -ENOMEM, -EMSGSIZE. */
_must_check_ int checker_send(const struct address *checker, const Wire__ToNode *message);

/* A session of which it is a member begins (+1) or is over (-1); for its status. From any thread. */
void checker_occupy(const struct address *checker, int by);

/* What comes from linked checkers, besides their hello. On the loop; messages are borrowed. One
 * listener a process, set before the first request. */
struct checker_listener {
	void (*on_up)(void *arg, const struct address *checker);
	void (*on_message)(void *arg, const struct address *checker, const Wire__ToServer *message);
	void (*on_down)(void *arg, const struct address *checker);
	void *arg;
};
void checker_listen(const struct checker_listener *listener);

/* ---- the record ---- */

enum checker_mark {
	CHECKER_VALID = 1, /* its exact part was the majority's */
	CHECKER_WRONG, /* another exact part: grounds for a ban */
	CHECKER_SILENT, /* no result in time */
	CHECKER_DEVIATING, /* valid, but its timing is off the median */
};

/* Once for each checker and session; the same again changes nothing. A wrong one may ban it: 2 within a
 * week for 30 days, 5 within 30 days for 180 days, more than 10 ever for ever. @planted: the session
 * was a test of the checkers. */
_must_check_ int checker_marked(const struct context *context, struct tx *tx,
				const struct address *checker, const uint8_t session[static 16],
				enum checker_mark mark, bool planted, int64_t at_ms);

/* Takes a wrong mark back (an appeal was won); bans that rested on it are lifted. */
_must_check_ int checker_cleared(const struct context *context, struct tx *tx,
				 const struct address *checker, const uint8_t session[static 16]);

/* Whose licences count for a checker: thousandths, as below. */
struct checker_delegator {
	struct address owner;
	int64_t licences_milli; /* at least 1 */
};

/* For an epoch's records: what was done from @from_ms on and before @until_ms. By address, delegators by owner. */
struct checker_work {
	struct address checker;
	struct account_id account;
	int64_t valid, wrong;
	/* With a chain: the mean of those that counted over the time, of all and of each owner, rounded down. */
	int64_t licences_milli;
	struct checker_delegator *delegators;
	size_t n_delegators; /* without a chain: 0 */
	bool banned; /* at the end of the time */
};
_must_check_ int checker_worked(struct tx *tx, int64_t from_ms, int64_t until_ms,
				struct checker_work **ret_rows, size_t *ret_n);

extern const struct module checker_module;

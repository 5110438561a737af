/* credits.h - what an epoch's payouts come to for each account, in either token: the owners' and delegators' parts of
 * machines' rewards (liquid), and of checkers' rewards (vested), each added up. */
#pragma once

#include "rewards/epoch.h"

/* As the contract that pays them numbers its pots. */
enum epoch_credit_kind { CREDIT_LIQUID, CREDIT_VESTED, CREDIT_KINDS_N };

struct epoch_credit {
	enum epoch_credit_kind kind;
	struct address account;
	struct tokens amount; /* above 0 */
};

enum { CREDITS_ARENA_BYTES = 64 << 20 }; /* what the largest epoch takes of @arena */

/* By kind and account, ascending, none twice; in @arena. -ENOMEM. */
_must_check_ int credits_of(const struct epoch *epoch, const struct payouts *payouts,
			    struct arena *arena, struct epoch_credit **ret_credits, size_t *ret_n);

/* The same from the payouts' text as it was published: what pays for ever, whatever the rules are by now. -EINVAL: it is no
 * such text; -ENOMEM. */
_must_check_ int credits_read(const char *text, size_t len, struct arena *arena,
			      struct epoch_credit **ret_credits, size_t *ret_n);

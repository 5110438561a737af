/* payouts.h - an epoch's payouts, computed from its records' text as it is published, and written page by
 * page together with whom they pay. The last page closes the epoch. */
#pragma once

#include "modules/rewards/rewards_store.h"
#include "rewards/credits.h"

/* What anchors a closed epoch (chain/anchor_leaf.h): the id is "epoch-" and its number, the digest keccak256 of the
 * payouts' text, which names that of the records. */

/* @epoch is in EPOCH_PAYOUTS; goes on behind the pages that are there. Takes what epoch_recompute takes
 * (rewards/epoch_text.h). -EINVAL: the records break a rule, which is logged. */
_must_check_ int payouts_publish(const struct context *context, const struct epoch_row *epoch);

/* What a closed @epoch's payouts give to accounts, by their published text: rules may have changed since. The caller frees
 * *@ret_credits. -EINVAL: the stored text is not the one that was published, which is logged. */
_must_check_ int payouts_credits(const struct context *context, const struct epoch_row *epoch,
				 struct epoch_credit **ret_credits, size_t *ret_n);

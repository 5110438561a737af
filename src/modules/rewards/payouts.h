/* payouts.h - an epoch's payouts, computed from its records' text as it is published, and written page by
 * page together with whom they pay. The last page closes the epoch. */
#pragma once

#include "modules/rewards/rewards_store.h"

/* @epoch is in EPOCH_PAYOUTS; goes on behind the pages that are there. Takes what epoch_recompute takes
 * (rewards/epoch_text.h). -EINVAL: the records break a rule, which is logged. */
_must_check_ int payouts_publish(const struct context *context, const struct epoch_row *epoch);

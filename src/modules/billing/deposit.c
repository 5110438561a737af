#include "modules/billing/deposit.h"

#include "modules/billing/billing_store.h"

int deposit_add(const struct context *context, struct tx *tx, struct account_id tenant,
		struct amount amount, const char *key, const char *memo)
{
	struct ledger_posting posting = { .kind = "deposit" };
	struct amount given;
	bool known;
	int r;

	if (amount.micro <= 0)
		return -EINVAL;
	snprintf(posting.key, sizeof(posting.key), "deposit:%s", key);
	snprintf(posting.memo, sizeof(posting.memo), "%s", memo);
	r = store_posting_given(tx, posting.key, tenant, &known, &given);
	if (r != 0 || known)
		return r;
	ledger_entry(&posting, tenant, LEDGER_AVAILABLE, amount);
	ledger_entry_network(&posting, LEDGER_ESCROW, (struct amount){ -amount.micro });
	return ledger_post_sure(context, tx, &posting, 1);
}

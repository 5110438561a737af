#include "fuzz.h"

#include <assert.h>

#include "rewards/epoch_text.h"

/* What is read is in its bounds, is paid out to the last unit, and is written as it was. */
static void check_epoch(const struct epoch *epoch, const char *bytes, size_t len,
			struct arena *arena)
{
	_cleanup_(freep) char *text = NULL;
	unsigned __int128 given = 0;
	struct epoch_fault fault;
	struct payouts payouts;
	size_t text_len;

	assert(epoch_check(epoch, &fault) == 0);
	assert(epoch_settle(epoch, arena, &payouts) == 0);
	for (size_t i = 0; i < epoch->n_workers; i++)
		given += payouts.workers[i].owner.units;
	for (size_t i = 0; i < epoch->n_checkers; i++)
		given += payouts.checkers[i].owner.units;
	for (size_t i = 0; i < epoch->n_delegators; i++)
		given += payouts.delegators[i].units;
	given += payouts.capacity.unallotted.units + payouts.delivery.unallotted.units +
		 payouts.checking.unallotted.units;
	assert(given == epoch->terms.worker_total.units + epoch->terms.checker_total.units);
	assert(epoch_write(epoch, &text, &text_len) == 0);
	assert(text_len == len && memcmp(text, bytes, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct epoch_fault fault = { "" };
	struct epoch epoch;

	if (arena_new(64 << 20, &arena) < 0)
		return 0;
	if (epoch_read((const char *)bytes, len, arena, &epoch, &fault) == 0)
		check_epoch(&epoch, (const char *)bytes, len, arena);
	else
		assert(fault.text[0]);
	return 0;
}

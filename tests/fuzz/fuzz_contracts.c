#include "fuzz.h"

#include <assert.h>

#include "chain/contract_event.h"
#include "chain/contracts.h"

/* The addresses file, an answer of the contract Anchor, and logs: a byte for the event, one for how many topics,
 * the topics behind the first, then data. */

static void read_file(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct contracts contracts;
	const char *detail = NULL;
	int r;

	if (arena_new(1 << 20, &arena) < 0)
		return;
	r = contracts_read((const char *)bytes, len, arena, &contracts, &detail);
	assert(r == 0 || (r == CONTRACTS_E_MALFORMED && *detail));
	for (enum contract i = 0; r == 0 && i < CONTRACTS_N; i++)
		assert(contracts.at[i].there || i == CONTRACT_DOLLAR);
}

static void read_answer(const uint8_t *bytes, size_t len)
{
	struct anchor_latest latest;

	if (call_latest_answer(bytes, len, &latest) == 0)
		assert(latest.kind < ANCHOR_KINDS_N && len == 128);
}

static void read_event(const uint8_t *bytes, size_t len)
{
	enum contract_event_kind kind = bytes[0] % CONTRACT_EVENTS_N;
	struct contract_event event;
	uint8_t topics[4][32] = { 0 };
	size_t n = bytes[1] % 5, taken = 2;

	contract_event_topic(kind, topics[0]);
	for (size_t i = 1; i < n && len - taken >= 32; i++, taken += 32)
		memcpy(topics[i], bytes + taken, 32);
	if (contract_event_read(kind, (const uint8_t(*)[32])topics, n, bytes + taken, len - taken,
				&event) == 0)
		assert(event.kind == kind && n > 0 && (len - taken) % 32 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	read_file(bytes, len);
	read_answer(bytes, len);
	if (len >= 2)
		read_event(bytes, len);
	return 0;
}

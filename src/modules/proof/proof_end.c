#include "modules/proof/proof_end.h"

#include "wire/wire.h"

static const struct {
	const char *word;
	enum proof_blame blame;
	bool workers; /* a worker may say so */
} rows[END_COUNT] = {
	[END_NONE] = { "", BLAME_NONE, false },
	[END_JUDGED] = { "judged", BLAME_VERDICT, false },
	[END_NO_QUORUM] = { "no_quorum", BLAME_PANEL, false },
	[END_NO_RESULTS] = { "no_results", BLAME_PANEL, false },
	[END_WORKER_SILENT] = { "worker_silent", BLAME_WORKER, false },
	[END_WORKER_GONE] = { "worker_gone", BLAME_LINK, false },
	[END_MALFORMED] = { "malformed", BLAME_WORKER, false },
	[END_YIELDED] = { WIRE_PROOF_YIELDED, BLAME_LINK, true },
	[END_NO_DEVICE] = { WIRE_PROOF_NO_DEVICE, BLAME_WORKER, true },
	[END_NO_MEMORY] = { WIRE_PROOF_NO_MEMORY, BLAME_WORKER, true },
	[END_BUSY] = { WIRE_PROOF_BUSY, BLAME_LINK, true },
	[END_NO_NONCES] = { WIRE_PROOF_NO_NONCES, BLAME_LINK, true },
	[END_BROKEN] = { WIRE_PROOF_BROKEN, BLAME_WORKER, true },
	[END_REFUSED] = { WIRE_PROOF_REFUSED, BLAME_WORKER, true },
	[END_INTERRUPTED] = { "interrupted", BLAME_NONE, false },
	[END_FAULT] = { "fault", BLAME_NONE, false },
};

const char *proof_end_word(enum proof_end end)
{
	return rows[end].word;
}

enum proof_blame proof_end_blame(enum proof_end end)
{
	return rows[end].blame;
}

enum proof_end proof_end_of(const char *word)
{
	for (int end = END_NONE + 1; end < END_COUNT; end++)
		if (strcmp(rows[end].word, word) == 0)
			return (enum proof_end)end;
	return END_NONE;
}

enum proof_end proof_end_of_worker(const char *reason)
{
	for (int end = 0; end < END_COUNT; end++)
		if (rows[end].workers && reason && strcmp(rows[end].word, reason) == 0)
			return (enum proof_end)end;
	return END_BROKEN;
}

#include "fuzz.h"

#include <assert.h>

#include "popw/judge.h"

/* Whatever was published: a stated verdict. */
static void assert_judged(const struct record *record, const struct finding *finding,
			  const struct verdict *verdict, struct arena *arena)
{
	const char *text;

	assert(!(verdict->agreeing & (verdict->wrong | verdict->silent)));
	assert(!(verdict->deviating & ~verdict->agreeing));
	assert(verdict->earned >= -1 && verdict->earned < (int)class_rows_n);
	assert(finding->bits == PROOF_ALL || finding->detail[0]);
	assert(verdict_text(&record->transcript.session, verdict, arena, &text) == 0);
	assert(text[0] == '{' && text[strlen(text) - 1] == '\n');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct verifier *verifier;
	static struct record record;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const char *detail = NULL;
	struct finding finding;
	struct verdict verdict;
	int r;

	if (!verifier && verifier_new(&verifier) < 0)
		return 0;
	if (arena_new(2 << 20, &arena) < 0)
		return 0;
	r = record_decode(verifier_hasher(verifier), bytes, len, arena, &record, &detail);
	if (r != 0) {
		assert(r == RECORD_E_MALFORMED && detail);
		return 0;
	}
	if (record_replay(verifier, &record, &finding, &verdict) == 0)
		assert_judged(&record, &finding, &verdict, arena);
	else
		assert(finding.detail[0]);
	return 0;
}

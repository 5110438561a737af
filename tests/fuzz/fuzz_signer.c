#include "fuzz.h"

#include <assert.h>

#include "chain/signer_policy.h"
#include "chain/signer_wire.h"

/* Everything is allowed that can be; what then passes is a plain call to the kind's contract. */
static struct signer_policy everything(void)
{
	struct signer_policy policy = { .chain_id = 3338 };

	for (enum signer_kind kind = 0; kind < SIGNER_KINDS_N; kind++)
		policy.rules[kind] = (struct signer_rule){
			.contract = { { [19] = 1 } },
			.max_gas = 1000000,
			.max_fee_wei = INT64_MAX,
			.calls_per_day = 1,
			.tokens = { { { { [19] = 2 } }, u256_from(1000) } },
			.n_tokens = 1,
		};
	return policy;
}

static void check(const struct signer_policy *policy, const struct signer_question *question,
		  struct arena *arena)
{
	const struct transaction *transaction = &question->transaction;
	struct signer_counters counters = { 0 };
	struct signer_call call;
	const char *detail = NULL;
	struct u256 *before;
	int r = signer_policy_check(policy, question->kind, transaction, arena, &call, &detail);

	if (r != 0) {
		assert(r < 0 || detail);
		return;
	}
	assert(transaction->kind == TRANSACTION_EIP1559 && !transaction->creates);
	assert(transaction->chain_id == 3338 && u256_is_zero(transaction->value));
	assert(address_equal(&transaction->to, &policy->rules[call.kind].contract));
	assert(transaction->data_len >= 4 && transaction->n_access == 0);
	before = arena_array(arena, call.n_claims + 1, sizeof(*before));
	if (!before)
		return;
	detail = NULL;
	r = signer_policy_count(&call, 1, before, &counters, arena, &detail);
	assert(r < 0 || (r > 0) == (detail != NULL));
	assert(r != 0 || (counters.calls == 1 && u256_bits(counters.moved) <= 10));
}

/* A question that is understood is written as it was read; an answer, too. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct signer_policy none;
	const struct signer_policy policy = everything();
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct signer_question question;
	struct signer_answer answer;
	const uint8_t *again;
	size_t size;

	if (len > SIGNER_QUESTION_MAX || arena_new(16 << 20, &arena) < 0)
		return 0;
	if (signer_question_read(bytes, len, arena, &question) == 0) {
		assert(signer_question_write(&question, arena, &again, &size) == 0);
		assert(size == SIGNER_PREFIX + len);
		assert(memcmp(again + SIGNER_PREFIX, bytes, len) == 0);
		if (question.op == SIGNER_SIGN) {
			check(&policy, &question, arena);
			check(&none, &question, arena);
		}
	}
	if (signer_answer_read(bytes, len, &answer) == 0) {
		assert(signer_answer_write(&answer, arena, &again, &size) == 0);
		assert(size == SIGNER_PREFIX + len);
		assert(memcmp(again + SIGNER_PREFIX, bytes, len) == 0);
	}
	return 0;
}

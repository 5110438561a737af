#include "chain/signer_keeper.h"

#include <jansson.h>

#include "base/log.h"

enum { LOG_EVERY_MS = 1000 };

static int64_t today(const struct signer_keeper *keeper)
{
	return clock_now_ms(keeper->clock) / SIGNER_DAY_MS;
}

static struct signer_answer text_answer(enum signer_outcome outcome, const char *text)
{
	return (struct signer_answer){ outcome, (const uint8_t *)text, strlen(text) };
}

/* ---- refusals ---- */

/* Who asks again and again for the same is listed once, and fills no log. */
static void note_refusal(struct signer_keeper *keeper, const char *kind, const char *reason)
{
	size_t last = (keeper->n_refusals + SIGNER_REFUSALS_MAX - 1) % SIGNER_REFUSALS_MAX;
	struct signer_refusal *refusal = &keeper->refusals[last];
	int64_t now_ms = clock_now_ms(keeper->clock);

	if (keeper->n_refusals == 0 || strcmp(refusal->kind, kind) != 0 ||
	    strcmp(refusal->reason, reason) != 0) {
		refusal = &keeper->refusals[keeper->n_refusals++ % SIGNER_REFUSALS_MAX];
		snprintf(refusal->kind, sizeof(refusal->kind), "%s", kind);
		snprintf(refusal->reason, sizeof(refusal->reason), "%s", reason);
		if (clock_mono_ms(keeper->clock) - keeper->logged_ms >= LOG_EVERY_MS) {
			log_warn("signer.refused", log_text("kind", kind),
				 log_text("reason", reason));
			keeper->logged_ms = clock_mono_ms(keeper->clock);
		}
	}
	refusal->at_ms = now_ms;
}

/* ---- signing ---- */

static int sign(struct signer_keeper *keeper, const struct signer_question *question,
		struct arena *arena, struct signer_answer *ret_answer)
{
	const struct transaction *transaction = &question->transaction;
	struct transaction_signed ready;
	struct signer_call call;
	const char *detail;
	int r = signer_policy_check(keeper->policy, question->kind, transaction, arena, &call,
				    &detail);

	if (r == 0)
		r = signer_store_count(keeper->store, &call, today(keeper), arena, &detail);
	if (r == SIGNER_E_REFUSED) {
		note_refusal(keeper, question->kind, detail);
		*ret_answer = text_answer(SIGNER_DENIED, detail);
		return 0;
	}
	if (r == 0)
		r = transaction_sign(transaction, keeper->key, arena, &ready);
	if (r < 0)
		return r;
	log_info("signer.signed", log_text("kind", question->kind),
		 log_int("nonce", (int64_t)transaction->nonce));
	*ret_answer = (struct signer_answer){ SIGNER_DONE, ready.bytes, ready.len };
	return 0;
}

/* ---- status ---- */

static json_t *token_json(struct signer_keeper *keeper, enum signer_kind kind,
			  const struct signer_token *token, struct arena *arena)
{
	char address[ADDRESS_TEXT_SIZE], moved[U256_TEXT_SIZE], limit[U256_TEXT_SIZE];
	struct signer_counters counters;

	if (signer_store_read(keeper->store, kind, &token->token, today(keeper), arena, &counters) <
	    0)
		return NULL;
	address_text(&token->token, address);
	u256_text(counters.moved, moved);
	u256_text(token->units_per_day, limit);
	return json_pack("{s:s, s:s, s:s}", "token", address, "moved", moved, "limit", limit);
}

static json_t *kind_json(struct signer_keeper *keeper, enum signer_kind kind, struct arena *arena)
{
	const struct signer_rule *rule = &keeper->policy->rules[kind];
	char contract[ADDRESS_TEXT_SIZE];
	struct signer_counters counters;
	json_t *tokens;

	if (signer_store_read(keeper->store, kind, NULL, today(keeper), arena, &counters) < 0)
		return NULL;
	address_text(&rule->contract, contract);
	tokens = json_array();
	for (size_t i = 0; i < rule->n_tokens; i++)
		if (json_array_append_new(tokens,
					  token_json(keeper, kind, &rule->tokens[i], arena)) < 0) {
			json_decref(tokens);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:I, s:I, s:o}", "kind", signer_kind_name(kind), "contract",
			 contract, "signed", (json_int_t)counters.calls, "limit",
			 (json_int_t)rule->calls_per_day, "tokens", tokens);
}

static json_t *kinds_json(struct signer_keeper *keeper, struct arena *arena)
{
	json_t *kinds = json_array();
	int r = 0;

	for (enum signer_kind kind = 0; r == 0 && kind < SIGNER_KINDS_N; kind++)
		if (keeper->policy->rules[kind].calls_per_day > 0)
			r = json_array_append_new(kinds, kind_json(keeper, kind, arena));
	if (r == 0)
		return kinds;
	json_decref(kinds);
	return NULL;
}

static json_t *refusals_json(const struct signer_keeper *keeper)
{
	json_t *list = json_array();
	char at[CLOCK_TEXT_SIZE];

	for (size_t i = 0; i < size_min(keeper->n_refusals, SIGNER_REFUSALS_MAX); i++) {
		const struct signer_refusal *refusal =
			&keeper->refusals[(keeper->n_refusals - 1 - i) % SIGNER_REFUSALS_MAX];

		clock_text(refusal->at_ms, at);
		if (json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "at", at, "kind",
							  refusal->kind, "reason",
							  refusal->reason)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int show(struct signer_keeper *keeper, struct arena *arena, struct signer_answer *ret_answer)
{
	char address[ADDRESS_TEXT_SIZE], day[CLOCK_TEXT_SIZE], *dumped, *text = NULL;
	json_t *kinds = kinds_json(keeper, arena), *refusals = refusals_json(keeper), *json;

	address_text(secp_key_address(keeper->key), address);
	clock_text(today(keeper) * SIGNER_DAY_MS, day);
	day[10] = '\0'; /* the date */
	json = json_pack("{s:s, s:I, s:s, s:o, s:o}", "address", address, "chain_id",
			 (json_int_t)keeper->policy->chain_id, "day", day, "kinds", kinds,
			 "refusals", refusals);
	dumped = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (dumped)
		text = arena_text(arena, dumped, strlen(dumped));
	free(dumped);
	if (!text)
		return -EIO;
	*ret_answer = text_answer(SIGNER_DONE, text);
	return 0;
}

/* ---- answering ---- */

static int answer(struct signer_keeper *keeper, const uint8_t *bytes, size_t len,
		  struct arena *arena, struct signer_answer *ret_answer)
{
	struct signer_question question;
	int r = signer_question_read(bytes, len, arena, &question);

	if (r < 0)
		return r;
	if (r > 0) {
		note_refusal(keeper, "", "a question that is not understood");
		*ret_answer = text_answer(SIGNER_DENIED, "the question is not understood: only "
							 "EIP-1559 calls are signed, asked for "
							 "by the same version of kaisar");
		return 0;
	}
	switch (question.op) {
	case SIGNER_ADDRESS:
		*ret_answer = (struct signer_answer){ SIGNER_DONE,
						      secp_key_address(keeper->key)->bytes,
						      sizeof(struct address) };
		return 0;
	case SIGNER_STATUS:
		return show(keeper, arena, ret_answer);
	case SIGNER_SIGN:
		return sign(keeper, &question, arena, ret_answer);
	}
	return -EINVAL;
}

int signer_keeper_answer(struct signer_keeper *keeper, const uint8_t *question, size_t len,
			 struct arena *arena, const uint8_t **ret_answer, size_t *ret_len)
{
	struct signer_answer said;
	int r = answer(keeper, question, len, arena, &said);

	/* Nothing was signed; who asks again may have it. */
	if (r < 0) {
		log_error("signer.failed", log_fault(r));
		said = text_answer(SIGNER_FAILED, "the signer cannot write down what it signs, and "
						  "hence signs nothing: see its log");
	}
	return signer_answer_write(&said, arena, ret_answer, ret_len);
}

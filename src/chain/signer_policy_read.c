/* The policy's file (signer_policy.h). */
#include "chain/signer_policy.h"

struct raw_rule {
	struct address contract;
	int64_t max_gas, max_fee_wei, calls_per_day;
	struct field_objects tokens; /* of struct raw_token */
	const char *units_per_day; /* of propose */
};

struct raw_token {
	struct address token;
	const char *units_per_day;
};

struct raw_policy {
	int64_t chain_id;
	struct raw_rule kinds[SIGNER_KINDS_N];
};

enum {
	GAS_MIN = 21000, /* of any transaction */
	GAS_MAX = 60000000,
	CALLS_MAX = 1000000,
};

#define RULE_FIELDS                                                                           \
	{ "contract", FIELD_ADDRESS, offsetof(struct raw_rule, contract), .required = true }, \
		{ "max_gas",        FIELD_INT,      offsetof(struct raw_rule, max_gas),       \
		  .required = true, .min = GAS_MIN, .max = GAS_MAX },                         \
		{ "max_fee_wei",    FIELD_INT, offsetof(struct raw_rule, max_fee_wei),        \
		  .required = true, .min = 1,  .max = INT64_MAX },                            \
	{                                                                                     \
		"calls_per_day", FIELD_INT, offsetof(struct raw_rule, calls_per_day),         \
			.required = true, .min = 1, .max = CALLS_MAX                          \
	}

static const struct field token_fields[] = {
	{ "token", FIELD_ADDRESS, offsetof(struct raw_token, token), .required = true },
	{ "units_per_day", FIELD_TEXT, offsetof(struct raw_token, units_per_day), .required = true,
	  .min = 1, .max = U256_TEXT_SIZE - 1, .charset = "0123456789" },
	{ 0 },
};

static const struct field rule_fields[] = { RULE_FIELDS, { 0 } };

static const struct field money_fields[] = {
	RULE_FIELDS,
	{ "tokens", FIELD_OBJECTS, offsetof(struct raw_rule, tokens), .required = true, .min = 1,
	  .count = SIGNER_TOKENS_MAX, .size = sizeof(struct raw_token), .fields = token_fields },
	{ 0 },
};

static const struct field propose_fields[] = {
	RULE_FIELDS,
	{ "units_per_day", FIELD_TEXT, offsetof(struct raw_rule, units_per_day), .required = true,
	  .min = 1, .max = U256_TEXT_SIZE - 1, .charset = "0123456789" },
	{ 0 },
};

#define KIND_FIELD(name, kind, table)                                                   \
	{                                                                               \
		name, FIELD_OBJECT, (kind) * sizeof(struct raw_rule), .fields = (table) \
	}

static const struct field kind_fields[] = {
	KIND_FIELD("anchor", SIGNER_ANCHOR, rule_fields),
	KIND_FIELD("settle", SIGNER_SETTLE, money_fields),
	KIND_FIELD("return", SIGNER_RETURN, money_fields),
	KIND_FIELD("propose", SIGNER_PROPOSE, propose_fields),
	KIND_FIELD("activate", SIGNER_ACTIVATE, rule_fields),
	{ 0 },
};

static const struct field policy_fields[] = {
	{ "chain_id", FIELD_INT, offsetof(struct raw_policy, chain_id), .required = true, .min = 1,
	  .max = (int64_t)TRANSACTION_CHAIN_ID_MAX },
	{ "kinds", FIELD_OBJECT, offsetof(struct raw_policy, kinds), .required = true,
	  .fields = kind_fields },
	{ 0 },
};

static int wrong_token(struct field_error *error, const char *kind, size_t i, const char *member,
		       const char *rule)
{
	char field[sizeof(error->field)];

	snprintf(field, sizeof(field), "kinds.%s.tokens[%zu].%s", kind, i, member);
	field_error_set(error, field, rule);
	return FIELD_E_INVALID;
}

static bool is_named(const struct signer_rule *rule, const struct address *token)
{
	for (size_t i = 0; i < rule->n_tokens; i++)
		if (address_equal(&rule->tokens[i].token, token))
			return true;
	return false;
}

static int take_token(const struct raw_token *raw, const char *kind, struct signer_rule *rule,
		      struct field_error *error)
{
	struct signer_token token = { .token = raw->token };
	const char *units = raw->units_per_day;

	if (u256_parse(units, strlen(units), &token.units_per_day) < 0)
		return wrong_token(error, kind, rule->n_tokens, "units_per_day",
				   "must be an integer below 2^256 without leading zeros");
	if (is_named(rule, &token.token))
		return wrong_token(error, kind, rule->n_tokens, "token", "is named twice");
	rule->tokens[rule->n_tokens++] = token;
	return 0;
}

static int take_pots(const struct raw_rule *raw, struct signer_rule *rule,
		     struct field_error *error)
{
	const char *units = raw->units_per_day;

	rule->tokens[0].token = raw->contract;
	rule->n_tokens = 1;
	if (u256_parse(units, strlen(units), &rule->tokens[0].units_per_day) == 0)
		return 0;
	field_error_set(error, "kinds.propose.units_per_day",
			"must be an integer below 2^256 without leading zeros");
	return FIELD_E_INVALID;
}

static int take_rule(const struct raw_rule *raw, const char *kind, struct signer_rule *rule,
		     struct field_error *error)
{
	const struct raw_token *tokens = raw->tokens.items;
	int r = 0;

	*rule = (struct signer_rule){ .contract = raw->contract,
				      .max_gas = raw->max_gas,
				      .max_fee_wei = raw->max_fee_wei,
				      .calls_per_day = raw->calls_per_day };
	for (size_t i = 0; r == 0 && i < raw->tokens.n; i++)
		r = take_token(&tokens[i], kind, rule, error);
	return r == 0 && raw->units_per_day ? take_pots(raw, rule, error) : r;
}

int signer_policy_read(const char *json, size_t len, struct arena *arena,
		       struct signer_policy *ret_policy, struct field_error *ret_error)
{
	struct signer_policy policy = { 0 };
	struct raw_policy raw = { 0 };
	bool any = false;
	int r;

	if (len > SIGNER_POLICY_MAX) {
		field_error_set(ret_error, "", "the file must be at most 65536 bytes long");
		return FIELD_E_SYNTAX;
	}
	r = field_decode(json, len, policy_fields, arena, &raw, ret_error);
	policy.chain_id = (uint64_t)raw.chain_id;
	for (enum signer_kind kind = 0; r == 0 && kind < SIGNER_KINDS_N; kind++) {
		r = take_rule(&raw.kinds[kind], signer_kind_name(kind), &policy.rules[kind],
			      ret_error);
		any = any || policy.rules[kind].calls_per_day > 0;
	}
	if (r == 0 && !any) {
		field_error_set(ret_error, "kinds", "must name what is signed");
		return FIELD_E_INVALID;
	}
	if (r == 0)
		*ret_policy = policy;
	return r;
}

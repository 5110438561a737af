#include "chain_contracts.h"

#include "base/encode.h"
#include "chain/contract_event.h"
#include "chain/contracts.h"
#include "chain_values.h"

enum { ADDRESS, BYTES32, NUMBER, TRUTH, U256 };

#define AT(member) offsetof(struct contract_event, member)

/* Each argument of each event, by the contract's names. */
static const struct argument {
	enum contract_event_kind kind;
	const char *event, *name;
	int type;
	size_t offset;
} arguments[] = {
	{ EVENT_ANCHORED, "Anchored", "publisher", ADDRESS, AT(anchored.publisher) },
	{ EVENT_ANCHORED, "Anchored", "sequence", NUMBER, AT(anchored.sequence) },
	{ EVENT_ANCHORED, "Anchored", "kind", NUMBER, AT(anchored.kind) },
	{ EVENT_ANCHORED, "Anchored", "root", BYTES32, AT(anchored.root) },
	{ EVENT_ANCHORED, "Anchored", "leaves", NUMBER, AT(anchored.leaves) },
	{ EVENT_ANCHORED, "Anchored", "content", BYTES32, AT(anchored.content) },
	{ EVENT_ANCHORED, "Anchored", "head", BYTES32, AT(anchored.head) },
	{ EVENT_OWED, "Owed", "token", ADDRESS, AT(owed.token) },
	{ EVENT_OWED, "Owed", "account", ADDRESS, AT(owed.account) },
	{ EVENT_OWED, "Owed", "amount", U256, AT(owed.amount) },
	{ EVENT_WITHDRAWN, "Withdrawn", "token", ADDRESS, AT(withdrawn.token) },
	{ EVENT_WITHDRAWN, "Withdrawn", "account", ADDRESS, AT(withdrawn.account) },
	{ EVENT_WITHDRAWN, "Withdrawn", "to", ADDRESS, AT(withdrawn.to) },
	{ EVENT_WITHDRAWN, "Withdrawn", "amount", U256, AT(withdrawn.amount) },
	{ EVENT_TERMS_CHANGED, "TermsChanged", "token", ADDRESS, AT(terms_changed.token) },
	{ EVENT_TERMS_CHANGED, "TermsChanged", "accepted", TRUTH, AT(terms_changed.accepted) },
	{ EVENT_TERMS_CHANGED, "TermsChanged", "dailyLimit", U256, AT(terms_changed.daily_limit) },
	{ EVENT_DEPOSITED, "Deposited", "token", ADDRESS, AT(deposited.token) },
	{ EVENT_DEPOSITED, "Deposited", "tenant", ADDRESS, AT(deposited.tenant) },
	{ EVENT_DEPOSITED, "Deposited", "payer", ADDRESS, AT(deposited.payer) },
	{ EVENT_DEPOSITED, "Deposited", "amount", U256, AT(deposited.amount) },
	{ EVENT_DEPOSITED, "Deposited", "total", U256, AT(deposited.total) },
	{ EVENT_CHARGED, "Charged", "token", ADDRESS, AT(charged.token) },
	{ EVENT_CHARGED, "Charged", "tenant", ADDRESS, AT(charged.tenant) },
	{ EVENT_CHARGED, "Charged", "provider", ADDRESS, AT(charged.provider) },
	{ EVENT_CHARGED, "Charged", "amount", U256, AT(charged.amount) },
	{ EVENT_CHARGED, "Charged", "fee", U256, AT(charged.fee) },
	{ EVENT_CHARGED, "Charged", "total", U256, AT(charged.total) },
	{ EVENT_UNPAID, "Unpaid", "token", ADDRESS, AT(unpaid.token) },
	{ EVENT_UNPAID, "Unpaid", "tenant", ADDRESS, AT(unpaid.tenant) },
	{ EVENT_UNPAID, "Unpaid", "provider", ADDRESS, AT(unpaid.provider) },
	{ EVENT_UNPAID, "Unpaid", "amount", U256, AT(unpaid.amount) },
	{ EVENT_RETURNED, "Returned", "token", ADDRESS, AT(returned.token) },
	{ EVENT_RETURNED, "Returned", "tenant", ADDRESS, AT(returned.tenant) },
	{ EVENT_RETURNED, "Returned", "amount", U256, AT(returned.amount) },
	{ EVENT_RETURNED, "Returned", "total", U256, AT(returned.total) },
	{ EVENT_EXIT_REQUESTED, "ExitRequested", "token", ADDRESS, AT(exit_requested.token) },
	{ EVENT_EXIT_REQUESTED, "ExitRequested", "tenant", ADDRESS, AT(exit_requested.tenant) },
	{ EVENT_EXIT_REQUESTED, "ExitRequested", "at", NUMBER, AT(exit_requested.at_s) },
	{ EVENT_EXIT_CANCELLED, "ExitCancelled", "token", ADDRESS, AT(exit_cancelled.token) },
	{ EVENT_EXIT_CANCELLED, "ExitCancelled", "tenant", ADDRESS, AT(exit_cancelled.tenant) },
	{ EVENT_EXITED, "Exited", "token", ADDRESS, AT(exited.token) },
	{ EVENT_EXITED, "Exited", "tenant", ADDRESS, AT(exited.tenant) },
	{ EVENT_EXITED, "Exited", "amount", U256, AT(exited.amount) },
	{ EVENT_REGISTERED, "Registered", "machine", ADDRESS, AT(registered.machine) },
	{ EVENT_REGISTERED, "Registered", "owner", ADDRESS, AT(registered.owner) },
	{ EVENT_REGISTERED, "Registered", "kind", NUMBER, AT(registered.kind) },
	{ EVENT_REGISTERED, "Registered", "specification", BYTES32, AT(registered.specification) },
	{ EVENT_REGISTERED, "Registered", "fee", U256, AT(registered.fee) },
	{ EVENT_SPECIFICATION_CHANGED, "SpecificationChanged", "machine", ADDRESS,
	  AT(specification_changed.machine) },
	{ EVENT_SPECIFICATION_CHANGED, "SpecificationChanged", "specification", BYTES32,
	  AT(specification_changed.specification) },
	{ EVENT_DEREGISTERED, "Deregistered", "machine", ADDRESS, AT(deregistered.machine) },
	{ EVENT_DEREGISTERED, "Deregistered", "owner", ADDRESS, AT(deregistered.owner) },
	{ EVENT_DEREGISTERED, "Deregistered", "kind", NUMBER, AT(deregistered.kind) },
	{ EVENT_MINTED, "Minted", "id", U256, AT(minted.id) },
	{ EVENT_MINTED, "Minted", "to", ADDRESS, AT(minted.to) },
	{ EVENT_MINTED, "Minted", "mintId", BYTES32, AT(minted.mint_id) },
	{ EVENT_MINTED, "Minted", "unlockedAt", U256, AT(minted.unlocked_at_s) },
	{ EVENT_TRANSFERRED, "Transfer", "from", ADDRESS, AT(transferred.from) },
	{ EVENT_TRANSFERRED, "Transfer", "to", ADDRESS, AT(transferred.to) },
	{ EVENT_TRANSFERRED, "Transfer", "id", U256, AT(transferred.id) },
	{ EVENT_PROPOSED, "Proposed", "id", U256, AT(proposed.id) },
	{ EVENT_PROPOSED, "Proposed", "owner", ADDRESS, AT(proposed.owner) },
	{ EVENT_PROPOSED, "Proposed", "machine", ADDRESS, AT(proposed.machine) },
	{ EVENT_ACCEPTED, "Accepted", "id", U256, AT(accepted.id) },
	{ EVENT_ACCEPTED, "Accepted", "machine", ADDRESS, AT(accepted.machine) },
	{ EVENT_ACCEPTED, "Accepted", "operator", ADDRESS, AT(accepted.operator_) },
	{ EVENT_REFUSED, "Refused", "id", U256, AT(refused.id) },
	{ EVENT_REFUSED, "Refused", "machine", ADDRESS, AT(refused.machine) },
	{ EVENT_REFUSED, "Refused", "operator", ADDRESS, AT(refused.operator_) },
	{ EVENT_UNDELEGATED, "Undelegated", "id", U256, AT(undelegated.id) },
	{ EVENT_UNDELEGATED, "Undelegated", "machine", ADDRESS, AT(undelegated.machine) },
	{ EVENT_UNDELEGATED, "Undelegated", "accepted", TRUTH, AT(undelegated.accepted) },
	{ EVENT_PURCHASED, "Purchased", "buyer", ADDRESS, AT(purchased.buyer) },
	{ EVENT_PURCHASED, "Purchased", "round", U256, AT(purchased.round) },
	{ EVENT_PURCHASED, "Purchased", "referrer", ADDRESS, AT(purchased.referrer) },
	{ EVENT_PURCHASED, "Purchased", "key", BYTES32, AT(purchased.key) },
	{ EVENT_PURCHASED, "Purchased", "token", ADDRESS, AT(purchased.token) },
	{ EVENT_PURCHASED, "Purchased", "quantity", NUMBER, AT(purchased.quantity) },
	{ EVENT_PURCHASED, "Purchased", "price", U256, AT(purchased.price) },
	{ EVENT_PURCHASED, "Purchased", "commission", U256, AT(purchased.commission) },
	{ EVENT_FUNDED, "Funded", "kind", NUMBER, AT(funded.kind) },
	{ EVENT_FUNDED, "Funded", "from", ADDRESS, AT(funded.account) },
	{ EVENT_FUNDED, "Funded", "amount", U256, AT(funded.amount) },
	{ EVENT_DEFUNDED, "Defunded", "kind", NUMBER, AT(defunded.kind) },
	{ EVENT_DEFUNDED, "Defunded", "to", ADDRESS, AT(defunded.account) },
	{ EVENT_DEFUNDED, "Defunded", "amount", U256, AT(defunded.amount) },
	{ EVENT_ROOT_PROPOSED, "RootProposed", "kind", NUMBER, AT(root_proposed.kind) },
	{ EVENT_ROOT_PROPOSED, "RootProposed", "epoch", NUMBER, AT(root_proposed.epoch) },
	{ EVENT_ROOT_PROPOSED, "RootProposed", "root", BYTES32, AT(root_proposed.root) },
	{ EVENT_ROOT_PROPOSED, "RootProposed", "total", U256, AT(root_proposed.total) },
	{ EVENT_ROOT_PROPOSED, "RootProposed", "effectiveAt", NUMBER,
	  AT(root_proposed.effective_at_s) },
	{ EVENT_ROOT_WITHDRAWN, "RootWithdrawn", "kind", NUMBER, AT(root_withdrawn.kind) },
	{ EVENT_ROOT_WITHDRAWN, "RootWithdrawn", "epoch", NUMBER, AT(root_withdrawn.epoch) },
	{ EVENT_ROOT_WITHDRAWN, "RootWithdrawn", "root", BYTES32, AT(root_withdrawn.root) },
	{ EVENT_ROOT_ACTIVE, "RootActive", "kind", NUMBER, AT(root_active.kind) },
	{ EVENT_ROOT_ACTIVE, "RootActive", "epoch", NUMBER, AT(root_active.epoch) },
	{ EVENT_ROOT_ACTIVE, "RootActive", "root", BYTES32, AT(root_active.root) },
	{ EVENT_CLAIMED, "Claimed", "kind", NUMBER, AT(claimed.kind) },
	{ EVENT_CLAIMED, "Claimed", "account", ADDRESS, AT(claimed.account) },
	{ EVENT_CLAIMED, "Claimed", "amount", U256, AT(claimed.amount) },
	{ EVENT_CLAIMED, "Claimed", "cumulative", U256, AT(claimed.cumulative) },
};

static json_t *number_json(struct u256 number)
{
	char text[U256_TEXT_SIZE];
	size_t len = u256_text(number, text);

	return json_stringn(text, len);
}

static json_t *argument_json(const struct argument *argument, const struct contract_event *event)
{
	const void *at = (const char *)event + argument->offset;
	struct u256 number;
	uint64_t small;

	switch (argument->type) {
	case ADDRESS:
		return encode_address(at);
	case BYTES32:
		return json_data(at, 32);
	case TRUTH:
		return json_boolean(*(const bool *)at);
	case NUMBER:
		memcpy(&small, at, sizeof(small));
		return number_json(u256_from(small));
	default:
		memcpy(&number, at, sizeof(number));
		return number_json(number);
	}
}

static json_t *event_json(const struct contract_event *event)
{
	json_t *json = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++)
		if (arguments[i].kind == event->kind)
			json_object_set_new(json, arguments[i].name,
					    argument_json(&arguments[i], event));
	return json;
}

json_t *do_contract_event(const json_t *question, struct arena *arena)
{
	const char *name = json_string_value(json_object_get(question, "event"));
	const json_t *topics = json_object_get(question, "topics");
	struct contract_event event;
	const uint8_t *data, *topic;
	uint8_t words[4][32];
	size_t len, topic_len, n = json_array_size(topics), i = 0;
	int r = data_from_json(json_object_get(question, "data"), arena, &data, &len);

	while (name && i < ARRAY_SIZE(arguments) && strcmp(arguments[i].event, name) != 0)
		i++;
	if (!name || i == ARRAY_SIZE(arguments) || r != 0 || n > 4)
		return json_pack("{s:s}", "refused", "no such event");
	for (size_t k = 0; k < n; k++) {
		if (data_from_json(json_array_get(topics, k), arena, &topic, &topic_len) != 0 ||
		    topic_len != 32)
			return json_pack("{s:s}", "refused", "a topic has 32 bytes");
		memcpy(words[k], topic, 32);
	}
	r = contract_event_read(arguments[i].kind, (const uint8_t(*)[32])words, n, data, len,
				&event);
	return r != 0 ? json_pack("{s:s}", "refused",
				  r == CONTRACT_EVENT_E_OTHER ? "other" : "malformed")
		      : json_pack("{s:o}", "args", event_json(&event));
}

/* ---- calls ---- */

/* The arguments by their type's text. */
static int values(const json_t *question, const char *type_text, struct arena *arena,
		  const struct abi_value **ret_values)
{
	const struct abi_type *type;
	struct abi_value value;
	int r = abi_type_parse(type_text, strlen(type_text), arena, &type);

	if (r == 0)
		r = value_from_json(type, json_object_get(question, "args"), arena, &value);
	if (r == 0)
		*ret_values = value.items;
	return r;
}

static uint64_t small(const struct abi_value *value)
{
	return abi_as_number(value).limbs[0];
}

static struct anchor_root root_of(const struct abi_value *v)
{
	struct anchor_root root = { .sequence = small(&v[0]),
				    .kind = (enum anchor_kind)small(&v[1]),
				    .leaves = (uint32_t)small(&v[3]) };

	memcpy(root.root, v[2].word, 32);
	memcpy(root.content, v[4].word, 32);
	return root;
}

static int call_of_anchor(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	const struct anchor_root root = root_of(v);

	return call_anchor(&root, arena, ret);
}

static int call_of_latest(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	const struct address publisher = abi_as_address(&v[0]);

	return call_latest(&publisher, arena, ret);
}

static int call_of_settle(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	struct settlement *items = arena_array(arena, v[1].n_items + 1, sizeof(*items));
	const struct address token = abi_as_address(&v[0]);

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < v[1].n_items; i++) {
		const struct abi_value *item = v[1].items[i].items;

		items[i] = (struct settlement){ abi_as_address(&item[0]), abi_as_address(&item[1]),
						abi_as_number(&item[2]), abi_as_number(&item[3]) };
	}
	return call_settle(&token, items, v[1].n_items, arena, ret);
}

static int call_of_give_back(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	const struct address token = abi_as_address(&v[0]), tenant = abi_as_address(&v[1]);

	return call_give_back(&token, &tenant, abi_as_number(&v[2]), arena, ret);
}

static int call_of_propose(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	return call_propose((enum reward_kind)small(&v[0]), small(&v[1]), v[2].word,
			    abi_as_number(&v[3]), arena, ret);
}

static int call_of_activate(const struct abi_value *v, struct arena *arena, struct call_data *ret)
{
	return call_activate((enum reward_kind)small(&v[0]), arena, ret);
}

json_t *do_contract_call(const json_t *question, struct arena *arena)
{
	static const struct {
		const char *name, *type;
		int (*make)(const struct abi_value *v, struct arena *arena, struct call_data *ret);
	} calls[] = {
		{ "anchor", "(uint64,uint8,bytes32,uint32,bytes32)", call_of_anchor },
		{ "latest", "(address)", call_of_latest },
		{ "settle", "(address,(address,address,uint256,uint256)[])", call_of_settle },
		{ "giveBack", "(address,address,uint256)", call_of_give_back },
		{ "propose", "(uint8,uint64,bytes32,uint256)", call_of_propose },
		{ "activate", "(uint8)", call_of_activate },
	};
	const char *name = json_string_value(json_object_get(question, "function"));
	const struct abi_value *v;
	struct call_data data;
	size_t i = 0;

	while (name && i < ARRAY_SIZE(calls) && strcmp(calls[i].name, name) != 0)
		i++;
	if (!name || i == ARRAY_SIZE(calls) || values(question, calls[i].type, arena, &v) != 0 ||
	    calls[i].make(v, arena, &data) != 0)
		return json_pack("{s:s}", "refused", "no such call");
	return json_pack("{s:o}", "bytes", json_data(data.bytes, data.len));
}

/* Anchor.next. */
json_t *do_anchor_head(const json_t *question, struct arena *arena)
{
	const struct abi_value *v;
	struct anchor_root root;
	uint8_t head[32];

	if (values(question, "(uint64,uint8,bytes32,uint32,bytes32,bytes32)", arena, &v) != 0)
		return json_pack("{s:s}", "refused", "malformed");
	root = root_of(v);
	anchor_head_next(v[5].word, &root, head);
	return json_pack("{s:o}", "head", json_data(head, sizeof(head)));
}

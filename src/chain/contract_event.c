#include "chain/contract_event.h"

#include "chain/abi.h"
#include "chain/contracts.h"

enum word {
	WORD_END,
	WORD_ADDRESS,
	WORD_BOOL,
	WORD_BYTES32,
	WORD_KIND,
	WORD_U32,
	WORD_U64,
	WORD_U256
};

static const char *const word_types[] = {
	[WORD_ADDRESS] = "address", [WORD_BOOL] = "bool",  [WORD_BYTES32] = "bytes32",
	[WORD_KIND] = "uint8",      [WORD_U32] = "uint32", [WORD_U64] = "uint64",
	[WORD_U256] = "uint256",
};

enum { FIELDS_MAX = 8, SIGNATURE_MAX = 128 };

/* An event's arguments in the contract's order, and where each goes. */
struct shape {
	const char *name;
	struct shape_field {
		enum word word;
		bool indexed;
		size_t offset;
		uint64_t below; /* of a kind */
	} fields[FIELDS_MAX + 1];
};

#define AT(member) offsetof(struct contract_event, member)

static const struct shape shapes[CONTRACT_EVENTS_N] = {
	[EVENT_ANCHORED] = { "Anchored",
			     {
				     { WORD_ADDRESS, true, AT(anchored.publisher) },
				     { WORD_U64, true, AT(anchored.sequence) },
				     { WORD_KIND, true, AT(anchored.kind),
				       .below = ANCHOR_KINDS_N },
				     { WORD_BYTES32, false, AT(anchored.root) },
				     { WORD_U32, false, AT(anchored.leaves) },
				     { WORD_BYTES32, false, AT(anchored.content) },
				     { WORD_BYTES32, false, AT(anchored.head) },
			     } },
	[EVENT_OWED] = { "Owed",
			 {
				 { WORD_ADDRESS, true, AT(owed.token) },
				 { WORD_ADDRESS, true, AT(owed.account) },
				 { WORD_U256, false, AT(owed.amount) },
			 } },
	[EVENT_WITHDRAWN] = { "Withdrawn",
			      {
				      { WORD_ADDRESS, true, AT(withdrawn.token) },
				      { WORD_ADDRESS, true, AT(withdrawn.account) },
				      { WORD_ADDRESS, false, AT(withdrawn.to) },
				      { WORD_U256, false, AT(withdrawn.amount) },
			      } },
	[EVENT_TERMS_CHANGED] = { "TermsChanged",
				  {
					  { WORD_ADDRESS, true, AT(terms_changed.token) },
					  { WORD_BOOL, false, AT(terms_changed.accepted) },
					  { WORD_U256, false, AT(terms_changed.daily_limit) },
				  } },
	[EVENT_DEPOSITED] = { "Deposited",
			      {
				      { WORD_ADDRESS, true, AT(deposited.token) },
				      { WORD_ADDRESS, true, AT(deposited.tenant) },
				      { WORD_ADDRESS, true, AT(deposited.payer) },
				      { WORD_U256, false, AT(deposited.amount) },
				      { WORD_U256, false, AT(deposited.total) },
			      } },
	[EVENT_CHARGED] = { "Charged",
			    {
				    { WORD_ADDRESS, true, AT(charged.token) },
				    { WORD_ADDRESS, true, AT(charged.tenant) },
				    { WORD_ADDRESS, true, AT(charged.provider) },
				    { WORD_U256, false, AT(charged.amount) },
				    { WORD_U256, false, AT(charged.fee) },
				    { WORD_U256, false, AT(charged.total) },
			    } },
	[EVENT_UNPAID] = { "Unpaid",
			   {
				   { WORD_ADDRESS, true, AT(unpaid.token) },
				   { WORD_ADDRESS, true, AT(unpaid.tenant) },
				   { WORD_ADDRESS, true, AT(unpaid.provider) },
				   { WORD_U256, false, AT(unpaid.amount) },
			   } },
	[EVENT_RETURNED] = { "Returned",
			     {
				     { WORD_ADDRESS, true, AT(returned.token) },
				     { WORD_ADDRESS, true, AT(returned.tenant) },
				     { WORD_U256, false, AT(returned.amount) },
				     { WORD_U256, false, AT(returned.total) },
			     } },
	[EVENT_EXIT_REQUESTED] = { "ExitRequested",
				   {
					   { WORD_ADDRESS, true, AT(exit_requested.token) },
					   { WORD_ADDRESS, true, AT(exit_requested.tenant) },
					   { WORD_U64, false, AT(exit_requested.at_s) },
				   } },
	[EVENT_EXIT_CANCELLED] = { "ExitCancelled",
				   {
					   { WORD_ADDRESS, true, AT(exit_cancelled.token) },
					   { WORD_ADDRESS, true, AT(exit_cancelled.tenant) },
				   } },
	[EVENT_EXITED] = { "Exited",
			   {
				   { WORD_ADDRESS, true, AT(exited.token) },
				   { WORD_ADDRESS, true, AT(exited.tenant) },
				   { WORD_U256, false, AT(exited.amount) },
			   } },
	[EVENT_REGISTERED] = { "Registered",
			       {
				       { WORD_ADDRESS, true, AT(registered.machine) },
				       { WORD_ADDRESS, true, AT(registered.owner) },
				       { WORD_KIND, true, AT(registered.kind),
					 .below = MACHINE_KINDS_N },
				       { WORD_BYTES32, false, AT(registered.specification) },
				       { WORD_U256, false, AT(registered.fee) },
			       } },
	[EVENT_SPECIFICATION_CHANGED] = { "SpecificationChanged",
					  {
						  { WORD_ADDRESS, true,
						    AT(specification_changed.machine) },
						  { WORD_BYTES32, false,
						    AT(specification_changed.specification) },
					  } },
	[EVENT_DEREGISTERED] = { "Deregistered",
				 {
					 { WORD_ADDRESS, true, AT(deregistered.machine) },
					 { WORD_ADDRESS, true, AT(deregistered.owner) },
					 { WORD_KIND, true, AT(deregistered.kind),
					   .below = MACHINE_KINDS_N },
				 } },
	[EVENT_MINTED] = { "Minted",
			   {
				   { WORD_U256, true, AT(minted.id) },
				   { WORD_ADDRESS, true, AT(minted.to) },
				   { WORD_BYTES32, true, AT(minted.mint_id) },
				   { WORD_U256, false, AT(minted.unlocked_at_s) },
			   } },
	[EVENT_TRANSFERRED] = { "Transfer",
				{
					{ WORD_ADDRESS, true, AT(transferred.from) },
					{ WORD_ADDRESS, true, AT(transferred.to) },
					{ WORD_U256, true, AT(transferred.id) },
				} },
	[EVENT_PROPOSED] = { "Proposed",
			     {
				     { WORD_U256, true, AT(proposed.id) },
				     { WORD_ADDRESS, true, AT(proposed.owner) },
				     { WORD_ADDRESS, true, AT(proposed.machine) },
			     } },
	[EVENT_ACCEPTED] = { "Accepted",
			     {
				     { WORD_U256, true, AT(accepted.id) },
				     { WORD_ADDRESS, true, AT(accepted.machine) },
				     { WORD_ADDRESS, true, AT(accepted.operator_) },
			     } },
	[EVENT_REFUSED] = { "Refused",
			    {
				    { WORD_U256, true, AT(refused.id) },
				    { WORD_ADDRESS, true, AT(refused.machine) },
				    { WORD_ADDRESS, true, AT(refused.operator_) },
			    } },
	[EVENT_UNDELEGATED] = { "Undelegated",
				{
					{ WORD_U256, true, AT(undelegated.id) },
					{ WORD_ADDRESS, true, AT(undelegated.machine) },
					{ WORD_BOOL, false, AT(undelegated.accepted) },
				} },
	[EVENT_PURCHASED] = { "Purchased",
			      {
				      { WORD_ADDRESS, true, AT(purchased.buyer) },
				      { WORD_U256, true, AT(purchased.round) },
				      { WORD_ADDRESS, true, AT(purchased.referrer) },
				      { WORD_BYTES32, false, AT(purchased.key) },
				      { WORD_ADDRESS, false, AT(purchased.token) },
				      { WORD_U32, false, AT(purchased.quantity) },
				      { WORD_U256, false, AT(purchased.price) },
				      { WORD_U256, false, AT(purchased.commission) },
			      } },
	[EVENT_FUNDED] = { "Funded",
			   {
				   { WORD_KIND, true, AT(funded.kind), .below = REWARD_KINDS_N },
				   { WORD_ADDRESS, true, AT(funded.account) },
				   { WORD_U256, false, AT(funded.amount) },
			   } },
	[EVENT_DEFUNDED] = { "Defunded",
			     {
				     { WORD_KIND, true, AT(defunded.kind),
				       .below = REWARD_KINDS_N },
				     { WORD_ADDRESS, true, AT(defunded.account) },
				     { WORD_U256, false, AT(defunded.amount) },
			     } },
	[EVENT_ROOT_PROPOSED] = { "RootProposed",
				  {
					  { WORD_KIND, true, AT(root_proposed.kind),
					    .below = REWARD_KINDS_N },
					  { WORD_U64, true, AT(root_proposed.epoch) },
					  { WORD_BYTES32, false, AT(root_proposed.root) },
					  { WORD_U256, false, AT(root_proposed.total) },
					  { WORD_U64, false, AT(root_proposed.effective_at_s) },
				  } },
	[EVENT_ROOT_WITHDRAWN] = { "RootWithdrawn",
				   {
					   { WORD_KIND, true, AT(root_withdrawn.kind),
					     .below = REWARD_KINDS_N },
					   { WORD_U64, true, AT(root_withdrawn.epoch) },
					   { WORD_BYTES32, false, AT(root_withdrawn.root) },
				   } },
	[EVENT_ROOT_ACTIVE] = { "RootActive",
				{
					{ WORD_KIND, true, AT(root_active.kind),
					  .below = REWARD_KINDS_N },
					{ WORD_U64, true, AT(root_active.epoch) },
					{ WORD_BYTES32, false, AT(root_active.root) },
				} },
	[EVENT_CLAIMED] = { "Claimed",
			    {
				    { WORD_KIND, true, AT(claimed.kind), .below = REWARD_KINDS_N },
				    { WORD_ADDRESS, true, AT(claimed.account) },
				    { WORD_U256, false, AT(claimed.amount) },
				    { WORD_U256, false, AT(claimed.cumulative) },
			    } },
};

void contract_event_topic(enum contract_event_kind kind, uint8_t ret_topic[static 32])
{
	const struct shape *shape = &shapes[kind];
	char text[SIGNATURE_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s(", shape->name);

	for (const struct shape_field *field = shape->fields; field->word; field++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
					field == shape->fields ? "" : ",", word_types[field->word]);
	snprintf(text + len, sizeof(text) - len, ")");
	abi_topic(text, ret_topic);
}

static bool read_number(const uint8_t word[static 32], uint64_t below, void *ret_number)
{
	struct u256 number = u256_from_bytes(word);

	if (u256_bits(number) > 64 || (below != 0 && number.limbs[0] >= below))
		return false;
	memcpy(ret_number, &number.limbs[0], sizeof(number.limbs[0]));
	return true;
}

static bool read_word(const struct shape_field *field, const uint8_t word[static 32], void *ret)
{
	static const uint8_t zeros[12];
	struct u256 number;
	uint64_t truth;

	switch (field->word) {
	case WORD_ADDRESS:
		memcpy(ret, word + 12, 20);
		return memcmp(word, zeros, 12) == 0;
	case WORD_BOOL:
		if (!read_number(word, 2, &truth))
			return false;
		*(bool *)ret = truth == 1;
		return true;
	case WORD_BYTES32:
		memcpy(ret, word, 32);
		return true;
	case WORD_U256:
		number = u256_from_bytes(word);
		memcpy(ret, &number, sizeof(number));
		return true;
	case WORD_U32:
		return read_number(word, UINT64_C(1) << 32, ret);
	case WORD_KIND:
	case WORD_U64:
		return read_number(word, field->below, ret);
	case WORD_END:
		break;
	}
	return false;
}

int contract_event_read(enum contract_event_kind kind, const uint8_t (*topics)[32], size_t n_topics,
			const uint8_t *data, size_t len, struct contract_event *ret_event)
{
	struct contract_event event = { .kind = kind };
	size_t topic = 1, at = 0;
	uint8_t expected[32];

	contract_event_topic(kind, expected);
	if (n_topics == 0 || memcmp(topics[0], expected, 32) != 0)
		return CONTRACT_EVENT_E_OTHER;
	for (const struct shape_field *field = shapes[kind].fields; field->word; field++) {
		const uint8_t *word;

		if (field->indexed ? topic == n_topics : len - at < 32)
			return CONTRACT_EVENT_E_MALFORMED;
		word = field->indexed ? topics[topic++] : data + at;
		at += field->indexed ? 0 : 32;
		if (!read_word(field, word, (char *)&event + field->offset))
			return CONTRACT_EVENT_E_MALFORMED;
	}
	if (topic != n_topics || at != len)
		return CONTRACT_EVENT_E_MALFORMED;
	*ret_event = event;
	return 0;
}

#include "chain/transact.h"

#include <stdarg.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "chain/coins.h"
#include "chain/contract_error.h"
#include "chain/hex.h"

enum { COIN_DECIMALS = 18, AGAIN_MS = 10000, GAS_MAX = 30000000 };

_printf_(2, 3) static void say(char ret_problem[static TRANSACT_PROBLEM_SIZE], const char *format,
			       ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(ret_problem, TRANSACT_PROBLEM_SIZE, format, args);
	va_end(args);
}

static void hash_text(const uint8_t hash[static 32], char ret_text[static 67])
{
	ret_text[0] = '0';
	ret_text[1] = 'x';
	hex_encode(hash, 32, ret_text + 2);
}

static void pause_ms(int64_t ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

/* ---- questions ---- */

static int unavailable(const struct transact *transact, char *ret_problem)
{
	struct rpc_endpoint endpoint = { .url = "" };

	for (size_t i = 0; i < rpc_endpoints(transact->rpc) && !endpoint.problem[0]; i++)
		rpc_endpoint(transact->rpc, i, &endpoint);
	say(ret_problem, "the chain does not answer at %s: %s", endpoint.url,
	    endpoint.problem[0] ? endpoint.problem : "its answer makes no sense");
	return TRANSACT_E_UNAVAILABLE;
}

/* Beside the outcomes, inside: a node said no; a transaction is in no block yet. */
enum { ASK_REFUSED = 63, RECEIPT_NONE };

/* Takes @params over; NULL is -ENOMEM. A refusal is ASK_REFUSED with @ret_error. */
static int ask(const struct transact *transact, const char *method, json_t *params,
	       json_t **ret_answer, struct rpc_error *ret_error, char *ret_problem)
{
	int r = params ? rpc_ask(transact->rpc, method, params, ret_answer, ret_error) : -ENOMEM;

	json_decref(params);
	if (r == RPC_E_REFUSED)
		return ASK_REFUSED;
	return r > 0 ? unavailable(transact, ret_problem) : r;
}

/* The same for what no node refuses; any answer that is none is like none. */
static int ask_plain(const struct transact *transact, const char *method, json_t *params,
		     json_t **ret_answer, char *ret_problem)
{
	struct rpc_error error;
	int r = ask(transact, method, params, ret_answer, &error, ret_problem);

	if (r != ASK_REFUSED)
		return r;
	say(ret_problem, "the chain refuses %s: %s; ask another endpoint", method, error.message);
	return TRANSACT_E_UNAVAILABLE;
}

static json_t *own_address(const struct transact *transact)
{
	return rpc_of_bytes(transact->account.bytes, 20);
}

static int quantity(const json_t *answer, struct u256 *ret_value)
{
	const char *text = json_string_value(answer);

	return text ? hex_quantity_parse(text, strlen(text), ret_value) : -EINVAL;
}

/* A number of the account: its balance, or a count. */
static int ask_own(const struct transact *transact, const char *method, const char *block,
		   struct u256 *ret_value, char *ret_problem)
{
	json_t *answer = NULL;
	int r = ask_plain(transact, method, json_pack("[o, s]", own_address(transact), block),
			  &answer, ret_problem);

	if (r == 0 && quantity(answer, ret_value) < 0)
		r = unavailable(transact, ret_problem);
	json_decref(answer);
	return r;
}

static int ask_count(const struct transact *transact, const char *block, uint64_t *ret_count,
		     char *ret_problem)
{
	struct u256 count;
	int r = ask_own(transact, "eth_getTransactionCount", block, &count, ret_problem);

	if (r == 0)
		*ret_count = u256_bits(count) > 63 ? INT64_MAX : (uint64_t)u256_low(count);
	return r;
}

static json_t *call_json(const struct transact *transact, const struct transact_call *call)
{
	char value[HEX_QUANTITY_SIZE];

	hex_quantity(call->value, value);
	return json_pack("{s:o, s:o, s:s, s:o}", "from", own_address(transact), "to",
			 rpc_of_bytes(call->to.bytes, 20), "value", value, "data",
			 rpc_of_bytes(call->data, call->len));
}

static int refused(const struct transact *transact, const struct rpc_error *error,
		   char *ret_problem)
{
	const char *words = contract_error_words(error->message);
	char own[ADDRESS_TEXT_SIZE];

	address_text(&transact->account, own);
	if (words) {
		say(ret_problem, "the contract refuses it: %s", words);
		return TRANSACT_E_REFUSED;
	}
	switch (rpc_error_kind(error)) {
	case RPC_ERROR_FUNDS:
		say(ret_problem, "%s has too little coin for this; send it some", own);
		return TRANSACT_E_FUNDS;
	case RPC_ERROR_REVERTED:
		say(ret_problem, "the contract refuses it: %s", error->message);
		return TRANSACT_E_REFUSED;
	default:
		say(ret_problem, "the chain does not take it: %s", error->message);
		return TRANSACT_E_REFUSED;
	}
}

int transact_read(const struct transact *transact, const struct transact_call *call,
		  struct arena *arena, const uint8_t **ret_bytes, size_t *ret_len,
		  char ret_problem[static TRANSACT_PROBLEM_SIZE])
{
	uint8_t *bytes = arena_alloc(arena, TRANSACT_ANSWER_MAX);
	struct rpc_error error;
	json_t *answer = NULL;
	int r;

	if (!bytes)
		return -ENOMEM;
	r = ask(transact, "eth_call", json_pack("[o, s]", call_json(transact, call), "latest"),
		&answer, &error, ret_problem);
	if (r == ASK_REFUSED)
		return refused(transact, &error, ret_problem);
	if (r == 0 && rpc_data(answer, TRANSACT_ANSWER_MAX, bytes, ret_len) < 0)
		r = unavailable(transact, ret_problem);
	json_decref(answer);
	if (r == 0)
		*ret_bytes = bytes;
	return r;
}

int transact_coin(const struct transact *transact, struct u256 *ret_coin,
		  char ret_problem[static TRANSACT_PROBLEM_SIZE])
{
	return ask_own(transact, "eth_getBalance", "latest", ret_coin, ret_problem);
}

int transact_settled(const struct transact *transact,
		     char ret_problem[static TRANSACT_PROBLEM_SIZE])
{
	const int64_t until_ms = clock_mono_ms(transact->clock) + transact->wait_ms;
	uint64_t mined = 0, sent = 0;
	int r;

	for (;;) {
		r = ask_count(transact, "latest", &mined, ret_problem);
		if (r == 0)
			r = ask_count(transact, "pending", &sent, ret_problem);
		if (r != 0 || sent <= mined)
			return r;
		if (clock_mono_ms(transact->clock) >= until_ms)
			break;
		pause_ms(transact->poll_ms);
	}
	say(ret_problem,
	    "an earlier transaction of this wallet (nonce %" PRIu64
	    ") does not get into a block; wait, or pay more for it where it was made",
	    mined);
	return TRANSACT_E_WAITING;
}

/* ---- what it costs ---- */

bool transact_fees(struct u256 base_fee, struct u256 tip, uint64_t gas, struct u256 max_cost,
		   struct transaction *ret_transaction)
{
	struct u256 fee, cost;

	/* Wider ones overflow below, and nobody pays them. */
	if (u256_bits(base_fee) > 128 || u256_bits(tip) > 128)
		return false;
	fee = u256_add(u256_add(base_fee, base_fee), tip);
	cost = u256_mul(fee, u256_from(gas));
	ret_transaction->gas_limit = gas;
	ret_transaction->max_fee = fee;
	ret_transaction->max_priority_fee = tip;
	return u256_compare(&cost, &max_cost) <= 0;
}

static int ask_fees(const struct transact *transact, struct u256 *ret_base_fee,
		    struct u256 *ret_tip, char *ret_problem)
{
	json_t *block = NULL, *tip = NULL;
	int r = ask_plain(transact, "eth_getBlockByNumber", json_pack("[s, b]", "latest", 0),
			  &block, ret_problem);

	if (r == 0)
		r = ask_plain(transact, "eth_maxPriorityFeePerGas", json_array(), &tip,
			      ret_problem);
	if (r == 0 && (quantity(json_object_get(block, "baseFeePerGas"), ret_base_fee) < 0 ||
		       quantity(tip, ret_tip) < 0))
		r = unavailable(transact, ret_problem);
	json_decref(block);
	json_decref(tip);
	return r;
}

/* What the contract would take now, and a quarter more: what is before it may change that. */
static int ask_gas(const struct transact *transact, const struct transact_call *call,
		   uint64_t *ret_gas, char *ret_problem)
{
	struct rpc_error error;
	json_t *answer = NULL;
	uint64_t gas = 0;
	int r = ask(transact, "eth_estimateGas", json_pack("[o]", call_json(transact, call)),
		    &answer, &error, ret_problem);

	if (r == ASK_REFUSED)
		return refused(transact, &error, ret_problem);
	if (r == 0 && (rpc_quantity(answer, &gas) < 0 || gas > GAS_MAX))
		r = unavailable(transact, ret_problem);
	json_decref(answer);
	if (r == 0)
		*ret_gas = gas + gas / 4;
	return r;
}

static int check_funds(const struct transact *transact, const struct transaction *transaction,
		       char *ret_problem)
{
	char has[COINS_TEXT_SIZE], needs[COINS_TEXT_SIZE], own[ADDRESS_TEXT_SIZE];
	struct u256 balance, cost;
	int r = transact_coin(transact, &balance, ret_problem);

	if (r != 0)
		return r;
	cost = u256_mul(transaction->max_fee, u256_from(transaction->gas_limit));
	/* Not together: their sum may be too wide. */
	if (u256_compare(&balance, &transaction->value) >= 0 && u256_bits(balance) < 256) {
		cost = u256_add(cost, transaction->value);
		if (u256_compare(&balance, &cost) >= 0)
			return 0;
	}
	address_text(&transact->account, own);
	coins_text(balance, COIN_DECIMALS, has);
	coins_text(cost, COIN_DECIMALS, needs);
	say(ret_problem,
	    "%s has %s of the coin of chain %" PRIu64 ", and this may take %s; send it some", own,
	    has, transact->chain_id, needs);
	return TRANSACT_E_FUNDS;
}

static int prepare(const struct transact *transact, const struct transact_call *call,
		   struct transaction *ret_transaction, char *ret_problem)
{
	struct transaction transaction = {
		.kind = TRANSACTION_EIP1559,
		.chain_id = transact->chain_id,
		.to = call->to,
		.value = call->value,
		.data = call->data,
		.data_len = call->len,
	};
	char most[COINS_TEXT_SIZE];
	struct u256 base_fee, tip;
	uint64_t gas;
	int r = ask_gas(transact, call, &gas, ret_problem);

	if (r == 0)
		r = ask_fees(transact, &base_fee, &tip, ret_problem);
	if (r == 0)
		r = ask_count(transact, "latest", &transaction.nonce, ret_problem);
	if (r != 0)
		return r;
	if (!transact_fees(base_fee, tip, gas, transact->max_cost, &transaction)) {
		coins_text(transact->max_cost, COIN_DECIMALS, most);
		say(ret_problem,
		    "its gas may cost more than %s coin; wait, or allow more with --max-gas-cost",
		    most);
		return TRANSACT_E_COSTLY;
	}
	*ret_transaction = transaction;
	return check_funds(transact, &transaction, ret_problem);
}

/* ---- sending, and waiting ---- */

static int send_bytes(const struct transact *transact, const struct transaction_signed *ready,
		      char *ret_problem)
{
	struct rpc_error error = { 0 };
	json_t *answer = NULL;
	int r = ask(transact, "eth_sendRawTransaction",
		    json_pack("[o]", rpc_of_bytes(ready->bytes, ready->len)), &answer, &error,
		    ret_problem);

	json_decref(answer);
	if (r != ASK_REFUSED)
		return r;
	switch (rpc_error_kind(&error)) {
	case RPC_ERROR_KNOWN:
	case RPC_ERROR_NONCE_LOW: /* it, or another: the receipt tells */
	case RPC_ERROR_UNDERPRICED:
		return 0;
	default:
		return refused(transact, &error, ret_problem);
	}
}

/* RECEIPT_NONE: not in a block yet. */
static int ask_receipt(const struct transact *transact, const uint8_t hash[static 32],
		       struct transact_done *ret_done, char *ret_problem)
{
	json_t *receipt = NULL;
	uint8_t of[32];
	uint64_t status, block;
	char text[67];
	int r = ask_plain(transact, "eth_getTransactionReceipt",
			  json_pack("[o]", rpc_of_bytes(hash, 32)), &receipt, ret_problem);

	if (r == 0 && json_is_null(receipt)) {
		r = RECEIPT_NONE;
	} else if (r == 0) {
		if (rpc_bytes(json_object_get(receipt, "transactionHash"), of, 32) < 0 ||
		    memcmp(of, hash, 32) != 0 ||
		    rpc_quantity(json_object_get(receipt, "blockNumber"), &block) < 0 ||
		    rpc_quantity(json_object_get(receipt, "status"), &status) < 0)
			r = unavailable(transact, ret_problem);
	}
	json_decref(receipt);
	if (r != 0)
		return r;
	memcpy(ret_done->hash, hash, 32);
	ret_done->block = block;
	if (status == 1)
		return 0;
	hash_text(hash, text);
	say(ret_problem,
	    "the contract refused transaction %s in block %" PRIu64
	    ", where something had changed since it was asked; try again",
	    text, block);
	return TRANSACT_E_REVERTED;
}

/* Its nonce is used, and not by it: looked for once more, since both may have come to be in between. */
static int ask_replaced(const struct transact *transact, const struct transaction_signed *ready,
			uint64_t nonce, struct transact_done *ret_done, char *ret_problem)
{
	char text[67];
	uint64_t count;
	int r = ask_count(transact, "latest", &count, ret_problem);

	if (r != 0 || count <= nonce)
		return r != 0 ? r : RECEIPT_NONE;
	r = ask_receipt(transact, ready->hash, ret_done, ret_problem);
	if (r != RECEIPT_NONE)
		return r;
	hash_text(ready->hash, text);
	say(ret_problem,
	    "another transaction of this wallet took the place of %s; look at what it did, then "
	    "try again",
	    text);
	return TRANSACT_E_REPLACED;
}

static int wait_for(const struct transact *transact, const struct transaction_signed *ready,
		    uint64_t nonce, struct transact_done *ret_done, char *ret_problem)
{
	const int64_t began_ms = clock_mono_ms(transact->clock);
	int64_t now_ms = began_ms, sent_ms = began_ms;
	char text[67];
	int r = RECEIPT_NONE;

	while (now_ms - began_ms < transact->wait_ms) {
		r = ask_receipt(transact, ready->hash, ret_done, ret_problem);
		if (r == RECEIPT_NONE)
			r = ask_replaced(transact, ready, nonce, ret_done, ret_problem);
		/* It has left: that nobody answers now changes nothing about it. */
		if (r != RECEIPT_NONE && r != TRANSACT_E_UNAVAILABLE)
			return r;
		if (now_ms - sent_ms >= AGAIN_MS) {
			r = send_bytes(transact, ready, ret_problem);
			if (r < 0)
				return r;
			sent_ms = now_ms;
		}
		pause_ms(transact->poll_ms);
		now_ms = clock_mono_ms(transact->clock);
	}
	hash_text(ready->hash, text);
	say(ret_problem,
	    "transaction %s was sent, and is in no block after %" PRId64
	    " s; the same command again goes on waiting",
	    text, transact->wait_ms / 1000);
	return TRANSACT_E_WAITING;
}

/* Kept until it is known what became of it. */
static int finish(const struct transact *transact, int r)
{
	int kept;

	if (r < 0 || r == TRANSACT_E_UNAVAILABLE || r == TRANSACT_E_WAITING)
		return r;
	kept = transact->keep(transact->arg, NULL, 0);
	return kept < 0 ? kept : r;
}

static int deliver(const struct transact *transact, const struct transaction_signed *ready,
		   uint64_t nonce, struct transact_done *ret_done, char *ret_problem)
{
	int r = send_bytes(transact, ready, ret_problem);

	if (r != 0)
		return finish(transact, r);
	transact->sent(transact->arg, ready->hash);
	return finish(transact, wait_for(transact, ready, nonce, ret_done, ret_problem));
}

int transact_send(const struct transact *transact, const struct transact_call *call,
		  struct arena *arena, struct transact_done *ret_done,
		  char ret_problem[static TRANSACT_PROBLEM_SIZE])
{
	struct transaction_signed ready;
	struct transaction transaction;
	int r = prepare(transact, call, &transaction, ret_problem);

	if (r == 0)
		r = transaction_sign(&transaction, transact->key, arena, &ready);
	if (r == 0)
		r = transact->keep(transact->arg, ready.bytes, ready.len);
	if (r != 0)
		return r;
	return deliver(transact, &ready, transaction.nonce, ret_done, ret_problem);
}

int transact_resume(const struct transact *transact, const uint8_t *bytes, size_t len,
		    struct arena *arena, struct transact_done *ret_done,
		    char ret_problem[static TRANSACT_PROBLEM_SIZE])
{
	struct transaction_signed ready;
	struct transaction transaction;
	int r = transaction_decode(bytes, len, arena, &transaction, &ready, NULL);

	if (r < 0)
		return r;
	if (r > 0 || transaction.chain_id != transact->chain_id ||
	    !address_equal(&ready.sender, &transact->account))
		return -EBADMSG;
	r = ask_receipt(transact, ready.hash, ret_done, ret_problem);
	if (r != RECEIPT_NONE)
		return finish(transact, r);
	return deliver(transact, &ready, transaction.nonce, ret_done, ret_problem);
}

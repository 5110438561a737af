/* Calls that wait, and how what was signed leaves (outbox_turn.h). */
#include "chain/outbox_turn.h"

/* ---- fees ---- */

static int64_t more(int64_t suggested, int64_t before)
{
	int64_t raised = before + before / 8 + 1;

	return suggested > raised ? suggested : raised;
}

bool turn_fees(struct turn *turn, const struct variant_row *raised, int64_t *ret_max_fee,
	       int64_t *ret_priority_fee)
{
	int64_t max_fee = turn->max_fee, priority_fee = turn->priority_fee;

	if (raised) {
		max_fee = more(max_fee, raised->max_fee);
		priority_fee = more(priority_fee, raised->priority_fee);
	}
	if (max_fee < priority_fee)
		max_fee = priority_fee;
	if (max_fee > turn->config->max_fee_wei) {
		turn_problem(turn,
			     "a transaction would cost %" PRId64
			     " wei for each gas, the limit is %" PRId64
			     "; wait, or raise the limit",
			     max_fee, turn->config->max_fee_wei);
		return false;
	}
	*ret_max_fee = max_fee;
	*ret_priority_fee = priority_fee;
	return true;
}

/* ---- writing ---- */

struct writing {
	struct outbox_row *row;
	const struct variant_row *variant; /* NULL: none */
};

static int tx_write(struct tx *tx, void *arg)
{
	const struct writing *writing = arg;
	int r = outbox_store_set(tx, writing->row);

	if (r == 0 && writing->variant)
		r = outbox_store_variant_add(tx, writing->row->id, writing->row->variants - 1,
					     writing->variant);
	return r > 0 ? -EIO : r;
}

int turn_write(struct turn *turn, struct outbox_row *row)
{
	struct writing writing = { .row = row };

	return db_run(turn->config->db, TX_WRITE, turn->arena, tx_write, &writing);
}

/* ---- sending ---- */

static void problem_of_sending(struct turn *turn, const struct outbox_row *row,
			       const struct rpc_error *error)
{
	char sender[ADDRESS_TEXT_SIZE];

	switch (rpc_error_kind(error)) {
	case RPC_ERROR_KNOWN:
	case RPC_ERROR_NONCE_LOW: /* mined, or another is: the next look tells */
	case RPC_ERROR_UNDERPRICED: /* raised in its time */
		break;
	case RPC_ERROR_FUNDS:
		address_text(&turn->config->sender, sender);
		turn_problem(turn, "%s cannot pay for its transactions; send it coins", sender);
		break;
	default:
		turn_problem(turn, "%s is not taken by the chain: %.100s", row->name,
			     error->message);
	}
}

/* It was lost where nobody answers; it is sent again in its time. */
int turn_send(struct turn *turn, const struct outbox_row *row, const uint8_t *bytes, size_t len)
{
	json_t *params = NULL, *hash = NULL, *data = rpc_of_bytes(bytes, len);
	struct rpc_error error;
	int r = -ENOMEM;

	if (data)
		params = json_pack("[o]", data);
	if (params)
		r = rpc_ask(turn->config->rpc, "eth_sendRawTransaction", params, &hash, &error);
	json_decref(params);
	json_decref(hash);
	if (r < 0)
		return r;
	if (r == RPC_E_REFUSED)
		problem_of_sending(turn, row, &error);
	else if (r != 0)
		turn_problem(turn, "no endpoint of the chain takes transactions");
	return 0;
}

/* Asks the signer; what it gives must be by the key whose nonces are counted. */
static int ask_signer(struct turn *turn, const struct outbox_row *row,
		      const struct transaction *transaction, struct transaction_signed *ret_ready)
{
	const struct outbox_config *config = turn->config;
	const struct outbox_signing signing = { row->kind, transaction };
	char sender[ADDRESS_TEXT_SIZE];
	const char *detail;
	int r = config->sign(config->arg, &signing, turn->arena, ret_ready, &detail);

	if (r == OUTBOX_E_DENIED)
		turn_problem(turn, "the signer will not sign %s: %s", row->name, detail);
	if (r == OUTBOX_E_AWAY)
		turn_problem(turn, "%s", detail);
	if (r == 0 && !address_equal(&ret_ready->sender, &config->sender)) {
		address_text(&config->sender, sender);
		turn_problem(turn, "the signer has another key; give it the one of %s", sender);
		r = OUTBOX_E_AWAY;
	}
	return r;
}

int turn_sign(struct turn *turn, struct outbox_row *row, const struct variant_row *raised)
{
	const struct outbox_config *config = turn->config;
	struct transaction transaction = {
		.kind = TRANSACTION_EIP1559,
		.chain_id = config->chain_id,
		.nonce = (uint64_t)row->nonce,
		.gas_limit = (uint64_t)row->gas,
		.to = row->contract,
		.data = row->data,
		.data_len = row->len,
	};
	struct variant_row variant = { .signed_ms = turn->now_ms };
	struct writing writing = { row, &variant };
	struct outbox_row before = *row;
	struct transaction_signed ready;
	int r;

	if (!turn_fees(turn, raised, &variant.max_fee, &variant.priority_fee))
		return OUTBOX_E_AWAY;
	transaction.max_fee = u256_from((unsigned __int128)variant.max_fee);
	transaction.max_priority_fee = u256_from((unsigned __int128)variant.priority_fee);
	r = ask_signer(turn, row, &transaction, &ready);
	if (r != 0)
		return r;
	memcpy(variant.hash, ready.hash, sizeof(variant.hash));
	variant.bytes = ready.bytes;
	variant.len = ready.len;
	row->state = OUTBOX_SENT;
	row->variants++;
	row->sent_ms = turn->now_ms;
	row->detail = "";
	r = db_run(config->db, TX_WRITE, turn->arena, tx_write, &writing);
	if (r != 0) {
		*row = before;
		return r;
	}
	return turn_send(turn, row, ready.bytes, ready.len);
}

/* ---- calls that wait ---- */

static json_t *call_of(const struct turn *turn, const struct outbox_row *row)
{
	return json_pack("[{s:o, s:o, s:o}, s]", "from",
			 rpc_of_bytes(turn->config->sender.bytes, 20), "to",
			 rpc_of_bytes(row->contract.bytes, 20), "data",
			 rpc_of_bytes(row->data, row->len), "pending");
}

/* The contract says no. What is on its way may change that, so it is waited for longer. */
static int refuse(struct turn *turn, struct outbox_row *row, const struct rpc_error *error)
{
	int64_t refuse_ms = turn->config->refuse_ms;

	if (turn->health->in_flight > 0)
		refuse_ms *= OUTBOX_PATIENCE;
	row->detail = error->message;
	if (row->refused_ms == 0)
		row->refused_ms = turn->now_ms;
	if (turn->now_ms - row->refused_ms >= refuse_ms) {
		row->state = OUTBOX_REFUSED;
		row->ended_ms = turn->now_ms;
		turn->health->queued--;
	}
	return turn_write(turn, row);
}

/* It does no longer, whether or not it is signed now: the next no is a first one. */
static int forgive(struct turn *turn, struct outbox_row *row)
{
	if (row->refused_ms == 0)
		return 0;
	row->refused_ms = 0;
	row->detail = "";
	return turn_write(turn, row);
}

static int sign_first(struct turn *turn, struct outbox_row *row)
{
	int r;

	row->nonce = turn->next_nonce;
	row->has_nonce = true;
	r = turn_sign(turn, row, NULL);
	if (r == OUTBOX_E_AWAY) {
		turn->stop = true;
		return 0;
	}
	if (r == 0) {
		turn->next_nonce++;
		turn->health->in_flight++;
		turn->health->queued--;
	}
	return r;
}

/* What the contract would need now, with what is on its way done: what a single endpoint says neither ends a
 * call nor leaves it with too little. */
int turn_queued(struct turn *turn, struct outbox_row *row)
{
	struct answers answers;
	bool waits = false;
	int r = row->variants > 0 ? turn_recover(turn, row, &waits) : 0;

	if (r < 0 || waits)
		return r;
	r = turn_ask_all(turn, "eth_estimateGas", call_of(turn, row), rpc_quantity, &answers);
	if (r < 0)
		return r;
	if (answers.reverted)
		return refuse(turn, row, &answers.error);
	/* What is before it may change what it costs. */
	row->gas = answers.number < INT64_MAX / 2 ? answers.number / 4 * 5 + 1 : INT64_MAX;
	if (answers.agreed && row->gas > turn->config->max_gas) {
		snprintf(answers.error.message, sizeof(answers.error.message),
			 "it would take %" PRId64 " gas, the limit is %" PRId64, row->gas,
			 turn->config->max_gas);
		return refuse(turn, row, &answers.error);
	}
	if (answers.agreed) {
		r = forgive(turn, row);
		return r == 0 ? sign_first(turn, row) : r;
	}
	turn->stop = true;
	if (answers.refusals > 0)
		problem_of_sending(turn, row, &answers.error);
	else
		turn_problem(turn, "too few endpoints of the chain estimate gas");
	return 0;
}

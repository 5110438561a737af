/* What becomes of calls that were sent (outbox_turn.h). */
#include "chain/outbox_turn.h"

struct receipt {
	uint8_t hash[32], block_hash[32];
	uint64_t block, status;
};

struct variants {
	struct variant_row *list;
	size_t n;
};

struct reading {
	struct outbox_id id;
	struct variants variants;
};

static int tx_variants(struct tx *tx, void *arg)
{
	struct reading *reading = arg;

	return outbox_store_variants(tx, reading->id, &reading->variants.list,
				     &reading->variants.n);
}

/* ---- receipts ---- */

/* Of the transaction that was asked for, or none. */
static bool read_receipt(const json_t *json, const uint8_t hash[static 32],
			 struct receipt *ret_receipt)
{
	return rpc_bytes(json_object_get(json, "transactionHash"), ret_receipt->hash, 32) == 0 &&
	       memcmp(ret_receipt->hash, hash, 32) == 0 &&
	       rpc_bytes(json_object_get(json, "blockHash"), ret_receipt->block_hash, 32) == 0 &&
	       rpc_quantity(json_object_get(json, "blockNumber"), &ret_receipt->block) == 0 &&
	       rpc_quantity(json_object_get(json, "status"), &ret_receipt->status) == 0;
}

static json_t *params_of(const uint8_t hash[static 32])
{
	json_t *text = rpc_of_bytes(hash, 32);

	return text ? json_pack("[o]", text) : NULL;
}

enum look { LOOK_NONE, LOOK_FOUND, LOOK_UNKNOWN };

/* Whether any variant was mined, as one endpoint says. */
static int find_receipt(struct turn *turn, const struct variants *variants,
			struct receipt *ret_receipt, enum look *ret_look)
{
	enum look look = LOOK_NONE;
	int r = 0;

	for (size_t i = 0; r == 0 && look == LOOK_NONE && i < variants->n; i++) {
		json_t *params = params_of(variants->list[i].hash), *json = NULL;
		struct rpc_error error;

		r = params ? rpc_ask(turn->config->rpc, "eth_getTransactionReceipt", params, &json,
				     &error)
			   : -ENOMEM;
		if (r > 0 || (r == 0 && !json_is_null(json) &&
			      !read_receipt(json, variants->list[i].hash, ret_receipt)))
			look = LOOK_UNKNOWN;
		else if (r == 0 && !json_is_null(json))
			look = LOOK_FOUND;
		r = r < 0 ? r : 0;
		json_decref(params);
		json_decref(json);
	}
	if (r == 0)
		*ret_look = look;
	return r;
}

/* Whether as many as must agree give the same receipt: money follows from it. */
static int confirm(struct turn *turn, const struct receipt *receipt, bool *ret_confirmed)
{
	struct rpc *rpc = turn->config->rpc;
	json_t *params = params_of(receipt->hash), *json;
	struct receipt other = { 0 };
	struct rpc_error error;
	size_t alike = 0;
	int r = params ? 0 : -ENOMEM;

	for (size_t i = 0; r >= 0 && i < rpc_endpoints(rpc) && alike < rpc_agreement(rpc); i++) {
		r = rpc_ask_of(rpc, i, "eth_getTransactionReceipt", params, &json, &error);
		if (r != 0)
			continue;
		alike += read_receipt(json, receipt->hash, &other) &&
			 other.block == receipt->block && other.status == receipt->status &&
			 memcmp(other.block_hash, receipt->block_hash, 32) == 0;
		json_decref(json);
	}
	json_decref(params);
	if (r < 0)
		return r;
	*ret_confirmed = alike >= rpc_agreement(rpc);
	return 0;
}

static int mined(struct turn *turn, struct outbox_row *row, const struct receipt *receipt)
{
	bool confirmed = false;
	int r;

	if (turn->health->final > 0 && receipt->block <= turn->health->final) {
		r = confirm(turn, receipt, &confirmed);
		if (r < 0)
			return r;
	}
	if (!confirmed && row->state == OUTBOX_MINED && row->block == (int64_t)receipt->block &&
	    memcmp(row->block_hash, receipt->block_hash, 32) == 0)
		return 0;
	row->state = OUTBOX_MINED;
	row->block = (int64_t)receipt->block;
	memcpy(row->hash, receipt->hash, sizeof(row->hash));
	memcpy(row->block_hash, receipt->block_hash, sizeof(row->block_hash));
	if (confirmed) {
		row->state = receipt->status == 1 ? OUTBOX_FINAL : OUTBOX_REVERTED;
		row->detail = receipt->status == 1 ? ""
						   : "the contract refused it when it was mined";
		row->ended_ms = turn->now_ms;
		turn->health->in_flight--;
	}
	return turn_write(turn, row);
}

/* ---- a nonce that another transaction has ---- */

static int nobody_has(struct turn *turn, const struct variant_row *variant, bool *ret_nobody)
{
	json_t *params = params_of(variant->hash), *json = NULL;
	int r = params ? rpc_agree(turn->config->rpc, "eth_getTransactionReceipt", params, &json)
		       : -ENOMEM;

	json_decref(params);
	*ret_nobody = r == 0 && json_is_null(json);
	json_decref(json);
	return r < 0 ? r : 0;
}

/* Whether a final block has another transaction with the nonce, and none of ours is mined, as those who must
 * agree say: then none of ours can ever be. */
static int is_taken(struct turn *turn, const struct outbox_row *row,
		    const struct variants *variants, bool *ret_taken)
{
	json_t *params = NULL, *count = NULL;
	uint64_t number = 0;
	bool taken;
	int r = -ENOMEM;

	*ret_taken = false;
	if (turn->health->final == 0)
		return 0;
	params = json_pack("[o, o]", rpc_of_bytes(row->sender.bytes, 20),
			   rpc_of_quantity(turn->health->final));
	if (params)
		r = rpc_agree(turn->config->rpc, "eth_getTransactionCount", params, &count);
	taken = r == 0 && rpc_quantity(count, &number) == 0 && number > (uint64_t)row->nonce;
	json_decref(params);
	json_decref(count);
	for (size_t i = 0; r >= 0 && taken && i < variants->n; i++)
		r = nobody_has(turn, &variants->list[i], &taken);
	if (r < 0)
		return r;
	*ret_taken = taken;
	return 0;
}

static int requeue(struct turn *turn, struct outbox_row *row)
{
	turn_problem(turn,
		     "nonce %" PRId64 " was used by another program; give the key to this one "
		     "only",
		     row->nonce);
	row->state = OUTBOX_QUEUED;
	row->has_nonce = false;
	row->nonce = 0;
	row->block = 0;
	memset(row->hash, 0, sizeof(row->hash));
	memset(row->block_hash, 0, sizeof(row->block_hash));
	row->detail = "its nonce was used by another program";
	turn->health->in_flight--;
	turn->health->queued++;
	return turn_write(turn, row);
}

/* ---- not mined ---- */

static int send_again(struct turn *turn, struct outbox_row *row, const struct variant_row *newest)
{
	int r;

	row->sent_ms = turn->now_ms;
	r = turn_write(turn, row);
	return r == 0 ? turn_send(turn, row, newest->bytes, newest->len) : r;
}

/* Only the first that waits is raised: those behind it wait for it. */
static int not_mined(struct turn *turn, struct outbox_row *row, const struct variants *variants)
{
	const struct variant_row *newest = &variants->list[0];
	bool dropped = row->state == OUTBOX_MINED, taken;
	int r;

	if (dropped) {
		row->state = OUTBOX_SENT;
		row->block = 0;
		memset(row->hash, 0, sizeof(row->hash));
		memset(row->block_hash, 0, sizeof(row->block_hash));
		return send_again(turn, row, newest);
	}
	if (turn->now_ms - row->sent_ms < turn->config->again_ms)
		return 0;
	r = is_taken(turn, row, variants, &taken);
	if (r < 0)
		return r;
	if (taken)
		return requeue(turn, row);
	if (row->nonce == turn->count &&
	    turn->now_ms - newest->signed_ms >= turn->config->raise_ms) {
		r = turn_sign(turn, row, newest);
		if (r <= 0)
			return r;
	}
	return send_again(turn, row, newest);
}

static int look_for(struct turn *turn, const struct outbox_row *row, struct reading *ret_reading,
		    struct receipt *ret_receipt, enum look *ret_look)
{
	int r;

	*ret_reading = (struct reading){ .id = row->id };
	r = db_run(turn->config->db, TX_READ, turn->arena, tx_variants, ret_reading);
	if (r == 0 && ret_reading->variants.n == 0)
		r = -EIO; /* it was signed, and nothing was kept */
	return r == 0 ? find_receipt(turn, &ret_reading->variants, ret_receipt, ret_look) : r;
}

int turn_live(struct turn *turn, struct outbox_row *row)
{
	struct arena_mark mark = arena_mark(turn->arena);
	struct reading reading;
	struct receipt receipt;
	enum look look;
	int r = look_for(turn, row, &reading, &receipt, &look);

	if (r == 0 && look == LOOK_FOUND)
		r = mined(turn, row, &receipt);
	else if (r == 0 && look == LOOK_NONE)
		r = row->has_nonce ? not_mined(turn, row, &reading.variants) : requeue(turn, row);
	arena_rewind(turn->arena, mark);
	return r;
}

int turn_recover(struct turn *turn, struct outbox_row *row, bool *ret_waits)
{
	struct arena_mark mark = arena_mark(turn->arena);
	struct reading reading;
	struct receipt receipt;
	enum look look;
	int r = look_for(turn, row, &reading, &receipt, &look);

	*ret_waits = r == 0 && look != LOOK_NONE;
	if (r == 0 && look == LOOK_FOUND) {
		turn->health->in_flight++;
		turn->health->queued--;
		r = mined(turn, row, &receipt);
	}
	arena_rewind(turn->arena, mark);
	return r;
}

#include "modules/worker/errand.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/billing/billing.h"
#include "modules/worker/desired.h"
#include "modules/worker/reports.h"
#include "modules/worker/worker_state.h"
#include "security/secp.h"
#include "wire/sign.h"

enum { ERRAND_ARENA_BYTES = 32 << 20 };

void letters_free(struct letter *letters)
{
	while (letters) {
		struct letter *next = letters->next;

		free(letters);
		letters = next;
	}
}

static void refuse(struct errand *errand, uint16_t code, const char *reason)
{
	errand->close_code = code;
	errand->close_reason = reason;
}

/* One message of the agent, at work in a transaction. */
struct work {
	struct errand *errand;
	const Wire__ToServer *message;
	struct usage_statement usage;
	uint8_t receipt[SIGNATURE_SIZE];
	struct amount charged;
	const void *bytes; /* to the agent */
	size_t len;
};

static void send(const struct errand *errand, const void *bytes, size_t len)
{
	ws_send(errand->context->http, errand->conn, WS_BINARY, bytes, len);
}

/* ---- hello ---- */

static bool is_signed(const struct errand *errand, const Wire__Hello *hello,
		      struct machine_id *ret_machine)
{
	struct hello_statement statement = { .network = errand->context->settings->network };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.nonce, errand->nonce, sizeof(statement.nonce));
	memcpy(&statement.machine, hello->machine.data, sizeof(statement.machine));
	hello_digest(&statement, digest);
	if (secp_recover(digest, hello->signature.data, &signer) != 0)
		return false;
	*ret_machine = statement.machine;
	return address_equal(&signer, &statement.machine.address);
}

static int tx_greet(struct tx *tx, void *arg)
{
	struct work *work = arg;
	const struct errand *errand = work->errand;
	struct worker_row row;
	int r;

	r = worker_store_get(tx, errand->machine, &row);
	if (r == 0)
		r = worker_store_greet(tx, errand->machine, work->message->hello->version,
				       clock_now_ms(errand->context->clock));
	if (r == 0 && row.lost)
		r = lease_store_change_all(tx, errand->machine);
	return r != 0 ? r : worker_fleet_refresh(tx, errand->machine);
}

static int greet(struct work *work, struct arena *arena)
{
	struct errand *errand = work->errand;
	int r;

	if (!is_signed(errand, work->message->hello, &errand->machine)) {
		refuse(errand, 1008, "the signature is not by this machine's key");
		return 0;
	}
	r = db_run(errand->context->db, TX_WRITE, arena, tx_greet, work);
	if (r == ROUTE_E_NOT_FOUND) {
		refuse(errand, 1008, "this machine has not joined; use kaisar worker join");
		return 0;
	}
	return r;
}

/* ---- desired ---- */

static int tx_desired(struct tx *tx, void *arg)
{
	struct work *work = arg;
	struct worker_row row;
	int r;

	r = worker_store_get(tx, work->errand->machine, &row);
	return r != 0 ? r : desired_read(tx, row.machine, row.generation, &work->bytes, &work->len);
}

static int send_desired(struct work *work, struct arena *arena)
{
	int r = db_run(work->errand->context->db, TX_READ, arena, tx_desired, work);

	if (r == 0)
		send(work->errand, work->bytes, work->len);
	return r;
}

/* ---- reports ---- */

static int tx_actual(struct tx *tx, void *arg)
{
	struct work *work = arg;

	return report_actual(work->errand->context, tx, work->errand->machine,
			     work->message->actual);
}

static int tx_inventory(struct tx *tx, void *arg)
{
	struct work *work = arg;

	return report_inventory(tx, work->errand->machine, work->message->inventory);
}

static int take_inventory(struct work *work, struct arena *arena)
{
	const char *wrong = inventory_check(work->message->inventory);

	if (wrong) {
		log_warn("worker.inventory_refused", log_text("rule", wrong));
		refuse(work->errand, 1008, wrong);
		return 0;
	}
	return db_run(work->errand->context->db, TX_WRITE, arena, tx_inventory, work);
}

/* ---- usage ---- */

static int tx_usage(struct tx *tx, void *arg)
{
	struct work *work = arg;

	return billing_usage(work->errand->context, tx, &work->usage,
			     work->message->usage->signature.data, &work->charged, work->receipt);
}

static const char *usage_refusal(int outcome)
{
	switch (outcome) {
	case BILLING_E_NO_LEASE:
		return "no_lease";
	case BILLING_E_CLOSED:
		return "closed";
	case BILLING_E_RECORD:
		return "record";
	case BILLING_E_SIGNATURE:
		return "signature";
	default:
		return "refused";
	}
}

static int send_receipt(struct work *work, struct arena *arena, int outcome)
{
	Wire__UsageReceipt receipt = WIRE__USAGE_RECEIPT__INIT;
	Wire__ToAgent message = WIRE__TO_AGENT__INIT;
	int r;

	receipt.lease = work->message->usage->lease;
	receipt.sequence = work->message->usage->sequence;
	receipt.accepted = outcome == 0;
	if (outcome == 0) {
		receipt.charged_micro = work->charged.micro;
		receipt.signature = (ProtobufCBinaryData){ sizeof(work->receipt), work->receipt };
	} else {
		receipt.reason = (char *)usage_refusal(outcome);
	}
	message.body_case = WIRE__TO_AGENT__BODY_USAGE_RECEIPT;
	message.usage_receipt = &receipt;
	r = wire_encode_to_agent(&message, arena, &work->bytes, &work->len);
	if (r == 0)
		send(work->errand, work->bytes, work->len);
	return r;
}

static int take_usage(struct work *work, struct arena *arena)
{
	const Wire__Usage *usage = work->message->usage;
	int r;

	work->usage = (struct usage_statement){
		.network = work->errand->context->settings->network,
		.machine = work->errand->machine,
		.sequence = usage->sequence,
		.started_at_ms = usage->started_at_ms,
		.until_ms = usage->until_ms,
		.seconds = (int64_t)usage->seconds,
		.final = usage->final,
	};
	memcpy(work->usage.lease.bytes, usage->lease.data, sizeof(work->usage.lease.bytes));
	memcpy(work->usage.rental.bytes, usage->rental.data, sizeof(work->usage.rental.bytes));
	r = db_run(work->errand->context->db, TX_WRITE, arena, tx_usage, work);
	return r < 0 ? r : send_receipt(work, arena, r);
}

/* ---- all ---- */

static int do_letter(struct errand *errand, const struct letter *letter, struct arena *arena)
{
	struct work work = { .errand = errand };
	Wire__ToServer *message;
	int r;

	if (letter->len == 0)
		return send_desired(&work, arena);
	r = wire_decode_to_server(letter->bytes, letter->len, arena, &message);
	if (r != 0)
		return r;
	work.message = message;
	switch (message->body_case) {
	case WIRE__TO_SERVER__BODY_HELLO:
		return greet(&work, arena);
	case WIRE__TO_SERVER__BODY_INVENTORY:
		return take_inventory(&work, arena);
	case WIRE__TO_SERVER__BODY_ACTUAL:
		return db_run(errand->context->db, TX_WRITE, arena, tx_actual, &work);
	case WIRE__TO_SERVER__BODY_USAGE:
		return take_usage(&work, arena);
	default:
		return -EINVAL;
	}
}

void errand_run(struct errand *errand)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(ERRAND_ARENA_BYTES, &arena);

	for (struct letter *l = errand->letters; l && r == 0 && !errand->close_code; l = l->next) {
		r = do_letter(errand, l, arena);
		arena_reset(arena);
	}
	if (r == ROUTE_E_NOT_FOUND) {
		refuse(errand, 1008, "this machine was removed");
	} else if (r != 0) {
		log_error("worker.errand_failed", log_fault(r));
		refuse(errand, 1011, "not possible now; try again later");
	}
}

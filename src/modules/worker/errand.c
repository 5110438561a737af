#include "modules/worker/errand.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/node/node.h"
#include "modules/worker/desired.h"
#include "modules/worker/reports.h"
#include "modules/worker/worker_state.h"

enum { ERRAND_ARENA_BYTES = 32 << 20 };

enum { ERRAND_E_WAIT = 1 }; /* for the charges; below route.h's outcomes */

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

static void fail(struct errand *errand, int r)
{
	if (r == ROUTE_E_NOT_FOUND) {
		refuse(errand, 1008, "this machine was removed");
		return;
	}
	log_error("worker.errand_failed", log_fault(r));
	refuse(errand, 1011, "not possible now; try again later");
}

/* One message of the agent, at work in a transaction. */
struct work {
	struct errand *errand;
	const Wire__ToServer *message;
	const void *bytes; /* to the agent */
	size_t len;
};

static void send(const struct errand *errand, const void *bytes, size_t len)
{
	ws_send(errand->context->http, errand->conn, WS_BINARY, bytes, len);
}

/* ---- hello ---- */

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

	if (!node_hello_holds(errand->context, errand->nonce, work->message->hello,
			      &errand->machine)) {
		refuse(errand, 1008, "the signature is not by this machine's key");
		return 0;
	}
	r = db_run(errand->context->db, TX_WRITE, arena, tx_greet, work);
	if (r == ROUTE_E_NOT_FOUND) {
		refuse(errand, WIRE_CLOSE_REFUSED,
		       "this machine has not joined, or was removed: kaisar worker join, with "
		       "another "
		       "--state");
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

static int send_receipt(const struct errand *errand, struct billing_record *record,
			struct arena *arena)
{
	Wire__UsageReceipt receipt = WIRE__USAGE_RECEIPT__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	struct lease_id *lease = &record->usage.lease;
	const void *bytes;
	size_t len;
	int r;

	receipt.lease = (ProtobufCBinaryData){ sizeof(lease->bytes), lease->bytes };
	receipt.sequence = record->usage.sequence;
	receipt.accepted = record->outcome == 0;
	if (record->outcome == 0) {
		receipt.charged_micro = record->charged.micro;
		receipt.signature = (ProtobufCBinaryData){ sizeof(record->receipt),
							   record->receipt };
	} else {
		receipt.reason = (char *)usage_refusal(record->outcome);
	}
	message.body_case = WIRE__TO_NODE__BODY_USAGE_RECEIPT;
	message.usage_receipt = &receipt;
	r = wire_encode_to_node(&message, arena, &bytes, &len);
	if (r == 0)
		send(errand, bytes, len);
	return r;
}

static int take_usage(struct work *work)
{
	const Wire__Usage *usage = work->message->usage;
	struct errand *errand = work->errand;
	struct charge *charge = calloc(1, sizeof(*charge)), **last = &errand->charges;
	int r;

	if (!charge)
		return -ENOMEM;
	charge->owner = errand;
	charge->record.usage = (struct usage_statement){
		.network = errand->context->settings->network,
		.machine = errand->machine,
		.sequence = usage->sequence,
		.started_at_ms = usage->started_at_ms,
		.until_ms = usage->until_ms,
		.seconds = (int64_t)usage->seconds,
		.final = usage->final,
	};
	memcpy(charge->record.usage.lease.bytes, usage->lease.data, sizeof(struct lease_id));
	memcpy(charge->record.usage.rental.bytes, usage->rental.data, sizeof(struct rental_id));
	memcpy(charge->record.signature, usage->signature.data, SIGNATURE_SIZE);
	r = billing_record_check(&charge->record);
	if (r < 0) {
		free(charge);
		return r;
	}
	while (*last)
		last = &(*last)->next;
	*last = charge;
	errand->n_charges++;
	return 0;
}

void errand_charged(struct charge *charge, int result, struct arena *arena)
{
	struct errand *errand = charge->owner;

	if (result == 0)
		result = send_receipt(errand, &charge->record, arena);
	if (result != 0)
		fail(errand, result);
	free(charge);
	if (--errand->n_charges == 0)
		errand->back(errand);
}

/* Nothing may overtake a lease's last record. */
static void drop_charges(struct errand *errand)
{
	log_warn("worker.charging_full", log_int("records", (int64_t)errand->n_charges));
	while (errand->charges) {
		struct charge *charge = errand->charges;

		if (charge->record.usage.final)
			refuse(errand, 1011, "not possible now; try again later");
		errand->charges = charge->next;
		free(charge);
	}
	errand->n_charges = 0;
}

/* ---- all ---- */

/* Waits for the charges before it? Only another record does not. */
static bool must_wait(const struct errand *errand, const Wire__ToServer *message)
{
	return errand->n_charges > 0 &&
	       (!message || message->body_case != WIRE__TO_SERVER__BODY_USAGE);
}

static int do_letter(struct errand *errand, const struct letter *letter, struct arena *arena)
{
	struct work work = { .errand = errand };
	Wire__ToServer *message = NULL;
	int r = 0;

	if (letter->len > 0)
		r = wire_decode_to_server(letter->bytes, letter->len, arena, &message);
	if (r != 0)
		return r;
	if (must_wait(errand, message))
		return ERRAND_E_WAIT;
	if (!message)
		return send_desired(&work, arena);
	work.message = message;
	switch (message->body_case) {
	case WIRE__TO_SERVER__BODY_HELLO:
		return greet(&work, arena);
	case WIRE__TO_SERVER__BODY_INVENTORY:
		return take_inventory(&work, arena);
	case WIRE__TO_SERVER__BODY_ACTUAL:
		return db_run(errand->context->db, TX_WRITE, arena, tx_actual, &work);
	case WIRE__TO_SERVER__BODY_USAGE:
		return take_usage(&work);
	default:
		return -EINVAL;
	}
}

static int work_through(struct errand *errand)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(ERRAND_ARENA_BYTES, &arena);

	while (r == 0 && errand->letters && !errand->close_code) {
		struct letter *letter = errand->letters;

		r = do_letter(errand, letter, arena);
		if (r == ERRAND_E_WAIT)
			break;
		errand->letters = letter->next;
		free(letter);
		arena_reset(arena);
	}
	return r;
}

void errand_run(struct errand *errand)
{
	int r = work_through(errand);

	if (r != 0 && r != ERRAND_E_WAIT)
		fail(errand, r);
	if (errand->n_charges > 0) {
		/* Once put, the errand may end at any moment. */
		if (charging_put(errand->charging, errand->charges, errand->n_charges) == 0)
			return;
		drop_charges(errand);
	}
	errand->back(errand);
}

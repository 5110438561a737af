#include "modules/chain/registry.h"

#include "base/codec.h"
#include "base/log.h"
#include "modules/chain/chain_state.h"
#include "modules/chain/chain_store.h"

enum { TAKE_AT_ONCE = 100, REASON_SIZE = 256 };

static const char consumer[] = "registry";
static const char *const words[] = { "machine", "worker", "checker" };

/* ---- following ---- */

static int register_machine(struct tx *tx, const struct indexer_log *log,
			    const struct contract_event *event)
{
	struct machine_row row = {
		.machine = event->registered.machine,
		.owner = event->registered.owner,
		.kind = (enum machine_kind)event->registered.kind,
		.block = log->block,
	};

	memcpy(row.specification, event->registered.specification, 32);
	memcpy(row.transaction, log->transaction, 32);
	return chain_store_machine_put(tx, &row);
}

static int take_event(struct tx *tx, const struct indexer_log *log,
		      const struct contract_event *event)
{
	switch (event->kind) {
	case EVENT_REGISTERED:
		return register_machine(tx, log, event);
	case EVENT_SPECIFICATION_CHANGED:
		return chain_store_machine_specify(tx, &event->specification_changed.machine,
						   event->specification_changed.specification);
	case EVENT_DEREGISTERED:
		return chain_store_machine_remove(tx, &event->deregistered.machine);
	default:
		return 0;
	}
}

int registry_take(struct tx *tx, const struct indexer_log *log)
{
	static const enum contract_event_kind heard[] = { EVENT_REGISTERED,
							  EVENT_SPECIFICATION_CHANGED,
							  EVENT_DEREGISTERED };
	struct contract_event event;

	for (size_t i = 0; i < ARRAY_SIZE(heard); i++) {
		int r = contract_event_read(heard[i], log->topics, log->n_topics, log->data,
					    log->len, &event);

		if (r == 0)
			return take_event(tx, log, &event);
		if (r == CONTRACT_EVENT_E_MALFORMED) {
			log_error("chain.registry_unexpected", log_int("block", log->block),
				  log_int("log", log->index));
			return 0;
		}
	}
	return 0;
}

static int take(struct tx *tx, size_t max, struct indexer_log **ret_logs, size_t *ret_n)
{
	return indexer_take(tx, consumer, &chain_contracts()->at[CONTRACT_REGISTRY].address, NULL,
			    max, ret_logs, ret_n);
}

static int tx_look(struct tx *tx, void *arg)
{
	struct indexer_log *logs;

	return take(tx, 1, &logs, arg);
}

static int tx_follow(struct tx *tx, void *arg)
{
	struct indexer_log *logs;
	size_t *n = arg;
	int r = take(tx, TAKE_AT_ONCE, &logs, n);

	for (size_t i = 0; r == 0 && i < *n; i++)
		r = registry_take(tx, &logs[i]);
	return r == 0 && *n > 0 ? indexer_taken(tx, consumer, &logs[*n - 1]) : r;
}

int registry_follow(const struct context *context, struct arena *arena)
{
	size_t n;
	int r = db_run(context->db, TX_READ, arena, tx_look, &n);

	while (r == 0 && n > 0) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &n);
	}
	return r;
}

/* ---- showing ---- */

static const char *describe(const struct machine_row *row, const struct address *owner,
			    enum machine_kind kind, char reason[static REASON_SIZE])
{
	char address[ADDRESS_TEXT_SIZE];

	reason[0] = '\0';
	address_text(&row->owner, address);
	if (row->kind == kind && address_equal(&row->owner, owner))
		return "registered";
	if (row->kind != kind)
		snprintf(reason, REASON_SIZE,
			 "registered as a %s by %s; that wallet or the machine's key takes it "
			 "out (Registry.deregister)",
			 words[row->kind < MACHINE_KINDS_N ? row->kind : 0], address);
	else
		snprintf(reason, REASON_SIZE,
			 "registered by %s, who is not its owner here; that wallet or the "
			 "machine's key takes it out (Registry.deregister)",
			 address);
	return "foreign";
}

static json_t *json_none(enum machine_kind kind)
{
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason),
		 "not registered: `kaisar %s register` does it, and counts once its block is final",
		 words[kind]);
	return json_pack("{s:s, s:s, s:n, s:n, s:n, s:n}", "state", "unregistered", "reason",
			 reason, "owner", "specification", "transaction", "block");
}

int registry_json(struct tx *tx, const struct address *machine, const struct address *owner,
		  enum machine_kind kind, json_t **ret_json)
{
	char reason[REASON_SIZE];
	struct machine_row row;
	const char *state;
	int r = chain_store_machine(tx, machine, &row);

	if (r == ROUTE_E_NOT_FOUND) {
		*ret_json = json_none(kind);
		return *ret_json ? 0 : -ENOMEM;
	}
	if (r != 0)
		return r;
	state = describe(&row, owner, kind, reason);
	*ret_json = json_pack("{s:s, s:s, s:o, s:o, s:o, s:I}", "state", state, "reason", reason,
			      "owner", encode_address(&row.owner), "specification",
			      encode_bytes(row.specification, 32), "transaction",
			      encode_bytes(row.transaction, 32), "block", (json_int_t)row.block);
	return *ret_json ? 0 : -ENOMEM;
}

#include "modules/checker/licences.h"

#include "base/keccak.h"
#include "base/log.h"
#include "chain/abi.h"
#include "chain/contracts.h"
#include "modules/chain/chain.h"
#include "modules/checker/checker_rules.h"
#include "modules/checker/checker_store_licences.h"

enum { TAKE_AT_ONCE = 100, BOUGHT_MAX = 50 /* Sale.MAXIMUM_QUANTITY */ };

/* One name a contract: each has its own place. */
static const char consumer[] = "checker.licences";

/* What no contract of ours does; the rest still counts. */
static int unexpected(const char *what)
{
	log_error("checker.licence_unexpected", log_text("what", what));
	return 0;
}

static bool to_number(struct u256 id, int64_t *ret_number)
{
	if (u256_bits(id) > 62)
		return false;
	*ret_number = (int64_t)u256_low(id);
	return true;
}

/* ---- what becomes of a licence ---- */

static int take_minted(struct tx *tx, const struct contract_event *event)
{
	struct licence_row row = { .owner = event->minted.to };
	int64_t unlocked_at_s;
	int r;

	if (!to_number(event->minted.id, &row.licence) ||
	    !to_number(event->minted.unlocked_at_s, &unlocked_at_s) ||
	    unlocked_at_s > INT64_MAX / 1000)
		return unexpected("a licence with a number that is none");
	row.unlocked_at_ms = unlocked_at_s * 1000;
	memcpy(row.mint_id, event->minted.mint_id, MINT_ID_SIZE);
	r = licence_store_add(tx, &row);
	return r == ROUTE_E_NOT_FOUND ? unexpected("a licence was made twice") : r;
}

static int take_transferred(struct tx *tx, const struct licence_row *row,
			    const struct contract_event *event)
{
	return licence_store_owner(tx, row->licence, &event->transferred.to);
}

static int take_proposed(const struct context *context, struct tx *tx,
			 const struct licence_row *row, const struct contract_event *event)
{
	int r = licence_store_delegate(tx, row->licence, &event->proposed.machine, false);

	return r != 0 ? r
		      : checker_delegated(context, tx, &event->proposed.machine, row->licence,
					  CHECKER_DELEGATION_PROPOSED);
}

static int take_accepted(const struct context *context, struct tx *tx, struct licence_row *row,
			 const struct contract_event *event)
{
	bool out = false;
	int r;

	if (row->accepted)
		return unexpected("a licence that counted already was accepted");
	r = licence_store_delegate(tx, row->licence, &event->accepted.machine, true);
	row->machine = event->accepted.machine;
	if (r == 0)
		r = licence_store_deregistered(tx, &row->machine, &out);
	/* Of one that is out by what the registry said, it counts when it is back. */
	if (r == 0 && !out)
		r = licence_store_counts(tx, row, clock_now_ms(context->clock));
	return r != 0 ? r
		      : checker_delegated(context, tx, &row->machine, row->licence,
					  CHECKER_DELEGATION_ACCEPTED);
}

/* Refused, or taken back. */
static int take_ended(const struct context *context, struct tx *tx, const struct licence_row *row)
{
	int r = licence_store_delegate(tx, row->licence, NULL, false);

	if (r == 0 && row->accepted)
		r = licence_store_counted(tx, row->licence, clock_now_ms(context->clock));
	return r != 0 || !row->delegated
		       ? r
		       : checker_delegated(context, tx, &row->machine, row->licence,
					   CHECKER_DELEGATION_ENDED);
}

/* The registry is read apart from the licences, and may be ahead of them or behind: either way it says last what holds. */
static int take_registration(const struct context *context, struct tx *tx,
			     const struct address *machine, uint64_t kind, bool there)
{
	int64_t now_ms = clock_now_ms(context->clock);
	int r;

	if (kind != MACHINE_CHECKER)
		return 0;
	r = there ? licence_store_register(tx, machine, now_ms)
		  : licence_store_deregister(tx, machine, now_ms);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	return checker_registered(context, tx, machine, there);
}

/* Sale.sol: a licence's mint id is of the buyer, the order's key, and its place in the order. */
static int take_purchased(struct tx *tx, const struct contract_event *event)
{
	struct arena *arena = tx_arena(tx);
	const struct abi_type *type;
	int64_t round;
	int r;

	if (!to_number(event->purchased.round, &round) || event->purchased.quantity > BOUGHT_MAX)
		return unexpected("an order of more than there can be");
	r = abi_type_parse("(address,bytes32,uint32)", 24, arena, &type);
	for (uint64_t i = 0; r == 0 && i < event->purchased.quantity; i++) {
		const struct abi_value words[] = { abi_address(&event->purchased.buyer),
						   abi_fixed_bytes(event->purchased.key, 32),
						   abi_u64(i) };
		const struct abi_value tuple = abi_items(words, 3);
		uint8_t mint_id[MINT_ID_SIZE];
		const uint8_t *bytes;
		size_t len;

		r = abi_encode(type, &tuple, arena, &bytes, &len);
		if (r != 0)
			break;
		keccak256(bytes, len, mint_id);
		r = licence_store_bought(tx, mint_id, round);
		if (r == ROUTE_E_NOT_FOUND)
			r = unexpected("a licence was bought twice");
	}
	return r;
}

static const struct u256 *id_of(const struct contract_event *event)
{
	switch (event->kind) {
	case EVENT_TRANSFERRED:
		return &event->transferred.id;
	case EVENT_PROPOSED:
		return &event->proposed.id;
	case EVENT_ACCEPTED:
		return &event->accepted.id;
	case EVENT_REFUSED:
		return &event->refused.id;
	default:
		return &event->undelegated.id;
	}
}

int licences_take(const struct context *context, struct tx *tx, const struct contract_event *event)
{
	struct licence_row row;
	int64_t licence;
	int r;

	if (event->kind == EVENT_MINTED)
		return take_minted(tx, event);
	if (event->kind == EVENT_PURCHASED)
		return take_purchased(tx, event);
	if (event->kind == EVENT_REGISTERED)
		return take_registration(context, tx, &event->registered.machine,
					 event->registered.kind, true);
	if (event->kind == EVENT_DEREGISTERED)
		return take_registration(context, tx, &event->deregistered.machine,
					 event->deregistered.kind, false);
	if (!to_number(*id_of(event), &licence))
		return unexpected("a licence with a number that is none");
	r = licence_store_get(tx, licence, &row);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? unexpected("of a licence that nobody made") : r;
	switch (event->kind) {
	case EVENT_TRANSFERRED:
		return take_transferred(tx, &row, event);
	case EVENT_PROPOSED:
		return take_proposed(context, tx, &row, event);
	case EVENT_ACCEPTED:
		return take_accepted(context, tx, &row, event);
	default:
		return take_ended(context, tx, &row);
	}
}

/* ---- following ---- */

struct following {
	const struct context *context;
	const struct address *contract;
	bool more;
};

static int take_log(const struct context *context, struct tx *tx, const struct indexer_log *log)
{
	static const enum contract_event_kind heard[] = { EVENT_MINTED,      EVENT_TRANSFERRED,
							  EVENT_PROPOSED,    EVENT_ACCEPTED,
							  EVENT_REFUSED,     EVENT_UNDELEGATED,
							  EVENT_PURCHASED,   EVENT_REGISTERED,
							  EVENT_DEREGISTERED };
	struct contract_event event;

	for (size_t i = 0; i < ARRAY_SIZE(heard); i++) {
		int r = contract_event_read(heard[i], log->topics, log->n_topics, log->data,
					    log->len, &event);

		if (r == 0)
			return licences_take(context, tx, &event);
		if (r == CONTRACT_EVENT_E_MALFORMED)
			return unexpected("an event that is not as the contract writes it");
	}
	return 0;
}

static int tx_look(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, following->contract, NULL, 1, &logs, &n);

	following->more = r == 0 && n > 0;
	return r;
}

static int tx_follow(struct tx *tx, void *arg)
{
	struct following *following = arg;
	struct indexer_log *logs;
	size_t n;
	int r = indexer_take(tx, consumer, following->contract, NULL, TAKE_AT_ONCE, &logs, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = take_log(following->context, tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, consumer, &logs[n - 1]);
	following->more = n == TAKE_AT_ONCE;
	return r;
}

/* Most of the time there is nothing, and that takes a look only. */
static int follow(const struct context *context, enum contract contract, struct arena *arena)
{
	struct following following = { context, &chain_contracts()->at[contract].address, false };
	int r = db_run(context->db, TX_READ, arena, tx_look, &following);

	while (r == 0 && following.more) {
		arena_reset(arena);
		r = db_run(context->db, TX_WRITE, arena, tx_follow, &following);
	}
	arena_reset(arena);
	return r;
}

int licences_follow(const struct context *context, struct arena *arena)
{
	int r;

	if (!chain_enabled())
		return 0;
	r = follow(context, CONTRACT_SALE, arena);
	if (r == 0)
		r = follow(context, CONTRACT_LICENCE, arena);
	return r != 0 ? r : follow(context, CONTRACT_REGISTRY, arena);
}

static int tx_recount(struct tx *tx, void *arg _unused_)
{
	return licence_store_recount(tx, NULL);
}

int licences_start(const struct context *context)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r;

	if (!chain_enabled())
		return 0;
	r = arena_new(1 << 20, &arena);
	return r != 0 ? r : db_run(context->db, TX_WRITE, arena, tx_recount, NULL);
}

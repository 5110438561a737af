#include "modules/worker/worker.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/logging/logging.h"
#include "modules/worker/lease_store.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"
#include "security/secp.h"

enum {
	FILL_PAGE = 1000,
	SEEN_BATCH = 2000,
	SEEN_RECENT_MS = 10000, /* two turns of the job: what was heard before is written */
};

struct worker_state worker_state;

/* ---- the index follows the store ---- */

/* Where the network does not ask for proofs, nothing is kept back for want of one. */
static void heed_proofs(struct fleet_machine *machine)
{
	if (!worker_state.context || !worker_state.context->settings->proof_required)
		machine->unproved = false;
}

int worker_fleet_read(struct tx *tx, struct machine_id machine, struct fleet_machine *ret_machine)
{
	struct worker_row row;
	int r;

	r = worker_store_get(tx, machine, &row);
	if (r == 0)
		r = worker_store_fleet_one(tx, &row, ret_machine);
	if (r == 0)
		heed_proofs(ret_machine);
	return r;
}

static void put_machine(void *arg)
{
	if (worker_state.fleet && fleet_put(worker_state.fleet, arg) < 0)
		log_error("worker.index_full", log_fault(-ENOMEM));
}

int worker_touch(struct tx *tx, struct machine_id machine)
{
	const struct context *context = worker_state.context;

	if (!context || !duty_shared(context))
		return 0;
	return worker_store_touch(tx, machine, clock_now_ms(context->clock));
}

int worker_fleet_refresh_row(struct tx *tx, const struct worker_row *row)
{
	struct fleet_machine *machine = arena_alloc(tx_arena(tx), sizeof(*machine));
	int r;

	if (!machine)
		return -ENOMEM;
	r = worker_store_fleet_one(tx, row, machine);
	if (r == 0)
		r = worker_touch(tx, row->machine);
	if (r != 0)
		return r;
	heed_proofs(machine);
	return tx_on_commit(tx, put_machine, machine);
}

int worker_fleet_refresh(struct tx *tx, struct machine_id machine)
{
	struct worker_row row;
	int r;

	r = worker_store_get(tx, machine, &row);
	return r != 0 ? r : worker_fleet_refresh_row(tx, &row);
}

struct page {
	struct machine_id after;
	struct fleet_machine *machines;
	size_t n;
};

static int tx_page(struct tx *tx, void *arg)
{
	struct page *page = arg;

	return worker_store_fleet(tx, page->after, FILL_PAGE, &page->machines, &page->n);
}

int worker_fleet_fill(const struct context *context, struct arena *arena)
{
	struct page page = { 0 };
	int r;

	do {
		arena_reset(arena);
		r = db_run(context->db, TX_READ, arena, tx_page, &page);
		for (size_t i = 0; r == 0 && i < page.n; i++) {
			heed_proofs(&page.machines[i]);
			r = fleet_put(worker_state.fleet, &page.machines[i]);
		}
		if (r == 0 && page.n > 0)
			page.after = page.machines[page.n - 1].machine;
	} while (r == 0 && page.n == FILL_PAGE);
	return r;
}

/* ---- joining ---- */

int worker_token_make(const struct context *context, struct tx *tx, struct account_id account,
		      const char *name, struct worker_token_grant *ret_grant)
{
	int64_t now_ms = clock_now_ms(context->clock), open;
	struct worker_token_grant grant;
	struct worker_token token = { .account = account, .name = name ? name : "" };
	uint8_t hash[SECRET_HASH_SIZE];
	int r;

	r = worker_store_tokens_open(tx, account, now_ms, &open);
	if (r != 0)
		return r;
	if (open >= WORKER_TOKENS_MAX)
		return WORKER_E_TOO_MANY;
	r = join_token_id_make(context->clock, context->random, &token.id);
	if (r == 0)
		r = secret_make(context->random, "ksj_", grant.token);
	if (r != 0)
		return r;
	secret_hash(grant.token, hash);
	token.expires_at_ms = now_ms + context->settings->join_token_ms;
	grant.id = token.id;
	grant.expires_at_ms = token.expires_at_ms;
	r = worker_store_token_add(tx, &token, hash);
	if (r == 0)
		*ret_grant = grant;
	return r;
}

static bool is_signed(const struct worker_join *join, const uint8_t hash[static SECRET_HASH_SIZE])
{
	struct join_statement statement = { .machine = join->machine };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.token_hash, hash, sizeof(statement.token_hash));
	join_digest(&statement, digest);
	return secp_recover(digest, join->signature, &signer) == 0 &&
	       address_equal(&signer, &join->machine.address);
}

/* A new machine, or one that its owner sets up again. */
static int admit(struct tx *tx, const struct worker_join *join, const struct worker_token *token,
		 int64_t now_ms)
{
	const char *name = join->name ? join->name : token->name;
	struct worker_row row;
	int64_t n;
	int r;

	r = worker_store_get(tx, join->machine, &row);
	if (r == 0) {
		if (!account_equal(row.owner, token->account))
			return WORKER_E_MACHINE_TAKEN;
		return *name ? worker_store_rename(tx, join->machine, name) : 0;
	}
	if (r != ROUTE_E_NOT_FOUND)
		return r;
	r = worker_store_count(tx, token->account, &n);
	if (r != 0)
		return r;
	if (n >= WORKER_MACHINES_MAX)
		return WORKER_E_TOO_MANY;
	return worker_store_add(tx, join->machine, token->account, name, now_ms);
}

static int tell_owner(const struct context *context, struct tx *tx, const struct worker_row *row,
		      const char *event)
{
	char machine[ADDRESS_TEXT_SIZE];

	address_text(&row->machine.address, machine);
	return logging_event(context, tx, row->owner, event, machine,
			     json_pack("{s:s}", "name", row->name));
}

int worker_join(const struct context *context, struct tx *tx, const struct worker_join *join,
		struct worker_row *ret_row)
{
	int64_t now_ms = clock_now_ms(context->clock);
	uint8_t hash[SECRET_HASH_SIZE];
	struct worker_token token;
	struct worker_row row;
	int r;

	secret_hash(join->token, hash);
	r = worker_store_token(tx, hash, &token);
	if (r == ROUTE_E_NOT_FOUND || (r == 0 && (token.used || token.expires_at_ms <= now_ms)))
		return WORKER_E_JOIN_TOKEN;
	if (r != 0)
		return r;
	if (!is_signed(join, hash))
		return WORKER_E_SIGNATURE;
	r = admit(tx, join, &token, now_ms);
	if (r == 0)
		r = worker_store_token_use(tx, token.id, join->machine, now_ms);
	if (r == 0)
		r = worker_store_get(tx, join->machine, &row);
	if (r == 0)
		r = worker_fleet_refresh_row(tx, &row);
	if (r == 0)
		r = tell_owner(context, tx, &row, "worker.joined");
	if (r == 0)
		*ret_row = row;
	return r;
}

/* ---- owning ---- */

int worker_of(struct tx *tx, struct account_id owner, struct machine_id machine,
	      struct worker_row *ret_row)
{
	struct worker_row row;
	int r;

	r = worker_store_get(tx, machine, &row);
	if (r != 0)
		return r;
	if (!account_equal(row.owner, owner))
		return ROUTE_E_NOT_FOUND;
	*ret_row = row;
	return 0;
}

static void forget_machine(void *arg)
{
	const struct machine_id *machine = arg;

	if (!worker_state.fleet)
		return;
	fleet_remove(worker_state.fleet, *machine);
	agents_drop(worker_state.agents, *machine, "this machine was removed");
}

int worker_remove(const struct context *context, struct tx *tx, const struct worker_row *row)
{
	struct machine_id *machine = arena_alloc(tx_arena(tx), sizeof(*machine));
	int r;

	if (!machine)
		return -ENOMEM;
	if (row->leases > 0)
		return WORKER_E_BUSY;
	*machine = row->machine;
	r = worker_store_remove(tx, row->machine);
	if (r == 0)
		r = tell_owner(context, tx, row, "worker.removed");
	if (r == 0)
		r = worker_touch(tx, row->machine);
	return r != 0 ? r : tx_on_commit(tx, forget_machine, machine);
}

const char *worker_state_word(const struct context *context, const struct worker_row *row)
{
	struct fleet_pulse pulse;

	fleet_pulse_of(worker_state.fleet, row->machine, &pulse);
	if (pulse.online)
		return "online";
	if (!pulse.heard && row->seen_at_ms == 0)
		return "joining";
	if (row->lost || pulse.silent_ms > context->settings->lost_after_ms)
		return "lost";
	return "offline";
}

/* ---- liveness ---- */

struct roll {
	int64_t lost_after_ms;
	struct arena *arena;
	struct worker_seen seen[SEEN_BATCH];
	struct machine_id turned[SEEN_BATCH]; /* silent for too long, or back from it */
	bool lost[SEEN_BATCH];
	size_t n_seen, n_turned, skip, passed;
};

/* The marks of @skip machines were written before: each turn takes the next batch. */
static void call_roll(void *arg, const struct fleet_machine *machine,
		      const struct fleet_pulse *pulse)
{
	struct roll *roll = arg;
	bool silent = pulse->silent_ms > roll->lost_after_ms;
	/* Lost is who was there before; back is who was heard, not who has time left to be. */
	bool turned = machine->lost ? pulse->heard && !silent
				    : silent && (pulse->heard || machine->seen);

	if (roll->passed++ < roll->skip || roll->passed > roll->skip + SEEN_BATCH)
		return;
	if (pulse->heard && pulse->silent_ms <= SEEN_RECENT_MS)
		roll->seen[roll->n_seen++] = (struct worker_seen){ machine->machine,
								   pulse->heard_at_ms,
								   pulse->engine_up };
	if (turned) {
		roll->lost[roll->n_turned] = silent;
		roll->turned[roll->n_turned++] = machine->machine;
	}
}

static int tx_seen(struct tx *tx, void *arg)
{
	const struct roll *roll = arg;

	return worker_store_seen(tx, roll->seen, roll->n_seen);
}

struct turn {
	const struct context *context;
	struct machine_id machine;
	bool lost;
};

static void wake_rentals(void *arg)
{
	job_wake(arg, "rentals");
}

static int tx_turn(struct tx *tx, void *arg)
{
	const struct turn *turn = arg;
	struct worker_row row;
	int r;

	r = worker_store_lost(tx, turn->machine, turn->lost ? WORKER_LOST : WORKER_HEARD);
	if (r == 0)
		r = lease_store_change_all(tx, turn->machine);
	if (r == 0)
		r = worker_store_get(tx, turn->machine, &row);
	if (r == 0)
		r = worker_fleet_refresh_row(tx, &row);
	if (r == 0)
		r = tell_owner(turn->context, tx, &row,
			       turn->lost ? "worker.lost" : "worker.returned");
	return r != 0 ? r : tx_on_commit(tx, wake_rentals, (void *)turn->context);
}

static int write_roll(const struct context *context, struct arena *arena, struct roll *roll)
{
	int r = 0;

	if (roll->n_seen > 0)
		r = db_run(context->db, TX_WRITE, arena, tx_seen, roll);
	for (size_t i = 0; r == 0 && i < roll->n_turned; i++) {
		struct turn turn = { context, roll->turned[i], roll->lost[i] };

		r = db_run(context->db, TX_WRITE, arena, tx_turn, &turn);
		/* Already so in the store, or removed: the index learns it with the next fill. */
		if (r == ROUTE_E_NOT_FOUND)
			r = 0;
	}
	return r;
}

int worker_liveness(const struct context *context, struct arena *arena)
{
	_cleanup_(freep) struct roll *roll = calloc(1, sizeof(*roll));
	int r = 0;

	if (!roll)
		return -ENOMEM;
	roll->lost_after_ms = context->settings->lost_after_ms;
	fleet_sweep(worker_state.fleet);
	do {
		roll->n_seen = roll->n_turned = roll->passed = 0;
		fleet_each(worker_state.fleet, call_roll, roll);
		r = write_roll(context, arena, roll);
		arena_reset(arena);
		roll->skip += SEEN_BATCH;
	} while (r == 0 && roll->passed > roll->skip);
	return r;
}

#include "modules/service/service_world.h"

#include "base/log.h"
#include "io/migrate.h"
#include "modules/billing/billing.h"
#include "modules/service/service.h"
#include "modules/service/service_jobs.h"
#include "modules/service/service_store.h"
#include "modules/worker/reports.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"

enum { HEARTBEAT_MS = 5000, SECOND_MS = 1000, DAY_MS = 86400000 };

int world_tx(struct world *world, enum tx_mode mode, db_fn *fn, void *arg)
{
	return store_run(&world->store, mode, fn, arg);
}

/* ---- machines ---- */

static struct machine_id machine_of(const struct world *world, size_t i)
{
	return (struct machine_id){ *secp_key_address(world->keys[i]) };
}

static size_t index_of(const struct world *world, struct machine_id machine)
{
	for (size_t i = 0; i < MACHINES; i++)
		if (machine_equal(machine_of(world, i), machine))
			return i;
	fail_msg("unknown machine");
	return 0;
}

void world_silence(struct world *world, struct machine_id machine, bool silent)
{
	world->silent[index_of(world, machine)] = silent;
}

static void hear(struct world *world)
{
	int64_t generation;

	for (size_t i = 0; i < MACHINES; i++)
		if (!world->silent[i])
			assert_true(fleet_heard(worker_state.fleet, machine_of(world, i), true,
						&generation));
	assert_int_equal(worker_liveness(&world->context, world->store.arena), 0);
}

void world_pass(struct world *world, int64_t ms)
{
	while (ms > 0) {
		int64_t step_ms = ms < HEARTBEAT_MS ? ms : HEARTBEAT_MS;

		/* What lies far ahead needs no heartbeat in between. */
		if (ms > DAY_MS / 24)
			step_ms = ms - DAY_MS / 24;
		world->clock.ms += step_ms;
		ms -= step_ms;
		hear(world);
	}
}

struct joining {
	struct world *world;
	size_t i;
};

static int join_fn(struct tx *tx, void *arg)
{
	struct joining *joining = arg;
	struct world *world = joining->world;
	struct machine_id machine = machine_of(world, joining->i);
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	struct worker_row row;
	int r;

	inventory.cpu_count = CPUS;
	inventory.memory_bytes = 64ull << 30;
	inventory.disk_bytes = 64ull << 30;
	r = worker_store_add(tx, machine, world->provider, "m", world->clock.ms);
	if (r == 0)
		r = report_inventory(tx, machine, &inventory);
	if (r == 0)
		r = worker_store_get(tx, machine, &row);
	if (r != 0)
		return r;
	row.core_hour.micro = CORE_HOUR_MICRO;
	r = worker_store_change(tx, &row);
	return r != 0 ? r : worker_fleet_refresh(tx, machine);
}

static void join_machines(struct world *world)
{
	for (size_t i = 0; i < MACHINES; i++) {
		struct joining joining = { world, i };

		assert_int_equal(world_tx(world, TX_WRITE, join_fn, &joining), 0);
	}
	hear(world);
}

/* ---- the tenant ---- */

struct call {
	struct world *world;
	struct rental_id id;
	struct order order;
	struct rental rental;
	const struct world_report *report;
	struct usage_statement usage;
	uint8_t signature[SIGNATURE_SIZE];
	struct amount amount;
	const char *text;
};

static int credit_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return billing_credit(&call->world->context, tx, call->world->tenant, call->amount,
			      call->text, NULL);
}

void world_credit(struct world *world, int64_t micro, const char *key)
{
	struct call call = { .world = world, .amount = { micro }, .text = key };

	assert_int_equal(world_tx(world, TX_WRITE, credit_fn, &call), 0);
}

static int order_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;
	const char *why;

	return rental_create(&call->world->context, tx, call->world->tenant, &call->order,
			     &call->id, &why);
}

int world_order(struct world *world, int64_t term_s, struct rental_id *ret_id)
{
	static int64_t port = 80;
	struct call call = { .world = world,
			     .order = { .image = "busybox",
					.ports = { &port, 1 },
					.cpu_milli = world->cpu_milli,
					.term_s = term_s,
					.stop_timeout_s = 10,
					.gpus = -1 } };
	struct field_error error;
	int r;

	assert_int_equal(order_resolve(&call.order, NULL, world->texts, &error), 0);
	r = world_tx(world, TX_WRITE, order_fn, &call);
	if (r == 0 && ret_id)
		*ret_id = call.id;
	return r;
}

static int rental_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return store_rental(tx, call->id, &call->rental);
}

struct rental world_rental(struct world *world, struct rental_id id)
{
	struct call call = { .world = world, .id = id };

	assert_int_equal(world_tx(world, TX_READ, rental_fn, &call), 0);
	return call.rental;
}

static int stop_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;
	int r = store_rental(tx, call->id, &call->rental);

	if (r == 0)
		r = rental_ask_stop(tx, &call->rental, RENTAL_STOPPED_BY_TENANT);
	return r != 0 ? r : rental_settle(&call->world->context, tx, call->id);
}

/* ---- through the routes ---- */

struct exchange {
	const struct route *route;
	struct request request;
	struct reply reply;
};

static int exchange_fn(struct tx *tx, void *arg)
{
	struct exchange *exchange = arg;

	exchange->request.arena = tx_arena(tx);
	json_decref(exchange->reply.body);
	exchange->reply = (struct reply){ .status = 200 };
	return exchange->route->handler(&exchange->request, tx, &exchange->reply);
}

static const struct route *find_route(enum http_method method, const char *path)
{
	const struct route *route = service_module.routes;

	while (route->handler && (route->method != method || strcmp(route->path, path) != 0))
		route++;
	assert_non_null(route->handler);
	return route;
}

static int decode(struct world *world, const struct body_shape *shape, const char *json,
		  const void **ret_struct)
{
	struct field_error error;
	void *to = shape->size ? arena_alloc(world->texts, shape->size) : NULL;

	*ret_struct = to;
	if (!shape->size)
		return 0;
	return field_decode(json, strlen(json), shape->fields, world->texts, to, &error);
}

int world_call(struct world *world, const struct world_call *call, json_t **ret_body)
{
	struct exchange exchange = {
		.route = find_route(call->method, call->path),
		.request = { .context = &world->context,
			     .caller = { .known = true, .account = call->account },
			     .params = { call->param },
			     .now_ms = world->clock.ms },
	};
	int r;

	arena_reset(world->texts);
	r = decode(world, &exchange.route->body, call->json ? call->json : "{}",
		   &exchange.request.body);
	if (r == 0)
		r = decode(world, &exchange.route->query, call->query ? call->query : "{}",
			   &exchange.request.query);
	if (r == 0)
		r = world_tx(world, exchange.route->tx, exchange_fn, &exchange);
	free(exchange.request.prepared);
	if (r == 0 && ret_body)
		*ret_body = exchange.reply.body;
	else
		json_decref(exchange.reply.body);
	return r == 0 ? exchange.reply.status : r;
}

int world_stop(struct world *world, struct rental_id id)
{
	struct call call = { .world = world, .id = id };

	return world_tx(world, TX_WRITE, stop_fn, &call);
}

static int settle_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return rental_settle(&call->world->context, tx, call->id);
}

int world_settle(struct world *world, struct rental_id id)
{
	struct call call = { .world = world, .id = id };

	return world_tx(world, TX_WRITE, settle_fn, &call);
}

void world_turn(struct world *world)
{
	assert_int_equal(service_rentals_run(&world->context, world->store.arena), 0);
}

/* ---- what machines say ---- */

static int report_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;
	const struct rental *rental = &call->rental;
	Wire__LeaseState state = WIRE__LEASE_STATE__INIT, *states = &state;
	Wire__Port port = WIRE__PORT__INIT, *ports = &port;
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	struct lease_report before;
	struct lease_row row;
	int r = lease_store_get(tx, rental->lease, &row, &before);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	port.container = 80;
	port.host = 40000;
	state.lease = (ProtobufCBinaryData){ sizeof(rental->lease.bytes),
					     (uint8_t *)rental->lease.bytes };
	state.generation = (uint64_t)row.generation;
	state.phase = (Wire__Phase)call->report->phase;
	state.reason = (char *)call->report->reason;
	state.exit_code = call->report->exit_code;
	if (call->report->phase >= WORKER_PHASE_RUNNING &&
	    call->report->phase != WORKER_PHASE_FAILED)
		state.started_at_ms = before.started_at_ms ? before.started_at_ms
							   : call->world->clock.ms;
	if (call->report->phase >= WORKER_PHASE_EXITED)
		state.ended_at_ms = call->world->clock.ms;
	state.n_ports = call->report->phase == WORKER_PHASE_RUNNING;
	state.ports = &ports;
	actual.n_leases = 1;
	actual.leases = &states;
	return report_actual(&call->world->context, tx, rental->machine, &actual);
}

void world_report(struct world *world, struct rental_id id, const struct world_report *report)
{
	struct call call = { .world = world, .rental = world_rental(world, id), .report = report };

	if (call.rental.placed)
		assert_int_equal(world_tx(world, TX_WRITE, report_fn, &call), 0);
}

static int usage_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;
	uint8_t receipt[SIGNATURE_SIZE];

	return billing_usage(&call->world->context, tx, &call->usage, call->signature,
			     &call->amount, receipt);
}

int world_usage(struct world *world, struct rental_id id, uint64_t sequence, int64_t seconds,
		bool final)
{
	struct rental rental = world_rental(world, id);
	struct call call = {
		.world = world,
		.usage = { .network = world->settings.network,
			   .machine = rental.machine,
			   .lease = rental.lease,
			   .rental = id,
			   .sequence = sequence,
			   .started_at_ms = rental.started_ms,
			   .until_ms = rental.started_ms + seconds * SECOND_MS,
			   .seconds = seconds,
			   .final = final },
	};
	uint8_t digest[SIGN_DIGEST_SIZE];

	usage_digest(&call.usage, digest);
	assert_int_equal(
		secp_sign(world->keys[index_of(world, rental.machine)], digest, call.signature), 0);
	return world_tx(world, TX_WRITE, usage_fn, &call);
}

/* ---- looking ---- */

int64_t world_count(struct world *world, const char *sql)
{
	return store_number(&world->store, sql);
}

static int available_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return billing_available(tx, call->world->tenant, &call->amount);
}

int64_t world_available(struct world *world)
{
	struct call call = { .world = world };

	assert_int_equal(world_tx(world, TX_READ, available_fn, &call), 0);
	return call.amount.micro;
}

static int ledger_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return billing_check(tx, &call->text);
}

static int history_fn(struct tx *tx, void *arg _unused_)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT from_state, to_state FROM rental_moves", SQL_NO_PARAMS, &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		const char *from = rows_text(rows, i, "from_state");

		if (*from &&
		    !moves_allow(&rental_moves, moves_find(&rental_moves, from),
				 moves_find(&rental_moves, rows_text(rows, i, "to_state"))))
			return -EINVAL;
	}
	return r;
}

/* Each of these counts what must not be. */
static const char *const wrongs[] = {
	"SELECT COUNT(*) AS n FROM workers w WHERE cpu_milli_used <> COALESCE((SELECT "
	"SUM(cpu_milli) FROM worker_leases l WHERE l.machine = w.machine AND l.released = 0), 0)",
	"SELECT COUNT(*) AS n FROM workers w WHERE disk_used <> COALESCE((SELECT "
	"SUM(disk_bytes) FROM worker_leases l WHERE l.machine = w.machine AND l.removed = 0), 0)",
	"SELECT COUNT(*) AS n FROM workers w WHERE memory_used <> COALESCE((SELECT "
	"SUM(memory_bytes) FROM worker_leases l WHERE l.machine = w.machine AND l.released = 0), "
	"0)",
	"SELECT COUNT(*) AS n FROM workers w WHERE leases <> (SELECT COUNT(*) FROM worker_leases l "
	"WHERE l.machine = w.machine AND l.removed = 0)",
	/* A machine is tried by the probe that lives there. */
	"SELECT COUNT(*) AS n FROM workers w WHERE trial IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "
	"rentals r WHERE r.lease = w.trial AND r.machine = w.machine AND r.probe = 1 AND "
	"r.ended_ms IS NULL)",
	"SELECT COUNT(*) AS n FROM rentals r WHERE probe = 1 AND ended_ms IS NULL AND NOT EXISTS "
	"(SELECT 1 FROM workers w WHERE w.trial = r.lease)",
	/* Resources are held by leases of live rentals alone. */
	"SELECT COUNT(*) AS n FROM worker_leases l WHERE released = 0 AND NOT EXISTS (SELECT 1 "
	"FROM rentals r WHERE r.lease = l.lease AND r.ended_ms IS NULL)",
	/* A live, placed rental holds its lease. */
	"SELECT COUNT(*) AS n FROM rentals r WHERE ended_ms IS NULL AND lease IS NOT NULL AND NOT "
	"EXISTS (SELECT 1 FROM worker_leases l WHERE l.lease = r.lease AND l.released = 0)",
	"SELECT COUNT(*) AS n FROM rentals WHERE attempts > 3",
	"SELECT COUNT(*) AS n FROM rentals WHERE ended_ms IS NOT NULL AND (reason = '' OR detail "
	"= '' OR state NOT IN ('stopped', 'failed', 'lost'))",
	"SELECT COUNT(*) AS n FROM rentals WHERE ended_ms IS NULL AND state IN ('stopped', "
	"'failed', 'lost')",
	/* Nobody is forgotten. */
	"SELECT COUNT(*) AS n FROM rentals WHERE (ended_ms IS NULL OR kept = 1) AND check_ms IS "
	"NULL",
	/* Every move is a row and an event. */
	"SELECT COUNT(*) AS n FROM rentals r WHERE n_moves <> (SELECT COUNT(*) FROM rental_moves m "
	"WHERE m.rental = r.id)",
	"SELECT (SELECT COUNT(*) FROM rental_moves m WHERE NOT EXISTS (SELECT 1 FROM rentals r "
	"WHERE "
	"r.id = m.rental AND r.probe = 1)) - (SELECT COUNT(*) FROM events WHERE type LIKE "
	"'rental.%') AS n",
	"SELECT COUNT(*) AS n FROM rental_moves WHERE to_state IN ('stopped', 'failed', 'lost') "
	"AND (reason = '' OR caused_by IN ('', 'none'))",
	/* Nothing stays held for a lease that is closed, nor charged where nothing ran. */
	"SELECT COUNT(*) AS n FROM billing_leases b WHERE closed_at_ms <> 0 AND held <> 0",
	"SELECT COUNT(*) AS n FROM billing_leases b WHERE closed_at_ms = 0 AND NOT EXISTS (SELECT "
	"1 FROM rentals r WHERE r.lease = b.lease AND r.ended_ms IS NULL)",
	"SELECT COUNT(*) AS n FROM billing_leases b WHERE charged <> 0 AND NOT EXISTS (SELECT 1 "
	"FROM rentals r WHERE r.lease = b.lease AND r.started_ms IS NOT NULL)",
};

void world_check(struct world *world)
{
	struct call call = { .world = world };

	assert_int_equal(world_tx(world, TX_READ, ledger_fn, &call), 0);
	if (call.text)
		fail_msg("ledger: %s", call.text);
	assert_int_equal(world_tx(world, TX_READ, history_fn, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++)
		if (world_count(world, wrongs[i]) != 0)
			fail_msg("%s", wrongs[i]);
}

void assert_state(struct world *world, struct rental_id id, enum rental_state state,
		  enum rental_reason reason)
{
	struct rental rental = world_rental(world, id);

	assert_string_equal(rental_moves.names[rental.state], rental_moves.names[state]);
	assert_string_equal(rental_reason_row(rental.reason)->name,
			    rental_reason_row(reason)->name);
}

/* ---- the stage ---- */

static void make_settings(struct world *world)
{
	world->settings = (struct settings){
		.network_key = world->network,
		.network = *secp_key_address(world->network),
		.fee_basis_points = 1000,
		.hold_seconds = 60,
		.keep_stopped_ms = DAY_MS,
		.heartbeat_ms = HEARTBEAT_MS,
		.offline_after_ms = 15000,
		.lost_after_ms = 60000,
		.place_deadline_ms = 30000,
		.pull_deadline_ms = 300000,
		.start_deadline_ms = 60000,
		.stop_deadline_ms = 15000,
	};
	world->context = (struct context){
		.clock = &world->clock.clock,
		.random = &world->random.random,
		.db = world->db,
		.settings = &world->settings,
	};
}

int world_open(void **state)
{
	struct world *world = *state;
	store_open(&world->store, world->store.kind);
	world->db = world->store.db;
	assert_int_equal(arena_new(4 << 20, &world->texts), 0);
	assert_int_equal(migrate(world->db, migrations, NULL), 0);
	clock_fake_init(&world->clock, START_MS);
	random_seeded_init(&world->random, 7);
	assert_int_equal(secp_key_generate(&world->random.random, &world->network), 0);
	for (size_t i = 0; i < MACHINES; i++)
		assert_int_equal(secp_key_generate(&world->random.random, &world->keys[i]), 0);
	memset(world->silent, 0, sizeof(world->silent));
	world->cpu_milli = 1000;
	memset(&world->tenant, 0x11, sizeof(world->tenant));
	memset(&world->provider, 0x77, sizeof(world->provider));
	make_settings(world);
	assert_int_equal(worker_module.start(&world->context), 0);
	join_machines(world);
	return 0;
}

int world_close(void **state)
{
	struct world *world = *state;

	worker_module.stop();
	store_close(&world->store);
	secp_key_free(world->network);
	for (size_t i = 0; i < MACHINES; i++)
		secp_key_free(world->keys[i]);
	arena_free(world->texts);
	return 0;
}

static const struct CMUnitTest *given;
static size_t n_given;

static int run_on(enum store_kind kind)
{
	struct world world = { .store = { .kind = kind } };
	struct CMUnitTest tests[32];

	/* Memory and file are one driver; memory is faster. */
	if (kind == STORE_FILE)
		return 0;
	print_message("%s\n", kind == STORE_MEMORY ? "in memory" : "on PostgreSQL");
	assert_true(n_given <= ARRAY_SIZE(tests));
	for (size_t i = 0; i < n_given; i++) {
		tests[i] = given[i];
		tests[i].initial_state = &world;
	}
	return _cmocka_run_group_tests("service", tests, n_given, NULL, NULL);
}

int world_run(const struct CMUnitTest *tests, size_t n)
{
	log_init(false, LOG_ERROR);
	given = tests;
	n_given = n;
	return store_each(run_on);
}

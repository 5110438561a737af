#include "modules/worker/worker_world.h"

#include "base/log.h"
#include "io/migrate.h"
#include "modules/worker/reports.h"

/* ---- calls ---- */

struct call {
	struct world *world;
	struct account_id account;
	struct lease_id lease;
	struct rental_id rental, *rentals;
	const struct worker_need *need;
	struct worker_placement *placement;
	struct worker_join join;
	struct worker_row row;
	struct worker_token_grant grant;
	struct worker_actual *actual;
	const Wire__Actual *said;
	const Wire__Inventory *inventory;
	size_t machine, n;
	enum worker_want want;
};

static int run(struct world *world, db_fn *fn, struct call *call)
{
	call->world = world;
	return store_run(&world->store, TX_WRITE, fn, call);
}

static int token_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_token_make(&call->world->context, tx, call->account, "rig", &call->grant);
}

void make_token(struct world *world, struct account_id account, char ret_token[static 64])
{
	struct call call = { .account = account };

	assert_int_equal(run(world, token_fn, &call), 0);
	memcpy(ret_token, call.grant.token, SECRET_TEXT_SIZE);
}

void sign_join(struct world *world, const char *token, size_t machine, struct worker_join *ret_join)
{
	struct join_statement statement = { .machine = world->machines[machine] };
	uint8_t digest[SIGN_DIGEST_SIZE];

	*ret_join = (struct worker_join){ .token = token, .machine = world->machines[machine] };
	secret_hash(token, statement.token_hash);
	join_digest(&statement, digest);
	assert_int_equal(secp_sign(world->keys[machine], digest, ret_join->signature), 0);
}

static int join_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_join(&call->world->context, tx, &call->join, &call->row);
}

int join(struct world *world, const struct worker_join *join)
{
	struct call call = { .join = *join };

	return run(world, join_fn, &call);
}

static int inventory_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return report_inventory(tx, call->world->machines[call->machine], call->inventory);
}

int report_gpus(struct world *world, size_t machine, size_t gpus, uint32_t cpus)
{
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	Wire__Gpu list[WORKER_GPUS_MAX], *pointers[WORKER_GPUS_MAX];
	char uuids[WORKER_GPUS_MAX][48];
	struct call call = { .machine = machine, .inventory = &inventory };

	inventory.cpu_count = cpus;
	inventory.memory_bytes = (uint64_t)(16 * GIB);
	inventory.disk_bytes = (uint64_t)(100 * GIB);
	for (size_t i = 0; i < gpus; i++) {
		wire__gpu__init(&list[i]);
		snprintf(uuids[i], sizeof(uuids[i]), "GPU-%zu-%zu", machine, i);
		list[i].uuid = uuids[i];
		list[i].model = (char *)"NVIDIA GeForce RTX 4090";
		list[i].memory_bytes = (uint64_t)(24 * GIB);
		pointers[i] = &list[i];
	}
	inventory.gpus = pointers;
	inventory.n_gpus = gpus;
	assert_null(inventory_check(&inventory));
	return run(world, inventory_fn, &call);
}

static int price_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;
	int r = worker_store_get(tx, call->world->machines[call->machine], &call->row);

	call->row.gpu_hour.micro = 500000;
	call->row.core_hour.micro = 20000;
	if (r == 0)
		r = worker_store_change(tx, &call->row);
	return r != 0 ? r : worker_fleet_refresh(tx, call->row.machine);
}

void hear(struct world *world, size_t machine)
{
	int64_t generation;

	assert_true(fleet_heard(worker_state.fleet, world->machines[machine], true, &generation));
}

void set_up_machine(struct world *world, size_t machine, size_t gpus)
{
	struct call call = { .machine = machine };
	char token[SECRET_TEXT_SIZE];
	struct worker_join joining;

	make_token(world, account_of(0x77), token);
	sign_join(world, token, machine, &joining);
	assert_int_equal(join(world, &joining), 0);
	assert_int_equal(report_gpus(world, machine, gpus, 8), 0);
	assert_int_equal(run(world, price_fn, &call), 0);
	hear(world, machine);
}

static int row_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_store_get(tx, call->world->machines[call->machine], &call->row);
}

struct worker_row row_of(struct world *world, size_t machine)
{
	struct call call = { .machine = machine };

	assert_int_equal(run(world, row_fn, &call), 0);
	return call.row;
}

struct worker_need need_of(int64_t gpus)
{
	return (struct worker_need){
		.gpus = gpus, .cpu_milli = 1000, .memory_bytes = GIB, .disk_bytes = GIB
	};
}

static int place_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_place(&call->world->context, tx, call->lease, call->rental, call->need,
			    call->placement);
}

int place(struct world *world, uint8_t lease, const struct worker_need *need,
	  struct worker_placement *ret_placement)
{
	struct call call = { .lease = lease_of(lease),
			     .rental = rental_of(lease),
			     .need = need,
			     .placement = ret_placement };

	return run(world, place_fn, &call);
}

static int start_fn(struct tx *tx, void *arg)
{
	static const char *command[] = { "sleep", "1" };
	static struct field_pair env[] = { { "A", "b" } };
	static const struct worker_port ports[] = { { 80, 0 } };
	static const struct worker_container container = {
		.image = "busybox",
		.command = { command, 2 },
		.env = { env, 1 },
		.cpu_milli = 1000,
		.memory_bytes = 1 << 30,
		.ports = ports,
		.n_ports = 1,
	};
	struct call *call = arg;

	return worker_lease_start(&call->world->context, tx, call->lease, &container);
}

int start_lease(struct world *world, uint8_t lease)
{
	struct call call = { .lease = lease_of(lease) };

	return run(world, start_fn, &call);
}

static int want_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_lease_want(&call->world->context, tx, call->lease, call->want);
}

int want_lease(struct world *world, uint8_t lease, enum worker_want want)
{
	struct call call = { .lease = lease_of(lease), .want = want };

	return run(world, want_fn, &call);
}

static int release_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_lease_release(&call->world->context, tx, call->lease);
}

int release_lease(struct world *world, uint8_t lease)
{
	struct call call = { .lease = lease_of(lease) };

	return run(world, release_fn, &call);
}

static int remove_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_lease_remove(&call->world->context, tx, call->lease);
}

int remove_lease(struct world *world, uint8_t lease)
{
	struct call call = { .lease = lease_of(lease) };

	return run(world, remove_fn, &call);
}

static int actual_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_lease_actual(&call->world->context, tx, call->lease, call->actual);
}

/* Texts are gone with the transaction's arena. */
int actual_of(struct world *world, uint8_t lease, struct worker_actual *ret_actual)
{
	struct call call = { .lease = lease_of(lease), .actual = ret_actual };
	int r = run(world, actual_fn, &call);

	ret_actual->reason = ret_actual->detail = NULL;
	return r;
}

static int changes_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return worker_changes_take(tx, 16, call->rentals, &call->n);
}

size_t take_changes(struct world *world, struct rental_id ret_rentals[static 16])
{
	struct call call = { .rentals = ret_rentals };

	assert_int_equal(run(world, changes_fn, &call), 0);
	return call.n;
}

static int say_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return report_actual(&call->world->context, tx, call->world->machines[call->machine],
			     call->said);
}

int say(struct world *world, size_t machine, uint8_t lease, int64_t generation,
	enum worker_phase phase, const char *reason)
{
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	Wire__LeaseState lease_state = WIRE__LEASE_STATE__INIT, *states[] = { &lease_state };
	Wire__Port port = WIRE__PORT__INIT, *ports[] = { &port };
	struct lease_id id = lease_of(lease);
	struct call call = { .machine = machine, .said = &actual };

	port.container = 80;
	port.host = 32768;
	lease_state.lease = (ProtobufCBinaryData){ sizeof(id.bytes), id.bytes };
	lease_state.generation = (uint64_t)generation;
	lease_state.phase = (Wire__Phase)phase;
	lease_state.reason = (char *)reason;
	lease_state.ports = ports;
	lease_state.n_ports = 1;
	actual.leases = states;
	actual.n_leases = 1;
	return run(world, say_fn, &call);
}

int say_nothing_left(struct world *world, size_t machine)
{
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	struct call call = { .machine = machine, .said = &actual };

	actual.complete = true;
	return run(world, say_fn, &call);
}

/* ---- the stage ---- */

struct account_id account_of(uint8_t byte)
{
	struct account_id account;

	memset(&account, byte, sizeof(account));
	return account;
}

struct lease_id lease_of(uint8_t byte)
{
	struct lease_id lease;

	memset(&lease, byte, sizeof(lease));
	return lease;
}

struct rental_id rental_of(uint8_t byte)
{
	struct rental_id rental;

	memset(&rental, byte, sizeof(rental));
	rental.bytes[0] ^= 0x80;
	return rental;
}

void world_restart(struct world *world)
{
	worker_module.stop();
	assert_int_equal(worker_module.start(&world->context), 0);
}

static enum store_kind kind;

int world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	store_open(&world->store, kind);
	assert_int_equal(migrate(world->store.db, migrations, NULL), 0);
	clock_fake_init(&world->clock, 1700000000000);
	random_seeded_init(&world->random, 42);
	assert_int_equal(secp_key_generate(&world->random.random, &world->network), 0);
	for (size_t i = 0; i < MACHINES; i++) {
		assert_int_equal(secp_key_generate(&world->random.random, &world->keys[i]), 0);
		world->machines[i].address = *secp_key_address(world->keys[i]);
	}
	world->settings = (struct settings){
		.url = "http://127.0.0.1:7070",
		.network_key = world->network,
		.network = *secp_key_address(world->network),
		.join_token_ms = 3600000,
		.heartbeat_ms = 5000,
		.charge_every_ms = 10000,
		.offline_after_ms = OFFLINE_MS,
		.lost_after_ms = LOST_MS,
	};
	world->context = (struct context){
		.clock = &world->clock.clock,
		.random = &random_system,
		.db = world->store.db,
		.settings = &world->settings,
	};
	assert_int_equal(worker_module.start(&world->context), 0);
	*state = world;
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
	free(world);
	return 0;
}

static const struct CMUnitTest *group;
static size_t group_n;

static int run_group(enum store_kind on)
{
	static const char *const names[] = { "file", "memory", "postgres" };

	kind = on;
	/* The macro wants an array. */
	return _cmocka_run_group_tests(names[on], group, group_n, NULL, NULL);
}

int world_run(const struct CMUnitTest *tests, size_t n)
{
	group = tests;
	group_n = n;
	log_init(false, LOG_ERROR);
	return store_each(run_group);
}

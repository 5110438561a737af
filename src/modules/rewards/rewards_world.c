#include "modules/rewards/rewards_world.h"

#include "base/log.h"
#include "io/migrate.h"
#include "wire/sign.h"

#define GIGABYTE INT64_C(1000000000)

/* ---- calls ---- */

struct call {
	struct world *world;
	const struct rig *rig;
	uint8_t id, owner;
	int64_t seconds, valid, wrong, number, hour, n_hours;
	bool banned, up;
	struct epoch_row row;
	enum epoch_text_kind kind;
	char *text;
};

static void run(struct world *world, enum tx_mode mode, db_fn *fn, struct call *call)
{
	call->world = world;
	assert_int_equal(store_run(&world->store, mode, fn, call), 0);
}

static struct address address_of(uint8_t kind, uint8_t id)
{
	struct address address = { { [0] = kind, [19] = id } };

	return address;
}

struct account_id account_of(uint8_t id)
{
	return (struct account_id){ address_of(0xaa, id) };
}

static struct sql_value sql_address(const struct address *address)
{
	return sql_blob(address->bytes, sizeof(address->bytes));
}

/* ---- machines ---- */

static int put_worker(struct tx *tx, const struct rig *rig)
{
	const struct address machine = address_of(1, rig->id), owner = address_of(0xaa, rig->id);

	return tx_exec(
		tx,
		"INSERT INTO workers (machine, owner, name, paused, gpu_hour, core_hour, quality,"
		" joined_at, lost, agent_version, revision, generation, cpu_count, cpu_model, os,"
		" kernel, engine, gpus, cpu_milli_total, cpu_milli_used, memory_total, memory_used,"
		" disk_total, disk_used, leases, address) VALUES ($1, $2, 'rig', 0, 0, 0, 500, 1, "
		"0,"
		" '', 0, 0, 64, '', '', '', '', 1, 64000, 0, $3, 0, $4, 0, 0, '')",
		SQL_PARAMS(sql_address(&machine), sql_address(&owner), sql_int(256 * GIGABYTE + 7),
			   sql_int(2000 * GIGABYTE + 7)),
		NULL);
}

/* At 640,000 kB/s of walks and 8,000 of filling a core; half of the memory, a 64th of the disk. */
static const struct worker_standing whole_host = { .fill_kbps = 512000,
						   .walk_kbps = 40960000,
						   .set_mib = 122071 },
				    whole_disk = { .set_mib = 29803 },
				    part_of_host = { .fill_kbps = 320000,
						     .walk_kbps = 40960000,
						     .set_mib = 61036 },
				    part_of_disk = { .set_mib = 7451 }, gpu = { 0 };

static int put_device(struct tx *tx, uint8_t id, const char *device, enum worker_device kind,
		      enum worker_standing_state state, const struct worker_standing *seen)
{
	const struct address machine = address_of(1, id);

	return tx_exec(
		tx,
		"INSERT INTO worker_devices (machine, device, kind, state, class,"
		" score_milli, matrix_mops, walk_kbps, set_mib, fill_kbps, down_kbps, up_kbps,"
		" checked_at, due_at, failures, proof, reason) VALUES ($1, $2, $3, $4, 0,"
		" 10000, 0, $5, $6, $7, 900999, 700999, 0, 0, 0, NULL, '')",
		SQL_PARAMS(sql_address(&machine), sql_text(device), sql_int(kind), sql_int(state),
			   sql_int(seen->walk_kbps), sql_int(seen->set_mib),
			   sql_int(seen->fill_kbps)),
		NULL);
}

static int put_hour(struct tx *tx, uint8_t id, int64_t hour, bool up)
{
	const struct address machine = address_of(1, id), checker = address_of(2, 1);
	struct worker_figures now;
	int r = worker_figures(tx, (struct machine_id){ machine }, &now);

	if (r == 0)
		r = tx_exec(
			tx,
			"INSERT INTO proof_hours (machine, hour, drawn, state, down_kbps, up_kbps,"
			" cores, gpu_milli, disk_bytes, memory_bytes)"
			" VALUES ($1, $2, 1, 1, $3, $4, $5, $6, $7, $8)",
			SQL_PARAMS(sql_address(&machine), sql_int(hour), sql_int(now.down_kbps),
				   sql_int(now.up_kbps), sql_int(now.cores), sql_int(now.gpu_milli),
				   sql_int(now.disk_bytes), sql_int(now.memory_bytes)),
			NULL);
	if (r == 0)
		r = tx_exec(tx,
			    "INSERT INTO proof_uptimes (machine, hour, checker, polls, answered,"
			    " signature) VALUES ($1, $2, $3, 20, $4, $3)",
			    SQL_PARAMS(sql_address(&machine), sql_int(hour), sql_address(&checker),
				       sql_int(up ? 20 : 18)),
			    NULL);
	return r;
}

static int hours_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	int r = 0;

	for (int64_t i = 0; r == 0 && i < call->n_hours; i++)
		r = put_hour(tx, call->id, WORLD_FROM_MS / 3600000 + call->hour + i, call->up);
	return r;
}

void add_hours(struct world *world, uint8_t id, int64_t first, int64_t n, bool up)
{
	struct call call = { .id = id, .hour = first, .n_hours = n, .up = up };

	run(world, TX_WRITE, hours_fn, &call);
}

static int gpu_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	const struct address machine = address_of(1, call->id);

	return tx_exec(tx, "UPDATE worker_devices SET state = $2 WHERE machine = $1 AND kind = 1",
		       SQL_PARAMS(sql_address(&machine), sql_int(WORKER_PROVED)), NULL);
}

void prove_gpu(struct world *world, uint8_t id)
{
	struct call call = { .id = id };

	run(world, TX_WRITE, gpu_fn, &call);
}

static int owner_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	const struct address machine = address_of(1, call->id);
	const struct address owner = address_of(0xaa, call->owner);

	return tx_exec(tx, "UPDATE workers SET owner = $2 WHERE machine = $1",
		       SQL_PARAMS(sql_address(&machine), sql_address(&owner)), NULL);
}

void set_owner(struct world *world, uint8_t id, uint8_t owner)
{
	struct call call = { .id = id, .owner = owner };

	run(world, TX_WRITE, owner_fn, &call);
}

static int job_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	const struct address machine = address_of(1, call->id);

	return tx_exec(tx,
		       "UPDATE billing_leases SET started_at_ms = $2, until_ms = $3,"
		       " closed_at_ms = $4, ended_at_ms = $3 WHERE machine = $1",
		       SQL_PARAMS(sql_address(&machine),
				  sql_int(WORLD_FROM_MS + call->hour * 3600000),
				  sql_int(WORLD_FROM_MS + (call->hour + call->n_hours) * 3600000),
				  sql_int(WORLD_FROM_MS + (call->hour + call->n_hours) * 3600000)),
		       NULL);
}

void set_job_time(struct world *world, uint8_t id, int64_t first, int64_t n)
{
	struct call call = { .id = id, .hour = first, .n_hours = n };

	run(world, TX_WRITE, job_fn, &call);
}

static int put_lease(struct tx *tx, const struct rig *rig)
{
	const struct address machine = address_of(1, rig->id), owner = address_of(0xaa, rig->id);
	const struct address tenant = rig->own_job ? owner : address_of(0xbb, rig->id);
	const uint8_t lease[16] = { rig->id };

	return tx_exec(
		tx,
		"INSERT INTO billing_leases (lease, rental, tenant, machine, provider, rate_hour,"
		" fee_basis_points, placed_at_ms, terms_signature, held, sequence, started_at_ms,"
		" until_ms, seconds, final, charged, fee, exhausted, closed_at_ms, ended_at_ms,"
		" billed) VALUES ($1, $1, $6, $3, $2, 3600, 0, 0, $4, 0, 1, 0, 1000, $5, 0, 0, 0, "
		"0,"
		" 0, 0, 1)",
		SQL_PARAMS(sql_blob(lease, 16), sql_address(&owner), sql_address(&machine),
			   sql_blob((const uint8_t[SIGNATURE_SIZE]){ 0 }, SIGNATURE_SIZE),
			   sql_int(rig->job_seconds), sql_address(&tenant)),
		NULL);
}

static int rig_fn(struct tx *tx, void *arg)
{
	const struct rig *rig = ((struct call *)arg)->rig;
	int r;

	r = put_worker(tx, rig);
	if (r == 0)
		r = put_device(tx, rig->id, "host", WORKER_DEVICE_HOST, rig->host,
			       rig->boasts ? &part_of_host : &whole_host);
	if (r == 0)
		r = put_device(tx, rig->id, "disk", WORKER_DEVICE_DISK, WORKER_PROVED,
			       rig->boasts ? &part_of_disk : &whole_disk);
	if (r == 0)
		r = put_device(tx, rig->id, "GPU-1", WORKER_DEVICE_GPU, rig->gpu, &gpu);
	if (r == 0)
		for (int64_t hour = 0; r == 0 && hour < rig->hours; hour++)
			r = put_hour(tx, rig->id, WORLD_FROM_MS / 3600000 - 1 + hour, true);
	return r != 0 || rig->job_seconds == 0 ? r : put_lease(tx, rig);
}

void add_rig(struct world *world, const struct rig *rig)
{
	struct call call = { .rig = rig };

	run(world, TX_WRITE, rig_fn, &call);
}

static int seconds_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	const struct address machine = address_of(1, call->id);

	return tx_exec(tx, "UPDATE billing_leases SET seconds = $2 WHERE machine = $1",
		       SQL_PARAMS(sql_address(&machine), sql_int(call->seconds)), NULL);
}

void set_job_seconds(struct world *world, uint8_t id, int64_t seconds)
{
	struct call call = { .id = id, .seconds = seconds };

	run(world, TX_WRITE, seconds_fn, &call);
}

/* ---- checkers ---- */

static int put_mark(struct tx *tx, uint8_t id, uint8_t session, int64_t mark)
{
	const struct address checker = address_of(2, id);
	const uint8_t bytes[16] = { session };

	return tx_exec(tx,
		       "INSERT INTO checker_marks (checker, session, at, mark, planted, cleared)"
		       " VALUES ($1, $2, $3, $4, 0, 0)",
		       SQL_PARAMS(sql_address(&checker), sql_blob(bytes, 16),
				  sql_int(WORLD_FROM_MS + 1), sql_int(mark)),
		       NULL);
}

static int checker_fn(struct tx *tx, void *arg)
{
	const struct call *call = arg;
	const struct address checker = address_of(2, call->id), owner = address_of(0xaa, call->id);
	int r;

	r = tx_exec(tx,
		    "INSERT INTO checkers (checker, account, name, licences, registered_at,"
		    " version, banned_until, ban_reason) VALUES ($1, $2, 'c', 2, 1, '', $3, '')",
		    SQL_PARAMS(sql_address(&checker), sql_address(&owner),
			       sql_int(call->banned ? INT64_MAX : 0)),
		    NULL);
	for (int64_t i = 0; r == 0 && i < call->valid; i++)
		r = put_mark(tx, call->id, (uint8_t)i, 1);
	for (int64_t i = 0; r == 0 && i < call->wrong; i++)
		r = put_mark(tx, call->id, (uint8_t)(call->valid + i), 2);
	return r;
}

void add_checker(struct world *world, uint8_t id, int64_t valid, int64_t wrong, bool banned)
{
	struct call call = { .id = id, .valid = valid, .wrong = wrong, .banned = banned };

	run(world, TX_WRITE, checker_fn, &call);
}

/* ---- rewards ---- */

void forget(struct world *world)
{
	static const char *const tables[] = { "reward_payees", "reward_jobtimes", "reward_pages",
					      "reward_epochs" };
	char sql[64];

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(sql, sizeof(sql), "DELETE FROM %s", tables[i]);
		store_exec(&world->store, sql);
	}
	clock_fake_init(&world->clock, WORLD_FROM_MS);
	closing_begin(&world->context);
	assert_int_equal(closing_step(&world->context), CLOSING_IDLE);
}

size_t settle(struct world *world)
{
	size_t deaths = 0;
	int r = 0;

	for (int steps = 0; r != CLOSING_IDLE; steps++) {
		assert_true(steps < 1000);
		r = closing_step(&world->context);
		if (r < 0)
			deaths++;
	}
	return deaths;
}

static int row_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return rewards_store_get(tx, call->number, &call->row);
}

struct epoch_row row_of(struct world *world, int64_t number)
{
	struct call call = { .number = number };

	run(world, TX_READ, row_fn, &call);
	return call.row;
}

static int text_fn(struct tx *tx, void *arg)
{
	struct call *call = arg;

	return rewards_store_text(
		tx, call->number, call->kind,
		call->kind == TEXT_RECORDS ? &call->row.records : &call->row.payouts, call->text);
}

char *text_of(struct world *world, int64_t number, enum epoch_text_kind kind)
{
	struct call call = { .number = number, .kind = kind, .row = row_of(world, number) };
	int64_t bytes = kind == TEXT_RECORDS ? call.row.records.bytes : call.row.payouts.bytes;

	call.text = calloc(1, (size_t)bytes + 1);
	assert_non_null(call.text);
	run(world, TX_READ, text_fn, &call);
	return call.text;
}

/* ---- the stage ---- */

static enum store_kind kind;

int world_open(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	store_open(&world->store, kind);
	if (migrate(world->store.db, migrations, NULL) < 0)
		return -1;
	world->settings = (struct settings){
		.watch_hour_ms = 3600000,
		.epoch_ms = WORLD_EPOCH_MS,
		.epoch_workers_tokens = 1000,
		.epoch_checkers_tokens = 500,
		.rewards_ratio_basis_points = 3000,
		.rewards_commission_basis_points = 1000,
		.rewards_max_stake_tokens = 100,
	};
	world->context = (struct context){ .clock = &world->clock.clock,
					   .random = &random_system,
					   .db = world->store.db,
					   .settings = &world->settings };
	forget(world);
	*state = world;
	return 0;
}

int world_close(void **state)
{
	struct world *world = *state;

	store_close(&world->store);
	free(world);
	return 0;
}

static const struct CMUnitTest *group;
static size_t group_n;

static int run_group(enum store_kind which)
{
	kind = which;
	return _cmocka_run_group_tests("rewards", group, group_n, NULL, NULL);
}

int world_run(const struct CMUnitTest *tests, size_t n)
{
	log_init(false, LOG_ERROR);
	group = tests;
	group_n = n;
	return store_each(run_group);
}

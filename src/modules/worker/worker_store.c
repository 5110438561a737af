#include "modules/worker/worker_store.h"

#include "io/store_values.h"

#define ROW                                                                                       \
	"machine, owner, name, paused, gpu_hour, core_hour, quality, joined_at, seen_at, lost,"   \
	" agent_version, revision, generation, inventory_hash, cpu_count, cpu_model, os, kernel," \
	" engine, gpus, cpu_milli_total, cpu_milli_used, memory_total, memory_used, disk_total,"  \
	" disk_used, leases, address, proved, proof_port, proof_address, trial"

static int read_inventory(const struct sql_rows *rows, size_t i, struct worker_inventory *ret)
{
	*ret = (struct worker_inventory){
		.cpu_count = rows_int(rows, i, "cpu_count"),
		.cpu_milli = rows_int(rows, i, "cpu_milli_total"),
		.memory_bytes = rows_int(rows, i, "memory_total"),
		.disk_bytes = rows_int(rows, i, "disk_total"),
		.gpus = rows_int(rows, i, "gpus"),
		.cpu_model = rows_text(rows, i, "cpu_model"),
		.os = rows_text(rows, i, "os"),
		.kernel = rows_text(rows, i, "kernel"),
		.engine = rows_text(rows, i, "engine"),
		.address = rows_text(rows, i, "address"),
		.proof_port = rows_int(rows, i, "proof_port"),
		.proof_address = rows_text(rows, i, "proof_address"),
	};
	return rows_bytes(rows, i, "inventory_hash", ret->hash, sizeof(ret->hash));
}

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct worker_row *ret = ret_item;
	int r;

	*ret = (struct worker_row){
		.name = rows_text(rows, i, "name"),
		.agent_version = rows_text(rows, i, "agent_version"),
		.paused = rows_int(rows, i, "paused"),
		.lost = rows_int(rows, i, "lost"),
		.proved = rows_int(rows, i, "proved"),
		.gpu_hour = { rows_int(rows, i, "gpu_hour") },
		.core_hour = { rows_int(rows, i, "core_hour") },
		.quality = rows_int(rows, i, "quality"),
		.joined_at_ms = rows_int(rows, i, "joined_at"),
		.seen_at_ms = rows_int(rows, i, "seen_at"),
		.revision = rows_int(rows, i, "revision"),
		.generation = rows_int(rows, i, "generation"),
		.leases = rows_int(rows, i, "leases"),
		.cpu_milli_used = rows_int(rows, i, "cpu_milli_used"),
		.memory_used = rows_int(rows, i, "memory_used"),
		.disk_used = rows_int(rows, i, "disk_used"),
		.tried = !rows_null(rows, i, "trial"),
	};
	r = rows_bytes(rows, i, "machine", &ret->machine, sizeof(ret->machine));
	if (r == 0)
		r = rows_bytes(rows, i, "owner", &ret->owner, sizeof(ret->owner));
	if (r == 0)
		r = rows_bytes(rows, i, "trial", &ret->trial, sizeof(ret->trial));
	if (r == 0)
		r = read_inventory(rows, i, &ret->inventory);
	return r;
}

static const struct row_reader row_reader = { sizeof(struct worker_row), read_row };

int worker_store_get(struct tx *tx, struct machine_id machine, struct worker_row *ret_row)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT " ROW " FROM workers WHERE machine = $1",
		     SQL_PARAMS(sql_machine(&machine)), &rows);
	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? read_row(rows, 0, ret_row) : ROUTE_E_NOT_FOUND;
}

int worker_store_add(struct tx *tx, struct machine_id machine, struct account_id owner,
		     const char *name, int64_t now_ms)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO workers (" ROW ") VALUES ($1, $2, $3, 0, 0, 0, 500, $4, NULL, 0, '',"
		" 0, 0, NULL, 0, '', '', '', '', 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, '', NULL)",
		SQL_PARAMS(sql_machine(&machine), sql_account(&owner), sql_text(name),
			   sql_int(now_ms)),
		NULL));
}

int worker_store_rename(struct tx *tx, struct machine_id machine, const char *name)
{
	return no_conflict(tx_exec(tx, "UPDATE workers SET name = $2 WHERE machine = $1",
				   SQL_PARAMS(sql_machine(&machine), sql_text(name)), NULL));
}

int worker_store_count(struct tx *tx, struct account_id owner, int64_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, "SELECT COUNT(*) AS n FROM workers WHERE owner = $1",
		     SQL_PARAMS(sql_account(&owner)), &rows);
	if (r != 0)
		return no_conflict(r);
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

int worker_store_list(struct tx *tx, const struct account_id *owner, struct machine_id after,
		      size_t max, struct worker_row **ret_rows, size_t *ret_n)
{
	if (owner)
		return tx_select(
			tx,
			"SELECT " ROW " FROM workers WHERE owner = $1 AND machine > $2"
			" ORDER BY machine LIMIT $3",
			SQL_PARAMS(sql_account(owner), sql_machine(&after), sql_int((int64_t)max)),
			&row_reader, ret_rows, ret_n);
	return tx_select(tx,
			 "SELECT " ROW " FROM workers WHERE machine > $1"
			 " ORDER BY machine LIMIT $2",
			 SQL_PARAMS(sql_machine(&after), sql_int((int64_t)max)), &row_reader,
			 ret_rows, ret_n);
}

int worker_store_change(struct tx *tx, const struct worker_row *row)
{
	return no_conflict(
		tx_exec(tx,
			"UPDATE workers SET name = $2, gpu_hour = $3, core_hour = $4, paused = $5,"
			" revision = revision + 1 WHERE machine = $1",
			SQL_PARAMS(sql_machine(&row->machine), sql_text(row->name),
				   sql_int(row->gpu_hour.micro), sql_int(row->core_hour.micro),
				   sql_int(row->paused)),
			NULL));
}

int worker_store_remove(struct tx *tx, struct machine_id machine)
{
	static const char *const statements[] = {
		"DELETE FROM worker_leases WHERE machine = $1",
		"DELETE FROM worker_gpus WHERE machine = $1",
		"DELETE FROM worker_devices WHERE machine = $1",
		"DELETE FROM workers WHERE machine = $1",
	};

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		int r = tx_exec(tx, statements[i], SQL_PARAMS(sql_machine(&machine)), NULL);

		if (r != 0)
			return no_conflict(r);
	}
	return 0;
}

int worker_store_greet(struct tx *tx, struct machine_id machine, const char *version,
		       int64_t now_ms)
{
	return no_conflict(tx_exec(
		tx,
		"UPDATE workers SET agent_version = $2, seen_at = $3, lost = 0"
		" WHERE machine = $1",
		SQL_PARAMS(sql_machine(&machine), sql_text(version), sql_int(now_ms)), NULL));
}

int worker_store_seen(struct tx *tx, const struct worker_seen *seen, size_t n)
{
	struct sql_value *params = arena_array(tx_arena(tx), n * 3 + 1, sizeof(*params));

	if (!params)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		params[i * 3] = sql_machine(&seen[i].machine);
		params[i * 3 + 1] = sql_int(seen[i].at_ms);
		params[i * 3 + 2] = sql_int(seen[i].engine_up);
	}
	return no_conflict(tx_exec_many(
		tx, "UPDATE workers SET seen_at = $2, engine_up = $3 WHERE machine = $1", params, 3,
		n));
}

int worker_store_touch(struct tx *tx, struct machine_id machine, int64_t now_ms)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO worker_touched (machine, at) VALUES ($1, $2) "
				   "ON CONFLICT (machine) DO UPDATE SET at = excluded.at",
				   SQL_PARAMS(sql_machine(&machine), sql_int(now_ms)), NULL));
}

int worker_store_touched_purge(struct tx *tx, int64_t before_ms)
{
	return no_conflict(tx_exec(tx, "DELETE FROM worker_touched WHERE at < $1",
				   SQL_PARAMS(sql_int(before_ms)), NULL));
}

static int read_touch(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct worker_touch *ret = ret_item;

	ret->at_ms = rows_int(rows, i, "at");
	return rows_bytes(rows, i, "machine", &ret->machine, sizeof(ret->machine));
}

int worker_store_touched(struct tx *tx, int64_t since_ms, size_t max,
			 struct worker_touch **ret_touched, size_t *ret_n)
{
	static const struct row_reader reader = { sizeof(struct worker_touch), read_touch };

	return no_conflict(tx_select(tx,
				     "SELECT machine, at FROM worker_touched WHERE at > $1 "
				     "ORDER BY at LIMIT $2",
				     SQL_PARAMS(sql_int(since_ms), sql_int((int64_t)max)), &reader,
				     ret_touched, ret_n));
}

static int read_seen(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct worker_seen *ret = ret_item;

	ret->at_ms = rows_int(rows, i, "seen_at");
	ret->engine_up = rows_int(rows, i, "engine_up");
	return rows_bytes(rows, i, "machine", &ret->machine, sizeof(ret->machine));
}

int worker_store_seen_since(struct tx *tx, int64_t since_ms, size_t max,
			    struct worker_seen **ret_seen, size_t *ret_n)
{
	static const struct row_reader reader = { sizeof(struct worker_seen), read_seen };

	return no_conflict(tx_select(tx,
				     "SELECT machine, seen_at, engine_up FROM workers "
				     "WHERE seen_at > $1 ORDER BY seen_at LIMIT $2",
				     SQL_PARAMS(sql_int(since_ms), sql_int((int64_t)max)), &reader,
				     ret_seen, ret_n));
}

int worker_store_lost(struct tx *tx, struct machine_id machine, enum worker_lost lost)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE workers SET lost = $2, revision = revision + 1"
			  " WHERE machine = $1 AND lost <> $2",
			  SQL_PARAMS(sql_machine(&machine), sql_int(lost == WORKER_LOST)));
}

int worker_store_quality(struct tx *tx, struct machine_id machine, int64_t quality)
{
	return no_conflict(tx_exec(
		tx, "UPDATE workers SET quality = $2, revision = revision + 1 WHERE machine = $1",
		SQL_PARAMS(sql_machine(&machine), sql_int(quality)), NULL));
}

int worker_store_inventory(struct tx *tx, struct machine_id machine,
			   const struct worker_inventory *inventory, const struct worker_gpu *gpus)
{
	int r;

	r = tx_exec(tx,
		    "UPDATE workers SET inventory_hash = $2, cpu_count = $3, cpu_milli_total = $4,"
		    " memory_total = $5, disk_total = $6, gpus = $7, cpu_model = $8, os = $9,"
		    " kernel = $10, engine = $11, address = $12, proof_port = $13, proof_address = "
		    "$14, revision = "
		    "revision + 1"
		    " WHERE machine = $1",
		    SQL_PARAMS(sql_machine(&machine),
			       sql_blob(inventory->hash, sizeof(inventory->hash)),
			       sql_int(inventory->cpu_count), sql_int(inventory->cpu_milli),
			       sql_int(inventory->memory_bytes), sql_int(inventory->disk_bytes),
			       sql_int(inventory->gpus), sql_text(inventory->cpu_model),
			       sql_text(inventory->os), sql_text(inventory->kernel),
			       sql_text(inventory->engine), sql_text(inventory->address),
			       sql_int(inventory->proof_port), sql_text(inventory->proof_address)),
		    NULL);
	if (r != 0)
		return no_conflict(r);
	r = worker_store_gpus_put(tx, machine, gpus, (size_t)inventory->gpus);
	if (r == 0)
		r = worker_store_devices_put(tx, machine, gpus, (size_t)inventory->gpus);
	return r;
}

int worker_store_next(struct tx *tx, struct machine_id machine, int64_t *ret_generation)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "UPDATE workers SET generation = generation + 1 WHERE machine = $1"
		     " RETURNING generation",
		     SQL_PARAMS(sql_machine(&machine)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_generation = rows_int(rows, 0, "generation");
	return 0;
}

/* ---- taking and giving back ---- */

#define ROOM                                                                 \
	"paused = 0 AND lost = 0 AND cpu_milli_used + $2 <= cpu_milli_total" \
	" AND memory_used + $3 <= memory_total AND disk_used + $4 <= disk_total"

#define TAKE(conditions)                                                                           \
	"UPDATE workers SET cpu_milli_used = cpu_milli_used + $2, memory_used = memory_used + $3," \
	" disk_used = disk_used + $4, leases = leases + 1, revision = revision + 1"                \
	" WHERE machine = $1 AND " ROOM " AND leases < 256 AND proved >= $6 AND " conditions       \
	" RETURNING " ROW

int worker_store_take(struct tx *tx, struct machine_id machine, const struct worker_share *share,
		      struct worker_row *ret_row)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     share->gpus > 0 ? TAKE("gpu_hour > 0 AND gpu_hour <= $5")
				     : TAKE("gpus = 0 AND core_hour > 0 AND core_hour <= $5"),
		     SQL_PARAMS(sql_machine(&machine), sql_int(share->cpu_milli),
				sql_int(share->memory_bytes), sql_int(share->disk_bytes),
				sql_int(share->price_max), sql_int(share->proved)),
		     &rows);
	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? read_row(rows, 0, ret_row) : WORKER_E_NO_CAPACITY;
}

int worker_store_try(struct tx *tx, struct machine_id machine, struct lease_id lease,
		     const struct worker_share *share, struct worker_row *ret_row)
{
	struct sql_rows *rows;
	int r;

	/* One lease fewer than tenants may have: a trial is never the one too many. */
	r = tx_query(tx,
		     "UPDATE workers SET trial = $5, leases = leases + 1, revision = revision + 1"
		     " WHERE machine = $1 AND " ROOM " AND leases < 255 AND trial IS NULL"
		     " RETURNING " ROW,
		     SQL_PARAMS(sql_machine(&machine), sql_int(share->cpu_milli),
				sql_int(share->memory_bytes), sql_int(share->disk_bytes),
				sql_lease(&lease)),
		     &rows);
	if (r != 0)
		return no_conflict(r);
	return rows_count(rows) ? read_row(rows, 0, ret_row) : WORKER_E_NO_CAPACITY;
}

int worker_store_give(struct tx *tx, struct machine_id machine, struct lease_id lease,
		      const struct worker_share *share, int64_t leases)
{
	return no_conflict(
		tx_exec(tx,
			"UPDATE workers SET cpu_milli_used = cpu_milli_used - $2,"
			" memory_used = memory_used - $3, disk_used = disk_used - $4,"
			" leases = leases - $5, revision = revision + 1,"
			" trial = CASE WHEN trial = $6 THEN NULL ELSE trial END WHERE machine = $1",
			SQL_PARAMS(sql_machine(&machine), sql_int(share->cpu_milli),
				   sql_int(share->memory_bytes), sql_int(share->disk_bytes),
				   sql_int(leases), sql_lease(&lease)),
			NULL));
}

/* ---- for the index ---- */

/* A machine that shrank may hold more than it has: then nothing is free. */
static int64_t free_of(int64_t total, int64_t used)
{
	return total > used ? total - used : 0;
}

static struct fleet_machine fleet_row(const struct worker_row *row)
{
	return (struct fleet_machine){
		.machine = row->machine,
		.owner = row->owner,
		.revision = row->revision,
		.generation = row->generation,
		.paused = row->paused,
		.lost = row->lost,
		.unproved = !row->proved,
		.seen = row->seen_at_ms != 0,
		.gpu_hour = row->gpu_hour.micro,
		.core_hour = row->core_hour.micro,
		.cpu_milli = free_of(row->inventory.cpu_milli, row->cpu_milli_used),
		.memory_bytes = free_of(row->inventory.memory_bytes, row->memory_used),
		.disk_bytes = free_of(row->inventory.disk_bytes, row->disk_used),
		.quality = row->quality,
	};
}

static void add_gpus(struct fleet_machine *machine, const struct sql_rows *rows, size_t i)
{
	struct fleet_gpus *gpus;

	if (machine->n_gpus == FLEET_KINDS_MAX)
		return;
	gpus = &machine->gpus[machine->n_gpus++];
	snprintf(gpus->model, sizeof(gpus->model), "%s", rows_text(rows, i, "model"));
	gpus->total = rows_int(rows, i, "total");
	gpus->free = gpus->total - rows_int(rows, i, "taken");
	gpus->memory_bytes = rows_int(rows, i, "memory_bytes");
}

#define MODELS                                                             \
	"SELECT machine, model, COUNT(*) AS total, COUNT(lease) AS taken," \
	" MIN(memory_bytes) AS memory_bytes FROM worker_gpus WHERE present = 1 AND "
#define BY_MODEL " GROUP BY machine, model ORDER BY machine, model"

int worker_store_fleet_one(struct tx *tx, const struct worker_row *row,
			   struct fleet_machine *ret_machine)
{
	struct fleet_machine machine = fleet_row(row);
	struct sql_rows *rows;
	int r;

	if (row->inventory.gpus > 0) {
		r = tx_query(tx, MODELS "machine = $1" BY_MODEL,
			     SQL_PARAMS(sql_machine(&row->machine)), &rows);
		if (r != 0)
			return no_conflict(r);
		for (size_t i = 0; i < rows_count(rows); i++)
			add_gpus(&machine, rows, i);
	}
	*ret_machine = machine;
	return 0;
}

static int add_all_gpus(struct tx *tx, struct fleet_machine *machines, size_t n)
{
	struct machine_id machine;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, MODELS "machine >= $1 AND machine <= $2" BY_MODEL,
		     SQL_PARAMS(sql_machine(&machines[0].machine),
				sql_machine(&machines[n - 1].machine)),
		     &rows);
	if (r != 0)
		return no_conflict(r);
	for (size_t i = 0, at = 0; i < rows_count(rows); i++) {
		r = rows_bytes(rows, i, "machine", &machine, sizeof(machine));
		if (r < 0)
			return r;
		while (at < n && !machine_equal(machines[at].machine, machine))
			at++;
		if (at == n)
			return -EIO;
		add_gpus(&machines[at], rows, i);
	}
	return 0;
}

int worker_store_fleet(struct tx *tx, struct machine_id after, size_t max,
		       struct fleet_machine **ret_machines, size_t *ret_n)
{
	struct fleet_machine *machines;
	struct worker_row *rows;
	size_t n;
	int r;

	r = worker_store_list(tx, NULL, after, max, &rows, &n);
	if (r != 0)
		return r;
	machines = arena_array(tx_arena(tx), n + 1, sizeof(*machines));
	if (!machines)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		machines[i] = fleet_row(&rows[i]);
	r = n > 0 ? add_all_gpus(tx, machines, n) : 0;
	if (r != 0)
		return r;
	*ret_machines = machines;
	*ret_n = n;
	return 0;
}

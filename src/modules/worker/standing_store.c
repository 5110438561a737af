/* The statements on what proofs say of devices (worker_store.h). */
#include "modules/worker/worker_store.h"

#include "io/store_values.h"

static const char *key_of(enum worker_device kind, const char *uuid)
{
	return kind == WORKER_DEVICE_HOST ? "host" : kind == WORKER_DEVICE_DISK ? "disk" : uuid;
}

static int add(struct tx *tx, struct machine_id machine, enum worker_device kind, const char *uuid)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO worker_devices (machine, device, kind, state, class, score_milli,"
		" matrix_mops, walk_kbps, set_mib, fill_kbps, down_kbps, up_kbps, checked_at,"
		" due_at, failures, proof, reason)"
		" VALUES ($1, $2, $3, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, '')"
		" ON CONFLICT (machine, device) DO NOTHING",
		SQL_PARAMS(sql_machine(&machine), sql_text(key_of(kind, uuid)), sql_int(kind)),
		NULL));
}

/* Only what the machine shows counts: the host, and the GPUs that are present. */
static int settle(struct tx *tx, struct machine_id machine)
{
	return no_conflict(tx_exec(
		tx,
		"UPDATE workers SET proved = CASE WHEN (SELECT COUNT(*) FROM worker_devices d"
		" WHERE d.machine = $1 AND d.kind IN (1, 2) AND d.state = 1) ="
		" 1 + (SELECT COUNT(*) FROM worker_gpus g WHERE g.machine = $1 AND g.present = 1)"
		" THEN 1 ELSE 0 END, revision = revision + 1 WHERE machine = $1",
		SQL_PARAMS(sql_machine(&machine)), NULL));
}

int worker_store_devices_put(struct tx *tx, struct machine_id machine,
			     const struct worker_gpu *gpus, size_t n)
{
	int r;

	r = tx_exec(tx,
		    "DELETE FROM worker_devices WHERE machine = $1 AND kind = 1 AND device NOT IN"
		    " (SELECT uuid FROM worker_gpus WHERE machine = $1 AND present = 1)",
		    SQL_PARAMS(sql_machine(&machine)), NULL);
	if (r == 0)
		r = add(tx, machine, WORKER_DEVICE_HOST, "");
	if (r == 0)
		r = add(tx, machine, WORKER_DEVICE_DISK, "");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add(tx, machine, WORKER_DEVICE_GPU, gpus[i].uuid);
	return r != 0 ? no_conflict(r) : settle(tx, machine);
}

int worker_store_standing(struct tx *tx, struct machine_id machine, enum worker_device kind,
			  const char *uuid, const struct worker_standing *s)
{
	int r;

	r = changed_or(
		ROUTE_E_NOT_FOUND, tx,
		"UPDATE worker_devices SET state = $3, class = $4, score_milli = $5,"
		" matrix_mops = $6, walk_kbps = $7, set_mib = $8, down_kbps = $9,"
		" up_kbps = $10, checked_at = $11, due_at = $12, failures = $13,"
		" proof = $14, reason = $15, fill_kbps = $16 WHERE machine = $1 AND device = $2",
		SQL_PARAMS(sql_machine(&machine), sql_text(key_of(kind, uuid)), sql_int(s->state),
			   sql_int(s->class_), sql_int(s->score_milli), sql_int(s->matrix_mops),
			   sql_int(s->walk_kbps), sql_int(s->set_mib), sql_int(s->down_kbps),
			   sql_int(s->up_kbps), sql_int(s->checked_at_ms), sql_int(s->due_at_ms),
			   sql_int(s->failures), sql_blob(s->proof, sizeof(s->proof)),
			   sql_text(s->reason ? s->reason : ""), sql_int(s->fill_kbps)));
	return r != 0 ? r : settle(tx, machine);
}

#define DEVICES                                                                                  \
	"SELECT d.machine AS machine, w.owner AS owner, d.kind AS kind, d.device AS device,"     \
	" d.state AS state, d.class AS class, d.score_milli AS score_milli,"                     \
	" d.matrix_mops AS matrix_mops, d.walk_kbps AS walk_kbps, d.set_mib AS set_mib,"         \
	" d.fill_kbps AS fill_kbps,"                                                             \
	" d.down_kbps AS down_kbps, d.up_kbps AS up_kbps, d.checked_at AS checked_at,"           \
	" d.due_at AS due_at, d.failures AS failures, d.proof AS proof, d.reason AS reason,"     \
	" CASE w.proof_address WHEN '' THEN w.address ELSE w.proof_address END AS address, "     \
	"w.proof_port AS proof_port,"                                                            \
	" g.model AS model, g.ordinal AS ordinal, CASE d.kind WHEN 1 THEN g.memory_bytes"        \
	" WHEN 2 THEN w.memory_total ELSE w.disk_total END AS memory_bytes, w.leases AS leases," \
	" CASE d.kind WHEN 1 THEN COALESCE(g.lease, g.trial) ELSE (SELECT l.lease FROM "         \
	"worker_leases l"                                                                        \
	" WHERE l.machine = d.machine AND l.released = 0 ORDER BY l.lease LIMIT 1) END AS lease" \
	" FROM worker_devices d JOIN workers w ON w.machine = d.machine LEFT JOIN worker_gpus g" \
	" ON g.machine = d.machine AND g.uuid = d.device "

static int read_device(const struct sql_rows *rows, size_t i, struct worker_proof_device *ret)
{
	int r;

	*ret = (struct worker_proof_device){
		.device = (enum worker_device)rows_int(rows, i, "kind"),
		.ordinal = rows_int(rows, i, "ordinal"),
		.memory_bytes = rows_int(rows, i, "memory_bytes"),
		.address = rows_text(rows, i, "address"),
		.proof_port = rows_int(rows, i, "proof_port"),
		.rented = !rows_null(rows, i, "lease"),
		.standing = {
			.state = (enum worker_standing_state)rows_int(rows, i, "state"),
			.class_ = rows_int(rows, i, "class"),
			.score_milli = rows_int(rows, i, "score_milli"),
			.matrix_mops = rows_int(rows, i, "matrix_mops"),
			.walk_kbps = rows_int(rows, i, "walk_kbps"),
			.set_mib = rows_int(rows, i, "set_mib"),
			.fill_kbps = rows_int(rows, i, "fill_kbps"),
			.down_kbps = rows_int(rows, i, "down_kbps"),
			.up_kbps = rows_int(rows, i, "up_kbps"),
			.checked_at_ms = rows_int(rows, i, "checked_at"),
			.due_at_ms = rows_int(rows, i, "due_at"),
			.failures = rows_int(rows, i, "failures"),
			.reason = rows_text(rows, i, "reason"),
		},
	};
	if (ret->device == WORKER_DEVICE_GPU) {
		snprintf(ret->uuid, sizeof(ret->uuid), "%s", rows_text(rows, i, "device"));
		if (!rows_null(rows, i, "model"))
			snprintf(ret->model, sizeof(ret->model), "%s", rows_text(rows, i, "model"));
	}
	r = rows_bytes(rows, i, "machine", &ret->machine, sizeof(ret->machine));
	if (r == 0)
		r = rows_bytes(rows, i, "owner", &ret->owner, sizeof(ret->owner));
	if (r == 0)
		r = rows_bytes(rows, i, "lease", &ret->lease, sizeof(ret->lease));
	if (r == 0)
		r = rows_bytes(rows, i, "proof", ret->standing.proof, sizeof(ret->standing.proof));
	return r;
}

static int read_devices(struct tx *tx, const struct sql_rows *rows,
			struct worker_proof_device **ret_devices, size_t *ret_n)
{
	struct worker_proof_device *list;
	int r = 0;

	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = read_device(rows, i, &list[i]);
	if (r != 0)
		return r;
	*ret_devices = list;
	*ret_n = rows_count(rows);
	return 0;
}

int worker_store_devices(struct tx *tx, struct machine_id machine,
			 struct worker_proof_device **ret_devices, size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, DEVICES "WHERE d.machine = $1 ORDER BY d.kind = 1, d.kind, g.ordinal",
		     SQL_PARAMS(sql_machine(&machine)), &rows);
	return r != 0 ? no_conflict(r) : read_devices(tx, rows, ret_devices, ret_n);
}

int worker_store_devices_due(struct tx *tx, bool proved, int64_t now_ms, size_t max,
			     struct worker_proof_device **ret_devices, size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     DEVICES "WHERE d.due_at <= $1 AND w.lost = 0"
			     " AND CASE d.state WHEN 1 THEN 1 ELSE 0 END = $2"
			     " ORDER BY d.due_at, d.kind = 1, d.kind, d.machine, d.device LIMIT $3",
		     SQL_PARAMS(sql_int(now_ms), sql_int(proved), sql_int((int64_t)max)), &rows);
	return r != 0 ? no_conflict(r) : read_devices(tx, rows, ret_devices, ret_n);
}

int worker_store_devices_idle(struct tx *tx, enum worker_device kind, const struct address *from,
			      size_t max, struct worker_proof_device **ret_devices, size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     DEVICES "WHERE d.state = 1 AND w.lost = 0 AND d.kind = $1"
			     " AND ((d.kind = 1 AND g.lease IS NULL AND g.trial IS NULL)"
			     " OR (d.kind <> 1 AND NOT EXISTS (SELECT 1 FROM worker_leases l"
			     " WHERE l.machine = d.machine AND l.released = 0)))"
			     " ORDER BY d.machine < $2, d.machine, d.device LIMIT $3",
		     SQL_PARAMS(sql_int(kind), sql_address(from), sql_int((int64_t)max)), &rows);
	return r != 0 ? no_conflict(r) : read_devices(tx, rows, ret_devices, ret_n);
}

int worker_checked_machines(struct tx *tx, int64_t since_ms, struct machine_id after, size_t max,
			    struct worker_checked **ret_machines, size_t *ret_n)
{
	struct worker_checked *list;
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT w.machine AS machine, w.owner AS owner FROM workers w"
		     " JOIN worker_devices d ON d.machine = w.machine AND d.device = 'host'"
		     " WHERE w.machine > $1 AND d.checked_at >= $2 AND d.checked_at > 0"
		     " ORDER BY w.machine LIMIT $3",
		     SQL_PARAMS(sql_machine(&after), sql_int(since_ms), sql_int((int64_t)max)),
		     &rows);
	if (r != 0)
		return no_conflict(r);
	list = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		r = rows_bytes(rows, i, "machine", &list[i].machine, sizeof(list[i].machine));
		if (r == 0)
			r = rows_bytes(rows, i, "owner", &list[i].owner, sizeof(list[i].owner));
	}
	if (r != 0)
		return r;
	*ret_machines = list;
	*ret_n = rows_count(rows);
	return 0;
}

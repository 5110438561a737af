#include "modules/worker/lease_store.h"

#include "io/store_values.h"

static int read_row(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct lease_row *ret = ret_item;
	int r;

	*ret = (struct lease_row){
		.want = rows_int(rows, i, "want"),
		.generation = rows_int(rows, i, "generation"),
		.cpu_milli = rows_int(rows, i, "cpu_milli"),
		.memory_bytes = rows_int(rows, i, "memory_bytes"),
		.disk_bytes = rows_int(rows, i, "disk_bytes"),
		.released = rows_int(rows, i, "released"),
		.removed = rows_int(rows, i, "removed"),
	};
	ret->container = rows_blob(rows, i, "container", &ret->container_len);
	r = rows_bytes(rows, i, "lease", &ret->lease, sizeof(ret->lease));
	if (r == 0)
		r = rows_bytes(rows, i, "rental", &ret->rental, sizeof(ret->rental));
	if (r == 0)
		r = rows_bytes(rows, i, "machine", &ret->machine, sizeof(ret->machine));
	return r;
}

static const struct row_reader row_reader = { sizeof(struct lease_row), read_row };

#define ROW                                                                              \
	"lease, rental, machine, want, generation, container, cpu_milli, memory_bytes, " \
	"disk_bytes,"                                                                    \
	" released, removed"

int lease_store_get(struct tx *tx, struct lease_id lease, struct lease_row *ret_row,
		    struct lease_report *ret_report)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT " ROW ", applied, phase, reason, detail, exit_code, started_at,"
		     " ended_at, pulled_bytes, pull_total_bytes, ports FROM worker_leases"
		     " WHERE lease = $1",
		     SQL_PARAMS(sql_lease(&lease)), &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	*ret_report = (struct lease_report){
		.applied = rows_int(rows, 0, "applied"),
		.phase = rows_int(rows, 0, "phase"),
		.reason = rows_text(rows, 0, "reason"),
		.detail = rows_text(rows, 0, "detail"),
		.exit_code = rows_int(rows, 0, "exit_code"),
		.started_at_ms = rows_int(rows, 0, "started_at"),
		.ended_at_ms = rows_int(rows, 0, "ended_at"),
		.pulled_bytes = rows_int(rows, 0, "pulled_bytes"),
		.pull_total_bytes = rows_int(rows, 0, "pull_total_bytes"),
		.ports = rows_text(rows, 0, "ports"),
	};
	return read_row(rows, 0, ret_row);
}

int lease_store_add(struct tx *tx, const struct lease_row *row)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO worker_leases (" ROW ", applied, phase, reason, detail, exit_code,"
		" started_at, ended_at, pulled_bytes, pull_total_bytes, ports)"
		" VALUES ($1, $2, $3, 0, 0, NULL, $4, $5, $6, 0, 0, 0, 0, '', '', 0, 0, 0, 0, 0,"
		" '')",
		SQL_PARAMS(sql_lease(&row->lease), sql_rental(&row->rental),
			   sql_machine(&row->machine), sql_int(row->cpu_milli),
			   sql_int(row->memory_bytes), sql_int(row->disk_bytes)),
		NULL));
}

int lease_store_start(struct tx *tx, struct lease_id lease, const void *container, size_t len)
{
	return changed_or(WORKER_E_BUSY, tx,
			  "UPDATE worker_leases SET want = 1, generation = 1, container = $2"
			  " WHERE lease = $1 AND want = 0",
			  SQL_PARAMS(sql_lease(&lease), sql_blob(container, len)));
}

int lease_store_want(struct tx *tx, struct lease_id lease, int64_t want)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE worker_leases SET want = $2, generation = generation + 1"
			  " WHERE lease = $1",
			  SQL_PARAMS(sql_lease(&lease), sql_int(want)));
}

int lease_store_released(struct tx *tx, struct lease_id lease)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE worker_leases SET released = 1 WHERE lease = $1",
			  SQL_PARAMS(sql_lease(&lease)));
}

int lease_store_removed(struct tx *tx, struct lease_id lease)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE worker_leases SET removed = 1, container = NULL WHERE lease = $1",
			  SQL_PARAMS(sql_lease(&lease)));
}

int lease_store_delete(struct tx *tx, struct lease_id lease)
{
	return no_conflict(tx_exec(tx, "DELETE FROM worker_leases WHERE lease = $1",
				   SQL_PARAMS(sql_lease(&lease)), NULL));
}

int lease_store_report(struct tx *tx, struct lease_id lease, const struct lease_report *report)
{
	return changed_or(ROUTE_E_NOT_FOUND, tx,
			  "UPDATE worker_leases SET applied = $2, phase = $3, reason = $4,"
			  " detail = $5, exit_code = $6, started_at = $7, ended_at = $8,"
			  " pulled_bytes = $9, pull_total_bytes = $10, ports = $11"
			  " WHERE lease = $1",
			  SQL_PARAMS(sql_lease(&lease), sql_int(report->applied),
				     sql_int(report->phase), sql_text(report->reason),
				     sql_text(report->detail), sql_int(report->exit_code),
				     sql_int(report->started_at_ms), sql_int(report->ended_at_ms),
				     sql_int(report->pulled_bytes),
				     sql_int(report->pull_total_bytes), sql_text(report->ports)));
}

int lease_store_desired(struct tx *tx, struct machine_id machine, struct lease_row **ret_rows,
			size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT " ROW " FROM worker_leases WHERE machine = $1 AND removed = 0"
			 " AND want > 0 ORDER BY lease",
			 SQL_PARAMS(sql_machine(&machine)), &row_reader, ret_rows, ret_n);
}

int lease_store_desired_bytes(struct tx *tx, struct machine_id machine, int64_t *ret_bytes)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "SELECT CAST(COALESCE(SUM(LENGTH(container)), 0) AS BIGINT) AS n"
		     " FROM worker_leases WHERE machine = $1 AND removed = 0",
		     SQL_PARAMS(sql_machine(&machine)), &rows);
	if (r != 0)
		return no_conflict(r);
	*ret_bytes = rows_int(rows, 0, "n");
	return 0;
}

static int read_lease(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct lease_id *lease = ret_item;

	return rows_bytes(rows, i, "lease", lease, sizeof(*lease));
}

static const struct row_reader lease_reader = { sizeof(struct lease_id), read_lease };

int lease_store_leaving(struct tx *tx, struct machine_id machine, struct lease_id **ret_leases,
			size_t *ret_n)
{
	return tx_select(tx, "SELECT lease FROM worker_leases WHERE machine = $1 AND removed = 1",
			 SQL_PARAMS(sql_machine(&machine)), &lease_reader, ret_leases, ret_n);
}

int lease_store_change(struct tx *tx, struct rental_id rental)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO worker_changes (rental) VALUES ($1)"
				   " ON CONFLICT (rental) DO NOTHING",
				   SQL_PARAMS(sql_rental(&rental)), NULL));
}

int lease_store_change_all(struct tx *tx, struct machine_id machine)
{
	return no_conflict(tx_exec(tx,
				   "INSERT INTO worker_changes (rental) SELECT DISTINCT rental"
				   " FROM worker_leases WHERE machine = $1 AND removed = 0"
				   " ON CONFLICT (rental) DO NOTHING",
				   SQL_PARAMS(sql_machine(&machine)), NULL));
}

int lease_store_changes_take(struct tx *tx, size_t max, struct rental_id *ret_rentals,
			     size_t *ret_n)
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx,
		     "DELETE FROM worker_changes WHERE rental IN"
		     " (SELECT rental FROM worker_changes LIMIT $1) RETURNING rental",
		     SQL_PARAMS(sql_int((int64_t)max)), &rows);
	if (r != 0)
		return no_conflict(r);
	for (size_t i = 0; i < rows_count(rows); i++) {
		r = rows_bytes(rows, i, "rental", &ret_rentals[i], sizeof(ret_rentals[i]));
		if (r < 0)
			return r;
	}
	*ret_n = rows_count(rows);
	return 0;
}

/* The statements on GPUs (worker_store.h). */
#include "modules/worker/worker_store.h"

#include "io/store_values.h"

static int put_gpu(struct tx *tx, struct machine_id machine, size_t ordinal,
		   const struct worker_gpu *gpu)
{
	return no_conflict(tx_exec(
		tx,
		"INSERT INTO worker_gpus (machine, uuid, ordinal, model, memory_bytes, driver, "
		"cuda,"
		" present, lease) VALUES ($1, $2, $3, $4, $5, $6, $7, 1, NULL)"
		" ON CONFLICT (machine, uuid) DO UPDATE SET ordinal = $3, model = $4,"
		" memory_bytes = $5, driver = $6, cuda = $7, present = 1",
		SQL_PARAMS(sql_machine(&machine), sql_text(gpu->uuid), sql_int((int64_t)ordinal),
			   sql_text(gpu->model), sql_int(gpu->memory_bytes), sql_text(gpu->driver),
			   sql_text(gpu->cuda)),
		NULL));
}

int worker_store_gpus_put(struct tx *tx, struct machine_id machine, const struct worker_gpu *gpus,
			  size_t n)
{
	int r;

	r = tx_exec(
		tx,
		"DELETE FROM worker_gpus WHERE machine = $1 AND lease IS NULL AND trial IS NULL",
		SQL_PARAMS(sql_machine(&machine)), NULL);
	if (r == 0)
		r = tx_exec(tx, "UPDATE worker_gpus SET present = 0 WHERE machine = $1",
			    SQL_PARAMS(sql_machine(&machine)), NULL);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = put_gpu(tx, machine, i, &gpus[i]);
	return no_conflict(r);
}

#define TAKE(holder, free)                                                    \
	"UPDATE worker_gpus SET " holder " = $2 WHERE machine = $1 AND " free \
	" AND uuid IN (SELECT uuid FROM worker_gpus WHERE machine = $1"       \
	" AND present = 1 AND model = $3 AND " free " ORDER BY ordinal LIMIT $4) RETURNING uuid"

static int take(struct tx *tx, const char *sql, struct machine_id machine, struct lease_id lease,
		const char *model, size_t n, char ret_uuids[][48])
{
	struct sql_rows *rows;
	int r;

	r = tx_query(tx, sql,
		     SQL_PARAMS(sql_machine(&machine), sql_lease(&lease), sql_text(model),
				sql_int((int64_t)n)),
		     &rows);
	if (r != 0)
		return no_conflict(r);
	if (rows_count(rows) < n) {
		r = worker_store_gpus_give(tx, lease);
		return r < 0 ? r : WORKER_E_NO_CAPACITY;
	}
	for (size_t i = 0; i < n; i++)
		snprintf(ret_uuids[i], sizeof(ret_uuids[i]), "%s", rows_text(rows, i, "uuid"));
	return 0;
}

int worker_store_gpus_take(struct tx *tx, struct machine_id machine, struct lease_id lease,
			   const char *model, size_t n, char ret_uuids[][48])
{
	return take(tx, TAKE("lease", "lease IS NULL"), machine, lease, model, n, ret_uuids);
}

int worker_store_gpus_try(struct tx *tx, struct machine_id machine, struct lease_id lease,
			  const char *model, size_t n, char ret_uuids[][48])
{
	return take(tx, TAKE("trial", "lease IS NULL AND trial IS NULL"), machine, lease, model, n,
		    ret_uuids);
}

int worker_store_gpus_give(struct tx *tx, struct lease_id lease)
{
	int r;

	r = tx_exec(tx, "DELETE FROM worker_gpus WHERE (lease = $1 OR trial = $1) AND present = 0",
		    SQL_PARAMS(sql_lease(&lease)), NULL);
	if (r == 0)
		r = tx_exec(tx,
			    "UPDATE worker_gpus SET lease = CASE WHEN lease = $1 THEN NULL ELSE "
			    "lease END,"
			    " trial = CASE WHEN trial = $1 THEN NULL ELSE trial END"
			    " WHERE lease = $1 OR trial = $1",
			    SQL_PARAMS(sql_lease(&lease)), NULL);
	return no_conflict(r);
}

int worker_store_gpus_of_lease(struct tx *tx, struct lease_id lease, char ***ret_uuids,
			       size_t *ret_n)
{
	struct sql_rows *rows;
	char **uuids;
	int r;

	r = tx_query(tx,
		     "SELECT uuid FROM worker_gpus WHERE lease = $1 OR trial = $1"
		     " ORDER BY ordinal",
		     SQL_PARAMS(sql_lease(&lease)), &rows);
	if (r != 0)
		return no_conflict(r);
	uuids = arena_array(tx_arena(tx), rows_count(rows) + 1, sizeof(*uuids));
	if (!uuids)
		return -ENOMEM;
	for (size_t i = 0; i < rows_count(rows); i++) {
		const char *uuid = rows_text(rows, i, "uuid");

		uuids[i] = arena_text(tx_arena(tx), uuid, strlen(uuid));
		if (!uuids[i])
			return -ENOMEM;
	}
	*ret_uuids = uuids;
	*ret_n = rows_count(rows);
	return 0;
}

static int read_gpu(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct worker_gpu *gpu = ret_item;

	*gpu = (struct worker_gpu){
		.uuid = rows_text(rows, i, "uuid"),
		.model = rows_text(rows, i, "model"),
		.driver = rows_text(rows, i, "driver"),
		.cuda = rows_text(rows, i, "cuda"),
		.memory_bytes = rows_int(rows, i, "memory_bytes"),
	};
	return 0;
}

static const struct row_reader gpu_reader = { sizeof(struct worker_gpu), read_gpu };

int worker_store_gpus(struct tx *tx, struct machine_id machine, struct worker_gpu **ret_gpus,
		      size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT uuid, model, memory_bytes, driver, cuda FROM worker_gpus"
			 " WHERE machine = $1 AND present = 1 ORDER BY ordinal",
			 SQL_PARAMS(sql_machine(&machine)), &gpu_reader, ret_gpus, ret_n);
}

/* What machines should run (worker.h). */
#include "modules/worker/worker.h"

#include "modules/worker/desired.h"
#include "modules/worker/worker_state.h"

int worker_lease_start(const struct context *context _unused_, struct tx *tx, struct lease_id lease,
		       const struct worker_container *container)
{
	struct lease_report report;
	struct lease_row row;
	const void *bytes;
	int64_t beside;
	char **gpus;
	size_t n_gpus, len;
	int r;

	r = lease_store_get(tx, lease, &row, &report);
	if (r != 0)
		return r;
	if (row.want != 0 || row.released || row.removed)
		return WORKER_E_BUSY;
	row.want = WORKER_RUN;
	r = worker_store_gpus_of_lease(tx, lease, &gpus, &n_gpus);
	if (r == 0)
		r = desired_pack(tx, &row, container, gpus, n_gpus, &bytes, &len);
	if (r == 0)
		r = lease_store_desired_bytes(tx, row.machine, &beside);
	if (r != 0)
		return r;
	if (beside + (int64_t)len > DESIRED_BYTES_MAX)
		return WORKER_E_CONTAINER;
	r = lease_store_start(tx, lease, bytes, len);
	return r != 0 ? r : desired_changed(tx, row.machine);
}

int worker_lease_want(const struct context *context _unused_, struct tx *tx, struct lease_id lease,
		      enum worker_want want)
{
	struct lease_report report;
	struct lease_row row;
	int r;

	r = lease_store_get(tx, lease, &row, &report);
	if (r != 0)
		return r;
	/* What gave its resources back cannot run again. */
	if (row.want == 0 || row.want == (int64_t)want || row.removed ||
	    (row.released && want == WORKER_RUN))
		return 0;
	r = lease_store_want(tx, lease, want);
	return r != 0 ? r : desired_changed(tx, row.machine);
}

static int release(struct tx *tx, const struct lease_row *row)
{
	struct worker_share share = { .cpu_milli = row->cpu_milli,
				      .memory_bytes = row->memory_bytes };
	int r;

	if (row->released)
		return 0;
	r = lease_store_released(tx, row->lease);
	if (r == 0)
		r = worker_store_gpus_give(tx, row->lease);
	if (r == 0)
		r = worker_store_give(tx, row->machine, row->lease, &share, 0);
	return r != 0 ? r : worker_fleet_refresh(tx, row->machine);
}

int worker_lease_release(const struct context *context _unused_, struct tx *tx,
			 struct lease_id lease)
{
	struct lease_report report;
	struct lease_row row;
	int r;

	r = lease_store_get(tx, lease, &row, &report);
	return r != 0 ? r : release(tx, &row);
}

int worker_lease_remove(const struct context *context _unused_, struct tx *tx,
			struct lease_id lease)
{
	struct lease_report report;
	struct lease_row row;
	struct worker_share share = { 0 };
	int r;

	r = lease_store_get(tx, lease, &row, &report);
	if (r == ROUTE_E_NOT_FOUND || (r == 0 && row.removed))
		return 0;
	if (r == 0)
		r = release(tx, &row);
	share.disk_bytes = row.disk_bytes;
	if (r == 0)
		r = worker_store_give(tx, row.machine, lease, &share, 1);
	if (r != 0)
		return r;
	/* What the machine never heard of is gone; the rest goes when the machine says so. */
	if (row.want == 0)
		r = lease_store_delete(tx, lease);
	else
		r = lease_store_removed(tx, lease);
	if (r == 0 && row.want != 0)
		r = desired_changed(tx, row.machine);
	return r != 0 ? r : worker_fleet_refresh(tx, row.machine);
}

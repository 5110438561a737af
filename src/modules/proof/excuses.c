#include "modules/proof/excuses.h"

#include "modules/billing/billing.h"
#include "modules/worker/worker.h"

struct excusing {
	const struct context *context;
	struct tx *tx;
	const struct proof_row *row;
	int64_t now_ms;
};

/* What is not billed is no lease. */
static int billed(int r)
{
	return r == BILLING_E_NO_LEASE ? 0 : r;
}

/* ---- whose device it is ---- */

typedef int (*lease_fn)(const struct excusing *x, struct lease_id lease);

static int each_lease(const struct excusing *x, lease_fn lease)
{
	struct billing_tenancy *tenancies;
	size_t n;
	int r;

	if (x->row->device == WORKER_DEVICE_GPU)
		return lease(x, x->row->lease);
	r = billing_machine_tenancies(x->tx, x->row->machine, x->row->started_ms, x->now_ms + 1,
				      &tenancies, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = lease(x, tenancies[i].lease);
	return r;
}

static bool same_device(const struct proof_row *row, int64_t device, const char *uuid)
{
	return row->device == device && strcmp(row->uuid, uuid) == 0;
}

/* ---- one lease ---- */

static int begin(const struct excusing *x, struct lease_id lease)
{
	return billed(billing_excuse_begin(x->context, x->tx, lease, x->row->id.bytes,
					   x->row->started_ms));
}

/* Where @device, seen last while it was rented, did not pass: from now on it excuses the lease. */
static int begin_by(const struct excusing *x, struct lease_id lease,
		    const struct worker_proof_device *device)
{
	struct proof_row last;
	int r = proof_store_judged_last(x->tx, x->row->machine, (int64_t)device->device,
					device->uuid, &last);

	if (r != 0 || !last.rented || strcmp(last.outcome, "failed") != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	return billed(billing_excuse_begin(x->context, x->tx, lease, last.id.bytes, x->now_ms));
}

static int begin_by_others(const struct excusing *x, struct lease_id lease)
{
	struct worker_proof_device *devices;
	size_t n;
	int r = worker_proof_devices(x->context, x->tx, x->row->machine, &devices, &n);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct worker_proof_device *device = &devices[i];
		bool its = device->device == WORKER_DEVICE_HOST ||
			   (device->device == WORKER_DEVICE_GPU && device->rented &&
			    lease_id_equal(device->lease, lease));

		if (its && !same_device(x->row, (int64_t)device->device, device->uuid))
			r = begin_by(x, lease, device);
	}
	return r;
}

static int end(const struct excusing *x, struct lease_id lease)
{
	struct proof_row failed;
	struct proof_id proof;
	int r = billed(billing_excuse_open(x->tx, lease, proof.bytes));

	if (r == 0)
		r = proof_store_get(x->tx, proof, &failed);
	if (r != 0) /* None is open, or what opened it is not known any more. */
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	if (!same_device(x->row, failed.device, failed.uuid))
		return 0;
	r = billing_excuse_end(x->context, x->tx, lease, x->now_ms);
	return r == 0 ? begin_by_others(x, lease) : r;
}

static int run(const struct context *context, struct tx *tx, const struct proof_row *row,
	       lease_fn lease)
{
	const struct excusing x = { context, tx, row, clock_now_ms(context->clock) };

	return row->rented ? each_lease(&x, lease) : 0;
}

int excuses_begin(const struct context *context, struct tx *tx, const struct proof_row *row)
{
	return run(context, tx, row, begin);
}

int excuses_end(const struct context *context, struct tx *tx, const struct proof_row *row)
{
	return run(context, tx, row, end);
}

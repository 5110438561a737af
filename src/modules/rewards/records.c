#include "modules/rewards/records.h"

#include "modules/billing/billing.h"
#include "modules/proof/proof.h"
#include "rewards/columns.h"

enum { KBPS_OF_MBPS = 1000 };

#define GIGABYTE UINT64_C(1000000000)
#define TOKEN_UNITS UINT64_C(1000000000000000000)

struct tokens record_tokens(int64_t whole)
{
	unsigned __int128 units = (unsigned __int128)(whole > 0 ? whole : 0) * TOKEN_UNITS;

	return (struct tokens){ units < TOKENS_MAX ? units : TOKENS_MAX };
}

void record_terms(const struct epoch_row *epoch, struct epoch_terms *ret_terms)
{
	*ret_terms = (struct epoch_terms){
		.number = (uint64_t)epoch->number,
		.worker_total = record_tokens(epoch->workers_tokens),
		.checker_total = record_tokens(epoch->checkers_tokens),
		.ratio_bp = (uint64_t)epoch->ratio_bp,
		.commission_bp = (uint64_t)epoch->commission_bp,
		.max_stake = record_tokens(epoch->max_stake_tokens),
	};
}

static uint64_t at_least_0(int64_t value)
{
	return value > 0 ? (uint64_t)value : 0;
}

/* Every number within its column's bound. */
static void clamp(const struct column *columns, void *record)
{
	for (; columns->kind != COLUMN_END; columns++) {
		uint64_t *value = (uint64_t *)(void *)((char *)record + columns->offset);

		if (columns->kind == COLUMN_NUMBER && *value > columns->max)
			*value = columns->max;
	}
}

/* ---- machines ---- */

static const struct worker_standing *standing_of(const struct worker_proof_device *devices,
						 size_t n, enum worker_device kind)
{
	for (size_t i = 0; i < n; i++)
		if (devices[i].device == kind)
			return &devices[i].standing;
	return NULL;
}

static uint64_t gpus_milli(const struct worker_proof_device *devices, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (devices[i].device == WORKER_DEVICE_GPU &&
		    devices[i].standing.state == WORKER_PROVED)
			sum += at_least_0(devices[i].standing.score_milli);
	return sum;
}

static struct machine_figures figures_of(const struct worker_machine *machine,
					 const struct worker_proof_device *devices, size_t n)
{
	const struct worker_standing *host = standing_of(devices, n, WORKER_DEVICE_HOST);
	struct credit credit;

	if (!host || host->state != WORKER_PROVED)
		return (struct machine_figures){ 0 };
	worker_credit(machine, devices, n, &credit);
	return (struct machine_figures){
		.down_mbps = at_least_0(host->down_kbps) / KBPS_OF_MBPS,
		.up_mbps = at_least_0(host->up_kbps) / KBPS_OF_MBPS,
		.cores = credit.cores,
		.gpu_milli = gpus_milli(devices, n),
		.disk_gb = credit.disk_bytes / GIGABYTE,
		.memory_gb = credit.memory_bytes / GIGABYTE,
	};
}

/* All seconds of the machine's jobs less those of earlier epochs: whenever a record comes, its seconds
 * count once. What an excuse took back is made up by later ones. */
static int take_jobtime(struct tx *tx, struct machine_id machine, struct epoch_worker *record,
			struct reward_jobtime *ret_jobtime)
{
	int64_t all, counted;
	int r;

	r = billing_machine_seconds(tx, machine, 0, INT64_MAX, &all);
	if (r == 0)
		r = rewards_store_jobtime(tx, machine, &counted);
	if (r != 0)
		return r;
	record->jobtime_s = at_least_0(all - counted);
	clamp(worker_columns, record);
	*ret_jobtime = (struct reward_jobtime){ machine, counted + (int64_t)record->jobtime_s };
	return 0;
}

int record_worker(const struct context *context, struct tx *tx, const struct epoch_row *epoch,
		  const struct worker_machine *machine, struct epoch_worker *ret_record,
		  struct reward_jobtime *ret_jobtime)
{
	struct epoch_worker record = { .id = machine->machine.address,
				       .owner = machine->owner.address };
	struct arena_mark mark = arena_mark(tx_arena(tx)); /* leases may be many */
	struct worker_proof_device *devices;
	int64_t uptime_s;
	size_t n;
	int r;

	r = worker_proof_devices(context, tx, machine->machine, &devices, &n);
	if (r == 0)
		r = proof_uptime(context, tx, machine->machine, epoch->from_ms, epoch->until_ms,
				 &uptime_s);
	if (r != 0)
		return r;
	record.uptime_s = at_least_0(uptime_s);
	record.figures = figures_of(machine, devices, n);
	r = take_jobtime(tx, machine->machine, &record, ret_jobtime);
	if (r == 0)
		*ret_record = record;
	arena_rewind(tx_arena(tx), mark);
	return r;
}

/* ---- checkers ---- */

void record_checker(const struct checker_work *work, struct epoch_checker *ret_record)
{
	*ret_record = (struct epoch_checker){
		.id = work->checker,
		.owner = work->account.address,
		.licences = at_least_0(work->licences),
		.valid = at_least_0(work->valid),
		.wrong = at_least_0(work->wrong),
		.banned = work->banned,
	};
	clamp(checker_columns, ret_record);
}

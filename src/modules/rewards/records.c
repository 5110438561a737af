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

static struct machine_figures figures_of(const struct worker_figures *means)
{
	return (struct machine_figures){
		.down_mbps = at_least_0(means->down_kbps) / KBPS_OF_MBPS,
		.up_mbps = at_least_0(means->up_kbps) / KBPS_OF_MBPS,
		.cores = at_least_0(means->cores),
		.gpu_milli = at_least_0(means->gpu_milli),
		.disk_gb = at_least_0(means->disk_bytes) / GIGABYTE,
		.memory_gb = at_least_0(means->memory_bytes) / GIGABYTE,
	};
}

static int64_t seconds_of(const struct billing_job *jobs, size_t n, int64_t before_ms)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += jobs[i].time.until_ms < before_ms ? jobs[i].seconds : 0;
	return sum;
}

/* From where on jobs are looked at next time: none that ended in this epoch or can still change is left out. */
static int64_t next_from_ms(const struct billing_job *jobs, size_t n, int64_t epoch_ms)
{
	int64_t from_ms = epoch_ms;

	for (size_t i = 0; i < n; i++)
		if (!jobs[i].settled && jobs[i].time.until_ms < from_ms)
			from_ms = jobs[i].time.until_ms;
	return from_ms;
}

/* All seconds of the machine's jobs less those of earlier records: whenever a usage record comes, its seconds
 * count once. What an excuse took back is made up by later ones. Where no hour says what the machine is, they
 * wait for one that does. */
static void take_jobtime(const struct epoch_row *epoch, const struct billing_job *jobs, size_t n,
			 bool wait, struct epoch_worker *record, struct reward_jobtime *jobtime)
{
	int64_t from_ms = next_from_ms(jobs, n, epoch->from_ms);

	if (!wait)
		record->jobtime_s = at_least_0(seconds_of(jobs, n, INT64_MAX) - jobtime->seconds);
	clamp(worker_columns, record);
	jobtime->seconds += (int64_t)record->jobtime_s;
	if (from_ms <= jobtime->from_ms)
		return;
	jobtime->seconds -= seconds_of(jobs, n, from_ms);
	jobtime->from_ms = from_ms;
}

static int read_worker(const struct context *context, struct tx *tx, const struct epoch_row *epoch,
		       struct epoch_worker *record, struct reward_jobtime *jobtime)
{
	struct account_id owner = { record->owner };
	struct billing_job *jobs;
	struct proof_epoch hours;
	size_t n;
	int r;

	r = rewards_store_jobtime(tx, jobtime);
	if (r == 0)
		r = billing_machine_jobs(context, tx, jobtime->machine, owner, jobtime->from_ms,
					 &jobs, &n);
	if (r == 0)
		r = proof_epoch(context, tx, jobtime->machine, epoch->from_ms, epoch->until_ms,
				jobs, n, &hours);
	if (r != 0)
		return r;
	record->uptime_s = at_least_0(hours.uptime_s);
	record->figures = figures_of(&hours.means);
	take_jobtime(epoch, jobs, n, hours.hours == 0, record, jobtime);
	return 0;
}

int record_worker(const struct context *context, struct tx *tx, const struct epoch_row *epoch,
		  const struct worker_machine *machine, struct epoch_worker *ret_record,
		  struct reward_jobtime *ret_jobtime)
{
	struct epoch_worker record = { .id = machine->machine.address,
				       .owner = machine->owner.address };
	struct reward_jobtime jobtime = { .machine = machine->machine, .owner = machine->owner };
	struct arena_mark mark = arena_mark(tx_arena(tx)); /* jobs may be many */
	int r = read_worker(context, tx, epoch, &record, &jobtime);

	arena_rewind(tx_arena(tx), mark);
	if (r != 0)
		return r;
	*ret_record = record;
	*ret_jobtime = jobtime;
	return 0;
}

/* ---- checkers ---- */

void record_checker(const struct checker_work *work, struct epoch *epoch,
		    struct epoch_checker *ret_record)
{
	size_t n = size_min(work->n_delegators, EPOCH_DELEGATORS_MAX - epoch->n_delegators);

	*ret_record = (struct epoch_checker){
		.id = work->checker,
		.owner = work->account.address,
		.licences_milli = at_least_0(work->licences_milli),
		.valid = at_least_0(work->valid),
		.wrong = at_least_0(work->wrong),
		.banned = work->banned,
		.delegators = { (uint32_t)epoch->n_delegators, (uint32_t)n },
	};
	clamp(checker_columns, ret_record);
	for (size_t i = 0; i < n; i++)
		epoch->delegators[epoch->n_delegators++] = (struct epoch_delegator){
			.account = work->delegators[i].owner,
			.stake = { at_least_0(work->delegators[i].licences_milli) },
		};
}

/* What an epoch's hours say of a machine (proof.h). */
#include "api/settings.h"
#include "modules/proof/proof_store.h"

enum { PAGE = 512 /* hours: an epoch may have many, if they are short */ };

struct sums {
	unsigned __int128 down_kbps, up_kbps, cores, gpu_milli, disk_bytes, memory_bytes;
};

static bool worked(const struct billing_job *jobs, size_t n, int64_t from_ms, int64_t until_ms)
{
	for (size_t i = 0; i < n; i++)
		if (jobs[i].time.from_ms < until_ms && jobs[i].time.until_ms > from_ms)
			return true;
	return false;
}

static void add(struct sums *sums, const struct worker_figures *figures)
{
	sums->down_kbps += (uint64_t)figures->down_kbps;
	sums->up_kbps += (uint64_t)figures->up_kbps;
	sums->cores += (uint64_t)figures->cores;
	sums->gpu_milli += (uint64_t)figures->gpu_milli;
	sums->disk_bytes += (uint64_t)figures->disk_bytes;
	sums->memory_bytes += (uint64_t)figures->memory_bytes;
}

static int64_t mean(unsigned __int128 sum, int64_t hours)
{
	return (int64_t)(sum / (uint64_t)hours);
}

static void divide(const struct sums *sums, int64_t hours, struct worker_figures *ret_means)
{
	*ret_means = (struct worker_figures){
		.down_kbps = mean(sums->down_kbps, hours),
		.up_kbps = mean(sums->up_kbps, hours),
		.cores = mean(sums->cores, hours),
		.gpu_milli = mean(sums->gpu_milli, hours),
		.disk_bytes = mean(sums->disk_bytes, hours),
		.memory_bytes = mean(sums->memory_bytes, hours),
	};
}

int proof_epoch(const struct context *context, struct tx *tx, struct machine_id machine,
		int64_t from_ms, int64_t until_ms, const struct billing_job *jobs, size_t n_jobs,
		struct proof_epoch *ret_epoch)
{
	int64_t hour_ms = context->settings->watch_hour_ms, until = until_ms / hour_ms;
	struct arena_mark mark = arena_mark(tx_arena(tx));
	struct proof_epoch epoch = { 0 };
	struct sums sums = { 0 };
	struct proof_watched *hours;
	size_t n = PAGE;

	for (int64_t from = (from_ms + hour_ms - 1) / hour_ms; n == PAGE;
	     from = n > 0 ? hours[n - 1].hour + 1 : until) {
		int r;

		arena_rewind(tx_arena(tx), mark);
		r = proof_store_hours_watched(tx, machine, from, until, PAGE, &hours, &n);
		if (r != 0)
			return r;
		for (size_t i = 0; i < n; i++) {
			int64_t at_ms = hours[i].hour * hour_ms;

			epoch.uptime_s += hours[i].up ? hour_ms / 1000 : 0;
			if (!hours[i].figured ||
			    (!hours[i].up && !worked(jobs, n_jobs, at_ms, at_ms + hour_ms)))
				continue;
			add(&sums, &hours[i].figures);
			epoch.hours++;
		}
	}
	if (epoch.hours > 0)
		divide(&sums, epoch.hours, &epoch.means);
	*ret_epoch = epoch;
	return 0;
}

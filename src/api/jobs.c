#include "api/jobs.h"

#include <stdatomic.h>

#include "api/duty.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"

enum { JOBS_MAX = 64, JOB_ARENA_BYTES = 16 << 20 };

/* Idle -> queued -> running -> idle; a wake while running makes it run again. */
enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_AGAIN };

struct slot {
	const struct job *job;
	const char *duty; /* NULL: runs everywhere */
	struct jobs *jobs;
	struct loop_timer *timer;
	_Atomic(int) state;
};

struct jobs {
	const struct context *context;
	_Atomic(bool) stopped;
	struct slot slots[JOBS_MAX];
	size_t n;
};

static void run_once(struct slot *slot)
{
	struct arena *arena = NULL;
	int r;

	r = arena_new(JOB_ARENA_BYTES, &arena);
	duty_fence(slot->jobs->context, slot->duty);
	if (r == 0)
		r = slot->job->run(slot->jobs->context, arena);
	duty_fence(slot->jobs->context, NULL);
	if (r != 0)
		log_error("job.failed", log_text("job", slot->job->name), log_fault(r));
	arena_free(arena);
}

static bool may_run(const struct slot *slot)
{
	return !atomic_load(&slot->jobs->stopped) &&
	       (!slot->duty || duty_held(slot->jobs->context, slot->duty));
}

static void slot_run(void *arg)
{
	struct slot *slot = arg;
	int expected;

	do {
		atomic_store(&slot->state, JOB_RUNNING);
		if (may_run(slot))
			run_once(slot);
		expected = JOB_RUNNING;
	} while (!atomic_compare_exchange_strong(&slot->state, &expected, JOB_IDLE) &&
		 expected == JOB_AGAIN);
}

static struct pool *slot_pool(const struct slot *slot)
{
	const struct context *context = slot->jobs->context;

	return slot->job->outside ? context->outside : context->background;
}

static void slot_wake(struct slot *slot)
{
	int expected = JOB_IDLE;

	if (!may_run(slot))
		return;
	if (atomic_compare_exchange_strong(&slot->state, &expected, JOB_QUEUED)) {
		/* A full pool loses the turn, not the job: its timer comes again. */
		if (pool_submit(slot_pool(slot), slot_run, slot) < 0)
			atomic_store(&slot->state, JOB_IDLE);
		return;
	}
	expected = JOB_RUNNING;
	atomic_compare_exchange_strong(&slot->state, &expected, JOB_AGAIN);
}

static void on_timer(void *arg)
{
	slot_wake(arg);
}

static int slot_add(struct jobs *jobs, const struct module *module, const struct job *job)
{
	struct slot *slot = &jobs->slots[jobs->n];

	if (jobs->n == JOBS_MAX)
		return -ENOSPC;
	slot->job = job;
	slot->duty = job->everywhere ? NULL : module_duty(module);
	slot->jobs = jobs;
	jobs->n++;
	return loop_timer_new(jobs->context->loop, job->every_ms, job->every_ms, on_timer, slot,
			      &slot->timer);
}

int jobs_start(const struct context *context, const struct module *const *modules, size_t n_modules,
	       struct jobs **ret_jobs)
{
	struct jobs *jobs = calloc(1, sizeof(*jobs));
	int r = 0;

	if (!jobs)
		return -ENOMEM;
	jobs->context = context;
	for (size_t i = 0; r == 0 && i < n_modules; i++)
		for (const struct job *job = modules[i]->jobs; r == 0 && job && job->name; job++)
			r = slot_add(jobs, modules[i], job);
	if (r < 0) {
		jobs_stop(jobs);
		jobs_free(jobs);
		return r;
	}
	/* What a crash left undone is not left until the first period is over. */
	for (size_t i = 0; i < jobs->n; i++)
		slot_wake(&jobs->slots[i]);
	*ret_jobs = jobs;
	return 0;
}

void jobs_stop(struct jobs *jobs)
{
	atomic_store(&jobs->stopped, true);
	for (size_t i = 0; i < jobs->n; i++) {
		if (jobs->slots[i].timer)
			loop_timer_free(jobs->slots[i].timer);
		jobs->slots[i].timer = NULL;
	}
}

void jobs_free(struct jobs *jobs)
{
	free(jobs);
}

void jobs_wake_duty(struct jobs *jobs, const char *duty)
{
	for (size_t i = 0; i < jobs->n; i++)
		if (jobs->slots[i].duty && strcmp(jobs->slots[i].duty, duty) == 0)
			slot_wake(&jobs->slots[i]);
}

void jobs_wake(struct jobs *jobs, const char *name)
{
	for (size_t i = 0; i < jobs->n; i++) {
		if (strcmp(jobs->slots[i].job->name, name) == 0) {
			slot_wake(&jobs->slots[i]);
			return;
		}
	}
	log_error("job.unknown", log_text("job", name));
}

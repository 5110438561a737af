#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "io/db_sqlite.h"

/* One transaction that waits for the writer or is in its batch. */
struct job {
	struct job *next;
	struct tx tx;
	enum tx_mode mode;
	struct arena *arena;
	struct arena_mark mark; /* of the arena before the first run */
	db_fn *fn;
	void *arg;
	int result;
	unsigned int tries;

	/* Submitted: the job is the writer's to free. */
	void (*done)(void *arg, int result);

	/* Run: the caller waits for @finished. */
	bool finished;
	pthread_cond_t wake;
};

struct jobs {
	struct job *first, *last;
	size_t n;
};

struct sqlite_writer {
	struct db *db;
	struct sqlite_connection *connection;
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t work; /* a job came, or the end */
	pthread_cond_t space; /* jobs were taken */
	struct jobs queue;
	bool ending;
};

static void jobs_append(struct jobs *jobs, struct job *job)
{
	job->next = NULL;
	if (jobs->last)
		jobs->last->next = job;
	else
		jobs->first = job;
	jobs->last = job;
	jobs->n++;
}

static struct job *jobs_take(struct jobs *jobs)
{
	struct job *job = jobs->first;

	if (!job)
		return NULL;
	jobs->first = job->next;
	if (!jobs->first)
		jobs->last = NULL;
	jobs->n--;
	return job;
}

/* ---- endings ---- */

static void job_finish(struct sqlite_writer *writer, struct job *job, int result)
{
	if (result == 0)
		tx_committed(&job->tx);
	if (job->done) {
		tx_call_done(job->done, job->arg, result);
		free(job);
		return;
	}
	/* The waiter may be gone, and the job with it, as soon as the lock is. */
	pthread_mutex_lock(&writer->lock);
	job->result = result;
	job->finished = true;
	pthread_cond_signal(&job->wake);
	pthread_mutex_unlock(&writer->lock);
}

/* Puts @jobs back before everybody else, for the next batch. */
static void requeue(struct sqlite_writer *writer, struct jobs *jobs)
{
	pthread_mutex_lock(&writer->lock);
	if (jobs->last) {
		jobs->last->next = writer->queue.first;
		writer->queue.first = jobs->first;
		if (!writer->queue.last)
			writer->queue.last = jobs->last;
		writer->queue.n += jobs->n;
	}
	pthread_mutex_unlock(&writer->lock);
	*jobs = (struct jobs){ 0 };
}

static void finish_all(struct sqlite_writer *writer, struct jobs *jobs, int fault)
{
	struct job *job;

	while ((job = jobs_take(jobs)))
		job_finish(writer, job, fault < 0 ? fault : job->result);
}

/* ---- a batch ---- */

static struct job *next_job(struct sqlite_writer *writer)
{
	struct job *job;

	pthread_mutex_lock(&writer->lock);
	job = jobs_take(&writer->queue);
	if (job)
		pthread_cond_signal(&writer->space);
	pthread_mutex_unlock(&writer->lock);
	return job;
}

static bool transaction_lost(struct sqlite_writer *writer)
{
	return sqlite3_get_autocommit(writer->connection->handle);
}

/* One job inside its savepoint. A fault of the savepoint itself is returned; the job's own result
 * is kept in the job. */
static int run_job(struct sqlite_writer *writer, struct job *job)
{
	int r;

	arena_rewind(job->arena, job->mark);
	tx_init(&job->tx, writer->db, job->mode, job->arena, writer->connection);
	r = sqlite_command(writer->connection, "SAVEPOINT job");
	if (r < 0)
		return r;
	job->result = tx_call(&job->tx, job->fn, job->arg);
	if (transaction_lost(writer))
		return job->result;
	if (job->result != 0) {
		r = sqlite_command(writer->connection, "ROLLBACK TO job");
		if (r < 0)
			return r;
	}
	return sqlite_command(writer->connection, "RELEASE job");
}

/* A submitted job has no caller who could try again. */
static bool try_again(struct job *job)
{
	if (!job->done || job->result != -EAGAIN)
		return false;
	if (++job->tries < DB_TRIES_MAX)
		return true;
	job->result = -EBUSY;
	return false;
}

static void rollback(struct sqlite_writer *writer)
{
	if (!transaction_lost(writer) && sqlite_command(writer->connection, "ROLLBACK") < 0)
		log_error("sqlite_rollback", log_text("remedy", "see the line before"));
}

/* Runs what waits until the batch is full. Returns a fault if the transaction is beyond use: then
 * the job that broke it is finished, and the others wait to be run again. */
static int gather(struct sqlite_writer *writer, struct jobs *batch, struct jobs *again)
{
	int64_t until_ms = clock_mono_ms(&clock_system) + SQLITE_BATCH_MS;
	struct job *job;
	int r;

	while (batch->n < SQLITE_BATCH_MAX && (job = next_job(writer))) {
		r = run_job(writer, job);
		if (r < 0 || transaction_lost(writer)) {
			rollback(writer);
			job_finish(writer, job, r < 0 ? r : -EIO);
			requeue(writer, batch);
			return r < 0 ? r : -EIO;
		}
		jobs_append(try_again(job) ? again : batch, job);
		if (clock_mono_ms(&clock_system) >= until_ms)
			break;
	}
	return 0;
}

static int commit(struct sqlite_writer *writer)
{
	int r = db_fault_due(writer->db, DB_FAULT_COMMIT);

	if (r == 0)
		r = sqlite_command(writer->connection, "COMMIT");
	if (r < 0)
		rollback(writer);
	return r;
}

static void fail_waiting(struct sqlite_writer *writer, int fault)
{
	struct jobs failed = { 0 };
	struct job *job;

	while (failed.n < SQLITE_BATCH_MAX && (job = next_job(writer)))
		jobs_append(&failed, job);
	finish_all(writer, &failed, fault == -EAGAIN ? -EBUSY : fault);
}

static void run_batch(struct sqlite_writer *writer)
{
	struct jobs batch = { 0 }, again = { 0 };
	int r;

	r = sqlite_command(writer->connection, "BEGIN IMMEDIATE");
	if (r < 0) {
		fail_waiting(writer, r);
		return;
	}
	r = gather(writer, &batch, &again);
	if (r == 0) {
		r = commit(writer);
		finish_all(writer, &batch, r);
	}
	requeue(writer, &again);
}

static bool wait_for_work(struct sqlite_writer *writer)
{
	bool work;

	pthread_mutex_lock(&writer->lock);
	while (!writer->queue.first && !writer->ending)
		pthread_cond_wait(&writer->work, &writer->lock);
	work = writer->queue.first;
	pthread_mutex_unlock(&writer->lock);
	return work;
}

static void *writer_main(void *arg)
{
	struct sqlite_writer *writer = arg;

	while (wait_for_work(writer))
		run_batch(writer);
	return NULL;
}

/* ---- callers ---- */

static int wait_for_space(struct sqlite_writer *writer)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += DB_WAIT_MS / 1000;
	while (writer->queue.n >= SQLITE_QUEUE_MAX && r == 0)
		r = pthread_cond_timedwait(&writer->space, &writer->lock, &until);
	return r == 0 ? 0 : -EBUSY;
}

int sqlite_writer_run(struct sqlite_writer *writer, enum tx_mode mode, struct arena *arena,
		      db_fn *fn, void *arg)
{
	struct job job = { .mode = mode,
			   .arena = arena,
			   .mark = arena_mark(arena),
			   .fn = fn,
			   .arg = arg,
			   .wake = PTHREAD_COND_INITIALIZER };
	int r;

	pthread_mutex_lock(&writer->lock);
	r = wait_for_space(writer);
	if (r == 0) {
		jobs_append(&writer->queue, &job);
		pthread_cond_signal(&writer->work);
		/* Bounded by the deadlines of the statements before it. */
		while (!job.finished)
			pthread_cond_wait(&job.wake, &writer->lock);
		r = job.result;
	}
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_destroy(&job.wake);
	return r;
}

int sqlite_writer_submit(struct sqlite_writer *writer, struct arena *arena, db_fn *fn,
			 void (*done)(void *arg, int result), void *arg)
{
	struct job *job = calloc(1, sizeof(*job));
	int r = 0;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .mode = TX_WRITE,
			     .arena = arena,
			     .mark = arena_mark(arena),
			     .fn = fn,
			     .arg = arg,
			     .done = done };
	pthread_mutex_lock(&writer->lock);
	if (writer->queue.n < SQLITE_QUEUE_MAX) {
		jobs_append(&writer->queue, job);
		pthread_cond_signal(&writer->work);
	} else {
		r = -EAGAIN;
	}
	pthread_mutex_unlock(&writer->lock);
	if (r < 0)
		free(job);
	return r;
}

int sqlite_writer_new(struct db *db, struct sqlite_connection *connection,
		      struct sqlite_writer **ret_writer)
{
	struct sqlite_writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t monotonic;
	int r;

	if (!writer)
		return -ENOMEM;
	writer->db = db;
	writer->connection = connection;
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->work, NULL);
	pthread_cond_init(&writer->space, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = -pthread_create(&writer->thread, NULL, writer_main, writer);
	if (r < 0) {
		free(writer);
		return r;
	}
	*ret_writer = writer;
	return 0;
}

void sqlite_writer_free(struct sqlite_writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	sqlite_disconnect(writer->connection);
	pthread_cond_destroy(&writer->work);
	pthread_cond_destroy(&writer->space);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

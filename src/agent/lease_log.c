#include "agent/lease.h"

#include "base/log.h"

enum { KILLED = 137 }; /* the exit code behind SIGKILL */

static void note(const struct lease *lease, int r)
{
	if (r < 0)
		log_warn("logbook.write", log_text("lease", lease->name), log_fault(r));
}

static void on_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct lease *lease = arg;

	note(lease,
	     logbook_take(lease->book, channel == FRAME_STDERR ? LOGBOOK_STDERR : LOGBOOK_STDOUT,
			  bytes, len));
}

static int say_end(struct lease *lease)
{
	if (lease->phase == WIRE__PHASE__PHASE_FAILED)
		return logbook_say(lease->book, "Failed (%s): %s", lease->reason, lease->detail);
	if (lease->container.ran && lease->exit_code == KILLED &&
	    strcmp(lease->reason, WIRE_REASON_STOPPED) == 0)
		return logbook_say(lease->book,
				   "Killed: it did not end within %" PRIu32 " s of SIGTERM (%s)",
				   lease->stop_timeout_s, lease->reason);
	if (lease->container.ran)
		return logbook_say(lease->book, "Ended with exit code %" PRId32 " (%s)",
				   lease->exit_code, lease->reason);
	return logbook_say(lease->book, "Ended before it started (%s)", lease->reason);
}

void lease_finish_log(struct lease *lease)
{
	if (lease->follow || lease->logged)
		return;
	lease->logged = true;
	lease->unsaved = true;
	note(lease, say_end(lease));
}

static void on_log_end(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	lease->follow = NULL;
	if (engine_ok(reply))
		note(lease, logbook_flush(lease->book));
	if (lease_ended(lease))
		lease_finish_log(lease);
	/* Otherwise the next look at a running container follows it again. */
}

void lease_follow(struct lease *lease)
{
	int r;

	if (lease->follow)
		return;
	logbook_rewind(lease->book);
	r = engine_logs(lease->host->engine, lease->container.id, on_frame, on_log_end, lease,
			&lease->follow);
	if (r < 0)
		log_warn("lease.follow", log_text("lease", lease->name), log_fault(r));
}

#include "agent/lease.h"

#include "base/log.h"

/* ---- calls ---- */

/* Nothing may be concluded from what the engine said. What runs has time for the next round. */
static void trouble(struct lease *lease, const char *detail)
{
	lease->seen = SEEN_UNKNOWN;
	if (lease_ended(lease) || lease->phase == WIRE__PHASE__PHASE_RUNNING ||
	    lease->phase == WIRE__PHASE__PHASE_STOPPING)
		return;
	if (++lease->troubles >= LEASE_TROUBLES_MAX && lease->wanted)
		lease_fail(lease, WIRE_REASON_ENGINE_DOWN, detail);
	lease->host->on_trouble(lease->host->arg);
}

/* The common part of every answer. False: the engine did not say. */
static bool answered(struct lease *lease, const struct engine_reply *reply)
{
	lease->call = NULL;
	if (reply->fault == 0)
		return true;
	trouble(lease, "the container engine does not answer");
	lease->host->on_engine_fault(lease->host->arg, reply->fault);
	return false;
}

void lease_round(struct lease *lease)
{
	bool circled = lease->steps >= LEASE_STEPS_MAX;

	lease->steps = 0;
	if (circled && !lease->call)
		trouble(lease, "the container engine contradicts itself");
}

/* A call that could not even begin: the next round tries again. */
static void begun(struct lease *lease, int r)
{
	if (r < 0) {
		lease->call = NULL;
		log_warn("lease.call", log_text("lease", lease->name), log_fault(r));
	}
}

static void on_inspected(void *arg, const struct engine_reply *reply)
{
	struct container_state container;
	struct lease *lease = arg;

	if (!answered(lease, reply))
		return;
	if (reply->status == 404) {
		lease_see(lease, NULL);
	} else if (engine_ok(reply) && reply->json &&
		   container_state(reply->json, &container) == 0) {
		lease_see(lease, &container);
	} else {
		log_warn("lease.inspect", log_text("lease", lease->name),
			 log_text("message", reply->message));
		trouble(lease, "the container engine does not tell what became of the container");
	}
	lease_step(lease);
}

static void inspect(struct lease *lease)
{
	lease->stale = false;
	begun(lease,
	      engine_inspect(lease->host->engine, lease->name, on_inspected, lease, &lease->call));
}

void lease_look(struct lease *lease)
{
	lease->stale = true;
	lease_step(lease);
}

static void create(struct lease *lease);

/* Another desire may have come since the call began. */
static const char *image_of(const struct lease *lease)
{
	return lease->wanted->container ? lease->wanted->container->image : "";
}

static void on_pulled(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	pull_free(lease->pull);
	lease->pull = NULL;
	if (!answered(lease, reply))
		return;
	if (!engine_ok(reply)) {
		lease_say(lease, "Pull failed", reply->message);
		lease_fail(lease, pull_reason(image_of(lease), reply), reply->message);
		return;
	}
	lease_say(lease, "Pulled", image_of(lease));
	lease->pulled = true;
	lease_enter(lease, WIRE__PHASE__PHASE_STARTING);
	lease_step(lease);
}

static void pull(struct lease *lease)
{
	lease_say(lease, "Pulling", image_of(lease));
	lease_enter(lease, WIRE__PHASE__PHASE_PULLING);
	begun(lease, pull_start(lease, image_of(lease), on_pulled));
}

static bool is_taken(const struct engine_reply *reply)
{
	return reply->status == 409 || strstr(reply->message, "already in use") != NULL;
}

static void on_created(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;
	const char *id;

	if (!answered(lease, reply))
		return;
	id = json_string_value(json_object_get(reply->json, "Id"));
	if (engine_ok(reply) && id) {
		snprintf(lease->container.id, sizeof(lease->container.id), "%s", id);
		lease->seen = SEEN_CREATED;
		lease->unsaved = true;
		lease_enter(lease, WIRE__PHASE__PHASE_STARTING);
	} else if (is_taken(reply)) {
		/* A create whose answer was lost. */
		lease->stale = true;
	} else if (reply->status == 404 && !lease->pulled && lease_wants_run(lease)) {
		pull(lease);
		return;
	} else {
		lease_fail(lease, WIRE_REASON_CREATE_FAILED,
			   engine_ok(reply) ? "the engine names no container" : reply->message);
	}
	lease_step(lease);
}

static void create(struct lease *lease)
{
	const char *missing = "";
	json_t *body;
	int r;

	if (!lease->wanted->container) {
		lease_fail(lease, WIRE_REASON_CREATE_FAILED, "the lease names no container");
		return;
	}
	r = container_body(&lease->host->container, lease->wanted, &body, &missing);
	if (r == CDI_E_MISSING) {
		lease_fail(lease, WIRE_REASON_GPU_MISSING, missing);
		return;
	}
	if (r == 0) {
		r = engine_create(lease->host->engine, lease->name, body, on_created, lease,
				  &lease->call);
		json_decref(body);
	}
	begun(lease, r);
}

/* Engines answer a command that the image lacks, or that is no program, with the run-time's words. */
static const char *start_reason(const char *message)
{
	bool about_command = strstr(message, "exec: \"") || strstr(message, "executable file");

	if (strstr(message, "command that was not found") ||
	    (about_command &&
	     (strstr(message, "not found") || strstr(message, "no such file or directory") ||
	      strstr(message, "permission denied"))))
		return WIRE_REASON_COMMAND_NOT_FOUND;
	return WIRE_REASON_START_FAILED;
}

static void on_started(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	if (!answered(lease, reply))
		return;
	if (!engine_ok(reply)) {
		lease_say(lease, "Start failed", reply->message);
		lease_fail(lease, start_reason(reply->message), reply->message);
	} else {
		lease->stale = true;
	}
	lease_step(lease);
}

static void on_stopped(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	if (!answered(lease, reply))
		return;
	if (!engine_ok(reply) && reply->status != 404)
		log_warn("lease.stop", log_text("lease", lease->name),
			 log_text("message", reply->message));
	inspect(lease);
}

static void stop(struct lease *lease)
{
	if (!lease_ended(lease) && lease->phase != WIRE__PHASE__PHASE_STOPPING) {
		lease_say(lease, "Stopping", NULL);
		lease_enter(lease, WIRE__PHASE__PHASE_STOPPING);
	}
	begun(lease, engine_stop(lease->host->engine, lease->name, lease->stop_timeout_s,
				 on_stopped, lease, &lease->call));
}

static void on_removed(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	if (!answered(lease, reply))
		return;
	if (!engine_ok(reply) && reply->status != 404) {
		/* Tried again with the next round. */
		log_warn("lease.remove", log_text("lease", lease->name),
			 log_text("message", reply->message));
		return;
	}
	lease->seen = SEEN_ABSENT;
	lease->unsaved = true;
	lease->host->on_change(lease->host->arg, lease);
}

static void remove_container(struct lease *lease)
{
	begun(lease,
	      engine_remove(lease->host->engine, lease->name, on_removed, lease, &lease->call));
}

/* ---- the next step ---- */

/* What is to go may hold the same GPU. One that does not go in time is waited for no longer. */
static bool waits(struct lease *lease)
{
	int64_t now_ms = clock_mono_ms(lease->host->clock);

	if (!lease->host->must_wait(lease->host->arg))
		return false;
	if (lease->waits_since_ms == 0)
		lease->waits_since_ms = now_ms;
	return now_ms - lease->waits_since_ms < LEASE_WAIT_MS;
}

static void step_run(struct lease *lease)
{
	if (lease->seen == SEEN_ABSENT)
		create(lease);
	else if (lease->seen == SEEN_CREATED && !waits(lease))
		begun(lease, engine_start(lease->host->engine, lease->name, on_started, lease,
					  &lease->call));
}

static void step_stop(struct lease *lease)
{
	if (lease->seen == SEEN_RUNNING)
		stop(lease);
	else
		lease_end(lease, WIRE__PHASE__PHASE_EXITED, WIRE_REASON_STOPPED, "");
}

/* Nobody wants it. What runs gets its time to end. */
static void step_away(struct lease *lease)
{
	if (lease->seen == SEEN_RUNNING)
		stop(lease);
	else if (lease->seen != SEEN_ABSENT)
		remove_container(lease);
}

void lease_step(struct lease *lease)
{
	if (lease->call || (lease->seen == SEEN_UNKNOWN && !lease->stale) ||
	    lease->steps >= LEASE_STEPS_MAX)
		return;
	if (++lease->steps == LEASE_STEPS_MAX)
		lease->host->on_trouble(lease->host->arg);
	if (lease->stale)
		inspect(lease);
	else if (lease->dropped)
		step_away(lease);
	else if (lease->phase == WIRE__PHASE__PHASE_FAILED && lease->seen != SEEN_ABSENT)
		/* Its ports and its file system are of no use to anybody. */
		step_away(lease);
	else if (!lease->wanted || lease_ended(lease))
		return;
	else if (lease_wants_run(lease))
		step_run(lease);
	else
		step_stop(lease);
}

#include "agent/lease.h"

#include "base/log.h"

/* ---- beginnings and ends ---- */

static void on_book_lines(void *arg)
{
	struct lease *lease = arg;

	lease->host->on_lines(lease->host->arg, lease);
}

int lease_new(const struct lease_host *host, const struct lease_id *id,
	      const struct rental_id *rental, struct lease **ret_lease)
{
	struct lease *lease = calloc(1, sizeof(*lease));
	int r;

	if (!lease)
		return -ENOMEM;
	lease->host = host;
	lease->id = *id;
	lease->rental = *rental;
	container_name(id, lease->name);
	r = logbook_open(host->logs, id, host->clock, &lease->book);
	if (r < 0) {
		free(lease);
		return r;
	}
	logbook_watch(lease->book, on_book_lines, lease);
	*ret_lease = lease;
	return 0;
}

void lease_free(struct lease *lease)
{
	if (!lease)
		return;
	engine_cancel(lease->call);
	engine_cancel(lease->follow);
	pull_free(lease->pull);
	if (lease->wanted)
		wire__lease__free_unpacked(lease->wanted, NULL);
	logbook_close(lease->book);
	free(lease);
}

static void changed(struct lease *lease)
{
	lease->unsaved = true;
	lease->unreported = true;
	lease->host->on_change(lease->host->arg, lease);
}

static void say(struct lease *lease, const char *what, const char *detail)
{
	int r = logbook_say(lease->book, detail && *detail ? "%s: %s" : "%s", what, detail);

	if (r < 0)
		log_warn("logbook.write", log_text("lease", lease->name), log_fault(r));
}

static void enter(struct lease *lease, Wire__Phase phase)
{
	if (lease->phase == phase)
		return;
	lease->phase = phase;
	changed(lease);
}

/* Makes a record if there is something new to say; it is final once nothing runs any longer. */
static void record_usage(struct lease *lease)
{
	if (!meter_record(&lease->meter, clock_now_ms(lease->host->clock)))
		return;
	lease->unsaved = true;
	lease_save(lease);
	lease->host->on_usage(lease->host->arg, lease);
}

/* Cut between characters: half of one would be refused on the wire and on disk. */
static void set_detail(struct lease *lease, const char *detail)
{
	size_t len = strnlen(detail, sizeof(lease->detail));

	if (len == sizeof(lease->detail))
		for (len--; len > 0 && ((unsigned char)detail[len] & 0xc0) == 0x80;)
			len--;
	memcpy(lease->detail, detail, len);
	lease->detail[len] = 0;
}

static void end(struct lease *lease, Wire__Phase phase, const char *reason, const char *detail)
{
	if (lease_ended(lease))
		return;
	lease->phase = phase;
	snprintf(lease->reason, sizeof(lease->reason), "%s", reason);
	set_detail(lease, detail);
	if (lease->ended_at_ms == 0)
		lease->ended_at_ms = clock_now_ms(lease->host->clock);
	log_info("lease.ended", log_text("lease", lease->name), log_text("reason", reason),
		 log_text("detail", lease->detail));
	record_usage(lease);
	lease_finish_log(lease);
	changed(lease);
}

void lease_fail(struct lease *lease, const char *reason, const char *detail)
{
	end(lease, WIRE__PHASE__PHASE_FAILED, reason, detail);
}

void lease_meter(struct lease *lease)
{
	if (lease->seen == SEEN_RUNNING)
		record_usage(lease);
}

void lease_settle(struct lease *lease, uint64_t sequence)
{
	meter_settle(&lease->meter, sequence);
	lease->unsaved = true;
}

/* ---- what is wanted ---- */

static Wire__Lease *copy(const Wire__Lease *wanted)
{
	size_t len = wire__lease__get_packed_size(wanted);
	_cleanup_(freep) uint8_t *bytes = malloc(len ? len : 1);

	if (!bytes)
		return NULL;
	wire__lease__pack(wanted, bytes);
	return wire__lease__unpack(NULL, len, bytes);
}

/* A pull that nobody wants any longer is not waited for. */
static void stop_pulling(struct lease *lease)
{
	if (!lease->pull)
		return;
	engine_cancel(lease->call);
	lease->call = NULL;
	pull_free(lease->pull);
	lease->pull = NULL;
}

int lease_want(struct lease *lease, const Wire__Lease *wanted)
{
	Wire__Lease *own = NULL;

	if (wanted && lease->wanted && wanted->generation == lease->generation)
		return 0;
	if (wanted) {
		own = copy(wanted);
		if (!own)
			return -ENOMEM;
		lease->generation = wanted->generation;
		lease->stop_timeout_s = wanted->container ? wanted->container->stop_timeout_s : 0;
		lease->unreported = true;
	}
	if (lease->wanted)
		wire__lease__free_unpacked(lease->wanted, NULL);
	lease->wanted = own;
	lease->dropped = !own;
	lease->unsaved = true;
	if (!own || own->want != WIRE__WANT__WANT_RUN)
		stop_pulling(lease);
	return 0;
}

static bool wants_run(const struct lease *lease)
{
	return lease->wanted && lease->wanted->want == WIRE__WANT__WANT_RUN;
}

/* ---- what the engine says ---- */

/* What starts after its lease has failed was of no use to the tenant, and is not counted. */
static bool is_metered(const struct lease *lease)
{
	return lease->phase != WIRE__PHASE__PHASE_FAILED;
}

static void see_running(struct lease *lease)
{
	lease->seen = SEEN_RUNNING;
	if (is_metered(lease))
		meter_running(&lease->meter, lease->container.started_at_ms);
	if (lease->phase != WIRE__PHASE__PHASE_RUNNING &&
	    lease->phase != WIRE__PHASE__PHASE_STOPPING && !lease_ended(lease)) {
		say(lease, "Started", NULL);
		enter(lease, WIRE__PHASE__PHASE_RUNNING);
	}
	lease_follow(lease);
}

static const char *why_exited(const struct lease *lease)
{
	/* Some engines do not tell; SIGKILL that we did not send is the kernel's. */
	if (lease->container.out_of_memory ||
	    (lease->container.exit_code == 137 && wants_run(lease)))
		return WIRE_REASON_OUT_OF_MEMORY;
	return wants_run(lease) ? WIRE_REASON_EXITED : WIRE_REASON_STOPPED;
}

static void see_exited(struct lease *lease)
{
	lease->seen = SEEN_EXITED;
	if (is_metered(lease))
		meter_ended(&lease->meter, lease->container.started_at_ms,
			    lease->container.ended_at_ms);
	lease->exit_code = lease->container.exit_code;
	lease->ended_at_ms = lease->container.ended_at_ms;
	if (!lease->logged)
		lease_follow(lease);
	end(lease, WIRE__PHASE__PHASE_EXITED, why_exited(lease), "");
}

static void see_nothing(struct lease *lease)
{
	lease->seen = SEEN_ABSENT;
	meter_lost(&lease->meter);
	if (!lease->container.id[0])
		return;
	if (lease->wanted)
		lease_fail(lease, WIRE_REASON_CONTAINER_GONE,
			   "the container was removed on the machine");
	else
		record_usage(lease);
}

void lease_see(struct lease *lease, const struct container_state *container)
{
	if (!container) {
		see_nothing(lease);
		return;
	}
	if (strcmp(lease->container.id, container->id) != 0)
		lease->unsaved = true;
	lease->container = *container;
	if (container->running)
		see_running(lease);
	else if (container->ran)
		see_exited(lease);
	else
		lease->seen = SEEN_CREATED;
}

void lease_unsee(struct lease *lease)
{
	lease->seen = SEEN_UNKNOWN;
}

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

static void on_pulled(void *arg, const struct engine_reply *reply)
{
	struct lease *lease = arg;

	pull_free(lease->pull);
	lease->pull = NULL;
	if (!answered(lease, reply))
		return;
	if (!engine_ok(reply)) {
		say(lease, "Pull failed", reply->message);
		lease_fail(lease, pull_reason(lease->wanted->container->image, reply),
			   reply->message);
		return;
	}
	say(lease, "Pulled", lease->wanted->container->image);
	lease->pulled = true;
	enter(lease, WIRE__PHASE__PHASE_STARTING);
	lease_step(lease);
}

static void pull(struct lease *lease)
{
	say(lease, "Pulling", lease->wanted->container->image);
	enter(lease, WIRE__PHASE__PHASE_PULLING);
	begun(lease, pull_start(lease, lease->wanted->container->image, on_pulled));
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
		enter(lease, WIRE__PHASE__PHASE_STARTING);
	} else if (is_taken(reply)) {
		/* A create whose answer was lost. */
		lease->stale = true;
	} else if (reply->status == 404 && !lease->pulled && wants_run(lease)) {
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
		say(lease, "Start failed", reply->message);
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
		say(lease, "Stopping", NULL);
		enter(lease, WIRE__PHASE__PHASE_STOPPING);
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
		end(lease, WIRE__PHASE__PHASE_EXITED, WIRE_REASON_STOPPED, "");
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
	else if (wants_run(lease))
		step_run(lease);
	else
		step_stop(lease);
}

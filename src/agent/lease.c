#include "agent/lease.h"

#include "base/log.h"
#include "base/text.h"

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

void lease_say(struct lease *lease, const char *what, const char *detail)
{
	int r = logbook_say(lease->book, detail && *detail ? "%s: %s" : "%s", what, detail);

	if (r < 0)
		log_warn("logbook.write", log_text("lease", lease->name), log_fault(r));
}

void lease_enter(struct lease *lease, Wire__Phase phase)
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

void lease_end(struct lease *lease, Wire__Phase phase, const char *reason, const char *detail)
{
	if (lease_ended(lease))
		return;
	lease->phase = phase;
	snprintf(lease->reason, sizeof(lease->reason), "%s", reason);
	text_copy(lease->detail, sizeof(lease->detail), detail);
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
	lease_end(lease, WIRE__PHASE__PHASE_FAILED, reason, detail);
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

bool lease_wants_run(const struct lease *lease)
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
		lease_say(lease, "Started", NULL);
		lease_enter(lease, WIRE__PHASE__PHASE_RUNNING);
	}
	lease_follow(lease);
}

static const char *why_exited(const struct lease *lease)
{
	/* Some engines do not tell; SIGKILL that we did not send is the kernel's. */
	if (lease->container.out_of_memory ||
	    (lease->container.exit_code == 137 && lease_wants_run(lease)))
		return WIRE_REASON_OUT_OF_MEMORY;
	return lease_wants_run(lease) ? WIRE_REASON_EXITED : WIRE_REASON_STOPPED;
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
	lease_end(lease, WIRE__PHASE__PHASE_EXITED, why_exited(lease), "");
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

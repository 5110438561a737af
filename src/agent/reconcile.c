#include "agent/reconcile.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "io/loop.h"

enum { USAGE_MS = 10000, DESIRED_MEMORY_MAX = 16 << 20 };

struct reconcile {
	struct reconcile_config config;
	struct lease_host host;
	struct lease *leases;
	uint64_t generation; /* of this session's last desired set; 0: none yet */
	bool told; /* the control plane said in this session what it wants */
	void *desired; /* bytes still to be kept */
	size_t desired_len;

	bool up;
	int64_t down_since_ms;
	struct engine_call *call; /* the list */
	struct engine_call *asking; /* for the version */
	struct engine_call *events;
	struct engine_call *removing; /* a container that belongs to no lease */
	struct loop_timer *round, *usage, *save;
};

static void begin_round(struct reconcile *reconcile);

static int64_t mono_ms(const struct reconcile *reconcile)
{
	return clock_mono_ms(reconcile->config.clock);
}

struct lease *reconcile_leases(const struct reconcile *reconcile)
{
	return reconcile->leases;
}

struct lease *reconcile_find(const struct reconcile *reconcile, const uint8_t id[static 16])
{
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		if (memcmp(lease->id.bytes, id, sizeof(lease->id.bytes)) == 0)
			return lease;
	return NULL;
}

static struct lease *find_by_text(const struct reconcile *reconcile, const char *text)
{
	struct lease_id id;

	return text && lease_id_parse(text, &id) == 0 ? reconcile_find(reconcile, id.bytes) : NULL;
}

bool reconcile_engine_up(const struct reconcile *reconcile)
{
	return reconcile->up;
}

/* ---- keeping ---- */

static void on_save(void *arg);

static void save_soon(struct reconcile *reconcile)
{
	int r;

	if (reconcile->save)
		return;
	r = loop_timer_new(reconcile->config.loop, RECONCILE_SAVE_MS, 0, on_save, reconcile,
			   &reconcile->save);
	if (r < 0)
		log_error("reconcile.save", log_fault(r));
}

static void save_desired(struct reconcile *reconcile)
{
	int r;

	if (!reconcile->desired)
		return;
	r = state_write(reconcile->config.state, "desired", reconcile->desired,
			reconcile->desired_len);
	if (r < 0) {
		log_error("reconcile.save_desired", log_fault(r));
		return;
	}
	free(reconcile->desired);
	reconcile->desired = NULL;
}

static void reap(struct reconcile *reconcile)
{
	struct lease **at = &reconcile->leases;

	while (*at) {
		struct lease *lease = *at;

		if (!lease_done(lease)) {
			at = &lease->next;
			continue;
		}
		log_info("lease.done", log_text("lease", lease->name));
		*at = lease->next;
		lease_forget(lease);
		lease_free(lease);
	}
}

static void on_save(void *arg)
{
	struct reconcile *reconcile = arg;

	loop_timer_free(reconcile->save);
	reconcile->save = NULL;
	save_desired(reconcile);
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		lease_save(lease);
	reap(reconcile);
}

/* ---- what leases tell ---- */

static void on_change(void *arg, struct lease *lease)
{
	struct reconcile *reconcile = arg;

	save_soon(reconcile);
	reconcile->config.on_change(reconcile->config.arg, lease);
}

static void on_usage(void *arg, struct lease *lease)
{
	struct reconcile *reconcile = arg;

	reconcile->config.on_usage(reconcile->config.arg, lease);
}

static void on_lines(void *arg, struct lease *lease)
{
	struct reconcile *reconcile = arg;

	if (lease->unsaved)
		save_soon(reconcile);
	reconcile->config.on_lines(reconcile->config.arg, lease);
}

/* ---- the engine's health ---- */

static void on_round(void *arg)
{
	begin_round(arg);
}

static void next_round(struct reconcile *reconcile, uint64_t in_ms)
{
	int r;

	loop_timer_free(reconcile->round);
	reconcile->round = NULL;
	r = loop_timer_new(reconcile->config.loop, in_ms, 0, on_round, reconcile,
			   &reconcile->round);
	if (r < 0)
		log_error("reconcile.timer", log_fault(r));
}

static void fail_waiting(struct reconcile *reconcile)
{
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		if (lease->wanted && !lease_ended(lease) &&
		    lease->phase != WIRE__PHASE__PHASE_RUNNING &&
		    lease->phase != WIRE__PHASE__PHASE_STOPPING)
			lease_fail(lease, WIRE_REASON_ENGINE_DOWN,
				   "the container engine does not answer");
}

static void engine_down(struct reconcile *reconcile, int fault)
{
	engine_cancel(reconcile->events);
	reconcile->events = NULL;
	if (reconcile->up || reconcile->down_since_ms == 0) {
		reconcile->down_since_ms = mono_ms(reconcile);
		log_warn("engine.down", log_fault(fault));
		reconcile->up = false;
		for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
			lease_unsee(lease);
		reconcile->config.on_engine(reconcile->config.arg, false);
	}
	if (mono_ms(reconcile) - reconcile->down_since_ms >= RECONCILE_ENGINE_DOWN_MS)
		fail_waiting(reconcile);
	next_round(reconcile, RECONCILE_RETRY_MS);
}

static void on_engine_fault(void *arg, int fault)
{
	engine_down(arg, fault);
}

/* ---- events ---- */

static void on_event(void *arg, const json_t *event)
{
	static const char *const telling[] = { "die", "died", "remove", "destroy", "oom" };
	struct reconcile *reconcile = arg;
	const char *action = json_string_value(json_object_get(event, "Action"));
	const json_t *attributes = json_object_get(json_object_get(event, "Actor"), "Attributes");
	struct lease *lease = find_by_text(
		reconcile, json_string_value(json_object_get(attributes, LABEL_LEASE)));

	for (size_t i = 0; lease && action && i < ARRAY_SIZE(telling); i++)
		if (strcmp(action, telling[i]) == 0)
			lease_look(lease);
}

static void on_events_end(void *arg, const struct engine_reply *reply)
{
	struct reconcile *reconcile = arg;

	reconcile->events = NULL;
	engine_down(reconcile, reply->fault ? reply->fault : -EPIPE);
}

static void watch_events(struct reconcile *reconcile)
{
	int r;

	if (reconcile->events)
		return;
	r = engine_events(reconcile->config.engine, on_event, on_events_end, reconcile,
			  &reconcile->events);
	if (r < 0)
		log_warn("reconcile.events", log_fault(r));
}

/* ---- a round: version, list, each lease ---- */

static const json_t *find_container(const json_t *list, const struct lease *lease)
{
	char text[ID_TEXT_SIZE];
	const json_t *item;
	size_t i;

	lease_id_text(&lease->id, text);
	json_array_foreach(list, i, item) {
		const char *label = json_string_value(
			json_object_get(json_object_get(item, "Labels"), LABEL_LEASE));

		if (label && strcmp(label, text) == 0)
			return item;
	}
	return NULL;
}

/* A list is a hint, taken a moment ago: what contradicts it is looked at before anything is
 * concluded. Only a container that nobody made is known to be absent. */
static void compare(struct lease *lease, const json_t *item)
{
	const char *state = json_string_value(json_object_get(item, "State"));
	bool running = state && strcmp(state, "running") == 0;
	bool lost = lease->seen == SEEN_RUNNING && !lease->follow;

	if (!item && !lease->container.id[0]) {
		if (lease->seen == SEEN_UNKNOWN)
			lease_see(lease, NULL);
	} else if (lease->seen == SEEN_UNKNOWN || lost || !item != (lease->seen == SEEN_ABSENT) ||
		   running != (lease->seen == SEEN_RUNNING)) {
		lease->stale = true;
	}
	lease_step(lease);
}

static void on_orphan_removed(void *arg, const struct engine_reply *reply)
{
	struct reconcile *reconcile = arg;

	reconcile->removing = NULL;
	if (!engine_ok(reply))
		log_warn("reconcile.orphan", log_text("message", reply->message));
}

static bool is_ours(const struct reconcile *reconcile, const json_t *labels)
{
	const char *network = json_string_value(json_object_get(labels, LABEL_NETWORK));
	struct address address;

	return network && address_parse(network, &address) == 0 &&
	       address_equal(&address, &reconcile->config.container.network);
}

/* One at a time; the next round takes the next. */
static void remove_orphan(struct reconcile *reconcile, const json_t *list)
{
	const json_t *item;
	size_t i;

	if (!reconcile->told || reconcile->removing)
		return;
	json_array_foreach(list, i, item) {
		const json_t *labels = json_object_get(item, "Labels");
		const char *id = json_string_value(json_object_get(item, "Id"));
		int r;

		if (!id || !is_ours(reconcile, labels) ||
		    find_by_text(reconcile,
				 json_string_value(json_object_get(labels, LABEL_LEASE))))
			continue;
		log_info("reconcile.orphan", log_text("container", id));
		r = engine_remove(reconcile->config.engine, id, on_orphan_removed, reconcile,
				  &reconcile->removing);
		if (r < 0)
			log_warn("reconcile.orphan", log_fault(r));
		next_round(reconcile, RECONCILE_RETRY_MS);
		return;
	}
}

static void engine_is_up(struct reconcile *reconcile)
{
	if (reconcile->up)
		return;
	reconcile->up = true;
	reconcile->down_since_ms = 0;
	log_info("engine.up", log_text("engine", engine_name(reconcile->config.engine)));
	reconcile->config.on_engine(reconcile->config.arg, true);
}

static void on_listed(void *arg, const struct engine_reply *reply)
{
	struct reconcile *reconcile = arg;

	reconcile->call = NULL;
	if (!engine_ok(reply) || !json_is_array(reply->json)) {
		engine_down(reconcile, reply->fault ? reply->fault : -EPROTO);
		return;
	}
	engine_is_up(reconcile);
	next_round(reconcile, RECONCILE_EVERY_MS);
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		compare(lease, find_container(reply->json, lease));
	remove_orphan(reconcile, reply->json);
	save_soon(reconcile);
}

static void list(struct reconcile *reconcile)
{
	int r;

	/* First, so that nothing happens unseen between the two. */
	watch_events(reconcile);
	r = engine_list(reconcile->config.engine, LABEL_LEASE, on_listed, reconcile,
			&reconcile->call);
	if (r < 0)
		engine_down(reconcile, r);
}

static void on_version(void *arg, const struct engine_reply *reply)
{
	struct reconcile *reconcile = arg;

	reconcile->asking = NULL;
	if (!engine_ok(reply)) {
		log_warn("engine.version", log_text("message", reply->message));
		return;
	}
	log_info("engine.version", log_text("engine", engine_name(reconcile->config.engine)));
	if (reconcile->up)
		reconcile->config.on_engine(reconcile->config.arg, true);
}

/* An engine that comes back may be another one. */
static void ask_version(struct reconcile *reconcile)
{
	int r;

	if (reconcile->asking)
		return;
	r = engine_version(reconcile->config.engine, on_version, reconcile, &reconcile->asking);
	if (r < 0)
		log_warn("engine.version", log_fault(r));
}

static void begin_round(struct reconcile *reconcile)
{
	if (reconcile->call)
		return;
	if (!reconcile->up)
		ask_version(reconcile);
	list(reconcile);
}

/* ---- what is wanted ---- */

static int take_lease(struct reconcile *reconcile, const Wire__Lease *wanted)
{
	struct lease *lease = reconcile_find(reconcile, wanted->lease.data);
	struct rental_id rental;
	struct lease_id id;
	int r;

	if (lease)
		return lease_want(lease, wanted);
	memcpy(id.bytes, wanted->lease.data, sizeof(id.bytes));
	memcpy(rental.bytes, wanted->rental.data, sizeof(rental.bytes));
	r = lease_new(&reconcile->host, &id, &rental, &lease);
	if (r < 0)
		return r;
	/* Every container of ours is known while the engine is up. */
	lease->seen = reconcile->up ? SEEN_ABSENT : SEEN_UNKNOWN;
	lease->next = reconcile->leases;
	reconcile->leases = lease;
	return lease_want(lease, wanted);
}

static const Wire__Lease *find_wanted(const Wire__Desired *desired, const struct lease *lease)
{
	for (size_t i = 0; i < desired->n_leases; i++)
		if (memcmp(desired->leases[i]->lease.data, lease->id.bytes, 16) == 0)
			return desired->leases[i];
	return NULL;
}

static int apply(struct reconcile *reconcile, const Wire__Desired *desired, bool drop)
{
	int r = 0;

	for (size_t i = 0; i < desired->n_leases; i++) {
		int taken = take_lease(reconcile, desired->leases[i]);

		r = taken < 0 ? taken : r;
	}
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next) {
		if (drop && !find_wanted(desired, lease) && lease_want(lease, NULL) < 0)
			r = -ENOMEM;
		if (reconcile->up)
			lease_step(lease);
	}
	return r;
}

static int keep_desired(struct reconcile *reconcile, const Wire__Desired *desired)
{
	size_t len = wire__desired__get_packed_size(desired);
	uint8_t *bytes = malloc(len ? len : 1);

	if (!bytes)
		return -ENOMEM;
	wire__desired__pack(desired, bytes);
	free(reconcile->desired);
	reconcile->desired = bytes;
	reconcile->desired_len = len;
	save_soon(reconcile);
	return 0;
}

int reconcile_desired(struct reconcile *reconcile, const Wire__Desired *desired)
{
	int r;

	if (reconcile->told && desired->generation < reconcile->generation)
		return 0;
	reconcile->told = true;
	reconcile->generation = desired->generation;
	r = apply(reconcile, desired, true);
	return r < 0 ? r : keep_desired(reconcile, desired);
}

uint64_t reconcile_generation(const struct reconcile *reconcile)
{
	return reconcile->desired ? 0 : reconcile->generation;
}

void reconcile_new_session(struct reconcile *reconcile)
{
	reconcile->told = false;
	reconcile->generation = 0;
}

/* ---- metering ---- */

static void on_usage_due(void *arg)
{
	struct reconcile *reconcile = arg;

	/* Without the engine's word nothing is counted; what ran meanwhile is added when it is back. */
	for (struct lease *lease = reconcile->leases; reconcile->up && lease; lease = lease->next)
		lease_meter(lease);
}

void reconcile_usage_every(struct reconcile *reconcile, uint32_t usage_ms)
{
	int r;

	loop_timer_free(reconcile->usage);
	reconcile->usage = NULL;
	usage_ms = usage_ms ? usage_ms : USAGE_MS;
	r = loop_timer_new(reconcile->config.loop, usage_ms, usage_ms, on_usage_due, reconcile,
			   &reconcile->usage);
	if (r < 0)
		log_error("reconcile.usage", log_fault(r));
}

void reconcile_settle(struct reconcile *reconcile, const struct lease_id *id, uint64_t sequence)
{
	struct lease *lease = reconcile_find(reconcile, id->bytes);

	if (!lease)
		return;
	lease_settle(lease, sequence);
	save_soon(reconcile);
}

/* ---- beginning and end ---- */

static int load_lease(void *arg, const char *name)
{
	struct reconcile *reconcile = arg;
	const char *dot = strrchr(name, '.');
	struct lease *lease;
	int r;

	/* What a crash left beside its place. */
	if (!dot || strcmp(dot, ".json") != 0)
		return 0;
	r = lease_load(&reconcile->host, name, &lease);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		/* The container's labels and the control plane bring the lease back. */
		log_error("lease.load", log_text("file", name), log_fault(r));
		return 0;
	}
	lease->next = reconcile->leases;
	reconcile->leases = lease;
	return 0;
}

static int load_desired(struct reconcile *reconcile)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	Wire__Desired *desired;
	const void *bytes;
	size_t len;
	int r;

	r = arena_new(DESIRED_MEMORY_MAX, &arena);
	if (r == 0)
		r = state_read(reconcile->config.state, "desired", arena, &bytes, &len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	desired = wire__desired__unpack(NULL, len, bytes);
	if (!desired)
		return -EBADMSG;
	r = apply(reconcile, desired, false);
	wire__desired__free_unpacked(desired, NULL);
	return r;
}

int reconcile_new(const struct reconcile_config *config, struct reconcile **ret_reconcile)
{
	struct reconcile *reconcile = calloc(1, sizeof(*reconcile));
	int r;

	if (!reconcile)
		return -ENOMEM;
	reconcile->config = *config;
	reconcile->host = (struct lease_host){
		.engine = config->engine,
		.state = config->state,
		.logs = openat(state_fd(config->state), "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.clock = config->clock,
		.container = config->container,
		.on_change = on_change,
		.on_usage = on_usage,
		.on_lines = on_lines,
		.on_engine_fault = on_engine_fault,
		.arg = reconcile,
	};
	r = reconcile->host.logs < 0 ? -errno : 0;
	if (r == 0)
		r = state_each(config->state, "leases", load_lease, reconcile);
	if (r == 0)
		r = load_desired(reconcile);
	if (r < 0) {
		reconcile_free(reconcile);
		return r;
	}
	reconcile_usage_every(reconcile, USAGE_MS);
	begin_round(reconcile);
	*ret_reconcile = reconcile;
	return 0;
}

void reconcile_free(struct reconcile *reconcile)
{
	struct lease *lease;

	if (!reconcile)
		return;
	save_desired(reconcile);
	while ((lease = reconcile->leases)) {
		reconcile->leases = lease->next;
		lease_save(lease);
		lease_free(lease);
	}
	engine_cancel(reconcile->call);
	engine_cancel(reconcile->asking);
	engine_cancel(reconcile->events);
	engine_cancel(reconcile->removing);
	loop_timer_free(reconcile->round);
	loop_timer_free(reconcile->usage);
	loop_timer_free(reconcile->save);
	if (reconcile->host.logs >= 0)
		close(reconcile->host.logs);
	free(reconcile->desired);
	free(reconcile);
}

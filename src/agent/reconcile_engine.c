#include "agent/reconcile_internal.h"

#include "base/log.h"
#include "io/loop.h"

static int64_t mono_ms(const struct reconcile *reconcile)
{
	return clock_mono_ms(reconcile->config.clock);
}

bool reconcile_engine_up(const struct reconcile *reconcile)
{
	return reconcile->up;
}

/* ---- up and down ---- */

static void on_round(void *arg)
{
	reconcile_begin_round(arg);
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

void reconcile_round_soon(void *arg)
{
	next_round(arg, RECONCILE_RETRY_MS);
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

void reconcile_engine_fault(void *arg, int fault)
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
	struct lease *lease = reconcile_find_text(
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

	lease_round(lease);
	if (!item && !lease->container.id[0]) {
		if (lease->seen == SEEN_UNKNOWN)
			lease_see(lease, NULL);
	} else if (lease->seen == SEEN_UNKNOWN || lost || !item != (lease->seen == SEEN_ABSENT) ||
		   running != (lease->seen == SEEN_RUNNING)) {
		lease->stale = true;
	}
	lease_step(lease);
}

static void on_removed(void *arg, const struct engine_reply *reply)
{
	struct reconcile *reconcile = arg;

	reconcile->removing = NULL;
	if (!engine_ok(reply))
		log_warn("reconcile.remove", log_text("message", reply->message));
}

static void remove_container(struct reconcile *reconcile, const char *id)
{
	int r = engine_remove(reconcile->config.engine, id, on_removed, reconcile,
			      &reconcile->removing);

	if (r < 0)
		log_warn("reconcile.remove", log_fault(r));
}

/* Its files are gone already, and it hides all others. */
static void remove_torn(struct reconcile *reconcile, const struct engine_reply *reply)
{
	char id[ENGINE_ID_SIZE];

	if (reconcile->removing || !engine_torn(reply, id))
		return;
	log_warn("reconcile.torn", log_text("container", id));
	remove_container(reconcile, id);
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

		if (!id || !is_ours(reconcile, labels) ||
		    reconcile_find_text(reconcile,
					json_string_value(json_object_get(labels, LABEL_LEASE))))
			continue;
		log_info("reconcile.orphan", log_text("container", id));
		remove_container(reconcile, id);
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
		remove_torn(reconcile, reply);
		engine_down(reconcile, reply->fault ? reply->fault : -EPROTO);
		return;
	}
	engine_is_up(reconcile);
	next_round(reconcile, RECONCILE_EVERY_MS);
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		compare(lease, find_container(reply->json, lease));
	remove_orphan(reconcile, reply->json);
	reconcile_save_soon(reconcile);
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

void reconcile_begin_round(struct reconcile *reconcile)
{
	if (reconcile->call)
		return;
	if (!reconcile->up)
		ask_version(reconcile);
	list(reconcile);
}

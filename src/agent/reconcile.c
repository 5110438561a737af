#include "agent/reconcile_internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "io/loop.h"

enum { USAGE_MS = 10000, DESIRED_MEMORY_MAX = 16 << 20 };

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

struct lease *reconcile_find_text(const struct reconcile *reconcile, const char *text)
{
	struct lease_id id;

	return text && lease_id_parse(text, &id) == 0 ? reconcile_find(reconcile, id.bytes) : NULL;
}

/* ---- keeping ---- */

static void on_save(void *arg);

void reconcile_save_soon(struct reconcile *reconcile)
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

static bool must_wait(void *arg)
{
	const struct reconcile *reconcile = arg;

	for (const struct lease *lease = reconcile->leases; lease; lease = lease->next)
		if (lease_leaving(lease))
			return true;
	return false;
}

static void step_waiting(struct reconcile *reconcile)
{
	for (struct lease *lease = reconcile->leases; lease; lease = lease->next)
		if (lease->seen == SEEN_CREATED)
			lease_step(lease);
}

static void on_change(void *arg, struct lease *lease)
{
	struct reconcile *reconcile = arg;

	if (lease->dropped && !must_wait(reconcile))
		step_waiting(reconcile);
	reconcile_save_soon(reconcile);
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
		reconcile_save_soon(reconcile);
	reconcile->config.on_lines(reconcile->config.arg, lease);
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
	for (struct lease *lease = reconcile->leases; drop && lease; lease = lease->next)
		if (!find_wanted(desired, lease) && lease_want(lease, NULL) < 0)
			r = -ENOMEM;
	/* Only now is known what is to go before others start. */
	for (struct lease *lease = reconcile->leases; reconcile->up && lease; lease = lease->next)
		lease_step(lease);
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
	reconcile_save_soon(reconcile);
	return 0;
}

int reconcile_desired(struct reconcile *reconcile, const Wire__Desired *desired)
{
	bool first = !reconcile->told;
	int r;

	if (reconcile->told && desired->generation < reconcile->generation)
		return 0;
	reconcile->told = true;
	reconcile->generation = desired->generation;
	r = apply(reconcile, desired, true);
	/* Now is known what nobody wants. */
	if (first && reconcile->up)
		reconcile_begin_round(reconcile);
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
	reconcile_save_soon(reconcile);
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
	if (r == -EPROTONOSUPPORT)
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
	if (r < 0 && r != -EBADMSG)
		return r;
	desired = r == 0 ? wire__desired__unpack(NULL, len, bytes) : NULL;
	if (!desired) {
		/* Containers stay as they are until the control plane tells it again. */
		log_error("reconcile.desired_damaged", log_fault(-EBADMSG));
		return 0;
	}
	r = apply(reconcile, desired, false);
	wire__desired__free_unpacked(desired, NULL);
	return r;
}

/* The folders of the agent's own in the state, made when they are first needed. */
static int open_folders(struct reconcile *reconcile)
{
	struct state *state = reconcile->config.state;
	int r = state_folder(state, "leases");

	if (r == 0)
		r = state_folder(state, "logs");
	if (r < 0)
		return r;
	reconcile->host.logs = openat(state_fd(state), "logs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return reconcile->host.logs < 0 ? -errno : 0;
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
		.logs = -1,
		.clock = config->clock,
		.container = config->container,
		.on_change = on_change,
		.on_usage = on_usage,
		.on_lines = on_lines,
		.on_engine_fault = reconcile_engine_fault,
		.on_trouble = reconcile_round_soon,
		.must_wait = must_wait,
		.arg = reconcile,
	};
	r = open_folders(reconcile);
	if (r == 0)
		r = state_each(config->state, "leases", load_lease, reconcile);
	if (r == 0)
		r = load_desired(reconcile);
	if (r < 0) {
		reconcile_free(reconcile);
		return r;
	}
	reconcile_usage_every(reconcile, USAGE_MS);
	reconcile_begin_round(reconcile);
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

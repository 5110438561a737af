#include "modules/worker/reports.h"

#include "api/settings.h"
#include "base/keccak.h"
#include "base/moves.h"
#include "modules/worker/worker_state.h"

static const char *const phase_names[] = { "none",     "pulling", "starting", "running",
					   "stopping", "exited",  "failed" };

#define BIT(phase) (1u << WORKER_PHASE_##phase)
static const uint32_t phase_next[] = {
	[WORKER_PHASE_NONE] = BIT(NONE) | BIT(PULLING) | BIT(STARTING) | BIT(RUNNING) |
			      BIT(STOPPING) | BIT(EXITED) | BIT(FAILED),
	[WORKER_PHASE_PULLING] = BIT(PULLING) | BIT(STARTING) | BIT(RUNNING) | BIT(STOPPING) |
				 BIT(EXITED) | BIT(FAILED),
	[WORKER_PHASE_STARTING] = BIT(STARTING) | BIT(RUNNING) | BIT(STOPPING) | BIT(EXITED) |
				  BIT(FAILED),
	[WORKER_PHASE_RUNNING] = BIT(RUNNING) | BIT(STOPPING) | BIT(EXITED) | BIT(FAILED),
	[WORKER_PHASE_STOPPING] = BIT(STOPPING) | BIT(EXITED) | BIT(FAILED),
	[WORKER_PHASE_EXITED] = BIT(EXITED),
	[WORKER_PHASE_FAILED] = BIT(FAILED),
};

/* Within one generation; a new one may begin anywhere. */
static const struct moves phase_moves = { phase_names, phase_next, ARRAY_SIZE(phase_next) };

static void wake_rentals(void *arg)
{
	job_wake(arg, "rentals");
}

static int tell_rental(const struct context *context, struct tx *tx, struct rental_id rental)
{
	int r = lease_store_change(tx, rental);

	return r != 0 ? r : tx_on_commit(tx, wake_rentals, (void *)context);
}

/* ---- actual ---- */

static int ports_text(struct arena *arena, const Wire__LeaseState *state, const char **ret_text)
{
	const size_t size = 16 * WIRE_PORTS_MAX;
	char *text = arena_alloc(arena, size);
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	for (size_t i = 0; i < state->n_ports; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%u:%u", i ? "," : "",
				      state->ports[i]->container, state->ports[i]->host);
	*ret_text = text;
	return 0;
}

static bool is_news(const struct lease_row *row, const struct lease_report *old,
		    const Wire__LeaseState *state)
{
	if (state->phase == WIRE__PHASE__PHASE_NONE || row->want == 0 || row->removed)
		return false;
	if ((int64_t)state->generation < old->applied ||
	    (int64_t)state->generation > row->generation)
		return false;
	return (int64_t)state->generation > old->applied ||
	       moves_allow(&phase_moves, (int)old->phase, (int)state->phase);
}

/* Progress of a pull is kept, but is no news to the rental. */
static bool is_notable(const struct lease_report *a, const struct lease_report *b)
{
	return a->phase != b->phase || a->exit_code != b->exit_code ||
	       a->started_at_ms != b->started_at_ms || a->ended_at_ms != b->ended_at_ms ||
	       strcmp(a->reason, b->reason) != 0 || strcmp(a->detail, b->detail) != 0 ||
	       strcmp(a->ports, b->ports) != 0;
}

static bool is_same(const struct lease_report *a, const struct lease_report *b)
{
	return !is_notable(a, b) && a->applied == b->applied &&
	       a->pulled_bytes == b->pulled_bytes && a->pull_total_bytes == b->pull_total_bytes;
}

static bool is_machines_fault(const char *reason)
{
	static const char *const reasons[] = { WIRE_REASON_CREATE_FAILED, WIRE_REASON_ENGINE_DOWN,
					       WIRE_REASON_GPU_MISSING };

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reasons[i], reason) == 0)
			return true;
	return false;
}

/* A machine that runs what it was given rises slowly, one that breaks it falls fast. */
static int rate_machine(struct tx *tx, struct machine_id machine, const struct lease_report *old,
			const struct lease_report *now)
{
	struct worker_row row;
	int64_t quality;
	int r;

	if (now->phase == old->phase ||
	    (now->phase != WORKER_PHASE_RUNNING &&
	     !(now->phase == WORKER_PHASE_FAILED && is_machines_fault(now->reason))))
		return 0;
	r = worker_store_get(tx, machine, &row);
	if (r != 0)
		return r;
	quality = now->phase == WORKER_PHASE_RUNNING ? row.quality + (1000 - row.quality + 19) / 20
						     : row.quality * 3 / 4;
	if (quality == row.quality)
		return 0;
	r = worker_store_quality(tx, machine, quality);
	return r != 0 ? r : worker_fleet_refresh(tx, machine);
}

static int64_t not_after(int64_t ms, int64_t now_ms)
{
	return ms < now_ms ? ms : now_ms;
}

static int apply(const struct context *context, struct tx *tx, struct machine_id machine,
		 const Wire__LeaseState *state)
{
	int64_t now_ms = clock_now_ms(context->clock);
	struct lease_report old, now;
	struct lease_row row;
	struct lease_id lease;
	int r;

	memcpy(lease.bytes, state->lease.data, sizeof(lease.bytes));
	r = lease_store_get(tx, lease, &row, &old);
	if (r == ROUTE_E_NOT_FOUND)
		return 0;
	if (r != 0 || !machine_equal(row.machine, machine) || !is_news(&row, &old, state))
		return r;
	now = (struct lease_report){
		.applied = (int64_t)state->generation,
		.phase = state->phase,
		.exit_code = state->exit_code,
		.started_at_ms = not_after(state->started_at_ms, now_ms),
		.ended_at_ms = not_after(state->ended_at_ms, now_ms),
		.pulled_bytes = (int64_t)state->pulled_bytes,
		.pull_total_bytes = (int64_t)state->pull_total_bytes,
		.reason = state->reason,
		.detail = state->detail,
	};
	r = ports_text(tx_arena(tx), state, &now.ports);
	if (r != 0 || is_same(&old, &now))
		return r;
	r = lease_store_report(tx, lease, &now);
	if (r == 0)
		r = rate_machine(tx, machine, &old, &now);
	if (r == 0 && is_notable(&old, &now))
		r = tell_rental(context, tx, row.rental);
	return r;
}

static bool is_reported(const Wire__Actual *actual, const struct lease_id *lease)
{
	for (size_t i = 0; i < actual->n_leases; i++)
		if (memcmp(actual->leases[i]->lease.data, lease->bytes, sizeof(lease->bytes)) == 0)
			return true;
	return false;
}

static int confirm_removals(struct tx *tx, struct machine_id machine, const Wire__Actual *actual)
{
	struct lease_id *leaving;
	size_t n;
	int r;

	r = lease_store_leaving(tx, machine, &leaving, &n);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!is_reported(actual, &leaving[i]))
			r = lease_store_delete(tx, leaving[i]);
	return r;
}

int report_actual(const struct context *context, struct tx *tx, struct machine_id machine,
		  const Wire__Actual *actual)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < actual->n_leases; i++)
		r = apply(context, tx, machine, actual->leases[i]);
	if (r == 0 && actual->complete)
		r = confirm_removals(tx, machine, actual);
	return r;
}

/* ---- what services read ---- */

static void read_ports(const char *text, struct worker_actual *actual)
{
	char *end = (char *)text;

	while (*end && actual->n_ports < ARRAY_SIZE(actual->ports)) {
		struct worker_port *port = &actual->ports[actual->n_ports++];

		port->container = (uint16_t)strtoul(end, &end, 10);
		if (*end == ':')
			port->host = (uint16_t)strtoul(end + 1, &end, 10);
		if (*end == ',')
			end++;
	}
}

int worker_lease_actual(const struct context *context, struct tx *tx, struct lease_id lease,
			struct worker_actual *ret_actual)
{
	struct lease_report report;
	struct fleet_pulse pulse;
	struct worker_row worker;
	struct lease_row row;
	int r;

	r = lease_store_get(tx, lease, &row, &report);
	if (r == 0)
		r = worker_store_get(tx, row.machine, &worker);
	if (r != 0)
		return r;
	fleet_pulse_of(worker_state.fleet, row.machine, &pulse);
	*ret_actual = (struct worker_actual){
		.machine = row.machine,
		.phase = (enum worker_phase)report.phase,
		.reason = report.reason,
		.detail = report.detail,
		.exit_code = (int32_t)report.exit_code,
		.started_at_ms = report.started_at_ms,
		.ended_at_ms = report.ended_at_ms,
		.pulled_bytes = report.pulled_bytes,
		.pull_total_bytes = report.pull_total_bytes,
		.online = pulse.online,
		.lost = pulse.silent_ms > context->settings->lost_after_ms,
		.seen_at_ms = pulse.heard ? pulse.heard_at_ms : worker.seen_at_ms,
	};
	read_ports(report.ports, ret_actual);
	return 0;
}

int worker_address(struct tx *tx, struct machine_id machine, const char **ret_address)
{
	struct worker_row row;
	int r = worker_store_get(tx, machine, &row);

	if (r == 0)
		*ret_address = row.inventory.address;
	return r;
}

int worker_changes_take(struct tx *tx, size_t max, struct rental_id *ret_rentals, size_t *ret_n)
{
	return lease_store_changes_take(tx, max, ret_rentals, ret_n);
}

/* ---- inventory ---- */

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static const char *check_gpu(const Wire__Inventory *inventory, size_t i)
{
	const Wire__Gpu *gpu = inventory->gpus[i];
	size_t len = strlen(gpu->uuid);

	if (len == 0 || len > INVENTORY_UUID_MAX)
		return "gpus.uuid must have 1 to 47 bytes";
	if (gpu->memory_bytes >> INVENTORY_BYTES_MAX_LOG2)
		return "gpus.memory_bytes is past 2^50";
	if (has_control(gpu->uuid) || has_control(gpu->model) || has_control(gpu->driver) ||
	    has_control(gpu->cuda))
		return "gpus: texts must not hold control characters";
	for (size_t k = 0; k < i; k++)
		if (strcmp(inventory->gpus[k]->uuid, gpu->uuid) == 0)
			return "gpus.uuid is there twice";
	return NULL;
}

const char *inventory_check(const Wire__Inventory *inventory)
{
	const char *wrong = NULL;

	if (inventory->cpu_count < 1 || inventory->cpu_count > INVENTORY_CPUS_MAX)
		return "cpu_count must be 1 to 4096";
	if (inventory->memory_bytes == 0 || inventory->memory_bytes >> INVENTORY_BYTES_MAX_LOG2)
		return "memory_bytes must be 1 to 2^50";
	if (inventory->disk_bytes >> INVENTORY_BYTES_MAX_LOG2)
		return "disk_bytes is past 2^50";
	if (has_control(inventory->cpu_model) || has_control(inventory->os) ||
	    has_control(inventory->kernel) || has_control(inventory->engine))
		return "texts must not hold control characters";
	if (inventory->address[0] && !wire_is_host(inventory->address))
		return "address must be a host name or a numeric address";
	if (inventory->proof_address[0] && !wire_is_host(inventory->proof_address))
		return "proof_address must be a host name or a numeric address";
	for (size_t i = 0; !wrong && i < inventory->n_gpus; i++)
		wrong = check_gpu(inventory, i);
	return wrong;
}

static int convert_gpus(struct arena *arena, const Wire__Inventory *inventory,
			struct worker_gpu **ret_gpus)
{
	struct worker_gpu *gpus = arena_array(arena, inventory->n_gpus + 1, sizeof(*gpus));
	char name[GPU_NAME_SIZE];

	if (!gpus)
		return -ENOMEM;
	for (size_t i = 0; i < inventory->n_gpus; i++) {
		const Wire__Gpu *gpu = inventory->gpus[i];

		gpu_name_canonical(gpu->model, name);
		gpus[i] = (struct worker_gpu){
			.uuid = gpu->uuid,
			.model = arena_text(arena, name, strlen(name)),
			.driver = gpu->driver,
			.cuda = gpu->cuda,
			.memory_bytes = (int64_t)gpu->memory_bytes,
		};
		if (!gpus[i].model)
			return -ENOMEM;
	}
	*ret_gpus = gpus;
	return 0;
}

static int hash_inventory(struct arena *arena, const Wire__Inventory *inventory,
			  uint8_t ret_hash[static 32])
{
	size_t len = wire__inventory__get_packed_size(inventory);
	uint8_t *bytes = arena_alloc(arena, len + 1);

	if (!bytes)
		return -ENOMEM;
	wire__inventory__pack(inventory, bytes);
	keccak256(bytes, len, ret_hash);
	return 0;
}

int report_inventory(struct tx *tx, struct machine_id machine, const Wire__Inventory *inventory)
{
	struct worker_inventory now = {
		.cpu_count = inventory->cpu_count,
		.cpu_milli = (int64_t)inventory->cpu_count * 1000,
		.memory_bytes = (int64_t)inventory->memory_bytes,
		.disk_bytes = (int64_t)inventory->disk_bytes,
		.gpus = (int64_t)inventory->n_gpus,
		.cpu_model = inventory->cpu_model,
		.os = inventory->os,
		.kernel = inventory->kernel,
		.engine = inventory->engine,
		.address = inventory->address,
		.proof_port = inventory->proof_port,
		.proof_address = inventory->proof_address,
	};
	struct worker_gpu *gpus;
	struct worker_row row;
	int r;

	r = worker_store_get(tx, machine, &row);
	if (r == 0)
		r = hash_inventory(tx_arena(tx), inventory, now.hash);
	if (r != 0 || memcmp(row.inventory.hash, now.hash, sizeof(now.hash)) == 0)
		return r;
	r = convert_gpus(tx_arena(tx), inventory, &gpus);
	if (r == 0)
		r = worker_store_inventory(tx, machine, &now, gpus);
	return r != 0 ? r : worker_fleet_refresh(tx, machine);
}

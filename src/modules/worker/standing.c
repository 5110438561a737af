/* What proofs say of machines, and what follows for their being offered (worker.h). */
#include "modules/worker/worker.h"

#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"
#include "popw/class.h"

enum {
	QUALITY_MAX = 1000,
	DEVICES_LOOK_MAX = 4096, /* due ones that are looked at in one round */
};

int worker_proof_devices(const struct context *context _unused_, struct tx *tx,
			 struct machine_id machine, struct worker_proof_device **ret_devices,
			 size_t *ret_n)
{
	struct worker_row row;
	int r;

	r = worker_store_get(tx, machine, &row);
	return r != 0 ? r : worker_store_devices(tx, machine, ret_devices, ret_n);
}

int worker_machines(struct tx *tx, struct machine_id after, size_t max,
		    struct worker_machine **ret_machines, size_t *ret_n)
{
	struct worker_machine *list;
	struct worker_row *rows;
	size_t n;
	int r;

	r = worker_store_list(tx, NULL, after, max, &rows, &n);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		list[i] = (struct worker_machine){
			.machine = rows[i].machine,
			.owner = rows[i].owner,
			.cores = rows[i].inventory.cpu_count,
			.memory_bytes = rows[i].inventory.memory_bytes,
			.disk_bytes = rows[i].inventory.disk_bytes,
		};
	*ret_machines = list;
	*ret_n = n;
	return 0;
}

static uint64_t seen(int64_t figure)
{
	return figure > 0 ? (uint64_t)figure : 0;
}

static const struct worker_standing *proved(const struct worker_proof_device *devices, size_t n,
					    enum worker_device kind)
{
	static const struct worker_standing none;

	for (size_t i = 0; i < n; i++)
		if (devices[i].device == kind && devices[i].standing.state == WORKER_PROVED)
			return &devices[i].standing;
	return &none;
}

void worker_credit(const struct worker_machine *machine, const struct worker_proof_device *devices,
		   size_t n, struct credit *ret_credit)
{
	const struct worker_standing *host = proved(devices, n, WORKER_DEVICE_HOST);
	const struct worker_standing *disk = proved(devices, n, WORKER_DEVICE_DISK);
	const struct credit_claim claim = { .cores = seen(machine->cores),
					    .memory_bytes = seen(machine->memory_bytes),
					    .disk_bytes = seen(machine->disk_bytes) };
	const struct credit_seen figures = { .fill_kbps = seen(host->fill_kbps),
					     .walk_kbps = seen(host->walk_kbps),
					     .set_mib = seen(host->set_mib),
					     .disk_mib = seen(disk->set_mib) };

	if (host->state == WORKER_PROVED)
		credit_of(&claim, &figures, ret_credit);
	else
		*ret_credit = (struct credit){ 0 };
}

/* Half of it is filled in whole MiB: what that leaves is no loss. */
static bool is_whole(const struct worker_machine *machine, const struct credit *credit)
{
	uint64_t rest = (uint64_t)CREDIT_MEMORY_SHARE << 20;

	return credit->cores >= seen(machine->cores) &&
	       credit->memory_bytes + rest > seen(machine->memory_bytes);
}

void worker_credit_why(const struct worker_machine *machine,
		       const struct worker_proof_device *devices, size_t n,
		       char ret_text[static WORKER_CREDIT_WHY_SIZE])
{
	const struct worker_standing *host = proved(devices, n, WORKER_DEVICE_HOST);
	uint64_t fill = seen(host->fill_kbps), walk = seen(host->walk_kbps);
	uint32_t held = credit_held(seen(machine->cores), walk);
	char proof[ID_TEXT_SIZE];
	struct credit credit;

	ret_text[0] = '\0';
	worker_credit(machine, devices, n, &credit);
	if (host->state != WORKER_PROVED || is_whole(machine, &credit))
		return;
	id_text("prf", host->proof, proof);
	snprintf(ret_text, WORKER_CREDIT_WHY_SIZE,
		 "%s: a set of %" PRIu64 " MiB was filled at %" PRIu64 ".%" PRIu64
		 " MB/s and walked at %" PRIu64 ".%" PRIu64 " MB/s, so that %" PRIu32
		 " %% of it count as held; that bears out %" PRIu64 " of %" PRIu64
		 " cores, %" PRIu64 " of %" PRIu64 " MiB",
		 proof, seen(host->set_mib), fill / 1000, fill % 1000 / 100, walk / 1000,
		 walk % 1000 / 100, held * 100 / CREDIT_WHOLE, credit.cores, seen(machine->cores),
		 credit.memory_bytes >> 20, seen(machine->memory_bytes) >> 20);
}

static int64_t at_most(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static int64_t gpus_milli(const struct worker_proof_device *devices, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		if (devices[i].device == WORKER_DEVICE_GPU &&
		    devices[i].standing.state == WORKER_PROVED)
			sum += seen(devices[i].standing.score_milli);
	return at_most(sum);
}

int worker_figures(struct tx *tx, struct machine_id machine, struct worker_figures *ret_figures)
{
	const struct worker_standing *host;
	struct worker_proof_device *devices;
	struct worker_row row;
	struct credit credit;
	size_t n;
	int r;

	r = worker_store_get(tx, machine, &row);
	if (r == 0)
		r = worker_store_devices(tx, machine, &devices, &n);
	if (r != 0)
		return r;
	*ret_figures = (struct worker_figures){ 0 };
	host = proved(devices, n, WORKER_DEVICE_HOST);
	if (host->state != WORKER_PROVED)
		return 0;
	worker_credit(&(struct worker_machine){ .cores = row.inventory.cpu_count,
						.memory_bytes = row.inventory.memory_bytes,
						.disk_bytes = row.inventory.disk_bytes },
		      devices, n, &credit);
	*ret_figures = (struct worker_figures){
		.down_kbps = at_most(seen(host->down_kbps)),
		.up_kbps = at_most(seen(host->up_kbps)),
		.cores = at_most(credit.cores),
		.gpu_milli = gpus_milli(devices, n),
		.disk_bytes = at_most(credit.disk_bytes),
		.memory_bytes = at_most(credit.memory_bytes),
	};
	return 0;
}

/* Keeps those of machines that are linked to this process. */
static size_t keep_linked(struct worker_proof_device *devices, size_t n, size_t max)
{
	size_t kept = 0;

	for (size_t i = 0; i < n && kept < max; i++)
		if (worker_linked(devices[i].machine))
			devices[kept++] = devices[i];
	return kept;
}

struct due {
	struct worker_proof_device *devices;
	size_t n;
};

static int list_due(struct tx *tx, bool proved, int64_t now_ms, size_t max, struct due *ret_due)
{
	int r = worker_store_devices_due(tx, proved, now_ms, DEVICES_LOOK_MAX / 2,
					 &ret_due->devices, &ret_due->n);

	if (r == 0)
		ret_due->n = keep_linked(ret_due->devices, ret_due->n, max);
	return r;
}

/* Who waits longer first; of those who wait as long, who is not proved. */
static size_t merge_due(const struct due *proved, const struct due *others,
			struct worker_proof_device *to)
{
	size_t p = 0, o = 0;

	while (p < proved->n || o < others->n)
		if (p == proved->n ||
		    (o < others->n && others->devices[o].standing.due_at_ms <=
					      proved->devices[p].standing.due_at_ms))
			to[p + o] = others->devices[o], o++;
		else
			to[p + o] = proved->devices[p], p++;
	return p + o;
}

int worker_proof_due(const struct context *context _unused_, struct tx *tx, int64_t now_ms,
		     size_t max, struct worker_proof_device **ret_devices, size_t *ret_n)
{
	struct due proved, others;
	int r = list_due(tx, true, now_ms, max / 2, &proved);

	if (r == 0)
		r = list_due(tx, false, now_ms, max / 2, &others);
	if (r != 0)
		return r;
	*ret_devices = arena_array(tx_arena(tx), proved.n + others.n + 1, sizeof(**ret_devices));
	if (!*ret_devices)
		return -ENOMEM;
	*ret_n = merge_due(&proved, &others, *ret_devices);
	return 0;
}

/* Without the last machine, of which some may have been left out. */
static size_t whole_machines(const struct worker_proof_device *devices, size_t n)
{
	size_t kept = n;

	while (kept > 0 && machine_equal(devices[kept - 1].machine, devices[n - 1].machine))
		kept--;
	return kept;
}

int worker_proof_idle(const struct context *context _unused_, struct tx *tx,
		      enum worker_device kind, const struct address *from, size_t max,
		      struct worker_proof_device **ret_devices, size_t *ret_n)
{
	size_t n;
	int r;

	r = worker_store_devices_idle(tx, kind, from, max, ret_devices, &n);
	if (r == 0 && n == max)
		n = whole_machines(*ret_devices, n);
	if (r == 0)
		*ret_n = keep_linked(*ret_devices, n, max);
	return r;
}

/* How well the device does what its class is paid for, of QUALITY_MAX. */
static int64_t performance(const struct worker_standing *standing)
{
	int64_t full;

	if (standing->state != WORKER_PROVED)
		return 0;
	if (standing->class_ <= CLASS_CPU || (size_t)standing->class_ >= class_rows_n)
		return QUALITY_MAX;
	full = class_rows[standing->class_].score_milli;
	if (full == 0 || standing->score_milli >= full)
		return QUALITY_MAX;
	return standing->score_milli * QUALITY_MAX / full;
}

/* A verdict counts a quarter: the matcher's weight follows what was measured, without leaps. */
static int weigh(struct tx *tx, struct machine_id machine, const struct worker_standing *standing)
{
	struct worker_row row;
	int r;

	if (standing->state == WORKER_UNPROVED)
		return 0;
	r = worker_store_get(tx, machine, &row);
	return r != 0 ? r
		      : worker_store_quality(tx, machine,
					     (3 * row.quality + performance(standing)) / 4);
}

int worker_standing_set(const struct context *context, struct tx *tx, struct machine_id machine,
			enum worker_device device, const char *uuid,
			const struct worker_standing *standing)
{
	int r;

	r = worker_standing_audit(context, tx, machine, device, uuid, standing);
	if (r == 0)
		r = worker_store_standing(tx, machine, device, uuid, standing);
	if (r == 0)
		r = weigh(tx, machine, standing);
	return r != 0 ? r : worker_fleet_refresh(tx, machine);
}

#include "modules/worker/worker_json.h"

#include "modules/chain/chain.h"
#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_state.h"
#include "popw/class.h"

static json_t *gpus_json(const struct worker_gpu *gpus, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(
			    list, json_pack("{s:s, s:s, s:I, s:s, s:s}", "uuid", gpus[i].uuid,
					    "model", gpus[i].model, "memory_bytes",
					    (json_int_t)gpus[i].memory_bytes, "driver",
					    gpus[i].driver, "cuda", gpus[i].cuda)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *inventory_json(const struct worker_inventory *inventory,
			      const struct worker_gpu *gpus, size_t n_gpus)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:o}", "cpu_count",
			 (json_int_t)inventory->cpu_count, "cpu_model", inventory->cpu_model,
			 "memory_bytes", (json_int_t)inventory->memory_bytes, "disk_bytes",
			 (json_int_t)inventory->disk_bytes, "os", inventory->os, "kernel",
			 inventory->kernel, "engine", inventory->engine, "address",
			 inventory->address, "gpus", gpus_json(gpus, n_gpus));
}

static json_t *free_json(const struct fleet_machine *machine)
{
	json_int_t gpus = 0;

	for (size_t i = 0; i < machine->n_gpus; i++)
		gpus += machine->gpus[i].free;
	return json_pack("{s:I, s:I, s:I, s:I}", "gpus", gpus, "cpu_milli",
			 (json_int_t)machine->cpu_milli, "memory_bytes",
			 (json_int_t)machine->memory_bytes, "disk_bytes",
			 (json_int_t)machine->disk_bytes);
}

static const char *class_of(const struct fleet_machine *machine)
{
	return machine->n_gpus > 0 ? "gpu" : "cpu";
}

static const char *class_name(int64_t class_)
{
	return class_ >= 0 && (size_t)class_ < class_rows_n ? class_rows[class_].name : NULL;
}

static json_t *proof_json(const struct worker_standing *standing)
{
	static const uint8_t none[16];
	char proof[ID_TEXT_SIZE];

	if (memcmp(standing->proof, none, sizeof(none)) == 0)
		return json_null();
	id_text("prf", standing->proof, proof);
	return json_string(proof);
}

static json_t *device_json(const struct worker_proof_device *device)
{
	static const char *const kinds[] = { "", "gpu", "host", "disk" };
	static const char *const states[] = { "unproved", "proved", "failed" };
	const struct worker_standing *s = &device->standing;
	/* What was proved is checked at a random time, which its owner must not know. */
	int64_t due_ms = s->state == WORKER_PROVED ? 0 : s->due_at_ms;

	return json_pack(
		"{s:s, s:s, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:o, s:s}",
		"kind", kinds[device->device], "uuid", device->uuid, "state", states[s->state],
		"class", class_name(s->class_), "score_milli", (json_int_t)s->score_milli,
		"matrix_mops", (json_int_t)s->matrix_mops, "walk_kbps", (json_int_t)s->walk_kbps,
		"set_mib", (json_int_t)s->set_mib, "fill_kbps", (json_int_t)s->fill_kbps,
		"down_kbps", (json_int_t)s->down_kbps, "up_kbps", (json_int_t)s->up_kbps,
		"checked_at", encode_time(s->checked_at_ms), "due_at", encode_time(due_ms),
		"failures", (json_int_t)s->failures, "proof", proof_json(s), "reason", s->reason);
}

static json_t *devices_json(const struct worker_proof_device *devices, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(list, device_json(&devices[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* Of what it claims, what proofs bear out: what it is paid for by. */
static json_t *credited_json(const struct worker_row *row,
			     const struct worker_proof_device *devices, size_t n)
{
	const struct worker_machine machine = { .cores = row->inventory.cpu_count,
						.memory_bytes = row->inventory.memory_bytes,
						.disk_bytes = row->inventory.disk_bytes };
	char why[WORKER_CREDIT_WHY_SIZE];
	struct credit credit;

	worker_credit(&machine, devices, n, &credit);
	worker_credit_why(&machine, devices, n, why);
	return json_pack("{s:I, s:I, s:I, s:s}", "cpu_count", (json_int_t)credit.cores,
			 "memory_bytes", (json_int_t)credit.memory_bytes, "disk_bytes",
			 (json_int_t)credit.disk_bytes, "why", why);
}

int worker_json(const struct context *context, struct tx *tx, const struct worker_row *row,
		json_t **ret_json)
{
	struct fleet_machine machine;
	struct fleet_pulse pulse;
	struct worker_proof_device *devices;
	struct worker_gpu *gpus;
	size_t n_gpus, n_devices;
	json_t *registration;
	int r;

	r = worker_store_fleet_one(tx, row, &machine);
	if (r == 0)
		r = worker_store_devices(tx, row->machine, &devices, &n_devices);
	if (r == 0)
		r = worker_store_gpus(tx, row->machine, &gpus, &n_gpus);
	if (r == 0)
		r = chain_registration(tx, &row->machine.address, &row->owner.address,
				       MACHINE_WORKER, &registration);
	if (r != 0)
		return r;
	fleet_pulse_of(worker_state.fleet, row->machine, &pulse);
	*ret_json = json_pack(
		"{s:o, s:s, s:o, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:s, s:b, "
		"s:o, s:o, s:o}",
		"machine", encode_address(&row->machine.address), "name", row->name, "owner",
		encode_address(&row->owner.address), "state", worker_state_word(context, row),
		"paused", row->paused, "class", class_of(&machine), "gpu_hour",
		encode_amount(row->gpu_hour), "core_hour", encode_amount(row->core_hour),
		"inventory", inventory_json(&row->inventory, gpus, n_gpus), "free",
		free_json(&machine), "leases", (json_int_t)row->leases, "quality",
		(json_int_t)row->quality, "joined_at", encode_time(row->joined_at_ms), "seen_at",
		encode_time(pulse.heard ? pulse.heard_at_ms : row->seen_at_ms), "agent_version",
		row->agent_version, "proved", row->proved, "devices",
		devices_json(devices, n_devices), "credited",
		credited_json(row, devices, n_devices), "registration", registration);
	return *ret_json ? 0 : -ENOMEM;
}

json_t *worker_json_offer(const struct offer *offer)
{
	const struct fleet_machine *m = &offer->machine;
	const struct fleet_gpus none = { 0 };
	const struct fleet_gpus *gpus = m->n_gpus > 0 ? &m->gpus[offer->kind] : &none;

	return json_pack("{s:o, s:s, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I}",
			 "machine", encode_address(&m->machine.address), "class", class_of(m),
			 "gpu_model", m->n_gpus > 0 ? gpus->model : NULL, "gpus_free",
			 (json_int_t)gpus->free, "gpus_total", (json_int_t)gpus->total,
			 "gpu_memory_bytes", (json_int_t)gpus->memory_bytes, "cpu_milli_free",
			 (json_int_t)m->cpu_milli, "memory_free_bytes", (json_int_t)m->memory_bytes,
			 "disk_free_bytes", (json_int_t)m->disk_bytes, "gpu_hour",
			 encode_amount((struct amount){ m->gpu_hour }), "core_hour",
			 encode_amount((struct amount){ m->core_hour }), "rate_hour",
			 encode_amount(offer->rate_hour), "quality", (json_int_t)m->quality,
			 "latency_ms", (json_int_t)offer->pulse.latency_ms);
}

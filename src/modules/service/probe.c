/* Probes (service.h): how the network's own rentals are ordered, and read. */
#include "modules/service/service.h"

#include "api/settings.h"
#include "modules/service/rental_step.h"
#include "modules/service/service_store.h"

/* Little, so that it fits in the smallest machine; killed at its end, since a tenant may wait. */
enum { CPU_MILLI = 100, MEMORY_BYTES = 64 << 20, DISK_BYTES = 256 << 20 };

int service_probe_begin(const struct context *context, struct tx *tx, struct machine_id machine,
			int64_t gpus, struct rental_id *ret_rental)
{
	struct order order = {
		.image = context->settings->probe_image,
		.gpus = gpus,
		.cpu_milli = CPU_MILLI,
		.memory_bytes = MEMORY_BYTES,
		.disk_bytes = DISK_BYTES,
		.machine = machine,
		.stop_timeout_s = 0,
	};
	struct field_error error;
	int r = order_resolve(&order, NULL, tx_arena(tx), &error);

	if (r == 0)
		r = rental_create_probe(context, tx, &order, ret_rental);
	return r == FIELD_E_INVALID ? -EINVAL : r;
}

int service_probe_end(const struct context *context, struct tx *tx, struct rental_id id)
{
	struct rental rental;
	int r = store_rental(tx, id, &rental);

	if (r == 0)
		r = rental_ask_stop(tx, &rental, RENTAL_STOPPED_BY_TENANT);
	return r == 0 ? rental_settle(context, tx, id) : r;
}

/* Everything but that the image cannot be had or is wrong: it was chosen to go on, within little memory. */
static bool is_blamed(const struct rental *rental)
{
	return rental->reason != RENTAL_IMAGE_NOT_FOUND &&
	       rental->reason != RENTAL_COMMAND_NOT_FOUND &&
	       rental->reason != RENTAL_STOPPED_BY_TENANT && rental->reason != RENTAL_YIELDED;
}

int service_probe_look(struct tx *tx, struct rental_id id, struct service_probe *ret_probe)
{
	struct rental rental;
	int r = store_rental(tx, id, &rental);

	if (r != 0)
		return r;
	*ret_probe = (struct service_probe){
		.running = rental.state == RENTAL_RUNNING,
		.ended = rental_ended(&rental),
		.yielded = rental.reason == RENTAL_YIELDED,
		.reason = rental_reason_row(rental.reason)->name,
		.detail = rental.detail,
		.blamed = is_blamed(&rental),
		.expires_ms = rental.expires_ms,
	};
	return 0;
}

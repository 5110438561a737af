#include "modules/service/service_json.h"

#include "modules/billing/billing.h"

static json_t *lease_json(const struct rental *rental)
{
	char text[ID_TEXT_SIZE];

	if (!rental->placed)
		return json_null();
	lease_id_text(&rental->lease, text);
	return json_string(text);
}

static json_t *machine_json(const struct rental *rental)
{
	char text[ADDRESS_TEXT_SIZE];

	if (!rental->placed)
		return json_null();
	address_text(&rental->machine.address, text);
	return json_string(text);
}

/* "HOST:PORT", an IPv6 address in brackets; null where the machine does not say. */
static json_t *address_json(const char *host, unsigned int port)
{
	if (!*host)
		return json_null();
	return json_sprintf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, port);
}

static bool ports_open(const struct rental *rental)
{
	return rental->state == RENTAL_RUNNING || rental->state == RENTAL_STOPPING;
}

/* Host ports are shown while they are open. */
static json_t *ports_json(const struct rental *rental, const char *host)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < rental->n_ports; i++) {
		const struct worker_port *port = &rental->ports[i];
		bool shown = ports_open(rental) && port->host != 0;
		json_t *item = json_pack("{s:i, s:o, s:o}", "container", (int)port->container,
					 "host", shown ? json_integer(port->host) : json_null(),
					 "address",
					 shown ? address_json(host, port->host) : json_null());

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int essentials(struct tx *tx, const struct rental *rental, json_t **ret_json)
{
	const struct rental_reason_row *reason = rental_reason_row(rental->reason);
	const char *host = "";
	char id[ID_TEXT_SIZE];
	int r = 0;

	if (rental->placed && rental->n_ports > 0 && ports_open(rental))
		r = worker_address(tx, rental->machine, &host);
	if (r != 0)
		return r < 0 ? r : -EIO;
	rental_id_text(&rental->id, id);
	*ret_json = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:o}", "id", id,
			      "state", rental_moves.names[rental->state], "reason", reason->name,
			      "caused_by", reason->caused_by, "detail", rental->detail, "billing",
			      rental_billing(rental), "machine", machine_json(rental), "lease",
			      lease_json(rental), "attempts", (json_int_t)rental->attempts, "ports",
			      ports_json(rental, host), "exit_code",
			      rental->exited ? json_integer(rental->exit_code) : json_null());
	return *ret_json ? 0 : -ENOMEM;
}

int service_event_json(struct tx *tx, const struct rental *rental, json_t **ret_json)
{
	return essentials(tx, rental, ret_json);
}

/* Adds @more (taken over) to @object; frees both where either is missing. */
static int join(json_t *object, json_t *more, json_t **ret_json)
{
	int r = object && more ? json_object_update(object, more) : -1;

	json_decref(more);
	if (r < 0) {
		json_decref(object);
		return -ENOMEM;
	}
	*ret_json = object;
	return 0;
}

static json_t *order_part(const struct order *order)
{
	return json_pack("{s:s?, s:s?, s:s, s:o, s:s?, s:I, s:I, s:I, s:I}", "name", order->name,
			 "template", order->template_, "image", order->image, "command",
			 encode_texts(&order->command), "gpu_model", order->gpu_model, "gpus",
			 (json_int_t)order->gpus, "cpu_milli", (json_int_t)order->cpu_milli,
			 "memory_bytes", (json_int_t)order->memory_bytes, "disk_bytes",
			 (json_int_t)order->disk_bytes);
}

static json_t *bill_part(const struct rental *rental, const struct billing_lease_sums *sums)
{
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "rate_hour",
			 encode_amount(rental->rate_hour), "seconds", (json_int_t)sums->seconds,
			 "charged", encode_amount(sums->charged), "created_at",
			 encode_time(rental->created_ms), "started_at",
			 encode_time(rental->started_ms), "ended_at", encode_time(rental->ended_ms),
			 "expires_at", encode_time(rental->expires_ms));
}

/* While a machine pulls, how far it is. */
static int show_progress(const struct context *context, struct tx *tx, struct rental *rental)
{
	struct worker_actual actual;
	const char *text;
	int r;

	if (rental->state != RENTAL_PULLING || !rental->placed)
		return 0;
	r = worker_lease_actual(context, tx, rental->lease, &actual);
	if (r != 0)
		return r < 0 ? r : -EIO;
	if (actual.pulled_bytes <= 0)
		return 0;
	text = arena_printf(tx_arena(tx), "pulled %" PRId64 " of %" PRId64 " bytes",
			    actual.pulled_bytes, actual.pull_total_bytes);
	if (!text)
		return -ENOMEM;
	rental->detail = text;
	return 0;
}

int service_rental_json(const struct context *context, struct tx *tx, const struct rental *rental,
			json_t **ret_json)
{
	struct billing_lease_sums sums = { .seconds = 0 };
	struct rental shown = *rental;
	struct order order;
	json_t *object;
	int r = store_order(tx, rental->id, &order);

	if (r == 0 && rental->placed)
		r = billing_lease_sums(tx, rental->lease, &sums);
	if (r == 0)
		r = show_progress(context, tx, &shown);
	if (r != 0)
		return r < 0 ? r : -EIO;
	r = essentials(tx, &shown, &object);
	if (r == 0)
		r = join(object, order_part(&order), &object);
	if (r == 0)
		r = join(object, bill_part(rental, &sums), &object);
	if (r == 0)
		*ret_json = object;
	return r;
}

int service_move_json(const struct rental_move *move, json_t **ret_json)
{
	json_t *object = json_pack("{s:o, s:s?, s:s, s:s, s:s, s:s}", "at",
				   encode_time(move->at_ms), "from",
				   move->first ? NULL : rental_moves.names[move->from], "to",
				   rental_moves.names[move->to], "reason", move->reason,
				   "caused_by", move->caused_by, "detail", move->detail);

	if (!object)
		return -ENOMEM;
	*ret_json = object;
	return 0;
}

int service_template_json(const struct template_row *row, json_t **ret_json)
{
	json_error_t error;
	json_t *fields = json_loads(row->body, JSON_REJECT_DUPLICATES, &error);
	json_t *own = json_pack("{s:s, s:s, s:s}", "name", row->name, "title", row->title,
				"description", row->description);

	return join(own, fields, ret_json);
}

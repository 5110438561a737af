#include "modules/service/order.h"

#include "modules/service/image_ref.h"

#define MIB (1ll << 20)
#define GIB (1ll << 30)
#define TIB (1ll << 40)
#define YEAR_S (365ll * 86400)

#define NAME_CHARSET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

const struct field order_fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct order, name), .min = 1, .max = 63,
	  .charset = NAME_CHARSET },
	{ "template", FIELD_TEXT, offsetof(struct order, template_), .min = 1, .max = 63,
	  .charset = NAME_CHARSET },
	{ "image", FIELD_TEXT, offsetof(struct order, image), .min = 1, .max = IMAGE_REF_MAX },
	{ "command", FIELD_TEXTS, offsetof(struct order, command), .max = 4096, .count = 64,
	  .lines = true },
	{ "env", FIELD_PAIRS, offsetof(struct order, env), .max = 4096, .count = 64,
	  .lines = true },
	{ "gpu_model", FIELD_TEXT, offsetof(struct order, gpu_model), .min = 1, .max = 64 },
	{ "gpus", FIELD_INT, offsetof(struct order, gpus), .min = 0, .max = WORKER_GPUS_MAX,
	  .fallback = -1 },
	{ "cpu_milli", FIELD_INT, offsetof(struct order, cpu_milli), .min = 100, .max = 256000 },
	{ "memory", FIELD_SIZE, offsetof(struct order, memory_bytes), .min = 16 * MIB,
	  .max = 4 * TIB },
	{ "disk", FIELD_SIZE, offsetof(struct order, disk_bytes), .min = 64 * MIB,
	  .max = 64 * TIB },
	{ "shm", FIELD_SIZE, offsetof(struct order, shm_bytes), .min = MIB, .max = 4 * TIB },
	{ "pids", FIELD_INT, offsetof(struct order, pids), .min = 16, .max = 1 << 20 },
	{ "ports", FIELD_INTS, offsetof(struct order, ports), .min = 1, .max = 65535,
	  .count = ORDER_PORTS_MAX },
	{ "max_rate_hour", FIELD_AMOUNT, offsetof(struct order, max_rate_hour),
	  .max = 1000000000000 },
	{ "machine", FIELD_ADDRESS, offsetof(struct order, machine) },
	{ "stop_timeout_s", FIELD_INT, offsetof(struct order, stop_timeout_s), .min = 0, .max = 600,
	  .fallback = 10 },
	{ "term_s", FIELD_INT, offsetof(struct order, term_s), .min = 60, .max = YEAR_S },
	{ 0 },
};

static int refuse(struct field_error *error, const char *field, const char *rule)
{
	field_error_set(error, field, rule);
	return FIELD_E_INVALID;
}

static bool has_name(const struct field_pairs *pairs, const char *name)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (strcmp(pairs->items[i].name, name) == 0)
			return true;
	return false;
}

/* The template's variables under the order's own. */
static int merge_env(struct field_pairs *env, const struct field_pairs *more, struct arena *arena)
{
	struct field_pairs merged = { .items = NULL };

	if (more->n == 0)
		return 0;
	merged.items = arena_array(arena, env->n + more->n, sizeof(*merged.items));
	if (!merged.items)
		return -ENOMEM;
	for (size_t i = 0; i < env->n; i++)
		merged.items[merged.n++] = env->items[i];
	for (size_t i = 0; i < more->n; i++)
		if (!has_name(env, more->items[i].name))
			merged.items[merged.n++] = more->items[i];
	*env = merged;
	return 0;
}

static int fill_from(struct order *order, const struct order *template_, struct arena *arena)
{
	/* The template's command belongs to the template's image. */
	if (order->command.n == 0 && !order->image)
		order->command = template_->command;
	if (!order->image)
		order->image = template_->image;
	if (order->ports.n == 0)
		order->ports = template_->ports;
	if (!order->gpu_model)
		order->gpu_model = template_->gpu_model;
	if (order->gpus < 0)
		order->gpus = template_->gpus;
	if (order->cpu_milli == 0)
		order->cpu_milli = template_->cpu_milli;
	if (order->memory_bytes == 0)
		order->memory_bytes = template_->memory_bytes;
	if (order->disk_bytes == 0)
		order->disk_bytes = template_->disk_bytes;
	if (order->shm_bytes == 0)
		order->shm_bytes = template_->shm_bytes;
	if (order->pids == 0)
		order->pids = template_->pids;
	return merge_env(&order->env, &template_->env, arena);
}

static void fill_defaults(struct order *order)
{
	if (order->gpus < 0)
		order->gpus = order->gpu_model ? 1 : 0;
	if (order->cpu_milli == 0)
		order->cpu_milli = 1000;
	if (order->memory_bytes == 0)
		order->memory_bytes = 512 * MIB;
	if (order->disk_bytes == 0)
		order->disk_bytes = GIB;
	if (order->shm_bytes == 0)
		order->shm_bytes = order->memory_bytes < 64 * MIB ? order->memory_bytes : 64 * MIB;
	if (order->pids == 0)
		order->pids = 1024;
}

size_t order_ports(const struct order *order, struct worker_port *ret_ports)
{
	size_t n = 0;

	for (; n < order->ports.n && n < ORDER_PORTS_MAX; n++)
		ret_ports[n] = (struct worker_port){ .container = (uint16_t)order->ports.items[n] };
	return n;
}

static int check_ports(const struct order *order, struct field_error *error)
{
	for (size_t i = 0; i < order->ports.n; i++)
		for (size_t j = 0; j < i; j++)
			if (order->ports.items[i] == order->ports.items[j])
				return refuse(error, "ports", "must differ from each other");
	return 0;
}

static size_t text_bytes(const struct order *order)
{
	size_t total = 0;

	for (size_t i = 0; i < order->command.n; i++)
		total += strlen(order->command.items[i]);
	for (size_t i = 0; i < order->env.n; i++)
		total += strlen(order->env.items[i].name) + strlen(order->env.items[i].value);
	return total;
}

static int check(const struct order *order, struct field_error *error)
{
	if (!order->image)
		return refuse(error, "image", "is required where no template names one");
	if (!image_ref_ok(order->image))
		return refuse(error, "image",
			      "must be an image reference: [host[:port]/]path[:tag][@sha256:...]");
	if (order->command.n > 0 && !*order->command.items[0])
		return refuse(error, "command[0]", "must not be empty");
	if (order->env.n > 64)
		return refuse(error, "env", "may have at most 64 entries with the template's");
	if (text_bytes(order) > ORDER_TEXT_MAX)
		return refuse(error, "env", "and command may have at most 65536 bytes together");
	if (order->gpu_model && order->gpus == 0)
		return refuse(error, "gpus", "must be at least 1 where gpu_model is given");
	if (order->shm_bytes > order->memory_bytes)
		return refuse(error, "shm", "must not be more than memory");
	return check_ports(order, error);
}

int order_resolve(struct order *order, const struct order *template_, struct arena *arena,
		  struct field_error *ret_error)
{
	int r = template_ ? fill_from(order, template_, arena) : 0;

	if (r != 0)
		return r;
	fill_defaults(order);
	return check(order, ret_error);
}

bool order_pinned(const struct order *order)
{
	static const struct machine_id any;

	return !machine_equal(order->machine, any);
}

static json_t *pairs_json(const struct field_pairs *pairs)
{
	json_t *object = json_object();

	for (size_t i = 0; object && i < pairs->n; i++)
		if (json_object_set_new(object, pairs->items[i].name,
					json_string(pairs->items[i].value)) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static int set_optional(json_t *object, const char *name, int64_t value)
{
	return value == 0 ? 0 : json_object_set_new(object, name, json_integer(value));
}

static json_t *order_json(const struct order *order)
{
	char rate[AMOUNT_TEXT_SIZE], machine[ADDRESS_TEXT_SIZE];
	json_t *object;

	amount_text(order->max_rate_hour, rate);
	address_text(&order->machine.address, machine);
	object = json_pack("{s:s?, s:s?, s:s?, s:o, s:o, s:s?, s:I, s:o, s:s, s:s?, s:I}", "name",
			   order->name, "template", order->template_, "image", order->image,
			   "command", encode_texts(&order->command), "env", pairs_json(&order->env),
			   "gpu_model", order->gpu_model, "gpus", (json_int_t)order->gpus, "ports",
			   encode_ints(&order->ports), "max_rate_hour", rate, "machine",
			   order_pinned(order) ? machine : NULL, "stop_timeout_s",
			   (json_int_t)order->stop_timeout_s);
	if (object && (set_optional(object, "cpu_milli", order->cpu_milli) < 0 ||
		       set_optional(object, "memory", order->memory_bytes) < 0 ||
		       set_optional(object, "disk", order->disk_bytes) < 0 ||
		       set_optional(object, "shm", order->shm_bytes) < 0 ||
		       set_optional(object, "pids", order->pids) < 0 ||
		       set_optional(object, "term_s", order->term_s) < 0)) {
		json_decref(object);
		return NULL;
	}
	return object;
}

int order_encode(const struct order *order, struct arena *arena, const char **ret_text)
{
	_cleanup_(freep) char *text = NULL;
	json_t *object = order_json(order);
	const char *copy;

	if (!object)
		return -ENOMEM;
	text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	copy = text ? arena_text(arena, text, strlen(text)) : NULL;
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

int order_decode(const char *text, struct arena *arena, struct order *ret_order)
{
	struct field_error error;
	struct order order = { .name = NULL };
	int r = field_decode(text, strlen(text), order_fields, arena, &order, &error);

	if (r != 0)
		return r < 0 ? r : -EIO;
	*ret_order = order;
	return 0;
}

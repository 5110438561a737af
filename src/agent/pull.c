#include "agent/lease.h"

enum { LAYERS_MAX = 256, REPORT_EVERY_MS = 500 };

struct layer {
	char id[24];
	uint64_t bytes, total_bytes;
};

struct pull {
	int64_t reported_ms;
	size_t n_layers;
	struct layer layers[LAYERS_MAX];
};

static struct layer *layer_of(struct pull *pull, const char *id)
{
	for (size_t i = 0; i < pull->n_layers; i++)
		if (strncmp(pull->layers[i].id, id, sizeof(pull->layers[i].id) - 1) == 0)
			return &pull->layers[i];
	if (pull->n_layers == LAYERS_MAX)
		return NULL;
	snprintf(pull->layers[pull->n_layers].id, sizeof(pull->layers[0].id), "%s", id);
	return &pull->layers[pull->n_layers++];
}

static void on_progress(void *arg, const json_t *object)
{
	struct lease *lease = arg;
	struct pull *pull = lease->pull;
	const char *id = json_string_value(json_object_get(object, "id"));
	const json_t *detail = json_object_get(object, "progressDetail");
	const json_t *current = json_object_get(detail, "current");
	const json_t *total = json_object_get(detail, "total");
	int64_t now_ms = clock_mono_ms(lease->host->clock);
	struct layer *layer = id && json_is_integer(current) ? layer_of(pull, id) : NULL;

	if (!layer)
		return;
	/* Unpacking counts from zero again. */
	if ((uint64_t)json_integer_value(current) > layer->bytes)
		layer->bytes = (uint64_t)json_integer_value(current);
	if ((uint64_t)json_integer_value(total) > layer->total_bytes)
		layer->total_bytes = (uint64_t)json_integer_value(total);
	if (now_ms - pull->reported_ms < REPORT_EVERY_MS)
		return;
	pull->reported_ms = now_ms;
	lease->unreported = true;
	lease->host->on_change(lease->host->arg, lease);
}

void pull_progress(const struct pull *pull, uint64_t *ret_bytes, uint64_t *ret_total_bytes)
{
	uint64_t bytes = 0, total_bytes = 0;

	for (size_t i = 0; pull && i < pull->n_layers; i++) {
		bytes += pull->layers[i].bytes;
		total_bytes += pull->layers[i].total_bytes;
	}
	*ret_bytes = bytes;
	*ret_total_bytes = total_bytes > bytes ? total_bytes : bytes;
}

int pull_start(struct lease *lease, const char *image, engine_fn *fn)
{
	int r;

	lease->pull = calloc(1, sizeof(*lease->pull));
	if (!lease->pull)
		return -ENOMEM;
	r = engine_pull(lease->host->engine, image, on_progress, fn, lease, &lease->call);
	if (r < 0) {
		pull_free(lease->pull);
		lease->pull = NULL;
	}
	return r;
}

void pull_free(struct pull *pull)
{
	free(pull);
}

const char *pull_reason(const char *image, const struct engine_reply *reply)
{
	static const char *const missing[] = { "manifest unknown",
					       "name unknown",
					       "not found",
					       "no such image",
					       "does not exist",
					       "access denied",
					       "requested access to the resource is denied" };

	/* Images of localhost are those an engine built itself; they are nowhere to be pulled. */
	if (reply->status == 404 || strncmp(image, "localhost/", 10) == 0)
		return WIRE_REASON_IMAGE_NOT_FOUND;
	for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
		if (strcasestr(reply->message, missing[i]))
			return WIRE_REASON_IMAGE_NOT_FOUND;
	return WIRE_REASON_PULL_FAILED;
}

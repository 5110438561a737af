#include "modules/worker/shelf.h"

int shelves_find(struct shelves *shelves, const char *model)
{
	struct shelf *shelf;

	for (size_t i = 0; i < shelves->n; i++)
		if (strcmp(shelves->items[i]->model, model) == 0)
			return (int)i;
	/* Machines name their models: invented ones must not leave others without a place. */
	if (shelves->n == FLEET_MODELS_MAX)
		return FLEET_MODELS_MAX - 1;
	shelf = calloc(1, sizeof(*shelf));
	if (!shelf)
		return SHELF_NONE;
	if (shelves->n < FLEET_MODELS_MAX - 1)
		snprintf(shelf->model, sizeof(shelf->model), "%s", model);
	shelves->items[shelves->n] = shelf;
	return (int)shelves->n++;
}

struct segment *shelves_segment(struct shelves *shelves, int shelf, int band)
{
	struct segment **segment = &shelves->items[shelf]->bands[band];

	if (!*segment)
		*segment = calloc(1, sizeof(**segment));
	return *segment;
}

void shelves_done(struct shelves *shelves)
{
	for (size_t s = 0; s < shelves->n; s++) {
		struct shelf *shelf = shelves->items[s];

		for (size_t b = 0; b < SHELF_BANDS; b++)
			if (shelf->bands[b]) {
				segment_done(shelf->bands[b]);
				free(shelf->bands[b]);
			}
		free(shelf);
	}
}

bool shelf_is_meant(const struct shelf *shelf, const struct fleet_query *query)
{
	if (!*shelf->model)
		return true;
	if (query->gpus == 0)
		return strcmp(shelf->model, "cpu") == 0;
	if (query->model)
		return strcmp(shelf->model, query->model) == 0;
	return strcmp(shelf->model, "cpu") != 0;
}

/* The position of the highest bit, and the two bits below it: steps of 12 to 25 %. */
int shelf_band(int64_t price)
{
	int high = 63 - __builtin_clzll((unsigned long long)price);
	int below = high >= 2 ? (int)(price >> (high - 2) & 3) : (int)(price << (2 - high) & 3);

	return high * 4 + below;
}

static int32_t clamp(int64_t value)
{
	return value > INT32_MAX ? INT32_MAX : value < 0 ? 0 : (int32_t)value;
}

static int32_t mib_up(int64_t bytes)
{
	return clamp((bytes >> 20) + ((bytes & ((1 << 20) - 1)) != 0));
}

struct segment_row shelf_row(const struct fleet_machine *machine, size_t kind, uint32_t slot)
{
	return (struct segment_row){
		.gpus = machine->n_gpus ? clamp(machine->gpus[kind].free) : 0,
		.cpu_milli = clamp(machine->cpu_milli),
		.memory_mib = mib_up(machine->memory_bytes),
		.disk_mib = mib_up(machine->disk_bytes),
		.price = clamp(machine->n_gpus ? machine->gpu_hour : machine->core_hour),
		.slot = slot,
	};
}

struct matcher_need shelf_need(const struct fleet_query *query)
{
	struct matcher_need need = {
		.gpus = clamp(query->gpus),
		.cpu_milli = clamp(query->cpu_milli),
		.memory_mib = clamp(query->memory_bytes >> 20),
		.disk_mib = clamp(query->disk_bytes >> 20),
		.price_max = FLEET_PRICE_MAX,
	};
	int64_t limit = query->max_rate_hour.micro;

	if (limit > 0 && query->gpus > 0)
		need.price_max = clamp(limit / query->gpus);
	else if (limit > 0 && query->cpu_milli > 0 && limit < INT64_MAX / 1000)
		need.price_max = clamp(limit * 1000 / query->cpu_milli);
	if (need.price_max > FLEET_PRICE_MAX)
		need.price_max = FLEET_PRICE_MAX;
	return need;
}

/* shelf.h - the segments of the index: one shelf for each GPU model ("cpu" for machines without),
 * divided into price bands. Not thread safe. */
#pragma once

#include "modules/worker/fleet.h"
#include "modules/worker/segment.h"

enum {
	SHELF_BANDS = 32 * 4, /* four to each doubling of the price */
	SHELF_NONE = -1,
};

struct shelf {
	char model[GPU_NAME_SIZE]; /* "": of all models that came too late for one of their own */
	struct segment *bands[SHELF_BANDS]; /* NULL until there is one */
};

struct shelves {
	struct shelf *items[FLEET_MODELS_MAX];
	size_t n;
};

/* The model's shelf, made if it is new; SHELF_NONE without memory. */
int shelves_find(struct shelves *shelves, const char *model);

/* The segment, made if it is new; NULL without memory. */
struct segment *shelves_segment(struct shelves *shelves, int shelf, int band);
void shelves_done(struct shelves *shelves);

/* May offers that @query asks for lie there? */
bool shelf_is_meant(const struct shelf *shelf, const struct fleet_query *query);

/* @price > 0. */
int shelf_band(int64_t price);

/* A machine's row and a query's need in the columns' units. Free space is rounded up and need down:
 * what fits is never missed, what does not is found out exactly behind the scan. */
struct segment_row shelf_row(const struct fleet_machine *machine, size_t kind, uint32_t slot);
struct matcher_need shelf_need(const struct fleet_query *query);

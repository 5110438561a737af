/* offers.h - a machine's offers measured against a need: each condition by itself, exactly, so that
 * an empty answer can say what excluded how many. Pure but for offers_list and offers_explain, which
 * walk the fleet. */
#pragma once

#include <jansson.h>

#include "modules/worker/fleet.h"

/* In the order in which people are told. */
enum offer_condition {
	OFFER_OFFLINE,
	OFFER_PAUSED,
	OFFER_UNPROVED,
	OFFER_NO_PRICE,
	OFFER_CLASS,
	OFFER_GPU_MODEL,
	OFFER_GPUS,
	OFFER_CPU,
	OFFER_MEMORY,
	OFFER_DISK,
	OFFER_PRICE,
	OFFER_AVOIDED,
	OFFER_CONDITIONS,
};

extern const char *const offer_condition_names[OFFER_CONDITIONS];

/* The conditions (bit 1 << enum) that the machine fails; @kind: which of its models, ignored in class
 * cpu. */
uint32_t offer_failures(const struct fleet_machine *machine, size_t kind, bool online,
			const struct fleet_query *query);

/* What the need costs an hour there: GPUs (at least one) times the GPU-hour, or cores (at least a
 * thousandth) times the core-hour, rounded up. */
struct amount offer_rate(const struct fleet_machine *machine, const struct fleet_query *query);

enum offer_order { OFFER_BY_PRICE, OFFER_BY_QUALITY, OFFER_BY_GPUS };

struct offer {
	struct fleet_machine machine;
	struct fleet_pulse pulse;
	size_t kind;
	struct amount rate_hour;
};

/* The first @max that fit, in @order, ties by the machine's address. */
void offers_list(struct fleet *fleet, const struct fleet_query *query, enum offer_order order,
		 size_t max, struct offer *ret_offers, size_t *ret_n);

enum { OFFER_HINT_SIZE = 192 };

struct offer_why {
	int64_t excluded[OFFER_CONDITIONS]; /* how many offers fail each condition */
	int64_t fitting;
	char hint[OFFER_HINT_SIZE]; /* what would help most, one sentence; "" if nothing fits so */
};

void offers_explain(struct fleet *fleet, const struct fleet_query *query,
		    struct offer_why *ret_why);

/* {condition: count} without zeros; owned by the caller; NULL without memory. */
json_t *offer_why_excluded(const struct offer_why *why);

/* order.h - what a tenant orders: the fields of POST /v1/rentals with their bounds, what a template
 * fills in, and the same again as text for the store. An accepted order never changes. */
#pragma once

#include "base/field.h"
#include "modules/worker/worker.h"

enum {
	ORDER_PORTS_MAX = 16,
	ORDER_TEXT_MAX = 65536, /* command and environment together: agents' messages are bounded */
};

struct order {
	const char *name; /* NULL: none */
	const char *template_; /* NULL: none */
	const char *image; /* NULL only before order_resolve */
	struct field_texts command; /* empty: the image's */
	struct field_pairs env;
	const char *gpu_model; /* NULL: any */
	int64_t gpus; /* -1 before order_resolve: not said; so with 0 below */
	int64_t cpu_milli, memory_bytes, disk_bytes, shm_bytes, pids;
	struct field_ints ports;
	struct amount max_rate_hour; /* 0: any */
	struct machine_id machine; /* zeros: any */
	int64_t stop_timeout_s;
	int64_t term_s; /* 0: until stopped */
};

extern const struct field order_fields[];

/* @template_ (may be NULL) fills in what @order left out; what is still open gets its default; then
 * everything that the table cannot say is checked. Outcome FIELD_E_INVALID: @ret_error says what. */
_must_check_ int order_resolve(struct order *order, const struct order *template_,
			       struct arena *arena, struct field_error *ret_error);

bool order_pinned(const struct order *order);

/* The ports, host 0. Writes at most ORDER_PORTS_MAX. */
size_t order_ports(const struct order *order, struct worker_port *ret_ports);

/* As text for the store, and back. -ENOMEM; decoding: -EIO where it is not one. */
_must_check_ int order_encode(const struct order *order, struct arena *arena,
			      const char **ret_text);
_must_check_ int order_decode(const char *text, struct arena *arena, struct order *ret_order);

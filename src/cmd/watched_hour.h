/* watched_hour.h - computes again, asking nobody, when a machine was away for most of those who were drawn to
 * watch it in an hour. The hour is what GET /v1/uptime/{machine}/{hour} answers.
 *
 * It trusts nothing but the checkers' signatures; who was drawn is the network's word, as it is in the draw by
 * the beacon (docs/popw.md). Pure: no I/O. */
#pragma once

#include "base/field.h"
#include "wire/sign.h"

enum { WATCHED_HOUR_JSON_MAX = 256 << 10, WATCHED_HOUR_WATCHERS_MAX = 64 };

struct hour_span {
	int64_t from_s, until_s;
};

struct hour_report {
	int64_t polls, answered;
	struct field_objects away; /* of struct hour_span */
	const char *signature; /* NULL: it reported nothing */
};

struct hour_watcher {
	struct address checker;
	struct account_id account;
	struct hour_report report;

	/* What hour_check found out. */
	bool counted; /* it is not the tenant's */
	int64_t away_s;
	bool signed_;
};

struct watched_hour {
	struct address network, machine;
	int64_t hour, hour_ms, panel_least;
	int state; /* of watched_hour_states */
	bool excused;
	struct field_objects watchers; /* of struct hour_watcher */
	struct field_objects unusable; /* of struct hour_span: what the network made of it */

	/* What hour_check found out. */
	size_t drawn, needed;
	struct spans computed;
};

enum { WATCHED_HOUR_OPEN, WATCHED_HOUR_OVER };

enum watched_hour_outcome {
	WATCHED_HOUR_E_MALFORMED = 1, /* ret_error names the field and the rule */
};

/* Texts and lists live in @arena. -ENOMEM. */
_must_check_ int watched_hour_read(const char *json, size_t len, struct arena *arena,
				   struct watched_hour *ret_hour, struct field_error *ret_error);

/* Whether every report is signed by its watcher and holds, and what follows is what the network says.
 * @tenant: whose checkers do not count, as in the tenant's bill, where what follows is not compared; NULL:
 * nobody's. */
bool watched_hour_check(struct watched_hour *hour, const struct account_id *tenant);

static inline struct hour_watcher *watched_hour_watchers(const struct watched_hour *hour)
{
	return hour->watchers.items;
}

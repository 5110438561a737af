#include "modules/proof/uptime_routes.h"

#include "api/settings.h"
#include "modules/proof/hours.h"

static json_t *json_away(const struct spans *away)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < away->n; i++)
		if (json_array_append_new(list,
					  json_pack("{s:i, s:i}", "from_s", away->items[i].from_s,
						    "until_s", away->items[i].until_s)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *json_report(const struct hour_view *view, const struct address *checker)
{
	for (size_t i = 0; view->state != HOUR_OPEN && i < view->n_uptimes; i++) {
		const struct proof_uptime *uptime = &view->uptimes[i];

		if (address_equal(&uptime->checker, checker))
			return json_pack("{s:I, s:I, s:o, s:o}", "polls", (json_int_t)uptime->polls,
					 "answered", (json_int_t)uptime->answered, "away",
					 json_away(&uptime->away), "signature",
					 encode_bytes(uptime->signature, SIGNATURE_SIZE));
	}
	return json_null();
}

static json_t *json_watchers(const struct hour_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < view->n_watchers; i++) {
		const struct proof_watcher *watcher = &view->watchers[i];
		json_t *item = json_pack("{s:o, s:o, s:o}", "checker",
					 encode_address(&watcher->checker), "account",
					 encode_address(&watcher->account.address), "report",
					 json_report(view, &watcher->checker));

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* 0 to 10^15, as it is written in the excuse. */
static int read_hour(const char *text, int64_t *ret_hour)
{
	int64_t hour = 0;
	size_t len = strlen(text);

	if (len == 0 || len > 15 || strspn(text, "0123456789") != len)
		return ROUTE_E_NOT_FOUND;
	for (; *text; text++)
		hour = 10 * hour + (*text - '0');
	*ret_hour = hour;
	return 0;
}

int uptime_get(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct settings *settings = request->context->settings;
	struct machine_id machine;
	struct hour_view view;
	struct spans away = { 0 };
	int64_t hour;
	int r;

	if (address_parse(request->params[0], &machine.address) < 0)
		return ROUTE_E_NOT_FOUND;
	r = read_hour(request->params[1], &hour);
	if (r == 0)
		r = hours_view(tx, machine, hour, &view);
	if (r != 0)
		return r;
	if (view.state != HOUR_OPEN)
		hours_away(&view, NULL, (size_t)settings->panel_least, &away);
	return reply_with(reply, 200,
			  json_pack("{s:o, s:o, s:I, s:I, s:s, s:b, s:I, s:o, s:o}", "network",
				    encode_address(&settings->network), "machine",
				    encode_address(&machine.address), "hour", (json_int_t)hour,
				    "hour_ms", (json_int_t)settings->watch_hour_ms, "state",
				    view.state == HOUR_OPEN ? "open" : "over", "excused",
				    view.state == HOUR_EXCUSED, "panel_least",
				    (json_int_t)settings->panel_least, "watchers",
				    json_watchers(&view), "unusable", json_away(&away)));
}

#include "cmd/watched_hour.h"

#include "base/codec.h"
#include "security/secp.h"

#define AWAY_FIELD(struct_, member)                                                            \
	FIELD_OBJECTS, offsetof(struct struct_, member), .required = true, .count = SPANS_MAX, \
							 .size = sizeof(struct hour_span),     \
							 .fields = span_fields
#define HOUR_MAX INT64_C(1000000000000000)

static const struct field span_fields[] = {
	{ "from_s", FIELD_INT, offsetof(struct hour_span, from_s), .required = true,
	  .max = SPANS_HOUR_S },
	{ "until_s", FIELD_INT, offsetof(struct hour_span, until_s), .required = true,
	  .max = SPANS_HOUR_S },
	{ 0 },
};

static const struct field report_fields[] = {
	{ "polls", FIELD_INT, offsetof(struct hour_report, polls), .required = true,
	  .max = UINT32_MAX },
	{ "answered", FIELD_INT, offsetof(struct hour_report, answered), .required = true,
	  .max = UINT32_MAX },
	{ "away", AWAY_FIELD(hour_report, away) },
	{ "signature", FIELD_TEXT, offsetof(struct hour_report, signature), .required = true,
	  .min = 2 + 2 * SIGNATURE_SIZE, .max = 2 + 2 * SIGNATURE_SIZE },
	{ 0 },
};

static const struct field watcher_fields[] = {
	{ "checker", FIELD_ADDRESS, offsetof(struct hour_watcher, checker), .required = true },
	{ "account", FIELD_ADDRESS, offsetof(struct hour_watcher, account), .required = true },
	{ "report", FIELD_OBJECT, offsetof(struct hour_watcher, report), .fields = report_fields },
	{ 0 },
};

static const char *const states[] = { "open", "over", NULL };

static const struct field hour_fields[] = {
	{ "network", FIELD_ADDRESS, offsetof(struct watched_hour, network), .required = true },
	{ "machine", FIELD_ADDRESS, offsetof(struct watched_hour, machine), .required = true },
	{ "hour", FIELD_INT, offsetof(struct watched_hour, hour), .required = true,
	  .max = HOUR_MAX },
	{ "hour_ms", FIELD_INT, offsetof(struct watched_hour, hour_ms), .required = true,
	  .min = 1000, .max = SPANS_HOUR_S * 1000 },
	{ "state", FIELD_WORD, offsetof(struct watched_hour, state), .required = true,
	  .words = states },
	{ "excused", FIELD_BOOL, offsetof(struct watched_hour, excused), .required = true },
	{ "panel_least", FIELD_INT, offsetof(struct watched_hour, panel_least), .required = true,
	  .min = 1, .max = WATCHED_HOUR_WATCHERS_MAX },
	{ "watchers", FIELD_OBJECTS, offsetof(struct watched_hour, watchers), .required = true,
	  .count = WATCHED_HOUR_WATCHERS_MAX, .size = sizeof(struct hour_watcher),
	  .fields = watcher_fields },
	{ "unusable", AWAY_FIELD(watched_hour, unusable) },
	{ 0 },
};

int watched_hour_read(const char *json, size_t len, struct arena *arena,
		      struct watched_hour *ret_hour, struct field_error *ret_error)
{
	int r;

	*ret_hour = (struct watched_hour){ 0 };
	r = field_decode(json, len, hour_fields, arena, ret_hour, ret_error);
	return r > 0 ? WATCHED_HOUR_E_MALFORMED : r;
}

/* In order, apart, and within the hour. */
static bool read_spans(const struct watched_hour *hour, const struct field_objects *objects,
		       struct spans *ret_spans)
{
	const struct hour_span *items = objects->items;
	int64_t before_s = 0;

	*ret_spans = (struct spans){ .n = objects->n };
	for (size_t i = 0; i < objects->n; i++) {
		if (items[i].from_s < before_s || items[i].until_s <= items[i].from_s ||
		    items[i].until_s > hour->hour_ms / 1000)
			return false;
		before_s = items[i].until_s;
		ret_spans->items[i].from_s = (uint16_t)items[i].from_s;
		ret_spans->items[i].until_s = (uint16_t)items[i].until_s;
	}
	return true;
}

static bool is_signed(const struct watched_hour *hour, const struct hour_watcher *watcher,
		      const struct spans *away)
{
	const struct hour_report *report = &watcher->report;
	const struct uptime_statement statement = {
		.network = hour->network,
		.machine = { hour->machine },
		.checker = watcher->checker,
		.hour_ms = hour->hour_ms,
		.hour = hour->hour,
		.polls = report->polls,
		.answered = report->answered,
		.away = *away,
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	struct address signer;

	if (strncmp(report->signature, "0x", 2) != 0 ||
	    hex_decode(report->signature + 2, 2 * SIGNATURE_SIZE, signature, SIGNATURE_SIZE) < 0)
		return false;
	uptime_digest(&statement, digest);
	return report->answered <= report->polls && secp_recover(digest, signature, &signer) == 0 &&
	       address_equal(&signer, &watcher->checker);
}

static int64_t length_of(const struct spans *spans)
{
	int64_t sum_s = 0;

	for (size_t i = 0; i < spans->n; i++)
		sum_s += spans->items[i].until_s - spans->items[i].from_s;
	return sum_s;
}

static bool same(const struct spans *a, const struct spans *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = a->items[i].from_s == b->items[i].from_s &&
			a->items[i].until_s == b->items[i].until_s;
	return equal;
}

bool watched_hour_check(struct watched_hour *hour, const struct account_id *tenant)
{
	struct spans lists[WATCHED_HOUR_WATCHERS_MAX], stated;
	struct hour_watcher *watchers = hour->watchers.items;
	size_t n = 0;
	bool holds = true;

	hour->drawn = 0;
	for (size_t i = 0; i < hour->watchers.n; i++) {
		struct hour_watcher *watcher = &watchers[i];
		struct spans *away = &lists[n];

		watcher->counted = !tenant || !account_equal(watcher->account, *tenant);
		hour->drawn += watcher->counted;
		if (!watcher->report.signature)
			continue;
		watcher->signed_ = read_spans(hour, &watcher->report.away, away) &&
				   is_signed(hour, watcher, away);
		holds = holds && watcher->signed_;
		if (!watcher->signed_)
			continue;
		watcher->away_s = length_of(away);
		n += watcher->counted;
	}
	hour->needed = hour->drawn >= (size_t)hour->panel_least ? hour->drawn / 2 + 1 : hour->drawn;
	hour->computed = (struct spans){ 0 };
	if (hour->needed > 0)
		spans_shared(lists, n, hour->needed, &hour->computed);
	return holds && read_spans(hour, &hour->unusable, &stated) &&
	       (tenant || same(&hour->computed, &stated));
}

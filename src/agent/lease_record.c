#include "agent/lease.h"

#include "base/log.h"

enum { FILE_NAME_SIZE = 64, RECORD_MAX = 65536 };

static void file_name(const struct lease *lease, char ret_name[static FILE_NAME_SIZE])
{
	char text[ID_TEXT_SIZE];

	lease_id_text(&lease->id, text);
	snprintf(ret_name, FILE_NAME_SIZE, "leases/%s.json", text);
}

static json_t *ports_json(const struct container_state *container)
{
	json_t *ports = json_array();

	for (size_t i = 0; i < container->n_ports; i++)
		json_array_append_new(ports, json_pack("[i, i]", container->ports[i].container,
						       container->ports[i].host));
	return ports;
}

static json_t *record_json(const struct lease *lease)
{
	char lease_text[ID_TEXT_SIZE], rental_text[ID_TEXT_SIZE];

	lease_id_text(&lease->id, lease_text);
	rental_id_text(&lease->rental, rental_text);
	return json_pack(
		"{s:s, s:s, s:I, s:I, s:s, s:i, s:s, s:s, s:i, s:I, s:I, s:b, s:b, s:o, s:o}",
		"lease", lease_text, "rental", rental_text, "generation",
		(json_int_t)lease->generation, "stop_timeout_s", (json_int_t)lease->stop_timeout_s,
		"container", lease->container.id, "phase", (int)lease->phase, "reason",
		lease->reason, "detail", lease->detail, "exit_code", (int)lease->exit_code,
		"started_at_ms", (json_int_t)lease->container.started_at_ms, "ended_at_ms",
		(json_int_t)lease->ended_at_ms, "ran", lease->container.ran, "logged",
		lease->logged, "ports", ports_json(&lease->container), "meter",
		meter_json(&lease->meter));
}

void lease_save(struct lease *lease)
{
	_cleanup_(freep) char *text = NULL;
	char name[FILE_NAME_SIZE];
	json_t *json;
	int r = -ENOMEM;

	if (!lease->unsaved)
		return;
	file_name(lease, name);
	json = record_json(lease);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (text)
		r = state_write(lease->host->state, name, text, strlen(text));
	if (r < 0)
		log_error("lease.save", log_text("lease", lease->name), log_fault(r));
	else
		lease->unsaved = false;
}

void lease_forget(struct lease *lease)
{
	char name[FILE_NAME_SIZE];
	int r;

	file_name(lease, name);
	r = state_remove(lease->host->state, name);
	if (r < 0)
		log_error("lease.forget", log_text("lease", lease->name), log_fault(r));
	logbook_remove(lease->book);
	lease->book = NULL;
}

static void parse_ports(const json_t *ports, struct container_state *container)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(ports, i, pair) {
		if (i == ARRAY_SIZE(container->ports))
			break;
		container->ports[i].container = (uint16_t)json_integer_value(
			json_array_get(pair, 0));
		container->ports[i].host = (uint16_t)json_integer_value(json_array_get(pair, 1));
		container->n_ports = i + 1;
	}
}

struct record {
	const char *lease, *rental, *container, *reason, *detail;
	json_int_t generation, stop_timeout_s, started_at_ms, ended_at_ms;
	int phase, exit_code, ran, logged;
	json_t *ports, *meter;
};

static int unpack(json_t *json, struct record *record)
{
	return json_unpack(json,
			   "{s:s, s:s, s:I, s:I, s:s, s:i, s:s, s:s, s:i, s:I, s:I, s:b, s:b, s:o, "
			   "s:o}",
			   "lease", &record->lease, "rental", &record->rental, "generation",
			   &record->generation, "stop_timeout_s", &record->stop_timeout_s,
			   "container", &record->container, "phase", &record->phase, "reason",
			   &record->reason, "detail", &record->detail, "exit_code",
			   &record->exit_code, "started_at_ms", &record->started_at_ms,
			   "ended_at_ms", &record->ended_at_ms, "ran", &record->ran, "logged",
			   &record->logged, "ports", &record->ports, "meter", &record->meter) < 0
		       ? -EBADMSG
		       : 0;
}

static void fill(struct lease *lease, const struct record *record)
{
	lease->generation = (uint64_t)record->generation;
	lease->stop_timeout_s = (uint32_t)record->stop_timeout_s;
	lease->phase = (Wire__Phase)record->phase;
	lease->exit_code = record->exit_code;
	lease->ended_at_ms = record->ended_at_ms;
	lease->logged = record->logged;
	lease->container.started_at_ms = record->started_at_ms;
	lease->container.ran = record->ran;
	snprintf(lease->reason, sizeof(lease->reason), "%s", record->reason);
	snprintf(lease->detail, sizeof(lease->detail), "%s", record->detail);
	snprintf(lease->container.id, sizeof(lease->container.id), "%s", record->container);
	parse_ports(record->ports, &lease->container);
}

static int load(const struct lease_host *host, json_t *json, struct lease **ret_lease)
{
	struct rental_id rental;
	struct record record;
	struct lease_id id;
	struct meter meter;
	int r;

	if (unpack(json, &record) < 0 || lease_id_parse(record.lease, &id) < 0 ||
	    rental_id_parse(record.rental, &rental) < 0 || meter_parse(record.meter, &meter) < 0 ||
	    record.phase < 0 || record.phase > WIRE__PHASE__PHASE_FAILED)
		return -EBADMSG;
	r = lease_new(host, &id, &rental, ret_lease);
	if (r < 0)
		return r;
	fill(*ret_lease, &record);
	(*ret_lease)->meter = meter;
	return 0;
}

int lease_load(const struct lease_host *host, const char *file, struct lease **ret_lease)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	char name[FILE_NAME_SIZE];
	const void *bytes;
	json_t *json;
	size_t len;
	int r;

	if (snprintf(name, sizeof(name), "leases/%s", file) >= (int)sizeof(name))
		return -EBADMSG;
	r = arena_new(RECORD_MAX, &arena);
	if (r == 0)
		r = state_read(host->state, name, arena, &bytes, &len);
	if (r < 0)
		return r;
	json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	r = json ? load(host, json, ret_lease) : -EBADMSG;
	json_decref(json);
	return r;
}

void lease_state(struct lease *lease, struct lease_report *ret_report)
{
	Wire__LeaseState *state = &ret_report->state;

	wire__lease_state__init(state);
	state->lease = (ProtobufCBinaryData){ sizeof(lease->id.bytes), lease->id.bytes };
	state->generation = lease->generation;
	state->phase = lease->phase;
	state->reason = lease->reason;
	state->detail = lease->detail;
	state->exit_code = lease->exit_code;
	state->started_at_ms = lease->container.started_at_ms;
	state->ended_at_ms = lease->ended_at_ms;
	state->container_id = lease->container.id;
	pull_progress(lease->pull, &state->pulled_bytes, &state->pull_total_bytes);
	for (size_t i = 0; i < lease->container.n_ports; i++) {
		wire__port__init(&ret_report->ports[i]);
		ret_report->ports[i].container = lease->container.ports[i].container;
		ret_report->ports[i].host = lease->container.ports[i].host;
		ret_report->port_list[i] = &ret_report->ports[i];
	}
	state->n_ports = lease->container.n_ports;
	state->ports = ret_report->port_list;
}

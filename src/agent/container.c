#include "agent/container.h"

#include <ctype.h>
#include <sys/resource.h>
#include <time.h>

/* Podman lowers its own limit of processes to 32768, the kernel's usual pid_max. */
enum { NOFILE_MAX = 1048576, NPROC_MAX = 32768 };

void container_name(const struct lease_id *lease, char ret_name[static CONTAINER_NAME_SIZE])
{
	char text[ID_TEXT_SIZE];

	lease_id_text(lease, text);
	snprintf(ret_name, CONTAINER_NAME_SIZE, "kaisar-%s", text);
}

/* Appends what was made (NULL: it could not be made). */
static bool put(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

static bool set(json_t *object, const char *name, json_t *value)
{
	return json_object_set_new(object, name, value) == 0;
}

/* Within the machine's own limits: beyond them a container does not start. */
static bool put_ulimit(json_t *array, const char *name, int resource, rlim_t most)
{
	struct rlimit limit;
	rlim_t value = most;

	if (getrlimit((__rlimit_resource_t)resource, &limit) == 0 &&
	    limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value)
		value = limit.rlim_max;
	return put(array, json_pack("{s:s, s:I, s:I}", "Name", name, "Soft", (json_int_t)value,
				    "Hard", (json_int_t)value));
}

static bool set_ports(json_t *body, json_t *host, const Wire__Container *wanted)
{
	json_t *exposed = json_object(), *bound = json_object();
	bool ok = exposed && bound;
	char name[16];

	for (size_t i = 0; ok && i < wanted->n_ports; i++) {
		snprintf(name, sizeof(name), "%" PRIu32 "/tcp", wanted->ports[i]->container);
		/* No address: all of them. Netavark 1.4 takes "0.0.0.0" for the only one. */
		ok = set(exposed, name, json_object()) &&
		     set(bound, name, json_pack("[{s:s, s:s}]", "HostIp", "", "HostPort", ""));
	}
	ok = set(body, "ExposedPorts", exposed) && ok;
	return set(host, "PortBindings", bound) && ok;
}

static bool set_limits(json_t *host, const Wire__Container *wanted)
{
	json_t *ulimits = json_array();
	bool ok = put_ulimit(ulimits, "nofile", RLIMIT_NOFILE, NOFILE_MAX) &&
		  put_ulimit(ulimits, "nproc", RLIMIT_NPROC, NPROC_MAX);

	ok = set(host, "Ulimits", ulimits) && ok;
	ok = ok && set(host, "NanoCpus", json_integer((json_int_t)wanted->cpu_milli * 1000000)) &&
	     set(host, "Memory", json_integer((json_int_t)wanted->memory_bytes)) &&
	     set(host, "MemorySwap", json_integer((json_int_t)wanted->memory_bytes));
	if (ok && wanted->pids > 0)
		ok = set(host, "PidsLimit", json_integer(wanted->pids));
	if (ok && wanted->shm_bytes > 0)
		ok = set(host, "ShmSize", json_integer((json_int_t)wanted->shm_bytes));
	return ok;
}

static bool set_safety(json_t *host)
{
	return set(host, "CapDrop", json_pack("[s]", "ALL")) &&
	       set(host, "SecurityOpt", json_pack("[s]", "no-new-privileges")) &&
	       set(host, "RestartPolicy", json_pack("{s:s}", "Name", "no"));
}

static bool set_labels(json_t *body, const struct container_host *host, const Wire__Lease *lease)
{
	char lease_text[ID_TEXT_SIZE], rental_text[ID_TEXT_SIZE], network[ADDRESS_TEXT_SIZE];

	id_text("lse", lease->lease.data, lease_text);
	id_text("rnt", lease->rental.data, rental_text);
	address_text(&host->network, network);
	return set(body, "Labels",
		   json_pack("{s:s, s:s, s:s}", LABEL_LEASE, lease_text, LABEL_RENTAL, rental_text,
			     LABEL_NETWORK, network));
}

static bool set_process(json_t *body, const Wire__Container *wanted)
{
	json_t *command = json_array(), *env = json_array();
	bool ok = set(body, "Image", json_string(wanted->image));

	for (size_t i = 0; ok && i < wanted->n_command; i++)
		ok = put(command, json_string(wanted->command[i]));
	for (size_t i = 0; ok && i < wanted->n_env; i++)
		ok = put(env, json_sprintf("%s=%s", wanted->env[i]->name, wanted->env[i]->value));
	if (wanted->n_command > 0)
		ok = set(body, "Cmd", command) && ok;
	else
		json_decref(command);
	return set(body, "Env", env) && ok;
}

static int add_gpus(const struct container_host *host, const Wire__Container *wanted, json_t *body,
		    const char **ret_missing)
{
	for (size_t i = 0; i < wanted->n_gpus; i++) {
		const struct nvml_gpu *gpu = nvml_find(host->nvml, wanted->gpus[i]);
		int r = gpu ? cdi_apply(host->cdi, gpu->uuid, gpu->index, body) : CDI_E_MISSING;

		if (r == CDI_E_MISSING)
			*ret_missing = wanted->gpus[i];
		if (r != 0)
			return r;
	}
	return 0;
}

int container_body(const struct container_host *host, const Wire__Lease *lease, json_t **ret_body,
		   const char **ret_missing)
{
	const Wire__Container *wanted = lease->container;
	json_t *body = json_object(), *config = json_object();
	bool ok = body && config;
	int r;

	ok = set(body, "HostConfig", config) && ok;
	ok = ok && set_process(body, wanted) && set_labels(body, host, lease) &&
	     set_ports(body, config, wanted) && set_limits(config, wanted) && set_safety(config);
	r = ok ? add_gpus(host, wanted, body, ret_missing) : -ENOMEM;
	if (r != 0) {
		json_decref(body);
		return r;
	}
	*ret_body = body;
	return 0;
}

static int zone_seconds(const char *text, int *ret_seconds)
{
	int hours, minutes;

	if (strcmp(text, "Z") == 0) {
		*ret_seconds = 0;
		return 0;
	}
	if ((text[0] != '+' && text[0] != '-') ||
	    sscanf(text + 1, "%2d:%2d", &hours, &minutes) != 2)
		return -EINVAL;
	*ret_seconds = (hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
	return 0;
}

int container_time(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	int64_t ms = 0, unit = 100;
	int zone;
	char *at;

	at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!at)
		return -EINVAL;
	if (*at == '.')
		for (at++; isdigit((unsigned char)*at); at++, unit /= 10)
			ms += (*at - '0') * unit;
	if (zone_seconds(at, &zone) < 0)
		return -EINVAL;
	ms += ((int64_t)timegm(&tm) - zone) * 1000;
	*ret_ms = ms > 0 ? ms : 0;
	return 0;
}

static int time_of(const json_t *object, const char *name, int64_t *ret_ms)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? container_time(text, ret_ms) : -EINVAL;
}

static void read_ports(const json_t *ports, struct container_state *state)
{
	const json_t *bound;
	const char *name;

	json_object_foreach((json_t *)ports, name, bound) {
		const json_t *first = json_array_get(bound, 0);
		const char *host = json_string_value(json_object_get(first, "HostPort"));
		unsigned long inside = strtoul(name, NULL, 10);
		unsigned long outside = host ? strtoul(host, NULL, 10) : 0;

		if (inside == 0 || inside > UINT16_MAX || outside == 0 || outside > UINT16_MAX ||
		    state->n_ports == ARRAY_SIZE(state->ports))
			continue;
		state->ports[state->n_ports].container = (uint16_t)inside;
		state->ports[state->n_ports++].host = (uint16_t)outside;
	}
}

int container_state(const json_t *inspection, struct container_state *ret_state)
{
	const json_t *state = json_object_get(inspection, "State");
	const char *id = json_string_value(json_object_get(inspection, "Id"));
	struct container_state said = { 0 };
	const char *status;

	if (!id || strlen(id) >= sizeof(said.id) || !json_is_object(state) ||
	    time_of(state, "StartedAt", &said.started_at_ms) < 0 ||
	    time_of(state, "FinishedAt", &said.ended_at_ms) < 0)
		return -EBADMSG;
	snprintf(said.id, sizeof(said.id), "%s", id);
	status = json_string_value(json_object_get(state, "Status"));
	/* What Podman stops has not ended yet, though it no longer calls it running. */
	said.running = json_is_true(json_object_get(state, "Running")) ||
		       (status && strcmp(status, "stopping") == 0);
	said.ran = said.started_at_ms > 0;
	said.out_of_memory = json_is_true(json_object_get(state, "OOMKilled"));
	said.exit_code = (int)json_integer_value(json_object_get(state, "ExitCode"));
	/* A container that runs again still tells when it ended last. */
	if (said.running)
		said.ended_at_ms = 0;
	read_ports(json_object_get(json_object_get(inspection, "NetworkSettings"), "Ports"), &said);
	*ret_state = said;
	return 0;
}

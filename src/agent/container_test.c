#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

#include "agent/container.h"

static const char spec[] =
	"{\"cdiVersion\":\"0.5.0\",\"kind\":\"nvidia.com/gpu\",\"devices\":["
	"{\"name\":\"GPU-1\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia0\"}]}},"
	"{\"name\":\"1\",\"containerEdits\":{\"deviceNodes\":[{\"path\":\"/dev/nvidia1\","
	"\"hostPath\":\"/dev/real1\",\"permissions\":\"rw\"}],\"env\":[\"TWO=2\"]}}],"
	"\"containerEdits\":{\"env\":[\"ALL=1\"],\"deviceNodes\":[{\"path\":\"/dev/nvidiactl\"}],"
	"\"mounts\":[{\"hostPath\":\"/usr/lib/a.so\",\"containerPath\":\"/usr/lib/a.so\","
	"\"options\":[\"ro\",\"bind\"]}]}}";

static struct cdi *load(const char *text)
{
	char folder[] = "/tmp/kaisar-cdi-XXXXXX", path[64];
	const char *folders[] = { "/nonexistent", folder, NULL };
	struct cdi *cdi;
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/nvidia.json", folder);
	file = fopen(path, "w");
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	fclose(file);
	assert_int_equal(cdi_load(folders, &cdi), 0);
	unlink(path);
	rmdir(folder);
	return cdi;
}

static size_t count(const json_t *body, const char *name)
{
	return json_array_size(json_object_get(json_object_get(body, "HostConfig"), name));
}

/* By uuid or by number; what both need is there once. */
static void devices_by_uuid_and_by_number(void **state _unused_)
{
	json_t *body = json_object();
	struct cdi *cdi = load(spec);

	assert_int_equal(cdi_apply(cdi, "GPU-1", 0, body), 0);
	assert_int_equal(count(body, "Devices"), 2);
	assert_int_equal(cdi_apply(cdi, "GPU-2", 1, body), 0);
	assert_int_equal(count(body, "Devices"), 3);
	assert_int_equal(count(body, "Mounts"), 1);
	assert_int_equal(json_array_size(json_object_get(body, "Env")), 2);
	assert_int_equal(cdi_apply(cdi, "GPU-3", 7, body), CDI_E_MISSING);
	json_decref(body);
	cdi_free(cdi);
}

static void what_is_no_specification_is_left_out(void **state _unused_)
{
	static const char *const bad[] = { "", "[]", "{\"kind\":1}", "{\"kind\":\"x/gpu\"}",
					   "{\"kind\":\"x/gpu\",\"devices\":[{\"name\":3}]}" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *body = json_object();
		struct cdi *cdi = load(bad[i]);

		assert_int_equal(cdi_apply(cdi, "GPU-1", 0, body), CDI_E_MISSING);
		assert_int_equal(json_object_size(body), 0);
		json_decref(body);
		cdi_free(cdi);
	}
}

static Wire__Lease *make_lease(Wire__Container *container)
{
	static uint8_t id[16] = { 1 };
	static Wire__Lease lease;

	wire__container__init(container);
	wire__lease__init(&lease);
	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, id };
	container->image = (char *)"x";
	container->cpu_milli = 1500;
	container->memory_bytes = 1 << 26;
	lease.container = container;
	return &lease;
}

static json_int_t number(const json_t *body, const char *name)
{
	return json_integer_value(json_object_get(json_object_get(body, "HostConfig"), name));
}

static void the_body_holds_every_limit(void **state _unused_)
{
	struct container_host host = { 0 };
	const char *missing;
	Wire__Container container;
	json_t *body;

	assert_int_equal(container_body(&host, make_lease(&container), &body, &missing), 0);
	assert_int_equal(number(body, "NanoCpus"), 1500000000);
	assert_int_equal(number(body, "Memory"), 1 << 26);
	assert_int_equal(number(body, "MemorySwap"), 1 << 26);
	assert_int_equal(count(body, "CapDrop"), 1);
	assert_int_equal(count(body, "Ulimits"), 2);
	/* No command: the image's own. */
	assert_null(json_object_get(body, "Cmd"));
	assert_int_equal(json_object_size(json_object_get(body, "Labels")), 3);
	json_decref(body);
}

static void a_gpu_that_is_not_here_is_named(void **state _unused_)
{
	struct nvml nvml = { .n_gpus = 1, .gpus = { { .uuid = "GPU-1" } } };
	struct cdi *cdi = load(spec);
	struct container_host host = { .cdi = cdi, .nvml = &nvml };
	char *gpus[] = { (char *)"GPU-1", (char *)"GPU-9" };
	const char *missing = "";
	Wire__Container container;
	Wire__Lease *lease = make_lease(&container);
	json_t *body;

	container.gpus = gpus;
	container.n_gpus = 1;
	assert_int_equal(container_body(&host, lease, &body, &missing), 0);
	assert_int_equal(count(body, "Devices"), 2);
	json_decref(body);
	container.n_gpus = 2;
	assert_int_equal(container_body(&host, lease, &body, &missing), CDI_E_MISSING);
	assert_string_equal(missing, "GPU-9");
	cdi_free(cdi);
}

static void times(void **state _unused_)
{
	int64_t ms;

	assert_int_equal(container_time("2026-11-22T17:35:43.57011266Z", &ms), 0);
	assert_int_equal(ms, 1795368943570);
	assert_int_equal(container_time("2026-11-22T18:35:43+01:00", &ms), 0);
	assert_int_equal(ms, 1795368943000);
	assert_int_equal(container_time("0001-01-01T00:00:00Z", &ms), 0);
	assert_int_equal(ms, 0);
	assert_int_equal(container_time("2026-11-22 17:35:43", &ms), -EINVAL);
	assert_int_equal(container_time("2026-11-22T17:35:43", &ms), -EINVAL);
	assert_int_equal(container_time("2026-11-22T17:35:43.5x", &ms), -EINVAL);
}

static void inspections(void **state _unused_)
{
	static const char text[] =
		"{\"Id\":\"abc\",\"State\":{\"Running\":false,\"OOMKilled\":true,\"ExitCode\":137,"
		"\"StartedAt\":\"2026-11-22T17:35:43Z\",\"FinishedAt\":\"2026-11-22T17:35:45Z\"},"
		"\"NetworkSettings\":{\"Ports\":{\"8080/"
		"tcp\":[{\"HostIp\":\"\",\"HostPort\":\"41\"}],"
		"\"90/tcp\":null,\"x\":[{\"HostPort\":\"99999\"}]}}}";
	json_t *json = json_loads(text, 0, NULL);
	struct container_state said;

	assert_int_equal(container_state(json, &said), 0);
	assert_true(said.ran && !said.running && said.out_of_memory);
	assert_int_equal(said.exit_code, 137);
	assert_int_equal(said.ended_at_ms - said.started_at_ms, 2000);
	assert_int_equal(said.n_ports, 1);
	assert_int_equal(said.ports[0].container, 8080);
	assert_int_equal(said.ports[0].host, 41);
	json_object_del(json, "State");
	assert_int_equal(container_state(json, &said), -EBADMSG);
	json_decref(json);
}

/* Podman's word while it waits for the process to end: no end yet, and no "running" either. */
static void a_container_that_is_being_stopped_still_runs(void **state _unused_)
{
	static const char text[] =
		"{\"Id\":\"abc\",\"State\":{\"Running\":false,\"Status\":\"stopping\","
		"\"StartedAt\":\"2026-11-22T17:35:43Z\",\"FinishedAt\":\"0001-01-01T00:00:00Z\"}}";
	json_t *json = json_loads(text, 0, NULL);
	struct container_state said;

	assert_int_equal(container_state(json, &said), 0);
	assert_true(said.ran && said.running);
	assert_int_equal(said.ended_at_ms, 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_by_uuid_and_by_number),
		cmocka_unit_test(what_is_no_specification_is_left_out),
		cmocka_unit_test(the_body_holds_every_limit),
		cmocka_unit_test(a_gpu_that_is_not_here_is_named),
		cmocka_unit_test(times),
		cmocka_unit_test(inspections),
		cmocka_unit_test(a_container_that_is_being_stopped_still_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

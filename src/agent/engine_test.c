#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>

#include "agent/engine.h"
#include "io/loop.h"

/* What a real engine answers; KAISAR_TEST_ENGINE names its socket. */
static const char image[] = "localhost/kaisar/demo:1";

struct fixture {
	struct loop *loop;
	struct engine *engine;
	struct engine_call *call;
	bool done;
	int fault, status, started, died; /* of the watched container */
	const char *watched;
	char message[512], out[2048], err[512];
	json_t *json;
};

static void on_reply(void *arg, const struct engine_reply *reply)
{
	struct fixture *f = arg;

	f->fault = reply->fault;
	f->status = reply->status;
	snprintf(f->message, sizeof(f->message), "%s", reply->message);
	json_decref(f->json);
	f->json = json_deep_copy(reply->json);
	f->done = true;
}

static void on_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct fixture *f = arg;
	char *text = channel == FRAME_STDERR ? f->err : f->out;

	if (strlen(text) + len < (text == f->err ? sizeof(f->err) : sizeof(f->out)))
		strncat(text, bytes, len);
}

static void on_event(void *arg, const json_t *event)
{
	struct fixture *f = arg;
	const char *action = json_string_value(json_object_get(event, "Action")), *name;

	if (json_unpack((json_t *)(uintptr_t)event, "{s:{s:{s:s}}}", "Actor", "Attributes", "name",
			&name) < 0 ||
	    strcmp(name, f->watched) != 0)
		return;
	f->started += strcmp(action, "start") == 0;
	f->died += strcmp(action, "die") == 0;
}

static void finish(struct fixture *f, int begun)
{
	assert_int_equal(begun, 0);
	while (!f->done)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	f->done = false;
}

static int set_up(void **state)
{
	const char *socket = getenv("KAISAR_TEST_ENGINE");
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (loop_new(&f->loop) < 0)
		return -1;
	return engine_new(f->loop, socket ? socket : "/nonexistent/engine.sock", &f->engine);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	engine_free(f->engine);
	loop_free(f->loop);
	json_decref(f->json);
	free(f);
	return 0;
}

static struct fixture *need_engine(void **state)
{
	struct fixture *f = *state;

	/* The suite names an engine; who runs this alone may have none. */
	if (!getenv("KAISAR_TEST_ENGINE")) {
		print_message("skipped: KAISAR_TEST_ENGINE names no engine\n");
		skip();
	}
	finish(f, engine_version(f->engine, on_reply, f, &f->call));
	assert_int_equal(f->status, 200);
	return f;
}

static void make(struct fixture *f, const char *name, const char *script)
{
	json_t *body = json_pack("{s:s, s:[sss], s:{s:[], s:[{s:s,s:i,s:i}, {s:s,s:i,s:i}]}}",
				 "Image", image, "Cmd", "/bin/sh", "-c", script, "HostConfig",
				 "CapAdd", "Ulimits", "Name", "nofile", "Soft", 1024, "Hard", 1024,
				 "Name", "nproc", "Soft", 4096, "Hard", 4096);

	finish(f, engine_remove(f->engine, name, on_reply, f, &f->call));
	finish(f, engine_create(f->engine, name, body, on_reply, f, &f->call));
	json_decref(body);
	assert_string_equal(f->message, "");
	assert_int_equal(f->status, 201);
}

static void nobody_listens(void **state)
{
	struct fixture *f = *state;

	engine_free(f->engine);
	assert_int_equal(engine_new(f->loop, "/nonexistent/engine.sock", &f->engine), 0);
	finish(f, engine_version(f->engine, on_reply, f, &f->call));
	assert_int_equal(f->fault, -ENOENT);
}

static void says_who_it_is(void **state)
{
	struct fixture *f = need_engine(state);

	assert_true(strncmp(engine_name(f->engine), "podman ", 7) == 0 ||
		    strncmp(engine_name(f->engine), "docker ", 7) == 0);
}

/* No answer says that the stream is open: so a container is run until it tells of one. */
static void listen_to_events(struct fixture *f, struct engine_call **ret_events)
{
	f->watched = "kaisar-test-heard";
	assert_int_equal(engine_events(f->engine, on_event, on_reply, f, ret_events), 0);
	for (int i = 0; i < 100 && f->died == 0; i++) {
		make(f, f->watched, "exit 0");
		finish(f, engine_start(f->engine, f->watched, on_reply, f, &f->call));
		finish(f, engine_logs(f->engine, f->watched, on_frame, on_reply, f, &f->call));
		finish(f, engine_remove(f->engine, f->watched, on_reply, f, &f->call));
	}
	assert_int_not_equal(f->died, 0);
	f->watched = "kaisar-test-run";
	f->started = f->died = 0;
}

static void runs_and_ends(void **state)
{
	struct fixture *f = need_engine(state);
	struct engine_call *events;

	listen_to_events(f, &events);
	make(f, f->watched, "echo out; echo err >&2; exit 3");
	finish(f, engine_start(f->engine, f->watched, on_reply, f, &f->call));
	assert_string_equal(f->message, "");
	finish(f, engine_logs(f->engine, "kaisar-test-run", on_frame, on_reply, f, &f->call));
	assert_string_equal(f->out, "out\n");
	assert_string_equal(f->err, "err\n");
	while (f->died == 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	assert_int_equal(f->started, 1);
	engine_cancel(events);
	finish(f, engine_inspect(f->engine, "kaisar-test-run", on_reply, f, &f->call));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(f->json, "State"), "ExitCode")),
		3);
	finish(f, engine_remove(f->engine, "kaisar-test-run", on_reply, f, &f->call));
	finish(f, engine_inspect(f->engine, "kaisar-test-run", on_reply, f, &f->call));
	assert_int_equal(f->status, 404);
	assert_string_not_equal(f->message, "");
}

static void on_exec_frame(void *arg, enum frame_channel channel, const void *bytes, size_t len)
{
	struct fixture *f = arg;

	on_frame(arg, channel, bytes, len);
	if (strcmp(f->out, "ready\n") != 0)
		return;
	assert_int_equal(engine_exec_send(f->call, "to be read\n", 11), 0);
	assert_int_equal(engine_exec_send(f->call, NULL, 0), 0);
}

/* Input reaches the process, its end, too, and the exit code comes back. */
static void exec_speaks_both_ways(void **state)
{
	struct fixture *f = need_engine(state);
	json_t *body = json_pack("{s:b,s:b,s:b,s:[sss]}", "AttachStdin", 1, "AttachStdout", 1,
				 "AttachStderr", 1, "Cmd", "/bin/sh", "-c",
				 "echo ready; cat; echo end >&2; exit 7");
	char exec[80], path[128];

	make(f, "kaisar-test-exec", "sleep 60");
	finish(f, engine_start(f->engine, "kaisar-test-exec", on_reply, f, &f->call));
	finish(f, engine_request(f->engine, "POST", "containers/kaisar-test-exec/exec", body,
				 ENGINE_TIMEOUT_MS, on_reply, f, &f->call));
	json_decref(body);
	snprintf(exec, sizeof(exec), "%s", json_string_value(json_object_get(f->json, "Id")));
	finish(f, engine_exec_start(f->engine, exec, NULL, on_exec_frame, on_reply, f, &f->call));
	assert_int_equal(f->fault, 0);
	assert_string_equal(f->out, "ready\nto be read\n");
	assert_string_equal(f->err, "end\n");
	snprintf(path, sizeof(path), "exec/%s/json", exec);
	finish(f, engine_request(f->engine, "GET", path, NULL, ENGINE_TIMEOUT_MS, on_reply, f,
				 &f->call));
	assert_int_equal(json_integer_value(json_object_get(f->json, "ExitCode")), 7);
	finish(f, engine_remove(f->engine, "kaisar-test-exec", on_reply, f, &f->call));
}

/* Known to the process before it begins. */
static void exec_has_its_terminals_size(void **state)
{
	const struct engine_terminal terminal = { .columns = 101, .rows = 37 };
	struct fixture *f = need_engine(state);
	json_t *body = json_pack("{s:b,s:b,s:b,s:b,s:[ss]}", "AttachStdin", 1, "AttachStdout", 1,
				 "AttachStderr", 1, "Tty", 1, "Cmd", "stty", "size");
	char exec[80];

	make(f, "kaisar-test-tty", "sleep 60");
	finish(f, engine_start(f->engine, "kaisar-test-tty", on_reply, f, &f->call));
	finish(f, engine_request(f->engine, "POST", "containers/kaisar-test-tty/exec", body,
				 ENGINE_TIMEOUT_MS, on_reply, f, &f->call));
	json_decref(body);
	snprintf(exec, sizeof(exec), "%s", json_string_value(json_object_get(f->json, "Id")));
	finish(f, engine_exec_start(f->engine, exec, &terminal, on_frame, on_reply, f, &f->call));
	assert_string_equal(f->out, "37 101\r\n");
	finish(f, engine_remove(f->engine, "kaisar-test-tty", on_reply, f, &f->call));
}

static void missing_image_is_said(void **state)
{
	struct fixture *f = need_engine(state);

	finish(f, engine_pull(f->engine, "127.0.0.1:9/none/such:1", NULL, on_reply, f, &f->call));
	assert_int_equal(f->fault, 0);
	assert_false(f->status < 300);
	assert_string_not_equal(f->message, "");
}

static void escapes(void **state _unused_)
{
	char path[32] = "x?y=";

	assert_true(engine_escape(path, sizeof(path), "a/b:1 &"));
	assert_string_equal(path, "x?y=a/b:1%20%26");
	assert_false(engine_escape(path, 20, "&&&&"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes),
		cmocka_unit_test_setup_teardown(nobody_listens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_who_it_is, set_up, tear_down),
		cmocka_unit_test_setup_teardown(runs_and_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exec_speaks_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exec_has_its_terminals_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(missing_image_is_said, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

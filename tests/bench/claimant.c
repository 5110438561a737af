/* claimant.c - many machines that have nothing but their word: claimant URL BEARER MACHINES. Each joins
 * through the API as the provider's whose access token BEARER is, gets a price, claims cores and memory
 * for hundreds of rentals, acknowledges what it is told to run, and runs nothing. Says "claimed" once
 * all are connected; ends on SIGTERM. */
#include <jansson.h>

#include "link/link.h"
#include "base/codec.h"
#include "base/log.h"
#include "io/http_client.h"
#include "io/loop.h"
#include "security/token.h"
#include "wire/sign.h"

enum {
	MACHINES_MAX = 1000,
	CORES = 4096,
	HEARTBEAT_MS = 2000,
	CALL_MS = 10000,
	ANSWER_MAX = 65536
};

struct machine {
	struct secp_key *key;
	struct link *link;
	uint64_t generation;
};

static struct machine machines[MACHINES_MAX];
static size_t n_machines, n_up;
static const char *url;
static char *bearer; /* the header's value */
static struct address network;

/* ---- joining ---- */

static int call(struct arena *arena, const char *method, const char *path, json_t *body,
		int expected, json_t **ret_answer)
{
	_cleanup_(freep) char *text = json_dumps(body, JSON_COMPACT);
	struct http_header headers[] = { { "content-type", "application/json" },
					 { "authorization", bearer } };
	struct http_call call = {
		.method = method,
		.url = arena_printf(arena, "%s%s", url, path),
		.headers = headers,
		.n_headers = ARRAY_SIZE(headers),
		.body = text,
		.body_len = text ? strlen(text) : 0,
		.timeout_ms = CALL_MS,
		.max_answer_bytes = ANSWER_MAX,
	};
	struct http_answer answer;
	int r = text && call.url ? http_call(&call, arena, &answer) : -ENOMEM;

	json_decref(body);
	if (r < 0)
		return r;
	if (answer.status != expected) {
		fprintf(stderr, "claimant: %s: %s\n", path, answer.body);
		return -EPROTO;
	}
	*ret_answer = json_loadb(answer.body, answer.body_len, 0, NULL);
	return *ret_answer ? 0 : -EPROTO;
}

static int post_join(struct arena *arena, const struct secp_key *key, const char *token,
		     const char *machine)
{
	struct join_statement statement = { .machine.address = *secp_key_address(key) };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	char text[2 * SIGNATURE_SIZE + 3] = "0x";
	json_t *answer;
	int r;

	secret_hash(token, statement.token_hash);
	join_digest(&statement, digest);
	r = secp_sign(key, digest, signature);
	if (r < 0)
		return r;
	hex_encode(signature, sizeof(signature), text + 2);
	r = call(arena, "POST", "/v1/workers/join",
		 json_pack("{s:s, s:s, s:s, s:s}", "token", token, "machine", machine, "signature",
			   text, "name", "claimant"),
		 201, &answer);
	if (r < 0)
		return r;
	r = address_parse(json_string_value(json_object_get(answer, "network")), &network);
	json_decref(answer);
	return r;
}

static int join(struct arena *arena, struct machine *machine)
{
	char address[ADDRESS_TEXT_SIZE], path[128];
	json_t *answer, *token;
	int r;

	r = secp_key_generate(&random_system, &machine->key);
	if (r < 0)
		return r;
	address_text(secp_key_address(machine->key), address);
	r = call(arena, "POST", "/v1/workers/tokens", json_object(), 201, &token);
	if (r < 0)
		return r;
	r = post_join(arena, machine->key, json_string_value(json_object_get(token, "token")),
		      address);
	json_decref(token);
	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/v1/workers/%s", address);
	r = call(arena, "PATCH", path, json_pack("{s:s}", "core_hour", "0.0036"), 200, &answer);
	if (r == 0)
		json_decref(answer);
	return r;
}

/* ---- the agent's side of the protocol ---- */

static void say(struct machine *machine, const Wire__ToServer *message)
{
	int r = link_send(machine->link, message);

	if (r < 0)
		log_warn("claimant.send", log_fault(r));
}

static void beat(struct machine *machine)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Heartbeat heartbeat = WIRE__HEARTBEAT__INIT;

	heartbeat.at_ms = clock_now_ms(&clock_system);
	heartbeat.engine_up = true;
	heartbeat.desired_generation = machine->generation;
	message.body_case = WIRE__TO_SERVER__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	say(machine, &message);
}

static void on_welcome(void *arg, const Wire__Welcome *welcome)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;

	(void)welcome;
	inventory.cpu_count = CORES;
	inventory.memory_bytes = inventory.disk_bytes = UINT64_C(1) << 48;
	message.body_case = WIRE__TO_SERVER__BODY_INVENTORY;
	message.inventory = &inventory;
	say(arg, &message);
	beat(arg);
	if (++n_up == n_machines) {
		puts("claimed");
		fflush(stdout);
	}
}

static void on_message(void *arg, const Wire__ToNode *message)
{
	struct machine *machine = arg;

	if (message->body_case != WIRE__TO_NODE__BODY_DESIRED)
		return;
	machine->generation = message->desired->generation;
}

static void on_down(void *arg)
{
	(void)arg;
	n_up--;
}

static void on_heartbeat(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < n_machines; i++)
		if (link_up(machines[i].link))
			beat(&machines[i]);
}

static int connect_all(struct loop *loop)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_machines; i++) {
		const struct link_config config = {
			.loop = loop,
			.random = &random_system,
			.url = url,
			.path = "/v1/agent",
			.network = network,
			.key = machines[i].key,
			.version = "claimant",
			.on_welcome = on_welcome,
			.on_message = on_message,
			.on_down = on_down,
			.arg = &machines[i],
		};

		r = link_new(&config, &machines[i].link);
	}
	return r;
}

static void on_signal(void *arg, int signal)
{
	(void)signal;
	loop_stop(arg);
}

static int run(struct arena *arena)
{
	struct loop_timer *timer;
	struct loop *loop;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_machines; i++) {
		r = join(arena, &machines[i]);
		arena_reset(arena);
	}
	if (r == 0)
		r = loop_new(&loop);
	if (r < 0)
		return r;
	r = loop_on_signal(loop, on_signal, loop);
	if (r == 0)
		r = loop_timer_new(loop, HEARTBEAT_MS, HEARTBEAT_MS, on_heartbeat, NULL, &timer);
	if (r == 0)
		r = connect_all(loop);
	if (r == 0)
		r = loop_run(loop);
	for (size_t i = 0; i < n_machines; i++)
		link_free(machines[i].link);
	loop_free(loop);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(1 << 20, &arena);

	n_machines = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	if (n_machines < 1 || n_machines > MACHINES_MAX) {
		fprintf(stderr, "usage: claimant URL BEARER MACHINES\n");
		return 2;
	}
	url = argv[1];
	if (asprintf(&bearer, "Bearer %s", argv[2]) < 0)
		bearer = NULL;
	log_init(false, LOG_WARN);
	if (r == 0)
		r = bearer ? run(arena) : -ENOMEM;
	for (size_t i = 0; i < n_machines; i++)
		secp_key_free(machines[i].key);
	free(bearer);
	if (r < 0)
		fprintf(stderr, "claimant: %s\n", strerror(-r));
	return r < 0;
}

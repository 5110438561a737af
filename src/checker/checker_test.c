#include "checker/checker.h"
#include "checker/seats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <uv.h>

#include "base/log.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "popw/bandwidth.h"
#include "popw/level_world.h"
#include "popw/prove_world.h"
#include "popw/summons.h"
#include "popw/verify.h"
#include "wire/sign.h"
#include "wire/wire.h"

enum { PULLED_CHUNKS = 16, KINDS = MESSAGE_COMMITS + 1 };

/* A control plane with a panel of one, and a worker whose network can be measured: the checker is real, and so
 * are its sockets and threads. */
struct fixture {
	struct loop *loop;
	struct http_server *server;
	struct http_conn_id conn; /* of the checker's link */
	struct rehearsal *rehearsal;
	struct checker *checker;
	struct state *state;
	char folder[64];
	int welcomed, polls, uptimes, answers;
	int said[KINDS];
	uint8_t bytes[KINDS][256]; /* the last of each kind */
	size_t len[KINDS];
	Wire__Uptime uptime;
	int64_t hour_ms, heard; /* the hour that it was told to forget */
	int again; /* reports of it */
	/* the worker's side of the bandwidth */
	struct bandwidth_stream stream;
	struct bandwidth_count count;
	uint16_t proof_port;
	bool forges, miscounts, stops; /* a byte of its stream; its answer; before it is told to */
	/* the container's side of a probe */
	const char *output, *control; /* what it says; NULL: nothing */
	int probed;
	bool passed;
	uint32_t gpus;
	char detail[160];
};

static struct address network_of(const struct fixture *f)
{
	return *secp_key_address(f->rehearsal->network);
}

/* ---- the control plane ---- */

static void put(struct fixture *f, const Wire__ToNode *message)
{
	struct arena *arena;
	const void *bytes;
	size_t len;

	assert_int_equal(arena_new(4 << 20, &arena), 0);
	assert_int_equal(wire_encode_to_node(message, arena, &bytes, &len), 0);
	ws_send(f->server, f->conn, WS_BINARY, bytes, len);
	arena_free(arena);
}

static void put_proof(struct fixture *f, enum message_kind kind, const void *bytes, size_t len)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Proof proof = WIRE__PROOF__INIT;

	proof.session = (ProtobufCBinaryData){ 16, f->rehearsal->transcript.session.id.bytes };
	proof.kind = kind;
	proof.body = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
	message.body_case = WIRE__TO_NODE__BODY_PROOF;
	message.proof = &proof;
	put(f, &message);
}

static void challenge(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Challenge body = WIRE__CHALLENGE__INIT;
	struct address network = network_of(f);
	uint8_t nonce[32] = { 1 };

	body.nonce = (ProtobufCBinaryData){ sizeof(nonce), nonce };
	body.network = (ProtobufCBinaryData){ 20, network.bytes };
	message.body_case = WIRE__TO_NODE__BODY_CHALLENGE;
	message.challenge = &body;
	put(f, &message);
}

static void welcome(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Welcome body = WIRE__WELCOME__INIT;

	message.body_case = WIRE__TO_NODE__BODY_WELCOME;
	message.welcome = &body;
	put(f, &message);
	f->welcomed++;
}

static void answer_poll(struct fixture *f, const Wire__Poll *poll)
{
	struct poll_statement statement = { .network = network_of(f) };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	Wire__PollAnswer answer = WIRE__POLL_ANSWER__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	statement.machine.address = *secp_key_address(f->rehearsal->machine);
	statement.checker = *secp_key_address(f->rehearsal->members[0]);
	assert_memory_equal(poll->machine.data, statement.machine.address.bytes, 20);
	memcpy(statement.nonce, poll->nonce.data, sizeof(statement.nonce));
	poll_digest(&statement, digest);
	assert_int_equal(secp_sign(f->rehearsal->machine, digest, signature), 0);
	answer.machine = poll->machine;
	answer.checker = (ProtobufCBinaryData){ 20, statement.checker.bytes };
	answer.nonce = poll->nonce;
	answer.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	message.body_case = WIRE__TO_NODE__BODY_POLL_ANSWER;
	message.poll_answer = &answer;
	f->polls++;
	put(f, &message);
}

static void take_proof(struct fixture *f, const Wire__Proof *proof)
{
	assert_true(proof->kind < KINDS && proof->body.len <= sizeof(f->bytes[0]));
	f->said[proof->kind]++;
	f->len[proof->kind] = proof->body.len;
	memcpy(f->bytes[proof->kind], proof->body.data, proof->body.len);
}

static void take_uptime(struct fixture *f, const Wire__Uptime *uptime)
{
	struct uptime_statement statement = {
		.network = network_of(f),
		.checker = *secp_key_address(f->rehearsal->members[0]),
		.hour = uptime->hour,
		.hour_ms = f->hour_ms,
		.polls = uptime->polls,
		.answered = uptime->answered,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.machine.address.bytes, uptime->machine.data, 20);
	uptime_digest(&statement, digest);
	assert_int_equal(secp_recover(digest, uptime->signature.data, &signer), 0);
	assert_true(address_equal(&signer, &statement.checker));
	f->uptime = *uptime;
	f->uptimes++;
	f->again += uptime->hour == f->heard;
}

static void take_probed(struct fixture *f, const Wire__ProbeResult *result)
{
	assert_int_equal(result->probe.data[0], 7);
	f->passed = result->passed;
	f->gpus = result->gpus;
	snprintf(f->detail, sizeof(f->detail), "%s", result->detail);
	f->probed++;
}

static void on_bytes(void *arg, struct http_conn_id conn _unused_, enum ws_kind kind _unused_,
		     const void *bytes, size_t len)
{
	struct fixture *f = arg;
	Wire__ToServer *message;
	struct arena *arena;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(wire_decode_to_server(bytes, len, arena, &message), 0);
	if (message->body_case == WIRE__TO_SERVER__BODY_HELLO)
		welcome(f);
	else if (message->body_case == WIRE__TO_SERVER__BODY_POLL)
		answer_poll(f, message->poll);
	else if (message->body_case == WIRE__TO_SERVER__BODY_PROOF)
		take_proof(f, message->proof);
	else if (message->body_case == WIRE__TO_SERVER__BODY_UPTIME)
		take_uptime(f, message->uptime);
	else if (message->body_case == WIRE__TO_SERVER__BODY_PROBE_RESULT)
		take_probed(f, message->probe_result);
	arena_free(arena);
}

static void on_open(void *arg, struct http_conn_id conn)
{
	struct fixture *f = arg;

	f->conn = conn;
	challenge(f);
}

static void on_closed(void *arg _unused_, struct http_conn_id conn _unused_, uint16_t code _unused_)
{
}

static const struct ws_handler link_handler = { on_open, on_bytes, on_closed };

/* ---- the worker's proof port ---- */

static void on_bandwidth(void *arg, struct http_conn_id conn, enum ws_kind kind, const void *bytes,
			 size_t len)
{
	uint8_t chunk[BANDWIDTH_CHUNK], encoded[BANDWIDTH_ANSWER_SIZE];
	struct bandwidth_answer answer;
	struct bandwidth_hello hello;
	struct fixture *f = arg;

	if (kind == WS_BINARY && len == BANDWIDTH_HELLO_SIZE) {
		assert_int_equal(bandwidth_hello_decode(bytes, len, &hello), 0);
		assert_true(message_signed_by(
			f->rehearsal->hasher, TAG_HELLO, &f->rehearsal->transcript.session_digest,
			secp_key_address(f->rehearsal->members[0]), bytes, len));
		bandwidth_stream_init(&f->stream, hello.nonce, hello.member);
		for (int i = 0; i < PULLED_CHUNKS; i++) {
			bandwidth_next(&f->stream, chunk);
			chunk[i] ^= f->forges;
			ws_send(f->server, conn, WS_BINARY, chunk, sizeof(chunk));
		}
		if (f->stops)
			ws_send(f->server, conn, WS_TEXT, BANDWIDTH_STOP, strlen(BANDWIDTH_STOP));
	} else if (kind == WS_BINARY) {
		bandwidth_count_add(&f->count, bytes, len);
	} else if (len == strlen(BANDWIDTH_STOP)) {
		ws_send(f->server, conn, WS_TEXT, BANDWIDTH_STOP, strlen(BANDWIDTH_STOP));
	} else {
		bandwidth_count_end(&f->count, &answer);
		answer.bytes += f->miscounts;
		bandwidth_answer_encode(&answer, encoded);
		f->answers++;
		ws_send(f->server, conn, WS_BINARY, encoded, sizeof(encoded));
	}
}

static void on_nothing(void *arg _unused_, struct http_conn_id conn _unused_)
{
}

static const struct ws_handler bandwidth_handler = { on_nothing, on_bandwidth, on_closed };

/* ---- a container ---- */

static const char rental[] = "rnt-00000000000000000000000000";

/* Output of @kind, where %s is the word that was asked for. */
static void put_channel(struct fixture *f, struct http_conn_id conn, char channel, const char *text,
			const char *word)
{
	char bytes[256];
	int len = snprintf(bytes, sizeof(bytes), "%c", channel);
	const char *at = strstr(text, "WORD");

	if (at)
		len += snprintf(bytes + len, sizeof(bytes) - (size_t)len, "%s%s", word, at + 4);
	else
		len += snprintf(bytes + len, sizeof(bytes) - (size_t)len, "%s", text);
	ws_send(f->server, conn, WS_BINARY, bytes, (size_t)len);
}

static void on_exec(void *arg, struct http_conn_id conn, enum ws_kind kind, const void *bytes,
		    size_t len)
{
	struct fixture *f = arg;
	json_t *request = json_loadb(bytes, len, 0, NULL);
	const json_t *command = json_object_get(request, "command");
	const char *word = json_string_value(json_array_get(command, 3));

	assert_int_equal(kind, WS_TEXT);
	assert_string_equal(json_string_value(json_array_get(command, 0)), "sh");
	assert_non_null(word);
	if (f->output)
		put_channel(f, conn, 1, f->output, word);
	if (f->control)
		put_channel(f, conn, 3, f->control, word);
	json_decref(request);
}

static const struct ws_handler exec_handler = { on_nothing, on_exec, on_closed };

static void on_request(void *arg, const struct http_request *request)
{
	const struct ws_handler *to = &exec_handler;
	struct fixture *f = arg;

	if (strcmp(request->path, "/v1/checker") == 0)
		to = &link_handler;
	else if (strcmp(request->path, BANDWIDTH_PATH) == 0)
		to = &bandwidth_handler;
	else
		assert_string_equal(http_request_header(request, "authorization"), "Bearer t0ken");
	http_upgrade(f->server, request->conn, to, f, NULL);
}

/* ---- time ---- */

static void on_late(void *arg)
{
	bool *late = arg;

	*late = true;
}

/* Runs the loop until *@count is @wanted; not for ever. */
static void until(struct fixture *f, const int *count, int wanted)
{
	struct loop_timer *timer;
	bool late = false;

	assert_int_equal(loop_timer_new(f->loop, 60000, 0, on_late, &late, &timer), 0);
	while (__atomic_load_n(count, __ATOMIC_SEQ_CST) < wanted && !late)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_true(*count >= wanted);
}

/* ---- the relay of a session ---- */

static int relay_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct fixture *f = arg;
	const struct transcript *transcript = &f->rehearsal->transcript;
	struct nonces_message message = { .session = transcript->session.id, .k = k };
	struct nonce word = { transcript->session.id, k, UINT32_MAX, { 0 } }, told;
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len;

	nonce_encode(&word, bytes);
	put_proof(f, MESSAGE_NONCE, bytes, NONCE_SIZE);
	until(f, &f->said[MESSAGE_NONCE], k);
	assert_int_equal(nonce_decode(f->bytes[MESSAGE_NONCE], NONCE_SIZE, &told), 0);
	assert_int_equal(told.k, k);
	message.nonces.set = 1;
	memcpy(message.nonces.bytes[0], told.bytes, sizeof(told.bytes));
	len = nonces_encode(&message, bytes);
	assert_int_equal(message_sign(f->rehearsal->hasher, TAG_NONCES, &transcript->session_digest,
				      f->rehearsal->network, bytes, len),
			 0);
	put_proof(f, MESSAGE_NONCES, bytes, len);
	*ret_nonces = message.nonces;
	return 0;
}

static int relay_word(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct fixture *f = arg;
	const char *tag = kind == MESSAGE_FILLED ? TAG_FILLED
			  : kind == MESSAGE_SEAL ? TAG_SEAL
						 : TAG_OPEN;
	uint8_t *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	if (kind != MESSAGE_ROOT)
		assert_int_equal(message_sign(f->rehearsal->hasher, tag,
					      &f->rehearsal->transcript.session_digest,
					      f->rehearsal->machine, copy, len),
				 0);
	put_proof(f, kind, copy, len);
	free(copy);
	return 0;
}

static void summon(struct fixture *f)
{
	struct summons summons = { .session = f->rehearsal->transcript.session,
				   .port = f->proof_port,
				   .bandwidth_ms = 1000 };
	uint8_t bytes[SUMMONS_SIZE_MAX];

	summons.members[0] = f->rehearsal->transcript.members[0];
	snprintf(summons.host, sizeof(summons.host), "127.0.0.1");
	put_proof(f, MESSAGE_SESSION, bytes, summons_encode(&summons, bytes));
	until(f, &f->said[MESSAGE_NCOMMIT], 1);
	put_proof(f, MESSAGE_NCOMMIT, f->bytes[MESSAGE_NCOMMIT], NCOMMIT_SIZE);
}

static void run_session(struct fixture *f)
{
	const struct prover_exchange exchange = { relay_nonces, relay_word, f };
	struct prover_device *device;
	const char *detail;

	summon(f);
	assert_int_equal(prover_cpu_open(1, &device, &detail), 0);
	assert_int_equal(prove(&f->rehearsal->transcript.session, device, &exchange), 0);
	device->ops->close(device);
}

/* ---- life ---- */

static void start(struct fixture *f, int (*twist)(struct finding *finding))
{
	const struct checker_config config = {
		.loop = f->loop,
		.clock = &clock_system,
		.random = &random_system,
		.state = f->state,
		.version = "1.2.3",
		.twist = twist,
	};

	assert_int_equal(checker_new(&config, &f->checker), 0);
	until(f, &f->welcomed, 1);
}

static void register_checker(struct fixture *f)
{
	struct state_config config = { .name = "box", .network = network_of(f) };

	snprintf(config.url, sizeof(config.url), "http://127.0.0.1:%u",
		 http_server_port(f->server));
	assert_int_equal(state_write_config(f->state, &config), 0);
	assert_int_equal(state_write_key(f->state, f->rehearsal->members[0]), 0);
}

static int set_up(void **state)
{
	struct session plan = world_plan(SESSION_HAS_WALK | SESSION_HAS_MATRIX);
	struct fixture *f = calloc(1, sizeof(*f));
	struct http_server_config config;
	const char *detail;

	*state = f;
	log_init(false, LOG_ERROR);
	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-checker-XXXXXX");
	if (!mkdtemp(f->folder) || state_open(f->folder, &f->state) < 0 || loop_new(&f->loop) < 0 ||
	    rehearsal_new(&random_system, 1, &f->rehearsal) < 0 ||
	    rehearsal_begin(f->rehearsal, &plan, &detail) < 0 ||
	    bandwidth_count_init(&f->count) < 0)
		return -1;
	http_server_config_init(&config);
	config.host = "127.0.0.1";
	config.on_request = on_request;
	config.arg = f;
	if (http_server_new(f->loop, &config, &f->server) < 0)
		return -1;
	f->proof_port = http_server_port(f->server);
	register_checker(f);
	return 0;
}

static void on_drained(void *arg)
{
	struct fixture *f = arg;

	loop_stop(f->loop);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	checker_free(f->checker);
	http_server_drain(f->server, 1000, on_drained, f);
	if (loop_run(f->loop) < 0)
		return -1;
	http_server_free(f->server);
	loop_free(f->loop);
	rehearsal_free(f->rehearsal);
	bandwidth_count_done(&f->count);
	state_close(f->state);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

/* ---- tests ---- */

static struct result take_result(struct fixture *f)
{
	uint8_t bytes[COMMITS_SIZE_MAX];
	struct commits commits = { 0 };
	struct reveal reveal;
	struct commit commit;

	until(f, &f->said[MESSAGE_COMMIT], 1);
	assert_int_equal(commit_decode(f->bytes[MESSAGE_COMMIT], COMMIT_SIZE, &commit), 0);
	commits.session = commit.session;
	commits.set = 1u << commit.member;
	commits.commits[commit.member] = commit;
	put_proof(f, MESSAGE_COMMITS, bytes, commits_encode(&commits, bytes));
	until(f, &f->said[MESSAGE_REVEAL], 1);
	assert_int_equal(reveal_decode(f->bytes[MESSAGE_REVEAL], REVEAL_SIZE, &reveal), 0);
	return reveal.result;
}

static void checks_a_worker(void **state)
{
	struct fixture *f = *state;
	struct result result;

	start(f, NULL);
	run_session(f);
	result = take_result(f);
	assert_int_equal(result.bits, PROOF_ALL);
	assert_true(result.fill_us > 0 && result.walk_us > 0 && result.matrix_us > 0);
	assert_true(result.rtt_us > 0);
	assert_int_equal(f->answers, 1);
	assert_true(result.down_kbps > 0 && result.up_kbps > 0);
}

/* Whatever the worker does at its port, the rest of the result comes. */
static void what_is_not_measured_is_zero(void **state)
{
	struct fixture *f = *state;
	struct result result;

	start(f, NULL);
	f->proof_port = 1;
	run_session(f);
	result = take_result(f);
	assert_int_equal(result.bits, PROOF_ALL);
	assert_int_equal(result.down_kbps | result.up_kbps, 0);
}

static void forged_bytes_are_not_counted(void **state)
{
	struct fixture *f = *state;
	struct result result;

	start(f, NULL);
	f->forges = true;
	run_session(f);
	result = take_result(f);
	assert_int_equal(result.down_kbps | result.up_kbps, 0);
}

static void a_wrong_count_is_not_believed(void **state)
{
	struct fixture *f = *state;
	struct result result;

	start(f, NULL);
	f->miscounts = f->stops = true;
	run_session(f);
	result = take_result(f);
	assert_int_equal(f->answers, 1);
	assert_int_equal(result.down_kbps, 0);
	assert_true(result.up_kbps > 0);
}

static int lie(struct finding *finding)
{
	finding->bits ^= PROOF_TILES;
	return 0;
}

static int silences;

static int say_nothing(struct finding *finding _unused_)
{
	__atomic_fetch_add(&silences, 1, __ATOMIC_SEQ_CST);
	return -ECANCELED;
}

static void a_twisted_checker_lies(void **state)
{
	struct fixture *f = *state;

	start(f, lie);
	run_session(f);
	assert_int_equal(take_result(f).bits, PROOF_ALL & ~PROOF_TILES);
}

/* It says nothing about this session, and is there for others. */
static void what_cannot_be_verified_is_left(void **state)
{
	struct session plan = world_plan(SESSION_HAS_WALK);
	struct fixture *f = *state;
	const char *detail;

	start(f, say_nothing);
	f->proof_port = 1; /* nothing of the first session is measured during the second */
	run_session(f);
	until(f, &silences, 1);
	assert_int_equal(rehearsal_begin(f->rehearsal, &plan, &detail), 0);
	f->said[MESSAGE_NCOMMIT] = 0;
	summon(f);
	until(f, &f->polls, f->polls + 3);
	assert_int_equal(f->said[MESSAGE_COMMIT], 0);
}

/* The link breaks in the middle: nothing of the session is left, and the next one is served. */
static void a_broken_link_ends_its_sessions(void **state)
{
	struct fixture *f = *state;

	start(f, NULL);
	summon(f);
	ws_close(f->server, f->conn, 1001, "restart");
	until(f, &f->welcomed, 2);
	f->said[MESSAGE_NCOMMIT] = 0;
	run_session(f);
	assert_int_equal(take_result(f).bits, PROOF_ALL);
}

static void no_more_sessions_than_it_can(void **state)
{
	struct fixture *f = *state;

	start(f, NULL);
	f->proof_port = 1; /* nothing of a session is measured during the next */
	for (int i = 0; i <= SEATS_MAX; i++) {
		struct session plan = world_plan(SESSION_HAS_WALK);
		const char *detail;

		assert_int_equal(rehearsal_begin(f->rehearsal, &plan, &detail), 0);
		f->said[MESSAGE_NCOMMIT] = i < SEATS_MAX ? 0 : 1;
		summon(f);
	}
	/* What was said behind the last call is answered behind it. */
	until(f, &f->polls, f->polls + 3);
	assert_int_equal(f->said[MESSAGE_NCOMMIT], 1);
}

static void watch(struct fixture *f, int64_t hour_ms)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Watch body = WIRE__WATCH__INIT;
	struct address machine = *secp_key_address(f->rehearsal->machine);

	body.every_ms = 100;
	f->hour_ms = hour_ms;
	body.hour_ms = (uint32_t)hour_ms;
	body.machines = (ProtobufCBinaryData){ 20, machine.bytes };
	message.body_case = WIRE__TO_NODE__BODY_WATCH;
	message.watch = &body;
	put(f, &message);
}

static void watches_and_counts_on(void **state)
{
	struct fixture *f = *state;
	unsigned int answered;

	start(f, NULL);
	watch(f, 3600000);
	until(f, &f->polls, 5); /* the first of which does not count */
	checker_stop(f->checker);
	until(f, &f->uptimes, 1);
	answered = f->uptime.answered;
	assert_in_range(answered, 3, f->polls);
	/* What it counted is there when it runs again. */
	checker_free(f->checker);
	f->welcomed = 0;
	start(f, NULL);
	watch(f, 3600000);
	until(f, &f->polls, f->polls + 4);
	f->uptimes = 0;
	checker_stop(f->checker);
	until(f, &f->uptimes, 1);
	assert_true(f->uptime.answered > answered);
}

static void put_number(uint8_t *to, uint64_t number, size_t len)
{
	for (size_t i = len; i > 0; i--, number >>= 8)
		to[i - 1] = (uint8_t)number;
}

/* With hours of a second: one that was heard is not said again, whatever else is. */
static void forgets_what_was_heard(void **state)
{
	struct address machine;
	struct fixture *f = *state;
	uint8_t report[WIRE_HEARD_SIZE];
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Heard body = WIRE__HEARD__INIT;

	start(f, NULL);
	watch(f, 1000);
	until(f, &f->uptimes, 1);
	machine = *secp_key_address(f->rehearsal->machine);
	memcpy(report, machine.bytes, 20);
	put_number(report + 20, (uint64_t)f->uptime.hour, 8);
	put_number(report + 28, f->uptime.polls, 4);
	body.reports = (ProtobufCBinaryData){ sizeof(report), report };
	message.body_case = WIRE__TO_NODE__BODY_HEARD;
	message.heard = &body;
	put(f, &message);
	f->heard = f->uptime.hour;
	until(f, &f->uptimes, f->uptimes + 2);
	checker_stop(f->checker);
	until(f, &f->uptimes, f->uptimes + 1);
	assert_int_equal(f->again, 0);
}

static void probe(struct fixture *f, const char *output, const char *control)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Probe body = WIRE__PROBE__INIT;
	uint8_t id[16] = { 7 };

	f->output = output;
	f->control = control;
	f->probed = 0;
	body.probe = (ProtobufCBinaryData){ sizeof(id), id };
	body.rental = (char *)rental;
	body.token = (char *)"t0ken";
	body.gpus = 2;
	body.timeout_ms = 1000;
	message.body_case = WIRE__TO_NODE__BODY_PROBE;
	message.probe = &body;
	put(f, &message);
	until(f, &f->probed, 1);
}

static void behaves_as_a_user(void **state)
{
	struct fixture *f = *state;

	start(f, NULL);
	probe(f, "WORD 2\n", "{\"exit_code\":0}");
	assert_true(f->passed);
	assert_int_equal(f->gpus, 2);
	probe(f, "WORD 1\n", "{\"exit_code\":0}");
	assert_false(f->passed);
	assert_string_equal(f->detail, "1 GPUs where 2 were rented");
	/* A word of its own, a failed command, no shell, and silence. */
	probe(f, "0123456789abcdef0123456789abcdef 2\n", "{\"exit_code\":0}");
	assert_false(f->passed);
	probe(f, "WORD 2\n", "{\"exit_code\":1}");
	assert_false(f->passed);
	probe(f, NULL, "{\"error\":\"no shell\"}");
	assert_false(f->passed);
	assert_string_equal(f->detail, "no shell");
	probe(f, "WORD 2\n", NULL);
	assert_false(f->passed);
	assert_non_null(strstr(f->detail, "in time"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(checks_a_worker),
		TEST(what_is_not_measured_is_zero),
		TEST(forged_bytes_are_not_counted),
		TEST(a_wrong_count_is_not_believed),
		TEST(a_twisted_checker_lies),
		TEST(what_cannot_be_verified_is_left),
		TEST(a_broken_link_ends_its_sessions),
		TEST(no_more_sessions_than_it_can),
		TEST(watches_and_counts_on),
		TEST(forgets_what_was_heard),
		TEST(behaves_as_a_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

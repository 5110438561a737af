#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>
#include <uv.h>

#include "agent/agent.h"
#include "base/log.h"
#include "io/http_server.h"
#include "io/loop.h"
#include "popw/rehearsal.h"
#include "popw/summons.h"
#include "wire/sign.h"
#include "wire/wire.h"

/* The agent as it is, its network one rehearsal behind a real socket, its engine away. Its prover is the
 * program that runs: main() hands that over to kaisar. */
struct fixture {
	char folder[64], url[64];
	struct loop *loop;
	struct http_server *server;
	struct http_conn_id conn;
	struct rehearsal *rehearsal;
	struct state *state;
	struct agent *agent;
	struct random_seeded random;
	int inventories, polls, said, opens, ends;
	uint32_t proof_port;
	char reason[32];
};

static const uint8_t zeros[32];

/* ---- the control plane ---- */

static void put(struct fixture *f, const Wire__ToNode *message)
{
	struct arena *arena;
	const void *bytes;
	size_t len;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(wire_encode_to_node(message, arena, &bytes, &len), 0);
	ws_send(f->server, f->conn, WS_BINARY, bytes, len);
	arena_free(arena);
}

static void put_challenge(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Challenge body = WIRE__CHALLENGE__INIT;

	body.nonce = (ProtobufCBinaryData){ sizeof(zeros), (uint8_t *)zeros };
	body.network = (ProtobufCBinaryData){
		20, (uint8_t *)secp_key_address(f->rehearsal->network)->bytes
	};
	message.body_case = WIRE__TO_NODE__BODY_CHALLENGE;
	message.challenge = &body;
	put(f, &message);
}

static void put_welcome(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Welcome body = WIRE__WELCOME__INIT;

	message.body_case = WIRE__TO_NODE__BODY_WELCOME;
	message.welcome = &body;
	put(f, &message);
}

static void put_poll(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Poll body = WIRE__POLL__INIT;

	body.machine = (ProtobufCBinaryData){
		20, (uint8_t *)secp_key_address(f->rehearsal->machine)->bytes
	};
	body.checker = (ProtobufCBinaryData){ 20, (uint8_t *)zeros };
	body.nonce = (ProtobufCBinaryData){ 16, (uint8_t *)zeros };
	message.body_case = WIRE__TO_NODE__BODY_POLL;
	message.poll = &body;
	put(f, &message);
}

static void put_proof(struct fixture *f, enum message_kind kind, const void *bytes, size_t len)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Proof body = WIRE__PROOF__INIT;

	body.session = (ProtobufCBinaryData){ 16, f->rehearsal->transcript.session.id.bytes };
	body.kind = kind;
	body.body = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
	message.body_case = WIRE__TO_NODE__BODY_PROOF;
	message.proof = &body;
	put(f, &message);
}

static void put_nonces(struct fixture *f, uint8_t k)
{
	const struct nonces_message *message;
	uint8_t bytes[NONCES_SIZE_MAX];

	assert_int_equal(rehearsal_nonces(f->rehearsal, k, &message), 0);
	put_proof(f, MESSAGE_NONCES, bytes, nonces_encode(message, bytes));
}

static void put_session(struct fixture *f, uint8_t kind)
{
	const struct session plan = {
		.kind = kind,
		.device = SESSION_HOST,
		.flags = SESSION_HAS_MATRIX,
		.work = { .k = 192, .n = 64, .m = 128, .rounds = 2, .open_tiles = 16 },
		.matrix_ms = 60000,
	};
	struct summons summons = { 0 };
	uint8_t bytes[SUMMONS_SIZE_MAX];

	assert_int_equal(rehearsal_begin(f->rehearsal, &plan, NULL), 0);
	summons.session = f->rehearsal->transcript.session;
	memcpy(summons.members, f->rehearsal->transcript.members, sizeof(summons.members));
	put_proof(f, MESSAGE_SESSION, bytes, summons_encode(&summons, bytes));
	put_nonces(f, NONCE_MATRIX);
}

static void put_desired(struct fixture *f)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Container container = WIRE__CONTAINER__INIT;
	Wire__Desired body = WIRE__DESIRED__INIT;
	Wire__Lease lease = WIRE__LEASE__INIT, *leases[] = { &lease };

	container.image = (char *)"localhost/kaisar/demo:1";
	lease.lease = lease.rental = (ProtobufCBinaryData){ 16, (uint8_t *)zeros };
	lease.generation = body.generation = 1;
	lease.want = WIRE__WANT__WANT_RUN;
	lease.container = &container;
	body.leases = leases;
	body.n_leases = 1;
	message.body_case = WIRE__TO_NODE__BODY_DESIRED;
	message.desired = &body;
	put(f, &message);
}

static void check_answer(struct fixture *f, const Wire__PollAnswer *answer)
{
	struct poll_statement statement = { .network = *secp_key_address(f->rehearsal->network) };
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	statement.machine.address = *secp_key_address(f->rehearsal->machine);
	poll_digest(&statement, digest);
	assert_int_equal(secp_recover(digest, answer->signature.data, &signer), 0);
	assert_true(address_equal(&signer, &statement.machine.address));
	f->polls++;
}

static void hear(struct fixture *f, const Wire__Proof *proof)
{
	assert_int_equal(
		rehearsal_hear(f->rehearsal, proof->kind, proof->body.data, proof->body.len), 0);
	f->said++;
	f->opens += proof->kind == MESSAGE_OPEN;
	if (proof->kind == MESSAGE_SEAL)
		put_nonces(f, NONCE_OPEN);
}

static void take(struct fixture *f, const Wire__ToServer *message)
{
	switch (message->body_case) {
	case WIRE__TO_SERVER__BODY_HELLO:
		put_welcome(f);
		break;
	case WIRE__TO_SERVER__BODY_INVENTORY:
		f->inventories++;
		f->proof_port = message->inventory->proof_port;
		break;
	case WIRE__TO_SERVER__BODY_POLL_ANSWER:
		check_answer(f, message->poll_answer);
		break;
	case WIRE__TO_SERVER__BODY_PROOF:
		hear(f, message->proof);
		break;
	case WIRE__TO_SERVER__BODY_PROOF_END:
		f->ends++;
		snprintf(f->reason, sizeof(f->reason), "%s", message->proof_end->reason);
		break;
	default:
		break;
	}
}

static void on_open(void *arg, struct http_conn_id conn)
{
	struct fixture *f = arg;

	f->conn = conn;
	put_challenge(f);
}

static void on_bytes(void *arg, struct http_conn_id conn _unused_, enum ws_kind kind _unused_,
		     const void *bytes, size_t len)
{
	struct fixture *f = arg;
	Wire__ToServer *message;
	struct arena *arena;

	assert_int_equal(arena_new(4 << 20, &arena), 0);
	assert_int_equal(wire_decode_to_server(bytes, len, arena, &message), 0);
	take(f, message);
	arena_free(arena);
}

static void on_closed(void *arg _unused_, struct http_conn_id conn _unused_, uint16_t code _unused_)
{
}

static const struct ws_handler handler = { on_open, on_bytes, on_closed };

static void on_request(void *arg, const struct http_request *request)
{
	struct fixture *f = arg;

	http_upgrade(f->server, request->conn, &handler, f, NULL);
}

/* ---- the machine ---- */

static int join(struct fixture *f)
{
	struct state_config joined = { .network = *secp_key_address(f->rehearsal->network) };
	int r;

	snprintf(joined.url, sizeof(joined.url), "http://127.0.0.1:%u",
		 http_server_port(f->server));
	snprintf(joined.name, sizeof(joined.name), "test");
	r = state_write_config(f->state, &joined);
	return r < 0 ? r : state_write_key(f->state, f->rehearsal->machine);
}

static int start(struct fixture *f)
{
	const struct agent_config config = {
		.loop = f->loop,
		.clock = &clock_system,
		.random = &f->random.random,
		.state = f->state,
		.folder = f->folder,
		.socket = "/nonexistent/engine.sock",
		.cdi_folder = f->folder,
		.version = "1",
		.gpu_backend = "cpu",
		.proof_host = "127.0.0.1",
		.address = "127.0.0.1",
	};

	return agent_new(&config, &f->agent);
}

static int serve(struct fixture *f)
{
	struct http_server_config config;

	http_server_config_init(&config);
	config.host = "127.0.0.1";
	config.on_request = on_request;
	config.arg = f;
	return http_server_new(f->loop, &config, &f->server);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	log_init(false, LOG_ERROR + 1);
	random_seeded_init(&f->random, 11);
	snprintf(f->folder, sizeof(f->folder), "/tmp/kaisar-agent-XXXXXX");
	if (!mkdtemp(f->folder) || loop_new(&f->loop) < 0 ||
	    rehearsal_new(&f->random.random, 3, &f->rehearsal) < 0 ||
	    state_open(f->folder, &f->state) < 0 || serve(f) < 0 || join(f) < 0)
		return -1;
	return start(f);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char command[96];

	loop_stop(f->loop);
	if (loop_run(f->loop) < 0)
		return -1;
	agent_free(f->agent);
	http_server_free(f->server);
	loop_free(f->loop);
	state_close(f->state);
	rehearsal_free(f->rehearsal);
	snprintf(command, sizeof(command), "rm -r '%s'", f->folder);
	free(f);
	return system(command);
}

static void on_tick(void *arg)
{
	int *left = arg;

	--*left;
}

static void until(struct fixture *f, const int *count)
{
	struct loop_timer *timer;
	int left = 4000;

	assert_int_equal(loop_timer_new(f->loop, 5, 5, on_tick, &left, &timer), 0);
	while (*count == 0 && left > 0)
		uv_run(loop_uv(f->loop), UV_RUN_ONCE);
	loop_timer_free(timer);
	assert_int_not_equal(*count, 0);
}

/* ---- what it does for proofs ---- */

static void it_tells_its_proof_port(void **state)
{
	struct fixture *f = *state;

	until(f, &f->inventories);
	assert_int_not_equal(f->proof_port, 0);
}

static void it_answers_polls(void **state)
{
	struct fixture *f = *state;

	until(f, &f->inventories);
	put_poll(f);
	until(f, &f->polls);
}

static void it_proves(void **state)
{
	struct fixture *f = *state;

	until(f, &f->inventories);
	put_session(f, SESSION_STANDBY);
	until(f, &f->opens);
	assert_int_equal(f->said, 4);
	assert_int_equal(f->ends, 0);
}

static void a_rental_wins_over_a_check(void **state)
{
	struct fixture *f = *state;

	until(f, &f->inventories);
	put_session(f, SESSION_STANDBY);
	put_desired(f);
	until(f, &f->ends);
	assert_string_equal(f->reason, WIRE_PROOF_YIELDED);
	f->ends = 0;
	put_session(f, SESSION_STANDBY);
	until(f, &f->ends);
	assert_string_equal(f->reason, WIRE_PROOF_YIELDED);
}

static void a_rented_machine_is_checked_beside(void **state)
{
	struct fixture *f = *state;

	until(f, &f->inventories);
	put_session(f, SESSION_RENTED);
	put_desired(f);
	until(f, &f->opens);
	assert_int_equal(f->ends, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(it_tells_its_proof_port),
		TEST(it_answers_polls),
		TEST(it_proves),
		TEST(a_rental_wins_over_a_check),
		TEST(a_rented_machine_is_checked_beside),
	};

	if (argc > 1 && strcmp(argv[1], "popw") == 0) {
		execv(getenv("KAISAR_BIN"), argv);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

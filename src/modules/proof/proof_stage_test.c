#include "modules/proof/proof_stage.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "checker/member.h"
#include "io/loop.h"
#include "io/migrate.h"
#include "modules/billing/billing.h"
#include "modules/logging/logging.h"
#include "modules/logging/logging.h"
#include "modules/proof/appeals.h"
#include "modules/proof/proof.h"
#include "modules/proof/schedule.h"
#include "modules/proof/settle.h"
#include "modules/worker/reports.h"
#include "modules/worker/worker_store.h"
#include "security/secp.h"

enum { AT_ONCE = 16, TICK_MS = 20, PATIENCE = 6000, ARENA_BYTES = 16 << 20 };

/* ---- nodes; on the loop ---- */

struct part { /* of a checker, in one session */
	struct node *node;
	struct proof_id session;
	struct member *member;
};

struct node {
	size_t index;
	struct secp_key *key;
	struct part parts[AT_ONCE];
};

struct work { /* of the machine, in one session */
	struct proof_id session;
	struct phantom *phantom;
};

static struct stage *stage;
static struct node nodes[CHECKERS];
static struct work works[AT_ONCE];
static struct checker_listener checkers;
static struct worker_proof_listener workers;
static struct verifier *verifier;
static struct hasher *hasher;
static pthread_t thread;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* the marks */

struct letter { /* on its way to a node, or from one */
	size_t node; /* CHECKERS: the machine; behind it the crowd */
	int body; /* as Wire__ToNode counts */
	struct proof_id session;
	uint32_t kind;
	uint8_t nonce[16], signature[SIGNATURE_SIZE];
	struct address checker;
	size_t len;
	uint8_t bytes[];
};

static struct letter *letter_new(size_t node, int body, const void *bytes, size_t len)
{
	struct letter *letter = calloc(1, sizeof(*letter) + len + 1);

	assert_non_null(letter);
	letter->node = node;
	letter->body = body;
	letter->len = len;
	if (len)
		memcpy(letter->bytes, bytes, len);
	return letter;
}

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)bytes };
}

static struct address *address_of(size_t node)
{
	return (struct address *)(uintptr_t)secp_key_address(nodes[node].key);
}

static struct machine_id machine_of(size_t node)
{
	return node == CHECKERS ? stage->machine : stage->crowd[node - CHECKERS - 1];
}

/* Behind the last one if it is none of ours. */
static size_t node_of_machine(struct machine_id machine)
{
	size_t node = CHECKERS;

	while (node <= CHECKERS + stage->n_crowd && !machine_equal(machine_of(node), machine))
		node++;
	return node;
}

static bool is_ours(struct machine_id machine)
{
	return node_of_machine(machine) <= CHECKERS + stage->n_crowd;
}

/* Says it to the control plane as it would come over a link. */
static void say_proof(size_t node, struct proof_id session, uint32_t kind, const void *bytes,
		      size_t len)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Proof proof = WIRE__PROOF__INIT;

	proof.session = data_of(session.bytes, 16);
	proof.kind = kind;
	proof.body = data_of(bytes, len);
	message.body_case = WIRE__TO_SERVER__BODY_PROOF;
	message.proof = &proof;
	if (node >= CHECKERS)
		workers.on_message(workers.arg, machine_of(node), &message);
	else
		checkers.on_message(checkers.arg, address_of(node), &message);
}

/* ---- a checker ---- */

static int64_t member_now(void *arg _unused_)
{
	return clock_mono_ms(&clock_system) * 1000;
}

static int member_send(void *arg, const struct member *member _unused_, enum message_kind kind,
		       const uint8_t *bytes, size_t len)
{
	struct part *part = arg;

	if (stage->manners[part->node->index] != MUTE)
		say_proof(part->node->index, part->session, kind, bytes, len);
	return 0;
}

static int member_poll(void *arg, const struct member *member _unused_,
		       const struct poll_nonce *nonce)
{
	struct part *part = arg;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Poll poll = WIRE__POLL__INIT;

	poll.machine = data_of(stage->machine.address.bytes, 20);
	poll.nonce = data_of(nonce->bytes, sizeof(nonce->bytes));
	message.body_case = WIRE__TO_SERVER__BODY_POLL;
	message.poll = &poll;
	checkers.on_message(checkers.arg, address_of(part->node->index), &message);
	return 0;
}

struct verified {
	struct part *part;
	struct proof_id session;
	uint16_t bits;
	struct hash hash;
};

static void on_verified(void *arg)
{
	struct verified *verified = arg;

	if (verified->part->member && proof_id_equal(verified->part->session, verified->session))
		member_verified(verified->part->member, verified->bits, &verified->hash);
	free(verified);
}

static int member_verify(void *arg, const struct member *member _unused_, const uint8_t *bytes,
			 size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct verified *verified = calloc(1, sizeof(*verified));
	struct transcript transcript;
	struct finding finding;

	assert_non_null(verified);
	verified->part = arg;
	verified->session = verified->part->session;
	assert_int_equal(arena_new(ARENA_BYTES, &arena), 0);
	assert_int_equal(transcript_decode(hasher, bytes, len, arena, &transcript, NULL), 0);
	verify(verifier, &transcript, &finding);
	hasher_once(hasher, bytes, len, &verified->hash);
	verified->bits = finding.bits;
	if (stage->manners[verified->part->node->index] == LYING)
		verified->bits ^= PROOF_TILES;
	return loop_post(stage->context.loop, on_verified, verified);
}

static void on_measured(void *arg)
{
	struct verified *measured = arg;

	if (measured->part->member && proof_id_equal(measured->part->session, measured->session))
		member_measured(measured->part->member, stage->kbps, stage->kbps);
	free(measured);
}

static int member_measure(void *arg, const struct member *member _unused_)
{
	struct verified *measured;

	if (stage->kbps == 0)
		return -ENOTSUP;
	measured = calloc(1, sizeof(*measured));
	assert_non_null(measured);
	measured->part = arg;
	measured->session = measured->part->session;
	return loop_post(stage->context.loop, on_measured, measured);
}

static void on_poll_answer(const struct letter *letter);

static void join_session(struct node *node, const struct letter *letter)
{
	struct member_config config = {
		.network = stage->settings.network,
		.key = node->key,
		.random = &random_system,
		.ops = { member_now, member_send, member_poll, member_verify, member_measure,
			 NULL },
	};
	struct part *part = node->parts;
	const char *detail = "";

	while (part->member)
		part++;
	assert_true(part < node->parts + AT_ONCE);
	part->node = node;
	part->session = letter->session;
	config.ops.arg = part;
	if (member_new(&config, letter->bytes, letter->len, &part->member, &detail) != 0)
		fail_msg("the member refused: %s", detail);
}

static void to_checker(struct node *node, const struct letter *letter)
{
	struct poll_nonce nonce;

	if (letter->body == WIRE__TO_NODE__BODY_POLL_ANSWER)
		on_poll_answer(letter);
	if (letter->kind == MESSAGE_SESSION && letter->body == WIRE__TO_NODE__BODY_PROOF)
		join_session(node, letter);
	for (struct part *part = node->parts; part < node->parts + AT_ONCE; part++) {
		if (!part->member)
			continue;
		if (letter->body == WIRE__TO_NODE__BODY_POLL_ANSWER) {
			memcpy(nonce.bytes, letter->nonce, sizeof(nonce.bytes));
			member_answered(part->member, &nonce, letter->signature);
		} else if (!proof_id_equal(part->session, letter->session)) {
			continue;
		} else if (letter->body == WIRE__TO_NODE__BODY_PROOF_END) {
			member_free(part->member);
			part->member = NULL;
		} else if (letter->kind != MESSAGE_SESSION) {
			member_take(part->member, (enum message_kind)letter->kind, letter->bytes,
				    letter->len);
		}
	}
}

/* ---- the machine ---- */

static void on_said(void *arg)
{
	struct letter *letter = arg;

	assert_int_not_equal(letter->kind, MESSAGE_SESSION); /* the prover failed */
	say_proof(CHECKERS, letter->session, letter->kind, letter->bytes, letter->len);
	free(letter);
}

/* On the prover's thread. */
static void prover_says(void *arg, enum message_kind kind, const void *bytes, size_t len)
{
	struct work *work = arg;
	struct letter *letter = letter_new(CHECKERS, WIRE__TO_NODE__BODY_PROOF, bytes, len);

	letter->session = work->session;
	letter->kind = kind;
	if (loop_post(stage->context.loop, on_said, letter) < 0)
		free(letter);
}

static void refuse(const struct letter *letter)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__ProofEnd end = WIRE__PROOF_END__INIT;
	char detail[WIRE_TEXT_MAX + 1] = { 0 };

	for (size_t i = 0; i < WIRE_TEXT_MAX; i += strlen(STAGE_DETAIL))
		memcpy(detail + i, STAGE_DETAIL, strlen(STAGE_DETAIL));
	end.session = data_of(letter->session.bytes, 16);
	end.reason = (char *)(uintptr_t)stage->refusal;
	end.detail = detail;
	message.body_case = WIRE__TO_SERVER__BODY_PROOF_END;
	message.proof_end = &end;
	workers.on_message(workers.arg, stage->machine, &message);
}

static void work_begin(const struct letter *letter)
{
	uint8_t secret[SECP_SECRET_SIZE];
	struct secp_key *key;
	struct summons summons;
	struct work *work = works;
	struct phantom_mouth mouth;

	assert_int_equal(summons_decode(hasher, letter->bytes, letter->len, &summons, NULL), 0);
	secp_key_secret(stage->machine_key, secret);
	assert_int_equal(secp_key_from_secret(secret, &key), 0);
	while (work->phantom)
		work++;
	assert_true(work < works + AT_ONCE);
	work->session = letter->session;
	mouth = (struct phantom_mouth){ prover_says, work };
	assert_int_equal(phantom_new(&summons.session, key, stage->flaw, &mouth, &work->phantom),
			 0);
}

static void answer_poll(const struct letter *letter)
{
	struct poll_statement statement = { .network = stage->settings.network,
					    .machine = stage->machine,
					    .checker = letter->checker };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__PollAnswer answer = WIRE__POLL_ANSWER__INIT;

	memcpy(statement.nonce, letter->nonce, sizeof(statement.nonce));
	poll_digest(&statement, digest);
	assert_int_equal(secp_sign(stage->machine_key, digest, signature), 0);
	answer.machine = data_of(stage->machine.address.bytes, 20);
	answer.checker = data_of(letter->checker.bytes, 20);
	answer.nonce = data_of(letter->nonce, 16);
	answer.signature = data_of(signature, sizeof(signature));
	message.body_case = WIRE__TO_SERVER__BODY_POLL_ANSWER;
	message.poll_answer = &answer;
	workers.on_message(workers.arg, stage->machine, &message);
}

/* For GPUs that are too large to be played: FILLED, without having done it. */
static void pretend(const struct letter *letter)
{
	struct filled filled = { .session = letter->session, .tag = 1 };
	uint8_t bytes[FILLED_SIZE];
	struct nonces_message message;

	if (letter->kind != MESSAGE_NONCES ||
	    nonces_decode(letter->bytes, letter->len, &message) != 0)
		return;
	stage->walks += message.k == NONCE_WALK;
	if (message.k != NONCE_FILL || stage->fills == 0)
		return;
	stage->fills--;
	filled.set = message.nonces.set;
	filled_encode(&filled, bytes);
	say_proof(letter->node, letter->session, MESSAGE_FILLED, bytes, sizeof(bytes));
}

/* Whether it goes at this letter, rather than do what is asked. */
static bool leaves(const struct letter *letter)
{
	const uint8_t k_at = 16; /* behind the session's id */

	if (letter->body != WIRE__TO_NODE__BODY_PROOF)
		return false;
	if (stage->refusal &&
	    letter->kind == (stage->refuses_late ? MESSAGE_NONCES : MESSAGE_SESSION))
		refuse(letter);
	else if (stage->leaves_at_opening && letter->kind == MESSAGE_NONCES &&
		 letter->bytes[k_at] == NONCE_OPEN)
		workers.on_down(workers.arg, stage->machine);
	else
		return stage->refusal != NULL;
	return true;
}

static void to_machine(const struct letter *letter)
{
	if (letter->node == CHECKERS && leaves(letter))
		return;
	if (stage->pretends && letter->body == WIRE__TO_NODE__BODY_PROOF) {
		pretend(letter);
		return;
	}
	if (letter->node > CHECKERS)
		return;
	if (letter->body == WIRE__TO_NODE__BODY_POLL) {
		answer_poll(letter);
	} else if (letter->body == WIRE__TO_NODE__BODY_PROOF && letter->kind == MESSAGE_SESSION) {
		work_begin(letter);
	} else {
		for (struct work *work = works; work < works + AT_ONCE; work++) {
			if (!work->phantom || !proof_id_equal(work->session, letter->session))
				continue;
			phantom_hear(work->phantom, (enum message_kind)letter->kind, letter->bytes,
				     letter->len);
			if (letter->body == WIRE__TO_NODE__BODY_PROOF_END) {
				phantom_free(work->phantom);
				work->phantom = NULL;
			}
		}
	}
}

/* ---- polls by the watch ---- */

static struct watching {
	bool watched[CHECKERS]; /* was told to poll the machine */
	bool answered; /* the last poll */
	uint8_t nonce[16];
} watching;

static void on_poll_answer(const struct letter *letter)
{
	pthread_mutex_lock(&mutex);
	if (memcmp(letter->nonce, watching.nonce, sizeof(watching.nonce)) == 0)
		watching.answered = true;
	pthread_mutex_unlock(&mutex);
}

struct asking {
	struct address checker;
	struct proof_uptime uptime;
};

static void do_poll(void *arg)
{
	struct asking *asking = arg;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Poll poll = WIRE__POLL__INIT;

	poll.machine = data_of(stage->machine.address.bytes, 20);
	poll.nonce = data_of(watching.nonce, sizeof(watching.nonce));
	message.body_case = WIRE__TO_SERVER__BODY_POLL;
	message.poll = &poll;
	checkers.on_message(checkers.arg, &asking->checker, &message);
	free(asking);
}

static void do_report(void *arg)
{
	struct asking *asking = arg;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Uptime uptime = WIRE__UPTIME__INIT;
	uint8_t away[SPANS_BYTES_MAX];

	uptime.machine = data_of(stage->machine.address.bytes, 20);
	uptime.hour = asking->uptime.hour;
	uptime.polls = (uint32_t)asking->uptime.polls;
	uptime.answered = (uint32_t)asking->uptime.answered;
	uptime.signature = data_of(asking->uptime.signature, SIGNATURE_SIZE);
	uptime.away = data_of(away, spans_encode(&asking->uptime.away, away));
	message.body_case = WIRE__TO_SERVER__BODY_UPTIME;
	message.uptime = &uptime;
	checkers.on_message(checkers.arg, &asking->checker, &message);
	free(asking);
}

static size_t watcher(void)
{
	size_t i = 0;

	while (i < CHECKERS && !watching.watched[i])
		i++;
	assert_true(i < CHECKERS);
	return i;
}

static bool poll_as(const struct address *checker)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	bool answered = false;

	assert_non_null(asking);
	asking->checker = *checker;
	assert_int_equal(random_fill(&random_system, watching.nonce, 16), 0);
	watching.answered = false;
	assert_int_equal(loop_post(stage->context.loop, do_poll, asking), 0);
	for (int i = 0; i < 50 && !answered; i++) {
		usleep(10000);
		pthread_mutex_lock(&mutex);
		answered = watching.answered;
		pthread_mutex_unlock(&mutex);
	}
	return answered;
}

bool stage_poll(struct stage *of _unused_)
{
	return poll_as(address_of(watcher()));
}

bool stage_poll_by_stranger(struct stage *of _unused_)
{
	static const struct address stranger = { { 0x5a } };

	return poll_as(&stranger);
}

static void settled(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

static void report(struct stage *of, const struct secp_key *key, int64_t hour, uint32_t polls,
		   uint32_t answered)
{
	struct asking *asking = calloc(1, sizeof(*asking));
	struct uptime_statement statement = {
		.network = of->settings.network,
		.machine = of->machine,
		.checker = *address_of(watcher()),
		.hour_ms = of->settings.watch_hour_ms,
		.hour = hour,
		.polls = polls,
		.answered = answered,
		.away = { .items = { { 3, 5 } }, .n = answered < polls },
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	atomic_bool done = false;

	assert_non_null(asking);
	asking->checker = statement.checker;
	asking->uptime.hour = hour;
	asking->uptime.polls = polls;
	asking->uptime.answered = answered;
	asking->uptime.away = statement.away;
	uptime_digest(&statement, digest);
	assert_int_equal(secp_sign(key, digest, asking->uptime.signature), 0);
	assert_int_equal(loop_post(of->context.loop, do_report, asking), 0);
	assert_int_equal(loop_post(of->context.loop, settled, &done), 0);
	for (int i = 0; i < 500 && !done; i++)
		usleep(10000);
	assert_true(done);
}

void stage_report(struct stage *of, int64_t hour, uint32_t polls, uint32_t answered)
{
	report(of, nodes[watcher()].key, hour, polls, answered);
}

void stage_report_forged(struct stage *of, int64_t hour)
{
	report(of, nodes[(watcher() + 1) % CHECKERS].key, hour, 40, 40);
}

/* ---- what the module sends ---- */

static void on_letter(void *arg)
{
	struct letter *letter = arg;

	if (letter->node >= CHECKERS)
		to_machine(letter);
	else
		to_checker(&nodes[letter->node], letter);
	free(letter);
}

static int post(size_t node, const Wire__ToNode *message)
{
	struct letter *letter;
	bool proof = message->body_case == WIRE__TO_NODE__BODY_PROOF;

	letter = letter_new(node, message->body_case, proof ? message->proof->body.data : NULL,
			    proof ? message->proof->body.len : 0);
	if (proof) {
		letter->kind = message->proof->kind;
		memcpy(letter->session.bytes, message->proof->session.data, 16);
	} else if (message->body_case == WIRE__TO_NODE__BODY_PROOF_END) {
		memcpy(letter->session.bytes, message->proof_end->session.data, 16);
	} else if (message->body_case == WIRE__TO_NODE__BODY_WATCH) {
		if (message->watch->machines.len / 20 > stage->most_watched)
			stage->most_watched = message->watch->machines.len / 20;
		watching.watched[node] = message->watch->machines.len == 20 &&
					 memcmp(message->watch->machines.data,
						stage->machine.address.bytes, 20) == 0;
	} else if (message->body_case == WIRE__TO_NODE__BODY_HEARD) {
		stage->heard += message->heard->reports.len / WIRE_HEARD_SIZE;
	} else if (message->body_case == WIRE__TO_NODE__BODY_POLL) {
		memcpy(letter->nonce, message->poll->nonce.data, 16);
		memcpy(letter->checker.bytes, message->poll->checker.data, 20);
	} else if (message->body_case == WIRE__TO_NODE__BODY_POLL_ANSWER) {
		memcpy(letter->nonce, message->poll_answer->nonce.data, 16);
		memcpy(letter->signature, message->poll_answer->signature.data, SIGNATURE_SIZE);
	}
	if (loop_post(stage->context.loop, on_letter, letter) < 0)
		free(letter);
	return 0;
}

/* ---- the neighbours' faces, played ---- */

static size_t node_of(const struct address *checker)
{
	size_t i = 0;

	while (i < CHECKERS && !address_equal(address_of(i), checker))
		i++;
	return i;
}

int worker_proof_send(struct machine_id machine, const Wire__ToNode *message)
{
	return is_ours(machine) ? post(node_of_machine(machine), message) : -ENOTCONN;
}

bool worker_linked(struct machine_id machine)
{
	return is_ours(machine);
}

void worker_proof_listen(const struct worker_proof_listener *listener)
{
	workers = *listener;
}

int checker_send(const struct address *checker, const Wire__ToNode *message)
{
	return post(node_of(checker), message);
}

void checker_occupy(const struct address *checker _unused_, int by _unused_)
{
}

void checker_listen(const struct checker_listener *listener)
{
	checkers = *listener;
}

static int by_checker(const void *a, const void *b)
{
	const struct checker_member *x = a, *y = b;

	return memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

int checker_eligible(const struct context *context _unused_, struct tx *tx,
		     struct checker_member **ret_members, size_t *ret_n)
{
	struct checker_member *list = arena_array(tx_arena(tx), CHECKERS, sizeof(*list));

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < CHECKERS; i++)
		list[i] = (struct checker_member){ *address_of(i), stage->checkers_owner, 1 };
	qsort(list, CHECKERS, sizeof(*list), by_checker);
	*ret_members = list;
	*ret_n = CHECKERS;
	return 0;
}

int checker_marked(const struct context *context _unused_, struct tx *tx _unused_,
		   const struct address *checker, const uint8_t session[static 16] _unused_,
		   enum checker_mark mark, bool planted, int64_t at_ms _unused_)
{
	pthread_mutex_lock(&mutex);
	stage->marks[node_of(checker)][mark]++;
	stage->planted_marks += planted;
	pthread_mutex_unlock(&mutex);
	return 0;
}

int checker_cleared(const struct context *context _unused_, struct tx *tx _unused_,
		    const struct address *checker _unused_,
		    const uint8_t session[static 16] _unused_)
{
	stage->cleared++;
	return 0;
}

/* ---- the stage ---- */

static void tick(void *arg _unused_)
{
	for (size_t i = 0; i < CHECKERS; i++)
		for (size_t p = 0; p < AT_ONCE; p++)
			if (nodes[i].parts[p].member)
				member_tick(nodes[i].parts[p].member);
}

static void *run_loop(void *arg)
{
	struct loop_timer *timer;

	assert_int_equal(loop_timer_new(arg, TICK_MS, TICK_MS, tick, NULL, &timer), 0);
	assert_int_equal(loop_run(arg), 0);
	return NULL;
}

static int tx_join(struct tx *tx, void *arg _unused_)
{
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	int r;

	inventory.cpu_count = 4;
	inventory.memory_bytes = 512 << 20;
	inventory.disk_bytes = 512 << 20;
	r = worker_store_add(tx, stage->machine, stage->owner, "m", clock_now_ms(&clock_system));
	return r == 0 ? report_inventory(tx, stage->machine, &inventory) : r;
}

/* ---- a crowd ---- */

struct joining {
	struct machine_id machine;
	int gpus;
};

static int tx_crowd(struct tx *tx, void *arg)
{
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	struct joining *joining = arg;
	Wire__Gpu gpus[8], *pointers[8];
	char uuids[8][48];
	int r;

	assert_in_range(joining->gpus, 1, 8);
	for (int i = 0; i < joining->gpus; i++) {
		wire__gpu__init(&gpus[i]);
		snprintf(uuids[i], sizeof(uuids[i]), "GPU-%02x000000-%04d-0000-0000-000000000000",
			 joining->machine.address.bytes[0], i);
		gpus[i].uuid = uuids[i];
		gpus[i].model = (char *)(uintptr_t) "Tesla T4";
		gpus[i].memory_bytes = UINT64_C(16) << 30;
		pointers[i] = &gpus[i];
	}
	inventory.cpu_count = 4;
	inventory.memory_bytes = inventory.disk_bytes = 512 << 20;
	inventory.gpus = pointers;
	inventory.n_gpus = (size_t)joining->gpus;
	r = worker_store_add(tx, joining->machine, stage->owner, "c", clock_now_ms(&clock_system));
	return r == 0 ? report_inventory(tx, joining->machine, &inventory) : r;
}

void stage_crowd(struct stage *of, struct machine_id machine, int gpus)
{
	struct joining joining = { machine, gpus };
	char sql[200];

	assert_true(of->n_crowd < CROWD_MAX);
	assert_int_equal(store_run(&of->store, TX_WRITE, tx_crowd, &joining), 0);
	store_exec(&of->store, "DELETE FROM worker_devices WHERE kind <> 1");
	snprintf(sql, sizeof(sql),
		 "UPDATE worker_devices SET state = 1, due_at = 9000000000000 "
		 "WHERE device LIKE 'GPU-%02x%%'",
		 machine.address.bytes[0]);
	store_exec(&of->store, sql);
	of->crowd[of->n_crowd] = machine;
	of->n_crowd++;
}

static void start_loop(void)
{
	assert_int_equal(loop_new(&stage->context.loop), 0);
	assert_int_equal(proof_module.start(&stage->context), 0);
	assert_int_equal(proof_module.begin(&stage->context), 0);
	for (size_t i = 0; i < CHECKERS; i++)
		checkers.on_up(checkers.arg, address_of(i));
	assert_int_equal(pthread_create(&thread, NULL, run_loop, stage->context.loop), 0);
}

static void stop_loop(void)
{
	loop_stop(stage->context.loop);
	pthread_join(thread, NULL);
	for (size_t i = 0; i < CHECKERS; i++)
		for (size_t p = 0; p < AT_ONCE; p++) {
			member_free(nodes[i].parts[p].member);
			nodes[i].parts[p].member = NULL;
		}
	for (size_t i = 0; i < AT_ONCE; i++) {
		phantom_free(works[i].phantom);
		works[i].phantom = NULL;
	}
	proof_module.stop();
	loop_free(stage->context.loop);
}

void stage_restart(struct stage *of _unused_)
{
	stop_loop();
	start_loop();
}

static void make_keys(void)
{
	assert_int_equal(secp_key_generate(&random_system, &stage->network), 0);
	assert_int_equal(secp_key_generate(&random_system, &stage->machine_key), 0);
	stage->machine.address = *secp_key_address(stage->machine_key);
	for (size_t i = 0; i < CHECKERS; i++) {
		nodes[i].index = i;
		assert_int_equal(secp_key_generate(&random_system, &nodes[i].key), 0);
	}
	memset(&stage->owner, 0x11, sizeof(stage->owner));
	memset(&stage->checkers_owner, 0x22, sizeof(stage->checkers_owner));
}

static enum store_kind kind;

int stage_open(void **state)
{
	stage = calloc(1, sizeof(*stage));
	assert_non_null(stage);
	store_open(&stage->store, kind);
	assert_int_equal(migrate(stage->store.db, migrations, NULL), 0);
	make_keys();
	watching = (struct watching){ 0 };
	assert_int_equal(verifier_new(&verifier), 0);
	assert_int_equal(hasher_new(&hasher), 0);
	stage->settings = (struct settings){
		.network_key = stage->network,
		.network = *secp_key_address(stage->network),
		.chain_id = 1,
		.offline_after_ms = 30000,
		.panel_registration = 15,
		.panel_standing = 3,
		.panel_appeal = 31,
		.panel_least = 3,
		.beacon_slot_ms = 600000,
		.proof_standby_ms = 3600000,
		.proof_rented_ms = 3600000,
		.proof_retry_ms = 60000,
		.proof_nonce_ms = 20000,
		.proof_result_ms = 30000,
		.proof_at_once = 8,
		.poll_every_ms = 1000,
		.watch_hour_ms = 3600000,
		.uptime_grace_ms = 900000,
		.epoch_ms = 86400000,
	};
	stage->context = (struct context){ .clock = &clock_system,
					   .random = &random_system,
					   .db = stage->store.db,
					   .settings = &stage->settings };
	assert_int_equal(worker_module.start(&stage->context), 0);
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_join, NULL), 0);
	start_loop();
	*state = stage;
	return 0;
}

int stage_close(void **state _unused_)
{
	stop_loop();
	worker_module.stop();
	store_close(&stage->store);
	secp_key_free(stage->network);
	secp_key_free(stage->machine_key);
	for (size_t i = 0; i < CHECKERS; i++)
		secp_key_free(nodes[i].key);
	verifier_free(verifier);
	hasher_free(hasher);
	free(stage);
	return 0;
}

int stage_job(struct stage *of, int (*run)(const struct context *context, struct arena *arena))
{
	_cleanup_(arena_freep) struct arena *arena = NULL;

	assert_int_equal(arena_new(ARENA_BYTES, &arena), 0);
	return run(&of->context, arena);
}

void stage_until(struct stage *of, int64_t n)
{
	int64_t over = 0;

	for (int i = 0; i < PATIENCE && over < n; i++) {
		assert_int_equal(stage_job(of, schedule_run), 0);
		assert_int_equal(stage_job(of, settle_run), 0);
		over = store_number(&of->store, "SELECT count(*) AS n FROM proofs WHERE live = 0");
		usleep(10000);
	}
	assert_true(over >= n);
}

struct reading {
	enum worker_device device;
	struct worker_standing standing;
	struct proof_row *rows;
	size_t n;
};

static int tx_standing(struct tx *tx, void *arg)
{
	struct worker_proof_device *devices;
	struct reading *reading = arg;
	size_t n;
	int r = worker_proof_devices(&stage->context, tx, stage->machine, &devices, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (devices[i].device == reading->device)
			reading->standing = devices[i].standing;
	reading->standing.reason = "";
	return r;
}

struct worker_standing stage_standing(struct stage *of, enum worker_device device)
{
	struct reading reading = { .device = device };

	assert_int_equal(store_run(&of->store, TX_READ, tx_standing, &reading), 0);
	return reading.standing;
}

static int tx_proofs(struct tx *tx, void *arg)
{
	struct reading *reading = arg;
	const struct proof_page page = { .all = true, .limit = 100 };

	return proof_store_list(tx, &page, &reading->rows, &reading->n);
}

size_t stage_proofs(struct stage *of, struct proof_row **ret_rows)
{
	struct reading reading = { 0 };

	assert_int_equal(db_run(of->store.db, TX_READ, of->store.arena, tx_proofs, &reading), 0);
	*ret_rows = reading.rows;
	return reading.n;
}

struct appealing {
	struct stage *stage;
	struct proof_id id;
	struct account_id account;
};

static int tx_ask(struct tx *tx, void *arg)
{
	struct appealing *appealing = arg;

	return appeals_ask(&appealing->stage->context, tx, appealing->id, appealing->account);
}

int stage_appeal(struct stage *of, struct proof_id id, struct account_id account)
{
	struct appealing appealing = { of, id, account };

	return store_run(&of->store, TX_WRITE, tx_ask, &appealing);
}

static const struct CMUnitTest *group;
static size_t group_n;

static int run_group(enum store_kind on)
{
	static const char *const names[] = { "file", "memory", "postgres" };

	if (on == STORE_FILE)
		return 0; /* as in memory, but slower */
	kind = on;
	return _cmocka_run_group_tests(names[on], group, group_n, NULL, NULL);
}

int stage_run(const struct CMUnitTest *tests, size_t n)
{
	group = tests;
	group_n = n;
	log_init(false, LOG_WARN);
	return store_each(run_group);
}

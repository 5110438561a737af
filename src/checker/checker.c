#include "checker/checker.h"

#include <time.h>

#include "base/log.h"
#include "checker/finder.h"
#include "checker/member.h"
#include "checker/throughput.h"
#include "checker/users.h"
#include "checker/watch.h"
#include "io/loop.h"
#include "link/link.h"

enum { TICK_MS = 50, KEEP_TICKS = 60000 / TICK_MS };

/* One session, and what it holds outside of its state machine. */
struct slot {
	struct checker *checker;
	struct member *member; /* NULL: free */
	struct throughput *throughput;
};

struct checker {
	struct checker_config config;
	struct state_config registered;
	struct secp_key *key;
	struct link *link;
	struct watch *watch;
	struct finder *finder;
	struct loop_timer *tick;
	unsigned int ticks;
	struct slot slots[CHECKER_SESSIONS_MAX];
	struct users users;
};

static struct watch_time watch_now(const struct checker *checker)
{
	return (struct watch_time){ clock_mono_ms(checker->config.clock),
				    clock_now_ms(checker->config.clock) };
}

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)bytes };
}

/* ---- what members say ---- */

static int64_t now_us(void *arg _unused_)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static int send_proof(void *arg, const struct member *member, enum message_kind kind,
		      const uint8_t *bytes, size_t len)
{
	const struct proof_id *session = &member_summons(member)->session.id;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Proof proof = WIRE__PROOF__INIT;
	const struct slot *slot = arg;

	proof.session = data_of(session->bytes, sizeof(session->bytes));
	proof.kind = kind;
	proof.body = data_of(bytes, len);
	message.body_case = WIRE__TO_SERVER__BODY_PROOF;
	message.proof = &proof;
	return link_send(slot->checker->link, &message);
}

static int send_poll(struct checker *checker, const struct address *machine,
		     const struct poll_nonce *nonce)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Poll poll = WIRE__POLL__INIT;

	poll.machine = data_of(machine->bytes, sizeof(machine->bytes));
	poll.nonce = data_of(nonce->bytes, sizeof(nonce->bytes));
	message.body_case = WIRE__TO_SERVER__BODY_POLL;
	message.poll = &poll;
	return link_send(checker->link, &message);
}

static int poll_member(void *arg, const struct member *member, const struct poll_nonce *nonce)
{
	const struct slot *slot = arg;

	return send_poll(slot->checker, &member_summons(member)->session.machine, nonce);
}

static int verify_member(void *arg, const struct member *member, const uint8_t *transcript,
			 size_t len)
{
	const struct slot *slot = arg;

	return finder_verify(slot->checker->finder, &member_summons(member)->session.id, transcript,
			     len);
}

static void on_throughput(void *arg, uint32_t down_kbps, uint32_t up_kbps)
{
	const struct slot *slot = arg;

	member_measured(slot->member, down_kbps, up_kbps);
}

static int measure_member(void *arg, const struct member *member)
{
	struct slot *slot = arg;
	const struct throughput_config config = {
		.loop = slot->checker->config.loop,
		.random = slot->checker->config.random,
		.summons = member_summons(member),
		.member = member_index(member),
		.on_done = on_throughput,
		.arg = slot,
	};
	int r = throughput_new(&config, &slot->throughput);

	if (r < 0)
		log_warn("checker.bandwidth", log_fault(r));
	return r;
}

/* ---- sessions ---- */

static void leave(struct slot *slot, const char *why)
{
	char proof[ID_TEXT_SIZE];

	proof_id_text(&member_summons(slot->member)->session.id, proof);
	log_info("checker.session_over", log_text("proof", proof), log_text("reason", why));
	throughput_free(slot->throughput);
	member_free(slot->member);
	*slot = (struct slot){ .checker = slot->checker };
}

static struct slot *find_slot(struct checker *checker, const uint8_t session[static 16])
{
	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++) {
		struct slot *slot = &checker->slots[i];

		if (slot->member &&
		    memcmp(member_summons(slot->member)->session.id.bytes, session, 16) == 0)
			return slot;
	}
	return NULL;
}

static struct slot *free_slot(struct checker *checker)
{
	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++)
		if (!checker->slots[i].member)
			return &checker->slots[i];
	return NULL;
}

static void refuse(const Wire__Proof *call, const char *why)
{
	char proof[ID_TEXT_SIZE];

	id_text("prf", call->session.data, proof);
	log_warn("checker.session_refused", log_text("proof", proof), log_text("reason", why));
}

static void take_call(struct checker *checker, const Wire__Proof *call)
{
	struct slot *slot = free_slot(checker);
	const struct member_config config = {
		.network = checker->registered.network,
		.key = checker->key,
		.random = checker->config.random,
		.ops = { now_us, send_proof, poll_member, verify_member, measure_member, slot },
	};
	const char *detail = NULL;
	int r;

	if (!slot) {
		refuse(call, "too many sessions at once");
		return;
	}
	r = member_new(&config, call->body.data, call->body.len, &slot->member, &detail);
	if (r < 0)
		log_error("checker.session", log_fault(r));
	else if (r > 0)
		refuse(call, detail);
	else
		log_info("checker.session",
			 log_int("panel", member_summons(slot->member)->session.panel_size));
}

static void take_proof(struct checker *checker, const Wire__Proof *proof)
{
	struct slot *slot = find_slot(checker, proof->session.data);

	if (proof->kind == MESSAGE_SESSION && !slot)
		take_call(checker, proof);
	else if (slot)
		member_take(slot->member, (enum message_kind)proof->kind, proof->body.data,
			    proof->body.len);
}

static void take_proof_end(struct checker *checker, const Wire__ProofEnd *end)
{
	struct slot *slot = find_slot(checker, end->session.data);

	if (slot)
		leave(slot, end->reason);
}

static void on_found(void *arg, const struct finding_of *found)
{
	struct checker *checker = arg;
	struct slot *slot = find_slot(checker, found->session.bytes);

	if (!slot)
		return;
	if (found->fault < 0) {
		log_error("checker.verify", log_fault(found->fault));
		leave(slot, "nothing was found");
		return;
	}
	if (found->finding.bits != PROOF_ALL)
		log_info("checker.found", log_int("bits", found->finding.bits),
			 log_text("detail", found->finding.detail));
	member_verified(slot->member, found->finding.bits, &found->transcript);
}

/* ---- watching ---- */

static int poll_watched(void *arg, const struct address *machine, const struct poll_nonce *nonce)
{
	return send_poll(arg, machine, nonce);
}

static int report_uptime(void *arg, const struct watch_tally *tally)
{
	struct checker *checker = arg;
	const struct uptime_statement statement = {
		.network = checker->registered.network,
		.machine.address = tally->machine,
		.checker = *secp_key_address(checker->key),
		.hour = tally->hour,
		.polls = tally->polls,
		.answered = tally->answered,
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Uptime uptime = WIRE__UPTIME__INIT;
	int r;

	uptime_digest(&statement, digest);
	r = secp_sign(checker->key, digest, signature);
	if (r < 0)
		return r;
	uptime.machine = data_of(tally->machine.bytes, sizeof(tally->machine.bytes));
	uptime.hour = tally->hour;
	uptime.polls = tally->polls;
	uptime.answered = tally->answered;
	uptime.signature = data_of(signature, sizeof(signature));
	message.body_case = WIRE__TO_SERVER__BODY_UPTIME;
	message.uptime = &uptime;
	return link_send(checker->link, &message);
}

/* The machines' addresses lie one after another, as structs of 20 bytes do. */
static void take_watch(struct checker *checker, const Wire__Watch *watch)
{
	const size_t n = watch->machines.len / sizeof(struct address);
	struct address *machines = calloc(n + 1, sizeof(*machines));
	int r = machines ? 0 : -ENOMEM;

	if (r == 0 && n > 0)
		memcpy(machines, watch->machines.data, n * sizeof(*machines));
	if (r == 0)
		r = watch_set(checker->watch, watch->every_ms, machines, n, watch_now(checker));
	if (r < 0)
		log_error("checker.watch", log_fault(r));
	free(machines);
}

static void take_answer(struct checker *checker, const Wire__PollAnswer *answer)
{
	struct poll_nonce nonce;

	memcpy(nonce.bytes, answer->nonce.data, sizeof(nonce.bytes));
	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++)
		if (checker->slots[i].member &&
		    member_answered(checker->slots[i].member, &nonce, answer->signature.data))
			return;
	/* Whatever is left came too late. */
	(void)watch_answered(checker->watch, &nonce, answer->signature.data, watch_now(checker));
}

static void keep_watch(struct checker *checker)
{
	uint8_t *bytes;
	int r;

	if (!watch_changed(checker->watch))
		return;
	bytes = malloc(WATCH_BYTES_MAX);
	r = bytes ? state_write(checker->config.state, "watch", bytes,
				watch_encode(checker->watch, bytes))
		  : -ENOMEM;
	if (r < 0)
		log_error("checker.keep", log_fault(r));
	free(bytes);
}

static int load_watch(struct checker *checker)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const void *bytes;
	size_t len;
	int r;

	r = arena_new(2 * WATCH_BYTES_MAX, &arena);
	if (r == 0)
		r = state_read(checker->config.state, "watch", arena, &bytes, &len);
	if (r == 0)
		r = watch_decode(checker->watch, bytes, len);
	if (r != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	/* Counts of a few hours are not worth a checker that does not start. */
	log_error("checker.uptime_lost", log_text("reason", "the file watch is damaged"));
	return 0;
}

/* ---- as a user ---- */

static void on_probed(void *arg, const uint8_t id[static 16], const struct probe_result *result)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__ProbeResult body = WIRE__PROBE_RESULT__INIT;
	struct checker *checker = arg;
	int r;

	log_info("checker.probed", log_text("passed", result->passed ? "yes" : "no"),
		 log_text("detail", result->detail));
	body.probe = data_of(id, 16);
	body.passed = result->passed;
	body.detail = (char *)result->detail;
	body.gpus = result->gpus;
	body.answer_ms = result->answer_ms;
	message.body_case = WIRE__TO_SERVER__BODY_PROBE_RESULT;
	message.probe_result = &body;
	r = link_send(checker->link, &message);
	if (r < 0)
		log_warn("checker.probe", log_fault(r));
}

static void take_probe(struct checker *checker, const Wire__Probe *probe)
{
	const struct probe_config config = {
		.loop = checker->config.loop,
		.clock = checker->config.clock,
		.random = checker->config.random,
		.url = checker->registered.url,
		.rental = probe->rental,
		.token = probe->token,
		.gpus = probe->gpus,
		.timeout_ms = probe->timeout_ms,
	};
	int r = users_probe(&checker->users, probe->probe.data, &config);

	/* It says nothing about the container. */
	if (r < 0)
		log_warn("checker.probe", log_fault(r));
}

/* ---- the link and the clock ---- */

static void on_welcome(void *arg _unused_, const Wire__Welcome *welcome _unused_)
{
}

static void on_message(void *arg, const Wire__ToNode *message)
{
	struct checker *checker = arg;

	switch (message->body_case) {
	case WIRE__TO_NODE__BODY_PROOF:
		take_proof(checker, message->proof);
		break;
	case WIRE__TO_NODE__BODY_PROOF_END:
		take_proof_end(checker, message->proof_end);
		break;
	case WIRE__TO_NODE__BODY_POLL_ANSWER:
		take_answer(checker, message->poll_answer);
		break;
	case WIRE__TO_NODE__BODY_WATCH:
		take_watch(checker, message->watch);
		break;
	case WIRE__TO_NODE__BODY_PROBE:
		take_probe(checker, message->probe);
		break;
	default:
		log_warn("checker.unexpected", log_int("message", message->body_case));
	}
}

/* To the relay, this member is gone. */
static void on_down(void *arg)
{
	struct checker *checker = arg;

	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++)
		if (checker->slots[i].member)
			leave(&checker->slots[i], "the link is down");
	watch_down(checker->watch);
}

static void on_tick(void *arg)
{
	struct checker *checker = arg;

	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++) {
		struct slot *slot = &checker->slots[i];

		if (slot->member)
			member_tick(slot->member);
		if (slot->member && member_over(slot->member))
			leave(slot, member_over(slot->member));
	}
	if (link_up(checker->link))
		watch_tick(checker->watch, watch_now(checker));
	if (++checker->ticks % KEEP_TICKS == 0)
		keep_watch(checker);
}

/* ---- beginning and end ---- */

static int start_link(struct checker *checker)
{
	const struct link_config config = {
		.loop = checker->config.loop,
		.random = checker->config.random,
		.url = checker->registered.url,
		.path = "/v1/checker",
		.network = checker->registered.network,
		.key = checker->key,
		.version = checker->config.version,
		.on_welcome = on_welcome,
		.on_message = on_message,
		.on_down = on_down,
		.arg = checker,
	};

	return link_new(&config, &checker->link);
}

static int start_watch(struct checker *checker)
{
	const struct watch_config config = {
		.network = checker->registered.network,
		.checker = *secp_key_address(checker->key),
		.random = checker->config.random,
		.poll = poll_watched,
		.report = report_uptime,
		.arg = checker,
	};
	int r = watch_new(&config, &checker->watch);

	return r < 0 ? r : load_watch(checker);
}

static int start_finder(struct checker *checker)
{
	const struct finder_config config = {
		.loop = checker->config.loop,
		.on_found = on_found,
		.arg = checker,
		.twist = checker->config.twist,
	};

	return finder_new(&config, &checker->finder);
}

static int start(struct checker *checker)
{
	int r;

	r = state_read_config(checker->config.state, &checker->registered);
	if (r == 0)
		r = state_read_key(checker->config.state, &checker->key);
	if (r == 0)
		r = start_watch(checker);
	if (r == 0)
		r = start_finder(checker);
	if (r == 0)
		r = loop_timer_new(checker->config.loop, TICK_MS, TICK_MS, on_tick, checker,
				   &checker->tick);
	return r < 0 ? r : start_link(checker);
}

int checker_new(const struct checker_config *config, struct checker **ret_checker)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	int r;

	if (!checker)
		return -ENOMEM;
	checker->config = *config;
	users_init(&checker->users, on_probed, checker);
	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++)
		checker->slots[i].checker = checker;
	r = start(checker);
	if (r < 0) {
		checker_free(checker);
		return r;
	}
	*ret_checker = checker;
	return 0;
}

void checker_stop(struct checker *checker)
{
	if (link_up(checker->link))
		watch_report_all(checker->watch);
	keep_watch(checker);
}

void checker_free(struct checker *checker)
{
	if (!checker)
		return;
	loop_timer_free(checker->tick);
	for (size_t i = 0; i < CHECKER_SESSIONS_MAX; i++)
		if (checker->slots[i].member)
			leave(&checker->slots[i], "the checker ends");
	users_done(&checker->users);
	link_free(checker->link);
	finder_free(checker->finder);
	if (checker->watch)
		keep_watch(checker);
	watch_free(checker->watch);
	secp_key_free(checker->key);
	free(checker);
}

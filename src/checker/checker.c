#include "checker/checker.h"

#include "base/log.h"
#include "checker/lookout.h"
#include "checker/seats.h"
#include "checker/users.h"
#include "io/loop.h"
#include "link/link.h"

enum { TICK_MS = 50, KEEP_TICKS = 60000 / TICK_MS };

struct checker {
	struct checker_config config;
	struct state_config registered;
	struct secp_key *key;
	struct link *link;
	struct loop_timer *tick;
	unsigned int ticks;
	int64_t banned_until_ms; /* as it was told last; 0: not */
	struct seats seats;
	struct lookout lookout;
	struct users users;
	char refusal[LINK_REFUSAL_SIZE];
};

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)bytes };
}

/* ---- for members and watch ---- */

static int send_message(void *arg, const Wire__ToServer *message)
{
	struct checker *checker = arg;

	return link_send(checker->link, message);
}

static int send_poll(void *arg, const struct address *machine, const struct poll_nonce *nonce)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Poll poll = WIRE__POLL__INIT;

	poll.machine = data_of(machine->bytes, sizeof(machine->bytes));
	poll.nonce = data_of(nonce->bytes, sizeof(nonce->bytes));
	message.body_case = WIRE__TO_SERVER__BODY_POLL;
	message.poll = &poll;
	return send_message(arg, &message);
}

static void take_answer(struct checker *checker, const Wire__PollAnswer *answer)
{
	struct poll_nonce nonce;

	memcpy(nonce.bytes, answer->nonce.data, sizeof(nonce.bytes));
	if (!seats_answered(&checker->seats, &nonce, answer->signature.data))
		lookout_answered(&checker->lookout, &nonce, answer->signature.data);
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

/* ---- its record ---- */

static void take_ban(struct checker *checker, const Wire__Record *record)
{
	char until[CLOCK_TEXT_SIZE] = "for ever";

	if (record->banned_until_ms == checker->banned_until_ms)
		return;
	checker->banned_until_ms = record->banned_until_ms;
	if (record->banned_until_ms == 0) {
		log_info("checker.ban_lifted");
		return;
	}
	if (record->banned_until_ms != INT64_MAX)
		clock_text(record->banned_until_ms, until);
	log_warn("checker.banned", log_text("until", until), log_text("why", record->ban_reason));
}

static void take_record(struct checker *checker, const Wire__Record *record)
{
	char proof[ID_TEXT_SIZE];

	if (record->session.len > 0) {
		id_text("prf", record->session.data, proof);
		if (strcmp(record->mark, "wrong") == 0)
			log_warn("checker.marked", log_text("proof", proof),
				 log_text("mark", record->mark),
				 log_text("why", "its exact part is neither the panel's nor what "
						 "the network finds"),
				 log_text("remedy", "within a day: kaisar popw appeal PROOF"));
		else
			log_info("checker.marked", log_text("proof", proof),
				 log_text("mark", record->mark));
	}
	take_ban(checker, record);
}

/* So that whoever looks here knows why nothing comes. */
static void take_standing(const Wire__Standing *standing)
{
	if (standing->why[0])
		log_warn("checker.no_licence", log_text("why", standing->why));
	else
		log_info("checker.licensed", log_int("licences", standing->licences));
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
		seats_proof(&checker->seats, message->proof);
		break;
	case WIRE__TO_NODE__BODY_PROOF_END:
		seats_proof_end(&checker->seats, message->proof_end);
		break;
	case WIRE__TO_NODE__BODY_POLL_ANSWER:
		take_answer(checker, message->poll_answer);
		break;
	case WIRE__TO_NODE__BODY_WATCH:
		lookout_watch(&checker->lookout, message->watch);
		break;
	case WIRE__TO_NODE__BODY_HEARD:
		lookout_heard(&checker->lookout, message->heard);
		break;
	case WIRE__TO_NODE__BODY_RECORD:
		take_record(checker, message->record);
		break;
	case WIRE__TO_NODE__BODY_PROBE:
		take_probe(checker, message->probe);
		break;
	case WIRE__TO_NODE__BODY_STANDING:
		take_standing(message->standing);
		break;
	default:
		log_warn("checker.unexpected", log_int("message", message->body_case));
	}
}

/* To the relay, this member is gone. */
static void on_down(void *arg)
{
	struct checker *checker = arg;

	seats_leave(&checker->seats, "the link is down");
	lookout_down(&checker->lookout);
}

static void on_refused(void *arg, const char *reason)
{
	struct checker *checker = arg;

	snprintf(checker->refusal, sizeof(checker->refusal), "%s", reason);
	loop_stop(checker->config.loop);
}

const char *checker_refusal(const struct checker *checker)
{
	return checker->refusal[0] ? checker->refusal : NULL;
}

static void on_tick(void *arg)
{
	struct checker *checker = arg;

	seats_tick(&checker->seats);
	if (link_up(checker->link))
		lookout_tick(&checker->lookout);
	if (++checker->ticks % KEEP_TICKS == 0)
		lookout_keep(&checker->lookout);
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
		.on_refused = on_refused,
		.arg = checker,
	};

	return link_new(&config, &checker->link);
}

static int start_lookout(struct checker *checker)
{
	const struct lookout_config config = {
		.clock = checker->config.clock,
		.random = checker->config.random,
		.state = checker->config.state,
		.network = checker->registered.network,
		.key = checker->key,
		.send = send_message,
		.poll = send_poll,
		.arg = checker,
	};

	return lookout_init(&checker->lookout, &config);
}

static int start_seats(struct checker *checker)
{
	const struct seats_config config = {
		.loop = checker->config.loop,
		.random = checker->config.random,
		.network = checker->registered.network,
		.url = checker->registered.url,
		.key = checker->key,
		.twist = checker->config.twist,
		.send = send_message,
		.poll = send_poll,
		.arg = checker,
	};

	return seats_init(&checker->seats, &config);
}

static int start(struct checker *checker)
{
	int r;

	r = state_read_config(checker->config.state, &checker->registered);
	if (r == 0)
		r = state_read_key(checker->config.state, &checker->key);
	if (r == 0)
		r = start_lookout(checker);
	if (r == 0)
		r = start_seats(checker);
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
		lookout_report_all(&checker->lookout);
	lookout_keep(&checker->lookout);
}

void checker_free(struct checker *checker)
{
	if (!checker)
		return;
	loop_timer_free(checker->tick);
	seats_done(&checker->seats);
	users_done(&checker->users);
	link_free(checker->link);
	lookout_done(&checker->lookout);
	secp_key_free(checker->key);
	free(checker);
}

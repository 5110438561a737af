#include "checker/seats.h"

#include <time.h>

#include "base/log.h"
#include "checker/finder.h"
#include "checker/throughput.h"

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
	const struct seat *seat = arg;

	proof.session = data_of(session->bytes, sizeof(session->bytes));
	proof.kind = kind;
	proof.body = data_of(bytes, len);
	message.body_case = WIRE__TO_SERVER__BODY_PROOF;
	message.proof = &proof;
	return seat->seats->config.send(seat->seats->config.arg, &message);
}

static int poll_member(void *arg, const struct member *member, const struct poll_nonce *nonce)
{
	const struct seat *seat = arg;

	return seat->seats->config.poll(seat->seats->config.arg,
					&member_summons(member)->session.machine, nonce);
}

static int verify_member(void *arg, const struct member *member, const uint8_t *transcript,
			 size_t len)
{
	const struct seat *seat = arg;

	return finder_verify(seat->seats->finder, &member_summons(member)->session.id, transcript,
			     len);
}

static void on_throughput(void *arg, uint32_t down_kbps, uint32_t up_kbps)
{
	const struct seat *seat = arg;

	member_measured(seat->member, down_kbps, up_kbps);
}

static int measure_member(void *arg, const struct member *member)
{
	struct seat *seat = arg;
	const struct throughput_config config = {
		.loop = seat->seats->config.loop,
		.random = seat->seats->config.random,
		.summons = member_summons(member),
		.url = seat->seats->config.url,
		.key = seat->seats->config.key,
		.member = member_index(member),
		.on_done = on_throughput,
		.arg = seat,
	};
	int r = throughput_new(&config, &seat->throughput);

	if (r < 0)
		log_warn("checker.bandwidth", log_fault(r));
	return r;
}

/* ---- sessions ---- */

static void leave(struct seat *seat, const char *why)
{
	char proof[ID_TEXT_SIZE];

	proof_id_text(&member_summons(seat->member)->session.id, proof);
	log_info("checker.session_over", log_text("proof", proof), log_text("reason", why));
	throughput_free(seat->throughput);
	member_free(seat->member);
	*seat = (struct seat){ .seats = seat->seats };
}

static struct seat *find_seat(struct seats *seats, const uint8_t session[static 16])
{
	for (size_t i = 0; i < SEATS_MAX; i++) {
		struct seat *seat = &seats->each[i];

		if (seat->member &&
		    memcmp(member_summons(seat->member)->session.id.bytes, session, 16) == 0)
			return seat;
	}
	return NULL;
}

static struct seat *free_seat(struct seats *seats)
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (!seats->each[i].member)
			return &seats->each[i];
	return NULL;
}

static void refuse(const Wire__Proof *call, const char *why)
{
	char proof[ID_TEXT_SIZE];

	id_text("prf", call->session.data, proof);
	log_warn("checker.session_refused", log_text("proof", proof), log_text("reason", why));
}

static void take_call(struct seats *seats, const Wire__Proof *call)
{
	struct seat *seat = free_seat(seats);
	const struct member_config config = {
		.network = seats->config.network,
		.key = seats->config.key,
		.random = seats->config.random,
		.ops = { now_us, send_proof, poll_member, verify_member, measure_member, seat },
	};
	const char *detail = NULL;
	int r;

	if (!seat) {
		refuse(call, "too many sessions at once");
		return;
	}
	r = member_new(&config, call->body.data, call->body.len, &seat->member, &detail);
	if (r < 0)
		log_error("checker.session", log_fault(r));
	else if (r > 0)
		refuse(call, detail);
	else
		log_info("checker.session",
			 log_int("panel", member_summons(seat->member)->session.panel_size));
}

void seats_proof(struct seats *seats, const Wire__Proof *proof)
{
	struct seat *seat = find_seat(seats, proof->session.data);

	if (proof->kind == MESSAGE_SESSION && !seat)
		take_call(seats, proof);
	else if (seat)
		member_take(seat->member, (enum message_kind)proof->kind, proof->body.data,
			    proof->body.len);
}

void seats_proof_end(struct seats *seats, const Wire__ProofEnd *end)
{
	struct seat *seat = find_seat(seats, end->session.data);

	if (seat)
		leave(seat, end->reason);
}

static void on_found(void *arg, const struct finding_of *found)
{
	struct seats *seats = arg;
	struct seat *seat = find_seat(seats, found->session.bytes);

	if (!seat)
		return;
	if (found->fault < 0) {
		log_error("checker.verify", log_fault(found->fault));
		leave(seat, "nothing was found");
		return;
	}
	if (found->finding.bits != PROOF_ALL)
		log_info("checker.found", log_int("bits", found->finding.bits),
			 log_text("detail", found->finding.detail));
	member_verified(seat->member, found->finding.bits, &found->transcript);
}

bool seats_answered(struct seats *seats, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE])
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (seats->each[i].member &&
		    member_answered(seats->each[i].member, nonce, signature))
			return true;
	return false;
}

/* ---- beginning and end ---- */

void seats_tick(struct seats *seats)
{
	for (size_t i = 0; i < SEATS_MAX; i++) {
		struct seat *seat = &seats->each[i];

		if (seat->member)
			member_tick(seat->member);
		if (seat->member && member_over(seat->member))
			leave(seat, member_over(seat->member));
	}
}

void seats_leave(struct seats *seats, const char *why)
{
	for (size_t i = 0; i < SEATS_MAX; i++)
		if (seats->each[i].member)
			leave(&seats->each[i], why);
}

int seats_init(struct seats *seats, const struct seats_config *config)
{
	const struct finder_config finder = {
		.loop = config->loop,
		.on_found = on_found,
		.arg = seats,
		.twist = config->twist,
	};

	*seats = (struct seats){ .config = *config };
	for (size_t i = 0; i < SEATS_MAX; i++)
		seats->each[i].seats = seats;
	return finder_new(&finder, &seats->finder);
}

void seats_done(struct seats *seats)
{
	seats_leave(seats, "the checker ends");
	finder_free(seats->finder);
	seats->finder = NULL;
}

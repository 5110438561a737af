#include "agent/proofs.h"

#include "agent/bandwidth.h"
#include "agent/polls.h"
#include "base/log.h"
#include "link/link.h"

struct proofs {
	struct reconcile *reconcile;
	struct link *link;
	struct prover *prover;
	struct precedence *precedence;
	struct bandwidth_server *bandwidth; /* NULL: no proof port */
	struct polls polls;
};

/* ---- what sessions tell and ask ---- */

static int on_send(void *arg, const Wire__ToServer *message)
{
	struct proofs *proofs = arg;

	return link_send(proofs->link, message);
}

static enum prover_tenants on_tenants(void *arg, const char *gpu)
{
	struct proofs *proofs = arg;

	return precedence_tenants(proofs->reconcile, gpu);
}

static void on_opened(void *arg, const struct summons *summons)
{
	struct proofs *proofs = arg;

	if (proofs->bandwidth)
		bandwidth_server_admit(proofs->bandwidth, summons);
}

static void on_over(void *arg, const struct proof_id *id)
{
	struct proofs *proofs = arg;

	if (proofs->bandwidth)
		bandwidth_server_dismiss(proofs->bandwidth, id);
}

static void on_yielded(void *arg)
{
	struct proofs *proofs = arg;

	precedence_go_on(proofs->precedence);
}

/* ---- messages ---- */

void proofs_desired(struct proofs *proofs, const Wire__Desired *desired)
{
	precedence_desired(proofs->precedence, desired);
}

void proofs_message(struct proofs *proofs, const Wire__Proof *message)
{
	prover_message(proofs->prover, message);
}

void proofs_end(struct proofs *proofs, const Wire__ProofEnd *message)
{
	prover_message_end(proofs->prover, message);
}

void proofs_poll(struct proofs *proofs, const Wire__Poll *poll)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__PollAnswer answer = WIRE__POLL_ANSWER__INIT;
	uint8_t signature[SECP_SIGNATURE_SIZE];
	int r;

	r = polls_answer(&proofs->polls, poll, signature);
	if (r > 0)
		return;
	if (r == 0) {
		answer.machine = poll->machine;
		answer.checker = poll->checker;
		answer.nonce = poll->nonce;
		answer.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
		message.body_case = WIRE__TO_SERVER__BODY_POLL_ANSWER;
		message.poll_answer = &answer;
		r = link_send(proofs->link, &message);
	}
	/* One that is not answered is asked again, another time. */
	if (r < 0 && r != -EAGAIN)
		log_warn("polls.unanswered", log_fault(r));
}

void proofs_drop(struct proofs *proofs)
{
	prover_drop(proofs->prover);
	precedence_drop(proofs->precedence);
}

/* ---- beginning and end ---- */

void proofs_over(struct proofs *proofs, struct link *link)
{
	proofs->link = link;
}

uint16_t proofs_port(const struct proofs *proofs)
{
	return proofs->bandwidth ? bandwidth_server_port(proofs->bandwidth) : 0;
}

static int start_prover(struct proofs *proofs, const struct proofs_config *config)
{
	const struct prover_config prover = {
		.loop = config->loop,
		.network = config->network,
		.key = config->key,
		.nvml = config->nvml,
		.folder = config->folder,
		.program = config->program,
		.gpu_backend = config->gpu_backend,
		.send = on_send,
		.tenants = on_tenants,
		.on_opened = on_opened,
		.on_over = on_over,
		.on_yielded = on_yielded,
		.arg = proofs,
	};
	int r;

	r = prover_new(&prover, &proofs->prover);
	if (r < 0)
		return r;
	return precedence_new(config->loop, config->reconcile, proofs->prover, &proofs->precedence);
}

int proofs_new(const struct proofs_config *config, struct proofs **ret_proofs)
{
	struct proofs *proofs = calloc(1, sizeof(*proofs));
	int r;

	if (!proofs)
		return -ENOMEM;
	proofs->reconcile = config->reconcile;
	proofs->polls = (struct polls){ .network = config->network,
					.key = config->key,
					.clock = config->clock };
	r = start_prover(proofs, config);
	if (r == 0 && config->listen_host)
		r = bandwidth_server_new(config->loop, config->clock, config->listen_host,
					 config->listen_port, &proofs->bandwidth);
	if (r < 0) {
		proofs_free(proofs);
		return r;
	}
	*ret_proofs = proofs;
	return 0;
}

void proofs_free(struct proofs *proofs)
{
	if (!proofs)
		return;
	precedence_free(proofs->precedence);
	prover_free(proofs->prover);
	bandwidth_server_free(proofs->bandwidth);
	free(proofs);
}

#include "agent/proof.h"

#include "agent/prover.h"
#include "base/log.h"
#include "io/loop.h"

static void log_proof(enum log_level level, const char *event, const struct proof *proof,
		      const char *reason, const char *detail)
{
	char text[ID_TEXT_SIZE];

	proof_id_text(&proof->summons.session.id, text);
	log_write(level, event,
		  LOG_FIELDS(log_text("proof", text), log_text("reason", reason),
			     log_text("detail", detail)));
}

/* ---- what is sent ---- */

static int send_message(const struct proof *proof, enum message_kind kind, uint8_t *bytes,
			size_t len)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Proof body = WIRE__PROOF__INIT;
	const struct proof_id *id = &proof->summons.session.id;

	body.session = (ProtobufCBinaryData){ sizeof(id->bytes), (uint8_t *)id->bytes };
	body.kind = kind;
	body.body = (ProtobufCBinaryData){ len, bytes };
	message.body_case = WIRE__TO_SERVER__BODY_PROOF;
	message.proof = &body;
	return proof->host->send(proof->host->arg, &message);
}

void proof_refuse(const struct proof_host *host, const uint8_t session[static 16],
		  const char *reason, const char *detail)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__ProofEnd body = WIRE__PROOF_END__INIT;
	int r;

	body.session = (ProtobufCBinaryData){ 16, (uint8_t *)session };
	body.reason = (char *)reason;
	body.detail = (char *)detail;
	message.body_case = WIRE__TO_SERVER__BODY_PROOF_END;
	message.proof_end = &body;
	r = host->send(host->arg, &message);
	/* Without it, the control plane's own deadline ends the session. */
	if (r < 0)
		log_warn("proof.untold", log_text("reason", reason), log_fault(r));
}

/* ---- the end ---- */

static void gone_if_over(struct proof *proof)
{
	if (proof->over && !proof->child)
		proof->host->on_gone(proof->host->arg, proof);
}

static void clear_deadline(struct proof *proof)
{
	loop_timer_free(proof->deadline);
	proof->deadline = NULL;
}

static void on_over(void *arg)
{
	struct proof *proof = arg;

	clear_deadline(proof);
	gone_if_over(proof);
}

void proof_end(struct proof *proof, const char *reason, const char *detail)
{
	if (proof->over)
		return;
	proof->over = true;
	clear_deadline(proof);
	log_proof(reason ? LOG_WARN : LOG_INFO, "proof.end", proof, reason, detail);
	if (proof->child)
		proof_child_kill(proof->child);
	if (reason)
		proof_refuse(proof->host, proof->summons.session.id.bytes, reason, detail);
	/* From the loop: the caller may still hold it. A child's end tells by itself. */
	if (!proof->child &&
	    loop_timer_new(proof->host->loop, 0, 0, on_over, proof, &proof->deadline) < 0)
		log_proof(LOG_ERROR, "proof.kept", proof, "no_memory", "it stays until the end");
}

static void on_late(void *arg)
{
	struct proof *proof = arg;

	clear_deadline(proof);
	if (proof->opened)
		proof_end(proof, NULL, "nobody said that it was judged");
	else if (proof->working)
		proof_end(proof, WIRE_PROOF_BROKEN,
			  "the prover did not finish within the phase's time: is the machine busy "
			  "with "
			  "something else? `kaisar popw self-test` measures it");
	else
		proof_end(proof, WIRE_PROOF_NO_NONCES, "the panel's nonces did not come in time");
}

static void set_deadline(struct proof *proof, uint64_t ms)
{
	clear_deadline(proof);
	if (loop_timer_new(proof->host->loop, ms, 0, on_late, proof, &proof->deadline) < 0)
		proof_end(proof, WIRE_PROOF_BROKEN, "the agent has no memory for a timer");
}

/* ---- the order of things ---- */

static bool has(const struct proof *proof, unsigned int phase)
{
	return proof->summons.session.flags & phase;
}

static void wait_for_nonces(struct proof *proof, enum session_nonce k)
{
	proof->k = (uint8_t)k;
	proof->working = false;
	proof->roots = 0;
	set_deadline(proof, proof->host->nonces_ms);
}

static uint64_t phase_ms(const struct proof *proof)
{
	const struct session *session = &proof->summons.session;

	switch (proof->k) {
	case NONCE_FILL:
		return session->fill_ms;
	case NONCE_WALK:
		return session->walk_ms;
	case NONCE_MATRIX:
		return session->matrix_ms;
	default:
		return PROVER_OPEN_MS;
	}
}

static void finish_phase(struct proof *proof)
{
	switch (proof->k) {
	case NONCE_FILL:
		wait_for_nonces(proof, NONCE_WALK);
		break;
	case NONCE_WALK:
		wait_for_nonces(proof, has(proof, SESSION_HAS_MATRIX) ? NONCE_MATRIX : NONCE_OPEN);
		break;
	case NONCE_MATRIX:
		wait_for_nonces(proof, NONCE_OPEN);
		break;
	default:
		proof->opened = true;
		set_deadline(proof, PROVER_JUDGED_MS);
		proof->host->on_opened(proof->host->arg, proof);
	}
}

void proof_nonces(struct proof *proof, const void *bytes, size_t len)
{
	const struct proof_host *host = proof->host;
	struct nonces_message message;
	int r;

	if (nonces_decode(bytes, len, &message) != 0 ||
	    !proof_id_equal(message.session, proof->summons.session.id) ||
	    !message_signed_by(host->hasher, TAG_NONCES, &proof->digest, &host->network, bytes,
			       len)) {
		log_proof(LOG_WARN, "proof.nonces", proof, WIRE_PROOF_REFUSED,
			  "malformed, of another session, or not signed by the network");
		return;
	}
	if (proof->over || proof->opened || proof->working || message.k != proof->k) {
		log_proof(LOG_WARN, "proof.nonces", proof, WIRE_PROOF_REFUSED, "not their turn");
		return;
	}
	proof->working = true;
	set_deadline(proof, phase_ms(proof) + host->slack_ms);
	if (proof->over)
		return;
	r = proof_child_say(proof->child, MESSAGE_NONCES, bytes, len);
	if (r < 0)
		/* One that is about to end says why itself; one that does not read is ended. */
		log_proof(LOG_WARN, "proof.nonces", proof, WIRE_PROOF_BROKEN, strerror(-r));
}

/* ---- what the child says ---- */

static bool takes_root(struct proof *proof, const uint8_t *bytes, size_t len)
{
	const struct session_work *work = &proof->summons.session.work;
	uint32_t roots = proof->k == NONCE_WALK ? work->epochs : work->rounds;
	enum phase phase = proof->k == NONCE_WALK ? PHASE_WALK : PHASE_MATRIX;
	struct root root;

	return (proof->k == NONCE_WALK || proof->k == NONCE_MATRIX) && proof->roots < roots &&
	       root_decode(bytes, len, &root) == 0 && root.phase == phase &&
	       root.index == proof->roots;
}

static bool takes_seal(struct proof *proof, const uint8_t *bytes, size_t len)
{
	const struct session_work *work = &proof->summons.session.work;
	struct seal seal;

	if (seal_decode(bytes, len, &seal) != 0)
		return false;
	return seal.phase == PHASE_WALK ? proof->k == NONCE_WALK && proof->roots == work->epochs
					: proof->k == NONCE_MATRIX && proof->roots == work->rounds;
}

/* Whether it is what comes now. @ret_tag: of its signature; NULL: it has none. */
static bool takes(struct proof *proof, enum message_kind kind, const uint8_t *bytes, size_t len,
		  const char **ret_tag)
{
	const struct session *session = &proof->summons.session;

	if (!proof->working || proof->opened || len < sizeof(session->id) ||
	    memcmp(bytes, session->id.bytes, sizeof(session->id)) != 0)
		return false;
	switch (kind) {
	case MESSAGE_FILLED:
		*ret_tag = TAG_FILLED;
		return proof->k == NONCE_FILL && len == FILLED_SIZE;
	case MESSAGE_ROOT:
		*ret_tag = NULL;
		return takes_root(proof, bytes, len);
	case MESSAGE_SEAL:
		*ret_tag = TAG_SEAL;
		return takes_seal(proof, bytes, len);
	case MESSAGE_OPEN:
		*ret_tag = TAG_OPEN;
		return proof->k == NONCE_OPEN && len == open_size(session);
	default:
		return false;
	}
}

static int on_message(void *arg, enum message_kind kind, uint8_t *bytes, size_t len)
{
	struct proof *proof = arg;
	const struct proof_host *host = proof->host;
	const char *tag;
	int r = 0;

	if (!takes(proof, kind, bytes, len, &tag)) {
		proof_end(proof, WIRE_PROOF_BROKEN, "the prover said what has no place there");
		return -EBADMSG;
	}
	if (tag)
		r = message_sign(host->hasher, tag, &proof->digest, host->key, bytes, len);
	if (r == 0)
		r = send_message(proof, kind, bytes, len);
	if (r == -EAGAIN)
		return r;
	if (r < 0) {
		proof_end(proof, WIRE_PROOF_BROKEN, strerror(-r));
		return r;
	}
	if (tag)
		finish_phase(proof);
	else
		proof->roots++;
	return 0;
}

static const char *reason_of(int status)
{
	switch (status) {
	case PROVER_EXIT_NO_DEVICE:
		return WIRE_PROOF_NO_DEVICE;
	case PROVER_EXIT_NO_MEMORY:
		return WIRE_PROOF_NO_MEMORY;
	default:
		return WIRE_PROOF_BROKEN;
	}
}

static void on_child_end(void *arg, int status, const char *detail)
{
	struct proof *proof = arg;
	struct proof_child *child = proof->child;

	proof->child = NULL;
	if (proof->over)
		log_proof(LOG_INFO, "proof.child_gone", proof, "", detail);
	else if (!proof->opened)
		proof_end(proof, reason_of(status),
			  detail[0] ? detail
				    : "the prover ended before its openings: `kaisar popw "
				      "self-test` on the "
				      "machine may show why");
	else if (status != 0)
		log_proof(LOG_WARN, "proof.child_failed", proof, reason_of(status), detail);
	proof_child_free(child);
	proof->host->on_child_gone(proof->host->arg, proof);
	gone_if_over(proof);
}

/* ---- its beginning ---- */

static int start_child(struct proof *proof, const char *backend)
{
	const struct proof_host *host = proof->host;
	const size_t open = open_size(&proof->summons.session);
	const struct proof_child_config config = {
		.loop = host->loop,
		.program = host->program,
		.backend = backend,
		.device = proof->gpu ? proof->gpu->index : 0,
		.folder = host->folder,
		.message_max = open > SEAL_SIZE ? open : SEAL_SIZE,
		.on_message = on_message,
		.on_end = on_child_end,
		.arg = proof,
	};
	uint8_t bytes[SESSION_SIZE];
	int r;

	r = proof_child_new(&config, &proof->child);
	if (r < 0)
		return r;
	session_encode(&proof->summons.session, bytes);
	return proof_child_say(proof->child, MESSAGE_SESSION, bytes, sizeof(bytes));
}

static void end_unstarted(struct proof *proof, int fault)
{
	char detail[160];

	snprintf(detail, sizeof(detail),
		 "the prover cannot be started: %s; look at --prover, and whether the machine has "
		 "memory and processes left",
		 strerror(-fault));
	proof_end(proof, WIRE_PROOF_BROKEN, detail);
}

int proof_new(const struct proof_host *host, const struct summons *summons,
	      const struct nvml_gpu *gpu, const char *backend, struct proof **ret_proof)
{
	struct proof *proof = calloc(1, sizeof(*proof));
	int r;

	if (!proof)
		return -ENOMEM;
	proof->host = host;
	proof->summons = *summons;
	proof->gpu = gpu;
	session_digest(host->hasher, &summons->session, &proof->digest);
	log_proof(LOG_INFO, "proof.begin", proof, "", backend);
	r = start_child(proof, backend);
	if (r < 0)
		end_unstarted(proof, r);
	else
		wait_for_nonces(proof, has(proof, SESSION_HAS_WALK) ? NONCE_FILL : NONCE_MATRIX);
	*ret_proof = proof;
	return 0;
}

void proof_free(struct proof *proof)
{
	if (!proof)
		return;
	clear_deadline(proof);
	proof_child_free(proof->child);
	free(proof);
}

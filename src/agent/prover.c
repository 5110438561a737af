#include "agent/prover.h"

#include <dlfcn.h>

#include "agent/proof.h"
#include "base/codec.h"
#include "base/log.h"

struct prover {
	struct prover_config config;
	struct proof_host host;
	struct proof *proofs;
	size_t n;
};

int prover_uuid(const char *text, uint8_t ret_uuid[static SESSION_UUID_SIZE])
{
	static const size_t dashes[] = { 8, 13, 18, 23 };
	char digits[2 * SESSION_UUID_SIZE];
	size_t n = 0, dash = 0;

	if (strlen(text) != 40 || strncmp(text, "GPU-", 4) != 0)
		return -EINVAL;
	text += 4;
	for (size_t i = 0; i < 36; i++) {
		if (dash < ARRAY_SIZE(dashes) && i == dashes[dash]) {
			if (text[i] != '-')
				return -EINVAL;
			dash++;
		} else {
			digits[n++] = text[i];
		}
	}
	return hex_decode(digits, sizeof(digits), ret_uuid, SESSION_UUID_SIZE);
}

/* ---- sessions that there are ---- */

static struct proof *find(const struct prover *prover, const uint8_t id[static 16])
{
	struct proof *proof = prover->proofs;

	while (proof && memcmp(proof->summons.session.id.bytes, id, 16) != 0)
		proof = proof->next;
	return proof;
}

/* NULL: no child works on this device. */
static const struct proof *find_at_work(const struct prover *prover, const struct session *session)
{
	const struct proof *proof = prover->proofs;

	while (proof &&
	       (!proof->child || proof->summons.session.device != session->device ||
		memcmp(proof->summons.session.gpu_uuid, session->gpu_uuid, SESSION_UUID_SIZE) != 0))
		proof = proof->next;
	return proof;
}

static int send_message(void *arg, const Wire__ToServer *message)
{
	struct prover *prover = arg;

	return prover->config.send(prover->config.arg, message);
}

static void on_opened(void *arg, struct proof *proof)
{
	struct prover *prover = arg;

	prover->config.on_opened(prover->config.arg, &proof->summons);
}

static void on_child_gone(void *arg, struct proof *proof)
{
	struct prover *prover = arg;

	if (!proof->yielding)
		return;
	proof->yielding = false;
	if (!prover_yielding(prover))
		prover->config.on_yielded(prover->config.arg);
}

static void on_gone(void *arg, struct proof *proof)
{
	struct prover *prover = arg;
	struct proof **at = &prover->proofs;

	while (*at != proof)
		at = &(*at)->next;
	*at = proof->next;
	prover->n--;
	if (proof->opened)
		prover->config.on_over(prover->config.arg, &proof->summons.session.id);
	proof_free(proof);
}

/* ---- a new session ---- */

/* CUDA's driver is asked for, not started. */
static const char *gpu_backend(const struct prover *prover)
{
	void *driver;

	if (prover->config.gpu_backend)
		return prover->config.gpu_backend;
	driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!driver)
		return "opencl";
	dlclose(driver);
	return "cuda";
}

static const struct nvml_gpu *find_gpu(const struct prover *prover, const struct session *session)
{
	const struct nvml *nvml = prover->config.nvml;
	uint8_t uuid[SESSION_UUID_SIZE];

	for (size_t i = 0; i < nvml->n_gpus; i++)
		if (prover_uuid(nvml->gpus[i].uuid, uuid) == 0 &&
		    memcmp(uuid, session->gpu_uuid, sizeof(uuid)) == 0)
			return &nvml->gpus[i];
	return NULL;
}

/* Whether the network asks this machine. NULL: it does. */
static const char *why_not_ours(const struct prover *prover, const struct session *session)
{
	const struct proof_host *host = &prover->host;
	struct hash digest;

	session_digest(host->hasher, session, &digest);
	if (!address_equal(&session->network, &host->network) ||
	    !digest_signed_by(&digest, session->signature, &host->network))
		return "the session is not signed by the network that this machine joined";
	if (!address_equal(&session->machine, secp_key_address(host->key)))
		return "the session is for another machine";
	if (open_size(session) > WIRE_PROOF_MAX)
		return "the session's openings would not fit into a message";
	return NULL;
}

/* The reason why it cannot be proved now; NULL: it can. */
static const char *why_not_now(const struct prover *prover, const struct session *session,
			       const struct nvml_gpu *gpu, enum prover_tenants tenants,
			       const char **ret_detail)
{
	const struct proof *at_work = find_at_work(prover, session);

	if (session->device == SESSION_GPU && !gpu) {
		*ret_detail = "this machine has no such GPU";
		return WIRE_PROOF_NO_DEVICE;
	}
	if ((tenants == TENANTS_ON_IT && session->kind != SESSION_RENTED) ||
	    (at_work && at_work->yielding)) {
		*ret_detail = "a tenant's rental needs the device";
		return WIRE_PROOF_YIELDED;
	}
	if (at_work || prover->n == PROVER_SESSIONS_MAX) {
		*ret_detail = "another proof of this device is running";
		return WIRE_PROOF_BUSY;
	}
	return NULL;
}

static const char *backend_for(const struct prover *prover, const struct session *session)
{
	switch (session->device) {
	case SESSION_GPU:
		return gpu_backend(prover);
	case SESSION_DISK:
		return "disk";
	default:
		return "cpu";
	}
}

static void begin(struct prover *prover, const struct summons *summons)
{
	const struct session *session = &summons->session;
	const struct nvml_gpu *gpu = session->device == SESSION_GPU ? find_gpu(prover, session)
								    : NULL;
	enum prover_tenants tenants = prover->config.tenants(prover->config.arg,
							     gpu ? gpu->uuid : NULL);
	const char *detail = "", *reason;
	struct proof *proof;

	reason = why_not_now(prover, session, gpu, tenants, &detail);
	if (!reason &&
	    proof_new(&prover->host, summons, gpu, backend_for(prover, session), &proof) < 0) {
		reason = WIRE_PROOF_BROKEN;
		detail = "the agent has no memory for it: end what else uses memory on the machine";
	}
	if (reason) {
		log_warn("proof.refused", log_text("reason", reason), log_text("detail", detail));
		proof_refuse(&prover->host, session->id.bytes, reason, detail);
		return;
	}
	proof->next = prover->proofs;
	prover->proofs = proof;
	prover->n++;
	if (tenants != TENANTS_NONE && proof->child)
		proof_child_nice(proof->child);
}

/* Not before the first session: libcrypto is large, and an idle agent small. */
static int need_hasher(struct prover *prover)
{
	return prover->host.hasher ? 0 : hasher_new(&prover->host.hasher);
}

static void take_session(struct prover *prover, const Wire__Proof *message)
{
	const char *detail = "";
	struct summons summons;
	int r;

	r = need_hasher(prover);
	if (r < 0) {
		proof_refuse(&prover->host, message->session.data, WIRE_PROOF_BROKEN, strerror(-r));
		return;
	}
	r = summons_decode(prover->host.hasher, message->body.data, message->body.len, &summons,
			   &detail);
	if (r == 0) {
		detail = memcmp(summons.session.id.bytes, message->session.data, 16) != 0
				 ? "the message is of another session"
				 : why_not_ours(prover, &summons.session);
		r = detail != NULL;
	}
	if (r == 0) {
		begin(prover, &summons);
		return;
	}
	log_warn("proof.refused", log_text("reason", WIRE_PROOF_REFUSED),
		 log_text("detail", detail));
	proof_refuse(&prover->host, message->session.data, WIRE_PROOF_REFUSED, detail);
}

/* ---- messages ---- */

void prover_message(struct prover *prover, const Wire__Proof *message)
{
	struct proof *proof = find(prover, message->session.data);

	switch (message->kind) {
	case MESSAGE_SESSION:
		if (!proof)
			take_session(prover, message);
		break;
	case MESSAGE_NONCES:
		if (proof)
			proof_nonces(proof, message->body.data, message->body.len);
		break;
	case MESSAGE_NCOMMIT:
		break; /* the panel's own affair: NONCES are signed by the network */
	default:
		log_warn("proof.unexpected", log_int("kind", message->kind));
	}
}

void prover_message_end(struct prover *prover, const Wire__ProofEnd *message)
{
	struct proof *proof = find(prover, message->session.data);

	if (proof)
		proof_end(proof, NULL, message->reason);
}

/* ---- giving way ---- */

static bool in_way_of(const struct proof *proof, char *const *gpus, size_t n_gpus)
{
	if (!proof->child || proof->summons.session.kind == SESSION_RENTED)
		return false;
	if (!proof->gpu)
		return true;
	for (size_t i = 0; i < n_gpus; i++)
		if (strcmp(gpus[i], proof->gpu->uuid) == 0)
			return true;
	return false;
}

void prover_yield(struct prover *prover, char *const *gpus, size_t n_gpus)
{
	for (struct proof *proof = prover->proofs; proof; proof = proof->next) {
		if (in_way_of(proof, gpus, n_gpus)) {
			proof->yielding = true;
			if (proof->opened)
				proof_child_kill(proof->child); /* all was said */
			else
				proof_end(proof, WIRE_PROOF_YIELDED,
					  "a tenant's container is to start");
		} else if (proof->child) {
			proof_child_nice(proof->child);
		}
	}
}

bool prover_yielding(const struct prover *prover)
{
	const struct proof *proof = prover->proofs;

	while (proof && !(proof->yielding && proof->child))
		proof = proof->next;
	return proof != NULL;
}

void prover_drop(struct prover *prover)
{
	for (struct proof *proof = prover->proofs; proof; proof = proof->next)
		proof_end(proof, NULL, "the link dropped");
}

/* ---- beginning and end ---- */

int prover_new(const struct prover_config *config, struct prover **ret_prover)
{
	struct prover *prover = calloc(1, sizeof(*prover));

	if (!prover)
		return -ENOMEM;
	prover->config = *config;
	prover->host = (struct proof_host){
		.loop = config->loop,
		.key = config->key,
		.network = config->network,
		.program = config->program ? config->program : "/proc/self/exe",
		.folder = config->folder,
		.nonces_ms = config->nonces_ms ? config->nonces_ms : PROVER_NONCES_MS,
		.slack_ms = config->slack_ms ? config->slack_ms : PROVER_SLACK_MS,
		.send = send_message,
		.on_opened = on_opened,
		.on_child_gone = on_child_gone,
		.on_gone = on_gone,
		.arg = prover,
	};
	*ret_prover = prover;
	return 0;
}

void prover_free(struct prover *prover)
{
	struct proof *proof;

	if (!prover)
		return;
	while ((proof = prover->proofs)) {
		prover->proofs = proof->next;
		proof_free(proof);
	}
	hasher_free(prover->host.hasher);
	free(prover);
}

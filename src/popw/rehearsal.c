#include "popw/rehearsal.h"

enum { ARENA_BYTES = 8 << 20 };

/* ---- its life ---- */

static int make(struct rehearsal *rehearsal, unsigned int panel_size)
{
	int r;

	r = hasher_new(&rehearsal->hasher);
	if (r == 0)
		r = arena_new(ARENA_BYTES, &rehearsal->arena);
	if (r == 0)
		r = secp_key_generate(rehearsal->random, &rehearsal->network);
	if (r == 0)
		r = secp_key_generate(rehearsal->random, &rehearsal->machine);
	for (unsigned int i = 0; r == 0 && i < panel_size; i++)
		r = secp_key_generate(rehearsal->random, &rehearsal->members[i]);
	return r;
}

int rehearsal_new(struct random *random, unsigned int panel_size, struct rehearsal **ret_rehearsal)
{
	_cleanup_(rehearsal_freep) struct rehearsal *rehearsal = NULL;
	int r;

	if (panel_size < 1 || panel_size > SESSION_PANEL_MAX)
		return -EINVAL;
	rehearsal = calloc(1, sizeof(*rehearsal));
	if (!rehearsal)
		return -ENOMEM;
	rehearsal->random = random;
	rehearsal->transcript.session.panel_size = (uint8_t)panel_size;
	r = make(rehearsal, panel_size);
	if (r < 0)
		return r;
	*ret_rehearsal = rehearsal;
	rehearsal = NULL;
	return 0;
}

void rehearsal_free(struct rehearsal *rehearsal)
{
	if (!rehearsal)
		return;
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		secp_key_free(rehearsal->members[i]);
	secp_key_free(rehearsal->machine);
	secp_key_free(rehearsal->network);
	arena_free(rehearsal->arena);
	hasher_free(rehearsal->hasher);
	free(rehearsal);
}

/* ---- the network and the panel ---- */

static uint32_t all_members(const struct rehearsal *rehearsal)
{
	return UINT32_MAX >> (SESSION_PANEL_MAX - rehearsal->transcript.session.panel_size);
}

static int sign_session(struct rehearsal *rehearsal, const struct session *plan,
			const char **ret_detail)
{
	struct transcript *transcript = &rehearsal->transcript;
	struct session *session = &transcript->session;
	unsigned int m = session->panel_size;
	int r;

	*session = *plan;
	session->panel_size = (uint8_t)m;
	session->network = *secp_key_address(rehearsal->network);
	session->machine = *secp_key_address(rehearsal->machine);
	for (unsigned int i = 0; i < m; i++)
		transcript->members[i] = *secp_key_address(rehearsal->members[i]);
	session_panel_hash(rehearsal->hasher, transcript->members, m, &session->panel);
	r = random_fill(rehearsal->random, session->id.bytes, sizeof(session->id.bytes));
	if (r == 0)
		r = random_fill(rehearsal->random, session->block_hash.bytes, HASH_SIZE);
	if (r < 0)
		return r;
	session_digest(rehearsal->hasher, session, &transcript->session_digest);
	r = secp_sign(rehearsal->network, transcript->session_digest.bytes, session->signature);
	if (r < 0)
		return r;
	return session_check(session, ret_detail) == 0 ? 0 : -EINVAL;
}

static int commit_nonces(struct rehearsal *rehearsal, uint32_t member)
{
	struct ncommit commit = { rehearsal->transcript.session.id, member };
	uint8_t bytes[NCOMMIT_SIZE];
	int r;

	for (unsigned int k = 0; k < SESSION_NONCES; k++) {
		uint8_t *nonce = rehearsal->nonces[k].bytes[member];

		r = random_fill(rehearsal->random, nonce, SESSION_NONCE_SIZE);
		if (r < 0)
			return r;
		hasher_once(rehearsal->hasher, nonce, SESSION_NONCE_SIZE, &commit.nonces[k]);
		rehearsal->nonces[k].set |= 1u << member;
	}
	ncommit_encode(&commit, bytes);
	r = message_sign(rehearsal->hasher, TAG_NCOMMIT, &rehearsal->transcript.session_digest,
			 rehearsal->members[member], bytes, sizeof(bytes));
	if (r < 0)
		return r;
	return ncommit_decode(bytes, sizeof(bytes), &rehearsal->transcript.commits[member]);
}

int rehearsal_begin(struct rehearsal *rehearsal, const struct session *plan,
		    const char **ret_detail)
{
	struct transcript *transcript = &rehearsal->transcript;
	unsigned int m = transcript->session.panel_size;
	int r;

	arena_reset(rehearsal->arena);
	memset(rehearsal->nonces, 0, sizeof(rehearsal->nonces));
	*transcript = (struct transcript){ .session.panel_size = (uint8_t)m };
	rehearsal->walk_roots = rehearsal->matrix_roots = 0;
	r = sign_session(rehearsal, plan, ret_detail);
	for (unsigned int i = 0; r == 0 && i < m; i++)
		r = commit_nonces(rehearsal, i);
	if (r < 0)
		return r;
	transcript->committed = all_members(rehearsal);
	if (plan->flags & SESSION_HAS_WALK)
		transcript->walk_roots = arena_array(rehearsal->arena, plan->work.epochs,
						     sizeof(struct hash));
	if (plan->flags & SESSION_HAS_MATRIX)
		transcript->matrix_roots = arena_array(rehearsal->arena, plan->work.rounds,
						       sizeof(struct hash));
	if ((plan->flags & SESSION_HAS_WALK && !transcript->walk_roots) ||
	    (plan->flags & SESSION_HAS_MATRIX && !transcript->matrix_roots))
		return -ENOMEM;
	return 0;
}

int rehearsal_nonces(struct rehearsal *rehearsal, uint8_t k,
		     const struct nonces_message **ret_message)
{
	struct transcript *transcript = &rehearsal->transcript;
	struct nonces_message message = { transcript->session.id, k };
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len;
	int r;

	if (k < 1 || k > SESSION_NONCES)
		return -EINVAL;
	message.nonces = rehearsal->nonces[k - 1];
	len = nonces_encode(&message, bytes);
	r = message_sign(rehearsal->hasher, TAG_NONCES, &transcript->session_digest,
			 rehearsal->network, bytes, len);
	if (r < 0)
		return r;
	r = nonces_decode(bytes, len, &transcript->nonces[k - 1]);
	if (r != 0)
		return -EBADMSG;
	*ret_message = &transcript->nonces[k - 1];
	return 0;
}

/* ---- the machine ---- */

static int machine_sign(struct rehearsal *rehearsal, const char *tag, uint8_t *bytes, size_t len)
{
	return message_sign(rehearsal->hasher, tag, &rehearsal->transcript.session_digest,
			    rehearsal->machine, bytes, len);
}

static int hear_filled(struct rehearsal *rehearsal, uint8_t *bytes, size_t len)
{
	int r;

	if (len != FILLED_SIZE)
		return -EBADMSG;
	r = machine_sign(rehearsal, TAG_FILLED, bytes, len);
	if (r < 0)
		return r;
	return filled_decode(bytes, len, &rehearsal->transcript.filled) == 0 ? 0 : -EBADMSG;
}

static int hear_root(struct rehearsal *rehearsal, const uint8_t *bytes, size_t len)
{
	struct transcript *transcript = &rehearsal->transcript;
	const struct session_work *work = &transcript->session.work;
	struct root root;

	if (root_decode(bytes, len, &root) != 0)
		return -EBADMSG;
	if (root.phase == PHASE_WALK && transcript->walk_roots && root.index < work->epochs &&
	    root.index == rehearsal->walk_roots) {
		transcript->walk_roots[rehearsal->walk_roots++] = root.root;
		return 0;
	}
	if (root.phase == PHASE_MATRIX && transcript->matrix_roots && root.index < work->rounds &&
	    root.index == rehearsal->matrix_roots) {
		transcript->matrix_roots[rehearsal->matrix_roots++] = root.root;
		return 0;
	}
	return -EBADMSG;
}

static int hear_seal(struct rehearsal *rehearsal, uint8_t *bytes, size_t len)
{
	struct transcript *transcript = &rehearsal->transcript;
	const struct session_work *work = &transcript->session.work;
	struct seal seal;
	int r;

	if (len != SEAL_SIZE)
		return -EBADMSG;
	r = machine_sign(rehearsal, TAG_SEAL, bytes, len);
	if (r < 0)
		return r;
	if (seal_decode(bytes, len, &seal) != 0)
		return -EBADMSG;
	if (seal.phase == PHASE_WALK && rehearsal->walk_roots == work->epochs) {
		transcript->walk_seal = seal;
		return 0;
	}
	if (seal.phase == PHASE_MATRIX && rehearsal->matrix_roots == work->rounds) {
		transcript->matrix_seal = seal;
		return 0;
	}
	return -EBADMSG;
}

static int hear_open(struct rehearsal *rehearsal, uint8_t *bytes, size_t len)
{
	struct transcript *transcript = &rehearsal->transcript;
	int r;

	if (len != open_size(&transcript->session))
		return -EBADMSG;
	r = machine_sign(rehearsal, TAG_OPEN, bytes, len);
	if (r < 0)
		return r;
	r = open_decode(&transcript->session, bytes, len, rehearsal->arena, &transcript->open);
	return r > 0 ? -EBADMSG : r;
}

int rehearsal_hear(struct rehearsal *rehearsal, enum message_kind kind, const uint8_t *bytes,
		   size_t len)
{
	_cleanup_(freep) uint8_t *copy = NULL;

	if (len == 0 || len > PROVER_FRAME_MAX)
		return -EBADMSG;
	copy = malloc(len);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, len);
	switch (kind) {
	case MESSAGE_FILLED:
		return hear_filled(rehearsal, copy, len);
	case MESSAGE_ROOT:
		return hear_root(rehearsal, copy, len);
	case MESSAGE_SEAL:
		return hear_seal(rehearsal, copy, len);
	case MESSAGE_OPEN:
		return hear_open(rehearsal, copy, len);
	default:
		return -EBADMSG;
	}
}

/* ---- for prove() ---- */

static int exchange_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	const struct nonces_message *message;
	int r;

	r = rehearsal_nonces(arg, k, &message);
	if (r < 0)
		return r;
	*ret_nonces = message->nonces;
	return 0;
}

static int exchange_say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	return rehearsal_hear(arg, kind, bytes, len);
}

struct prover_exchange rehearsal_exchange(struct rehearsal *rehearsal)
{
	return (struct prover_exchange){ exchange_nonces, exchange_say, rehearsal };
}

/* ---- what comes of it ---- */

int rehearsal_transcript(const struct rehearsal *rehearsal, struct arena *arena,
			 uint8_t **ret_bytes, size_t *ret_len)
{
	return transcript_encode(&rehearsal->transcript, arena, ret_bytes, ret_len);
}

int rehearsal_sign_result(struct rehearsal *rehearsal, uint32_t member, struct result *result)
{
	uint8_t bytes[RESULT_SIZE];
	int r;

	result->session = rehearsal->transcript.session.id;
	result->member = member;
	r = random_fill(rehearsal->random, result->salt, sizeof(result->salt));
	if (r < 0)
		return r;
	result_encode(result, bytes);
	r = message_sign(rehearsal->hasher, TAG_RESULT, &rehearsal->transcript.session_digest,
			 rehearsal->members[member], bytes, sizeof(bytes));
	if (r < 0)
		return r;
	return result_decode(bytes, sizeof(bytes), result) == 0 ? 0 : -EBADMSG;
}

static int sign_commit(struct rehearsal *rehearsal, uint32_t member, const struct result *result,
		       struct commit *ret_commit)
{
	struct commit commit = { .session = rehearsal->transcript.session.id, .member = member };
	uint8_t bytes[RESULT_SIZE], signed_bytes[COMMIT_SIZE];
	int r;

	result_encode(result, bytes);
	hasher_once(rehearsal->hasher, bytes, sizeof(bytes), &commit.result);
	commit_encode(&commit, signed_bytes);
	r = message_sign(rehearsal->hasher, TAG_COMMIT, &rehearsal->transcript.session_digest,
			 rehearsal->members[member], signed_bytes, sizeof(signed_bytes));
	if (r < 0)
		return r;
	return commit_decode(signed_bytes, sizeof(signed_bytes), ret_commit) == 0 ? 0 : -EBADMSG;
}

int rehearsal_testify(struct rehearsal *rehearsal, uint32_t committed, struct testimony *testimony)
{
	struct commits *commits = &testimony->commits;
	struct hash seen;
	int r = 0;

	*commits = (struct commits){ .session = rehearsal->transcript.session.id,
				     .set = committed };
	for (uint32_t i = 0; r == 0 && i < SESSION_PANEL_MAX; i++)
		if (committed >> i & 1)
			r = sign_commit(rehearsal, i, &testimony->results[i], &commits->commits[i]);
	reveal_digest(rehearsal->hasher, &rehearsal->transcript.session_digest, commits, &seen);
	for (uint32_t i = 0; r == 0 && i < SESSION_PANEL_MAX; i++)
		if (testimony->set >> i & 1)
			r = secp_sign(rehearsal->members[i], seen.bytes, testimony->seen[i]);
	return r;
}

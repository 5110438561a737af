#include "modules/proof/conductor_state.h"

/* ---- of members ---- */

static bool is_of(const struct conductor *conductor, struct proof_id session, uint32_t said,
		  unsigned int member)
{
	return said == member && proof_id_equal(session, conductor_session(conductor)->id);
}

static bool is_signed(const struct conductor *conductor, const char *tag, unsigned int member,
		      const void *bytes, size_t len)
{
	const struct transcript *transcript = &conductor->transcript;

	return message_signed_by(conductor->hasher, tag, &transcript->session_digest,
				 &transcript->members[member], bytes, len);
}

static bool take_ncommit(struct conductor *conductor, unsigned int member, const void *bytes,
			 size_t len)
{
	struct ncommit message;

	if (conductor->step != COMMITS || ncommit_decode(bytes, len, &message) != 0 ||
	    !is_of(conductor, message.session, message.member, member) ||
	    !is_signed(conductor, TAG_NCOMMIT, member, bytes, len))
		return false;
	conductor->transcript.commits[member] = message;
	return true;
}

static bool take_nonce(struct conductor *conductor, unsigned int member, const void *bytes,
		       size_t len)
{
	struct transcript *transcript = &conductor->transcript;
	struct nonce message;
	struct hash hash;

	if (conductor->step != NONCES || nonce_decode(bytes, len, &message) != 0 ||
	    !is_of(conductor, message.session, message.member, member) || message.k != conductor->k)
		return false;
	hasher_once(conductor->hasher, message.bytes, sizeof(message.bytes), &hash);
	if (!hash_equal(&hash, &transcript->commits[member].nonces[message.k - 1]))
		return false;
	memcpy(transcript->nonces[message.k - 1].nonces.bytes[member], message.bytes,
	       sizeof(message.bytes));
	return true;
}

static bool take_commit(struct conductor *conductor, unsigned int member, const void *bytes,
			size_t len)
{
	struct commit message;

	if (conductor->step != RESULTS || commit_decode(bytes, len, &message) != 0 ||
	    !is_of(conductor, message.session, message.member, member) ||
	    !is_signed(conductor, TAG_COMMIT, member, bytes, len))
		return false;
	conductor->testimony.commits.commits[member] = message;
	return true;
}

static bool take_reveal(struct conductor *conductor, unsigned int member, const void *bytes,
			size_t len)
{
	struct testimony *testimony = &conductor->testimony;
	struct reveal message;
	struct hash hash;

	if (conductor->step != REVEALS || reveal_decode(bytes, len, &message) != 0 ||
	    !is_of(conductor, message.result.session, message.result.member, member))
		return false;
	hasher_once(conductor->hasher, bytes, RESULT_SIZE, &hash);
	if (!hash_equal(&hash, &testimony->commits.commits[member].result) ||
	    !is_signed(conductor, TAG_RESULT, member, bytes, RESULT_SIZE) ||
	    !digest_signed_by(&conductor->seen, message.signature,
			      &conductor->transcript.members[member]))
		return false;
	testimony->results[member] = message.result;
	memcpy(testimony->seen[member], message.signature, sizeof(message.signature));
	return true;
}

bool conductor_take(struct conductor *conductor, unsigned int member, enum message_kind kind,
		    const void *bytes, size_t len)
{
	switch (kind) {
	case MESSAGE_NCOMMIT:
		return take_ncommit(conductor, member, bytes, len);
	case MESSAGE_NONCE:
		return take_nonce(conductor, member, bytes, len);
	case MESSAGE_COMMIT:
		return take_commit(conductor, member, bytes, len);
	case MESSAGE_REVEAL:
		return take_reveal(conductor, member, bytes, len);
	default:
		return false;
	}
}

/* ---- of the worker ---- */

static bool take_filled(struct conductor *conductor, const void *bytes, size_t len)
{
	struct transcript *transcript = &conductor->transcript;

	return conductor->step == FILL && filled_decode(bytes, len, &transcript->filled) == 0 &&
	       proof_id_equal(transcript->filled.session, transcript->session.id);
}

static uint32_t roots_due(const struct conductor *conductor)
{
	const struct session_work *work = &conductor_session(conductor)->work;

	return conductor->step == WALK ? work->epochs : work->rounds;
}

static bool in_phase(const struct conductor *conductor, uint8_t phase)
{
	return (conductor->step == WALK && phase == PHASE_WALK) ||
	       (conductor->step == MATRIX && phase == PHASE_MATRIX);
}

static bool take_root(struct conductor *conductor, const void *bytes, size_t len)
{
	struct transcript *transcript = &conductor->transcript;
	struct root root;

	if (root_decode(bytes, len, &root) != 0 || !in_phase(conductor, root.phase) ||
	    !proof_id_equal(root.session, transcript->session.id) ||
	    root.index != conductor->roots || root.index >= roots_due(conductor))
		return false;
	(conductor->step == WALK ? transcript->walk_roots
				 : transcript->matrix_roots)[conductor->roots++] = root.root;
	return true;
}

static bool take_seal(struct conductor *conductor, const void *bytes, size_t len)
{
	struct transcript *transcript = &conductor->transcript;
	struct seal seal;

	if (seal_decode(bytes, len, &seal) != 0 || !in_phase(conductor, seal.phase) ||
	    !proof_id_equal(seal.session, transcript->session.id) ||
	    conductor->roots != roots_due(conductor))
		return false;
	*(conductor->step == WALK ? &transcript->walk_seal : &transcript->matrix_seal) = seal;
	return true;
}

static int take_open(struct conductor *conductor, const void *bytes, size_t len)
{
	struct transcript *transcript = &conductor->transcript;
	int r;

	if (conductor->step != OPENING)
		return TAKE_E_MALFORMED;
	r = open_decode(&transcript->session, bytes, len, conductor->arena, &transcript->open);
	if (r == 0 && !proof_id_equal(transcript->open.session, transcript->session.id))
		r = TAKE_E_MALFORMED;
	return r;
}

int conductor_take_worker(struct conductor *conductor, enum message_kind kind, const void *bytes,
			  size_t len)
{
	bool taken;

	switch (kind) {
	case MESSAGE_FILLED:
		taken = take_filled(conductor, bytes, len);
		break;
	case MESSAGE_ROOT:
		taken = take_root(conductor, bytes, len);
		break;
	case MESSAGE_SEAL:
		taken = take_seal(conductor, bytes, len);
		break;
	case MESSAGE_OPEN:
		return take_open(conductor, bytes, len);
	default:
		taken = false;
	}
	return taken ? 0 : TAKE_E_MALFORMED;
}

#include "checker/member_state.h"

/* ---- finding ---- */

static void begin_measuring(struct member *member)
{
	const struct member_ops *ops = &member->config.ops;

	member->measured = member->summons.port == 0 || ops->measure(ops->arg, member) < 0;
}

void member_find(struct member *member)
{
	const struct member_ops *ops = &member->config.ops;
	uint8_t *bytes;
	size_t len;
	int r;

	member_enter(member, STEP_FINDING, MEMBER_FINDING_MS);
	begin_measuring(member);
	r = transcript_encode(&member->transcript, member->arena, &bytes, &len);
	if (r == 0)
		r = ops->verify(ops->arg, member, bytes, len);
	arena_free(member->arena);
	member->arena = NULL;
	if (r < 0)
		member_end(member, "the transcript cannot be verified here");
}

static int make_result(struct member *member)
{
	struct result result = {
		.session = member->summons.session.id,
		.member = member->index,
		.bits = member->bits,
		.transcript = member->transcript_hash,
		.fill_us = member->fill_us,
		.walk_us = member->walk_us,
		.matrix_us = member->matrix_us,
		.rtt_us = member->trips.best_us,
		.down_kbps = member->down_kbps,
		.up_kbps = member->up_kbps,
	};
	int r;

	r = random_fill(member->config.random, result.salt, sizeof(result.salt));
	if (r < 0)
		return r;
	result_encode(&result, member->result);
	r = message_sign(member->hasher, TAG_RESULT, &member->transcript.session_digest,
			 member->config.key, member->result, sizeof(member->result));
	if (r < 0)
		return r;
	hasher_once(member->hasher, member->result, sizeof(member->result), &member->result_hash);
	return 0;
}

static int commit(struct member *member)
{
	const struct commit message = {
		.session = member->summons.session.id,
		.member = member->index,
		.result = member->result_hash,
	};
	uint8_t bytes[COMMIT_SIZE];
	int r;

	commit_encode(&message, bytes);
	r = message_sign(member->hasher, TAG_COMMIT, &member->transcript.session_digest,
			 member->config.key, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	member_enter(member, STEP_SHOWING, MEMBER_RESULTS_MS);
	member_send(member, MESSAGE_COMMIT, bytes, sizeof(bytes));
	return 0;
}

static void finish_finding(struct member *member)
{
	int r;

	if (member->step != STEP_FINDING || !member->verified || !member->measured)
		return;
	r = make_result(member);
	if (r == 0)
		r = commit(member);
	if (r < 0)
		member_end(member, "the result cannot be signed");
}

void member_verified(struct member *member, uint16_t bits, const struct hash *transcript)
{
	member->bits = bits;
	member->transcript_hash = *transcript;
	member->verified = true;
	finish_finding(member);
}

void member_measured(struct member *member, uint32_t down_kbps, uint32_t up_kbps)
{
	member->down_kbps = down_kbps;
	member->up_kbps = up_kbps;
	member->measured = true;
	finish_finding(member);
}

/* ---- telling ---- */

/* The relay's word alone is not enough to tell a result that others could copy: without a majority nothing can
 * be judged anyway. */
static bool may_tell(const struct member *member, const struct commits *commits)
{
	const struct transcript *transcript = &member->transcript;

	if ((uint64_t)commits->set >> member->n ||
	    2 * (unsigned int)__builtin_popcount(commits->set) <= member->n ||
	    !(commits->set >> member->index & 1) ||
	    !hash_equal(&commits->commits[member->index].result, &member->result_hash))
		return false;
	for (uint32_t i = 0; i < member->n; i++) {
		uint8_t bytes[COMMIT_SIZE];

		if (!(commits->set >> i & 1))
			continue;
		commit_encode(&commits->commits[i], bytes);
		if (!message_signed_by(member->hasher, TAG_COMMIT, &transcript->session_digest,
				       &transcript->members[i], bytes, sizeof(bytes)))
			return false;
	}
	return true;
}

void member_take_commits(struct member *member, const void *bytes, size_t len)
{
	uint8_t reveal[REVEAL_SIZE];
	struct commits commits;
	struct hash seen;

	if (member->step != STEP_SHOWING || commits_decode(bytes, len, &commits) != 0 ||
	    !proof_id_equal(commits.session, member->summons.session.id) ||
	    !may_tell(member, &commits))
		return;
	reveal_digest(member->hasher, &member->transcript.session_digest, &commits, &seen);
	memcpy(reveal, member->result, RESULT_SIZE);
	if (secp_sign(member->config.key, seen.bytes, reveal + RESULT_SIZE) < 0) {
		member_end(member, "what was seen cannot be signed");
		return;
	}
	member_enter(member, STEP_END, MEMBER_RESULTS_MS);
	member_send(member, MESSAGE_REVEAL, reveal, sizeof(reveal));
}

#include "popw/judge.h"

#include "popw/layout.h"

static const char magic[8] = "POPWR2";

enum { HEAD_SIZE = sizeof(magic) + 4, SET_SIZE = 4 };

static uint32_t u32_at(const uint8_t *bytes)
{
	uint32_t value = 0;

	layout_u32(&(struct layout){ .in = bytes }, &value);
	return value;
}

static int refuse(const char *detail, const char **ret_detail)
{
	if (ret_detail)
		*ret_detail = detail;
	return RECORD_E_MALFORMED;
}

/* COMMITS, of members of the panel. */
static int read_commits(const uint8_t *bytes, size_t len, struct record *record, size_t *ret_len,
			const char **ret_detail)
{
	const struct session *session = &record->transcript.session;
	struct commits *commits = &record->testimony.commits;
	uint32_t set;

	if (len < COMMITS_HEAD_SIZE)
		return refuse("cut off in COMMITS", ret_detail);
	set = u32_at(bytes + COMMITS_HEAD_SIZE - SET_SIZE);
	if ((uint64_t)set >> session->panel_size)
		return refuse("a COMMIT of nobody on the panel", ret_detail);
	if (len < commits_size(set))
		return refuse("cut off in COMMITS", ret_detail);
	if (commits_decode(bytes, commits_size(set), commits) != 0)
		return refuse("malformed COMMITS", ret_detail);
	if (!proof_id_equal(commits->session, session->id))
		return refuse("COMMITS of another session", ret_detail);
	*ret_len = commits_size(set);
	return 0;
}

static int read_reveals(const uint8_t *bytes, size_t len, struct record *record,
			const char **ret_detail)
{
	struct testimony *testimony = &record->testimony;

	if (len < SET_SIZE)
		return refuse("cut off behind COMMITS", ret_detail);
	testimony->set = u32_at(bytes);
	bytes += SET_SIZE;
	if (testimony->set & ~testimony->commits.set)
		return refuse("a result of a member that committed to none", ret_detail);
	if (len - SET_SIZE != (size_t)__builtin_popcount(testimony->set) * REVEAL_SIZE)
		return refuse("not as many results as the set says", ret_detail);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		struct reveal reveal;

		if (!(testimony->set >> i & 1))
			continue;
		if (reveal_decode(bytes, REVEAL_SIZE, &reveal) != 0)
			return refuse("malformed RESULT", ret_detail);
		if (reveal.result.member != i ||
		    !proof_id_equal(reveal.result.session, record->transcript.session.id))
			return refuse("RESULT of another session or member", ret_detail);
		testimony->results[i] = reveal.result;
		memcpy(testimony->seen[i], reveal.signature, SECP_SIGNATURE_SIZE);
		bytes += REVEAL_SIZE;
	}
	return 0;
}

int record_decode(struct hasher *hasher, const void *bytes, size_t len, struct arena *arena,
		  struct record *ret_record, const char **ret_detail)
{
	struct record record = { 0 };
	const uint8_t *at = bytes;
	size_t transcript_len, commits_len;
	int r;

	if (len < HEAD_SIZE || memcmp(at, magic, sizeof(magic)) != 0)
		return refuse("a record begins with POPWR2", ret_detail);
	transcript_len = u32_at(at + sizeof(magic));
	at += HEAD_SIZE;
	len -= HEAD_SIZE;
	if (transcript_len > len)
		return refuse("cut off in the transcript", ret_detail);
	r = transcript_decode(hasher, at, transcript_len, arena, &record.transcript, ret_detail);
	if (r != 0)
		return r < 0 ? r : RECORD_E_MALFORMED;
	hasher_once(hasher, at, transcript_len, &record.transcript_hash);
	at += transcript_len;
	len -= transcript_len;
	r = read_commits(at, len, &record, &commits_len, ret_detail);
	if (r == 0)
		r = read_reveals(at + commits_len, len - commits_len, &record, ret_detail);
	if (r == 0)
		*ret_record = record;
	return r;
}

static void put_reveals(struct layout *layout, const struct testimony *testimony)
{
	layout_put(layout, testimony->set, SET_SIZE);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		struct reveal reveal;

		if (!(testimony->set >> i & 1))
			continue;
		reveal.result = testimony->results[i];
		memcpy(reveal.signature, testimony->seen[i], SECP_SIGNATURE_SIZE);
		reveal_encode(&reveal, layout->out);
		layout->out += REVEAL_SIZE;
	}
}

int record_encode(const void *transcript, size_t transcript_len, const struct testimony *testimony,
		  struct arena *arena, uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t commits[COMMITS_SIZE_MAX];
	size_t commits_len = commits_encode(&testimony->commits, commits);
	size_t len = HEAD_SIZE + transcript_len + commits_len + SET_SIZE +
		     (size_t)__builtin_popcount(testimony->set) * REVEAL_SIZE;
	uint8_t *bytes = arena_alloc(arena, len);
	struct layout layout = { .out = bytes };

	if (!bytes)
		return -ENOMEM;
	memcpy(layout.out, magic, sizeof(magic));
	layout.out += sizeof(magic);
	layout_put(&layout, transcript_len, 4);
	memcpy(layout.out, transcript, transcript_len);
	layout.out += transcript_len;
	memcpy(layout.out, commits, commits_len);
	layout.out += commits_len;
	put_reveals(&layout, testimony);
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

/* ---- what it says ---- */

static const char *commit_fault(struct hasher *hasher, const struct record *record, unsigned int i)
{
	const struct transcript *transcript = &record->transcript;
	uint8_t bytes[COMMIT_SIZE];

	commit_encode(&record->testimony.commits.commits[i], bytes);
	return message_signed_by(hasher, TAG_COMMIT, &transcript->session_digest,
				 &transcript->members[i], bytes, sizeof(bytes))
		       ? NULL
		       : "its COMMIT is not signed by it";
}

static const char *result_fault(struct hasher *hasher, const struct record *record,
				const struct hash *seen, unsigned int i)
{
	const struct testimony *testimony = &record->testimony;
	const struct transcript *transcript = &record->transcript;
	uint8_t bytes[RESULT_SIZE];
	struct hash hash;

	result_encode(&testimony->results[i], bytes);
	hasher_once(hasher, bytes, sizeof(bytes), &hash);
	if (!hash_equal(&hash, &testimony->commits.commits[i].result))
		return "it is not what it committed to";
	if (!message_signed_by(hasher, TAG_RESULT, &transcript->session_digest,
			       &transcript->members[i], bytes, sizeof(bytes)))
		return "not signed by it";
	if (!digest_signed_by(seen, testimony->seen[i], &transcript->members[i]))
		return "it was told before these COMMITs were seen";
	return NULL;
}

static const char *testimony_fault(struct hasher *hasher, const struct record *record,
				   unsigned int *ret_member)
{
	const struct testimony *testimony = &record->testimony;
	const char *fault = NULL;
	struct hash seen;

	reveal_digest(hasher, &record->transcript.session_digest, &testimony->commits, &seen);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX && !fault; i++) {
		*ret_member = i;
		if (testimony->commits.set >> i & 1)
			fault = commit_fault(hasher, record, i);
		if (!fault && testimony->set >> i & 1)
			fault = result_fault(hasher, record, &seen, i);
	}
	return fault;
}

void judge_testimony(const struct session *session, const struct testimony *testimony,
		     struct verdict *ret_verdict)
{
	judge(session, testimony->results, testimony->set, ret_verdict);
	ret_verdict->unrevealed = testimony->commits.set & ~testimony->set;
}

int record_replay(struct verifier *verifier, const struct record *record,
		  struct finding *ret_finding, struct verdict *ret_verdict)
{
	const char *fault;
	unsigned int member;

	verify(verifier, &record->transcript, ret_finding);
	fault = testimony_fault(verifier_hasher(verifier), record, &member);
	if (fault) {
		snprintf(ret_finding->detail, sizeof(ret_finding->detail),
			 "RESULT of member %u: %s", member, fault);
		return RECORD_E_MALFORMED;
	}
	judge_testimony(&record->transcript.session, &record->testimony, ret_verdict);
	return 0;
}

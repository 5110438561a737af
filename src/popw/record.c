#include "popw/judge.h"

#include "popw/layout.h"

static const char magic[8] = "POPWR1";

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

static int read_results(const uint8_t *bytes, size_t len, struct record *record,
			const char **ret_detail)
{
	const struct session *session = &record->transcript.session;

	if ((uint64_t)record->set >> session->panel_size)
		return refuse("a result of nobody on the panel", ret_detail);
	if (len != (size_t)__builtin_popcount(record->set) * RESULT_SIZE)
		return refuse("not as many results as the set says", ret_detail);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		struct result *result = &record->results[i];

		if (!(record->set >> i & 1))
			continue;
		if (result_decode(bytes, RESULT_SIZE, result) != 0)
			return refuse("malformed RESULT", ret_detail);
		if (result->member != i || !proof_id_equal(result->session, session->id))
			return refuse("RESULT of another session or member", ret_detail);
		bytes += RESULT_SIZE;
	}
	return 0;
}

int record_decode(struct hasher *hasher, const void *bytes, size_t len, struct arena *arena,
		  struct record *ret_record, const char **ret_detail)
{
	struct record record = { 0 };
	const uint8_t *at = bytes;
	size_t transcript_len;
	int r;

	if (len < HEAD_SIZE || memcmp(at, magic, sizeof(magic)) != 0)
		return refuse("a record begins with POPWR1", ret_detail);
	transcript_len = u32_at(at + sizeof(magic));
	at += HEAD_SIZE;
	len -= HEAD_SIZE;
	if (len < SET_SIZE || transcript_len > len - SET_SIZE)
		return refuse("cut off in the transcript", ret_detail);
	r = transcript_decode(hasher, at, transcript_len, arena, &record.transcript, ret_detail);
	if (r != 0)
		return r < 0 ? r : RECORD_E_MALFORMED;
	hasher_once(hasher, at, transcript_len, &record.transcript_hash);
	at += transcript_len;
	record.set = u32_at(at);
	r = read_results(at + SET_SIZE, len - transcript_len - SET_SIZE, &record, ret_detail);
	if (r == 0)
		*ret_record = record;
	return r;
}

int record_encode(const void *transcript, size_t transcript_len, const struct result *results,
		  uint32_t set, struct arena *arena, uint8_t **ret_bytes, size_t *ret_len)
{
	size_t len = HEAD_SIZE + transcript_len + SET_SIZE +
		     (size_t)__builtin_popcount(set) * RESULT_SIZE;
	uint8_t *bytes = arena_alloc(arena, len);
	struct layout layout = { .out = bytes };

	if (!bytes)
		return -ENOMEM;
	memcpy(layout.out, magic, sizeof(magic));
	layout.out += sizeof(magic);
	layout_put(&layout, transcript_len, 4);
	memcpy(layout.out, transcript, transcript_len);
	layout.out += transcript_len;
	layout_put(&layout, set, SET_SIZE);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (set >> i & 1) {
			result_encode(&results[i], layout.out);
			layout.out += RESULT_SIZE;
		}
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

int record_replay(struct verifier *verifier, const struct record *record,
		  struct finding *ret_finding, struct verdict *ret_verdict)
{
	const struct transcript *transcript = &record->transcript;

	verify(verifier, transcript, ret_finding);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++) {
		uint8_t bytes[RESULT_SIZE];

		if (!(record->set >> i & 1))
			continue;
		result_encode(&record->results[i], bytes);
		if (message_signed_by(verifier_hasher(verifier), TAG_RESULT,
				      &transcript->session_digest, &transcript->members[i], bytes,
				      sizeof(bytes)))
			continue;
		snprintf(ret_finding->detail, sizeof(ret_finding->detail),
			 "RESULT of member %u: not signed by it", i);
		return RECORD_E_MALFORMED;
	}
	judge(&transcript->session, record->results, record->set, ret_verdict);
	return 0;
}

#include "fuzz.h"

#include <assert.h>

#include "popw/bandwidth.h"
#include "popw/summons.h"
#include "popw/transcript.h"

/* The first byte is the kind of the message, as in enum message_kind, or one of these. What is read must be
 * written the same again: there is one spelling of everything. */

enum { TRANSCRIPT = 0, SUMMONS = 0x80, HELLO, ANSWER };

#define AGAIN(name, size)                                               \
	static void name##_again(const uint8_t *bytes, size_t len)      \
	{                                                               \
		struct name message;                                    \
		uint8_t again[size];                                    \
                                                                        \
		if (name##_decode(bytes, len, &message) != 0)           \
			return;                                         \
		name##_encode(&message, again);                         \
		assert(len == size && memcmp(again, bytes, size) == 0); \
	}

AGAIN(ncommit, NCOMMIT_SIZE)
AGAIN(nonce, NONCE_SIZE)
AGAIN(filled, FILLED_SIZE)
AGAIN(root, ROOT_SIZE)
AGAIN(seal, SEAL_SIZE)
AGAIN(commit, COMMIT_SIZE)
AGAIN(reveal, REVEAL_SIZE)
AGAIN(bandwidth_hello, BANDWIDTH_HELLO_SIZE)
AGAIN(bandwidth_answer, BANDWIDTH_ANSWER_SIZE)

static void commits_again(const uint8_t *bytes, size_t len)
{
	struct commits message;
	uint8_t again[COMMITS_SIZE_MAX];

	if (commits_decode(bytes, len, &message) != 0)
		return;
	assert(commits_encode(&message, again) == len);
	assert(memcmp(again, bytes, len) == 0);
}

static void nonces_again(const uint8_t *bytes, size_t len)
{
	struct nonces_message message;
	uint8_t again[NONCES_SIZE_MAX];

	if (nonces_decode(bytes, len, &message) != 0)
		return;
	assert(nonces_encode(&message, again) == len);
	assert(memcmp(again, bytes, len) == 0);
}

static void session_again(const uint8_t *bytes, size_t len)
{
	struct session session;
	uint8_t again[SESSION_SIZE];
	const char *detail = NULL;

	if (session_decode(bytes, len, &session, &detail) != 0) {
		assert(detail);
		return;
	}
	session_encode(&session, again);
	assert(len == SESSION_SIZE && memcmp(again, bytes, SESSION_SIZE) == 0);
}

/* An OPEN of the session that stands before it. */
static void open_again(const uint8_t *bytes, size_t len, struct arena *arena)
{
	struct session session;
	struct open open;
	uint8_t *again;

	if (len < SESSION_SIZE || session_decode(bytes, SESSION_SIZE, &session, NULL) != 0)
		return;
	bytes += SESSION_SIZE;
	len -= SESSION_SIZE;
	assert(open_size(&session) <= OPEN_SIZE_MAX);
	if (open_decode(&session, bytes, len, arena, &open) != 0)
		return;
	again = arena_alloc(arena, len);
	assert(again);
	open_encode(&session, &open, again);
	assert(memcmp(again, bytes, len) == 0);
}

static struct hasher *hasher_here(void)
{
	static struct hasher *hasher;

	if (!hasher && hasher_new(&hasher) < 0)
		abort();
	return hasher;
}

/* Of a copy, in which the panel's hash, which nobody finds by chance, is made right. */
static void summons_again(const uint8_t *given, size_t len)
{
	enum { PANEL_SIZE_AT = 141, PANEL_AT = 186 };
	struct summons summons;
	_cleanup_(freep) uint8_t *bytes = malloc(len ? len : 1);
	uint8_t again[SUMMONS_SIZE_MAX];
	const char *detail = NULL;
	struct hash panel;
	size_t members;

	assert(bytes);
	if (len < SESSION_SIZE)
		return;
	memcpy(bytes, given, len);
	members = bytes[PANEL_SIZE_AT] * sizeof(struct address);
	if (len >= SESSION_SIZE + members) {
		hasher_once(hasher_here(), bytes + SESSION_SIZE, members, &panel);
		memcpy(bytes + PANEL_AT, panel.bytes, HASH_SIZE);
	}
	if (summons_decode(hasher_here(), bytes, len, &summons, &detail) != 0) {
		assert(detail);
		return;
	}
	assert(summons_encode(&summons, again) == len && memcmp(again, bytes, len) == 0);
}

static void transcript_again(const uint8_t *bytes, size_t len, struct arena *arena)
{
	static struct transcript transcript;
	const char *detail = NULL;
	uint8_t *again;
	size_t again_len;
	int r;

	r = transcript_decode(hasher_here(), bytes, len, arena, &transcript, &detail);
	if (r != 0) {
		assert(r == TRANSCRIPT_E_MALFORMED && detail);
		return;
	}
	assert(transcript_encode(&transcript, arena, &again, &again_len) == 0);
	assert(again_len == len && memcmp(again, bytes, len) == 0);
}

static void simple_again(unsigned int kind, const uint8_t *bytes, size_t len)
{
	switch (kind) {
	case MESSAGE_SESSION:
		session_again(bytes, len);
		break;
	case MESSAGE_NCOMMIT:
		ncommit_again(bytes, len);
		break;
	case MESSAGE_NONCE:
		nonce_again(bytes, len);
		break;
	case MESSAGE_NONCES:
		nonces_again(bytes, len);
		break;
	case MESSAGE_FILLED:
		filled_again(bytes, len);
		break;
	case MESSAGE_ROOT:
		root_again(bytes, len);
		break;
	case MESSAGE_SEAL:
		seal_again(bytes, len);
		break;
	case MESSAGE_COMMIT:
		commit_again(bytes, len);
		break;
	case MESSAGE_REVEAL:
		reveal_again(bytes, len);
		break;
	case MESSAGE_COMMITS:
		commits_again(bytes, len);
		break;
	case HELLO:
		bandwidth_hello_again(bytes, len);
		break;
	case ANSWER:
		bandwidth_answer_again(bytes, len);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;

	/* No bytes ask for more than is said of the dearest session: decoded, and written again. */
	if (len == 0 || arena_new((1200 << 10) + len + 64, &arena) < 0)
		return 0;
	if (bytes[0] == TRANSCRIPT)
		transcript_again(bytes + 1, len - 1, arena);
	else if (bytes[0] == MESSAGE_OPEN)
		open_again(bytes + 1, len - 1, arena);
	else if (bytes[0] == SUMMONS)
		summons_again(bytes + 1, len - 1);
	else
		simple_again(bytes[0], bytes + 1, len - 1);
	return 0;
}

#include "popw/transcript.h"

#include "popw/layout.h"

static const char magic[8] = "POPWT1";

/* What is left to be read, where it goes, and why it was refused. */
struct reading {
	const uint8_t *at;
	size_t left;
	struct hasher *hasher;
	struct arena *arena;
	struct transcript *transcript;
	const char *detail;
};

static int refuse(struct reading *reading, const char *detail)
{
	reading->detail = detail;
	return TRANSCRIPT_E_MALFORMED;
}

static const uint8_t *take(struct reading *reading, size_t len)
{
	const uint8_t *at = reading->at;

	if (len > reading->left)
		return NULL;
	reading->at += len;
	reading->left -= len;
	return at;
}

static bool of_session(const struct reading *reading, struct proof_id id)
{
	return proof_id_equal(id, reading->transcript->session.id);
}

static int read_set(struct reading *reading, uint32_t *ret_set)
{
	const uint8_t *bytes = take(reading, 4);

	if (!bytes)
		return refuse(reading, "cut off before a set of members");
	layout_u32(&(struct layout){ .in = bytes }, ret_set);
	return 0;
}

static int read_head(struct reading *reading)
{
	struct transcript *transcript = reading->transcript;
	const uint8_t *bytes = take(reading, sizeof(magic));
	unsigned int n;

	if (!bytes || memcmp(bytes, magic, sizeof(magic)) != 0)
		return refuse(reading, "a transcript begins with POPWT1");
	bytes = take(reading, SESSION_SIZE);
	if (!bytes)
		return refuse(reading, "cut off in the session");
	if (session_decode(bytes, SESSION_SIZE, &transcript->session, &reading->detail) != 0)
		return TRANSCRIPT_E_MALFORMED;
	session_digest(reading->hasher, &transcript->session, &transcript->session_digest);
	n = transcript->session.panel_size;
	bytes = take(reading, n * sizeof(struct address));
	if (!bytes)
		return refuse(reading, "cut off in the members");
	memcpy(transcript->members, bytes, n * sizeof(struct address));
	return 0;
}

static int read_commit(struct reading *reading, unsigned int member)
{
	struct ncommit *commit = &reading->transcript->commits[member];
	const uint8_t *bytes = take(reading, NCOMMIT_SIZE);

	if (!bytes || ncommit_decode(bytes, NCOMMIT_SIZE, commit) != 0)
		return refuse(reading, "malformed NCOMMIT");
	if (!of_session(reading, commit->session) || commit->member != member)
		return refuse(reading, "NCOMMIT of another session or member");
	return 0;
}

static int read_commits(struct reading *reading)
{
	struct transcript *transcript = reading->transcript;
	unsigned int n = transcript->session.panel_size;
	int r;

	r = read_set(reading, &transcript->committed);
	if (r != 0)
		return r;
	if ((uint64_t)transcript->committed >> n)
		return refuse(reading, "NCOMMIT of nobody on the panel");
	for (unsigned int i = 0; i < n; i++) {
		r = transcript->committed >> i & 1 ? read_commit(reading, i) : 0;
		if (r != 0)
			return r;
	}
	return 0;
}

static int read_nonces(struct reading *reading, enum session_nonce k)
{
	struct nonces_message *nonces = &reading->transcript->nonces[k - 1];
	const uint8_t *head = take(reading, NONCES_HEAD_SIZE);
	uint32_t set = 0;
	size_t size;

	if (!head)
		return refuse(reading, "cut off before NONCES");
	layout_u32(&(struct layout){ .in = head + NONCES_HEAD_SIZE - sizeof(set) }, &set);
	size = nonces_size(set);
	if (!take(reading, size - NONCES_HEAD_SIZE) || nonces_decode(head, size, nonces) != 0)
		return refuse(reading, "malformed NONCES");
	if (!of_session(reading, nonces->session) || nonces->k != k)
		return refuse(reading, "NONCES of another session or phase");
	return 0;
}

static int read_filled(struct reading *reading)
{
	struct filled *filled = &reading->transcript->filled;
	const uint8_t *bytes = take(reading, FILLED_SIZE);

	if (!bytes || filled_decode(bytes, FILLED_SIZE, filled) != 0)
		return refuse(reading, "malformed FILLED");
	if (!of_session(reading, filled->session))
		return refuse(reading, "FILLED of another session");
	return 0;
}

static int read_roots(struct reading *reading, uint32_t n, struct hash **ret_roots)
{
	const uint8_t *bytes = take(reading, (size_t)n * HASH_SIZE);
	struct hash *roots;

	if (!bytes)
		return refuse(reading, "cut off in the roots");
	roots = arena_array(reading->arena, n, sizeof(*roots));
	if (!roots)
		return -ENOMEM;
	memcpy(roots, bytes, (size_t)n * HASH_SIZE);
	*ret_roots = roots;
	return 0;
}

static int read_seal(struct reading *reading, enum phase phase, struct seal *ret_seal)
{
	const uint8_t *bytes = take(reading, SEAL_SIZE);

	if (!bytes || seal_decode(bytes, SEAL_SIZE, ret_seal) != 0)
		return refuse(reading, "malformed SEAL");
	if (!of_session(reading, ret_seal->session) || ret_seal->phase != phase)
		return refuse(reading, "SEAL of another session or phase");
	return 0;
}

static int read_walk(struct reading *reading)
{
	struct transcript *transcript = reading->transcript;
	int r;

	r = read_nonces(reading, NONCE_FILL);
	if (r == 0)
		r = read_filled(reading);
	if (r == 0)
		r = read_nonces(reading, NONCE_WALK);
	if (r == 0)
		r = read_roots(reading, transcript->session.work.epochs, &transcript->walk_roots);
	if (r == 0)
		r = read_seal(reading, PHASE_WALK, &transcript->walk_seal);
	return r;
}

static int read_matrix(struct reading *reading)
{
	struct transcript *transcript = reading->transcript;
	int r;

	r = read_nonces(reading, NONCE_MATRIX);
	if (r == 0)
		r = read_roots(reading, transcript->session.work.rounds, &transcript->matrix_roots);
	if (r == 0)
		r = read_seal(reading, PHASE_MATRIX, &transcript->matrix_seal);
	return r;
}

static int read_open(struct reading *reading)
{
	struct transcript *transcript = reading->transcript;
	size_t size = open_size(&transcript->session);
	const uint8_t *bytes = take(reading, size);
	int r;

	if (!bytes)
		return refuse(reading, "cut off in OPEN");
	r = open_decode(&transcript->session, bytes, size, reading->arena, &transcript->open);
	if (r < 0)
		return r;
	if (r > 0 || !of_session(reading, transcript->open.session))
		return refuse(reading, "OPEN of another session");
	return 0;
}

static int read_all(struct reading *reading)
{
	const struct session *session = &reading->transcript->session;
	int r;

	r = read_head(reading);
	if (r == 0)
		r = read_commits(reading);
	if (r == 0 && session->flags & SESSION_HAS_WALK)
		r = read_walk(reading);
	if (r == 0 && session->flags & SESSION_HAS_MATRIX)
		r = read_matrix(reading);
	if (r == 0)
		r = read_nonces(reading, NONCE_OPEN);
	if (r == 0)
		r = read_open(reading);
	if (r == 0 && reading->left)
		r = refuse(reading, "something follows OPEN");
	return r;
}

int transcript_decode(struct hasher *hasher, const void *bytes, size_t len, struct arena *arena,
		      struct transcript *ret_transcript, const char **ret_detail)
{
	struct transcript transcript = { 0 };
	struct reading reading = {
		.at = bytes,
		.left = len,
		.hasher = hasher,
		.arena = arena,
		.transcript = &transcript,
	};
	int r;

	r = read_all(&reading);
	if (r == 0)
		*ret_transcript = transcript;
	else if (r > 0 && ret_detail)
		*ret_detail = reading.detail;
	return r;
}

size_t transcript_size(const struct transcript *transcript)
{
	const struct session *session = &transcript->session;
	size_t size = sizeof(magic) + SESSION_SIZE + session->panel_size * sizeof(struct address) +
		      sizeof(transcript->committed) +
		      (size_t)__builtin_popcount(transcript->committed) * NCOMMIT_SIZE;

	if (session->flags & SESSION_HAS_WALK)
		size += nonces_size(transcript->nonces[NONCE_FILL - 1].nonces.set) + FILLED_SIZE +
			nonces_size(transcript->nonces[NONCE_WALK - 1].nonces.set) +
			session->work.epochs * (size_t)HASH_SIZE + SEAL_SIZE;
	if (session->flags & SESSION_HAS_MATRIX)
		size += nonces_size(transcript->nonces[NONCE_MATRIX - 1].nonces.set) +
			session->work.rounds * (size_t)HASH_SIZE + SEAL_SIZE;
	return size + nonces_size(transcript->nonces[NONCE_OPEN - 1].nonces.set) +
	       open_size(session);
}

static uint8_t *write_bytes(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *write_head(uint8_t *at, const struct transcript *transcript)
{
	uint32_t committed = transcript->committed;

	at = write_bytes(at, magic, sizeof(magic));
	session_encode(&transcript->session, at);
	at = write_bytes(at + SESSION_SIZE, transcript->members,
			 transcript->session.panel_size * sizeof(struct address));
	layout_u32(&(struct layout){ .out = at }, &committed);
	at += sizeof(committed);
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (committed >> i & 1) {
			ncommit_encode(&transcript->commits[i], at);
			at += NCOMMIT_SIZE;
		}
	return at;
}

static uint8_t *write_nonces(uint8_t *at, const struct transcript *transcript, enum session_nonce k)
{
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t size = nonces_encode(&transcript->nonces[k - 1], bytes);

	return write_bytes(at, bytes, size);
}

static uint8_t *write_walk(uint8_t *at, const struct transcript *transcript)
{
	at = write_nonces(at, transcript, NONCE_FILL);
	filled_encode(&transcript->filled, at);
	at = write_nonces(at + FILLED_SIZE, transcript, NONCE_WALK);
	at = write_bytes(at, transcript->walk_roots,
			 transcript->session.work.epochs * sizeof(struct hash));
	seal_encode(&transcript->walk_seal, at);
	return at + SEAL_SIZE;
}

static uint8_t *write_matrix(uint8_t *at, const struct transcript *transcript)
{
	at = write_nonces(at, transcript, NONCE_MATRIX);
	at = write_bytes(at, transcript->matrix_roots,
			 transcript->session.work.rounds * sizeof(struct hash));
	seal_encode(&transcript->matrix_seal, at);
	return at + SEAL_SIZE;
}

int transcript_encode(const struct transcript *transcript, struct arena *arena, uint8_t **ret_bytes,
		      size_t *ret_len)
{
	const struct session *session = &transcript->session;
	size_t size = transcript_size(transcript);
	uint8_t *bytes = arena_alloc(arena, size), *at;

	if (!bytes)
		return -ENOMEM;
	at = write_head(bytes, transcript);
	if (session->flags & SESSION_HAS_WALK)
		at = write_walk(at, transcript);
	if (session->flags & SESSION_HAS_MATRIX)
		at = write_matrix(at, transcript);
	at = write_nonces(at, transcript, NONCE_OPEN);
	open_encode(session, &transcript->open, at);
	*ret_bytes = bytes;
	*ret_len = size;
	return 0;
}

#include "checker/member_state.h"

#include "base/log.h"

enum { ARENA_BYTES = 6 << 20 /* roots, openings, and the transcript once */ };

static const char *const waits[] = {
	[STEP_COMMITS] = "the panel did not commit in time",
	[STEP_NONCES] = "the panel's nonces did not come in time",
	[STEP_FILL] = "the worker did not fill its memory in time",
	[STEP_WALK] = "the worker did not end its walks in time",
	[STEP_MATRIX] = "the worker did not end its products in time",
	[STEP_OPENING] = "the worker did not open in time",
	[STEP_FINDING] = "its own result did not come in time",
	[STEP_SHOWING] = "the panel's commits did not come in time",
	[STEP_END] = "the end was not told in time",
};

static int64_t now(const struct member *member)
{
	return member->config.ops.now_us(member->config.ops.arg);
}

void member_enter(struct member *member, enum member_step step, int64_t wait_ms)
{
	member->step = step;
	member->deadline_us = now(member) + wait_ms * 1000;
	member->roots = 0;
}

void member_end(struct member *member, const char *why)
{
	if (!member->over)
		member->over = why;
}

const char *member_over(const struct member *member)
{
	return member->over;
}

const struct summons *member_summons(const struct member *member)
{
	return &member->summons;
}

uint32_t member_index(const struct member *member)
{
	return member->index;
}

void member_send(struct member *member, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	const struct member_ops *ops = &member->config.ops;
	int r = ops->send(ops->arg, member, kind, bytes, len);

	if (r < 0)
		log_warn("checker.send", log_int("kind", kind), log_fault(r));
}

static void note(const struct member *member, const char *what)
{
	char proof[ID_TEXT_SIZE];

	proof_id_text(&member->summons.session.id, proof);
	log_warn("checker.dropped", log_text("proof", proof), log_text("why", what));
}

/* ---- round trips ---- */

static void poll(struct member *member, unsigned int more)
{
	const struct member_ops *ops = &member->config.ops;
	int r;

	member->trips.due += more;
	r = trips_next(&member->trips, member->config.random, now(member));
	if (r == 0)
		r = ops->poll(ops->arg, member, &member->trips.nonce);
	if (r < 0)
		log_warn("checker.poll", log_fault(r));
}

bool member_answered(struct member *member, const struct poll_nonce *nonce,
		     const uint8_t signature[static SIGNATURE_SIZE])
{
	if (!trips_answer(&member->trips, nonce, signature, now(member)))
		return false;
	poll(member, 0);
	return true;
}

/* ---- nonces ---- */

static bool is_of(const struct member *member, struct proof_id session)
{
	return proof_id_equal(session, member->summons.session.id);
}

static uint8_t first_nonce(const struct member *member)
{
	return member_has(member, SESSION_HAS_WALK) ? NONCE_FILL : NONCE_MATRIX;
}

static bool is_in(const struct member *member, uint32_t set)
{
	return set >> member->index & 1;
}

static bool has_quorum(const struct member *member)
{
	return (unsigned int)__builtin_popcount(member->transcript.committed) >=
	       session_quorum(member->n);
}

static void take_ncommit(struct member *member, const void *bytes, size_t len)
{
	struct transcript *transcript = &member->transcript;
	struct ncommit message;

	if (member->step != STEP_COMMITS || ncommit_decode(bytes, len, &message) != 0 ||
	    !is_of(member, message.session) || message.member >= member->n ||
	    transcript->committed >> message.member & 1) {
		note(member, "a commitment to nonces that does not belong there");
		return;
	}
	if (!message_signed_by(member->hasher, TAG_NCOMMIT, &transcript->session_digest,
			       &transcript->members[message.member], bytes, len)) {
		note(member, "a commitment to nonces that its member did not sign");
		return;
	}
	transcript->commits[message.member] = message;
	transcript->committed |= UINT32_C(1) << message.member;
}

/* The opening's nonces are of those whose nonces began the last phase. */
static bool may_open(const struct member *member)
{
	uint8_t last = member_has(member, SESSION_HAS_MATRIX) ? NONCE_MATRIX : NONCE_WALK;

	return is_in(member, member->transcript.nonces[last - 1].nonces.set);
}

/* Whether the nonce that is next may be told: behind the end of the phase before, and once. */
static bool may_reveal(const struct member *member)
{
	if (member->told_us[member->k - 1] || !is_in(member, member->transcript.committed))
		return false;
	if (member->step == STEP_COMMITS)
		return has_quorum(member);
	return member->step == STEP_NONCES && (member->k != NONCE_OPEN || may_open(member));
}

/* The relay's word "reveal k now": a nonce of nobody, all zeros. */
static bool is_word(const struct member *member, const void *bytes, size_t len)
{
	const struct nonce word = { .session = member->summons.session.id,
				    .k = member->k,
				    .member = UINT32_MAX };
	uint8_t expected[NONCE_SIZE];

	nonce_encode(&word, expected);
	return len == sizeof(expected) && memcmp(bytes, expected, sizeof(expected)) == 0;
}

static void take_word(struct member *member, const void *bytes, size_t len)
{
	struct nonce message = { .session = member->summons.session.id,
				 .k = member->k,
				 .member = member->index };
	uint8_t encoded[NONCE_SIZE];

	if (!is_word(member, bytes, len) || !may_reveal(member)) {
		note(member, "asked for a nonce that is not due");
		return;
	}
	if (member->step == STEP_COMMITS)
		member_enter(member, STEP_NONCES, MEMBER_RELAY_MS);
	memcpy(message.bytes, member->nonces[member->k - 1], sizeof(message.bytes));
	nonce_encode(&message, encoded);
	member->told_us[member->k - 1] = now(member);
	member_send(member, MESSAGE_NONCE, encoded, sizeof(encoded));
}

static void begin_phase(struct member *member)
{
	const struct session *session = &member->summons.session;

	switch (member->k) {
	case NONCE_FILL:
		member_enter(member, STEP_FILL, session->fill_ms + MEMBER_SPARE_MS);
		break;
	case NONCE_WALK:
		member_enter(member, STEP_WALK, session->walk_ms + MEMBER_SPARE_MS);
		break;
	case NONCE_MATRIX:
		member_enter(member, STEP_MATRIX, session->matrix_ms + MEMBER_SPARE_MS);
		break;
	default:
		member_enter(member, STEP_OPENING, 2 * MEMBER_SPARE_MS);
	}
}

static void take_nonces(struct member *member, const void *bytes, size_t len)
{
	struct transcript *transcript = &member->transcript;
	struct nonces_message message;

	/* A member whose commitment came too late is not asked, and yet watches. */
	if ((member->step != STEP_NONCES && member->step != STEP_COMMITS) ||
	    nonces_decode(bytes, len, &message) != 0 || !is_of(member, message.session) ||
	    message.k != member->k) {
		note(member, "nonces that do not belong there");
		return;
	}
	if (!message_signed_by(member->hasher, TAG_NONCES, &transcript->session_digest,
			       &member->config.network, bytes, len)) {
		note(member, "nonces that the network did not sign");
		return;
	}
	transcript->nonces[message.k - 1] = message;
	if (member->told_us[message.k - 1] && !is_in(member, message.nonces.set))
		note(member, "its own nonce was left out");
	begin_phase(member);
}

/* ---- the worker ---- */

/* From its own nonce to now; 0 if the phase did not wait for it. */
static uint32_t phase_us(const struct member *member, uint8_t k)
{
	int64_t told_us = member->told_us[k - 1], us = now(member) - told_us;

	if (!told_us || !is_in(member, member->transcript.nonces[k - 1].nonces.set))
		return 0;
	if (us > UINT32_MAX)
		return UINT32_MAX;
	return us > 0 ? (uint32_t)us : 1;
}

static void await_nonces(struct member *member, uint8_t k)
{
	member->k = k;
	member_enter(member, STEP_NONCES, MEMBER_RELAY_MS);
	poll(member, MEMBER_POLLS_BETWEEN);
}

static bool take_filled(struct member *member, const void *bytes, size_t len)
{
	struct filled message;

	if (member->step != STEP_FILL || filled_decode(bytes, len, &message) != 0 ||
	    !is_of(member, message.session))
		return false;
	member->fill_us = phase_us(member, NONCE_FILL);
	member->transcript.filled = message;
	await_nonces(member, NONCE_WALK);
	return true;
}

static bool in_phase(const struct member *member, uint8_t phase)
{
	return (member->step == STEP_WALK && phase == PHASE_WALK) ||
	       (member->step == STEP_MATRIX && phase == PHASE_MATRIX);
}

static uint32_t roots_due(const struct member *member)
{
	const struct session_work *work = &member->summons.session.work;

	return member->step == STEP_WALK ? work->epochs : work->rounds;
}

static bool take_root(struct member *member, const void *bytes, size_t len)
{
	struct transcript *transcript = &member->transcript;
	struct root message;

	if (root_decode(bytes, len, &message) != 0 || !is_of(member, message.session) ||
	    !in_phase(member, message.phase) || message.index != member->roots ||
	    message.index >= roots_due(member))
		return false;
	(member->step == STEP_WALK ? transcript->walk_roots
				   : transcript->matrix_roots)[member->roots++] = message.root;
	return true;
}

static bool take_seal(struct member *member, const void *bytes, size_t len)
{
	struct transcript *transcript = &member->transcript;
	struct seal message;

	if (seal_decode(bytes, len, &message) != 0 || !is_of(member, message.session) ||
	    !in_phase(member, message.phase) || member->roots != roots_due(member))
		return false;
	if (member->step == STEP_MATRIX) {
		member->matrix_us = phase_us(member, NONCE_MATRIX);
		transcript->matrix_seal = message;
		await_nonces(member, NONCE_OPEN);
		return true;
	}
	member->walk_us = phase_us(member, NONCE_WALK);
	transcript->walk_seal = message;
	await_nonces(member, member_has(member, SESSION_HAS_MATRIX) ? NONCE_MATRIX : NONCE_OPEN);
	return true;
}

static bool take_open(struct member *member, const void *bytes, size_t len)
{
	struct open *open = &member->transcript.open;

	if (member->step != STEP_OPENING ||
	    open_decode(&member->summons.session, bytes, len, member->arena, open) != 0 ||
	    !is_of(member, open->session))
		return false;
	member_find(member);
	return true;
}

static void take_of_worker(struct member *member, enum message_kind kind, const void *bytes,
			   size_t len)
{
	bool taken = false;

	if (kind == MESSAGE_FILLED)
		taken = take_filled(member, bytes, len);
	else if (kind == MESSAGE_ROOT)
		taken = take_root(member, bytes, len);
	else if (kind == MESSAGE_SEAL)
		taken = take_seal(member, bytes, len);
	else if (kind == MESSAGE_OPEN)
		taken = take_open(member, bytes, len);
	if (!taken)
		note(member, "something of the worker that does not belong there");
}

void member_take(struct member *member, enum message_kind kind, const void *bytes, size_t len)
{
	if (member->over)
		return;
	switch (kind) {
	case MESSAGE_NCOMMIT:
		take_ncommit(member, bytes, len);
		break;
	case MESSAGE_NONCE:
		take_word(member, bytes, len);
		break;
	case MESSAGE_NONCES:
		take_nonces(member, bytes, len);
		break;
	case MESSAGE_COMMITS:
		member_take_commits(member, bytes, len);
		break;
	default:
		take_of_worker(member, kind, bytes, len);
	}
}

void member_tick(struct member *member)
{
	if (member->over)
		return;
	if (now(member) >= member->deadline_us)
		member_end(member, waits[member->step]);
	else
		poll(member, 0);
}

/* ---- its life ---- */

static int refuse(const char **ret_detail, const char *why)
{
	*ret_detail = why;
	return MEMBER_E_REFUSED;
}

static int check(struct member *member, const char **ret_detail)
{
	const struct session *session = &member->summons.session;
	const struct address *self = secp_key_address(member->config.key);
	struct transcript *transcript = &member->transcript;
	struct address signer;

	if (!address_equal(&session->network, &member->config.network))
		return refuse(ret_detail, "it is another network's");
	session_digest(member->hasher, session, &transcript->session_digest);
	if (secp_recover(transcript->session_digest.bytes, session->signature, &signer) != 0 ||
	    !address_equal(&signer, &member->config.network))
		return refuse(ret_detail, "the network did not sign it");
	for (uint32_t i = 0; i < member->n; i++) {
		if (!address_equal(&member->summons.members[i], self))
			continue;
		member->index = i;
		return 0;
	}
	return refuse(ret_detail, "this checker is not in its panel");
}

static int prepare(struct member *member)
{
	const struct session *session = &member->summons.session;
	struct transcript *transcript = &member->transcript;

	transcript->session = *session;
	memcpy(transcript->members, member->summons.members, sizeof(transcript->members));
	if (member_has(member, SESSION_HAS_WALK))
		transcript->walk_roots = arena_array(member->arena, session->work.epochs,
						     sizeof(*transcript->walk_roots));
	if (member_has(member, SESSION_HAS_MATRIX))
		transcript->matrix_roots = arena_array(member->arena, session->work.rounds,
						       sizeof(*transcript->matrix_roots));
	if ((member_has(member, SESSION_HAS_WALK) && !transcript->walk_roots) ||
	    (member_has(member, SESSION_HAS_MATRIX) && !transcript->matrix_roots))
		return -ENOMEM;
	member->trips.path = (struct poll_path){
		.network = session->network,
		.machine = session->machine,
		.checker = *secp_key_address(member->config.key),
	};
	return random_fill(member->config.random, member->nonces, sizeof(member->nonces));
}

static int commit_nonces(struct member *member)
{
	struct ncommit message = { .session = member->summons.session.id, .member = member->index };
	uint8_t bytes[NCOMMIT_SIZE];
	int r;

	for (unsigned int k = 0; k < SESSION_NONCES; k++)
		hasher_once(member->hasher, member->nonces[k], SESSION_NONCE_SIZE,
			    &message.nonces[k]);
	ncommit_encode(&message, bytes);
	r = message_sign(member->hasher, TAG_NCOMMIT, &member->transcript.session_digest,
			 member->config.key, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	member->k = first_nonce(member);
	member_enter(member, STEP_COMMITS, MEMBER_RELAY_MS);
	member_send(member, MESSAGE_NCOMMIT, bytes, sizeof(bytes));
	poll(member, MEMBER_POLLS_FIRST);
	return 0;
}

int member_new(const struct member_config *config, const void *bytes, size_t len,
	       struct member **ret_member, const char **ret_detail)
{
	_cleanup_(member_freep) struct member *member = calloc(1, sizeof(*member));
	int r;

	if (!member)
		return -ENOMEM;
	member->config = *config;
	r = hasher_new(&member->hasher);
	if (r == 0)
		r = arena_new(ARENA_BYTES, &member->arena);
	if (r < 0)
		return r;
	if (summons_decode(member->hasher, bytes, len, &member->summons, ret_detail) != 0)
		return MEMBER_E_REFUSED;
	member->n = member->summons.session.panel_size;
	r = check(member, ret_detail);
	if (r == 0)
		r = prepare(member);
	if (r == 0)
		r = commit_nonces(member);
	if (r != 0)
		return r;
	*ret_member = member;
	member = NULL;
	return 0;
}

void member_free(struct member *member)
{
	if (!member)
		return;
	hasher_free(member->hasher);
	arena_free(member->arena);
	explicit_bzero(member, sizeof(*member));
	free(member);
}

#include "modules/proof/conductor_state.h"

#include "base/text.h"
#include "popw/summons.h"

enum { ARENA_BYTES = 8 << 20 /* two transcripts, and what one is made of */ };

static const char *const step_words[] = { "commit", "nonces", "fill",   "fill",  "walk",
					  "matrix", "open",   "result", "reveal" };

static unsigned int count(uint32_t set)
{
	return (unsigned int)__builtin_popcount(set);
}

static uint32_t all_of(unsigned int n)
{
	return n == 32 ? UINT32_MAX : (1u << n) - 1;
}

static bool has(const struct conductor *conductor, uint16_t phase)
{
	return (conductor_session(conductor)->flags & phase) != 0;
}

/* ---- ends ---- */

static void end_because(struct conductor *conductor, enum proof_end end, const char *detail)
{
	conductor->end.end = end;
	conductor->end.phase = step_words[conductor->step];
	if (detail)
		text_copy(conductor->end.detail, sizeof(conductor->end.detail), detail);
	if (end == END_JUDGED || proof_end_blame(end) == BLAME_PANEL)
		conductor->end.silent = conductor->asked & ~conductor->given;
	/* Who committed to no result gave none, either. */
	if (conductor->step == REVEALS)
		conductor->end.silent = all_of(conductor->n) & ~conductor->given;
	conductor->step = OVER;
}

const char *conductor_phase(const struct conductor *conductor)
{
	return conductor->step == OVER ? conductor->end.phase : step_words[conductor->step];
}

int64_t conductor_deadline(const struct conductor *conductor)
{
	return conductor->step == OVER ? 0 : conductor->deadline_ms;
}

const struct conductor_end *conductor_end(const struct conductor *conductor)
{
	return conductor->step == OVER ? &conductor->end : NULL;
}

/* ---- sending ---- */

static void to_members(struct conductor *conductor, uint32_t set, enum message_kind kind,
		       const void *bytes, size_t len)
{
	for (unsigned int i = 0; i < conductor->n; i++)
		if ((set & ~conductor->gone) >> i & 1)
			conductor->ops.to_member(conductor->ops.arg, i, kind, bytes, len);
}

static void to_all(struct conductor *conductor, enum message_kind kind, const void *bytes,
		   size_t len)
{
	conductor->ops.to_worker(conductor->ops.arg, kind, bytes, len);
	to_members(conductor, UINT32_MAX, kind, bytes, len);
}

static void send_session(struct conductor *conductor)
{
	const struct conductor_plan *plan = &conductor->plan;
	uint8_t bytes[SUMMONS_SIZE_MAX];
	struct summons summons = { .session = *conductor_session(conductor) };

	memcpy(summons.members, conductor->transcript.members, sizeof(summons.members));
	if (plan->port != 0) {
		summons.port = plan->port;
		summons.bandwidth_ms = plan->bandwidth_ms;
		snprintf(summons.host, sizeof(summons.host), "%s", plan->host);
	}
	to_all(conductor, MESSAGE_SESSION, bytes, summons_encode(&summons, bytes));
}

/* ---- steps ---- */

static void enter(struct conductor *conductor, enum step step, int64_t wait_ms, int64_t now_ms)
{
	conductor->step = step;
	conductor->deadline_ms = now_ms + wait_ms;
	conductor->given = 0;
	conductor->asked = 0;
	conductor->roots = 0;
}

static void enough_nonces(struct conductor *conductor, int64_t now_ms);

/* The clock of the next phase starts with these. The opening's are of the members whose nonces began the
 * last phase, all but one at least. */
static void ask_nonces(struct conductor *conductor, uint8_t k, int64_t now_ms)
{
	const struct nonces_message *sets = conductor->transcript.nonces;
	struct nonce word = { .session = conductor_session(conductor)->id,
			      .k = k,
			      .member = NONCE_ASKED };
	uint8_t bytes[NONCE_SIZE];

	enter(conductor, NONCES, conductor->plan.nonce_ms, now_ms);
	conductor->k = k;
	conductor->asked = conductor->transcript.committed;
	conductor->least = session_quorum(conductor->n);
	if (k == NONCE_OPEN) {
		conductor->asked =
			sets[(has(conductor, SESSION_HAS_MATRIX) ? NONCE_MATRIX : NONCE_WALK) - 1]
				.nonces.set;
		conductor->least = session_least_open(conductor->n, conductor->asked);
	}
	nonce_encode(&word, bytes);
	to_members(conductor, conductor->asked, MESSAGE_NONCE, bytes, sizeof(bytes));
	/* Some that are asked may be gone. */
	enough_nonces(conductor, now_ms);
}

static void after_commits(struct conductor *conductor, int64_t now_ms)
{
	conductor->transcript.committed = conductor->given;
	ask_nonces(conductor, has(conductor, SESSION_HAS_WALK) ? NONCE_FILL : NONCE_MATRIX, now_ms);
}

static void begin_phase(struct conductor *conductor, int64_t now_ms)
{
	const struct session *session = conductor_session(conductor);

	switch (conductor->k) {
	case NONCE_FILL:
		enter(conductor, FILL, session->fill_ms, now_ms);
		break;
	case NONCE_WALK:
		enter(conductor, WALK, session->walk_ms, now_ms);
		break;
	case NONCE_MATRIX:
		enter(conductor, MATRIX, session->matrix_ms, now_ms);
		break;
	default:
		enter(conductor, OPENING, CONDUCTOR_OPEN_MS, now_ms);
	}
}

static void close_nonces(struct conductor *conductor, int64_t now_ms)
{
	struct transcript *transcript = &conductor->transcript;
	struct nonces_message *message = &transcript->nonces[conductor->k - 1];
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len;
	int r;

	message->session = transcript->session.id;
	message->k = conductor->k;
	message->nonces.set = conductor->given;
	len = nonces_encode(message, bytes);
	r = message_sign(conductor->hasher, TAG_NONCES, &transcript->session_digest,
			 conductor->plan.network, bytes, len);
	if (r == 0)
		r = nonces_decode(bytes, len, message);
	if (r != 0) {
		end_because(conductor, END_FAULT, "the nonces cannot be signed");
		return;
	}
	to_all(conductor, MESSAGE_NONCES, bytes, len);
	begin_phase(conductor, now_ms);
}

/* All that may still come is there, or enough of it and the time is over. */
static bool complete(const struct conductor *conductor, unsigned int least, int64_t now_ms)
{
	if ((conductor->asked & ~conductor->gone & ~conductor->given) == 0)
		return true;
	return now_ms >= conductor->deadline_ms && count(conductor->given) >= least;
}

static void enough_nonces(struct conductor *conductor, int64_t now_ms)
{
	unsigned int least = conductor->least;

	/* No clock runs for the opening: all that may still come are waited for. */
	if (conductor->k != NONCE_OPEN && count(conductor->given) >= least &&
	    conductor->deadline_ms > now_ms + CONDUCTOR_LATE_MS)
		conductor->deadline_ms = now_ms + CONDUCTOR_LATE_MS;
	if (!complete(conductor, least, now_ms))
		return;
	if (count(conductor->given) < least)
		end_because(conductor, END_NO_QUORUM, "members left before their nonces came");
	else
		close_nonces(conductor, now_ms);
}

static void enough_commits(struct conductor *conductor, int64_t now_ms)
{
	unsigned int quorum = session_quorum(conductor->n);

	if (!complete(conductor, quorum, now_ms))
		return;
	if (count(conductor->given) < quorum)
		end_because(conductor, END_NO_QUORUM, "members left before they took part");
	else
		after_commits(conductor, now_ms);
}

/* ---- results ---- */

static bool is_majority(const struct conductor *conductor)
{
	return 2 * count(conductor->given) > conductor->n;
}

static void judge_now(struct conductor *conductor)
{
	struct conductor_end *end = &conductor->end;
	uint8_t *transcript, *record;
	size_t len;
	int r;

	conductor->testimony.set = conductor->given;
	r = transcript_encode(&conductor->transcript, conductor->arena, &transcript, &len);
	if (r == 0)
		r = record_encode(transcript, len, &conductor->testimony, conductor->arena, &record,
				  &end->record_len);
	if (r != 0) {
		end_because(conductor, END_FAULT, "the record cannot be made");
		return;
	}
	end->record = record;
	judge_testimony(conductor_session(conductor), &conductor->testimony, &end->verdict);
	end_because(conductor, END_JUDGED, NULL);
}

static void enough_reveals(struct conductor *conductor, int64_t now_ms)
{
	if (!complete(conductor, 0, now_ms))
		return;
	if (is_majority(conductor))
		judge_now(conductor);
	else
		end_because(conductor, END_NO_RESULTS, "half of the panel or more revealed none");
}

static void show_commits(struct conductor *conductor, int64_t now_ms)
{
	struct commits *commits = &conductor->testimony.commits;
	uint8_t bytes[COMMITS_SIZE_MAX];
	size_t len;

	commits->session = conductor_session(conductor)->id;
	commits->set = conductor->given;
	enter(conductor, REVEALS, conductor->plan.result_ms, now_ms);
	conductor->asked = commits->set;
	len = commits_encode(commits, bytes);
	reveal_digest(conductor->hasher, &conductor->transcript.session_digest, commits,
		      &conductor->seen);
	to_members(conductor, UINT32_MAX, MESSAGE_COMMITS, bytes, len);
	enough_reveals(conductor, now_ms);
}

static void enough_results(struct conductor *conductor, int64_t now_ms)
{
	if (!complete(conductor, 0, now_ms))
		return;
	if (is_majority(conductor))
		show_commits(conductor, now_ms);
	else
		end_because(conductor, END_NO_RESULTS, "half of the panel or more found none");
}

/* What this step waits for may be complete. */
static void advance(struct conductor *conductor, int64_t now_ms)
{
	switch (conductor->step) {
	case COMMITS:
		enough_commits(conductor, now_ms);
		break;
	case NONCES:
		enough_nonces(conductor, now_ms);
		break;
	case RESULTS:
		enough_results(conductor, now_ms);
		break;
	case REVEALS:
		enough_reveals(conductor, now_ms);
		break;
	default:
		break;
	}
}

void conductor_member(struct conductor *conductor, unsigned int member, enum message_kind kind,
		      const void *bytes, size_t len, int64_t now_ms)
{
	uint32_t bit = 1u << member;

	if (member >= conductor->n || conductor->step == OVER || conductor->gone & bit ||
	    conductor->heard[member] == CONDUCTOR_MESSAGES_MAX)
		return;
	conductor->heard[member]++;
	if (!(conductor->asked & bit) || conductor->given & bit ||
	    !conductor_take(conductor, member, kind, bytes, len))
		return;
	conductor->given |= bit;
	if (kind == MESSAGE_NCOMMIT)
		to_all(conductor, kind, bytes, len);
	advance(conductor, now_ms);
}

void conductor_member_gone(struct conductor *conductor, unsigned int member, int64_t now_ms)
{
	if (member >= conductor->n || conductor->step == OVER)
		return;
	conductor->gone |= 1u << member;
	advance(conductor, now_ms);
}

/* ---- what the worker says ---- */

static void wait_results(struct conductor *conductor, int64_t now_ms)
{
	enter(conductor, RESULTS, conductor->plan.result_ms + conductor->plan.bandwidth_ms, now_ms);
	conductor->asked = all_of(conductor->n);
	enough_results(conductor, now_ms);
}

static void go_on(struct conductor *conductor, enum message_kind kind, int64_t now_ms)
{
	if (kind == MESSAGE_FILLED && conductor->plan.together_ms > 0)
		enter(conductor, HELD, conductor->plan.together_ms, now_ms);
	else if (kind == MESSAGE_FILLED)
		ask_nonces(conductor, NONCE_WALK, now_ms);
	else if (kind == MESSAGE_SEAL && conductor->step == WALK &&
		 has(conductor, SESSION_HAS_MATRIX))
		ask_nonces(conductor, NONCE_MATRIX, now_ms);
	else if (kind == MESSAGE_SEAL)
		ask_nonces(conductor, NONCE_OPEN, now_ms);
	else if (kind == MESSAGE_OPEN)
		wait_results(conductor, now_ms);
}

void conductor_worker(struct conductor *conductor, enum message_kind kind, const void *bytes,
		      size_t len, int64_t now_ms)
{
	int r;

	if (conductor->step >= RESULTS)
		return;
	r = conductor_take_worker(conductor, kind, bytes, len);
	if (r != 0) {
		end_because(conductor, r < 0 ? END_FAULT : END_MALFORMED,
			    r < 0 ? "no memory for what the worker said"
				  : "the worker said what does not belong there");
		return;
	}
	to_members(conductor, UINT32_MAX, kind, bytes, len);
	go_on(conductor, kind, now_ms);
}

void conductor_worker_ended(struct conductor *conductor, enum proof_end reason, const char *detail)
{
	if (conductor->step < RESULTS)
		end_because(conductor, reason, detail);
}

/* ---- those proved together ---- */

bool conductor_awaits_fill(const struct conductor *conductor)
{
	if (!has(conductor, SESSION_HAS_WALK))
		return false;
	return conductor->step == COMMITS || conductor->step == FILL ||
	       (conductor->step == NONCES && conductor->k == NONCE_FILL);
}

bool conductor_is_held(const struct conductor *conductor)
{
	return conductor->step == HELD;
}

bool conductor_held_out(const struct conductor *conductor, int64_t now_ms)
{
	return conductor_is_held(conductor) && now_ms >= conductor->deadline_ms;
}

void conductor_release(struct conductor *conductor, int64_t now_ms)
{
	if (conductor_is_held(conductor))
		ask_nonces(conductor, NONCE_WALK, now_ms);
}

/* ---- time ---- */

void conductor_tick(struct conductor *conductor, int64_t now_ms)
{
	if (conductor->step == OVER || now_ms < conductor->deadline_ms)
		return;
	advance(conductor, now_ms);
	if (conductor->step == OVER || now_ms < conductor->deadline_ms)
		return;
	switch (conductor->step) {
	case HELD:
		conductor_release(conductor, now_ms);
		break;
	case FILL:
	case WALK:
	case MATRIX:
	case OPENING:
		end_because(conductor, END_WORKER_SILENT, "the phase was not over in its time");
		break;
	default:
		end_because(conductor, END_NO_QUORUM, "too few members gave theirs in time");
	}
}

/* ---- life ---- */

static int prepare(struct conductor *conductor, const struct conductor_plan *plan)
{
	struct transcript *transcript = &conductor->transcript;
	const struct session_work *work = &plan->session->work;
	int r;

	transcript->session = *plan->session;
	memcpy(transcript->members, plan->members, conductor->n * sizeof(*plan->members));
	r = arena_new(ARENA_BYTES, &conductor->arena);
	if (r == 0)
		r = hasher_new(&conductor->hasher);
	if (r != 0)
		return r;
	session_digest(conductor->hasher, plan->session, &transcript->session_digest);
	transcript->walk_roots = arena_array(conductor->arena, work->epochs,
					     sizeof(*transcript->walk_roots));
	transcript->matrix_roots = arena_array(conductor->arena, work->rounds,
					       sizeof(*transcript->matrix_roots));
	return transcript->walk_roots && transcript->matrix_roots ? 0 : -ENOMEM;
}

int conductor_new(const struct conductor_plan *plan, const struct conductor_ops *ops,
		  int64_t now_ms, struct conductor **ret_conductor)
{
	struct conductor *conductor = calloc(1, sizeof(*conductor));
	int r;

	if (!conductor)
		return -ENOMEM;
	conductor->plan = *plan;
	conductor->ops = *ops;
	conductor->n = plan->session->panel_size;
	r = prepare(conductor, plan);
	if (r != 0) {
		conductor_free(conductor);
		return r;
	}
	if (plan->port == 0)
		conductor->plan.bandwidth_ms = 0;
	send_session(conductor);
	enter(conductor, COMMITS, plan->nonce_ms, now_ms);
	conductor->asked = all_of(conductor->n);
	*ret_conductor = conductor;
	return 0;
}

void conductor_free(struct conductor *conductor)
{
	if (!conductor)
		return;
	hasher_free(conductor->hasher);
	arena_free(conductor->arena);
	free(conductor);
}

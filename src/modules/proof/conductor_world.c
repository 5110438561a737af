#include "modules/proof/conductor_world.h"

uint64_t below(struct world *world, uint64_t bound)
{
	uint64_t value;

	assert_int_equal(random_below(&world->random.random, bound, &value), 0);
	return value;
}

static void fill(struct world *world, void *bytes, size_t len)
{
	assert_int_equal(random_fill(&world->random.random, bytes, len), 0);
}

static void post(struct world *world, int node, bool to_node, enum message_kind kind,
		 const void *bytes, size_t len, int64_t delay_ms)
{
	int64_t *last_ms = node < 0 ? (to_node ? &world->worker_in_ms : &world->worker_out_ms)
				    : (to_node ? &world->members[node].last_in_ms
					       : &world->members[node].last_out_ms);
	struct event *event = &world->events[world->n_events++];

	assert_true(world->n_events < EVENTS);
	*event = (struct event){ world->now_ms + delay_ms, world->order++, node, to_node, kind, len,
				 malloc(len + 1) };
	assert_non_null(event->bytes);
	memcpy(event->bytes, bytes, len);
	if (event->at_ms < *last_ms)
		event->at_ms = *last_ms;
	*last_ms = event->at_ms;
}

static void to_worker(void *arg, enum message_kind kind, const void *bytes, size_t len)
{
	struct world *world = arg;

	world->sent_after_end += world->conductor && conductor_end(world->conductor);
	post(world, -1, true, kind, bytes, len, 1 + (int64_t)below(world, 20));
}

static void to_member(void *arg, unsigned int member, enum message_kind kind, const void *bytes,
		      size_t len)
{
	struct world *world = arg;

	world->sent_after_end += world->conductor && conductor_end(world->conductor);
	post(world, (int)member, true, kind, bytes, len, 1 + (int64_t)below(world, 20));
}

/* ---- members ---- */

static void member_says(struct world *world, unsigned int i, enum message_kind kind,
			const void *bytes, size_t len)
{
	struct member *member = &world->members[i];
	int64_t delay_ms = 1 + (int64_t)below(world, 20);

	if (member->manner == SILENT && member->said >= member->silent_from)
		return;
	if (member->manner == LATE)
		delay_ms += NONCE_MS + RESULT_MS;
	member->said++;
	post(world, (int)i, false, kind, bytes, len, delay_ms);
	if (below(world, 8) == 0)
		post(world, (int)i, false, kind, bytes, len, delay_ms);
}

static void member_babbles(struct world *world, unsigned int i)
{
	uint8_t bytes[GARBAGE];
	size_t len = (size_t)below(world, sizeof(bytes));

	fill(world, bytes, len);
	/* Well-formed up to its signature, now and then. */
	if (len > 21 && below(world, 2))
		memcpy(bytes, world->session.id.bytes, 16);
	post(world, (int)i, false, (enum message_kind)below(world, 12), bytes, len, 1);
}

static void member_commits_nonces(struct world *world, unsigned int i)
{
	struct ncommit message = { .session = world->session.id, .member = i };
	uint8_t bytes[NCOMMIT_SIZE];

	for (int k = 0; k < SESSION_NONCES; k++) {
		fill(world, world->members[i].nonces[k], SESSION_NONCE_SIZE);
		hasher_once(world->hasher, world->members[i].nonces[k], SESSION_NONCE_SIZE,
			    &message.nonces[k]);
	}
	ncommit_encode(&message, bytes);
	assert_int_equal(message_sign(world->hasher, TAG_NCOMMIT, &world->digest, world->keys[i],
				      bytes, sizeof(bytes)),
			 0);
	member_says(world, i, MESSAGE_NCOMMIT, bytes, sizeof(bytes));
}

static void member_gives_nonce(struct world *world, unsigned int i, const void *bytes, size_t len)
{
	struct nonce asked, message;
	uint8_t out[NONCE_SIZE];

	assert_int_equal(nonce_decode(bytes, len, &asked), 0);
	assert_int_equal(asked.member, NONCE_ASKED);
	if (asked.k == NONCE_OPEN && world->quiet >> i & 1)
		return;
	message = (struct nonce){ .session = asked.session, .k = asked.k, .member = i };
	memcpy(message.bytes, world->members[i].nonces[asked.k - 1], SESSION_NONCE_SIZE);
	nonce_encode(&message, out);
	member_says(world, i, MESSAGE_NONCE, out, sizeof(out));
}

uint16_t truth(const struct world *world)
{
	return world->craft == FORGING ? PROOF_ALL & ~PROOF_TILES : PROOF_ALL;
}

static void member_says_commit(struct world *world, unsigned int i)
{
	struct commit message = { .session = world->session.id, .member = i };
	uint8_t bytes[COMMIT_SIZE];

	hasher_once(world->hasher, world->members[i].result, RESULT_SIZE, &message.result);
	commit_encode(&message, bytes);
	assert_int_equal(message_sign(world->hasher, TAG_COMMIT, &world->digest, world->keys[i],
				      bytes, sizeof(bytes)),
			 0);
	world->members[i].committed = true;
	member_says(world, i, MESSAGE_COMMIT, bytes, sizeof(bytes));
}

static void member_finds(struct world *world, unsigned int i)
{
	struct member *member = &world->members[i];
	struct result result = { .session = world->session.id,
				 .member = i,
				 .bits = truth(world),
				 .matrix_us = 100000 + (uint32_t)below(world, 1000),
				 .rtt_us = 1000 };

	hasher_end(member->seen, &result.transcript);
	if (member->manner == LYING)
		result.bits ^= PROOF_TILES;
	fill(world, result.salt, sizeof(result.salt));
	result_encode(&result, member->result);
	assert_int_equal(message_sign(world->hasher, TAG_RESULT, &world->digest, world->keys[i],
				      member->result, RESULT_SIZE),
			 0);
	member_says_commit(world, i);
}

static void member_reveals(struct world *world, unsigned int i, const struct commits *commits,
			   const uint8_t result[static RESULT_SIZE])
{
	uint8_t bytes[REVEAL_SIZE];
	struct hash seen;

	reveal_digest(world->hasher, &world->digest, commits, &seen);
	memcpy(bytes, result, RESULT_SIZE);
	assert_int_equal(secp_sign(world->keys[i], seen.bytes, bytes + RESULT_SIZE), 0);
	member_says(world, i, MESSAGE_REVEAL, bytes, sizeof(bytes));
}

/* Another's commitment, as its own. */
static void member_copies(struct world *world, unsigned int i, const struct commits *commits)
{
	unsigned int first = (unsigned int)__builtin_ctz(commits->set);
	struct commit message = commits->commits[first];
	uint8_t out[COMMIT_SIZE];

	message.member = i;
	commit_encode(&message, out);
	assert_int_equal(message_sign(world->hasher, TAG_COMMIT, &world->digest, world->keys[i],
				      out, sizeof(out)),
			 0);
	member_says(world, i, MESSAGE_COMMIT, out, sizeof(out));
	member_reveals(world, i, commits, world->members[first].result);
}

/* Signed, and of this session, but not what it committed to. */
static void member_switches(struct world *world, unsigned int i)
{
	struct member *member = &world->members[i];
	struct result result;

	assert_int_equal(result_decode(member->result, RESULT_SIZE, &result), 0);
	result.bits ^= PROOF_TILES;
	result_encode(&result, member->result);
	assert_int_equal(message_sign(world->hasher, TAG_RESULT, &world->digest, world->keys[i],
				      member->result, RESULT_SIZE),
			 0);
}

static void member_sees_commits(struct world *world, unsigned int i, const void *bytes, size_t len)
{
	struct member *member = &world->members[i];
	struct commits commits;

	assert_int_equal(commits_decode(bytes, len, &commits), 0);
	if (member->manner == COPYING) {
		member_copies(world, i, &commits);
	} else if (member->committed && !member->revealed && member->manner != DEFECTING) {
		member->revealed = true;
		if (member->manner == SWITCHING)
			member_switches(world, i);
		if (member->manner == HASTY)
			commits.set &= ~(commits.set & -commits.set); /* one it did not wait for */
		member_reveals(world, i, &commits, member->result);
	}
}

static void member_hears(struct world *world, unsigned int i, enum message_kind kind,
			 const void *bytes, size_t len)
{
	struct member *member = &world->members[i];
	bool missed = member->manner == DEAF && member->heard > member->deaf_at;

	member->heard++;
	if (member->manner == BABBLING)
		member_babbles(world, i);
	if (member->manner == LEAVING && member->heard > member->silent_from) {
		conductor_member_gone(world->conductor, i, world->now_ms);
		return;
	}
	if (kind == MESSAGE_NONCES || (kind >= MESSAGE_FILLED && kind <= MESSAGE_OPEN))
		hasher_add(member->seen, bytes, len);
	if (kind == MESSAGE_SESSION)
		member_commits_nonces(world, i);
	else if (kind == MESSAGE_NONCE)
		member_gives_nonce(world, i, bytes, len);
	else if (kind == MESSAGE_OPEN && !missed && member->manner != COPYING)
		member_finds(world, i);
	else if (kind == MESSAGE_COMMITS)
		member_sees_commits(world, i, bytes, len);
}

/* ---- the worker ---- */

static void worker_says(struct world *world, enum message_kind kind, const void *bytes, size_t len)
{
	bool now = world->worker_said++ == world->worker_breaks;
	uint8_t garbage[GARBAGE];
	int64_t delay_ms = 1 + (int64_t)below(world, 20);

	if (world->craft == DYING && world->worker_said > world->worker_breaks)
		return;
	if (now && world->craft == GOING)
		conductor_worker_ended(world->conductor, END_WORKER_GONE, "");
	if (now && world->craft == YIELDING)
		conductor_worker_ended(world->conductor, proof_end_of_worker("yielded"), "");
	if (now && world->craft == RAVING) {
		fill(world, garbage, sizeof(garbage));
		post(world, -1, false, (enum message_kind)below(world, 12), garbage,
		     (size_t)below(world, sizeof(garbage)), delay_ms);
	}
	if (now && world->craft == REPEATING)
		post(world, -1, false, kind, bytes, len, delay_ms);
	post(world, -1, false, kind, bytes, len, delay_ms);
}

static void worker_phase(struct world *world, uint8_t phase, uint32_t n)
{
	struct seal seal = { .session = world->session.id, .phase = phase };
	uint8_t bytes[SEAL_SIZE];

	for (uint32_t i = 0; i < n; i++) {
		struct root root = { .session = world->session.id, .phase = phase, .index = i };

		fill(world, &root.root, sizeof(root.root));
		root_encode(&root, bytes);
		worker_says(world, MESSAGE_ROOT, bytes, ROOT_SIZE);
	}
	seal_encode(&seal, bytes);
	worker_says(world, MESSAGE_SEAL, bytes, SEAL_SIZE);
}

static void worker_opens(struct world *world)
{
	size_t len = open_size(&world->session);
	_cleanup_(freep) uint8_t *bytes = calloc(1, len);

	assert_non_null(bytes);
	memcpy(bytes, world->session.id.bytes, 16);
	worker_says(world, MESSAGE_OPEN, bytes, len);
}

static void worker_hears(struct world *world, enum message_kind kind, const void *bytes, size_t len)
{
	struct filled filled = { .session = world->session.id, .tag = FILLED_TAG };
	struct nonces_message nonces;
	uint8_t out[FILLED_SIZE];

	if (kind != MESSAGE_NONCES)
		return;
	assert_int_equal(nonces_decode(bytes, len, &nonces), 0);
	assert_true(message_signed_by(world->hasher, TAG_NONCES, &world->digest,
				      secp_key_address(world->network), bytes, len));
	if (nonces.k == NONCE_FILL) {
		filled_encode(&filled, out);
		worker_says(world, MESSAGE_FILLED, out, sizeof(out));
	} else if (nonces.k == NONCE_WALK) {
		worker_phase(world, PHASE_WALK, world->session.work.epochs);
	} else if (nonces.k == NONCE_MATRIX) {
		worker_phase(world, PHASE_MATRIX, world->session.work.rounds);
	} else {
		worker_opens(world);
	}
}

/* ---- a run ---- */

static void deliver(struct world *world, const struct event *event)
{
	if (event->to_node && event->from < 0)
		worker_hears(world, event->kind, event->bytes, event->len);
	else if (event->to_node)
		member_hears(world, (unsigned int)event->from, event->kind, event->bytes,
			     event->len);
	else if (event->from < 0)
		conductor_worker(world->conductor, event->kind, event->bytes, event->len,
				 world->now_ms);
	else
		conductor_member(world->conductor, (unsigned int)event->from, event->kind,
				 event->bytes, event->len, world->now_ms);
}

/* The next event up to @until_ms, if there is one. */
static bool step(struct world *world, int64_t until_ms)
{
	struct event *first = NULL, event;

	for (size_t i = 0; i < world->n_events; i++) {
		struct event *at = &world->events[i];

		if (!first || at->at_ms < first->at_ms ||
		    (at->at_ms == first->at_ms && at->order < first->order))
			first = at;
	}
	if (!first || first->at_ms > until_ms)
		return false;
	event = *first;
	*first = world->events[--world->n_events];
	world->now_ms = event.at_ms;
	deliver(world, &event);
	free(event.bytes);
	return true;
}

static void plan_session(struct world *world)
{
	struct session *session = &world->session;

	*session = (struct session){ .kind = SESSION_STANDBY,
				     .device = SESSION_HOST,
				     .flags = (uint16_t)(1 + below(world, 3)),
				     .panel_size = (uint8_t)world->n };
	session->work.open_walks = session->flags & SESSION_HAS_WALK ? 4 : 0;
	session->work.open_tiles = session->flags & SESSION_HAS_MATRIX ? 4 : 0;
	if (session->flags & SESSION_HAS_WALK) {
		session->work.n_items = 1024;
		session->work.double_rounds = session->work.steps = 1;
		session->work.walks = 2;
		session->work.epochs = 3;
		session->fill_ms = session->walk_ms = 300;
	}
	if (session->flags & SESSION_HAS_MATRIX) {
		session->work.k = 64;
		session->work.n = session->work.m = 16;
		session->work.rounds = 3;
		session->matrix_ms = 300;
	}
	fill(world, session->id.bytes, sizeof(session->id.bytes));
	session->network = *secp_key_address(world->network);
	session->machine = *secp_key_address(world->machine);
	session_panel_hash(world->hasher, world->addresses, world->n, &session->panel);
	session_digest(world->hasher, session, &world->digest);
	assert_int_equal(secp_sign(world->network, world->digest.bytes, session->signature), 0);
	assert_int_equal(session_check(session, NULL), 0);
}

static void begin(struct world *world)
{
	struct conductor_ops ops = { to_worker, to_member, world };
	struct conductor_plan plan = { .session = &world->session,
				       .members = world->addresses,
				       .network = world->network,
				       .host = "",
				       .nonce_ms = NONCE_MS,
				       .result_ms = RESULT_MS };

	world->worker_in_ms = world->worker_out_ms = world->now_ms = 1;
	world->worker_said = 0;
	world->sent_after_end = 0;
	plan_session(world);
	for (unsigned int i = 0; i < world->n; i++) {
		struct member *member = &world->members[i];
		enum manner manner = member->manner;
		struct hasher *seen = member->seen;

		*member = (struct member){ .manner = manner, .seen = seen };
		member->silent_from = (unsigned int)below(world, 12);
		member->deaf_at = (unsigned int)below(world, 20);
		hasher_start(seen);
	}
	world->conductor = NULL;
	assert_int_equal(conductor_new(&plan, &ops, world->now_ms, &world->conductor), 0);
}

const struct conductor_end *run(struct world *world)
{
	const int64_t limit_ms = CONDUCTOR_OPEN_MS + 6 * NONCE_MS + 3 * RESULT_MS + 2000;

	begin(world);
	for (int64_t ms = 0; ms < limit_ms && !conductor_end(world->conductor); ms += 100) {
		while (step(world, ms))
			continue;
		world->now_ms = ms;
		conductor_tick(world->conductor, ms);
	}
	/* Whatever comes afterwards changes nothing. */
	for (int i = 0; i < 20 && step(world, INT64_MAX); i++)
		continue;
	for (size_t i = 0; i < world->n_events; i++)
		free(world->events[i].bytes);
	world->n_events = 0;
	assert_non_null(conductor_end(world->conductor));
	return conductor_end(world->conductor);
}

struct world *world_new(uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	random_seeded_init(&world->random, seed);
	assert_int_equal(hasher_new(&world->hasher), 0);
	assert_int_equal(secp_key_generate(&world->random.random, &world->network), 0);
	assert_int_equal(secp_key_generate(&world->random.random, &world->machine), 0);
	for (unsigned int i = 0; i < MEMBERS; i++) {
		assert_int_equal(secp_key_generate(&world->random.random, &world->keys[i]), 0);
		world->addresses[i] = *secp_key_address(world->keys[i]);
		assert_int_equal(hasher_new(&world->members[i].seen), 0);
	}
	world->n = 5;
	return world;
}

void world_free(struct world *world)
{
	for (unsigned int i = 0; i < MEMBERS; i++) {
		hasher_free(world->members[i].seen);
		secp_key_free(world->keys[i]);
	}
	secp_key_free(world->network);
	secp_key_free(world->machine);
	hasher_free(world->hasher);
	free(world);
}

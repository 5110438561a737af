/* member_world.h - for tests: a panel of real members, a relay that a test can make misbehave, a worker that
 * proves on the CPU, and a clock that the test moves. Nothing is random. */
#pragma once

#include "base/log.h"
#include "checker/member.h"
#include "popw/level_world.h"
#include "popw/prove_world.h"

enum { PANEL = 5, OUTBOX_MAX = 64 };

struct said {
	enum message_kind kind;
	uint8_t bytes[256]; /* what members say is short */
	size_t len;
};

struct world {
	struct random_seeded random;
	struct rehearsal *rehearsal; /* its network, machine, members' keys and session */
	struct world_member {
		struct world *world;
		struct member *member;
		struct said said[OUTBOX_MAX];
		size_t n_said;
		uint8_t *transcript; /* handed to the verifier */
		size_t transcript_len;
		struct poll_nonce nonce; /* of its last poll */
		unsigned int polls, measures;
	} members[PANEL];
	struct summons summons;
	uint8_t summons_bytes[SUMMONS_SIZE_MAX];
	size_t summons_len;
	int64_t now_us, phase_us; /* what each phase of the worker takes */
	uint32_t deaf; /* members to whom the relay hands nothing on, and whom it does not hear */
	uint32_t unasked; /* members who are not asked for nonces when it is time */
	uint32_t left_out; /* of every set of nonces */
	struct commits commits; /* shown last */
	uint8_t shown[COMMITS_SIZE_MAX];
	size_t shown_len;
};

static inline int64_t world_now(void *arg)
{
	const struct world_member *of = arg;

	return of->world->now_us;
}

static inline int world_send(void *arg, const struct member *member _unused_,
			     enum message_kind kind, const uint8_t *bytes, size_t len)
{
	struct world_member *of = arg;
	struct said *said = &of->said[of->n_said++];

	assert_true(of->n_said < OUTBOX_MAX && len <= sizeof(said->bytes));
	said->kind = kind;
	said->len = len;
	memcpy(said->bytes, bytes, len);
	return 0;
}

static inline int world_poll(void *arg, const struct member *member _unused_,
			     const struct poll_nonce *nonce)
{
	struct world_member *of = arg;

	of->nonce = *nonce;
	of->polls++;
	return 0;
}

static inline int world_verify(void *arg, const struct member *member _unused_,
			       const uint8_t *transcript, size_t len)
{
	struct world_member *of = arg;

	assert_null(of->transcript);
	of->transcript = malloc(len);
	assert_non_null(of->transcript);
	memcpy(of->transcript, transcript, len);
	of->transcript_len = len;
	return 0;
}

static inline int world_measure(void *arg, const struct member *member _unused_)
{
	struct world_member *of = arg;

	of->measures++;
	return 0;
}

static inline int world_join(struct world *world, unsigned int i, const char **ret_detail)
{
	struct world_member *of = &world->members[i];
	const struct member_config config = {
		.network = *secp_key_address(world->rehearsal->network),
		.key = world->rehearsal->members[i],
		.random = &world->random.random,
		.ops = { world_now, world_send, world_poll, world_verify, world_measure, of },
	};

	of->world = world;
	return member_new(&config, world->summons_bytes, world->summons_len, &of->member,
			  ret_detail);
}

static inline struct world *world_new(uint16_t flags)
{
	struct world *world = calloc(1, sizeof(*world));
	struct session plan = world_plan(flags);
	const char *detail;

	assert_non_null(world);
	log_init(false, LOG_ERROR);
	random_seeded_init(&world->random, 11);
	world->now_us = 1000000;
	world->phase_us = 5000000;
	assert_int_equal(rehearsal_new(&world->random.random, PANEL, &world->rehearsal), 0);
	assert_int_equal(rehearsal_begin(world->rehearsal, &plan, &detail), 0);
	world->summons.session = world->rehearsal->transcript.session;
	memcpy(world->summons.members, world->rehearsal->transcript.members,
	       sizeof(world->summons.members));
	world->summons_len = summons_encode(&world->summons, world->summons_bytes);
	return world;
}

static inline void world_free(struct world *world)
{
	for (unsigned int i = 0; i < PANEL; i++) {
		member_free(world->members[i].member);
		free(world->members[i].transcript);
	}
	rehearsal_free(world->rehearsal);
	free(world);
}

/* The whole panel is called. */
static inline void world_call(struct world *world)
{
	const char *detail;

	for (unsigned int i = 0; i < PANEL; i++)
		assert_int_equal(world_join(world, i, &detail), 0);
}

static inline const struct said *world_last(const struct world *world, unsigned int i)
{
	const struct world_member *of = &world->members[i];

	return &of->said[of->n_said - 1];
}

static inline unsigned int world_count(const struct world *world, unsigned int i,
				       enum message_kind kind)
{
	unsigned int n = 0;

	for (size_t j = 0; j < world->members[i].n_said; j++)
		n += world->members[i].said[j].kind == kind;
	return n;
}

/* The relay hands something on. */
static inline void world_tell(struct world *world, enum message_kind kind, const void *bytes,
			      size_t len)
{
	for (unsigned int i = 0; i < PANEL; i++)
		if (!(world->deaf >> i & 1))
			member_take(world->members[i].member, kind, bytes, len);
}

/* What each said last, of @kind, to all. */
static inline void world_share(struct world *world, enum message_kind kind)
{
	for (unsigned int i = 0; i < PANEL; i++)
		if (!(world->deaf >> i & 1) && world_last(world, i)->kind == kind)
			world_tell(world, kind, world_last(world, i)->bytes,
				   world_last(world, i)->len);
}

/* The commitments of those of @set whose last word it is. */
static inline void world_show(struct world *world, uint32_t set)
{
	struct commits *commits = &world->commits;

	*commits = (struct commits){ .session = world->summons.session.id };
	for (unsigned int i = 0; i < PANEL; i++) {
		const struct said *said = world_last(world, i);

		if (!((set & ~world->deaf) >> i & 1) || said->kind != MESSAGE_COMMIT)
			continue;
		assert_int_equal(commit_decode(said->bytes, said->len, &commits->commits[i]), 0);
		commits->set |= UINT32_C(1) << i;
	}
	world->shown_len = commits_encode(commits, world->shown);
	world_tell(world, MESSAGE_COMMITS, world->shown, world->shown_len);
}

/* "Reveal k now." */
static inline void world_ask(struct world *world, uint8_t k)
{
	const struct nonce word = { .session = world->summons.session.id,
				    .k = k,
				    .member = UINT32_MAX };
	uint8_t bytes[NONCE_SIZE];

	nonce_encode(&word, bytes);
	world_tell(world, MESSAGE_NONCE, bytes, sizeof(bytes));
}

/* Makes a set of those that told it, and tells it. */
static inline int world_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct world *world = arg;
	struct nonces_message message = { .session = world->summons.session.id, .k = k };
	uint8_t bytes[NONCES_SIZE_MAX];
	size_t len;

	world->deaf |= world->unasked;
	world_ask(world, k);
	world->deaf &= ~world->unasked;
	for (unsigned int i = 0; i < PANEL; i++) {
		struct nonce nonce;

		if ((world->left_out | world->deaf) >> i & 1 ||
		    world_last(world, i)->kind != MESSAGE_NONCE)
			continue;
		assert_int_equal(nonce_decode(world_last(world, i)->bytes, NONCE_SIZE, &nonce), 0);
		assert_int_equal(nonce.k, k);
		assert_int_equal(nonce.member, i);
		message.nonces.set |= UINT32_C(1) << i;
		memcpy(message.nonces.bytes[i], nonce.bytes, sizeof(nonce.bytes));
	}
	len = nonces_encode(&message, bytes);
	assert_int_equal(message_sign(world->rehearsal->hasher, TAG_NONCES,
				      &world->rehearsal->transcript.session_digest,
				      world->rehearsal->network, bytes, len),
			 0);
	world_tell(world, MESSAGE_NONCES, bytes, len);
	world->now_us += world->phase_us;
	*ret_nonces = message.nonces;
	return 0;
}

static inline int world_say(void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	static const char *const tags[] = {
		[MESSAGE_FILLED] = TAG_FILLED,
		[MESSAGE_SEAL] = TAG_SEAL,
		[MESSAGE_OPEN] = TAG_OPEN,
	};
	struct world *world = arg;
	uint8_t *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	if (kind != MESSAGE_ROOT)
		assert_int_equal(message_sign(world->rehearsal->hasher, tags[kind],
					      &world->rehearsal->transcript.session_digest,
					      world->rehearsal->machine, copy, len),
				 0);
	world_tell(world, kind, copy, len);
	free(copy);
	return 0;
}

/* From the commitments to the openings. */
static inline void world_run(struct world *world)
{
	const struct prover_exchange exchange = { world_nonces, world_say, world };
	struct prover_device *device;
	const char *detail;

	world_share(world, MESSAGE_NCOMMIT);
	assert_int_equal(prover_cpu_open(1, &device, &detail), 0);
	assert_int_equal(prove(&world->summons.session, device, &exchange), 0);
	device->ops->close(device);
}

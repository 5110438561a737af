/* agent_stage.h - for tests: a server that opens agents' sessions, with a loop of its own on a thread,
 * and agents that speak to it over real sockets, driven step by step from the test's thread. */
#pragma once

#include <pthread.h>

#include "io/ws_client.h"
#include "wire/wire.h"
#include "modules/worker/worker_world.h"

struct stage {
	struct world *world;
	pthread_t thread;
	struct arena *arena; /* of the messages that agents got; for the whole test */
};

void stage_open(struct stage *stage, struct world *world);
void stage_close(struct stage *stage);

/* Runs @fn(@arg) on the loop and waits for its end. */
void stage_do(struct stage *stage, void (*fn)(void *arg), void *arg);

struct inbox;

struct agent {
	struct stage *stage;
	struct ws_client *client; /* on the loop; NULL when closed */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct inbox *first, **last;
	bool closed;
	uint16_t code;
	char detail[128];
	uint8_t nonce[32];
};

void agent_open(struct agent *agent, struct stage *stage);

/* Waits until it is closed, closing it itself first if @code is 0. */
void agent_done(struct agent *agent);

void agent_send(struct agent *agent, const Wire__ToServer *message);
void agent_send_raw(struct agent *agent, enum ws_kind kind, const void *bytes, size_t len);

/* The next message; fails the test when none comes within five seconds. */
const Wire__ToNode *agent_next(struct agent *agent, Wire__ToNode__BodyCase expected);

/* Waits for the end and checks its code and a part of its reason. */
void agent_expect_closed(struct agent *agent, uint16_t code, const char *part);

/* Takes the challenge into @agent->nonce. */
void agent_challenged(struct agent *agent);

/* Hello for @machine over @nonce, signed by the key of machine @signer. */
void agent_hello(struct agent *agent, size_t machine, size_t signer,
		 const uint8_t nonce[static 32]);

/* All of it, up to the first desired set, which has @generation. */
void agent_greet(struct agent *agent, struct stage *stage, size_t machine, uint64_t generation);

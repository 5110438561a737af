/* fake_engine.h - for tests only: a container engine that misbehaves in ways in which a real one
 * cannot be made to. It listens on a unix socket of the test's loop, knows one container, and breaks
 * those calls that its rules name. */
#pragma once

#include "base/base.h"

struct loop;
struct fake_engine;

enum fake_act {
	FAKE_HANG, /* takes the call and says nothing */
	FAKE_HALF, /* half a header, then nothing */
	FAKE_HALF_BODY, /* a header and half of its body, then nothing */
	FAKE_CUT, /* the same, then closes */
	FAKE_GARBAGE, /* 200 and what is no JSON */
	FAKE_FLOOD, /* 200 and bytes without an end */
	FAKE_ERROR, /* 500 with a message */
	FAKE_CONFLICT, /* 409: the name is taken */
	FAKE_MISSING, /* 404: there is no such thing */
	FAKE_IGNORE, /* says that it did it */
	FAKE_LIE, /* tells of a running container whatever it is */
	FAKE_SLOW, /* answers rightly after FAKE_SLOW_MS */
};

enum { FAKE_SLOW_MS = 50, FAKE_RULES_MAX = 8 };

/* Breaks the calls of @method whose path holds @path: @times of them (0: all) after the first
 * @after. */
struct fake_rule {
	const char *method, *path;
	enum fake_act act;
	unsigned int after, times;
	unsigned int seen; /* counted by the engine */
};

enum fake_container { FAKE_ABSENT, FAKE_CREATED, FAKE_RUNNING, FAKE_EXITED, FAKE_TORN };

_must_check_ int fake_engine_new(struct loop *loop, const char *socket,
				 struct fake_engine **ret_fake);
/* Runs the loop until all its connections are closed. */
void fake_engine_free(struct fake_engine *fake);

void fake_engine_break(struct fake_engine *fake, const struct fake_rule *rule);
void fake_engine_heal(struct fake_engine *fake);

/* The one container. A torn one lost its files, and nothing is said of it but that. */
enum fake_container fake_engine_container(const struct fake_engine *fake);
void fake_engine_set(struct fake_engine *fake, enum fake_container container);
/* Calls taken so far. */
unsigned int fake_engine_calls(const struct fake_engine *fake);

/* links.h - the checkers' sessions: one WebSocket for each, bound to its key, opened like an agent's
 * (node.h). A newer session of a checker replaces the older one. Messages go to the one listener
 * (checker.h); nothing of theirs is kept here. */
#pragma once

#include "modules/checker/checker.h"

enum {
	LINKS_GREETING_MAX = 512, /* not greeted yet */
	LINKS_HELLO_MS = 10000, /* to say hello, and for it to be looked up */
};

/* One a process, made by the module's start and freed by its stop. */
_must_check_ int links_start(const struct context *context);
void links_stop(void);

enum link_state { LINK_STATE_NONE, LINK_STATE_IDLE, LINK_STATE_OCCUPIED };

/* From any thread. */
enum link_state links_state(const struct address *checker);

/* Closes the checker's session, if there is one. From any thread. */
void links_drop(const struct address *checker, const char *reason);

/* What a checker is told of its record, for its log. Texts are borrowed. */
struct links_record {
	uint8_t session[16];
	const char *mark; /* of that session; NULL: none */
	int64_t banned_until_ms; /* 0: not; CHECKER_FOREVER_MS */
	const char *ban_reason; /* NULL: none */
};

/* To its link, if it has one: one that is away finds it in its tasks. From any thread. */
void links_tell(const struct address *checker, const struct links_record *record);

/* Whether its licences let it have tasks, and why not. From any thread; nothing where it is not linked. @standing: a
 * struct links_standing. */
struct links_standing {
	struct address checker;
	int64_t licences;
	char why[256]; /* "": they do */
};
void links_tell_standing(void *standing);

/* GET /v1/checker. */
extern const struct ws_route links_route;

/* users.h - the probes that run at the same time, each a user of a container (probe.h). */
#pragma once

#include "checker/probe.h"

enum { USERS_MAX = 4 };

struct users {
	/* On the loop, once for each probe that began. */
	void (*on_probed)(void *arg, const uint8_t id[static 16],
			  const struct probe_result *result);
	void *arg;
	struct user {
		struct users *users;
		struct probe *probe; /* NULL: free */
		uint8_t id[16];
		bool over;
	} each[USERS_MAX];
};

/* Stays where it is. */
void users_init(struct users *users,
		void (*on_probed)(void *arg, const uint8_t id[static 16],
				  const struct probe_result *result),
		void *arg);
/* Ends what runs, without a word. */
void users_done(struct users *users);

/* Of @config, on_done and arg are set here. -EBUSY: USERS_MAX run already; probe_new's faults. */
_must_check_ int users_probe(struct users *users, const uint8_t id[static 16],
			     const struct probe_config *config);

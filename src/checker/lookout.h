/* lookout.h - keeps watch (watch.h) for the control plane: takes its lists, signs what was counted, and
 * keeps that on the disk, where the next run finds it. */
#pragma once

#include "checker/watch.h"
#include "link/state.h"
#include "wire/wire.h"

struct lookout_config {
	const struct clock *clock;
	struct random *random;
	struct state *state;
	struct address network;
	const struct secp_key *key; /* the checker's; outlives the lookout */
	/* To the control plane; both negative where it was not sent. */
	int (*send)(void *arg, const Wire__ToServer *message);
	int (*poll)(void *arg, const struct address *machine, const struct poll_nonce *nonce);
	void *arg;
};

/* Zeroed until lookout_init. */
struct lookout {
	struct lookout_config config;
	struct watch *watch;
};

/* With what an earlier run counted. -ENOMEM, or why it cannot be read. */
_must_check_ int lookout_init(struct lookout *lookout, const struct lookout_config *config);
/* Keeps what was counted. */
void lookout_done(struct lookout *lookout);

/* Messages of the control plane. */
void lookout_watch(struct lookout *lookout, const Wire__Watch *watch);
void lookout_heard(struct lookout *lookout, const Wire__Heard *heard);
void lookout_answered(struct lookout *lookout, const struct poll_nonce *nonce,
		      const uint8_t signature[static SIGNATURE_SIZE]);

/* Often, while the link is up. */
void lookout_tick(struct lookout *lookout);
/* The link is down. */
void lookout_down(struct lookout *lookout);
/* The link is up and the run about to end. */
void lookout_report_all(struct lookout *lookout);
/* Onto the disk, if anything has changed. */
void lookout_keep(struct lookout *lookout);

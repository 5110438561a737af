/* seats.h - the sessions that a checker is a member of, SEATS_MAX at once: each a member.h with its
 * measurement of bandwidth, and one finder.h for all of them. Members' messages go out, and those of the
 * control plane find the member that they are for. */
#pragma once

#include "checker/member.h"
#include "wire/wire.h"

struct finder;
struct finding;
struct loop;
struct seats;
struct throughput;

enum { SEATS_MAX = 16 /* more are refused */ };

struct seats_config {
	struct loop *loop;
	struct random *random;
	struct address network;
	const char *url; /* of it; outlives the seats */
	const struct secp_key *key; /* the checker's; outlives the seats */
	int (*twist)(struct finding *finding); /* finder.h */
	/* To the control plane; both negative where it was not sent. */
	int (*send)(void *arg, const Wire__ToServer *message);
	int (*poll)(void *arg, const struct address *machine, const struct poll_nonce *nonce);
	void *arg;
};

/* One of them, and what its member holds outside of its state machine. */
struct seat {
	struct seats *seats;
	struct member *member; /* NULL: free */
	struct throughput *throughput;
};

/* Zeroed until seats_init. */
struct seats {
	struct seats_config config;
	struct finder *finder;
	struct seat each[SEATS_MAX];
};

/* -ENOMEM, or why there is no thread. */
_must_check_ int seats_init(struct seats *seats, const struct seats_config *config);
/* Leaves the sessions; before the link is freed. */
void seats_leave(struct seats *seats, const char *why);
void seats_done(struct seats *seats);

/* Messages of the control plane. */
void seats_proof(struct seats *seats, const Wire__Proof *proof);
void seats_proof_end(struct seats *seats, const Wire__ProofEnd *end);
/* Whether the answer was to a member's poll. */
bool seats_answered(struct seats *seats, const struct poll_nonce *nonce,
		    const uint8_t signature[static SIGNATURE_SIZE]);

/* Often: members give up what has come too late. */
void seats_tick(struct seats *seats);

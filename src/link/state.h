/* state.h - what a node keeps on disk: small files under one folder, each replaced whole.
 *
 * A file is written beside its place, synced and renamed, so that a crash at any point leaves the
 * old one or the new one. A first line carries version, length and a checksum: what is damaged is
 * refused, never half believed. One process holds the folder at a time.
 *
 *	config	where the network is	key	the node's secret, 0600
 *	a worker's: desired	the last desired set	leases/ID.json	one record a lease	logs/	logbook.h
 *	a checker's: watch	the polls of the hours not reported yet */
#pragma once

#include "base/arena.h"
#include "security/secp.h"

struct state;

enum { STATE_VERSION = 1, STATE_FILE_MAX = 2 << 20 };

/* Makes the folder (0700) if needed and takes it. -EBUSY: another process holds it. */
_must_check_ int state_open(const char *path, struct state **ret_state);

/* Only to read what is there, beside the process that holds it. -ENOENT. */
_must_check_ int state_look(const char *path, struct state **ret_state);
void state_close(struct state *state);

/* The folder itself, for those that keep files of their own in it. */
int state_fd(const struct state *state);

/* Makes the folder @name in it, if it is not there. */
_must_check_ int state_folder(struct state *state, const char *name);

/* @name: "desired" or "leases/x.json". On 0 it is on the disk. */
_must_check_ int state_write(struct state *state, const char *name, const void *bytes, size_t len);

/* -ENOENT; -EBADMSG: damaged; -EPROTONOSUPPORT: of a later version. */
_must_check_ int state_read(struct state *state, const char *name, struct arena *arena,
			    const void **ret_bytes, size_t *ret_len);

/* Removing what is not there is fine. */
_must_check_ int state_remove(struct state *state, const char *name);

/* Calls @fn for each file of @folder ("leases"); a negative answer ends it and is returned. */
_must_check_ int state_each(struct state *state, const char *folder,
			    int (*fn)(void *arg, const char *name), void *arg);

/* Whose folder it is. */
enum state_node {
	STATE_ANY, /* not known: written before folders said so */
	STATE_WORKER,
	STATE_CHECKER,
	STATE_VPN, /* a gateway or lighthouse of the VPN, and nothing else */
};

struct state_config {
	enum state_node node;
	char url[512]; /* of the control plane: http(s)://host[:port] */
	char name[65]; /* of the node, for people */
	struct address network; /* the network key's */
};

_must_check_ int state_write_config(struct state *state, const struct state_config *config);
_must_check_ int state_read_config(struct state *state, struct state_config *ret_config);
_must_check_ int state_write_key(struct state *state, const struct secp_key *key);
_must_check_ int state_read_key(struct state *state, struct secp_key **ret_key);

/* The key that is there, or a new one, which is on the disk before it is returned. */
_must_check_ int state_take_key(struct state *state, struct random *random,
				struct secp_key **ret_key);

/* For tests: the process dies like kill -9 does at the @n-th step on the disk from now on (1 is the
 * next one): before a file is made, in the middle of a write, before a sync, before the rename,
 * before the folder's sync. */
void state_die_at(struct state *state, unsigned int n);

static inline void state_closep(struct state **state)
{
	state_close(*state);
}

/* vpn_keeper.h - keeps a machine in the mesh VPN: makes its key, asks the control plane what holds (vpn_fetch.h),
 * writes that for nebula, runs nebula and has it reload, starts it again when it dies, and tells how things are.
 *
 * What was written stands while the control plane is away: nebula starts with it, and tunnels go on until
 * the certificate is over. Nebula dies with this process. */
#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "link/vpn_fetch.h"

struct loop;
struct vpn_keeper;

enum {
	VPN_TICK_MS = 250,
	VPN_NONE_MS = 60000, /* a network without a VPN is asked again so late */
	VPN_REFUSED_MS = 10000, /* and one that does not have this machine */
	VPN_STATUS_MAX = 1 << 20,
};

struct vpn_keeper_config {
	struct loop *loop;
	const struct clock *clock;
	struct random *random;
	const char *state; /* the machine's folder; its own is "vpn" in it */
	const char *url; /* of the control plane */
	struct address network;
	const struct secp_key *key; /* the machine's */
	const char *nebula; /* the program, absolute */
	uint16_t proof_port; /* a worker's, 0: none */
};

/* Where nebula is installed; NULL: it is not. */
const char *vpn_keeper_program(void);

/* Starts; everything else happens on the loop and a thread of its own. The configuration's texts and objects
 * outlive it. -EBUSY: another process keeps this folder's; -EBADMSG: its key is damaged; -ENOMEM, ... */
_must_check_ int vpn_keeper_new(const struct vpn_keeper_config *config,
				struct vpn_keeper **ret_keeper);

/* After loop_run returned. Ends nebula. May wait as long as a question may take. */
void vpn_keeper_free(struct vpn_keeper *keeper);

/* node_vpn.h - the mesh VPN of a machine that a command runs: what `--vpn` says, and the keeper. */
#pragma once

#include "link/state.h"
#include "link/vpn_keeper.h"

#define NODE_VPN_ROW                                                                       \
	{                                                                                  \
		"vpn", 0, "WORD",                                                          \
			"keep it in the network's VPN: on, off, or auto: where nebula is " \
			"installed (auto)"                                                 \
	}

struct node_vpn {
	struct secp_key *key;
	struct state_config config;
	struct vpn_keeper *keeper; /* NULL: none is kept */
};

/* Whether @word is on, off or auto. */
bool node_vpn_word_ok(const char *word);

/* 0, or an exit status: it is asked for and cannot be. @state, joined, and the texts outlive it. */
_must_check_ int node_vpn_start(const char *word, struct loop *loop, struct state *state,
				const char *folder, uint16_t proof_port, struct node_vpn *ret_vpn);
/* After loop_run returned, before loop_free. */
void node_vpn_end(struct node_vpn *vpn);

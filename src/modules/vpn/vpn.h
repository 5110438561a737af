/* vpn.h - the mesh VPN's members: who is in it, at which address, with which certificate.
 *
 * The network is Nebula's certificate authority. A machine makes its own key and asks, again and again, for
 * what holds of it now: its certificate, the lighthouses, the certificates that were revoked. A question is
 * signed with the machine's key, and asking twice changes nothing; a certificate is signed anew when a third
 * of its life is over. Workers and checkers belong to the VPN by what they are, gateways and lighthouses
 * because an operator added them. */
#pragma once

#include "api/route.h"

enum vpn_outcome {
	VPN_E_SIGNATURE = ROUTE_E_MODULE, /* not by the machine's key over vpn_digest */
	VPN_E_CLOCK, /* the machine's clock and the network's are too far apart */
	VPN_E_STRANGER, /* neither a worker, nor a checker that may verify, nor added */
	VPN_E_REVOKED, /* by an operator */
	VPN_E_NONE, /* no lighthouse: there is no VPN */
	VPN_E_TOO_MANY_KEYS, /* of one machine at once */
	VPN_E_FULL, /* no address is left */
	VPN_E_TAKEN, /* the machine is in the VPN as something else */
};

extern const struct module vpn_module;

/* rewards.h - what an epoch's machines and checkers are paid, by the pure rules of rewards/epoch.h.
 *
 * Epoch N is the time from N * settings->epoch_ms on, since 1970. When it is over, and a grace for the
 * checkers' late reports with it, its records are written, the payouts computed from the records' text,
 * and both published for ever: GET /v1/rewards/{epoch}/records and /payouts. With a chain,
 * accounts' sums become roots of the contract that pays (roots.h); without one, the table is what the operator pays by. */
#pragma once

#include "api/route.h"

enum rewards_outcome {
	REWARDS_E_NOT_CLOSED = ROUTE_E_MODULE, /* nothing is published yet */
	REWARDS_E_NO_CHAIN,
	REWARDS_E_NOT_WITHDRAWN, /* only a withdrawn root is made anew */
	REWARDS_E_TOO_LARGE, /* a text above REPLY_PLAIN_MAX */
};

extern const struct module rewards_module;

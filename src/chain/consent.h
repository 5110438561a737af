/* consent.h - a machine's key says who may register the machine: EIP-712, as contracts/src/Registry.sol checks it. */
#pragma once

#include "chain/contracts.h"
#include "security/secp.h"

struct consent {
	struct address machine, owner;
	enum machine_kind kind;
	uint8_t specification[32]; /* the hash of what the machine is */
	uint64_t nonce; /* Registry.nonces: how often the machine was registered before */
	uint64_t deadline_s; /* since 1970; later it counts no more */
};

void consent_digest(const struct consent *consent, uint64_t chain_id,
		    const struct address *registry, uint8_t ret_digest[static 32]);

/* Registry.register with the machine's @signature. @maximum_fee: what its owner is ready to pay. -ENOMEM. */
_must_check_ int call_register(const struct consent *consent,
			       const uint8_t signature[static SECP_SIGNATURE_SIZE],
			       struct u256 maximum_fee, struct arena *arena,
			       struct call_data *ret_data);

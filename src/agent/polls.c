#include "agent/polls.h"

#include "base/log.h"
#include "wire/sign.h"

static bool take_one(struct polls *polls)
{
	int64_t second = clock_mono_ms(polls->clock) / 1000;

	if (second != polls->second) {
		polls->second = second;
		polls->n = 0;
	}
	if (polls->n < POLLS_A_SECOND) {
		polls->n++;
		return true;
	}
	if (!polls->told)
		log_warn("polls.too_many", log_int("a_second", POLLS_A_SECOND));
	polls->told = true;
	return false;
}

int polls_answer(struct polls *polls, const Wire__Poll *poll,
		 uint8_t ret_signature[static SECP_SIGNATURE_SIZE])
{
	struct poll_statement statement = { .network = polls->network };
	uint8_t digest[SIGN_DIGEST_SIZE];

	memcpy(statement.machine.address.bytes, poll->machine.data,
	       sizeof(statement.machine.address));
	memcpy(statement.checker.bytes, poll->checker.data, sizeof(statement.checker));
	memcpy(statement.nonce, poll->nonce.data, sizeof(statement.nonce));
	if (!address_equal(&statement.machine.address, secp_key_address(polls->key)))
		return POLLS_E_NOT_OURS;
	if (!take_one(polls))
		return POLLS_E_TOO_MANY;
	poll_digest(&statement, digest);
	return secp_sign(polls->key, digest, ret_signature);
}

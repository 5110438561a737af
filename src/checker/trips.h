/* trips.h - the smallest round trip to one machine, from polls that follow one another. What a machine needs
 * to be told and to tell is taken off the times of its phases; only an answer that it signed counts. */
#pragma once

#include "base/random.h"
#include "checker/poll.h"

struct trips {
	struct poll_path path;
	unsigned int due; /* polls that are still to be made */
	bool waiting; /* for the answer to @nonce */
	struct poll_nonce nonce;
	int64_t sent_us;
	unsigned int answered;
	uint32_t best_us; /* 0: no answer yet */
};

/* Whether a poll with trips->nonce is to be sent now; one at a time. The randomness' fault. */
enum trips_outcome { TRIPS_E_NOTHING = 1 };
_must_check_ int trips_next(struct trips *trips, struct random *random, int64_t now_us);

/* Whether it was the answer that is waited for, whatever its signature is worth. */
bool trips_answer(struct trips *trips, const struct poll_nonce *nonce,
		  const uint8_t signature[static SIGNATURE_SIZE], int64_t now_us);

#include "checker/trips.h"

static bool is_late(const struct trips *trips, int64_t now_us)
{
	return now_us - trips->sent_us > POLL_ANSWER_MS * INT64_C(1000);
}

int trips_next(struct trips *trips, struct random *random, int64_t now_us)
{
	int r;

	if (trips->waiting && is_late(trips, now_us))
		trips->waiting = false;
	if (trips->waiting || trips->due == 0)
		return TRIPS_E_NOTHING;
	r = random_fill(random, trips->nonce.bytes, sizeof(trips->nonce.bytes));
	if (r < 0)
		return r;
	trips->due--;
	trips->waiting = true;
	trips->sent_us = now_us;
	return 0;
}

bool trips_answer(struct trips *trips, const struct poll_nonce *nonce,
		  const uint8_t signature[static SIGNATURE_SIZE], int64_t now_us)
{
	int64_t us = now_us - trips->sent_us;

	if (!trips->waiting || !poll_nonce_equal(nonce, &trips->nonce))
		return false;
	trips->waiting = false;
	if (is_late(trips, now_us) || !poll_answer_holds(&trips->path, nonce, signature))
		return true;
	/* 0 stands for "not measured". */
	us = us > 0 ? us : 1;
	if (trips->answered++ == 0 || us < trips->best_us)
		trips->best_us = (uint32_t)us;
	return true;
}

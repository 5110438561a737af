/* proof_json.h - sessions as the API spells them. New values; NULL without memory. */
#pragma once

#include "modules/proof/proof_store.h"

/* What a list shows. */
json_t *proof_json(const struct proof_row *row, size_t n_members);
/* All but the record: enough to draw the panel again. @appeal_until_ms: until when its machine's owner may appeal;
 * 0: not. */
json_t *proof_json_whole(const struct proof_row *row, const struct proof_member *members, size_t n,
			 int64_t appeal_until_ms);
json_t *proof_json_beacon(const struct beacon *beacon, const struct settings *settings);
/* base64url, without padding. */
json_t *proof_json_base64(const void *bytes, size_t len);

/* summons.h - the body of MESSAGE_SESSION: what calls worker and panel together.
 *
 *	SESSION, 283 · the members' addresses, 20 each, panel_size of them · 2 port · 1 length of the host ·
 *	the host · 2 bandwidth_ms
 *
 * Only SESSION is signed. It names the panel's hash, which the members' addresses are held against; where
 * bandwidth is measured is the control plane's word. */
#pragma once

#include "popw/session.h"

enum {
	SUMMONS_HOST_MAX = 253,
	SUMMONS_SIZE_MAX = SESSION_SIZE + SESSION_PANEL_MAX * sizeof(struct address) + 5 +
			   SUMMONS_HOST_MAX,
};

struct summons {
	struct session session;
	struct address members[SESSION_PANEL_MAX]; /* session.panel_size of them */
	uint16_t port; /* of the worker, for bandwidth.h; 0: not measured */
	char host[SUMMONS_HOST_MAX + 1]; /* printable ASCII; "" where there is no port */
	uint16_t bandwidth_ms; /* for each direction; 0 where there is no port */
};

enum summons_outcome { SUMMONS_E_MALFORMED = 1 };

/* Returns the length. @summons is one that summons_decode would take. */
size_t summons_encode(const struct summons *summons, uint8_t ret_bytes[static SUMMONS_SIZE_MAX]);

/* Checks lengths, the session's bounds, and the members against the session's panel; not the signature.
 * SUMMONS_E_MALFORMED; @ret_detail (may be NULL): what was wrong, static. */
_must_check_ int summons_decode(struct hasher *hasher, const void *bytes, size_t len,
				struct summons *ret_summons, const char **ret_detail);

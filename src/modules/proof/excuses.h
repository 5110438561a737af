/* excuses.h - what sessions of a rented machine mean for its tenants' bills. A GPU is one lease's; the host is
 * everybody's. A lease is excused by one device at a time: from the session that failed on, until that device passes.
 * Where another of its devices fails still, that one excuses it from then on. */
#pragma once

#include "modules/proof/proof_store.h"

/* The panel of @row, judged just now, found a fault in its exact part. */
_must_check_ int excuses_begin(const struct context *context, struct tx *tx,
			       const struct proof_row *row);

/* The device passed: ends what it excused. */
_must_check_ int excuses_end(const struct context *context, struct tx *tx,
			     const struct proof_row *row);

/* bill_record.h - what a bill's lease states, as it is signed and as the network anchors it (wire/sign.h). Pure. */
#pragma once

#include "cmd/bill.h"

/* "0x" and 130 digits. */
bool bill_signature(const char *text, uint8_t ret_signature[static SIGNATURE_SIZE]);

/* What @network must have signed, if the bill is its. */
void bill_terms_digest(const struct bill *bill, const struct bill_lease *lease,
		       const struct address *network, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void bill_usage_digest(const struct bill *bill, const struct bill_lease *lease,
		       const struct address *network, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
struct excuse_statement bill_excuse_statement(const struct bill_lease *lease,
					      const struct bill_excuse *excuse,
					      const struct address *network);

/* What @network must have signed of the whole bill. -EINVAL: a signature is none. */
_must_check_ int bill_whole_digest(const struct bill *bill, const struct address *network,
				   uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* What is recorded of a rental that has ended. */
void bill_rental_digest(const struct bill *bill, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* The digest of the record lease->record of a bill that holds: all that it states of the lease; of record 0, the
 * placing, what was agreed then. -EINVAL: a signature is none. */
_must_check_ int bill_record_digest(const struct bill *bill, const struct bill_lease *lease,
				    uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

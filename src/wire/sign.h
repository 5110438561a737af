/* sign.h - the exact bytes that machines and the network sign or record, so that anybody can check a bill.
 *
 * Every digest is Keccak-256 over a fixed layout: a 16-byte tag (NUL-padded), then the fields in the
 * order of the struct; integers are 8 bytes big-endian, ids and addresses raw. Signatures are 65-byte
 * recoverable secp256k1 (r, s, v with v 27 or 28, low s). */
#pragma once

#include "base/address.h"
#include "base/amount.h"
#include "base/id.h"
#include "wire/spans.h"

enum { SIGN_DIGEST_SIZE = 32, SIGNATURE_SIZE = 65 };

/* "kaisar-hello-1": by the machine, at the start of an agent's session. */
struct hello_statement {
	struct address network;
	uint8_t nonce[32];
	struct machine_id machine;
};

/* "kaisar-join-1": by the machine's new key, to show that it is held. @token_hash is SHA-256 of the
 * join token. */
struct join_statement {
	uint8_t token_hash[32];
	struct machine_id machine;
};

/* "kaisar-terms-1": by the network, when a rental is placed. */
struct terms_statement {
	struct address network;
	struct rental_id rental;
	struct lease_id lease;
	struct account_id tenant;
	struct machine_id machine;
	struct amount rate_hour;
	int64_t fee_basis_points;
	int64_t placed_at_ms;
};

/* "kaisar-usage-1": by the machine; cumulative. @final is one byte. */
struct usage_statement {
	struct address network;
	struct machine_id machine;
	struct lease_id lease;
	struct rental_id rental;
	uint64_t sequence;
	int64_t started_at_ms;
	int64_t until_ms;
	int64_t seconds;
	bool final;
};

/* "kaisar-receipt-1": by the network, over the usage it accepted and what it charged for it. */
struct receipt_statement {
	uint8_t usage_digest[SIGN_DIGEST_SIZE];
	struct amount charged; /* total for the lease */
};

/* "kaisar-poll-1": by the machine, in answer to a checker. @nonce is 16 bytes. */
struct poll_statement {
	struct address network;
	struct machine_id machine;
	struct address checker;
	uint8_t nonce[16];
};

/* "kaisar-uptime-2": by the checker. The spans come last, as wire/spans.h encodes them. */
struct uptime_statement {
	struct address network;
	struct machine_id machine;
	struct address checker;
	int64_t hour_ms; /* the length of an "hour" in this network */
	int64_t hour; /* since 1970, in such hours */
	int64_t polls, answered;
	struct spans away;
};

/* "kaisar-checker-1": by a new checker's key, to show that @account may register it. */
struct checker_statement {
	struct address network;
	struct address checker;
	struct account_id account;
};

/* "kaisar-vpn-1": by a machine, to have its key for the VPN certified. It says when, so that what was heard
 * once is worth nothing later. */
struct vpn_statement {
	struct address network;
	struct machine_id machine;
	uint8_t public_key[32];
	int64_t at_ms;
};

/* "kaisar-excuse-2": by the network: from then until then the lease is not billed, since a majority of
 * checkers found the machine unusable: in the session @proof, or, where that is zeros, could not reach it
 * in @hour, as their reports of that hour say. @until_ms 0: it goes on. */
struct excuse_statement {
	struct address network;
	struct lease_id lease;
	uint8_t proof[16];
	int64_t hour; /* with a proof: 0 */
	int64_t from_ms;
	int64_t until_ms;
};

/* "kaisar-record-2": signed by nobody; all that the bill of a lease states at some time, as the network anchors it. */
struct record_statement {
	uint8_t terms_digest[SIGN_DIGEST_SIZE];
	uint8_t terms_signature[SIGNATURE_SIZE];
	int64_t placing; /* which of its rental's leases it is, from 1; 0: placed before they were numbered */
	struct account_id provider;
	bool billed; /* one byte */
	int64_t ended_at_ms; /* 0: it goes on */
	uint8_t usage_digest
		[SIGN_DIGEST_SIZE]; /* zeros, as the next two: the machine has not reported */
	uint8_t usage_signature[SIGNATURE_SIZE];
	uint8_t receipt_signature[SIGNATURE_SIZE];
	struct amount charged, unpaid;
	uint8_t excuses[SIGN_DIGEST_SIZE]; /* zeros, before record_excuse */
};

/* "kaisar-rental-1": signed by nobody; that a rental has ended, and after how many leases, as the network anchors it. */
struct rental_statement {
	struct address network;
	struct rental_id rental;
	struct account_id tenant;
	int64_t placings;
};

/* "kaisar-bill-1": by the network, over a whole bill as it was given out. */
struct bill_statement {
	struct address network;
	struct rental_id rental;
	struct account_id tenant;
	int64_t made_at_ms;
	int64_t placings; /* leases that the rental has had */
	int64_t n_leases; /* of which in the bill */
	uint8_t leases[SIGN_DIGEST_SIZE]; /* zeros, before bill_add_lease */
	struct amount total;
};

void hello_digest(const struct hello_statement *hello, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void join_digest(const struct join_statement *join, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void terms_digest(const struct terms_statement *terms, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void usage_digest(const struct usage_statement *usage, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void receipt_digest(const struct receipt_statement *receipt,
		    uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void poll_digest(const struct poll_statement *poll, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void uptime_digest(const struct uptime_statement *uptime,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void checker_digest(const struct checker_statement *checker,
		    uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void vpn_digest(const struct vpn_statement *vpn, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);
void excuse_digest(const struct excuse_statement *excuse,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* The lease's next excuse, the oldest first: @excuses becomes Keccak-256 of what it was, the excuse's digest and
 * its signature. */
void record_excuse(struct record_statement *record, const struct excuse_statement *excuse,
		   const uint8_t signature[static SIGNATURE_SIZE]);
void record_digest(const struct record_statement *record,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* What a lease's record is called: the lease, then its number, 16 bytes big-endian. Number 0 is the placing. */
void record_id(struct lease_id lease, int64_t number, uint8_t ret_id[static SIGN_DIGEST_SIZE]);

void rental_digest(const struct rental_statement *rental,
		   uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* What the record of a rental's end is called: the rental, then 16 zeros. */
void rental_record_id(struct rental_id rental, uint8_t ret_id[static SIGN_DIGEST_SIZE]);

/* The bill's next lease: counted, and @leases becomes Keccak-256 of what it was, the number of the lease's last record
 * and the digest of the record that the bill states: of one that goes on, too, with what it has used so far. */
void bill_add_lease(struct bill_statement *bill, int64_t number,
		    const uint8_t digest[static SIGN_DIGEST_SIZE]);
void bill_digest(const struct bill_statement *bill, uint8_t ret_digest[static SIGN_DIGEST_SIZE]);

/* vpn_store.h - every SQL statement of the VPN module. Texts live in the transaction's arena. */
#pragma once

#include "modules/vpn/vpn.h"
#include "security/nebula.h"
#include "security/vpn.h"

struct vpn_row {
	struct machine_id machine;
	enum vpn_kind kind;
	uint32_t address;
	const char *place; /* a lighthouse's; "" of others */
	int64_t added_at_ms, seen_at_ms; /* 0: never */
	int64_t revoked_at_ms; /* 0: it is not */
	const char *revoked_why;
	/* Of its certificate that ends last, if that holds still; 0 and zeros: there is none. */
	int64_t ends_at_ms;
	uint8_t fingerprint[NEBULA_FINGERPRINT_SIZE];
};

/* ROUTE_E_NOT_FOUND. Without its certificate. */
_must_check_ int vpn_store_get(struct tx *tx, struct machine_id machine, struct vpn_row *ret_row);
_must_check_ int vpn_store_add(struct tx *tx, const struct vpn_row *row);
_must_check_ int vpn_store_place(struct tx *tx, struct machine_id machine, const char *place);
_must_check_ int vpn_store_seen(struct tx *tx, struct machine_id machine, int64_t at_ms);
_must_check_ int vpn_store_move(struct tx *tx, struct machine_id machine, uint32_t address);
/* By machine, behind @after; certificates as of @now_ms. */
_must_check_ int vpn_store_list(struct tx *tx, struct machine_id after, int64_t now_ms,
				size_t limit, struct vpn_row **ret_rows, size_t *ret_n);
/* Those that are not revoked, by address. */
_must_check_ int vpn_store_lighthouses(struct tx *tx, struct vpn_row **ret_rows, size_t *ret_n);
/* Workers and checkers with a certificate that holds. */
_must_check_ int vpn_store_holders(struct tx *tx, int64_t now_ms, struct vpn_row **ret_rows,
				   size_t *ret_n);

/* ---- addresses ---- */

/* One of @first to @last that nobody has; ROUTE_E_NOT_FOUND. */
_must_check_ int vpn_store_free_address(struct tx *tx, uint32_t first, uint32_t last,
					uint32_t *ret_address);
/* Of the worker or checker that was not seen for longest, has no certificate that holds at @now_ms and is not
 * revoked: it is forgotten. ROUTE_E_NOT_FOUND. */
_must_check_ int vpn_store_reclaim(struct tx *tx, uint32_t first, uint32_t last, int64_t now_ms,
				   uint32_t *ret_address);

/* ---- certificates ---- */

struct vpn_certificate_row {
	uint8_t fingerprint[NEBULA_FINGERPRINT_SIZE];
	uint8_t public_key[NEBULA_KEY_SIZE];
	struct nebula_certificate certificate;
	int64_t not_after_ms;
};

/* The machine's that are neither over at @now_ms nor revoked, the last to end first. */
_must_check_ int vpn_store_certificates(struct tx *tx, struct machine_id machine, int64_t now_ms,
					struct vpn_certificate_row **ret_rows, size_t *ret_n);
/* The same again changes nothing. */
_must_check_ int vpn_store_issue(struct tx *tx, struct machine_id machine,
				 const struct vpn_certificate_row *row);

/* All its certificates that are not over; the machine itself where @barred. */
_must_check_ int vpn_store_revoke(struct tx *tx, struct machine_id machine, bool barred,
				  const char *why, int64_t now_ms);
_must_check_ int vpn_store_restore(struct tx *tx, struct machine_id machine);

struct vpn_fingerprint {
	uint8_t bytes[NEBULA_FINGERPRINT_SIZE];
};

/* Revoked ones that were not over at @at_ms, by fingerprint, at most VPN_BLOCKED_MAX. */
_must_check_ int vpn_store_blocked(struct tx *tx, int64_t at_ms, struct vpn_fingerprint **ret_rows,
				   size_t *ret_n);
_must_check_ int vpn_store_prune(struct tx *tx, int64_t before_ms);

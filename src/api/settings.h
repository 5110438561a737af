/* settings.h - the network's parameters, read once at the start by cmd/, borrowed by all. */
#pragma once

#include "base/address.h"
#include "base/amount.h"

struct contracts;
struct es256_key;
struct nebula_authority;
struct secp_key;

/* The chain that what must last is recorded on. */
struct chain_settings {
	const char *const *rpc_urls;
	size_t n_rpc_urls;
	size_t agree; /* endpoints that must say the same before money follows from it */
	const char *signer; /* path of its socket */
	const struct contracts *contracts;
	struct address stablecoin; /* a unit of the ledger is 10^6 of its smallest */
	struct amount kai_price; /* of one KAI that is deposited; zero: none is credited */
};

struct settings {
	const char *domain; /* shown in sign-in messages: "127.0.0.1:7070" */
	const char *url; /* "http://127.0.0.1:7070" */
	uint64_t chain_id; /* in sign-in messages; peaq: 3338 */
	const char *issuer; /* of access tokens */
	const struct es256_key *token_key; /* signs access tokens */
	const struct secp_key *network_key; /* countersigns usage; its address names the network */
	struct address network;
	const struct address *operators; /* accounts that hold the operator role from the start */
	size_t n_operators;

	const char *instance_url; /* where this process itself is reached: "http://10.0.0.5:7070" */
	int64_t duty_ms; /* an instance that was silent for so long is relieved; 10,000 */

	const struct nebula_authority *vpn; /* signs the certificates of the mesh VPN */

	int64_t access_token_ms; /* 15 min */
	int64_t refresh_token_ms; /* 30 days */
	int64_t nonce_ms; /* 5 min */
	int64_t join_token_ms; /* 1 hour */

	int64_t fee_basis_points; /* the network's share of a charge; 1000 is 10 % */
	int64_t hold_seconds; /* a new rental needs this long at its rate; 3600 */
	int64_t charge_every_ms; /* how often agents report usage; 10,000 */
	int64_t keep_stopped_ms; /* a stopped container is kept so long; 24 h */

	int64_t heartbeat_ms; /* agents' */
	int64_t offline_after_ms; /* without a heartbeat: no new rentals */
	int64_t lost_after_ms; /* without a heartbeat: its rentals are lost */
	int64_t place_deadline_ms; /* each phase of a rental: past it, retried elsewhere */
	int64_t pull_deadline_ms;
	int64_t start_deadline_ms;
	int64_t stop_deadline_ms;

	/* Proofs. */
	int64_t proof_required; /* 1: only machines that passed are offered */
	int64_t panel_registration, panel_standing, panel_appeal; /* members: 15, 7, 31; a small
								     * network uses those it has */
	int64_t panel_least; /* without so many checkers no session begins; 3 */
	int64_t beacon_slot_ms; /* a new beacon value so often; 600,000 */
	int64_t proof_standby_ms; /* mean time between the standby checks of a device; 6 h */
	int64_t proof_rented_ms; /* the same while it is rented; 1 h */
	int64_t proof_planted_ms; /* mean time between planted transcripts; 12 h; 0: none */
	int64_t proof_retry_ms; /* after a failure; doubled with each, to a day; 60,000 */
	int64_t proof_nonce_ms; /* each round of nonces is closed after so long; 5,000 */
	int64_t proof_result_ms; /* for committing, and for revealing; 30,000 */
	int64_t proof_bandwidth_ms; /* how long checkers pull and push; 5,000; 0: not measured */
	int64_t proof_host_mib,
		proof_disk_mib; /* the largest sets that a host and its disk are asked
						 * to hold; 262,144 and 163,840 */
	int64_t proof_at_once; /* sessions; 64 */
	int64_t poll_every_ms; /* mean time between the polls of a worker by all its checkers; 60,000 */
	int64_t poll_after_ms; /* nobody is polled so long after a start; 60,000: nodes have come back */
	int64_t watch_hour_ms; /* what an "hour" of uptime is; 3,600,000, but in tests; never changed */
	int64_t uptime_grace_ms; /* for the reports of an hour that is over; 900,000 */

	/* Probes: checkers as users. */
	const char *probe_image; /* what is deployed; "" or NULL: there are no probes */
	int64_t proof_probe_ms; /* mean time between the probes of an idle machine; 12 h */
	int64_t probe_deadline_ms; /* from the placing to the last answer; 120,000 */

	/* Rewards: docs/rewards.md. An epoch keeps those with which it began. */
	int64_t epoch_ms; /* two weeks, at most; epoch N begins at N * epoch_ms since 1970 */
	int64_t epoch_workers_tokens, epoch_checkers_tokens; /* given out in each, whole tokens */
	int64_t rewards_ratio_basis_points; /* of the workers' for jobs; the rest for uptime */
	int64_t rewards_commission_basis_points; /* the delegators' part of a reward */
	int64_t rewards_max_stake_tokens; /* a stake above it counts as it */

	/* The mesh VPN: docs/vpn.md. */
	int64_t vpn_certificate_ms; /* life of a certificate; 24 h */
	int64_t vpn_ask_ms; /* how often machines ask what holds; 15,000 */

	/* The chain. */
	const struct chain_settings *chain; /* NULL: nothing is recorded on one */
	int64_t anchor_every_ms; /* a root of each kind of records so often, if there are any; 600,000 */
	int64_t chain_alarm_ms; /* operators hear of what has been wrong for so long; 60,000 */
	int64_t chain_timeout_ms; /* of one question to an endpoint; 10,000 */
	int64_t chain_again_ms, chain_raise_ms,
		chain_refuse_ms; /* chain/outbox.h; 30,000, 180,000 and 600,000 */
	int64_t chain_max_fee_gwei,
		chain_max_gas; /* no transaction costs more; 1,000 and 5,000,000 */
	int64_t chain_root_tokens; /* a root of rewards grows by so many at most; 0: as it comes */
	int64_t settle_after_ms; /* charges are settled when they are so old, longer than any transaction takes; 25 h */
	int64_t settle_every_ms; /* a call so often, if there is something; 600,000 */
	int64_t settle_least_micro; /* of a tenant and a provider; 10,000 */
	int64_t settle_most_micro; /* in a call, not above what the signer lets pass in a day; 5 * 10^10 */
	int64_t withdrawal_most_micro; /* at a time, not above what the signer lets be returned in a day; 5 * 10^10 */
	int64_t withdrawal_least_micro; /* at a time, where it is not all that is left; 10^6 */
	int64_t withdrawals_a_day; /* of one account in 24 hours: each is a call that the network pays for; 10 */
	int64_t kai_day_micro; /* as much of points KAI that is deposited becomes in a day; 10^9 */
};

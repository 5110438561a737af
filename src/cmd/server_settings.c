#include "cmd/server_settings.h"

struct parameter {
	const char *name;
	size_t offset;
	int64_t fallback, min, max;
	const char *help;
};

#define MINUTE_MS (60 * INT64_C(1000))
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
/* In the smallest unit, 10^-18, below 2^96. */
#define TOKENS_AT_MOST INT64_C(70000000000)
#define PARAMETER(name, fallback, min, max, help)                                \
	{                                                                        \
#name, offsetof(struct settings, name), fallback, min, max, help \
	}

static const struct parameter parameters[] = {
	PARAMETER(duty_ms, 10000, 400, HOUR_MS,
		  "an instance that was silent for so long is relieved of its duties"),
	PARAMETER(access_token_ms, 15 * MINUTE_MS, 1000, DAY_MS, "life of an access token"),
	PARAMETER(refresh_token_ms, 30 * DAY_MS, MINUTE_MS, 365 * DAY_MS, "life of a session"),
	PARAMETER(nonce_ms, 5 * MINUTE_MS, 1000, HOUR_MS, "time to sign in with a nonce"),
	PARAMETER(join_token_ms, HOUR_MS, 1000, 30 * DAY_MS, "time to use a join token"),
	PARAMETER(fee_basis_points, 1000, 0, 10000, "the network's share of a charge, 1/10000"),
	PARAMETER(hold_seconds, 3600, 1, 30 * 86400, "a new rental sets so much of its rate aside"),
	PARAMETER(charge_every_ms, 10000, 200, HOUR_MS, "how often agents report usage"),
	PARAMETER(keep_stopped_ms, DAY_MS, 0, 30 * DAY_MS, "an ended container is kept so long"),
	PARAMETER(heartbeat_ms, 5000, 100, 5 * MINUTE_MS, "how often agents say that they live"),
	PARAMETER(offline_after_ms, 20000, 300, HOUR_MS, "silence after which nothing is placed"),
	PARAMETER(lost_after_ms, 10 * MINUTE_MS, 1000, DAY_MS,
		  "silence after which rentals are lost"),
	PARAMETER(place_deadline_ms, MINUTE_MS, 500, HOUR_MS, "for an agent to take a rental up"),
	PARAMETER(pull_deadline_ms, 30 * MINUTE_MS, 500, DAY_MS, "for an image to be pulled"),
	PARAMETER(start_deadline_ms, 2 * MINUTE_MS, 500, HOUR_MS, "for a container to start"),
	PARAMETER(stop_deadline_ms, 2 * MINUTE_MS, 500, HOUR_MS, "for a container to stop"),
	PARAMETER(proof_required, 1, 0, 1,
		  "1: only machines that checkers have proved are offered"),
	PARAMETER(panel_registration, 15, 1, 32, "checkers that verify a new machine"),
	PARAMETER(panel_standing, 7, 1, 32, "checkers of later sessions"),
	PARAMETER(panel_appeal, 31, 1, 32, "checkers of an appeal"),
	PARAMETER(panel_least, 3, 1, 32, "with fewer checkers no session begins"),
	PARAMETER(beacon_slot_ms, 10 * MINUTE_MS, 100, DAY_MS,
		  "a beacon value is revealed so often"),
	PARAMETER(proof_standby_ms, 6 * HOUR_MS, 500, 30 * DAY_MS,
		  "mean time between standby checks"),
	PARAMETER(proof_rented_ms, HOUR_MS, 500, 30 * DAY_MS, "the same while a machine is rented"),
	PARAMETER(proof_planted_ms, 12 * HOUR_MS, 0, 30 * DAY_MS,
		  "mean time between tests of the checkers; 0: none"),
	PARAMETER(proof_retry_ms, MINUTE_MS, 100, DAY_MS,
		  "until a failed device is checked again, doubled each time"),
	PARAMETER(proof_nonce_ms, 5000, 100, MINUTE_MS, "for the checkers to reveal a nonce"),
	PARAMETER(proof_result_ms, 30000, 500, HOUR_MS,
		  "for the checkers to commit, and to reveal"),
	PARAMETER(proof_bandwidth_ms, 5000, 0, MINUTE_MS, "length of a bandwidth test; 0: none"),
	PARAMETER(proof_host_mib, 262144, 1, 1048575,
		  "the largest data set that a host is asked to hold in memory"),
	PARAMETER(proof_disk_mib, 163840, 1, 1048575, "the same of its disk"),
	PARAMETER(proof_at_once, 64, 1, 1024, "sessions at the same time"),
	PARAMETER(poll_every_ms, MINUTE_MS, 100, HOUR_MS,
		  "mean time between all checkers' polls of a machine"),
	PARAMETER(poll_after_ms, MINUTE_MS, 0, HOUR_MS,
		  "after a start, for all machines to come back before they are polled"),
	PARAMETER(watch_hour_ms, HOUR_MS, 2000, HOUR_MS,
		  "an hour of uptime, for tests: a network keeps it"),
	PARAMETER(uptime_grace_ms, 15 * MINUTE_MS, 0, HOUR_MS,
		  "for checkers to report an hour that is over"),
	PARAMETER(proof_probe_ms, 12 * HOUR_MS, 500, 30 * DAY_MS,
		  "mean time between probes of an idle machine"),
	PARAMETER(probe_deadline_ms, 2 * MINUTE_MS, 5000, 10 * MINUTE_MS,
		  "for a probe's container to run and answer"),
	PARAMETER(epoch_ms, 14 * DAY_MS, 1000, 14 * DAY_MS, "length of an epoch of rewards"),
	PARAMETER(epoch_workers_tokens, 1000000, 0, TOKENS_AT_MOST,
		  "tokens for the machines of an epoch"),
	PARAMETER(epoch_checkers_tokens, 1000000, 0, TOKENS_AT_MOST,
		  "tokens for the checkers of an epoch"),
	PARAMETER(rewards_ratio_basis_points, 3000, 0, 10000,
		  "the jobs' share of the machines' tokens, 1/10000"),
	PARAMETER(rewards_commission_basis_points, 1000, 0, 10000,
		  "the delegators' share of a reward, 1/10000"),
	PARAMETER(rewards_max_stake_tokens, 100000, 1, TOKENS_AT_MOST,
		  "a machine's stake counts up to so many tokens"),
	PARAMETER(vpn_certificate_ms, DAY_MS, 3000, 30 * DAY_MS,
		  "life of a VPN certificate; it is renewed when a third is over"),
	PARAMETER(vpn_ask_ms, 15000, 200, HOUR_MS,
		  "machines ask so often what holds in the VPN: revocation takes so long"),
	PARAMETER(anchor_every_ms, 10 * MINUTE_MS, 200, DAY_MS,
		  "new records of a kind are anchored on the chain so often"),
	PARAMETER(chain_alarm_ms, MINUTE_MS, 0, DAY_MS,
		  "operators hear of a problem with the chain after so long"),
	PARAMETER(chain_timeout_ms, 10000, 100, MINUTE_MS,
		  "for an endpoint of the chain to answer"),
	PARAMETER(chain_again_ms, 30000, 100, HOUR_MS,
		  "a transaction that is not mined is sent again so often"),
	PARAMETER(chain_raise_ms, 3 * MINUTE_MS, 1000, DAY_MS,
		  "a transaction that is not mined offers more after so long"),
	PARAMETER(chain_refuse_ms, 10 * MINUTE_MS, 100, DAY_MS,
		  "a call ends when its contract refused it for so long"),
	PARAMETER(chain_max_fee_gwei, 1000, 1, 1000000, "at most for each gas of a transaction"),
	PARAMETER(chain_max_gas, 5000000, 21000, 100000000, "at most for a transaction"),
	PARAMETER(chain_root_tokens, 0, 0, TOKENS_AT_MOST,
		  "a root of rewards grows by at most; 0: by all that was earned"),
	PARAMETER(settle_after_ms, 25 * HOUR_MS, 1000, 30 * DAY_MS,
		  "charges are settled in the escrow when they are so old"),
	PARAMETER(settle_every_ms, 10 * MINUTE_MS, 200, DAY_MS, "providers are paid so often"),
	PARAMETER(settle_least_micro, 10000, 1, 1000000000,
		  "what a tenant owes a provider waits until it is so much, 10^-6"),
	PARAMETER(settle_most_micro, INT64_C(50000000000), 1, INT64_C(1000000000000000),
		  "a call pays so much at most, 10^-6: the signer must allow it in a day"),
	PARAMETER(withdrawal_most_micro, INT64_C(50000000000), 1, INT64_C(1000000000000000),
		  "a withdrawal is so much at most, 10^-6: the signer must allow it in a day"),
	PARAMETER(withdrawal_least_micro, 1000000, 1, 1000000000,
		  "a withdrawal is so much at least, or all that is left, 10^-6"),
	PARAMETER(withdrawals_a_day, 10, 1, 1000000, "an account withdraws so often in 24 hours"),
	PARAMETER(kai_day_micro, INT64_C(1000000000), 0, INT64_C(1000000000000000),
		  "deposits of KAI become so many points in a day (UTC) at most, 10^-6"),
};

static int64_t *value_at(struct settings *settings, const struct parameter *p)
{
	return (int64_t *)(void *)((char *)settings + p->offset);
}

void server_settings_init(struct settings *settings)
{
	*settings = (struct settings){ .issuer = "kaisar", .chain_id = 3338 };
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		*value_at(settings, &parameters[i]) = parameters[i].fallback;
}

static const struct parameter *find(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		if (strlen(parameters[i].name) == len && memcmp(parameters[i].name, name, len) == 0)
			return &parameters[i];
	return NULL;
}

int server_settings_set(struct settings *settings, const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	const struct parameter *p = equals ? find(assignment, (size_t)(equals - assignment)) : NULL;
	long long value;
	char *end;

	if (!p) {
		fprintf(stderr,
			"--set %s: unknown parameter; `kaisar server --parameters` lists them\n",
			assignment);
		return -EINVAL;
	}
	errno = 0;
	value = strtoll(equals + 1, &end, 10);
	if (errno || end == equals + 1 || *end || value < p->min || value > p->max) {
		fprintf(stderr, "--set %s: must be %" PRId64 " to %" PRId64 "\n", p->name, p->min,
			p->max);
		return -EINVAL;
	}
	*value_at(settings, p) = value;
	return 0;
}

void server_settings_print(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		fprintf(out, "%-32s %12" PRId64 "  %" PRId64 "..%" PRId64 "  %s\n",
			parameters[i].name, parameters[i].fallback, parameters[i].min,
			parameters[i].max, parameters[i].help);
}

#include "modules/proof/proof_stage.h"

#include <unistd.h>

#include "io/db_fault.h"
#include "modules/proof/appeals.h"
#include "modules/proof/proof.h"
#include "modules/proof/schedule.h"
#include "modules/proof/settle.h"

#define FIRST "(SELECT id FROM proofs ORDER BY id LIMIT 1)"

/* ---- what is there ---- */

static struct proof_row first_of(struct stage *stage)
{
	struct proof_row *rows;
	size_t n = stage_proofs(stage, &rows);

	assert_true(n > 0);
	return rows[n - 1];
}

static struct proof_appeal appeal_of(struct stage *stage, enum appeal_side side)
{
	return first_of(stage).appeals[side];
}

/* That was held for an appeal against the first. */
static struct proof_row held_for(struct stage *stage, enum appeal_side side)
{
	struct proof_appeal appeal = appeal_of(stage, side);
	struct proof_row *rows;
	size_t n = stage_proofs(stage, &rows);

	for (size_t i = 0; i < n; i++)
		if (proof_id_equal(rows[i].id, appeal.session)) {
			assert_int_equal(rows[i].kind, SESSION_APPEAL);
			assert_true(proof_id_equal(rows[i].parent, rows[n - 1].id));
			return rows[i];
		}
	fail_msg("no session was held");
	return rows[0];
}

static int64_t events(struct stage *stage, const char *like)
{
	char sql[300];

	snprintf(sql, sizeof(sql),
		 "SELECT count(*) AS n FROM events WHERE type = 'proof.appeal_decided' AND data "
		 "LIKE '%%%s%%'",
		 like);
	return store_number(&stage->store, sql);
}

/* The machine's first session fails. */
static struct proof_id fail_first(struct stage *stage)
{
	stage->refusal = "no_device";
	stage_until(stage, 1);
	return first_of(stage).id;
}

/* Of its panel one is marked wrong. */
static struct proof_id lie_first(struct stage *stage)
{
	stage->manners[3] = LYING;
	stage_until(stage, 1);
	return first_of(stage).id;
}

/* Until the owner's appeal is in @state. */
static void until_owners(struct stage *stage, enum appeal_state state)
{
	for (int i = 0; i < 6000 && appeal_of(stage, APPEAL_OWNER).state != state; i++) {
		assert_int_equal(stage_job(stage, schedule_run), 0);
		assert_int_equal(stage_job(stage, settle_run), 0);
		usleep(10000);
	}
	assert_int_equal(appeal_of(stage, APPEAL_OWNER).state, state);
}

/* ---- the owner's ---- */

static void test_an_owner_appeals_once(void **state)
{
	static const struct account_id stranger = { { { 9 } } };
	struct stage *stage = *state;
	struct proof_id id = fail_first(stage);

	assert_int_equal(stage_appeal(stage, id, stranger), PROOF_E_NOT_CONCERNED);
	assert_int_equal(stage_appeal(stage, id, stage->checkers_owner), PROOF_E_NOT_CONCERNED);
	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	assert_int_equal(stage_appeal(stage, id, stage->owner), PROOF_E_APPEALED);
	until_owners(stage, APPEAL_UPHELD);
	assert_int_equal(events(stage, "upheld"), 1);
	assert_int_equal(stage_appeal(stage, id, stage->owner), PROOF_E_APPEALED);
	/* The second look is the last. */
	id = held_for(stage, APPEAL_OWNER).id;
	assert_int_equal(stage_appeal(stage, id, stage->owner), PROOF_E_APPEALED);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).failures, 2);
}

static void test_what_a_second_look_finds_stands(void **state)
{
	struct stage *stage = *state;
	struct proof_id id = fail_first(stage);

	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);
	stage->refusal = NULL;
	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	until_owners(stage, APPEAL_OVERTURNED);
	assert_string_equal(held_for(stage, APPEAL_OWNER).outcome, "passed");
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_PROVED);
	assert_int_equal(events(stage, "overturned"), 1);
}

static void test_an_appeal_comes_within_a_day(void **state)
{
	struct stage *stage = *state;
	struct proof_id id = fail_first(stage);

	store_exec(&stage->store, "UPDATE proofs SET ended_at = ended_at - 86400001");
	assert_int_equal(stage_appeal(stage, id, stage->owner), PROOF_E_TOO_LATE);
	store_exec(&stage->store, "UPDATE proofs SET ended_at = ended_at + 60000");
	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	/* Its device was never there to be looked at. */
	store_exec(&stage->store, "UPDATE proof_appeals SET asked_at = asked_at - 86400001");
	store_exec(&stage->store, "UPDATE proofs SET machine = owner");
	until_owners(stage, APPEAL_EXPIRED);
	assert_int_equal(events(stage, "expired"), 1);
}

/* Who is silent in an appeal's panel, or lies there with a majority, has only it held again. */
static void test_a_league_does_not_close_an_owners_appeal(void **state)
{
	struct stage *stage = *state;
	struct proof_id id = fail_first(stage);

	stage->refusal = NULL;
	stage->manners[0] = stage->manners[1] = MUTE;
	stage->settings.proof_nonce_ms = 1000;
	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	until_owners(stage, APPEAL_LIVE);
	until_owners(stage, APPEAL_QUEUED);
	assert_string_equal(held_for(stage, APPEAL_OWNER).reason, "no_quorum");
	/* After a wait. */
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(appeal_of(stage, APPEAL_OWNER).state, APPEAL_QUEUED);
	assert_true(store_number(&stage->store, "SELECT due_at - asked_at AS n FROM "
						"proof_appeals") >= stage->settings.proof_retry_ms);

	stage->manners[0] = stage->manners[1] = stage->manners[2] = LYING;
	store_exec(&stage->store, "UPDATE proof_appeals SET due_at = 0");
	until_owners(stage, APPEAL_LIVE);
	until_owners(stage, APPEAL_QUEUED);
	assert_true(held_for(stage, APPEAL_OWNER).disagreement);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);

	memset(stage->manners, 0, sizeof(stage->manners));
	store_exec(&stage->store, "UPDATE proof_appeals SET due_at = 0");
	until_owners(stage, APPEAL_OVERTURNED);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_PROVED);
}

/* The network's own second look takes nobody's appeal away. */
static void test_a_lying_majority_leaves_the_owner_an_appeal(void **state)
{
	struct stage *stage = *state;
	struct proof_id id;

	stage->manners[0] = stage->manners[1] = stage->manners[2] = LYING;
	stage_until(stage, 1);
	assert_int_equal(appeal_of(stage, APPEAL_NETWORK).state, APPEAL_QUEUED);
	memset(stage->manners, 0, sizeof(stage->manners));
	stage->refusal = "no_device";
	stage_until(stage, 2);
	assert_int_equal(appeal_of(stage, APPEAL_NETWORK).state, APPEAL_OVERTURNED);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);
	/* It is the first of which the owner hears. */
	id = held_for(stage, APPEAL_NETWORK).id;
	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
}

static int tx_interrupt(struct tx *tx, void *arg _unused_)
{
	return proof_store_interrupt(tx, 1);
}

static void test_an_appeal_outlives_a_restart(void **state)
{
	struct stage *stage = *state;
	struct proof_id id = fail_first(stage);

	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	until_owners(stage, APPEAL_UPHELD);
	store_exec(&stage->store, "UPDATE proofs SET live = 1, reason = '' WHERE kind = 4");
	store_exec(&stage->store, "UPDATE proof_appeals SET state = 'live', due_at = 1");
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_interrupt, NULL), 0);
	assert_int_equal(appeal_of(stage, APPEAL_OWNER).state, APPEAL_QUEUED);
	assert_string_equal(held_for(stage, APPEAL_OWNER).reason, "interrupted");
	assert_int_equal(store_number(&stage->store, "SELECT due_at AS n FROM proof_appeals"), 0);
}

/* A machine of the owner whose GPU failed. */
static struct proof_id add_failed(struct stage *stage, uint8_t byte)
{
	struct machine_id machine = { { { byte } } };
	struct proof_id id = { { byte } };
	char sql[1000];

	stage_crowd(stage, machine, 1);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO proofs (id, machine, owner, device, uuid, model, kind, attempt, "
		 "planted, slot, beacon, chain, wanted, candidates, session, live, reason, phase, "
		 "detail, outcome, verdict, own_bits, disagreement, started_at, ended_at) "
		 "SELECT substr(d.machine, 1, 16), d.machine, w.owner, d.kind, d.device, p.model, "
		 "1, "
		 "0, 0, p.slot, p.beacon, p.chain, p.wanted, p.candidates, p.session, 0, p.reason, "
		 "p.phase, p.detail, p.outcome, p.verdict, 0, 0, p.started_at, p.ended_at "
		 "FROM worker_devices d JOIN workers w ON w.machine = d.machine "
		 "JOIN proofs p ON p.id = " FIRST " WHERE d.device LIKE 'GPU-%02x%%'",
		 byte);
	store_exec(&stage->store, sql);
	return id;
}

static int64_t appeals_of(struct stage *stage, uint8_t from, uint8_t to, const char *in)
{
	struct proof_row *rows;
	size_t n = stage_proofs(stage, &rows);
	int64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += rows[i].id.bytes[0] >= from && rows[i].id.bytes[0] <= to &&
			 strcmp(appeal_state_word(rows[i].appeals[APPEAL_OWNER].state), in) == 0;
	return count;
}

/* An owner's appeals have an owner's share of the room, and those that wait keep nobody else's waiting. */
static void test_nobody_floods_the_network_with_appeals(void **state)
{
	struct stage *stage = *state;
	struct account_id flood = { { { 0x44 } } }, other = { { { 0x55 } } };
	struct proof_id ids[6];

	fail_first(stage);
	store_exec(&stage->store, "UPDATE proofs SET started_at = 1");
	stage->owner = flood;
	for (uint8_t i = 0; i < 5; i++)
		ids[i] = add_failed(stage, (uint8_t)(0x10 + i));
	stage->owner = other;
	ids[5] = add_failed(stage, 0x20);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(stage_appeal(stage, ids[i], i < 5 ? flood : other), 0);
	stage->pretends = true; /* so that they last */
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(appeals_of(stage, 0x10, 0x14, "live"), stage->settings.proof_at_once / 4);
	assert_int_equal(appeals_of(stage, 0x20, 0x20, "live"), 1);
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(appeals_of(stage, 0x10, 0x14, "queued"),
			 5 - stage->settings.proof_at_once / 4);
}

/* ---- the checkers' ---- */

/* Whoever comes first, and whatever comes of it. */
static void test_each_side_appeals_for_itself(void **state)
{
	struct stage *stage = *state;
	struct proof_id id = lie_first(stage);

	assert_int_equal(stage_appeal(stage, id, stage->checkers_owner), 0);
	assert_int_equal(stage_appeal(stage, id, stage->checkers_owner), PROOF_E_HEARD);
	assert_int_equal(stage_job(stage, appeals_run), 0);
	assert_int_equal(appeal_of(stage, APPEAL_CHECKERS).state, APPEAL_UPHELD);
	assert_int_equal(stage->cleared, 0);
	assert_int_equal(stage_appeal(stage, id, stage->checkers_owner), PROOF_E_HEARD);

	assert_int_equal(stage_appeal(stage, id, stage->owner), 0);
	assert_int_equal(stage_appeal(stage, id, stage->owner), PROOF_E_APPEALED);
	until_owners(stage, APPEAL_UPHELD);
	assert_string_equal(held_for(stage, APPEAL_OWNER).outcome, "passed");
	assert_int_equal(appeal_of(stage, APPEAL_CHECKERS).state, APPEAL_UPHELD);
	assert_int_equal(events(stage, "checkers"), 1);
	assert_int_equal(events(stage, "owner"), 1);
}

/* All that were marked wrong are heard together: one that asks shuts out nobody. */
static void test_all_that_were_marked_are_heard_together(void **state)
{
	struct stage *stage = *state;
	struct account_id liar = { stage->machine.address };
	struct proof_id id = lie_first(stage);

	/* The others as if they had been, too. The first that asks is the liar. */
	store_exec(&stage->store, "UPDATE proof_members SET account = (SELECT machine FROM proofs "
				  "LIMIT 1) WHERE mark = 2");
	store_exec(&stage->store, "UPDATE proof_members SET mark = 2");
	assert_int_equal(stage_appeal(stage, id, liar), 0);
	assert_int_equal(stage_appeal(stage, id, stage->checkers_owner), PROOF_E_HEARD);
	assert_int_equal(stage_job(stage, appeals_run), 0);
	assert_int_equal(appeal_of(stage, APPEAL_CHECKERS).state, APPEAL_OVERTURNED);
	assert_int_equal(stage->cleared, CHECKERS - 1);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_members "
						     "WHERE proof = " FIRST " AND mark = 2"),
			 1);
	assert_int_equal(events(stage, "\"cleared\":true"), CHECKERS - 1);
	assert_int_equal(events(stage, "\"cleared\":false"), 1);
}

/* One that cannot be heard is heard at the next turn, and those behind it now. */
static void test_an_appeal_that_fails_stops_no_other(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	struct proof_id ids[2];
	const char *decided = "SELECT count(*) AS n FROM proof_appeals WHERE state = 'upheld'";

	stage->manners[3] = LYING;
	stage_until(stage, 2);
	assert_int_equal(stage_proofs(stage, &rows), 2);
	for (size_t i = 0; i < 2; i++)
		ids[i] = rows[i].id;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(stage_appeal(stage, ids[i], stage->checkers_owner), 0);
	db_fault_at(stage->store.db, DB_FAULT_STATEMENT, 2, -EIO);
	assert_int_equal(stage_job(stage, appeals_run), -EIO);
	db_fault_at(stage->store.db, DB_FAULT_STATEMENT, 0, 0);
	assert_int_equal(store_number(&stage->store, decided), 1);
	assert_int_equal(stage_job(stage, appeals_run), 0);
	assert_int_equal(store_number(&stage->store, decided), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_an_owner_appeals_once),
		STAGE_TEST(test_what_a_second_look_finds_stands),
		STAGE_TEST(test_an_appeal_comes_within_a_day),
		STAGE_TEST(test_a_league_does_not_close_an_owners_appeal),
		STAGE_TEST(test_a_lying_majority_leaves_the_owner_an_appeal),
		STAGE_TEST(test_an_appeal_outlives_a_restart),
		STAGE_TEST(test_nobody_floods_the_network_with_appeals),
		STAGE_TEST(test_each_side_appeals_for_itself),
		STAGE_TEST(test_all_that_were_marked_are_heard_together),
		STAGE_TEST(test_an_appeal_that_fails_stops_no_other),
	};

	return stage_run(tests, ARRAY_SIZE(tests));
}

#include "modules/proof/proof_stage.h"

#include <unistd.h>

#include "modules/billing/billing.h"
#include "modules/proof/draft.h"
#include "modules/proof/hours.h"
#include "modules/proof/panel.h"
#include "modules/proof/phases.h"
#include "modules/proof/proof.h"
#include "modules/proof/schedule.h"
#include "modules/proof/sessions.h"
#include "modules/proof/settle.h"
#include "modules/proof/watch.h"
#include "modules/proof/watchers.h"
#include "modules/worker/reports.h"
#include "modules/worker/worker_state.h"
#include "modules/worker/worker_store.h"
#include "wire/wire.h"

#define OPEN_EXCUSES "SELECT count(*) AS n FROM billing_excuses WHERE until_ms = 0"

struct call {
	struct stage *stage;
	struct proof_id id;
	struct account_id account;
	const void *record;
	size_t len;
	struct proof_member *members;
	size_t n;
	int64_t seconds;
	struct proof_epoch epoch;
	uint8_t lease; /* 0: 2 */
	struct proof_row row;
};

static int tx_record(struct tx *tx, void *arg)
{
	struct call *call = arg;
	int r = proof_store_record(tx, call->id, &call->record, &call->len);

	return r == 0 ? proof_store_members(tx, call->id, &call->members, &call->n) : r;
}

/* From what is published alone. */
static void assert_drawn(struct stage *stage, const struct proof_row *row)
{
	struct panel_candidate candidates[CHECKERS] = { 0 };
	const uint8_t *bytes = row->candidates;
	struct call call = { .id = row->id };
	size_t places[SESSION_PANEL_MAX];
	struct session session;
	struct panel_call drawn = { .beacon = row->beacon,
				    .machine = row->machine.address,
				    .device = (uint8_t)row->device,
				    .kind = (uint8_t)row->kind,
				    .attempt = (uint32_t)row->attempt };
	struct hasher *hasher;
	struct hash panel;

	assert_int_equal(db_run(stage->store.db, TX_READ, stage->store.arena, tx_record, &call), 0);
	assert_int_equal(row->candidates_len, 24 * CHECKERS);
	for (size_t i = 0; i < CHECKERS; i++, bytes += 24) {
		memcpy(candidates[i].checker.bytes, bytes, 20);
		candidates[i].licences = bytes[20];
	}
	assert_int_equal(hasher_new(&hasher), 0);
	assert_int_equal(session_decode(row->session, SESSION_SIZE, &session, NULL), 0);
	assert_int_equal(panel_draw(hasher, &drawn, candidates, CHECKERS, &row->owner.address,
				    (size_t)row->wanted, places),
			 call.n);
	for (size_t i = 0; i < call.n; i++)
		assert_true(
			address_equal(&candidates[places[i]].checker, &call.members[i].checker));
	for (size_t i = 0; i < call.n; i++)
		candidates[i].checker = call.members[i].checker;
	{
		struct address members[CHECKERS];

		for (size_t i = 0; i < call.n; i++)
			members[i] = call.members[i].checker;
		session_panel_hash(hasher, members, call.n, &panel);
	}
	assert_true(hash_equal(&panel, &session.panel));
	hasher_free(hasher);
}

static void assert_replays(struct stage *stage, const struct proof_row *row, uint16_t bits)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct call call = { .id = row->id };
	struct replay *replay = calloc(1, sizeof(*replay));

	assert_non_null(replay);
	assert_int_equal(arena_new(16 << 20, &arena), 0);
	assert_int_equal(db_run(stage->store.db, TX_READ, stage->store.arena, tx_record, &call), 0);
	assert_int_equal(settle_replay(call.record, call.len, arena, replay), 0);
	assert_int_equal(replay->finding.bits, bits);
	assert_int_equal(replay->verdict.bits, bits);
	free(replay);
}

static void test_a_new_machine_is_proved(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host, disk;
	struct proof_row *rows;

	stage_until(stage, 2);
	host = stage_standing(stage, WORKER_DEVICE_HOST);
	disk = stage_standing(stage, WORKER_DEVICE_DISK);
	assert_int_equal(host.state, WORKER_PROVED);
	assert_int_equal(host.class_, 0);
	assert_true(host.matrix_mops > 0 && host.walk_kbps > 0);
	assert_int_equal(disk.state, WORKER_PROVED);
	assert_true(disk.walk_kbps > 0);
	for (size_t i = 0; i < CHECKERS; i++)
		assert_int_equal(
			stage->marks[i][CHECKER_VALID] + stage->marks[i][CHECKER_DEVIATING], 2);
	assert_int_equal(stage_proofs(stage, &rows), 2);
	/* The host comes first. */
	assert_int_equal(rows[1].device, WORKER_DEVICE_HOST);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(rows[i].reason, "judged");
		assert_string_equal(rows[i].outcome, "passed");
		assert_false(rows[i].disagreement);
		assert_int_equal(rows[i].own_bits, PROOF_ALL);
		assert_replays(stage, &rows[i], PROOF_ALL);
		assert_drawn(stage, &rows[i]);
	}
	/* Nothing is due any more. */
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(stage_proofs(stage, &rows), 2);
}

static void test_a_forger_fails_and_a_liar_is_marked(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host;
	struct proof_row *rows;
	size_t n;

	stage->flaw = PHANTOM_MATRIX;
	stage->manners[2] = LYING;
	stage_until(stage, 1);
	host = stage_standing(stage, WORKER_DEVICE_HOST);
	assert_int_equal(host.state, WORKER_FAILED);
	assert_int_equal(host.failures, 1);
	assert_true(host.due_at_ms > host.checked_at_ms);
	n = stage_proofs(stage, &rows);
	assert_string_equal(rows[n - 1].outcome, "failed");
	assert_int_equal(rows[n - 1].own_bits, PROOF_ALL & ~PROOF_TILES);
	assert_true(stage->marks[2][CHECKER_WRONG] >= 1);
	assert_true(stage->marks[0][CHECKER_VALID] + stage->marks[0][CHECKER_DEVIATING] >= 1);
	assert_int_equal(stage->marks[0][CHECKER_WRONG], 0);
}

static void test_a_lying_majority_marks_nobody(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n, appeals = 0;

	stage->manners[0] = stage->manners[1] = stage->manners[2] = LYING;
	stage_until(stage, 1);
	n = stage_proofs(stage, &rows);
	assert_true(rows[n - 1].disagreement);
	assert_int_equal(rows[n - 1].own_bits, PROOF_ALL);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_UNPROVED);
	for (size_t i = 0; i < CHECKERS; i++)
		for (int mark = 0; mark < 5; mark++)
			assert_int_equal(stage->marks[i][mark], 0);
	/* It is repeated before the larger panel. */
	memset(stage->manners, 0, sizeof(stage->manners));
	stage_until(stage, 3);
	n = stage_proofs(stage, &rows);
	for (size_t i = 0; i < n; i++) {
		appeals += rows[i].kind == SESSION_APPEAL;
		if (rows[i].kind == SESSION_APPEAL)
			assert_string_equal(rows[i].outcome, "passed");
	}
	assert_int_equal(appeals, 1);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_PROVED);
}

static void test_a_refusal_has_its_word(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n;

	stage->refusal = "no_device";
	stage_until(stage, 1);
	n = stage_proofs(stage, &rows);
	assert_string_equal(rows[n - 1].reason, "no_device");
	/* As long as the wire allows; what is kept of it is whole characters. */
	assert_memory_equal(rows[n - 1].detail, STAGE_DETAIL, strlen(STAGE_DETAIL));
	assert_int_equal(strlen(rows[n - 1].detail) % strlen(STAGE_DETAIL), 0);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);
	for (size_t i = 0; i < CHECKERS; i++)
		assert_int_equal(stage->marks[i][CHECKER_SILENT], 0);
}

static void test_mute_checkers_are_marked_silent(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n;

	stage->manners[0] = stage->manners[1] = MUTE;
	stage->settings.proof_nonce_ms = 5000; /* are waited for */
	stage_until(stage, 1);
	n = stage_proofs(stage, &rows);
	assert_string_equal(rows[n - 1].reason, "no_quorum");
	assert_string_equal(rows[n - 1].phase, "commit");
	assert_int_equal(stage->marks[0][CHECKER_SILENT], 1);
	assert_int_equal(stage->marks[2][CHECKER_SILENT], 0);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_UNPROVED);
}

static void test_a_restart_ends_what_went_on(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n;

	stage->manners[0] = MUTE; /* so that it lasts */
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(stage_proofs(stage, &rows), 1);
	assert_true(rows[0].live);
	stage_restart(stage);
	n = stage_proofs(stage, &rows);
	assert_int_equal(n, 1);
	assert_string_equal(rows[0].reason, "interrupted");
	assert_string_equal(rows[0].phase, "commit");
	assert_false(rows[0].live);
	stage->manners[0] = HONEST;
	stage_until(stage, 3);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_PROVED);
}

static void test_what_is_interrupted_says_where(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	const char *phase = "";

	stage->pretends = true; /* and never fills anything */
	assert_int_equal(stage_job(stage, schedule_run), 0);
	for (int i = 0; i < 6000 && strcmp(phase, "fill") != 0; i++) {
		assert_int_equal(stage_job(stage, phases_run), 0);
		assert_int_equal(stage_proofs(stage, &rows), 1);
		phase = rows[0].phase;
		usleep(10000);
	}
	stage_restart(stage);
	assert_int_equal(stage_proofs(stage, &rows), 1);
	assert_string_equal(rows[0].reason, "interrupted");
	assert_string_equal(rows[0].phase, "fill");
}

/* The host is due at once. */
static struct worker_standing check_host(struct stage *stage, int64_t n)
{
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 0 WHERE kind = 2");
	stage_until(stage, n);
	return stage_standing(stage, WORKER_DEVICE_HOST);
}

/* Its agent may be stopped, or its network down, for the seconds of one measurement. */
static void test_bandwidth_outlives_one_session_that_measures_none(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host;
	struct proof_row *rows;

	stage->settings.proof_bandwidth_ms = 100;
	store_exec(&stage->store, "UPDATE workers SET proof_address = '192.0.2.1', proof_port = 7");
	stage->kbps = 1000;
	stage_until(stage, 2);
	host = stage_standing(stage, WORKER_DEVICE_HOST);
	assert_int_equal(host.down_kbps, CHECKERS * 1000);

	stage->kbps = 0;
	assert_int_equal(stage_proofs(stage, &rows), 2);
	assert_int_equal(stage_appeal(stage, rows[1].id, stage->owner), 0);
	stage_until(stage, 3);
	host = stage_standing(stage, WORKER_DEVICE_HOST);
	assert_int_equal(host.state, WORKER_PROVED);
	assert_int_equal(host.down_kbps, CHECKERS * 1000);
	assert_int_equal(host.up_kbps, CHECKERS * 1000);
	assert_int_equal(host.due_at_ms, host.checked_at_ms + stage->settings.proof_retry_ms);

	/* Twice in a row it has none: who was fast once cannot live on that. */
	store_exec(&stage->store, "UPDATE worker_devices SET state = 0 WHERE kind = 2");
	host = check_host(stage, 4);
	assert_int_equal(host.state, WORKER_PROVED);
	assert_int_equal(host.down_kbps, 0);
	assert_int_equal(host.up_kbps, 0);

	stage->kbps = 500;
	store_exec(&stage->store, "UPDATE worker_devices SET state = 0 WHERE kind = 2");
	assert_int_equal(check_host(stage, 5).up_kbps, CHECKERS * 500);
}

/* ---- testing checkers ---- */

static void test_who_looks_at_nothing_is_found_out(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n, planted = 0;

	stage_until(stage, 2);
	stage->manners[1] = LYING; /* says that all is well */
	stage->settings.proof_planted_ms = 1;
	for (int i = 0; i < 100 && planted == 0; i++) {
		assert_int_equal(stage_job(stage, schedule_run), 0);
		n = stage_proofs(stage, &rows);
		for (size_t p = 0; p < n; p++)
			planted += rows[p].planted;
	}
	stage->settings.proof_planted_ms = 0;
	assert_int_equal(planted, 1);
	stage_until(stage, 3);
	n = stage_proofs(stage, &rows);
	assert_true(rows[0].planted);
	assert_string_equal(rows[0].outcome, "failed");
	assert_int_not_equal(rows[0].own_bits, PROOF_ALL);
	assert_int_equal(stage->planted_marks, 3); /* panel_standing */
	assert_int_equal(stage->marks[0][CHECKER_WRONG] + stage->marks[2][CHECKER_WRONG] +
				 stage->marks[3][CHECKER_WRONG],
			 0);
	/* Nobody's machine: nothing else follows. */
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_PROVED);
}

/* ---- thousands of checkers ---- */

enum { MANY = 4096, DRAFTS = 64, JOB_BYTES = 16 << 20 };

static int tx_drafts(struct tx *tx, void *arg)
{
	struct call *call = arg;
	struct stage *stage = call->stage;
	struct worker_proof_device device = { .machine = stage->machine,
					      .owner = stage->owner,
					      .device = WORKER_DEVICE_HOST,
					      .memory_bytes = 1 << 30 };
	struct checker_member *many = arena_array(tx_arena(tx), MANY, sizeof(*many));
	struct sessions_order order;
	struct beacon beacon;
	int r = many ? beacon_now(&stage->context, tx, &beacon) : -ENOMEM;
	struct draft draft = { .device = &device,
			       .kind = SESSION_STANDBY,
			       .beacon = &beacon,
			       .checkers = many,
			       .n_checkers = MANY };

	for (uint32_t i = 0; r == 0 && i < MANY; i++) {
		many[i] = (struct checker_member){ .licences = 1 };
		many[i].checker.bytes[18] = many[i].account.address.bytes[18] = (uint8_t)(i >> 8);
		many[i].checker.bytes[19] = many[i].account.address.bytes[19] = (uint8_t)i;
	}
	for (int i = 0; r == 0 && i < DRAFTS; i++)
		r = draft_session(&stage->context, tx, &draft, &order);
	return r == 0 ? -ECANCELED : r; /* nothing of it stays */
}

/* All that one turn may begin, in a job's memory. */
static void test_a_turn_begins_all_with_thousands_of_checkers(void **state)
{
	struct stage *stage = *state;
	struct call call = { .stage = stage };
	struct arena *arena;

	stage_until(stage, 2);
	assert_int_equal(arena_new(JOB_BYTES, &arena), 0);
	assert_int_equal(db_run(stage->store.db, TX_WRITE, arena, tx_drafts, &call), -ECANCELED);
	arena_free(arena);
}

/* ---- all GPUs of a machine ---- */

enum { GPUS = 3 };

static int tx_gpus(struct tx *tx, void *arg)
{
	Wire__Inventory inventory = WIRE__INVENTORY__INIT;
	Wire__Gpu gpus[GPUS], *pointers[GPUS];
	struct call *call = arg;
	char uuids[GPUS][41];

	inventory.cpu_count = 4;
	inventory.memory_bytes = inventory.disk_bytes = 512 << 20;
	for (int i = 0; i < GPUS; i++) {
		wire__gpu__init(&gpus[i]);
		snprintf(uuids[i], sizeof(uuids[i]), "GPU-%08d-0000-0000-0000-000000000000", i);
		gpus[i].uuid = uuids[i];
		gpus[i].model = (char *)(uintptr_t) "Tesla T4";
		gpus[i].memory_bytes = UINT64_C(16) << 30;
		pointers[i] = &gpus[i];
	}
	inventory.gpus = pointers;
	inventory.n_gpus = GPUS;
	return report_inventory(tx, call->stage->machine, &inventory);
}

/* With room for two of three, one could answer for the third later. */
static void test_all_gpus_begin_or_none(void **state)
{
	struct stage *stage = *state;
	struct call call = { .stage = stage };
	struct proof_row *rows;

	stage_until(stage, 2);
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_gpus, &call), 0);
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 9000000000000 "
				  "WHERE kind = 1");
	for (int i = 0; i < CHECKERS; i++)
		stage->manners[i] = MUTE; /* the planted session lasts */
	stage->settings.proof_nonce_ms = 3000;
	stage->settings.proof_at_once = GPUS;
	stage->settings.proof_planted_ms = 1;
	for (int i = 0; i < 100 && stage_proofs(stage, &rows) == 2; i++)
		assert_int_equal(stage_job(stage, schedule_run), 0);
	stage->settings.proof_planted_ms = 0;
	assert_int_equal(stage_proofs(stage, &rows), 3);
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 0 WHERE kind = 1");
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(stage_proofs(stage, &rows), 3);
	stage->refusal = WIRE_PROOF_NO_DEVICE;
	stage_until(stage, 3 + GPUS);
	assert_int_equal(stage_proofs(stage, &rows), 3 + GPUS);
}

static bool fair(const struct sessions_order *drafted, size_t n, const char *owner,
		 enum session_kind kind, size_t wanted)
{
	struct address address = { 0 };

	memcpy(address.bytes, owner, 1);
	return sessions_fair(drafted, n, &address, kind, wanted);
}

/* Of sixteen places: four of an owner, eight of machines that are not proved. */
static void test_nobody_takes_all_places(void **state)
{
	struct sessions_order drafted[12] = { 0 };
	struct stage *stage = *state;

	stage->settings.proof_at_once = 16;
	for (size_t i = 0; i < ARRAY_SIZE(drafted); i++) {
		drafted[i].owner.bytes[0] = (uint8_t)("aaabbcdefghi"[i]);
		drafted[i].session.kind = i < 7 ? SESSION_REGISTRATION : SESSION_STANDBY;
	}
	assert_true(fair(drafted, 3, "a", SESSION_STANDBY, 1));
	assert_false(fair(drafted, 3, "a", SESSION_STANDBY, 2));
	assert_true(fair(drafted, 3, "b", SESSION_STANDBY, 12)); /* one large machine */
	assert_true(fair(drafted, 12, "z", SESSION_REGISTRATION, 1));
	assert_false(fair(drafted, 12, "z", SESSION_REGISTRATION, 2));
	assert_true(fair(drafted, 12, "z", SESSION_STANDBY, 4));
	assert_true(fair(NULL, 0, "z", SESSION_REGISTRATION, 16));
	stage->settings.proof_at_once = 1;
	assert_true(fair(NULL, 0, "z", SESSION_REGISTRATION, 1));
}

/* One that fills for two, and would go on to the third afterwards: the two are not asked to walk before. */
static void test_gpus_walk_together(void **state)
{
	struct stage *stage = *state;
	struct call call = { .stage = stage };
	struct proof_row *rows;

	stage_until(stage, 2);
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_gpus, &call), 0);
	stage->settings.proof_nonce_ms = 500;
	stage->pretends = true;
	stage->fills = GPUS - 1;
	assert_int_equal(stage_job(stage, schedule_run), 0);
	for (int i = 0; i < 500 && stage->fills > 0; i++)
		usleep(10000);
	usleep(200000); /* of ticks */
	assert_int_equal(stage->fills, 0);
	assert_int_equal(stage->walks, 0);
	stage_until(stage, 3);
	stage_proofs(stage, &rows);
	for (int i = 0; i < GPUS; i++)
		if (!rows[i].live) {
			assert_string_equal(rows[i].reason, "worker_silent");
			assert_string_equal(rows[i].phase, "fill");
		}
	for (int i = 0; i < 100 && stage->walks < GPUS - 1; i++)
		usleep(10000);
	assert_int_equal(stage->walks, GPUS - 1);
}

/* ---- leaving ---- */

/* A worker that yields to no tenant does not stay proved for ever. */
static void test_who_yields_to_nobody_fails(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host;

	stage->refusal = "yielded";
	store_exec(&stage->store, "DELETE FROM worker_devices WHERE kind = 3");
	for (int64_t n = 1; n <= 3; n++) {
		host = check_host(stage, n);
		assert_int_equal(host.failures, n);
		assert_int_equal(host.state, n < 3 ? WORKER_UNPROVED : WORKER_FAILED);
	}
}

/* Nor one whose link breaks each time when it sees what is to be opened: that is as good as failing. */
static void test_who_leaves_before_its_openings_fails(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;

	stage->leaves_at_opening = true;
	stage_until(stage, 1);
	assert_true(stage_proofs(stage, &rows) >= 1);
	assert_string_equal(rows[0].reason, "worker_gone");
	assert_string_equal(rows[0].phase, "open");
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);
}

/* ---- rented ---- */

static int tx_rent(struct tx *tx, void *arg)
{
	const struct worker_need need = { .cpu_milli = 1000,
					  .memory_bytes = 1 << 20,
					  .disk_bytes = 1 << 20 };
	struct call *call = arg;
	const struct context *context = &call->stage->context;
	struct worker_placement placement;
	const uint8_t n = call->lease ? call->lease : 2;
	struct billing_lease lease = { .rental = { { (uint8_t)(n - 1) } },
				       .lease = { { n } },
				       .tenant = call->account,
				       .machine = call->stage->machine,
				       .provider = call->stage->owner,
				       .rate_hour = { 1000000 },
				       .hold = { 1000000 } };
	int r = billing_credit(context, tx, call->account, (struct amount){ 5000000 },
			       n == 2 ? "k" : "l", NULL);

	if (r == 0)
		r = worker_place(context, tx, lease.lease, lease.rental, &need, &placement);
	return r == 0 ? billing_lease_open(context, tx, &lease) : r;
}

static int tx_offer(struct tx *tx, void *arg)
{
	struct call *call = arg;
	struct worker_row row;
	int r = worker_store_get(tx, call->stage->machine, &row);

	row.core_hour.micro = 1000000;
	if (r == 0)
		r = worker_store_change(tx, &row);
	return r == 0 ? worker_fleet_refresh(tx, row.machine) : r;
}

static void rent_as(struct stage *stage, uint8_t lease)
{
	struct call call = { .stage = stage, .account = { { { 7 } } }, .lease = lease };
	int64_t generation;

	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_offer, &call), 0);
	assert_true(fleet_heard(worker_state.fleet, stage->machine, true, &generation));
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_rent, &call), 0);
}

static void rent(struct stage *stage)
{
	rent_as(stage, 2);
}

/* A rental of seconds before the disk's first check does not put that off for as long as a check that passed is
 * put off. */
static void test_a_disk_that_was_never_checked_is_not_put_off_for_long(void **state)
{
	struct stage *stage = *state;
	const int64_t soon_ms = stage->settings.proof_retry_ms;
	int64_t before_ms, due_ms;

	stage_until(stage, 2);
	rent(stage);
	for (int proved = 0; proved < 2; proved++) {
		store_exec(&stage->store,
			   proved ? "UPDATE worker_devices SET state = 1, due_at = 0 "
				    "WHERE kind = 3"
				  : "UPDATE worker_devices SET state = 0, due_at = 0, "
				    "checked_at = 0 WHERE kind = 3");
		before_ms = clock_now_ms(&clock_system);
		assert_int_equal(stage_job(stage, schedule_run), 0);
		due_ms = stage_standing(stage, WORKER_DEVICE_DISK).due_at_ms;
		assert_true(due_ms >= before_ms + soon_ms);
		if (proved)
			assert_true(due_ms >= before_ms + stage->settings.proof_rented_ms);
		else
			assert_true(due_ms <= clock_now_ms(&clock_system) + soon_ms);
	}
}

/* Who was measured once, and then tells no way to be measured, has no figures to live on. */
static void test_bandwidth_that_is_not_measured_again_is_none(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host;

	stage_until(stage, 2);
	/* Not a standby session: whether the machine is in one's cohort is the beacon's choice. */
	store_exec(&stage->store, "UPDATE worker_devices SET state = 0, down_kbps = 9000000, "
				  "up_kbps = 8000000 WHERE kind = 2");
	host = check_host(stage, 3);
	assert_int_equal(host.state, WORKER_PROVED);
	assert_int_equal(host.down_kbps, 0);
	assert_int_equal(host.up_kbps, 0);
}

/* A tenant who fills the device, or its time, computes neither for free nor at the machine's cost. */
static void test_what_a_tenant_can_bring_about_excuses_nothing(void **state)
{
	static const char *const words[] = { WIRE_PROOF_NO_MEMORY, WIRE_PROOF_BROKEN };
	struct stage *stage = *state;
	struct worker_standing host;
	struct proof_row *rows;

	stage_until(stage, 2);
	rent(stage);
	for (int64_t i = 0; i < (int64_t)ARRAY_SIZE(words); i++) {
		stage->refusal = words[i];
		host = check_host(stage, 3 + i);
		stage_proofs(stage, &rows);
		assert_int_equal(rows[0].kind, SESSION_RENTED);
		assert_string_equal(rows[0].reason, words[i]);
		assert_int_equal(host.state, WORKER_PROVED);
		assert_int_equal(host.failures, 0);
	}
	/* What is the machine's own doing fails it; the bill stands on what the panel saw. */
	stage->refusal = "no_device";
	assert_int_equal(check_host(stage, 5).state, WORKER_FAILED);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM billing_excuses"),
			 0);
}

/* One that yields to a tenant who has come is not held to account. */
static void test_who_yields_to_a_tenant_stands_as_before(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;

	stage->manners[0] = MUTE; /* so that it lasts until the tenant is there */
	stage->settings.proof_nonce_ms = 3000;
	stage->refuses_late = true;
	stage->refusal = "yielded";
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(stage_proofs(stage, &rows), 1);
	rent(stage);
	stage_until(stage, 1);
	stage_proofs(stage, &rows);
	assert_string_equal(rows[0].reason, "yielded");
	assert_int_equal(rows[0].kind, SESSION_REGISTRATION);
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).failures, 0);
}

/* The small product of a rental shows no figures: they go on naming the session that measured them. */
static void test_figures_name_the_session_that_measured_them(void **state)
{
	struct stage *stage = *state;
	struct worker_standing before, after;
	struct proof_row *rows;

	stage_until(stage, 2);
	before = stage_standing(stage, WORKER_DEVICE_HOST);
	rent(stage);
	after = check_host(stage, 3);
	assert_int_equal(stage_proofs(stage, &rows), 3);
	assert_int_equal(rows[0].kind, SESSION_RENTED);
	assert_string_equal(rows[0].outcome, "passed");
	assert_int_equal(after.state, WORKER_PROVED);
	assert_true(after.checked_at_ms > before.checked_at_ms);
	assert_memory_equal(after.proof, before.proof, sizeof(before.proof));
	assert_memory_equal(after.proof, rows[2].id.bytes, sizeof(after.proof));
}

static void test_a_rented_machine_that_fails_is_excused(void **state)
{
	struct stage *stage = *state;
	struct worker_standing host;
	struct proof_row *rows;

	stage_until(stage, 2);
	rent(stage);
	stage->flaw = PHANTOM_MATRIX;
	check_host(stage, 3);
	assert_int_equal(stage_proofs(stage, &rows), 3);
	assert_int_equal(rows[0].kind, SESSION_RENTED);
	assert_string_equal(rows[0].outcome, "failed");
	assert_int_equal(stage_standing(stage, WORKER_DEVICE_HOST).state, WORKER_FAILED);
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 1);

	stage->flaw = PHANTOM_SOUND;
	host = check_host(stage, 4);
	assert_int_equal(stage_proofs(stage, &rows), 4);
	assert_string_equal(rows[0].outcome, "passed");
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 0);
	/* A small product does not make good what failed; a whole session soon may. */
	assert_int_equal(host.state, WORKER_FAILED);
	assert_int_equal(host.due_at_ms - host.checked_at_ms, stage->settings.proof_retry_ms);
}

/* All that is there fails at once with the host, for everybody. */
static void test_a_host_that_fails_excuses_all_that_run_there(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;

	stage_until(stage, 2);
	rent_as(stage, 2);
	rent_as(stage, 4);
	stage->flaw = PHANTOM_MATRIX;
	check_host(stage, 3);
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 2);
	assert_int_equal(stage_proofs(stage, &rows), 3);
	assert_int_equal(
		store_number(&stage->store,
			     "SELECT count(*) AS n FROM billing_excuses e JOIN billing_leases l"
			     " ON l.lease = e.lease WHERE e.from_ms >= l.placed_at_ms"),
		2);

	stage->flaw = PHANTOM_SOUND;
	check_host(stage, 4);
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 0);
}

static int tx_fail(struct tx *tx, void *arg)
{
	struct call *call = arg;
	int r = proof_store_add(tx, &call->row, NULL, 0);

	return r == 0 ? proof_store_end(tx, &call->row) : r;
}

/* A GPU of lease 2's, which fails as the newest session did. */
static void fail_gpu(struct stage *stage)
{
	struct call call = { .stage = stage };
	struct proof_row *rows;

	store_exec(&stage->store,
		   "INSERT INTO worker_gpus (machine, uuid, ordinal, model, memory_bytes, driver, "
		   "cuda, present, lease) SELECT w.machine, 'GPU-1', 0, '', 1, '', '', 1, l.lease "
		   "FROM workers w JOIN worker_leases l ON l.machine = w.machine "
		   "ORDER BY l.lease LIMIT 1");
	store_exec(&stage->store,
		   "INSERT INTO worker_devices (machine, device, kind, state, class, score_milli, "
		   "matrix_mops, walk_kbps, set_mib, down_kbps, up_kbps, checked_at, due_at, "
		   "failures, reason) SELECT machine, 'GPU-1', 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, "
		   "9000000000000000, 1, '' FROM workers");
	stage_proofs(stage, &rows);
	call.row = rows[0];
	assert_string_equal(call.row.outcome, "failed");
	call.row.id.bytes[15] ^= 1;
	call.row.device = WORKER_DEVICE_GPU;
	call.row.uuid = "GPU-1";
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_fail, &call), 0);
}

/* Its GPU fails still when the host passes: another session excuses lease 2 from then on, and lease 4 is billed. */
static void test_a_host_that_passes_ends_what_it_excused_only(void **state)
{
	struct stage *stage = *state;

	stage_until(stage, 2);
	rent_as(stage, 2);
	rent_as(stage, 4);
	stage->flaw = PHANTOM_MATRIX;
	check_host(stage, 3);
	fail_gpu(stage);
	stage->flaw = PHANTOM_SOUND;
	check_host(stage, 5);
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 1);
	assert_int_equal(store_number(&stage->store,
				      OPEN_EXCUSES " AND proof IN (SELECT id FROM proofs "
						   "WHERE uuid = 'GPU-1')"),
			 1);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM billing_excuses"),
			 3);
	/* Which the host's next session does not end. */
	check_host(stage, 6);
	assert_int_equal(store_number(&stage->store, OPEN_EXCUSES), 1);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM billing_excuses"),
			 3);
}

/* ---- uptime ---- */

static int seconds_up(struct tx *tx, struct call *call, int64_t from_ms)
{
	struct proof_epoch epoch;
	int r = proof_epoch(&call->stage->context, tx, call->stage->machine, from_ms,
			    104 * 3600000LL, NULL, 0, &epoch);

	if (r == 0)
		call->seconds = epoch.uptime_s;
	return r;
}

static int tx_uptime(struct tx *tx, void *arg)
{
	struct call *call = arg;
	const struct proof_watcher drawn = { .machine = call->stage->machine };
	int r = 0;

	for (int64_t hour = 100; r == 0 && hour < 104; hour++)
		r = proof_store_watchers_add(tx, hour, &drawn, 1);
	for (int64_t hour = 100; r == 0 && hour < 104; hour++)
		for (uint8_t checker = 0; r == 0 && checker < 3; checker++) {
			struct proof_uptime uptime = { .machine = call->stage->machine,
						       .checker = { { checker } },
						       .hour = hour,
						       .polls = 100,
						       .answered = 95 };

			/* One sees less in hour 101, two in hour 102. */
			if (hour == 101 + checker || (hour == 102 && checker == 2))
				uptime.answered = 94;
			r = proof_store_uptime_add(tx, &uptime);
		}
	return r == 0 ? seconds_up(tx, call, 100 * 3600000LL - 1) : r;
}

/* A checker asks the machine over the relay; then reports what it saw in that hour. */
static void test_polls_are_relayed_and_reports_kept(void **state)
{
	struct stage *stage = *state;
	int64_t hour;

	stage_until(stage, 2); /* a machine without sessions is not watched */
	stage->settings.panel_standing = CHECKERS;
	assert_int_equal(stage_job(stage, watch_run), 0);
	hour = clock_now_ms(&clock_system) / 3600000;
	assert_true(stage_poll(stage));
	/* Nobody is asked about others' answers, and strangers ask nobody. */
	assert_false(stage_poll_by_stranger(stage));
	stage_report(stage, hour, 20, 19);
	stage_report(stage, hour - 5, 20, 20); /* not its task then */
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_uptimes"), 1);
	assert_int_equal(store_number(&stage->store, "SELECT polls AS n FROM proof_uptimes"), 20);
	/* The same hour again counts if it saw more. */
	stage_report(stage, hour, 30, 10);
	stage_report(stage, hour, 25, 25);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT answered AS n FROM proof_uptimes"),
			 10);
}

static int tx_means(struct tx *tx, void *arg)
{
	struct call *call = arg;
	int64_t hour_ms = 3600000, hour = clock_now_ms(&clock_system) / hour_ms;
	const struct billing_job job = { .time = { hour * hour_ms, (hour + 1) * hour_ms } };

	return proof_epoch(&call->stage->context, tx, call->stage->machine, hour * hour_ms,
			   (hour + 1) * hour_ms, &job, 1, &call->epoch);
}

/* An hour has what was proved when it was drawn, whatever comes and goes in it. */
static void test_an_hour_keeps_its_figures(void **state)
{
	struct call call = { .stage = *state };
	struct stage *stage = *state;

	stage_until(stage, 2);
	stage->settings.panel_standing = CHECKERS;
	store_exec(&stage->store, "UPDATE worker_devices SET state = 1,"
				  " down_kbps = 5000, up_kbps = 4000, fill_kbps = 0");
	assert_int_equal(stage_job(stage, watch_run), 0);
	store_exec(&stage->store, "UPDATE worker_devices SET down_kbps = 9000");
	store_exec(&stage->store, "DELETE FROM proof_watchers");
	watch_on_up(&(struct address){ { 1 } }); /* so that they are drawn again */
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_run(&stage->store, TX_READ, tx_means, &call), 0);
	assert_int_equal(call.epoch.hours, 1);
	assert_int_equal(call.epoch.uptime_s, 0);
	assert_int_equal(call.epoch.means.cores, 1);
	assert_int_equal(call.epoch.means.down_kbps, 5000);
	assert_int_equal(call.epoch.means.up_kbps, 4000);
}

/* Whoever reported is told that it was heard, and forgets: it must not be lost here. */
static void test_reports_outlive_a_fault(void **state)
{
	struct stage *stage = *state;
	int64_t hour;

	stage_until(stage, 2);
	stage->settings.panel_standing = CHECKERS;
	assert_int_equal(stage_job(stage, watch_run), 0);
	hour = clock_now_ms(&clock_system) / 3600000;
	store_exec(&stage->store, "ALTER TABLE proof_uptimes RENAME TO away");
	stage_report(stage, hour, 20, 19);
	assert_true(stage_job(stage, watch_run) < 0);
	assert_int_equal(stage->heard, 0);
	store_exec(&stage->store, "ALTER TABLE away RENAME TO proof_uptimes");
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(stage->heard, 1);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_uptimes"), 1);
}

/* What is not the checker's own word is not kept; it is told all the same, and so not said again. */
static void test_a_forged_report_is_dropped(void **state)
{
	struct stage *stage = *state;
	int64_t hour;

	stage_until(stage, 2);
	stage->settings.panel_standing = CHECKERS;
	assert_int_equal(stage_job(stage, watch_run), 0);
	hour = clock_now_ms(&clock_system) / 3600000;
	stage_report_forged(stage, hour);
	stage_report(stage, hour - 5, 20, 20);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_uptimes"), 0);
	assert_int_equal(stage->heard, 2);
}

/* The control plane was away for hours: what was seen before can be said until its hour is closed. */
static void test_an_open_hour_can_be_reported_however_old(void **state)
{
	struct stage *stage = *state;
	int64_t hour;

	stage_until(stage, 2);
	stage->settings.panel_standing = CHECKERS;
	assert_int_equal(stage_job(stage, watch_run), 0);
	hour = clock_now_ms(&clock_system) / 3600000 - 5;
	store_exec(&stage->store, "UPDATE proof_watchers SET hour = hour - 5");
	store_exec(&stage->store, "UPDATE proof_hours SET hour = hour - 5");
	stage_restart(stage);
	stage_report(stage, hour, 20, 19);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT polls AS n FROM proof_uptimes"), 20);
	store_exec(&stage->store, "UPDATE proof_hours SET state = 2");
	stage_report(stage, hour, 30, 30);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT polls AS n FROM proof_uptimes"), 20);
}

/* After a start machines are not polled before they can be back, by nobody; hours are closed later by as much. */
static void test_nobody_is_polled_before_all_can_be_back(void **state)
{
	struct stage *stage = *state;

	stage_until(stage, 2);
	stage->settings.panel_standing = CHECKERS;
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_true(stage_poll(stage));
	stage->settings.poll_after_ms = 3600000;
	stage_restart(stage);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_false(stage_poll(stage));
	stage->settings.poll_after_ms = 0;
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_true(stage_poll(stage));
}

enum { FLEET = WIRE_WATCHED_MAX + 600 };

static int tx_fleet(struct tx *tx, void *arg)
{
	struct stage *stage = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < FLEET; i++) {
		struct machine_id machine = { { { 0xfe, (uint8_t)(i >> 8), (uint8_t)i, 1 } } };

		r = worker_store_add(tx, machine, stage->owner, "f", 1);
		if (r == 0)
			r = worker_store_devices_put(tx, machine, NULL, 0);
	}
	return r;
}

/* More than one checker can hold: each machine has watchers all the same, and no checker more than its share. */
static void test_every_machine_is_watched(void **state)
{
	struct stage *stage = *state;

	stage_until(stage, 2);
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_fleet, stage), 0);
	store_exec(&stage->store, "UPDATE worker_devices SET checked_at = 9000000000000");
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_hours"),
			 FLEET + 1);
	assert_int_equal(store_number(&stage->store, "SELECT min(drawn) AS n FROM proof_hours"), 3);
	assert_int_equal(store_number(&stage->store,
				      "SELECT max(n) AS n FROM (SELECT count(*) AS n "
				      "FROM proof_watchers GROUP BY checker) AS c"),
			 stage->most_watched);
	assert_in_range(stage->most_watched, (FLEET + 1) * 3 / CHECKERS, WIRE_WATCHED_MAX);
	/* They are so many that each has fewer. */
	stage->settings.panel_standing = CHECKERS;
	store_exec(&stage->store, "DELETE FROM proof_watchers");
	store_exec(&stage->store, "DELETE FROM proof_hours");
	stage_restart(stage);
	assert_int_equal(stage_job(stage, watch_run), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_watchers"),
			 (FLEET + 1) * 3);
}

static void test_a_majority_counts_hours(void **state)
{
	struct call call = { .stage = *state };

	assert_int_equal(store_run(&call.stage->store, TX_WRITE, tx_uptime, &call), 0);
	assert_int_equal(call.seconds, 3 * 3600);
}

/* Of four who were drawn two reported: that is no majority of them. */
static int tx_few(struct tx *tx, void *arg)
{
	struct call *call = arg;
	struct proof_watcher drawn[4];
	int r;

	for (uint8_t i = 0; i < 4; i++)
		drawn[i] = (struct proof_watcher){ call->stage->machine, { { i } }, { { { i } } } };
	r = proof_store_watchers_add(tx, 102, drawn, 4);
	for (int64_t hour = 102; r == 0 && hour < 104; hour++) {
		if (hour == 103)
			r = proof_store_watchers_add(tx, 103, drawn, 3);
		for (uint8_t i = 0; r == 0 && i < 2; i++) {
			struct proof_uptime uptime = { .machine = call->stage->machine,
						       .checker = { { i } },
						       .hour = hour,
						       .polls = 10,
						       .answered = 10 };

			r = proof_store_uptime_add(tx, &uptime);
		}
	}
	return r == 0 ? seconds_up(tx, call, 102 * 3600000LL) : r;
}

static void test_a_majority_of_those_drawn_must_report(void **state)
{
	struct call call = { .stage = *state };

	assert_int_equal(store_run(&call.stage->store, TX_WRITE, tx_few, &call), 0);
	assert_int_equal(call.seconds, 3600);
}

/* ---- who was away while rented ---- */

enum { WATCHERS = 5 };

struct away {
	struct stage *stage;
	int64_t hour;
	size_t drawn;
	struct account_id accounts[WATCHERS];
	struct spans seen[WATCHERS];
	size_t reported;
};

static int tx_away(struct tx *tx, void *arg)
{
	const struct away *away = arg;
	struct proof_watcher drawn[WATCHERS];
	int r;

	for (uint8_t i = 0; i < away->drawn; i++)
		drawn[i] = (struct proof_watcher){ away->stage->machine,
						   { { (uint8_t)(i + 1) } },
						   away->accounts[i] };
	r = proof_store_watchers_add(tx, away->hour, drawn, away->drawn);
	for (uint8_t i = 0; r == 0 && i < away->reported; i++) {
		struct proof_uptime uptime = { .machine = away->stage->machine,
					       .checker = drawn[i].checker,
					       .hour = away->hour,
					       .polls = 10,
					       .answered = 9,
					       .away = away->seen[i] };

		r = proof_store_uptime_add(tx, &uptime);
	}
	return r;
}

static void close_hours(struct stage *stage, int64_t now_ms, int64_t up_ms)
{
	struct clock_fake clock;
	struct context later = stage->context;

	clock_fake_init(&clock, now_ms - up_ms);
	later.clock = &clock.clock;
	hours_begin(&later);
	clock.ms = now_ms;
	arena_reset(stage->store.arena);
	assert_int_equal(hours_run(&later, stage->store.arena), 0);
}

/* An hour after the lease began, and what its watchers saw; how many excuses there are when it is over. */
static int64_t excuses_after(const struct away *away)
{
	struct stage *stage = away->stage;
	int64_t end_ms = (away->hour + 1) * 3600000;

	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_away, (void *)away), 0);
	close_hours(stage, end_ms + 899999, 900000);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_hours "
						     "WHERE state = 1"),
			 1);
	stage->settings.poll_after_ms = 60000;
	close_hours(stage, end_ms + 900000, 959999); /* too early after a start */
	stage->settings.poll_after_ms = 0;
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_hours "
						     "WHERE state = 1"),
			 1);
	close_hours(stage, end_ms + 900000, 900000);
	close_hours(stage, end_ms + 900000, 900000);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_hours "
						     "WHERE state = 1"),
			 0);
	return store_number(&stage->store, "SELECT count(*) AS n FROM billing_excuses");
}

static struct away rented_away(struct stage *stage, size_t drawn)
{
	struct away away = { .stage = stage,
			     .hour = clock_now_ms(&clock_system) / 3600000 + 10,
			     .drawn = drawn,
			     .reported = drawn };

	rent(stage);
	for (size_t i = 0; i < drawn; i++)
		memset(&away.accounts[i], (int)(0x50 + i), sizeof(away.accounts[i]));
	return away;
}

#define SPANS(...)                                                                \
	{                                                                         \
		.items = { __VA_ARGS__ },                                         \
		.n = sizeof((struct span[]){ __VA_ARGS__ }) / sizeof(struct span) \
	}

static int tx_purge_hours(struct tx *tx, void *arg)
{
	const struct away *away = arg;
	struct proof_uptime late = { .machine = away->stage->machine,
				     .checker = { { 1 } },
				     .hour = away->hour,
				     .polls = 1000 };
	int r = proof_store_uptime_add(tx, &late);

	for (unsigned int part = 0; r == 0 && part < HOURS_PARTS; part++)
		r = proof_store_hours_purge(tx, away->hour + 1, part);
	return r;
}

static void test_time_that_a_majority_saw_it_away_is_excused(void **state)
{
	struct stage *stage = *state;
	struct away away = rented_away(stage, 5);
	int64_t start_ms = away.hour * 3600000;

	away.seen[0] = (struct spans)SPANS({ 100, 200 }, { 300, 400 });
	away.seen[1] = (struct spans)SPANS({ 150, 350 });
	away.seen[2] = (struct spans)SPANS({ 190, 320 }, { 1000, 3600 });
	away.reported = 3; /* the others are no less drawn */
	assert_int_equal(excuses_after(&away), 2);
	assert_int_equal(
		store_number(&stage->store, "SELECT min(from_ms) AS n FROM billing_excuses"),
		start_ms + 190000);
	assert_int_equal(
		store_number(&stage->store, "SELECT min(until_ms) AS n FROM billing_excuses"),
		start_ms + 200000);
	assert_int_equal(
		store_number(&stage->store, "SELECT max(from_ms) AS n FROM billing_excuses"),
		start_ms + 300000);
	assert_int_equal(
		store_number(&stage->store, "SELECT max(until_ms) AS n FROM billing_excuses"),
		start_ms + 320000);
	assert_int_equal(store_number(&stage->store, "SELECT max(hour) AS n FROM billing_excuses"),
			 away.hour);
	/* Its evidence stays; a report that comes late changes nothing. */
	assert_int_equal(store_number(&stage->store, "SELECT state AS n FROM proof_hours"),
			 HOUR_EXCUSED);
	away.drawn = 0;
	away.seen[0] = (struct spans){ 0 };
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_purge_hours, &away), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_uptimes"), 3);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_watchers"),
			 5);
}

static void test_a_minority_excuses_nothing(void **state)
{
	struct stage *stage = *state;
	struct away away = rented_away(stage, 5);

	away.seen[0] = (struct spans)SPANS({ 0, 3600 });
	away.seen[1] = (struct spans)SPANS({ 0, 3600 });
	assert_int_equal(excuses_after(&away), 0);
	assert_int_equal(store_number(&stage->store, "SELECT state AS n FROM proof_hours"),
			 HOUR_OVER);
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_purge_hours, &away), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_uptimes"), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_watchers"),
			 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_hours"), 0);
}

/* Two of three others must have seen it where the tenant's own two did. */
static void test_the_tenants_watchers_do_not_count(void **state)
{
	struct away away = rented_away(*state, 5);

	for (int i = 0; i < 3; i++)
		away.seen[i] = (struct spans)SPANS({ 0, 3600 });
	memset(&away.accounts[0], 0, sizeof(away.accounts[0]));
	memset(&away.accounts[1], 0, sizeof(away.accounts[1]));
	away.accounts[0].address.bytes[0] = away.accounts[1].address.bytes[0] = 7;
	assert_int_equal(excuses_after(&away), 0);
}

static void test_so_few_as_are_drawn_must_agree(void **state)
{
	struct away away = rented_away(*state, 2);

	assert_int_equal(watchers_needed(1, 3), 1);
	assert_int_equal(watchers_needed(2, 3), 2);
	assert_int_equal(watchers_needed(3, 3), 2);
	assert_int_equal(watchers_needed(4, 5), 4);
	assert_int_equal(watchers_needed(7, 3), 4);
	away.seen[0] = (struct spans)SPANS({ 10, 30 });
	away.seen[1] = (struct spans)SPANS({ 20, 40 });
	assert_int_equal(excuses_after(&away), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_a_new_machine_is_proved),
		STAGE_TEST(test_a_forger_fails_and_a_liar_is_marked),
		STAGE_TEST(test_a_lying_majority_marks_nobody),
		STAGE_TEST(test_a_refusal_has_its_word),
		STAGE_TEST(test_mute_checkers_are_marked_silent),
		STAGE_TEST(test_a_restart_ends_what_went_on),
		STAGE_TEST(test_what_is_interrupted_says_where),
		STAGE_TEST(test_bandwidth_outlives_one_session_that_measures_none),
		STAGE_TEST(test_who_looks_at_nothing_is_found_out),
		STAGE_TEST(test_a_turn_begins_all_with_thousands_of_checkers),
		STAGE_TEST(test_all_gpus_begin_or_none),
		STAGE_TEST(test_nobody_takes_all_places),
		STAGE_TEST(test_gpus_walk_together),
		STAGE_TEST(test_who_yields_to_nobody_fails),
		STAGE_TEST(test_who_leaves_before_its_openings_fails),
		STAGE_TEST(test_figures_name_the_session_that_measured_them),
		STAGE_TEST(test_a_rented_machine_that_fails_is_excused),
		STAGE_TEST(test_a_host_that_fails_excuses_all_that_run_there),
		STAGE_TEST(test_a_host_that_passes_ends_what_it_excused_only),
		STAGE_TEST(test_a_disk_that_was_never_checked_is_not_put_off_for_long),
		STAGE_TEST(test_bandwidth_that_is_not_measured_again_is_none),
		STAGE_TEST(test_what_a_tenant_can_bring_about_excuses_nothing),
		STAGE_TEST(test_who_yields_to_a_tenant_stands_as_before),
		STAGE_TEST(test_polls_are_relayed_and_reports_kept),
		STAGE_TEST(test_reports_outlive_a_fault),
		STAGE_TEST(test_a_forged_report_is_dropped),
		STAGE_TEST(test_an_open_hour_can_be_reported_however_old),
		STAGE_TEST(test_nobody_is_polled_before_all_can_be_back),
		STAGE_TEST(test_every_machine_is_watched),
		STAGE_TEST(test_an_hour_keeps_its_figures),
		STAGE_TEST(test_a_majority_counts_hours),
		STAGE_TEST(test_a_majority_of_those_drawn_must_report),
		STAGE_TEST(test_time_that_a_majority_saw_it_away_is_excused),
		STAGE_TEST(test_a_minority_excuses_nothing),
		STAGE_TEST(test_the_tenants_watchers_do_not_count),
		STAGE_TEST(test_so_few_as_are_drawn_must_agree),
	};

	return stage_run(tests, ARRAY_SIZE(tests));
}

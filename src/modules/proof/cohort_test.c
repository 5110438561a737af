#include "modules/proof/proof_stage.h"

#include <unistd.h>

#include "modules/proof/cohort.h"
#include "modules/proof/schedule.h"
#include "modules/proof/settle.h"

enum { LIST_MAX = 100 };

static struct hash value; /* of the only slot */

/* ---- the world ---- */

static int tx_value(struct tx *tx, void *arg)
{
	struct stage *stage = arg;
	struct beacon beacon;
	int r = beacon_renew(&stage->context, tx);

	if (r == 0)
		r = beacon_now(&stage->context, tx, &beacon);
	if (r == 0)
		value = beacon.value;
	return r;
}

/* One slot that goes on for years. @half: the first half of it, or the second. */
static void one_slot(struct stage *stage, int half)
{
	int64_t now_ms = clock_now_ms(&clock_system);

	stage->settings.beacon_slot_ms = half == 1 ? 4 * now_ms : now_ms + 3600000;
	stage->settings.proof_at_once = 16;
	assert_int_equal(store_run(&stage->store, TX_WRITE, tx_value, stage), 0);
	store_exec(&stage->store, "DELETE FROM worker_devices");
}

static void no_cohort(struct stage *stage)
{
	stage->settings.beacon_slot_ms = 1000;
	stage->settings.proof_standby_ms = UINT32_MAX; /* one slot in two million has one */
}

/* A machine of @gpus that is in the slot's cohort, or not; of the stage's owner. */
static struct machine_id add_owners(struct stage *stage, bool in, int gpus)
{
	struct machine_id machine = { { { (uint8_t)(1 + stage->n_crowd) } } };
	struct hasher *hasher;

	assert_int_equal(hasher_new(&hasher), 0);
	while (panel_cohort(hasher, &value, &machine.address) != in)
		machine.address.bytes[1]++;
	hasher_free(hasher);
	stage_crowd(stage, machine, gpus);
	return machine;
}

/* Of an owner of its own. */
static struct machine_id add_machine(struct stage *stage, bool in, int gpus)
{
	stage->owner.address.bytes[0]++;
	return add_owners(stage, in, gpus);
}

/* All its GPUs are to be checked now, as if they were new. */
static void make_due(struct stage *stage, struct machine_id machine)
{
	char sql[200];

	snprintf(sql, sizeof(sql),
		 "UPDATE worker_devices SET state = 0, due_at = 0 WHERE device LIKE 'GPU-%02x%%'",
		 machine.address.bytes[0]);
	store_exec(&stage->store, sql);
}

static size_t count(struct stage *stage, const char *of)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT count(*) AS n FROM proofs WHERE %s", of);
	return (size_t)store_number(&stage->store, sql);
}

/* Sessions of @machine's GPUs; each has its own. */
static size_t begun(struct stage *stage, struct machine_id machine)
{
	struct proof_row *rows;
	size_t n = stage_proofs(stage, &rows), mine = 0;

	for (size_t i = 0; i < n; i++) {
		if (!machine_equal(rows[i].machine, machine))
			continue;
		assert_int_equal(rows[i].device, WORKER_DEVICE_GPU);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(rows[i].uuid, rows[j].uuid);
		mine++;
	}
	return mine;
}

static void turn(struct stage *stage)
{
	assert_int_equal(stage_job(stage, schedule_run), 0);
}

/* ---- who ---- */

static void test_all_idle_gpus_of_the_cohort_begin_at_once(void **state)
{
	struct stage *stage = *state;
	struct machine_id in[3], out[2], mixed;
	struct proof_row *rows;
	size_t n;

	one_slot(stage, 1);
	for (int i = 0; i < 3; i++)
		in[i] = add_machine(stage, true, 1 + i);
	for (int i = 0; i < 2; i++)
		out[i] = add_machine(stage, false, 2);
	/* One GPU rented, one that failed, two idle. */
	mixed = add_machine(stage, true, 4);
	store_exec(&stage->store,
		   "UPDATE worker_gpus SET lease = substr(machine, 1, 16) WHERE ordinal = 0 AND "
		   "(SELECT count(*) FROM worker_gpus g "
		   "WHERE g.machine = worker_gpus.machine) = 4");
	store_exec(&stage->store,
		   "UPDATE worker_devices SET state = 2 WHERE device LIKE '%-0003-%'");
	turn(stage);
	for (int i = 0; i < 3; i++)
		assert_int_equal(begun(stage, in[i]), 1 + i);
	for (int i = 0; i < 2; i++)
		assert_int_equal(begun(stage, out[i]), 0);
	assert_int_equal(begun(stage, mixed), 2);
	n = stage_proofs(stage, &rows);
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++) {
		assert_true(rows[i].cohort && rows[i].live);
		assert_int_equal(rows[i].kind, SESSION_STANDBY);
		assert_int_equal(rows[i].slot, rows[0].slot);
	}
	/* Once, whoever is idle later, and whatever happens to the control plane. */
	turn(stage);
	add_machine(stage, true, 1);
	turn(stage);
	stage_restart(stage);
	turn(stage);
	assert_int_equal(count(stage, "1 = 1"), 8);
}

static void test_other_slots_have_none(void **state)
{
	struct stage *stage = *state;
	struct machine_id machine;
	struct proof_row *rows;

	one_slot(stage, 1);
	machine = add_machine(stage, true, 2);
	no_cohort(stage);
	turn(stage);
	assert_int_equal(count(stage, "1 = 1"), 0);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proof_cohorts"), 0);
	/* What is due by itself, and was never seen whole, begins as ever. */
	store_exec(&stage->store, "UPDATE worker_devices SET state = 0, due_at = 0");
	turn(stage);
	assert_int_equal(begun(stage, machine), 2);
	assert_true(stage_proofs(stage, &rows) == 2 && !rows[0].cohort && !rows[1].cohort);
}

/* ---- room ---- */

struct listing {
	struct stage *stage;
	struct machine_id machines[LIST_MAX];
	size_t sizes[LIST_MAX], n;
};

static int tx_list(struct tx *tx, void *arg)
{
	struct listing *listing = arg;
	struct cohort_machine *list;
	struct hasher *hasher;
	int r = hasher_new(&hasher);

	if (r == 0)
		r = cohort_list(&listing->stage->context, tx, hasher, &value, &list, &listing->n);
	for (size_t i = 0; r == 0 && i < listing->n; i++) {
		struct hash ticket;

		panel_cohort_ticket(hasher, &value, &list[i].machine.address, &ticket);
		assert_memory_equal(&ticket, &list[i].ticket, sizeof(ticket));
		if (i > 0)
			assert_true(memcmp(&list[i - 1].ticket, &ticket, sizeof(ticket)) < 0);
		listing->machines[i] = list[i].machine;
		listing->sizes[i] = list[i].n;
	}
	hasher_free(hasher);
	return r;
}

static void test_the_lowest_tickets_go_whole(void **state)
{
	struct stage *stage = *state;
	struct listing listing = { .stage = stage };
	size_t room = 7, sum = 0;

	one_slot(stage, 1);
	for (int i = 0; i < 6; i++)
		add_machine(stage, true, 1 + i % 3);
	add_machine(stage, true, 8); /* never fits */
	stage->settings.proof_at_once = (int64_t)room;
	assert_int_equal(store_run(&stage->store, TX_READ, tx_list, &listing), 0);
	assert_int_equal(listing.n, 7);
	turn(stage);
	for (size_t i = 0; i < listing.n; i++) {
		size_t expected = listing.sizes[i] <= room ? listing.sizes[i] : 0;

		assert_int_equal(begun(stage, listing.machines[i]), expected);
		room -= expected;
		sum += expected;
	}
	assert_true(sum > 0 && sum <= 7);
	assert_int_equal(count(stage, "cohort = 1"), sum);
}

/* What is due waited longer, and would fill the room. */
static void test_the_cohort_goes_before_what_is_due(void **state)
{
	struct stage *stage = *state;
	struct machine_id in[2], due;

	one_slot(stage, 2);
	due = add_machine(stage, false, 4);
	make_due(stage, due);
	for (int i = 0; i < 2; i++)
		in[i] = add_machine(stage, true, 2);
	stage->settings.proof_at_once = 4;
	turn(stage);
	assert_int_equal(begun(stage, in[0]), 2);
	assert_int_equal(begun(stage, in[1]), 2);
	assert_int_equal(begun(stage, due), 0);
	/* With room behind the cohort it begins. */
	stage->settings.proof_at_once = 32;
	turn(stage);
	assert_int_equal(begun(stage, due), 4);
	assert_int_equal(count(stage, "cohort = 1"), 4);
}

/* Half of the @places are taken by what went on before the slot. */
static void fill_half(struct stage *stage, int places)
{
	struct machine_id before = add_machine(stage, false, places / 2);
	int64_t slot_ms = stage->settings.beacon_slot_ms;

	make_due(stage, before);
	stage->settings.proof_at_once = places;
	no_cohort(stage);
	turn(stage);
	assert_int_equal(begun(stage, before), places / 2);
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 9000000000000");
	stage->settings.beacon_slot_ms = slot_ms;
}

static void test_nothing_takes_the_cohorts_room(void **state)
{
	struct stage *stage = *state;
	struct machine_id in[2], due;

	one_slot(stage, 1);
	fill_half(stage, 4);
	due = add_machine(stage, false, 1);
	make_due(stage, due);
	for (int i = 0; i < 2; i++)
		in[i] = add_machine(stage, true, 2);
	turn(stage);
	assert_int_equal(count(stage, "1 = 1"), 2); /* all wait, the due one too */
	stage_restart(stage); /* ends what went on */
	turn(stage);
	assert_int_equal(begun(stage, in[0]), 2);
	assert_int_equal(begun(stage, in[1]), 2);
	assert_int_equal(begun(stage, due), 0);
	assert_int_equal(count(stage, "cohort = 1"), 4);
}

static void test_late_in_the_slot_it_takes_what_room_there_is(void **state)
{
	struct stage *stage = *state;
	struct machine_id in[2];

	one_slot(stage, 2);
	fill_half(stage, 4);
	for (int i = 0; i < 2; i++)
		in[i] = add_machine(stage, true, 2);
	turn(stage);
	assert_int_equal(begun(stage, in[0]) + begun(stage, in[1]), 2);
	assert_int_equal(count(stage, "cohort = 1"), 2);
}

static void test_an_owner_has_a_quarter_of_the_places(void **state)
{
	struct machine_id owners[6], other, large;
	struct stage *stage = *state;
	size_t sum = 0;

	one_slot(stage, 1);
	large = add_machine(stage, true, 5); /* one machine has what it needs */
	other = add_machine(stage, true, 2);
	stage->owner.address.bytes[0]++;
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		owners[i] = add_owners(stage, true, 1);
	turn(stage);
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		sum += begun(stage, owners[i]);
	assert_int_equal(sum, 16 / 4);
	assert_int_equal(begun(stage, other), 2);
	assert_int_equal(begun(stage, large), 5);
}

/* Else one that shows many GPUs would keep everybody waiting for half a slot. */
static void test_no_cohort_waits_for_room_that_its_owner_may_not_have(void **state)
{
	struct stage *stage = *state;

	one_slot(stage, 1);
	fill_half(stage, 8);
	stage->owner.address.bytes[0]++;
	for (int i = 0; i < 6; i++)
		add_owners(stage, true, 1);
	turn(stage);
	assert_int_equal(count(stage, "cohort = 1"), 2);
}

/* A new machine that shows more GPUs than all new ones may have places: others go before it although they waited
 * less, it keeps no place free meanwhile, and has its turn when nothing goes on. */
static void test_a_crowd_of_new_gpus_waits_for_its_own_turn(void **state)
{
	struct stage *stage = *state;
	struct machine_id crowd, rented, small;

	one_slot(stage, 1);
	no_cohort(stage);
	stage->settings.proof_at_once = 8;
	rented = add_machine(stage, true, 1);
	store_exec(&stage->store, "UPDATE worker_gpus SET lease = substr(machine, 1, 16)");
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 1");
	crowd = add_machine(stage, true, 5);
	make_due(stage, crowd);
	turn(stage);
	assert_int_equal(begun(stage, rented), 1);
	assert_int_equal(begun(stage, crowd), 0);
	small = add_machine(stage, true, 1);
	make_due(stage, small);
	turn(stage);
	assert_int_equal(begun(stage, small), 1);
	assert_int_equal(begun(stage, crowd), 0);
	stage_restart(stage); /* ends what went on */
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 9000000000000");
	make_due(stage, crowd);
	turn(stage);
	assert_int_equal(begun(stage, crowd), 5);
}

struct due {
	struct stage *stage;
	int64_t now_ms;
	size_t n, proved, first_proved;
};

static int tx_due(struct tx *tx, void *arg)
{
	struct due *due = arg;
	struct worker_proof_device *devices;
	int r = worker_proof_due(&due->stage->context, tx, due->now_ms, 6, &devices, &due->n);

	due->proved = due->first_proved = 0;
	for (size_t i = 0; r == 0 && i < due->n; i++) {
		if (devices[i].standing.state != WORKER_PROVED)
			continue;
		if (due->proved++ == 0)
			due->first_proved = i;
	}
	return r;
}

/* However many new ones wait, and since when: what is proved is looked at, too, by the time it waits. */
static void test_proved_devices_are_seen_behind_many(void **state)
{
	struct stage *stage = *state;
	struct due due = { .stage = stage, .now_ms = 2000 };

	one_slot(stage, 1);
	add_machine(stage, true, 1);
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 2000");
	make_due(stage, add_machine(stage, true, 8));
	assert_int_equal(store_run(&stage->store, TX_READ, tx_due, &due), 0);
	assert_int_equal(due.n, 3 + 1);
	assert_int_equal(due.first_proved, 3);
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 1000 WHERE state = 0");
	store_exec(&stage->store, "UPDATE worker_devices SET due_at = 500 WHERE state = 1");
	assert_int_equal(store_run(&stage->store, TX_READ, tx_due, &due), 0);
	assert_int_equal(due.proved, 1);
	assert_int_equal(due.first_proved, 0);
	due.now_ms = 499;
	assert_int_equal(store_run(&stage->store, TX_READ, tx_due, &due), 0);
	assert_int_equal(due.n, 0);
}

/* ---- together ---- */

/* One GPU behind two machines' keys fills for the one, and would go on to the other afterwards. */
static void test_machines_of_a_cohort_walk_together(void **state)
{
	struct stage *stage = *state;
	struct proof_row *rows;
	size_t n, silent = 0;

	one_slot(stage, 1);
	for (int i = 0; i < 3; i++)
		add_machine(stage, true, 1);
	stage->settings.proof_nonce_ms = 500;
	stage->pretends = true;
	stage->fills = 2;
	turn(stage);
	for (int i = 0; i < 500 && stage->fills > 0; i++)
		usleep(10000);
	usleep(200000); /* of ticks */
	assert_int_equal(stage->fills, 0);
	assert_int_equal(stage->walks, 0);
	stage_until(stage, 1);
	n = stage_proofs(stage, &rows);
	for (size_t i = 0; i < n; i++)
		if (!rows[i].live) {
			assert_string_equal(rows[i].reason, "worker_silent");
			assert_string_equal(rows[i].phase, "fill");
			silent++;
		}
	assert_int_equal(silent, 1);
	for (int i = 0; i < 1000 && stage->walks < 2; i++)
		usleep(10000);
	assert_int_equal(stage->walks, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_all_idle_gpus_of_the_cohort_begin_at_once),
		STAGE_TEST(test_other_slots_have_none),
		STAGE_TEST(test_the_lowest_tickets_go_whole),
		STAGE_TEST(test_the_cohort_goes_before_what_is_due),
		STAGE_TEST(test_nothing_takes_the_cohorts_room),
		STAGE_TEST(test_late_in_the_slot_it_takes_what_room_there_is),
		STAGE_TEST(test_an_owner_has_a_quarter_of_the_places),
		STAGE_TEST(test_no_cohort_waits_for_room_that_its_owner_may_not_have),
		STAGE_TEST(test_a_crowd_of_new_gpus_waits_for_its_own_turn),
		STAGE_TEST(test_proved_devices_are_seen_behind_many),
		STAGE_TEST(test_machines_of_a_cohort_walk_together),
	};

	return stage_run(tests, ARRAY_SIZE(tests));
}

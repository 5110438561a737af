#include "modules/worker/agent_stage.h"
#include "modules/worker/charging.h"
#include "modules/worker/errand.h"

enum { MANY = 300, RESULTS = CHARGING_QUEUE_MAX + 1 };

static struct charging *charging;
static struct world *stage_world;
static uint64_t order[RESULTS];
static int results[RESULTS];
static int outcomes[RESULTS];
static size_t n_results;
static void (*meanwhile)(void); /* called in the first batch, while the queue is busy */

static void note(struct charge *charge, int result, struct arena *arena _unused_)
{
	order[n_results] = charge->record.usage.sequence;
	results[n_results] = result;
	outcomes[n_results++] = charge->record.outcome;
	free(charge);
	if (n_results == 1)
		meanwhile();
}

/* Of the machine 0, its lease @lease; checked and signed. */
static struct charge *charge_of(uint8_t lease, uint64_t sequence)
{
	struct charge *charge = calloc(1, sizeof(*charge));
	struct usage_statement *usage = &charge->record.usage;
	uint8_t digest[SIGN_DIGEST_SIZE];
	int64_t now_ms = clock_now_ms(&stage_world->clock.clock);

	assert_non_null(charge);
	*usage = (struct usage_statement){
		.network = stage_world->settings.network,
		.machine = stage_world->machines[0],
		.lease = lease_of(lease),
		.rental = rental_of(lease),
		.sequence = sequence,
		.started_at_ms = now_ms - 3000,
		.until_ms = now_ms,
		.seconds = 3,
	};
	usage_digest(usage, digest);
	assert_int_equal(secp_sign(stage_world->keys[0], digest, charge->record.signature), 0);
	assert_int_equal(billing_record_check(&charge->record), 0);
	return charge;
}

static int put(uint8_t lease, uint64_t sequence)
{
	struct charge *charge = charge_of(lease, sequence);
	int r = charging_put(charging, charge, 1);

	if (r < 0)
		free(charge);
	return r;
}

static void begin(void **state, charging_done *done, void (*then)(void))
{
	stage_world = *state;
	meanwhile = then;
	n_results = 0;
	assert_int_equal(charging_new(&stage_world->context, done, &charging), 0);
}

/* ---- the queue ---- */

static void put_many(void)
{
	for (uint64_t i = 2; i <= MANY; i++)
		assert_int_equal(put(9, i), 0);
	assert_int_equal(n_results, 1);
}

static void test_what_gathers_is_taken_in_order(void **state)
{
	begin(state, note, put_many);
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(n_results, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(order[i], i + 1);
		assert_int_equal(results[i], 0);
		assert_int_equal(outcomes[i], BILLING_E_NO_LEASE);
	}
	charging_free(charging);
}

static void fill_up(void)
{
	struct charge *charges[CHARGING_QUEUE_MAX + 1];

	for (size_t i = 0; i <= CHARGING_QUEUE_MAX; i++) {
		charges[i] = calloc(1, sizeof(*charges[i]));
		assert_non_null(charges[i]);
	}
	for (size_t i = 0; i < CHARGING_QUEUE_MAX; i++)
		assert_int_equal(charging_put(charging, charges[i], 1), 0);
	assert_int_equal(charging_put(charging, charges[CHARGING_QUEUE_MAX], 1), -EAGAIN);
	free(charges[CHARGING_QUEUE_MAX]);
}

static void nothing(void)
{
}

static void test_a_full_queue_takes_nothing(void **state)
{
	begin(state, note, fill_up);
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(n_results, CHARGING_QUEUE_MAX + 1);
	n_results = 0;
	meanwhile = nothing;
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(n_results, 1);
	charging_free(charging);
}

/* ---- faults ---- */

static int set_up_leases(struct tx *tx, void *arg)
{
	const struct context *context = arg;
	int r = billing_credit(context, tx, account_of(1), (struct amount){ 1000000 }, "a", NULL);

	for (uint8_t i = 1; r == 0 && i <= 3; i++) {
		const struct billing_lease lease = {
			.rental = rental_of(i),
			.lease = lease_of(i),
			.tenant = account_of(1),
			.machine = stage_world->machines[0],
			.provider = account_of(2),
			.rate_hour = { 3600000 },
		};

		r = billing_lease_open(context, tx, &lease);
	}
	/* A share of twice the amount cannot be: a fault whenever the second is charged. */
	if (r == 0)
		r = tx_exec(tx,
			    "UPDATE billing_leases SET fee_basis_points = 20000 WHERE lease = $1",
			    SQL_PARAMS(sql_blob(lease_of(2).bytes, 16)), NULL);
	return r;
}

static void put_three(void)
{
	for (uint8_t i = 1; i <= 3; i++)
		assert_int_equal(put(i, i), 0);
}

static void test_a_bad_lease_does_not_hold_up_others(void **state)
{
	begin(state, note, put_three);
	assert_int_equal(
		store_run(&stage_world->store, TX_WRITE, set_up_leases, &stage_world->context), 0);
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(n_results, 4);
	assert_true(results[1] == 0 && outcomes[1] == 0);
	assert_true(results[2] < 0);
	assert_true(results[3] == 0 && outcomes[3] == 0);
	charging_free(charging);
}

static void test_a_fault_of_the_store_is_tried_again_alone(void **state)
{
	begin(state, note, put_three);
	assert_int_equal(
		store_run(&stage_world->store, TX_WRITE, set_up_leases, &stage_world->context), 0);
	/* The first is of an unknown lease: one statement. */
	db_fault_at(stage_world->store.db, DB_FAULT_STATEMENT, 2, -EIO);
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(n_results, 4);
	assert_true(results[1] == 0 && outcomes[1] == 0);
	assert_true(results[3] == 0 && outcomes[3] == 0);
	charging_free(charging);
}

/* ---- what waits for it ---- */

static bool is_back;

static void on_back(struct errand *errand _unused_)
{
	is_back = true;
}

static struct letter *letter_of(const Wire__ToServer *message, struct arena *arena)
{
	struct letter *letter;
	const void *bytes;
	size_t len;

	assert_int_equal(wire_encode_to_server(message, arena, &bytes, &len), 0);
	letter = malloc(sizeof(*letter) + len);
	assert_non_null(letter);
	*letter = (struct letter){ .len = len };
	memcpy(letter->bytes, bytes, len);
	return letter;
}

static struct letter *usage_letter(struct arena *arena)
{
	Wire__Usage usage = WIRE__USAGE__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct lease_id lease = lease_of(1);
	struct rental_id rental = rental_of(1);
	uint8_t signature[SIGNATURE_SIZE] = { 1 };

	usage.lease = (ProtobufCBinaryData){ sizeof(lease.bytes), lease.bytes };
	usage.rental = (ProtobufCBinaryData){ sizeof(rental.bytes), rental.bytes };
	usage.sequence = 1;
	usage.final = true;
	usage.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	message.body_case = WIRE__TO_SERVER__BODY_USAGE;
	message.usage = &usage;
	return letter_of(&message, arena);
}

static struct letter *report_letter(struct arena *arena)
{
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	Wire__ToServer message = WIRE__TO_SERVER__INIT;

	message.body_case = WIRE__TO_SERVER__BODY_ACTUAL;
	message.actual = &actual;
	return letter_of(&message, arena);
}

static struct errand errand;

/* Two records and a report, while the queue is busy with somebody's. */
static void run_errand(void)
{
	struct arena *arena;

	assert_int_equal(arena_new(1 << 20, &arena), 0);
	errand = (struct errand){
		.context = &stage_world->context,
		.charging = charging,
		.machine = stage_world->machines[0],
		.back = on_back,
	};
	errand.letters = usage_letter(arena);
	errand.letters->next = usage_letter(arena);
	errand.letters->next->next = report_letter(arena);
	is_back = false;
	errand_run(&errand);
	arena_free(arena);
}

static void run_errand_while_busy(void)
{
	run_errand();
	assert_false(is_back);
	assert_int_equal(errand.n_charges, 2);
	assert_non_null(errand.letters);
	assert_null(errand.letters->next);
}

static void note_or_errand(struct charge *charge, int result, struct arena *arena)
{
	if (charge->owner)
		errand_charged(charge, result, arena);
	else
		note(charge, result, arena);
}

static void test_a_report_waits_for_the_records_before_it(void **state)
{
	struct stage stage;

	stage_open(&stage, *state);
	begin(state, note_or_errand, run_errand_while_busy);
	assert_int_equal(put(9, 1), 0);
	assert_true(is_back);
	assert_int_equal(errand.n_charges, 0);
	assert_int_equal(errand.close_code, 0);
	assert_non_null(errand.letters);
	letters_free(errand.letters);
	charging_free(charging);
	stage_close(&stage);
}

static void fill_up_and_run(void)
{
	fill_up();
	run_errand();
	assert_true(is_back);
}

static void test_nothing_overtakes_a_final_record_that_was_dropped(void **state)
{
	begin(state, note_or_errand, fill_up_and_run);
	assert_int_equal(put(9, 1), 0);
	assert_int_equal(errand.n_charges, 0);
	assert_int_equal(errand.close_code, 1011);
	letters_free(errand.letters);
	charging_free(charging);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_gathers_is_taken_in_order),
		WORLD_TEST(test_a_full_queue_takes_nothing),
		WORLD_TEST(test_a_bad_lease_does_not_hold_up_others),
		WORLD_TEST(test_a_fault_of_the_store_is_tried_again_alone),
		WORLD_TEST(test_a_report_waits_for_the_records_before_it),
		WORLD_TEST(test_nothing_overtakes_a_final_record_that_was_dropped),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

#include "modules/proof/panel.h"

#include <setjmp.h>
#include <stdarg.h>

#include "api/settings.h"
#include "io/db_fixture.h"
#include "io/migrate.h"
#include "modules/proof/beacon.h"
#include "modules/proof/plan.h"

#include <cmocka.h>

enum { CANDIDATES = 200, DRAWS = 300, SLOT_MS = 1000 };

static struct hasher *hasher;

static int open_hasher(void **state _unused_)
{
	return hasher_new(&hasher);
}

static int close_hasher(void **state _unused_)
{
	hasher_free(hasher);
	return 0;
}

static void make_candidates(struct panel_candidate candidates[static CANDIDATES])
{
	memset(candidates, 0, CANDIDATES * sizeof(*candidates));
	for (size_t i = 0; i < CANDIDATES; i++) {
		candidates[i].checker.bytes[0] = (uint8_t)i;
		candidates[i].checker.bytes[1] = 1;
		candidates[i].account.bytes[0] = (uint8_t)(i / 2);
		candidates[i].licences = 1;
	}
}

/* ---- sortition ---- */

static void test_the_same_numbers_draw_the_same_panel(void **state _unused_)
{
	struct panel_candidate candidates[CANDIDATES];
	struct panel_call call = { .device = SESSION_GPU, .attempt = 1 };
	struct address owner = { { 0xff } };
	size_t first[SESSION_PANEL_MAX], second[SESSION_PANEL_MAX];

	make_candidates(candidates);
	assert_int_equal(panel_draw(hasher, &call, candidates, CANDIDATES, &owner, 15, first), 15);
	assert_int_equal(panel_draw(hasher, &call, candidates, CANDIDATES, &owner, 15, second), 15);
	assert_memory_equal(first, second, 15 * sizeof(*first));
	/* A larger panel begins with the smaller one. */
	assert_int_equal(panel_draw(hasher, &call, candidates, CANDIDATES, &owner, 31, second), 31);
	assert_memory_equal(first, second, 15 * sizeof(*first));
	for (size_t i = 0; i < 31; i++)
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(second[i], second[j]);
	call.attempt = 2;
	assert_int_equal(panel_draw(hasher, &call, candidates, CANDIDATES, &owner, 15, second), 15);
	assert_memory_not_equal(first, second, 15 * sizeof(*first));
}

static void test_the_owners_own_are_never_drawn(void **state _unused_)
{
	struct panel_candidate candidates[CANDIDATES];
	struct panel_call call = { .device = SESSION_HOST };
	size_t places[SESSION_PANEL_MAX], n;
	struct address owner;

	make_candidates(candidates);
	owner = candidates[0].account;
	n = panel_draw(hasher, &call, candidates, 10, &owner, SESSION_PANEL_MAX, places);
	assert_int_equal(n, 8);
	for (size_t i = 0; i < n; i++)
		assert_true(places[i] >= 2);
	assert_int_equal(panel_draw(hasher, &call, candidates, 2, &owner, 7, places), 0);
	assert_int_equal(panel_draw(hasher, &call, candidates, 10, &owner, 0, places), 0);
}

/* Nine licences of 108 are drawn first one time in twelve: 25 of 300, give or take. */
static void test_licences_are_chances(void **state _unused_)
{
	struct panel_candidate candidates[CANDIDATES];
	struct panel_call call = { .device = SESSION_GPU };
	struct address owner = { { 0xff } };
	size_t places[SESSION_PANEL_MAX], won = 0;

	make_candidates(candidates);
	candidates[7].licences = 9;
	for (uint32_t i = 0; i < DRAWS; i++) {
		call.attempt = i;
		assert_int_equal(panel_draw(hasher, &call, candidates, 100, &owner, 1, places), 1);
		won += places[0] == 7;
	}
	assert_in_range(won, 10, 45);
}

static void test_uuids_as_bytes(void **state _unused_)
{
	static const uint8_t expected[SESSION_UUID_SIZE] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
							     0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
							     0xcc, 0xdd, 0xee, 0xff },
			     none[SESSION_UUID_SIZE];
	uint8_t uuid[SESSION_UUID_SIZE], other[SESSION_UUID_SIZE];

	panel_uuid(hasher, "GPU-00112233-4455-6677-8899-aabbccddeeff", uuid);
	assert_memory_equal(uuid, expected, sizeof(uuid));
	panel_uuid(hasher, "", uuid);
	assert_memory_equal(uuid, none, sizeof(uuid));
	panel_uuid(hasher, "GPU-0-0", uuid);
	panel_uuid(hasher, "GPU-0-1", other);
	assert_memory_not_equal(uuid, other, sizeof(uuid));
	panel_uuid(hasher, "GPU-00112233-4455-6677-8899-aabbccddeeff00", uuid);
	assert_memory_not_equal(uuid, expected, sizeof(uuid));
}

static void test_cohorts_halve_the_machines(void **state _unused_)
{
	struct hash beacon = { { 1 } };
	struct address machine = { { 0 } };
	size_t n = 0;

	for (int i = 0; i < DRAWS; i++) {
		machine.bytes[0] = (uint8_t)i;
		machine.bytes[1] = (uint8_t)(i >> 8);
		n += panel_cohort(hasher, &beacon, &machine);
	}
	assert_in_range(n, DRAWS / 3, DRAWS * 2 / 3);
}

/* Each machine's turn comes once in standby_ms: half of the slots that have one are its own. */
static void test_how_often_a_slot_has_a_cohort(void **state _unused_)
{
	static const struct address machine = { { 7 } };
	const int64_t slot_ms = 600000, standby_ms = 36 * 600000;
	struct hash beacon = { { 0 } };
	size_t slots = 0, turns = 0;

	for (int i = 0; i < 36000; i++) {
		hasher_once(hasher, beacon.bytes, sizeof(beacon.bytes), &beacon);
		if (!panel_cohort_slot(hasher, &beacon, slot_ms, standby_ms))
			continue;
		slots++;
		turns += panel_cohort(hasher, &beacon, &machine);
	}
	assert_in_range(slots, 1850, 2150); /* 2000, and 43 is the deviation */
	assert_in_range(turns, 880, 1120);
	for (int i = 0; i < 100; i++) {
		hasher_once(hasher, beacon.bytes, sizeof(beacon.bytes), &beacon);
		assert_true(panel_cohort_slot(hasher, &beacon, slot_ms, 2 * slot_ms));
		assert_false(panel_cohort_slot(hasher, &beacon, 100, UINT32_MAX));
	}
}

/* Anybody must find the same: H by another program. */
static void test_the_cohort_rule_is_what_the_document_says(void **state _unused_)
{
	static const uint8_t ticket[] = { 0x66, 0x70, 0x66, 0x4a, 0x56, 0x80, 0x26, 0x55 };
	const struct hash beacon = { { 1, 2, 3 } };
	const struct address machine = { { 9, 8, 7 } };
	struct hash mine;

	panel_cohort_ticket(hasher, &beacon, &machine, &mine);
	assert_memory_equal(mine.bytes, ticket, sizeof(ticket));
	/* The slot's number is 0x94f7eea9. */
	assert_true(panel_cohort_slot(hasher, &beacon, 581908147, 2000000000));
	assert_false(panel_cohort_slot(hasher, &beacon, 581908146, 2000000000));
	assert_int_equal(panel_cohort(hasher, &beacon, &machine), 0);
}

/* ---- the beacon ---- */

struct world {
	struct store store;
	struct clock_fake clock;
	struct random_seeded random;
	struct secp_key *network;
	struct settings settings;
	struct context context;
	struct beacon beacon;
};

static int renew_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;

	return beacon_renew(&world->context, tx);
}

static int now_fn(struct tx *tx, void *arg)
{
	struct world *world = arg;

	return beacon_now(&world->context, tx, &world->beacon);
}

static void open_world(struct world *world, enum store_kind kind)
{
	memset(world, 0, sizeof(*world));
	store_open(&world->store, kind);
	assert_int_equal(migrate(world->store.db, migrations, NULL), 0);
	clock_fake_init(&world->clock, 1700000000000);
	random_seeded_init(&world->random, 7);
	assert_int_equal(secp_key_generate(&world->random.random, &world->network), 0);
	world->settings = (struct settings){ .network_key = world->network,
					     .network = *secp_key_address(world->network),
					     .beacon_slot_ms = SLOT_MS };
	world->context = (struct context){ .clock = &world->clock.clock,
					   .random = &world->random.random,
					   .db = world->store.db,
					   .settings = &world->settings };
}

static struct beacon beacon_at(struct world *world, int64_t ms)
{
	world->clock.ms = ms;
	assert_int_equal(store_run(&world->store, TX_WRITE, renew_fn, world), 0);
	assert_int_equal(store_run(&world->store, TX_READ, now_fn, world), 0);
	return world->beacon;
}

static void assert_leads(const struct beacon *beacon)
{
	struct hash hash = beacon->value;

	for (int64_t slot = beacon->slot; slot >= beacon->chain.first; slot--)
		hasher_once(hasher, hash.bytes, HASH_SIZE, &hash);
	assert_memory_equal(&hash, &beacon->chain.head, HASH_SIZE);
}

static void follow_a_chain(enum store_kind kind)
{
	struct address signer;
	struct beacon first, next, last;
	struct hash hash;
	struct world world;

	open_world(&world, kind);
	assert_int_equal(store_run(&world.store, TX_READ, now_fn, &world), ROUTE_E_UNAVAILABLE);
	first = beacon_at(&world, world.clock.ms);
	assert_leads(&first);
	assert_false(first.has_next);
	beacon_digest(hasher, &world.settings.network, &first.chain, &hash);
	assert_int_equal(secp_recover(hash.bytes, first.chain.signature, &signer), 0);
	assert_true(address_equal(&signer, &world.settings.network));

	next = beacon_at(&world, world.clock.ms + SLOT_MS);
	hasher_once(hasher, next.value.bytes, HASH_SIZE, &hash);
	assert_memory_equal(&hash, &first.value, HASH_SIZE);

	/* The next chain's head is known long before its first value. */
	last = beacon_at(&world, (first.slot + BEACON_SLOTS - 1) * SLOT_MS);
	assert_leads(&last);
	assert_true(last.has_next);
	next = beacon_at(&world, world.clock.ms + SLOT_MS);
	assert_leads(&next);
	assert_memory_equal(&next.chain.head, &last.next.head, HASH_SIZE);
	/* After a long sleep there is a new one. */
	next = beacon_at(&world, world.clock.ms + 3LL * BEACON_SLOTS * SLOT_MS);
	assert_leads(&next);
	assert_int_equal(next.chain.first, next.slot);
	secp_key_free(world.network);
	store_close(&world.store);
}

static int follow_on(enum store_kind kind)
{
	follow_a_chain(kind);
	return 0;
}

static void test_each_value_leads_to_the_head(void **state _unused_)
{
	assert_int_equal(store_each(follow_on), 0);
}

/* A stalling worker's place is free again soon; an honest one of the class has several times what it needs. */
static void test_deadlines_follow_the_class(void **state _unused_)
{
	const struct settings settings = { .proof_host_mib = 262144, .proof_disk_mib = 163840 };
	struct worker_proof_device device = { .device = WORKER_DEVICE_GPU,
					      .memory_bytes = INT64_C(80) << 30 };
	struct session session = { .kind = SESSION_REGISTRATION, .device = SESSION_GPU };

	for (size_t i = CLASS_CPU + 1; i < class_rows_n; i++) {
		snprintf(device.model, sizeof(device.model), "%s", class_rows[i].name);
		plan_device(&settings, &device, &session);
		assert_int_equal(session.class_, i);
		assert_int_equal(session.fill_ms, 60000);
		assert_in_range(session.walk_ms, 30000, 32000);
		assert_in_range(session.matrix_ms, 30000, 32000);
	}
	snprintf(device.model, sizeof(device.model), "nobody-knows-it");
	plan_device(&settings, &device, &session);
	assert_int_equal(session.class_, CLASS_UNKNOWN);
	assert_int_equal(session.fill_ms, 240000);
	assert_int_equal(session.walk_ms, 120000);
	assert_int_equal(session.matrix_ms, 120000);
	device.device = WORKER_DEVICE_HOST;
	session.device = SESSION_HOST;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.fill_ms, 60000 + 75 * (40 << 10));
	assert_int_equal(session.walk_ms, 120000);
	assert_in_range(session.matrix_ms, 30000, 120000);
}

/* Half of a host's memory, a 64th of its free disk, unless the network asks for less. */
static void test_sets_follow_the_claim(void **state _unused_)
{
	struct settings settings = { .proof_host_mib = 1024, .proof_disk_mib = 100 };
	struct worker_proof_device device = { .device = WORKER_DEVICE_HOST,
					      .memory_bytes = INT64_C(1) << 30 };
	struct session session = { .kind = SESSION_REGISTRATION, .device = SESSION_HOST };

	plan_device(&settings, &device, &session);
	assert_int_equal(session.work.n_items, 512 << 20 >> 8);
	assert_int_equal(session.fill_ms, 60000 + 512 * 75);
	settings.proof_host_mib = 262144;
	device.memory_bytes = INT64_C(24) << 30;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.fill_ms, 60000 + 12288 * 75);
	device.memory_bytes = INT64_C(1) << 40;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.work.n_items, INT64_C(262144) << 20 >> 8);
	assert_int_equal(session.fill_ms, 3600000);
	settings.proof_host_mib = 1024;
	device.memory_bytes = INT64_C(64) << 30;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.work.n_items, 1024 << 20 >> 8);
	device.device = WORKER_DEVICE_DISK;
	session.device = SESSION_DISK;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.work.n_items, 100 << 20 >> 8);
	settings.proof_disk_mib = 1 << 19;
	plan_device(&settings, &device, &session);
	assert_int_equal(session.work.n_items, 1024 << 20 >> 8);
	assert_int_equal(session.work.double_rounds, 16);
	assert_int_equal(session.flags, SESSION_HAS_WALK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_numbers_draw_the_same_panel),
		cmocka_unit_test(test_the_owners_own_are_never_drawn),
		cmocka_unit_test(test_licences_are_chances),
		cmocka_unit_test(test_uuids_as_bytes),
		cmocka_unit_test(test_cohorts_halve_the_machines),
		cmocka_unit_test(test_how_often_a_slot_has_a_cohort),
		cmocka_unit_test(test_the_cohort_rule_is_what_the_document_says),
		cmocka_unit_test(test_deadlines_follow_the_class),
		cmocka_unit_test(test_sets_follow_the_claim),
		cmocka_unit_test(test_each_value_leads_to_the_head),
	};

	return cmocka_run_group_tests(tests, open_hasher, close_hasher);
}

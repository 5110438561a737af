#include "cmd/bill.h"

#include "cmd/verify_bill.h"
#include "modules/billing/billing_world.h"

/* Bills as the module makes them, checked, and then spoilt one field at a time. */

/* How many findings; -1: malformed. @check: that the first is about. */
static int findings_of(const char *json, const struct address *network, const char *check)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct bill_findings *findings;
	struct field_error error;
	struct bill bill;
	int r;

	assert_int_equal(arena_new(16 << 20, &arena), 0);
	findings = arena_alloc(arena, sizeof(*findings));
	assert_non_null(findings);
	r = bill_read(json, strlen(json), arena, &bill, &error);
	if (r == BILL_E_MALFORMED)
		return -1;
	assert_int_equal(r, 0);
	assert_int_equal(bill_check(&bill, network, arena, findings), 0);
	if (check && findings->n > 0)
		assert_string_equal(findings->items[0].check, check);
	return (int)findings->n;
}

static void assert_holds(struct world *world, const struct billing_lease *lease)
{
	_cleanup_(freep) char *json = bill_of(world, lease);

	assert_int_equal(findings_of(json, &world->settings.network, NULL), 0);
	assert_int_equal(findings_of(json, NULL, NULL), 0);
}

static struct billing_lease opened(struct world *world)
{
	struct billing_lease lease = lease_of(world, 1);

	lease.rate_hour.micro = 1234567;
	assert_int_equal(credit(world, lease.tenant, 1000000, "a"), 0);
	assert_int_equal(open_lease(world, &lease), 0);
	return lease;
}

static struct billing_lease used(struct world *world)
{
	struct billing_lease lease = opened(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 101);

	world->clock.ms = START_MS + 200000;
	assert_int_equal(report(world, &usage, NULL), 0);
	return lease;
}

static void bills_hold_at_every_stage(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world), retried;
	struct usage_statement usage = usage_of(world, &lease, 1, 37);

	assert_holds(world, &lease);
	world->clock.ms = START_MS + 200000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_holds(world, &lease);
	assert_int_equal(close_lease(world, lease.lease, START_MS + 30000, true), 0);
	assert_holds(world, &lease);

	/* A second placement of the same rental, which could not be used. */
	retried = lease_of(world, 1);
	retried.rental = lease.rental;
	assert_int_equal(open_lease(world, &retried), 0);
	usage = usage_of(world, &retried, 1, 5);
	usage.started_at_ms = world->clock.ms;
	usage.until_ms = world->clock.ms + 5000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_holds(world, &lease);
	assert_int_equal(close_lease(world, retried.lease, world->clock.ms, false), 0);
	assert_holds(world, &lease);
}

static void bills_hold_when_money_ran_out(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = opened(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 10000);

	world->clock.ms = START_MS + 10000000;
	assert_int_equal(report(world, &usage, NULL), 0);
	assert_int_equal(sums(world, lease.lease).charged.micro, 1000000);
	assert_holds(world, &lease);
}

static void spoil(const char *json, const char *member, json_t *value, const char *check)
{
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *lease;

	lease = json_array_get(json_object_get(bill, "leases"), 0);
	if (json_object_get(bill, member))
		json_object_set_new(bill, member, value);
	else if (json_object_get(lease, member))
		json_object_set_new(lease, member, value);
	else
		json_object_set_new(json_object_get(lease, "usage"), member, value);
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	if (findings_of(spoilt, NULL, check) == 0)
		fail_msg("a spoilt %s was not found", member);
}

static void finds_each_spoilt_field(void **state)
{
	static const char *const other = "0x0202020202020202020202020202020202020202";
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	char id[ID_TEXT_SIZE];

	spoil(json, "network", json_string(other), "terms signature");
	spoil(json, "tenant", json_string(other), "terms signature");
	spoil(json, "machine", json_string(other), "terms signature");
	spoil(json, "rate_hour", json_string("1.234568"), "terms signature");
	spoil(json, "fee_basis_points", json_integer(999), "terms signature");
	spoil(json, "placed_at_ms", json_integer(START_MS + 1), "terms signature");
	rental_id_text(&(struct rental_id){ { 7 } }, id);
	spoil(json, "rental", json_string(id), "terms signature");
	lease_id_text(&(struct lease_id){ { 7 } }, id);
	spoil(json, "lease", json_string(id), "terms signature");
	spoil(json, "seconds", json_integer(100), "usage signature");
	spoil(json, "sequence", json_integer(2), "usage signature");
	spoil(json, "until_ms", json_integer(START_MS + 102000), "usage signature");
	spoil(json, "started_at_ms", json_integer(START_MS + 1), "usage signature");
	spoil(json, "final", json_true(), "usage signature");
	spoil(json, "charged", json_string("0.034635"), "receipt signature");
	spoil(json, "unpaid", json_string("0.000001"), "charge");
	spoil(json, "billed", json_false(), "charge");
	spoil(json, "ended_at_ms", json_integer(START_MS + 50000), "charge");
	spoil(json, "receipt_signature", json_null(), "receipt signature");
	spoil(json, "usage", json_null(), "charge");
	spoil(json, "total", json_string("0.034637"), "total");
	spoil(json, "version", json_integer(2), NULL);
	spoil(json, "signature", json_string("0x00"), NULL);
}

/* A network that signs a wrong charge with its own key is found by the arithmetic alone. */
static void finds_a_wrong_charge_that_is_signed(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	struct usage_statement usage = usage_of(world, &lease, 1, 101);
	struct receipt_statement receipt = { .charged = { 34700 } };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	_cleanup_(freep) char *json = bill_of(world, &lease);
	char text[2 + 2 * SIGNATURE_SIZE + 1] = "0x";
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *item;

	usage_digest(&usage, receipt.usage_digest);
	receipt_digest(&receipt, digest);
	assert_int_equal(secp_sign(world->network, digest, signature), 0);
	for (size_t i = 0; i < SIGNATURE_SIZE; i++)
		snprintf(text + 2 + 2 * i, 3, "%02x", signature[i]);
	item = json_array_get(json_object_get(bill, "leases"), 0);
	json_object_set_new(item, "charged", json_string("0.0347"));
	json_object_set_new(item, "receipt_signature", json_string(text));
	json_object_set_new(bill, "total", json_string("0.0347"));
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(spoilt, NULL, "charge"), 1);
}

static void asks_for_the_network_that_was_named(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	const struct address *stranger = secp_key_address(world->stranger);
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct bill bill;

	assert_int_equal(arena_new(VERIFY_BILL_BYTES, &arena), 0);
	assert_true(findings_of(json, stranger, "network") > 0);
	assert_int_equal(verify_bill(json, strlen(json), NULL, arena, &bill), 0);
	assert_true(lease_id_equal(bill_leases(&bill)->lease, lease.lease));
	assert_int_equal(verify_bill(json, strlen(json), stranger, arena, &bill), 1);
	assert_int_equal(verify_bill("{}", 2, NULL, arena, &bill), 1);
	assert_int_equal(verify_bill("not JSON", 8, NULL, arena, &bill), 1);
}

static void finds_a_lease_that_is_listed_twice(void **state)
{
	struct world *world = *state;
	struct billing_lease lease = used(world);
	_cleanup_(freep) char *json = bill_of(world, &lease);
	_cleanup_(freep) char *spoilt = NULL;
	json_t *bill = json_loads(json, 0, NULL), *list = json_object_get(bill, "leases");

	json_array_append(list, json_array_get(list, 0));
	json_object_set_new(bill, "total", json_string("0.069272"));
	spoilt = json_dumps(bill, 0);
	json_decref(bill);
	assert_int_equal(findings_of(spoilt, NULL, "lease"), 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(bills_hold_at_every_stage),
		WORLD_TEST(bills_hold_when_money_ran_out),
		WORLD_TEST(finds_each_spoilt_field),
		WORLD_TEST(finds_a_wrong_charge_that_is_signed),
		WORLD_TEST(asks_for_the_network_that_was_named),
		WORLD_TEST(finds_a_lease_that_is_listed_twice),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

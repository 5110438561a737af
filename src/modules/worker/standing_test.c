#include "modules/worker/worker.h"

#include "modules/worker/worker_rules.h"
#include "modules/worker/worker_world.h"

enum { DUE_MAX = 16 };

struct setting {
	struct world *world;
	enum worker_device device;
	const char *uuid;
	struct worker_standing standing;
};

static int tx_set(struct tx *tx, void *arg)
{
	struct setting *setting = arg;

	return worker_standing_set(&setting->world->context, tx, setting->world->machines[0],
				   setting->device, setting->uuid, &setting->standing);
}

static int set(struct world *world, enum worker_device device, const char *uuid,
	       enum worker_standing_state state)
{
	struct setting setting = { world, device, uuid, { .state = state, .class_ = -1 } };

	return store_run(&world->store, TX_WRITE, tx_set, &setting);
}

struct looking {
	struct world *world;
	struct worker_proof_device devices[DUE_MAX];
	size_t n;
};

static int tx_devices(struct tx *tx, void *arg)
{
	struct looking *looking = arg;
	struct worker_proof_device *devices;
	int r;

	r = worker_proof_devices(&looking->world->context, tx, looking->world->machines[0],
				 &devices, &looking->n);
	if (r == 0)
		memcpy(looking->devices, devices, looking->n * sizeof(*devices));
	return r;
}

static struct looking look(struct world *world)
{
	struct looking looking = { .world = world };

	assert_int_equal(store_run(&world->store, TX_READ, tx_devices, &looking), 0);
	return looking;
}

static int try_place(struct world *world, uint8_t lease)
{
	struct worker_placement placement;
	struct worker_need need = need_of(1);

	return place(world, lease, &need, &placement);
}

/* Offered are machines whose host and GPUs all passed, and no longer when one fails. */
static void test_only_proved_machines_are_offered(void **state)
{
	struct world *world = *state;
	struct looking devices;

	world->settings.proof_required = 1;
	set_up_machine(world, 0, 2);
	devices = look(world);
	assert_int_equal(devices.n, 4);
	assert_int_equal(devices.devices[0].device, WORKER_DEVICE_HOST);
	assert_int_equal(devices.devices[1].device, WORKER_DEVICE_DISK);
	assert_int_equal(devices.devices[3].device, WORKER_DEVICE_GPU);
	assert_int_equal(try_place(world, 1), WORKER_E_NO_CAPACITY);
	assert_int_equal(set(world, WORKER_DEVICE_HOST, "", WORKER_PROVED), 0);
	assert_int_equal(set(world, WORKER_DEVICE_GPU, devices.devices[2].uuid, WORKER_PROVED), 0);
	assert_int_equal(try_place(world, 1), WORKER_E_NO_CAPACITY);
	assert_int_equal(set(world, WORKER_DEVICE_GPU, devices.devices[3].uuid, WORKER_PROVED), 0);
	assert_int_equal(try_place(world, 1), 0);
	assert_int_equal(set(world, WORKER_DEVICE_GPU, devices.devices[3].uuid, WORKER_FAILED), 0);
	assert_int_equal(try_place(world, 2), WORKER_E_NO_CAPACITY);
	assert_int_equal(set(world, WORKER_DEVICE_GPU, "no-such-gpu", WORKER_PROVED),
			 ROUTE_E_NOT_FOUND);
}

/* The index only proposes: the store itself refuses an unproved machine. */
static void test_the_store_refuses_too(void **state)
{
	struct world *world = *state;

	set_up_machine(world, 0, 1);
	world->settings.proof_required = 1;
	assert_int_equal(try_place(world, 1), WORKER_E_NO_CAPACITY);
	world->settings.proof_required = 0;
	world_restart(world);
	hear(world, 0);
	assert_int_equal(try_place(world, 1), 0);
}

static void test_devices_follow_what_is_shown(void **state)
{
	struct world *world = *state;
	struct looking devices;

	world->settings.proof_required = 1;
	set_up_machine(world, 0, 1);
	devices = look(world);
	assert_int_equal(set(world, WORKER_DEVICE_HOST, "", WORKER_PROVED), 0);
	assert_int_equal(set(world, WORKER_DEVICE_GPU, devices.devices[2].uuid, WORKER_PROVED), 0);
	assert_true(row_of(world, 0).proved);
	/* A second GPU comes: it is not proved, so the machine is not. */
	assert_int_equal(report_gpus(world, 0, 2, 8), 0);
	assert_false(row_of(world, 0).proved);
	assert_int_equal(look(world).n, 4);
	assert_int_equal(report_gpus(world, 0, 1, 8), 0);
	assert_true(row_of(world, 0).proved);
	assert_int_equal(look(world).n, 3);
}

static void test_rented_devices_say_so(void **state)
{
	struct world *world = *state;
	struct looking devices;

	set_up_machine(world, 0, 2);
	assert_int_equal(try_place(world, 7), 0);
	devices = look(world);
	assert_true(devices.devices[0].rented);
	assert_true(devices.devices[2].rented);
	assert_false(devices.devices[3].rented);
	assert_int_equal(devices.devices[2].lease.bytes[0], lease_of(7).bytes[0]);
	assert_memory_equal(&devices.devices[2].lease, &devices.devices[0].lease,
			    sizeof(devices.devices[0].lease));
}

static void test_quality_follows_verdicts(void **state)
{
	struct world *world = *state;
	int64_t before;

	set_up_machine(world, 0, 1);
	before = row_of(world, 0).quality;
	assert_int_equal(set(world, WORKER_DEVICE_HOST, "", WORKER_PROVED), 0);
	assert_int_equal(row_of(world, 0).quality, (3 * before + 1000) / 4);
	before = row_of(world, 0).quality;
	assert_int_equal(set(world, WORKER_DEVICE_HOST, "", WORKER_FAILED), 0);
	assert_int_equal(row_of(world, 0).quality, 3 * before / 4);
}

struct idling {
	struct address from;
	size_t max, n;
	struct address machines[DUE_MAX];
};

static int tx_idle(struct tx *tx, void *arg)
{
	struct idling *idling = arg;
	struct worker_proof_device *devices;
	int r = worker_store_devices_idle(tx, WORKER_DEVICE_GPU, &idling->from, idling->max,
					  &devices, &idling->n);

	for (size_t i = 0; r == 0 && i < idling->n; i++) {
		assert_int_equal(devices[i].device, WORKER_DEVICE_GPU);
		idling->machines[i] = devices[i].machine.address;
	}
	return r;
}

/* Where there are more than are looked at, the list begins elsewhere each time, and none is left out for ever. */
static void test_idle_devices_are_a_round(void **state)
{
	struct world *world = *state;
	struct idling all = { .max = DUE_MAX }, some = { .max = 3 };

	for (uint8_t i = 0; i < 3; i++)
		set_up_machine(world, i, 2);
	store_exec(&world->store, "UPDATE worker_devices SET state = 1");
	assert_int_equal(store_run(&world->store, TX_READ, tx_idle, &all), 0);
	assert_int_equal(all.n, 6);
	assert_true(address_equal(&all.machines[0], &all.machines[1]));
	assert_false(address_equal(&all.machines[1], &all.machines[2]));
	some.from = all.machines[4];
	assert_int_equal(store_run(&world->store, TX_READ, tx_idle, &some), 0);
	assert_int_equal(some.n, 3);
	assert_true(address_equal(&some.machines[0], &all.machines[4]));
	assert_true(address_equal(&some.machines[1], &all.machines[4]));
	assert_true(address_equal(&some.machines[2], &all.machines[0]));
}

static void test_what_is_not_credited_says_why(void **state _unused_)
{
	const struct worker_machine machine = { .cores = 2, .memory_bytes = 256 << 20 };
	struct worker_proof_device host = {
		.device = WORKER_DEVICE_HOST,
		.standing = { .state = WORKER_PROVED,
			      .fill_kbps = 16000,
			      .walk_kbps = 1280000,
			      .set_mib = 128,
			      .proof = { 1 } },
	};
	char why[WORKER_CREDIT_WHY_SIZE];

	worker_credit_why(&machine, &host, 1, why);
	assert_string_equal(why, "");
	/* The next session meets busy cores: half way between what is made anew and what is read. */
	host.standing.walk_kbps = 896050;
	worker_credit_why(&machine, &host, 1, why);
	assert_string_equal(why,
			    "prf-01000000000000000000000000: a set of 128 MiB was filled at 16.0 "
			    "MB/s and walked at 896.0 MB/s, so that 50 % of it count as held; "
			    "that bears out 1 of 2 cores, 128 of 256 MiB");
	/* One MiB that is not filled in whole is no loss. */
	host.standing.walk_kbps = 1280000;
	host.standing.set_mib = 127;
	worker_credit_why(&(struct worker_machine){ .cores = 2, .memory_bytes = (255 << 20) + 7 },
			  &host, 1, why);
	assert_string_equal(why, "");
	host.standing.state = WORKER_FAILED;
	host.standing.set_mib = 1;
	worker_credit_why(&machine, &host, 1, why);
	assert_string_equal(why, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_only_proved_machines_are_offered),
		WORLD_TEST(test_the_store_refuses_too),
		WORLD_TEST(test_devices_follow_what_is_shown),
		WORLD_TEST(test_rented_devices_say_so),
		WORLD_TEST(test_quality_follows_verdicts),
		WORLD_TEST(test_idle_devices_are_a_round),
		cmocka_unit_test(test_what_is_not_credited_says_why),
	};

	return world_run(tests, ARRAY_SIZE(tests));
}

#include "modules/proof/proof_stage.h"

#include <unistd.h>

#include "modules/proof/schedule.h"
#include "modules/proof/sessions.h"
#include "modules/proof/settle.h"

enum { MACHINES = 3, PATIENCE = 6000 };

static int64_t live(struct stage *stage)
{
	return store_number(&stage->store, "SELECT count(*) AS n FROM proofs WHERE live = 1");
}

/* A session of a machine of its own owner. */
static void begin_one(struct stage *stage)
{
	struct machine_id machine = { { { (uint8_t)(1 + stage->n_crowd) } } };
	int64_t before = live(stage);

	stage->owner.address.bytes[0]++;
	stage_crowd(stage, machine, 1);
	store_exec(&stage->store,
		   "UPDATE worker_devices SET state = 0, due_at = 0 WHERE machine NOT IN "
		   "(SELECT machine FROM proofs)");
	assert_int_equal(stage_job(stage, schedule_run), 0);
	assert_int_equal(live(stage), before + 1);
	usleep(2000); /* each starts in a millisecond of its own */
}

/* Until @n are live, and, @fault, the job told one. */
static void settle_until(struct stage *stage, int64_t n, bool fault)
{
	bool told = false;

	for (int i = 0; i < PATIENCE && (live(stage) > n || told != fault); i++) {
		told = stage_job(stage, settle_run) < 0 || told;
		usleep(10000);
	}
	assert_int_equal(live(stage), n);
	assert_int_equal(told, fault);
}

/* The one that began last, whose row the store cannot read. */
static void test_what_cannot_be_settled_stops_no_other(void **state)
{
	struct stage *stage = *state;
	const struct machine_id last = { { { MACHINES } } };

	for (size_t i = 0; i < CHECKERS; i++)
		stage->manners[i] = MUTE;
	stage->settings.proof_nonce_ms = 500;
	for (int i = 0; i < MACHINES; i++)
		begin_one(stage);
	store_exec(&stage->store, "UPDATE proofs SET owner = id WHERE started_at = "
				  "(SELECT max(started_at) FROM proofs)");
	settle_until(stage, 1, true);
	assert_int_equal(store_number(&stage->store, "SELECT count(*) AS n FROM proofs "
						     "WHERE reason = 'no_quorum'"),
			 MACHINES - 1);
	assert_int_equal(sessions_room(), stage->settings.proof_at_once);
	assert_true(sessions_busy(&last.address));

	store_exec(&stage->store, "UPDATE proofs SET owner = (SELECT owner FROM workers "
				  "WHERE workers.machine = proofs.machine) WHERE live = 1");
	settle_until(stage, 0, false);
	assert_int_equal(sessions_room(), stage->settings.proof_at_once);
	assert_false(sessions_busy(&last.address));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STAGE_TEST(test_what_cannot_be_settled_stops_no_other),
	};

	return stage_run(tests, ARRAY_SIZE(tests));
}

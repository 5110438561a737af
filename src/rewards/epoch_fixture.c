#include "rewards/epoch_fixture.h"

const char epoch_example[] =
	"kaisar epoch records 1\n"
	"epoch 7\n"
	"worker_total 1001\n"
	"checker_total 1000\n"
	"ratio_bp 3000\n"
	"commission_bp 1000\n"
	"max_stake 1000\n"
	"worker 0x0000000000000000000000000000000000000001 "
	"0x000000000000000000000000000000000000000a 3600 3600 0 100 100 16 750 1000 64 ok\n"
	"worker 0x0000000000000000000000000000000000000002 "
	"0x000000000000000000000000000000000000000b 7200 0 1000 100 100 16 750 1000 64 ok\n"
	"delegator 0x000000000000000000000000000000000000000c 1\n"
	"delegator 0x000000000000000000000000000000000000000d 2\n"
	"worker 0x0000000000000000000000000000000000000003 "
	"0x000000000000000000000000000000000000000a 7200 7200 1000 100 100 16 750 1000 64 banned\n"
	"checker 0x0000000000000000000000000000000000000004 "
	"0x000000000000000000000000000000000000000a 2000 450 50 ok\n"
	"delegator 0x000000000000000000000000000000000000000c 2000\n"
	"checker 0x0000000000000000000000000000000000000005 "
	"0x000000000000000000000000000000000000000b 1000 90 0 ok\n"
	"end\n";

const char epoch_example_payouts[] = "capacity 701 0\n"
				     "delivery 300 0\n"
				     "checking 1000 0\n"
				     "worker 0x0000000000000000000000000000000000000001 "
				     "0x000000000000000000000000000000000000000a 140 300 440\n"
				     "worker 0x0000000000000000000000000000000000000002 "
				     "0x000000000000000000000000000000000000000b 561 0 505\n"
				     "delegator 0x000000000000000000000000000000000000000c 19\n"
				     "delegator 0x000000000000000000000000000000000000000d 37\n"
				     "worker 0x0000000000000000000000000000000000000003 "
				     "0x000000000000000000000000000000000000000a 0 0 0\n"
				     "checker 0x0000000000000000000000000000000000000004 "
				     "0x000000000000000000000000000000000000000a 900 810\n"
				     "delegator 0x000000000000000000000000000000000000000c 90\n"
				     "checker 0x0000000000000000000000000000000000000005 "
				     "0x000000000000000000000000000000000000000b 100 100\n"
				     "end\n";

static uint64_t below(struct random *random, uint64_t bound)
{
	uint64_t value = 0;

	if (random_below(random, bound, &value) < 0)
		abort();
	return value;
}

/* Small ones as often as large ones. */
static struct tokens some_tokens(struct random *random)
{
	unsigned __int128 wide = (unsigned __int128)below(random, UINT64_MAX) << 64 |
				 below(random, UINT64_MAX);

	return (struct tokens){ wide >> (32 + below(random, 95)) };
}

static struct address nth_address(uint64_t n)
{
	struct address address = { .bytes = { 1, (uint8_t)(n >> 8), (uint8_t)n } };

	return address;
}

static struct epoch_delegators some_delegators(struct random *random, struct epoch_fixture *fixture)
{
	struct epoch_delegators delegators = { (uint32_t)fixture->epoch.n_delegators,
					       (uint32_t)below(random, FIXTURE_DELEGATORS + 1) };

	for (uint32_t i = 0; i < delegators.n; i++)
		fixture->delegators[fixture->epoch.n_delegators++] = (struct epoch_delegator){
			nth_address(i), { some_tokens(random).units | 1 }
		};
	return delegators;
}

static void fill_workers(struct random *random, struct epoch_fixture *fixture)
{
	fixture->epoch.n_workers = below(random, FIXTURE_RECORDS + 1);
	for (size_t i = 0; i < fixture->epoch.n_workers; i++)
		fixture->workers[i] = (struct epoch_worker){
			.id = nth_address(i),
			.owner = nth_address(i / 3),
			.uptime_s = below(random, EPOCH_SECONDS + 1),
			.jobtime_s = below(random, 2) * below(random, EPOCH_SECONDS + 1),
			.stake = some_tokens(random),
			.figures = { below(random, 2000), below(random, 2000), below(random, 200),
				     below(random, 9) * 10000, below(random, 12000),
				     below(random, 1000) },
			.banned = below(random, 8) == 0,
			.delegators = some_delegators(random, fixture),
		};
}

static void fill_checkers(struct random *random, struct epoch_fixture *fixture)
{
	fixture->epoch.n_checkers = below(random, FIXTURE_RECORDS + 1);
	for (size_t i = 0; i < fixture->epoch.n_checkers; i++)
		fixture->checkers[i] = (struct epoch_checker){
			.id = nth_address(i),
			.owner = nth_address(i / 3),
			.licences_milli = below(random, 20000),
			.valid = below(random, 2000),
			.wrong = below(random, 20),
			.banned = below(random, 8) == 0,
			.delegators = some_delegators(random, fixture),
		};
}

void epoch_fixture_fill(struct random *random, struct epoch_fixture *ret_fixture)
{
	struct epoch_fixture *fixture = ret_fixture;

	memset(fixture, 0, sizeof(*fixture));
	fixture->epoch = (struct epoch){
		.terms = {
			.number = below(random, 1000),
			.worker_total = some_tokens(random),
			.checker_total = some_tokens(random),
			.ratio_bp = below(random, BASIS_POINTS + 1),
			.commission_bp = below(random, BASIS_POINTS + 1),
			.max_stake = { some_tokens(random).units | 1 },
		},
		.workers = fixture->workers,
		.checkers = fixture->checkers,
		.delegators = fixture->delegators,
	};
	fill_workers(random, fixture);
	fill_checkers(random, fixture);
}

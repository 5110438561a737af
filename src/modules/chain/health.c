#include "modules/chain/health.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/iam/iam.h"
#include "modules/logging/logging.h"

enum { OPERATORS_MAX = 100 };

static const char *const part_words[HEALTH_PARTS_N] = {
	[HEALTH_OUTBOX] = "outbox",   [HEALTH_INDEXER] = "indexer",
	[HEALTH_ANCHORS] = "anchors", [HEALTH_ENDPOINTS] = "endpoints",
	[HEALTH_PAYOUTS] = "payouts", [HEALTH_SETTLEMENT] = "settlement",
};

/* What is so, since when, and what was told. */
struct part {
	char now[HEALTH_TEXT_MAX], told[HEALTH_TEXT_MAX];
	int64_t since_ms; /* 0: never looked */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* what follows */
static struct health_now seen;
static struct part parts[HEALTH_PARTS_N];

void health_now(struct health_now *ret_now)
{
	pthread_mutex_lock(&lock);
	*ret_now = seen;
	pthread_mutex_unlock(&lock);
}

void health_forget(void)
{
	pthread_mutex_lock(&lock);
	seen = (struct health_now){ 0 };
	memset(parts, 0, sizeof(parts));
	pthread_mutex_unlock(&lock);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* But for numbers, which may change with each look. */
static bool same(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (is_digit(*a))
			a++;
		while (is_digit(*b))
			b++;
		if (*a != *b)
			return false;
		if (!*a)
			return true;
	}
}

/* Whether it has been so for long enough to be told. */
static bool note(struct part *part, const char *problem, int64_t now_ms, int64_t alarm_ms)
{
	if (part->since_ms == 0 || !same(part->now, problem))
		part->since_ms = now_ms;
	snprintf(part->now, sizeof(part->now), "%s", problem);
	return !same(part->now, part->told) && now_ms - part->since_ms >= alarm_ms;
}

struct telling {
	const struct context *context;
	enum health_part part;
	const char *problem;
};

static int tx_tell(struct tx *tx, void *arg)
{
	const struct telling *telling = arg;
	const char *part = part_words[telling->part];
	struct account_id *operators;
	size_t n;
	int r = iam_operators(telling->context, tx, OPERATORS_MAX, &operators, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = logging_event(
			telling->context, tx, operators[i],
			*telling->problem ? "chain.problem" : "chain.well", part,
			json_pack("{s:s, s:s}", "part", part, "problem", telling->problem));
	return r;
}

int health_see(const struct context *context, struct arena *arena, enum health_part part,
	       const char *problem)
{
	const struct telling telling = { context, part, problem };
	bool tell;
	int r;

	pthread_mutex_lock(&lock);
	/* Not 0, which is never. */
	tell = note(&parts[part], problem, clock_mono_ms(context->clock) + 1,
		    context->settings->chain_alarm_ms);
	pthread_mutex_unlock(&lock);
	if (!tell)
		return 0;
	log_warn(*problem ? "chain.problem" : "chain.well", log_text("part", part_words[part]),
		 log_text("problem", problem));
	r = db_run(context->db, TX_WRITE, arena, tx_tell, (void *)(uintptr_t)&telling);
	if (r != 0)
		return r;
	pthread_mutex_lock(&lock);
	snprintf(parts[part].told, sizeof(parts[part].told), "%s", problem);
	pthread_mutex_unlock(&lock);
	return 0;
}

/* An endpoint in trouble holds nothing up while enough others are well; somebody should look all the same. */
static int see_endpoints(const struct context *context, struct arena *arena)
{
	const struct chain_state *state = chain_state();
	char problem[HEALTH_TEXT_MAX] = "";

	for (size_t i = 0; state && i < rpc_endpoints(state->rpc); i++) {
		struct rpc_endpoint endpoint;

		rpc_endpoint(state->rpc, i, &endpoint);
		if (!*problem && *endpoint.problem)
			snprintf(problem, sizeof(problem), "%.80s: %.170s", endpoint.url,
				 endpoint.problem);
	}
	return health_see(context, arena, HEALTH_ENDPOINTS, problem);
}

int health_outbox(const struct context *context, struct arena *arena,
		  const struct outbox_health *health)
{
	int r;

	pthread_mutex_lock(&lock);
	seen.outbox = *health;
	pthread_mutex_unlock(&lock);
	r = health_see(context, arena, HEALTH_OUTBOX, health->problem);
	return r == 0 ? see_endpoints(context, arena) : r;
}

int health_indexer(const struct context *context, struct arena *arena,
		   const struct indexer_health *health)
{
	pthread_mutex_lock(&lock);
	seen.indexer = *health;
	pthread_mutex_unlock(&lock);
	return health_see(context, arena, HEALTH_INDEXER, health->problem);
}

int health_anchors(const struct context *context, struct arena *arena, const char *problem)
{
	pthread_mutex_lock(&lock);
	snprintf(seen.anchors, sizeof(seen.anchors), "%s", problem);
	pthread_mutex_unlock(&lock);
	return health_see(context, arena, HEALTH_ANCHORS, problem);
}

int health_payouts(const struct context *context, struct arena *arena, const char *problem)
{
	pthread_mutex_lock(&lock);
	snprintf(seen.payouts, sizeof(seen.payouts), "%s", problem);
	pthread_mutex_unlock(&lock);
	return health_see(context, arena, HEALTH_PAYOUTS, problem);
}

int health_settlement(const struct context *context, struct arena *arena, const char *problem)
{
	pthread_mutex_lock(&lock);
	snprintf(seen.settlement, sizeof(seen.settlement), "%s", problem);
	pthread_mutex_unlock(&lock);
	return health_see(context, arena, HEALTH_SETTLEMENT, problem);
}

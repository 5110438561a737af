#include "agent/precedence.h"

#include "base/log.h"
#include "io/loop.h"

struct precedence {
	struct loop *loop;
	struct reconcile *reconcile;
	struct prover *prover;
	struct loop_timer *patience;
	uint8_t *held; /* a packed Wire__Desired; NULL: none */
	size_t held_len;
};

/* ---- what tenants want ---- */

static bool to_run(const struct lease *lease)
{
	return lease->wanted && lease->wanted->want == WIRE__WANT__WANT_RUN && !lease_ended(lease);
}

static bool has_gpu(const Wire__Lease *wanted, const char *gpu)
{
	for (size_t i = 0; wanted->container && i < wanted->container->n_gpus; i++)
		if (strcmp(wanted->container->gpus[i], gpu) == 0)
			return true;
	return false;
}

static enum prover_tenants wants_of(const struct lease *lease, const char *gpu)
{
	bool runs = lease->seen == SEEN_RUNNING;

	if (!to_run(lease) && !runs)
		return TENANTS_NONE;
	if (gpu) /* of what runs on and is not wanted, nobody knows the GPUs */
		return !lease->wanted || has_gpu(lease->wanted, gpu) ? TENANTS_ON_IT
								     : TENANTS_BESIDE;
	return runs ? TENANTS_BESIDE : TENANTS_ON_IT;
}

enum prover_tenants precedence_tenants(const struct reconcile *reconcile, const char *gpu)
{
	enum prover_tenants most = TENANTS_NONE;

	for (const struct lease *lease = reconcile_leases(reconcile); lease; lease = lease->next) {
		enum prover_tenants wants = wants_of(lease, gpu);

		most = wants > most ? wants : most;
	}
	return most;
}

/* ---- who goes first ---- */

static bool is_to_start(const struct precedence *precedence, const Wire__Lease *wanted)
{
	const struct lease *lease = reconcile_find(precedence->reconcile, wanted->lease.data);

	return wanted->want == WIRE__WANT__WANT_RUN && wanted->container &&
	       !(lease && (lease->seen == SEEN_RUNNING || lease_ended(lease)));
}

static void forget(struct precedence *precedence)
{
	loop_timer_free(precedence->patience);
	precedence->patience = NULL;
	free(precedence->held);
	precedence->held = NULL;
}

static void hand_over(struct precedence *precedence, const Wire__Desired *desired)
{
	int r = reconcile_desired(precedence->reconcile, desired);

	if (r < 0)
		log_error("agent.desired", log_fault(r));
}

void precedence_go_on(struct precedence *precedence)
{
	Wire__Desired *desired;

	if (!precedence->held)
		return;
	desired = wire__desired__unpack(NULL, precedence->held_len, precedence->held);
	forget(precedence);
	if (!desired) {
		/* The control plane says it again to an agent that is behind. */
		log_error("agent.desired", log_fault(-ENOMEM));
		return;
	}
	hand_over(precedence, desired);
	wire__desired__free_unpacked(desired, NULL);
}

static void on_patience_over(void *arg)
{
	log_warn("proof.in_the_way", log_int("waited_ms", PRECEDENCE_WAIT_MS));
	precedence_go_on(arg);
}

static int hold(struct precedence *precedence, const Wire__Desired *desired)
{
	size_t len = wire__desired__get_packed_size(desired);
	uint8_t *bytes = malloc(len + 1);
	int r;

	if (!bytes)
		return -ENOMEM;
	wire__desired__pack(desired, bytes);
	free(precedence->held);
	precedence->held = bytes;
	precedence->held_len = len;
	if (precedence->patience)
		return 0;
	r = loop_timer_new(precedence->loop, PRECEDENCE_WAIT_MS, 0, on_patience_over, precedence,
			   &precedence->patience);
	if (r < 0)
		forget(precedence);
	return r;
}

void precedence_desired(struct precedence *precedence, const Wire__Desired *desired)
{
	for (size_t i = 0; i < desired->n_leases; i++) {
		const Wire__Lease *wanted = desired->leases[i];

		if (is_to_start(precedence, wanted))
			prover_yield(precedence->prover, wanted->container->gpus,
				     wanted->container->n_gpus);
	}
	if (prover_yielding(precedence->prover) && hold(precedence, desired) == 0)
		return;
	forget(precedence);
	hand_over(precedence, desired);
}

void precedence_drop(struct precedence *precedence)
{
	forget(precedence);
}

int precedence_new(struct loop *loop, struct reconcile *reconcile, struct prover *prover,
		   struct precedence **ret_precedence)
{
	struct precedence *precedence = calloc(1, sizeof(*precedence));

	if (!precedence)
		return -ENOMEM;
	precedence->loop = loop;
	precedence->reconcile = reconcile;
	precedence->prover = prover;
	*ret_precedence = precedence;
	return 0;
}

void precedence_free(struct precedence *precedence)
{
	if (!precedence)
		return;
	forget(precedence);
	free(precedence);
}

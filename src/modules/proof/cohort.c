#include "modules/proof/cohort.h"

enum { IDLE_MAX = 4096 /* GPUs that are looked at, from an address on that the beacon says */ };

static int by_ticket(const void *a, const void *b)
{
	const struct cohort_machine *left = a, *right = b;

	return memcmp(left->ticket.bytes, right->ticket.bytes, HASH_SIZE);
}

int cohort_list(const struct context *context, struct tx *tx, struct hasher *hasher,
		const struct hash *value, struct cohort_machine **ret_machines, size_t *ret_n)
{
	struct worker_proof_device *gpus;
	struct cohort_machine *list;
	size_t n, n_list = 0;
	struct address from;
	int r;

	memcpy(from.bytes, value->bytes, sizeof(from.bytes));
	r = worker_proof_idle(context, tx, WORKER_DEVICE_GPU, &from, IDLE_MAX, &gpus, &n);
	if (r != 0)
		return r;
	list = arena_array(tx_arena(tx), n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (size_t i = 0, first; i < n;) {
		struct cohort_machine one = { .machine = gpus[i].machine, .gpus = &gpus[i] };

		for (first = i; i < n && machine_equal(gpus[i].machine, one.machine); i++)
			one.n = i + 1 - first;
		if (!panel_cohort(hasher, value, &one.machine.address))
			continue;
		panel_cohort_ticket(hasher, value, &one.machine.address, &one.ticket);
		list[n_list++] = one;
	}
	qsort(list, n_list, sizeof(*list), by_ticket);
	*ret_machines = list;
	*ret_n = n_list;
	return 0;
}

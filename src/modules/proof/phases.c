#include "modules/proof/phases.h"

#include "modules/proof/proof_store.h"
#include "modules/proof/sessions.h"

enum { PHASES_MAX = 64 }; /* a turn */

struct noting {
	struct sessions_phase phases[PHASES_MAX];
	size_t n;
};

static int tx_note(struct tx *tx, void *arg)
{
	const struct noting *noting = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < noting->n; i++)
		r = proof_store_phase(tx, noting->phases[i].id, noting->phases[i].phase);
	return r;
}

int phases_run(const struct context *context, struct arena *arena)
{
	struct noting noting;
	int r;

	noting.n = sessions_moved(noting.phases, PHASES_MAX);
	if (noting.n == 0)
		return 0;
	r = db_run(context->db, TX_WRITE, arena, tx_note, &noting);
	if (r == 0)
		sessions_noted(noting.phases, noting.n);
	return r;
}

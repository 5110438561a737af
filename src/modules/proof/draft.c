#include "modules/proof/draft.h"

#include "api/settings.h"
#include "modules/proof/panel.h"
#include "modules/proof/plan.h"

enum { CANDIDATE_BYTES = 24 };

struct drafting {
	const struct context *context;
	struct tx *tx;
	const struct draft *draft;
	struct hasher *hasher;
	struct panel_candidate *candidates; /* as checkers */
	size_t places[SESSION_PANEL_MAX], n;
	struct proof_row row;
	struct sessions_order order;
};

/* ---- whom ---- */

static int list_candidates(struct drafting *d)
{
	const struct checker_member *checkers = d->draft->checkers;
	size_t n = d->draft->n_checkers, len = n * CANDIDATE_BYTES;
	uint8_t *bytes = arena_alloc(tx_arena(d->tx), len + 1);

	d->candidates = arena_array(tx_arena(d->tx), n + 1, sizeof(*d->candidates));
	if (!bytes || !d->candidates)
		return -ENOMEM;
	d->row.candidates = bytes;
	d->row.candidates_len = len;
	for (size_t i = 0; i < n; i++, bytes += CANDIDATE_BYTES) {
		uint32_t licences = checkers[i].licences < PANEL_LICENCES_MAX
					    ? (uint32_t)checkers[i].licences
					    : PANEL_LICENCES_MAX;

		d->candidates[i] = (struct panel_candidate){ checkers[i].checker,
							     checkers[i].account.address,
							     licences };
		memcpy(bytes, checkers[i].checker.bytes, 20);
		for (int b = 0; b < 4; b++)
			bytes[20 + b] = (uint8_t)(licences >> (8 * b));
	}
	return 0;
}

static int draw(struct drafting *d)
{
	const struct session *session = &d->order.session;
	const struct settings *settings = d->context->settings;
	struct panel_call call = { .beacon = d->draft->beacon->value,
				   .machine = session->machine,
				   .device = session->device,
				   .kind = session->kind,
				   .attempt = (uint32_t)d->row.attempt };
	int r = list_candidates(d);

	if (r < 0)
		return r;
	memcpy(call.gpu_uuid, session->gpu_uuid, sizeof(call.gpu_uuid));
	d->row.wanted = (int64_t)plan_panel(settings, d->draft->kind);
	d->n = panel_draw(d->hasher, &call, d->candidates, d->draft->n_checkers,
			  &d->row.owner.address, (size_t)d->row.wanted, d->places);
	if (d->n == 0 || (int64_t)d->n < settings->panel_least)
		return DRAFT_E_PANEL;
	for (size_t i = 0; i < d->n; i++)
		d->order.members[i] = d->candidates[d->places[i]].checker;
	return 0;
}

/* ---- what ---- */

static void fill_network(struct drafting *d)
{
	const struct settings *settings = d->context->settings;
	const struct beacon *beacon = d->draft->beacon;
	struct session *session = &d->order.session;

	session->kind = (uint8_t)d->draft->kind;
	session->chain_id = settings->chain_id;
	session->block_number = (uint64_t)beacon->slot;
	session->block_hash = beacon->value;
	session->epoch = (uint64_t)(d->row.started_ms / settings->epoch_ms);
	session->network = settings->network;
}

static void fill_device(struct drafting *d)
{
	const struct worker_proof_device *device = d->draft->device;
	struct session *session = &d->order.session;
	struct proof_row *row = &d->row;

	session->machine = device->machine.address;
	session->device = (uint8_t)device->device;
	row->machine = device->machine;
	row->owner = device->owner;
	d->order.owner = device->owner.address;
	row->device = device->device;
	row->uuid = device->uuid;
	row->model = device->model;
	row->rented = device->rented && d->draft->kind == SESSION_RENTED;
	row->lease = device->lease;
	if (device->device == WORKER_DEVICE_GPU) {
		panel_uuid(d->hasher, device->uuid, session->gpu_uuid);
		session->gpu_index = (uint16_t)device->ordinal;
	}
	plan_device(d->context->settings, device, session);
	if (device->device == WORKER_DEVICE_HOST && d->draft->kind != SESSION_RENTED &&
	    device->address && *device->address && device->proof_port > 0 &&
	    d->context->settings->proof_bandwidth_ms > 0) {
		snprintf(d->order.host, sizeof(d->order.host), "%s", device->address);
		d->order.port = (uint16_t)device->proof_port;
	}
}

/* A machine that nobody owns, wrong in its walk or in its matrix phase. */
static int fill_phantom(struct drafting *d)
{
	struct session *session = &d->order.session;
	struct proof_row *row = &d->row;
	uint64_t which;
	int r = random_below(d->context->random, 2, &which);

	if (r == 0)
		r = secp_key_generate(d->context->random, &d->order.key);
	if (r < 0)
		return r;
	d->order.planted = row->planted = true;
	d->order.flaw = which ? PHANTOM_WALK : PHANTOM_MATRIX;
	session->machine = *secp_key_address(d->order.key);
	session->device = SESSION_HOST;
	row->machine.address = session->machine;
	row->device = WORKER_DEVICE_HOST;
	row->uuid = row->model = "";
	plan_planted(session);
	return 0;
}

static int sign(struct drafting *d)
{
	struct session *session = &d->order.session;
	struct hash digest;
	int r;

	session->id = d->row.id;
	session->panel_size = (uint8_t)d->n;
	session_panel_hash(d->hasher, d->order.members, d->n, &session->panel);
	session_digest(d->hasher, session, &digest);
	r = secp_sign(d->context->settings->network_key, digest.bytes, session->signature);
	if (r != 0)
		return r;
	/* What members would refuse is never sent. */
	if (session_check(session, NULL) != 0)
		return -EPROTO;
	session_encode(session, d->row.session);
	return 0;
}

static int write_row(struct drafting *d)
{
	struct proof_member members[SESSION_PANEL_MAX] = { 0 };

	for (size_t i = 0; i < d->n; i++) {
		const struct panel_candidate *candidate = &d->candidates[d->places[i]];

		members[i].checker = candidate->checker;
		members[i].account.address = candidate->account;
		members[i].licences = candidate->licences;
	}
	return proof_store_add(d->tx, &d->row, members, d->n);
}

static int go(struct drafting *d)
{
	int r;

	fill_network(d);
	if (d->draft->device)
		fill_device(d);
	r = d->draft->device ? 0 : fill_phantom(d);
	if (r == 0)
		r = proof_store_attempts(d->tx, d->row.machine, d->row.device, d->row.uuid,
					 &d->row.attempt);
	if (r == 0)
		r = draw(d);
	if (r == 0)
		r = sign(d);
	return r == 0 ? write_row(d) : r;
}

int draft_session(const struct context *context, struct tx *tx, const struct draft *draft,
		  struct sessions_order *ret_order)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct drafting d = { .context = context, .tx = tx, .draft = draft };
	struct arena_mark mark = arena_mark(tx_arena(tx)); /* checkers may be many */
	int r = hasher_new(&hasher);

	d.hasher = hasher;
	d.row.parent = draft->parent;
	d.row.kind = draft->kind;
	d.row.cohort = d.order.cohort = draft->cohort;
	d.row.slot = draft->beacon->slot;
	d.row.beacon = draft->beacon->value;
	d.row.chain = draft->beacon->chain.first;
	d.row.started_ms = clock_now_ms(context->clock);
	if (r == 0)
		r = proof_id_make(context->clock, context->random, &d.row.id);
	if (r == 0)
		r = go(&d);
	if (r == 0)
		*ret_order = d.order;
	else
		secp_key_free(d.order.key);
	arena_rewind(tx_arena(tx), mark);
	return r;
}

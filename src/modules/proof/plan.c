#include "modules/proof/plan.h"

#include "api/settings.h"
#include "popw/credit.h"

enum {
	FILL_MS = 240000, /* of a model that nobody knows */
	FILL_KNOWN_MS = 60000,
	FILL_MIB_MS = 75, /* more of a host: one processor without vectors */
	FILL_MAX_MS = 3600000, /* who has a larger set has more processors */
	DISK_DOUBLE_ROUNDS = 16, /* the disk is to be what takes time */
	DISK_WALKS = 64,
	PHASE_MS = 120000, /* at most, and of what has no class */
	PHASE_LEAST_MS = 30000,
	PHASE_TIMES = 8, /* what it takes at the class's floor */
	RENTED_MS = 10000,
	TOGETHER_ROUNDS = 8, /* of nonces */
	TOGETHER_MAX_MS = 60000, /* members and worker wait for nonces, but not for ever */
	DAY_MS = 86400000,
	LN2_PERMILLE = 693,
};

static void leave_walk(struct session *session)
{
	struct session_work *work = &session->work;

	session->flags &= (uint16_t)~SESSION_HAS_WALK;
	work->n_items = work->walks = 0;
	work->double_rounds = work->steps = work->epochs = work->open_walks = 0;
	session->fill_ms = session->walk_ms = 0;
}

static void leave_matrix(struct session *session)
{
	struct session_work *work = &session->work;

	session->flags &= (uint16_t)~SESSION_HAS_MATRIX;
	work->k = work->n = work->m = 0;
	work->rounds = work->open_tiles = 0;
	session->matrix_ms = 0;
}

static void plan_rented(const struct worker_proof_device *device, struct session *session)
{
	bool gpu = device->device == WORKER_DEVICE_GPU;

	leave_walk(session);
	session->work.k = gpu ? 8192 : 1024;
	session->work.n = session->work.m = gpu ? 1024 : 128;
	session->work.rounds = 1;
	session->work.open_tiles = 32;
	session->matrix_ms = RENTED_MS;
}

static uint32_t phase_ms(uint64_t floor_ms)
{
	uint64_t wait_ms = PHASE_TIMES * floor_ms;

	if (wait_ms < PHASE_LEAST_MS)
		return PHASE_LEAST_MS;
	return wait_ms < PHASE_MS ? (uint32_t)wait_ms : PHASE_MS;
}

/* A worker that stalls holds its place for all of these, so that they are not longer than an honest one can need. */
static void plan_deadlines(struct session *session)
{
	const struct session_work *work = &session->work;
	uint64_t bytes = (uint64_t)work->walks * work->steps * work->epochs * ITEM_BYTES;
	uint64_t products = (uint64_t)work->n * work->m * work->rounds * 2, mega;
	const struct class_row *row;

	session->fill_ms = FILL_MS;
	session->walk_ms = session->matrix_ms = PHASE_MS;
	if (session->class_ >= class_rows_n || session->device == SESSION_DISK)
		return;
	row = &class_rows[session->class_];
	mega = products * work->k / 1000000;
	session->fill_ms = FILL_KNOWN_MS;
	session->walk_ms = phase_ms(bytes * 1000 / (row->walk_kbps * CLASS_PASS_PERMILLE));
	session->matrix_ms = phase_ms(mega * 1000000 / (row->matrix_mops * CLASS_PASS_PERMILLE));
}

/* Of host and disk the set is asked that credit.h takes for the whole, as far as the network asks any. */
static void plan_host(const struct settings *settings, const struct worker_proof_device *device,
		      struct session *session)
{
	bool disk = device->device == WORKER_DEVICE_DISK;
	uint64_t share = disk ? CREDIT_DISK_SHARE : CREDIT_MEMORY_SHARE;
	uint64_t most = (uint64_t)(disk ? settings->proof_disk_mib : settings->proof_host_mib)
			<< 20;
	uint64_t set = (uint64_t)device->memory_bytes / share, fill_ms;

	if (set > most)
		set = most;
	class_work(CLASS_CPU, set * CREDIT_MEMORY_SHARE, &session->work);
	if (disk) {
		session->work.double_rounds = DISK_DOUBLE_ROUNDS;
		session->work.walks = DISK_WALKS;
	}
	plan_deadlines(session);
	fill_ms = FILL_KNOWN_MS + (set >> 20) * FILL_MIB_MS;
	session->fill_ms = fill_ms < FILL_MAX_MS ? (uint32_t)fill_ms : FILL_MAX_MS;
}

void plan_device(const struct settings *settings, const struct worker_proof_device *device,
		 struct session *session)
{
	int row = device->device == WORKER_DEVICE_GPU ? class_find(device->model) : CLASS_CPU;

	session->class_ = row < 0 ? CLASS_UNKNOWN : (uint16_t)row;
	session->flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX;
	if (device->device == WORKER_DEVICE_GPU) {
		class_work(session->class_, (uint64_t)device->memory_bytes, &session->work);
		plan_deadlines(session);
	} else {
		plan_host(settings, device, session);
	}
	if (device->device == WORKER_DEVICE_DISK)
		leave_matrix(session);
	else if (session->kind == SESSION_RENTED)
		plan_rented(device, session);
}

void plan_planted(struct session *session)
{
	session->class_ = CLASS_CPU;
	session->flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX;
	class_work(CLASS_CPU, 0, &session->work);
	plan_deadlines(session);
}

int64_t plan_together(const struct settings *settings, const struct session *session)
{
	int64_t wait_ms = TOGETHER_ROUNDS * settings->proof_nonce_ms;

	if (session->device != SESSION_GPU)
		return 0;
	return wait_ms < TOGETHER_MAX_MS ? wait_ms : TOGETHER_MAX_MS;
}

size_t plan_panel(const struct settings *settings, enum session_kind kind)
{
	int64_t wanted = kind == SESSION_REGISTRATION ? settings->panel_registration
			 : kind == SESSION_APPEAL     ? settings->panel_appeal
						      : settings->panel_standing;

	return size_min((size_t)wanted, SESSION_PANEL_MAX);
}

/* Halves are geometric, the rest within a half is even: the mean is 1.04 of what it should be. */
int plan_wait(struct random *random, int64_t mean_ms, int64_t *ret_ms)
{
	uint64_t word;
	int64_t halves, part;
	int r = random_fill(random, &word, sizeof(word));

	if (r < 0)
		return r;
	halves = __builtin_ctzll(word | UINT64_C(1) << 16);
	part = (int64_t)(word >> 54); /* of 1024 */
	*ret_ms = mean_ms * LN2_PERMILLE / 1000 * (halves * 1024 + part) / 1024;
	return 0;
}

int64_t plan_retry(int64_t retry_ms, int64_t failures)
{
	int64_t wait_ms = retry_ms;

	for (int64_t i = 1; i < failures && wait_ms < DAY_MS; i++)
		wait_ms *= 2;
	return wait_ms < DAY_MS ? wait_ms : DAY_MS;
}

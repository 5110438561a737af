#include "popw/session.h"

#include "popw/class.h"
#include "popw/layout.h"

static const char magic[4] = "POPW";

enum { VERSION = 1, FILL_MAX_MS = 3600000, DEADLINE_MAX_MS = 600000 };

static void work_pass(struct layout *layout, struct session_work *work)
{
	layout_u32(layout, &work->n_items);
	layout_u16(layout, &work->double_rounds);
	layout_u32(layout, &work->walks);
	layout_u16(layout, &work->steps);
	layout_u16(layout, &work->epochs);
	layout_u32(layout, &work->k);
	layout_u32(layout, &work->n);
	layout_u32(layout, &work->m);
	layout_u16(layout, &work->rounds);
	layout_u16(layout, &work->open_walks);
	layout_u16(layout, &work->open_tiles);
}

static void session_pass(struct layout *layout, struct session *session)
{
	layout_u8(layout, &session->kind);
	layout_u8(layout, &session->device);
	layout_u16(layout, &session->flags);
	layout_u64(layout, &session->chain_id);
	layout_u64(layout, &session->block_number);
	layout_hash(layout, &session->block_hash);
	layout_u64(layout, &session->epoch);
	layout_bytes(layout, session->id.bytes, sizeof(session->id.bytes));
	layout_bytes(layout, session->network.bytes, sizeof(session->network.bytes));
	layout_bytes(layout, session->machine.bytes, sizeof(session->machine.bytes));
	layout_bytes(layout, session->gpu_uuid, SESSION_UUID_SIZE);
	layout_u16(layout, &session->gpu_index);
	layout_u16(layout, &session->class_);
	layout_u8(layout, &session->panel_size);
	work_pass(layout, &session->work);
	layout_u32(layout, &session->fill_ms);
	layout_u32(layout, &session->walk_ms);
	layout_u32(layout, &session->matrix_ms);
	layout_hash(layout, &session->panel);
	layout_bytes(layout, session->signature, SECP_SIGNATURE_SIZE);
}

static bool within(uint64_t value, uint64_t least, uint64_t most)
{
	return value >= least && value <= most;
}

static bool power_within(uint32_t value, uint32_t least, uint32_t most)
{
	return within(value, least, most) && (value & (value - 1)) == 0;
}

static bool all_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

struct rule {
	bool holds;
	const char *else_;
};

static const char *first_broken(const struct rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!rules[i].holds)
			return rules[i].else_;
	return NULL;
}

static const char *head_fault(const struct session *session)
{
	static const uint16_t phases = SESSION_HAS_WALK | SESSION_HAS_MATRIX;
	const struct rule rules[] = {
		{ within(session->kind, SESSION_REGISTRATION, SESSION_SELF_TEST),
		  "kind: must be 1 to 5" },
		{ within(session->device, SESSION_GPU, SESSION_DISK), "device: must be 1 to 3" },
		{ session->flags && !(session->flags & ~phases),
		  "flags: must name the walk phase, the matrix phase or both" },
		{ session->device == SESSION_GPU ||
			  (all_zero(session->gpu_uuid, SESSION_UUID_SIZE) && !session->gpu_index),
		  "gpu_uuid, gpu_index: must be zero for host and disk" },
		{ session->class_ < class_rows_n || session->class_ == CLASS_UNKNOWN,
		  "class: must be a row of the table, or 65535 for none" },
		{ within(session->panel_size, 1, SESSION_PANEL_MAX),
		  "panel_size: must be 1 to 32" },
	};

	return first_broken(rules, ARRAY_SIZE(rules));
}

static const char *walk_fault(const struct session *session)
{
	const struct session_work *work = &session->work;
	const struct rule rules[] = {
		{ work->n_items >= SESSION_ITEMS_MIN, "n_items: must be 1024 or more" },
		{ within(work->double_rounds, 1, ITEM_DOUBLE_ROUNDS_MAX),
		  "double_rounds: must be 1 to 4096" },
		{ power_within(work->walks, 2, SESSION_WALKS_MAX),
		  "walks: must be a power of two, 2 to 2^20" },
		{ within(work->steps, 1, SESSION_STEPS_MAX), "steps: must be 1 to 4096" },
		{ within(work->epochs, 1, SESSION_EPOCHS_MAX), "epochs: must be 1 to 4096" },
		{ (uint64_t)work->walks * work->epochs <= SESSION_STATES_MAX,
		  "walks, epochs: their product must be 2^26 or less" },
		{ within(work->open_walks, 1, SESSION_OPENINGS_MAX),
		  "open_walks: must be 1 to 256" },
		{ (uint64_t)work->open_walks * work->steps * work->double_rounds <=
			  SESSION_WALK_COST_MAX,
		  "open_walks, steps, double_rounds: their product must be 2^26 or less" },
		{ within(session->fill_ms, 1, FILL_MAX_MS), "fill_ms: must be 1 to 3600000" },
		{ within(session->walk_ms, 1, DEADLINE_MAX_MS), "walk_ms: must be 1 to 600000" },
	};

	return first_broken(rules, ARRAY_SIZE(rules));
}

static const char *no_walk_fault(const struct session *session)
{
	const struct session_work *work = &session->work;
	bool zero = !work->n_items && !work->double_rounds && !work->walks && !work->steps &&
		    !work->epochs && !work->open_walks && !session->fill_ms && !session->walk_ms;

	return zero ? NULL : "flags: without the walk phase its fields must be zero";
}

static const char *matrix_fault(const struct session *session)
{
	const struct session_work *work = &session->work;
	const struct rule rules[] = {
		{ within(work->k, 64, MATRIX_K_MAX) && work->k % 64 == 0,
		  "k: must be a multiple of 64, 64 to 65536" },
		{ power_within(work->n, 16, SESSION_SIDE_MAX),
		  "n: must be a power of two, 16 to 16384" },
		{ power_within(work->m, 16, SESSION_SIDE_MAX),
		  "m: must be a power of two, 16 to 16384" },
		{ within(work->rounds, 1, SESSION_ROUNDS_MAX), "rounds: must be 1 to 4096" },
		{ within(work->open_tiles, 1, SESSION_OPENINGS_MAX),
		  "open_tiles: must be 1 to 256" },
		{ within(session->matrix_ms, 1, DEADLINE_MAX_MS),
		  "matrix_ms: must be 1 to 600000" },
	};

	return first_broken(rules, ARRAY_SIZE(rules));
}

static const char *no_matrix_fault(const struct session *session)
{
	const struct session_work *work = &session->work;
	bool zero = !work->k && !work->n && !work->m && !work->rounds && !work->open_tiles &&
		    !session->matrix_ms;

	return zero ? NULL : "flags: without the matrix phase its fields must be zero";
}

static const char *session_fault(const struct session *session)
{
	const char *fault = head_fault(session);

	if (!fault)
		fault = session->flags & SESSION_HAS_WALK ? walk_fault(session)
							  : no_walk_fault(session);
	if (!fault)
		fault = session->flags & SESSION_HAS_MATRIX ? matrix_fault(session)
							    : no_matrix_fault(session);
	return fault;
}

int session_check(const struct session *session, const char **ret_detail)
{
	const char *fault = session_fault(session);

	if (!fault)
		return 0;
	if (ret_detail)
		*ret_detail = fault;
	return SESSION_E_MALFORMED;
}

void session_encode(const struct session *session, uint8_t ret_bytes[static SESSION_SIZE])
{
	struct layout layout = { .out = ret_bytes + sizeof(magic) + 1 };
	struct session copy = *session;

	memcpy(ret_bytes, magic, sizeof(magic));
	ret_bytes[sizeof(magic)] = VERSION;
	session_pass(&layout, &copy);
}

static int refuse(const char *detail, const char **ret_detail)
{
	if (ret_detail)
		*ret_detail = detail;
	return SESSION_E_MALFORMED;
}

int session_decode(const void *bytes, size_t len, struct session *ret_session,
		   const char **ret_detail)
{
	const uint8_t *in = bytes;
	struct session session = { 0 };
	int r;

	if (len != SESSION_SIZE)
		return refuse("a session has 283 bytes", ret_detail);
	if (memcmp(in, magic, sizeof(magic)) != 0)
		return refuse("a session begins with POPW", ret_detail);
	if (in[sizeof(magic)] != VERSION)
		return refuse("version: only 1 is known here", ret_detail);
	session_pass(&(struct layout){ .in = in + sizeof(magic) + 1 }, &session);
	r = session_check(&session, ret_detail);
	if (r == 0)
		*ret_session = session;
	return r;
}

void session_digest(struct hasher *hasher, const struct session *session, struct hash *ret_digest)
{
	uint8_t bytes[SESSION_SIZE];

	session_encode(session, bytes);
	hasher_start(hasher);
	hasher_add(hasher, "popw1/session", strlen("popw1/session"));
	hasher_add(hasher, bytes, SESSION_SIGNED_SIZE);
	hasher_end(hasher, ret_digest);
}

void session_panel_hash(struct hasher *hasher, const struct address *members, size_t n,
			struct hash *ret_hash)
{
	hasher_start(hasher);
	for (size_t i = 0; i < n; i++)
		hasher_add(hasher, members[i].bytes, sizeof(members[i].bytes));
	hasher_end(hasher, ret_hash);
}

#include "chain/outbox.h"

#include <stdarg.h>

#include "chain/outbox_store.h"
#include "chain/outbox_turn.h"

/* ---- adding ---- */

static bool text_ok(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

int outbox_add(const struct outbox_config *config, struct tx *tx, const struct outbox_call *call)
{
	struct outbox_row row = {
		.name = call->name,
		.kind = call->kind,
		.sender = config->sender,
		.contract = call->contract,
		.data = call->data,
		.len = call->len,
		.created_ms = clock_now_ms(config->clock),
	};
	int r;

	if (!text_ok(call->name, OUTBOX_NAME_MAX) || !text_ok(call->kind, OUTBOX_KIND_MAX) ||
	    call->len == 0 || call->len > OUTBOX_DATA_MAX)
		return -EINVAL;
	r = id_make(config->clock, config->random, row.id.bytes);
	return r == 0 ? outbox_store_add(tx, &row) : r;
}

/* ---- a turn ---- */

void turn_problem(struct turn *turn, const char *format, ...)
{
	va_list arguments;

	if (turn->health->problem[0])
		return; /* the first is what the others follow from */
	va_start(arguments, format);
	vsnprintf(turn->health->problem, sizeof(turn->health->problem), format, arguments);
	va_end(arguments);
}

enum { DENIED_KINDS_MAX = 16 };

struct reading {
	struct turn *turn;
	struct outbox_row *live, *queued;
	size_t n_live, n_queued;
	char denied[DENIED_KINDS_MAX * (OUTBOX_KIND_MAX + 1) + 2]; /* " kind kind " */
};

static int tx_read(struct tx *tx, void *arg)
{
	struct reading *reading = arg;
	const struct outbox_config *config = reading->turn->config;
	struct turn *turn = reading->turn;
	int r = outbox_store_live(tx, &config->sender, OUTBOX_WINDOW_MAX, &reading->live,
				  &reading->n_live);

	if (r == 0)
		r = outbox_store_queued(tx, &config->sender, NULL, reading->denied,
					OUTBOX_WINDOW_MAX, &reading->queued, &reading->n_queued);
	if (r == 0)
		r = outbox_store_count_queued(tx, &config->sender, &turn->health->queued);
	if (r == 0)
		r = outbox_store_next_nonce(tx, &config->sender, &turn->next_nonce);
	turn->health->in_flight = (int64_t)reading->n_live;
	return r;
}

/* What was signed before must be on the chain before more is; a gap would hold everything up. */
static void look_for_a_gap(struct turn *turn, const struct reading *reading)
{
	if (reading->n_live > 0 && turn->count < reading->live[0].nonce)
		turn_problem(turn,
			     "the chain knows %" PRId64 " transactions of the key and waits for "
			     "one that is over (the next is %" PRId64
			     "): it lost blocks or is another chain; name the right one",
			     turn->count, reading->live[0].nonce);
	if (turn->count > turn->next_nonce)
		turn->next_nonce = turn->count;
}

/* One before it of its kind was denied: what follows may build on that. */
static bool is_held(const struct reading *reading, const char *kind)
{
	char word[OUTBOX_KIND_MAX + 3];

	snprintf(word, sizeof(word), " %s ", kind);
	return strstr(reading->denied, word) != NULL;
}

static void hold(struct reading *reading, const char *kind)
{
	size_t len = strlen(reading->denied);

	if (sizeof(reading->denied) - len > strlen(kind) + 1)
		snprintf(reading->denied + len, sizeof(reading->denied) - len, "%s ", kind);
	else
		reading->turn->stop = true;
}

/* Some were denied: those behind the window, of other kinds, are not to wait for them. */
static int tx_read_more(struct tx *tx, void *arg)
{
	struct reading *reading = arg;
	const struct outbox_id last = reading->queued[reading->n_queued - 1].id;

	return outbox_store_queued(tx, &reading->turn->config->sender, &last, reading->denied,
				   OUTBOX_WINDOW_MAX, &reading->queued, &reading->n_queued);
}

static bool has_room(const struct turn *turn)
{
	return turn->health->in_flight < turn->config->window && !turn->stop;
}

static int take_window(struct turn *turn, struct reading *reading, bool *ret_denied)
{
	int r = 0;

	*ret_denied = false;
	for (size_t i = 0; r == 0 && i < reading->n_queued && has_room(turn); i++) {
		if (is_held(reading, reading->queued[i].kind))
			continue;
		r = turn_queued(turn, &reading->queued[i]);
		if (r == OUTBOX_E_DENIED) {
			hold(reading, reading->queued[i].kind);
			*ret_denied = true;
			r = 0;
		}
	}
	return r;
}

static int take_queued(struct turn *turn, struct reading *reading)
{
	bool denied;
	int r = take_window(turn, reading, &denied);

	while (r == 0 && denied && reading->n_queued == OUTBOX_WINDOW_MAX && has_room(turn)) {
		r = db_run(turn->config->db, TX_READ, turn->arena, tx_read_more, reading);
		if (r == 0)
			r = take_window(turn, reading, &denied);
	}
	return r;
}

int outbox_turn(const struct outbox_config *config, struct arena *arena,
		struct outbox_health *ret_health)
{
	struct outbox_health health = { 0 };
	struct turn turn = { .config = config,
			     .arena = arena,
			     .health = &health,
			     .now_ms = clock_now_ms(config->clock) };
	struct reading reading = { .turn = &turn, .denied = " " };
	int r = db_run(config->db, TX_READ, arena, tx_read, &reading);

	if (r == 0)
		r = turn_look(&turn);
	if (r == 0 && turn.looked) {
		look_for_a_gap(&turn, &reading);
		for (size_t i = 0; r == 0 && i < reading.n_live; i++)
			r = turn_live(&turn, &reading.live[i]);
		if (r == 0)
			r = take_queued(&turn, &reading);
	}
	if (r == 0)
		*ret_health = health;
	return r;
}

#include "modules/rewards/payouts.h"

#include "base/keccak.h"
#include "base/log.h"
#include "modules/chain/chain.h"
#include "modules/rewards/closing.h"
#include "rewards/epoch_text.h"

/* A payee's line has 98 bytes at the least, so that all payees are written when the text is. */
enum { READ_ARENA_BYTES = 1 << 20, WRITE_ARENA_BYTES = 4 << 20, PAYEES_A_PAGE = 170 };
_Static_assert(PAYEES_A_PAGE * 98 > CLOSING_PAGE_BYTES, "payees would be left behind");

struct publishing {
	const struct context *context;
	struct arena *arena; /* of epoch and payouts */
	struct epoch_row row; /* where the epoch stands */
	char *records, *text;
	size_t len; /* of text */
	struct epoch epoch;
	struct payouts payouts;
};

static void publishing_done(struct publishing *publishing)
{
	free(publishing->records);
	free(publishing->text);
	arena_free(publishing->arena);
}

/* ---- computing ---- */

static int tx_read(struct tx *tx, void *arg)
{
	const struct publishing *publishing = arg;

	return rewards_store_text(tx, publishing->row.number, TEXT_RECORDS,
				  &publishing->row.records, publishing->records);
}

static int load(struct publishing *publishing)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r;

	publishing->records = malloc((size_t)publishing->row.records.bytes + 1);
	if (!publishing->records)
		return -ENOMEM;
	r = arena_new(READ_ARENA_BYTES, &arena);
	return r != 0 ? r : db_run(publishing->context->db, TX_READ, arena, tx_read, publishing);
}

static int compute(struct publishing *publishing)
{
	size_t len = (size_t)publishing->row.records.bytes;
	uint8_t *hash = publishing->row.records.hash;
	struct epoch_fault fault;
	int r;

	r = arena_new(EPOCH_ARENA_BYTES + PAYOUTS_ARENA_BYTES, &publishing->arena);
	if (r == 0)
		r = epoch_read(publishing->records, len, publishing->arena, &publishing->epoch,
			       &fault);
	if (r == EPOCH_E_INVALID) {
		log_error("rewards.records_invalid", log_int("epoch", publishing->row.number),
			  log_text("problem", fault.text));
		return -EINVAL;
	}
	if (r == 0)
		r = epoch_settle(&publishing->epoch, publishing->arena, &publishing->payouts);
	if (r != 0)
		return r;
	keccak256(publishing->records, len, hash);
	r = payouts_write(&publishing->epoch, &publishing->payouts, hash, &publishing->text,
			  &publishing->len);
	publishing->row.capacity = publishing->payouts.capacity;
	publishing->row.delivery = publishing->payouts.delivery;
	publishing->row.checking = publishing->payouts.checking;
	return r;
}

/* ---- writing ---- */

static struct reward_payee payee_at(const struct publishing *publishing, size_t i)
{
	const struct epoch *epoch = &publishing->epoch;
	const struct payouts *payouts = &publishing->payouts;
	struct reward_payee payee = { .epoch = publishing->row.number };

	if (i < epoch->n_workers) {
		payee.kind = PAYEE_WORKER;
		payee.account = epoch->workers[i].owner;
		payee.id = epoch->workers[i].id;
		payee.first = payouts->workers[i].capacity;
		payee.second = payouts->workers[i].delivery;
		payee.for_owner = payouts->workers[i].owner;
		return payee;
	}
	i -= epoch->n_workers;
	payee.kind = PAYEE_CHECKER;
	payee.account = epoch->checkers[i].owner;
	payee.id = epoch->checkers[i].id;
	payee.first = payouts->checkers[i].reward;
	payee.for_owner = payouts->checkers[i].owner;
	return payee;
}

static int put_payees(struct tx *tx, const struct publishing *publishing)
{
	size_t n, all = publishing->epoch.n_workers + publishing->epoch.n_checkers;
	size_t first = size_min((size_t)publishing->row.payouts.pages * PAYEES_A_PAGE, all);
	struct reward_payee *payees;

	n = size_min(all - first, PAYEES_A_PAGE);
	payees = arena_array(tx_arena(tx), n + 1, sizeof(*payees));
	if (!payees)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		payees[i] = payee_at(publishing, first + i);
	return rewards_store_payees_put(tx, payees, n);
}

static int anchor(const struct publishing *publishing, struct tx *tx,
		  const struct epoch_row *closed)
{
	uint8_t id[32];
	char text[32];
	size_t len = (size_t)snprintf(text, sizeof(text), "epoch-%" PRId64, closed->number);

	anchor_leaf_id(text, len, id);
	return chain_leaf(publishing->context, tx, ANCHOR_PAYOUTS, id, closed->payouts.hash);
}

/* The next page; @publishing stays as it is, for this may be run again. */
static int tx_write(struct tx *tx, void *arg)
{
	const struct publishing *publishing = arg;
	size_t at = (size_t)publishing->row.payouts.bytes;
	struct epoch_row next = publishing->row;
	int r;

	r = put_payees(tx, publishing);
	if (r == 0)
		r = rewards_store_page(tx, next.number, TEXT_PAYOUTS, publishing->text + at,
				       size_min(publishing->len - at, CLOSING_PAGE_BYTES),
				       &next.payouts);
	if (r == 0 && (size_t)next.payouts.bytes == publishing->len) {
		next.state = EPOCH_CLOSED;
		next.closed_at_ms = clock_now_ms(publishing->context->clock);
		keccak256(publishing->text, publishing->len, next.payouts.hash);
		r = anchor(publishing, tx, &next);
	}
	return r != 0 ? r : rewards_store_move(tx, &publishing->row, &next);
}

static int write_page(struct publishing *publishing)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct epoch_text *payouts = &publishing->row.payouts;
	int r;

	r = arena_new(WRITE_ARENA_BYTES, &arena);
	if (r == 0)
		r = db_run(publishing->context->db, TX_WRITE, arena, tx_write, publishing);
	if (r != 0)
		return r;
	payouts->pages++;
	payouts->bytes += (int64_t)size_min(publishing->len - (size_t)payouts->bytes,
					    CLOSING_PAGE_BYTES);
	return 0;
}

int payouts_publish(const struct context *context, const struct epoch_row *epoch)
{
	_cleanup_(publishing_done) struct publishing publishing = { .context = context,
								    .row = *epoch };
	int r;

	r = load(&publishing);
	if (r == 0)
		r = compute(&publishing);
	while (r == 0 && (size_t)publishing.row.payouts.bytes < publishing.len)
		r = write_page(&publishing);
	if (r == 0)
		log_info("rewards.closed", log_int("epoch", epoch->number),
			 log_int("workers", epoch->n_workers),
			 log_int("checkers", epoch->n_checkers));
	return r;
}

/* ---- a closed one's text ---- */

struct published {
	const struct epoch_row *epoch;
	struct arena *arena; /* of the credits */
	char *text;
};

static void published_done(struct published *published)
{
	free(published->text);
	arena_free(published->arena);
}

static int tx_published(struct tx *tx, void *arg)
{
	const struct published *published = arg;

	return rewards_store_text(tx, published->epoch->number, TEXT_PAYOUTS,
				  &published->epoch->payouts, published->text);
}

static int load_published(const struct context *context, struct published *published)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r;

	published->text = malloc((size_t)published->epoch->payouts.bytes + 1);
	if (!published->text)
		return -ENOMEM;
	r = arena_new(READ_ARENA_BYTES, &arena);
	return r != 0 ? r : db_run(context->db, TX_READ, arena, tx_published, published);
}

static int read_published(struct published *published, struct epoch_credit **ret_credits,
			  size_t *ret_n)
{
	const struct epoch_row *epoch = published->epoch;
	size_t len = (size_t)epoch->payouts.bytes;
	uint8_t hash[32];
	int r = -EINVAL;

	keccak256(published->text, len, hash);
	if (memcmp(hash, epoch->payouts.hash, sizeof(hash)) == 0)
		r = credits_read(published->text, len, published->arena, ret_credits, ret_n);
	if (r == -EINVAL)
		log_error("rewards.payouts_differ", log_int("epoch", epoch->number));
	return r;
}

int payouts_credits(const struct context *context, const struct epoch_row *epoch,
		    struct epoch_credit **ret_credits, size_t *ret_n)
{
	_cleanup_(published_done) struct published published = { .epoch = epoch };
	struct epoch_credit *credits, *copy;
	size_t n;
	int r;

	r = load_published(context, &published);
	if (r == 0)
		r = arena_new(CREDITS_ARENA_BYTES, &published.arena);
	if (r == 0)
		r = read_published(&published, &credits, &n);
	if (r != 0)
		return r;
	copy = malloc((n + 1) * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, credits, n * sizeof(*copy));
	*ret_credits = copy;
	*ret_n = n;
	return 0;
}

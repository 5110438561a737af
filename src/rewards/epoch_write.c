#include "rewards/epoch_text.h"

#include "base/codec.h"
#include "base/keccak.h"
#include "rewards/columns.h"

/* A buffer that grows; running out of memory is remembered and said at the end. */
struct text {
	char *bytes;
	size_t len, size;
	bool failed;
};

enum { TEXT_FIRST_BYTES = 4096 };

static void text_done(struct text *text)
{
	free(text->bytes);
}

/* Where @len more bytes may be written; NULL without memory. */
static char *text_room(struct text *text, size_t len)
{
	if (len > text->size - text->len) {
		size_t size = 2 * text->size + len + TEXT_FIRST_BYTES;
		char *larger = text->failed ? NULL : realloc(text->bytes, size);

		if (!larger) {
			text->failed = true;
			return NULL;
		}
		text->bytes = larger;
		text->size = size;
	}
	return text->bytes + text->len;
}

static void text_add(struct text *text, const char *bytes, size_t len)
{
	char *room = text_room(text, len);

	if (!room)
		return;
	memcpy(room, bytes, len);
	text->len += len;
}

static void text_word(struct text *text, const char *word)
{
	text_add(text, word, strlen(word));
}

static void text_tokens(struct text *text, struct tokens tokens)
{
	char *room = text_room(text, 1 + TOKENS_TEXT_SIZE);

	if (!room)
		return;
	*room = ' ';
	text->len += 1 + tokens_text(tokens, room + 1);
}

static void text_column(struct text *text, const struct column *column, const void *record)
{
	char *room = text_room(text, 1 + COLUMN_TEXT_SIZE);

	if (!room)
		return;
	*room = ' ';
	text->len += 1 + column_write(column, record, room + 1);
}

static void text_record(struct text *text, const char *kind, const struct column *columns,
			const void *record)
{
	text_word(text, kind);
	for (; columns->kind != COLUMN_END; columns++)
		text_column(text, columns, record);
	text_word(text, "\n");
}

/* Gives the text to the caller, with a NUL behind it. */
static int text_take(struct text *text, char **ret_text, size_t *ret_len)
{
	text_add(text, "", 1);
	if (text->failed)
		return -ENOMEM;
	*ret_text = text->bytes;
	*ret_len = text->len - 1;
	text->bytes = NULL;
	return 0;
}

/* ---- the records ---- */

static void write_delegators(struct text *text, const struct epoch *epoch,
			     const struct epoch_delegators *delegators)
{
	for (uint32_t i = 0; i < delegators->n; i++)
		text_record(text, "delegator", delegator_columns,
			    &epoch->delegators[delegators->first + i]);
}

static void write_head(struct text *text, const struct epoch_terms *terms)
{
	text_word(text, "kaisar epoch records 1\n");
	for (const struct column *at = terms_columns; at->kind != COLUMN_END; at++) {
		text_word(text, at->name);
		text_column(text, at, terms);
		text_word(text, "\n");
	}
}

int epoch_write_parts(const struct epoch *epoch, unsigned int parts, char **ret_text,
		      size_t *ret_len)
{
	_cleanup_(text_done) struct text text = { 0 };

	if (parts & EPOCH_HEAD)
		write_head(&text, &epoch->terms);
	for (size_t i = 0; i < epoch->n_workers; i++) {
		text_record(&text, "worker", worker_columns, &epoch->workers[i]);
		write_delegators(&text, epoch, &epoch->workers[i].delegators);
	}
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		text_record(&text, "checker", checker_columns, &epoch->checkers[i]);
		write_delegators(&text, epoch, &epoch->checkers[i].delegators);
	}
	if (parts & EPOCH_END)
		text_word(&text, "end\n");
	return text_take(&text, ret_text, ret_len);
}

int epoch_write(const struct epoch *epoch, char **ret_text, size_t *ret_len)
{
	return epoch_write_parts(epoch, EPOCH_HEAD | EPOCH_END, ret_text, ret_len);
}

/* ---- the payouts ---- */

static void write_pot(struct text *text, const char *name, const struct pot *pot)
{
	text_word(text, name);
	text_tokens(text, pot->allotted);
	text_tokens(text, pot->unallotted);
	text_word(text, "\n");
}

static void write_address(struct text *text, const struct address *address)
{
	char word[] = " 0x0123456789012345678901234567890123456789";

	hex_encode(address->bytes, sizeof(address->bytes), word + 3);
	text_add(text, word, sizeof(word) - 1);
}

static void write_delegator_payouts(struct text *text, const struct epoch *epoch,
				    const struct payouts *payouts,
				    const struct epoch_delegators *delegators)
{
	for (uint32_t i = delegators->first; i < delegators->first + delegators->n; i++) {
		text_word(text, "delegator");
		write_address(text, &epoch->delegators[i].account);
		text_tokens(text, payouts->delegators[i]);
		text_word(text, "\n");
	}
}

static void write_worker(struct text *text, const struct epoch_worker *worker,
			 const struct worker_payout *payout)
{
	text_word(text, "worker");
	write_address(text, &worker->id);
	write_address(text, &worker->owner);
	text_tokens(text, payout->capacity);
	text_tokens(text, payout->delivery);
	text_tokens(text, payout->owner);
	text_word(text, "\n");
}

static void write_checker(struct text *text, const struct epoch_checker *checker,
			  const struct checker_payout *payout)
{
	text_word(text, "checker");
	write_address(text, &checker->id);
	write_address(text, &checker->owner);
	text_tokens(text, payout->reward);
	text_tokens(text, payout->owner);
	text_word(text, "\n");
}

static void write_payouts_head(struct text *text, const struct epoch *epoch,
			       const struct payouts *payouts, const uint8_t *records)
{
	char digest[65];

	hex_encode(records, 32, digest);
	text_word(text, "kaisar epoch payouts 1\nepoch");
	text_tokens(text, (struct tokens){ epoch->terms.number });
	text_word(text, "\nrecords ");
	text_word(text, digest);
	text_word(text, "\n");
	write_pot(text, "capacity", &payouts->capacity);
	write_pot(text, "delivery", &payouts->delivery);
	write_pot(text, "checking", &payouts->checking);
}

int payouts_write(const struct epoch *epoch, const struct payouts *payouts,
		  const uint8_t records[static 32], char **ret_text, size_t *ret_len)
{
	_cleanup_(text_done) struct text text = { 0 };

	write_payouts_head(&text, epoch, payouts, records);
	for (size_t i = 0; i < epoch->n_workers; i++) {
		write_worker(&text, &epoch->workers[i], &payouts->workers[i]);
		write_delegator_payouts(&text, epoch, payouts, &epoch->workers[i].delegators);
	}
	for (size_t i = 0; i < epoch->n_checkers; i++) {
		write_checker(&text, &epoch->checkers[i], &payouts->checkers[i]);
		write_delegator_payouts(&text, epoch, payouts, &epoch->checkers[i].delegators);
	}
	text_word(&text, "end\n");
	return text_take(&text, ret_text, ret_len);
}

int epoch_recompute(const char *records, size_t len, char **ret_payouts, size_t *ret_len,
		    struct epoch_fault *ret_fault)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct payouts payouts;
	struct epoch epoch;
	uint8_t digest[32];
	int r;

	r = arena_new(EPOCH_ARENA_BYTES + PAYOUTS_ARENA_BYTES, &arena);
	if (r == 0)
		r = epoch_read(records, len, arena, &epoch, ret_fault);
	if (r == 0)
		r = epoch_settle(&epoch, arena, &payouts);
	if (r != 0)
		return r;
	keccak256(records, len, digest);
	return payouts_write(&epoch, &payouts, digest, ret_payouts, ret_len);
}

#include "rewards/epoch_text.h"

#include <assert.h>
#include <stdarg.h>

#include "rewards/columns.h"

enum { WORDS_MAX = 16 };

struct word {
	const char *text;
	size_t len;
};

struct reader {
	const char *at, *end;
	size_t line; /* counted from 1 */
	struct word words[WORDS_MAX]; /* of the present line */
	size_t n_words;
	struct epoch *epoch;
	struct epoch_delegators *delegators; /* of the last record; NULL before the first */
	struct epoch_fault *fault;
};

_printf_(2, 3) static int refuse(struct reader *reader, const char *format, ...)
{
	size_t size = sizeof(reader->fault->text);
	int n = snprintf(reader->fault->text, size, "line %zu: ", reader->line);
	va_list args;

	va_start(args, format);
	vsnprintf(reader->fault->text + n, size - (size_t)n, format, args);
	va_end(args);
	return EPOCH_E_INVALID;
}

/* ---- lines and words ---- */

static bool word_is(const struct word *word, const char *text)
{
	return word->len == strlen(text) && memcmp(word->text, text, word->len) == 0;
}

/* Cuts the next line into words; two spaces part three words, of which the second is empty. */
static int next_line(struct reader *reader)
{
	const char *newline, *start = reader->at;

	reader->line++;
	reader->n_words = 0;
	newline = start < reader->end ? memchr(start, '\n', (size_t)(reader->end - start)) : NULL;
	if (!newline)
		return refuse(reader, "the text ends without a line \"end\"");
	for (;;) {
		const char *space = memchr(start, ' ', (size_t)(newline - start));
		const char *stop = space ? space : newline;

		if (reader->n_words == WORDS_MAX)
			return refuse(reader, "more than %d words", WORDS_MAX);
		reader->words[reader->n_words++] = (struct word){ start, (size_t)(stop - start) };
		if (!space)
			break;
		start = space + 1;
	}
	reader->at = newline + 1;
	return 0;
}

static int read_head(struct reader *reader)
{
	static const char *const head[] = { "kaisar", "epoch", "records", "1" };
	int r = next_line(reader);

	if (r != 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(head); i++)
		if (reader->n_words != ARRAY_SIZE(head) || !word_is(&reader->words[i], head[i]))
			return refuse(reader, "must be \"kaisar epoch records 1\"");
	return 0;
}

/* ---- records ---- */

static int read_column(struct reader *reader, const struct column *column, const struct word *word,
		       void *record)
{
	char rule[COLUMN_RULE_SIZE];

	if (column_read(column, word->text, word->len, record) && column_holds(column, record))
		return 0;
	column_rule(column, rule);
	return refuse(reader, "%s", rule);
}

static int read_terms(struct reader *reader)
{
	for (const struct column *at = terms_columns; at->kind != COLUMN_END; at++) {
		int r = next_line(reader);

		if (r != 0)
			return r;
		if (reader->n_words != 2 || !word_is(&reader->words[0], at->name))
			return refuse(reader, "must be \"%s\" and a value", at->name);
		r = read_column(reader, at, &reader->words[1], &reader->epoch->terms);
		if (r != 0)
			return r;
	}
	return 0;
}

/* @before: the record above, whose id must be lower; NULL: there is none. */
static int read_record(struct reader *reader, const struct column *columns, const void *before,
		       void *record)
{
	size_t n = 0;

	while (columns[n].kind != COLUMN_END)
		n++;
	if (reader->n_words != n + 1)
		return refuse(reader, "a %.*s has %zu values, not %zu", (int)reader->words[0].len,
			      reader->words[0].text, n, reader->n_words - 1);
	for (size_t i = 0; i < n; i++) {
		int r = read_column(reader, &columns[i], &reader->words[i + 1], record);

		if (r != 0)
			return r;
	}
	/* The id is what a record begins with. */
	if (before && memcmp(before, record, sizeof(struct address)) >= 0)
		return refuse(reader, "%s must come after the one before it, and once",
			      columns[0].name);
	return 0;
}

static int read_worker(struct reader *reader)
{
	struct epoch *epoch = reader->epoch;
	struct epoch_worker *worker = &epoch->workers[epoch->n_workers];

	if (epoch->n_checkers > 0)
		return refuse(reader, "workers must come before checkers");
	if (epoch->n_workers == EPOCH_WORKERS_MAX)
		return refuse(reader, "more than %d workers", EPOCH_WORKERS_MAX);
	worker->delegators.first = (uint32_t)epoch->n_delegators;
	reader->delegators = &worker->delegators;
	return read_record(reader, worker_columns, epoch->n_workers++ > 0 ? worker - 1 : NULL,
			   worker);
}

static int read_checker(struct reader *reader)
{
	struct epoch *epoch = reader->epoch;
	struct epoch_checker *checker = &epoch->checkers[epoch->n_checkers];

	if (epoch->n_checkers == EPOCH_CHECKERS_MAX)
		return refuse(reader, "more than %d checkers", EPOCH_CHECKERS_MAX);
	checker->delegators.first = (uint32_t)epoch->n_delegators;
	reader->delegators = &checker->delegators;
	return read_record(reader, checker_columns, epoch->n_checkers++ > 0 ? checker - 1 : NULL,
			   checker);
}

static int read_delegator(struct reader *reader)
{
	struct epoch *epoch = reader->epoch;
	struct epoch_delegator *delegator = &epoch->delegators[epoch->n_delegators];

	if (!reader->delegators)
		return refuse(reader, "a delegator must follow a worker or a checker");
	if (epoch->n_delegators == EPOCH_DELEGATORS_MAX)
		return refuse(reader, "more than %d delegators", EPOCH_DELEGATORS_MAX);
	epoch->n_delegators++;
	return read_record(reader, delegator_columns,
			   reader->delegators->n++ > 0 ? delegator - 1 : NULL, delegator);
}

static int read_records(struct reader *reader)
{
	for (;;) {
		int r = next_line(reader);

		if (r != 0)
			return r;
		if (word_is(&reader->words[0], "worker"))
			r = read_worker(reader);
		else if (word_is(&reader->words[0], "delegator"))
			r = read_delegator(reader);
		else if (word_is(&reader->words[0], "checker"))
			r = read_checker(reader);
		else if (word_is(&reader->words[0], "end") && reader->n_words == 1)
			return reader->at == reader->end
				       ? 0
				       : refuse(reader, "the last line must be \"end\"");
		else
			r = refuse(reader, "must begin with worker, checker, delegator or end");
		if (r != 0)
			return r;
	}
}

/* ---- the whole ---- */

/* How many lines begin with @letter, @max at most: a record of each fits the array. */
static size_t count_lines(const char *text, size_t len, char letter, size_t max)
{
	const char *at = text, *end = text + len;
	size_t n = 0;

	while (at && at < end && n < max) {
		n += *at == letter;
		at = memchr(at, '\n', (size_t)(end - at));
		if (at)
			at++;
	}
	return n;
}

int epoch_read(const char *text, size_t len, struct arena *arena, struct epoch *ret_epoch,
	       struct epoch_fault *ret_fault)
{
	struct epoch epoch = {
		.workers = arena_array(arena, count_lines(text, len, 'w', EPOCH_WORKERS_MAX),
				       sizeof(*epoch.workers)),
		.checkers = arena_array(arena, count_lines(text, len, 'c', EPOCH_CHECKERS_MAX),
					sizeof(*epoch.checkers)),
		.delegators = arena_array(arena, count_lines(text, len, 'd', EPOCH_DELEGATORS_MAX),
					  sizeof(*epoch.delegators)),
	};
	struct reader reader = {
		.at = text, .end = text + len, .epoch = &epoch, .fault = ret_fault
	};
	int r;

	if (!epoch.workers || !epoch.checkers || !epoch.delegators)
		return -ENOMEM;
	r = read_head(&reader);
	if (r == 0)
		r = read_terms(&reader);
	if (r == 0)
		r = read_records(&reader);
	if (r == 0)
		*ret_epoch = epoch;
	return r;
}

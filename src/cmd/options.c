#include "cmd/options.h"

#include <stdarg.h>

/* Of the words before the first option or placeholder: "kaisar run". */
static int command_len(const struct option_table *table)
{
	const char *option = strstr(table->usage, " -");
	size_t len = strcspn(table->usage, "[<ABCDEFGHIJKLMNOPQRSTUVWXYZ|");

	if (option)
		len = size_min(len, (size_t)(option - table->usage));
	while (len > 0 && table->usage[len - 1] == ' ')
		len--;
	return (int)len;
}

int options_refuse(const struct option_table *table, const char *format, ...)
{
	int len = command_len(table);
	va_list args;

	fprintf(stderr, "%.*s: ", len, table->usage);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nusage: %s\n(%.*s --help says more)\n", table->usage, len, table->usage);
	return EXIT_USAGE;
}

void options_help(const struct option_table *table, FILE *out)
{
	fprintf(out, "usage: %s\n", table->usage);
	if (table->about)
		fprintf(out, "\n%s\n", table->about);
	fputc('\n', out);
	for (const struct option_row *row = table->rows; row && row->name; row++) {
		char left[64], letter[8] = "    ";

		if (row->letter)
			snprintf(letter, sizeof(letter), "-%c, ", row->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, row->name,
			 row->argument ? " " : "", row->argument ? row->argument : "");
		fprintf(out, "  %-30s %s\n", left, row->help);
	}
	fprintf(out, "  %-30s %s\n", "-h, --help", "this text");
}

static const struct option_row *find_name(const struct option_table *table, const char *name,
					  size_t len)
{
	for (const struct option_row *row = table->rows; row && row->name; row++)
		if (strlen(row->name) == len && memcmp(row->name, name, len) == 0)
			return row;
	return NULL;
}

static const struct option_row *find_letter(const struct option_table *table, char letter)
{
	for (const struct option_row *row = table->rows; row && row->name; row++)
		if (row->letter && row->letter == letter)
			return row;
	return NULL;
}

struct reader {
	struct options *options;
	int argc, at;
	char **argv;
};

/* 0, or an exit status. */
static int take(struct reader *reader, const struct option_row *row, const char *value)
{
	struct options *options = reader->options;

	if (row->argument && !value) {
		if (reader->at + 1 >= reader->argc)
			return options_refuse(options->table, "--%s needs a value: %s", row->name,
					      row->argument);
		value = reader->argv[++reader->at];
	}
	if (options->n_values == OPTIONS_MAX)
		return options_refuse(options->table, "more than %d options", OPTIONS_MAX);
	options->values[options->n_values].row = row;
	options->values[options->n_values++].value = value ? value : "";
	return 0;
}

static int take_long(struct reader *reader, const char *text)
{
	const struct option_table *table = reader->options->table;
	size_t len = strcspn(text, "=");
	const struct option_row *row = find_name(table, text, len);

	if (!row)
		return options_refuse(table, "unknown option --%.*s", (int)len, text);
	if (text[len] == '=' && !row->argument)
		return options_refuse(table, "--%s takes no value", row->name);
	return take(reader, row, text[len] == '=' ? text + len + 1 : NULL);
}

static int take_letters(struct reader *reader, const char *text)
{
	const struct option_table *table = reader->options->table;

	for (; *text; text++) {
		const struct option_row *row = find_letter(table, *text);
		int status;

		if (!row)
			return options_refuse(table, "unknown option -%c", *text);
		status = take(reader, row, row->argument && text[1] ? text + 1 : NULL);
		if (status || row->argument)
			return status;
	}
	return 0;
}

static bool wants_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Words that are no options are moved to the front of argv, in order. */
static int read_words(struct reader *reader, bool *ret_help)
{
	struct options *options = reader->options;
	bool only_words = false;

	for (; reader->at < reader->argc; reader->at++) {
		char *word = reader->argv[reader->at];
		int status = 0;

		if (only_words || word[0] != '-' || !word[1]) {
			options->words[options->n_words++] = word;
			only_words = only_words || options->table->stop_at_word;
		} else if (strcmp(word, "--") == 0) {
			only_words = true;
		} else if (wants_help(word)) {
			*ret_help = true;
			return 0;
		} else if (word[1] == '-') {
			status = take_long(reader, word + 2);
		} else {
			status = take_letters(reader, word + 1);
		}
		if (status)
			return status;
	}
	return 0;
}

int options_read(const struct option_table *table, int argc, char **argv,
		 struct options *ret_options, int *ret_exit)
{
	struct reader reader = { .options = ret_options, .argc = argc, .at = 1, .argv = argv };
	bool help = false;

	*ret_options = (struct options){ .table = table, .words = argv + 1 };
	*ret_exit = read_words(&reader, &help);
	if (help) {
		options_help(table, stdout);
		return OPTIONS_E_DONE;
	}
	if (*ret_exit)
		return OPTIONS_E_DONE;
	if (ret_options->n_words < table->words_min)
		*ret_exit = options_refuse(table, "something is missing");
	else if (ret_options->n_words > table->words_max)
		*ret_exit = options_refuse(table, "too many words, from '%s' on",
					   ret_options->words[table->words_max]);
	return *ret_exit ? OPTIONS_E_DONE : 0;
}

const char *options_get(const struct options *options, const char *name, const char *fallback)
{
	for (size_t i = options->n_values; i > 0; i--)
		if (strcmp(options->values[i - 1].row->name, name) == 0)
			return options->values[i - 1].value;
	return fallback;
}

bool options_has(const struct options *options, const char *name)
{
	return options_get(options, name, NULL) != NULL;
}

const char *options_nth(const struct options *options, const char *name, size_t index)
{
	for (size_t i = 0; i < options->n_values; i++)
		if (strcmp(options->values[i].row->name, name) == 0 && index-- == 0)
			return options->values[i].value;
	return NULL;
}

int options_int(const struct options *options, const char *name, int64_t min, int64_t max,
		int64_t fallback, int64_t *ret_value)
{
	const char *text = options_get(options, name, NULL);
	long long value;
	char *end;

	if (!text) {
		*ret_value = fallback;
		return 0;
	}
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < min || value > max) {
		options_refuse(options->table, "--%s must be %" PRId64 " to %" PRId64 ", not '%s'",
			       name, min, max, text);
		return OPTIONS_E_DONE;
	}
	*ret_value = value;
	return 0;
}

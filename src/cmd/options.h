/* options.h - the words behind a subcommand, read by a table, which also makes the help text.
 *
 * "--name value", "--name=value", "-n value", "-nvalue"; flags take no value and short ones may be
 * joined; "--" ends options. A value may hold '=' and may start with '-' only in the "=" form. */
#pragma once

#include "base/base.h"

struct option_row {
	const char *name; /* without the dashes; NULL ends the table */
	char letter; /* 0: none */
	const char *argument; /* what to call the value in the help; NULL: a flag */
	const char *help;
};

struct option_table {
	const char *usage; /* "kaisar run [OPTIONS] IMAGE [COMMAND...]" */
	const char *about; /* a sentence or two */
	const struct option_row *rows;
	/* The first word that is no option ends them, too: what follows is another program's. */
	bool stop_at_word;
	size_t words_min, words_max; /* of words that are no options */
};

enum { OPTIONS_MAX = 128, EXIT_USAGE = 2 };

struct options {
	const struct option_table *table;
	struct option_value {
		const struct option_row *row;
		const char *value;
	} values[OPTIONS_MAX];
	size_t n_values;
	char **words; /* borrowed from argv, reordered */
	size_t n_words;
};

/* Reads argv[1..]. Outcome OPTIONS_E_DONE: @ret_exit is the program's exit status; the help or what
 * was wrong is printed already. */
enum options_outcome { OPTIONS_E_DONE = 1 };
_must_check_ int options_read(const struct option_table *table, int argc, char **argv,
			      struct options *ret_options, int *ret_exit);

/* The last value given for @name, or @fallback. A flag's value is "". */
const char *options_get(const struct options *options, const char *name, const char *fallback);
bool options_has(const struct options *options, const char *name);

/* The @index-th value of an option that may be repeated; NULL behind the last. */
const char *options_nth(const struct options *options, const char *name, size_t index);

/* An integer within bounds; prints what is wrong. Outcome OPTIONS_E_DONE (exit with EXIT_USAGE). */
_must_check_ int options_int(const struct options *options, const char *name, int64_t min,
			     int64_t max, int64_t fallback, int64_t *ret_value);

/* Prints "kaisar run: TEXT" and how to get help; returns EXIT_USAGE. */
_printf_(2, 3) int options_refuse(const struct option_table *table, const char *format, ...);

void options_help(const struct option_table *table, FILE *out);

/* cli.h - how every command that talks to the API begins: its options, its client, and how it prints. */
#pragma once

#include "cmd/client.h"
#include "cmd/options.h"
#include "cmd/table.h"

/* Rows for the table of every such command. */
#define CLI_URL_ROW                                                                 \
	{                                                                           \
		"url", 0, "URL", "the network (KAISAR_URL, or where you signed in)" \
	}
#define CLI_OUTPUT_ROW                                                 \
	{                                                              \
		"output", 'o', "FORMAT", "table, json or yaml (table)" \
	}

struct cli {
	struct options options;
	struct client *client;
	enum out_format format;
};

/* Reads argv by @table and opens the client. Outcome OPTIONS_E_DONE: end with *@ret_exit. */
_must_check_ int cli_begin(const struct option_table *table, int argc, char **argv,
			   struct cli *ret_cli, int *ret_exit);
void cli_end(struct cli *cli);

/* A path like "/v1/rentals/%s/stop" with @word percent-encoded; NULL without memory. */
_must_check_ const char *cli_path(struct cli *cli, const char *before, const char *word,
				  const char *after);

/* @path, which has a query, with "&name=value" of the option where it was given; NULL without memory. */
_must_check_ const char *cli_query(struct cli *cli, const char *path, const char *name);

/* Prints and gives the exit code. */
_must_check_ int cli_print_list(struct cli *cli, const struct column *columns, const json_t *items);
_must_check_ int cli_print_object(struct cli *cli, const struct column *columns,
				  const json_t *object);

/* A whole command of one word, like `kaisar worker remove`: deletes @before and the word, and prints the word.
 * Its exit status. */
int cli_remove(const struct option_table *table, const char *before, int argc, char **argv);

struct cli_verb {
	const char *name, *help; /* NULL name ends */
	int (*run)(int argc, char **argv);
};

/* "kaisar NOUN VERB ...": runs the verb named by argv[1], or says which there are. */
int cli_verbs(const char *noun, const struct cli_verb *verbs, int argc, char **argv);

/* offers.c - `kaisar search offers`: what can be rented now, and why nothing can. */
#include <stdarg.h>

#include "base/amount.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/offer_query.h"
#include "cmd/why.h"

static const struct option_row rows[] = {
	{ "gpu", 0, "MODEL", "gpu_name=MODEL" },
	{ "gpus", 'g', "N", "num_gpus>=N" },
	{ "cpus", 'c', "N", "cpu_cores>=N" },
	{ "memory", 'm', "SIZE", "cpu_ram>=SIZE" },
	{ "disk", 0, "SIZE", "disk_space>=SIZE" },
	{ "max-price", 0, "PRICE", "dph<=PRICE" },
	{ "order", 0, "WORD", "price, quality or gpus (price)" },
	{ "limit", 0, "N", "at most so many, 1 to 100 (50)" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar search offers [OPTIONS] [CONDITION...]",
	.about = "Lists what can be rented now. Conditions, each NAME OPERATOR VALUE without "
		 "spaces:\n"
		 "gpu_name=RTX_4090 num_gpus>=2 gpu_ram>=24 cpu_cores>=8 cpu_ram>=32 "
		 "disk_space>=100\n"
		 "dph<=0.5 quality>=900. Sizes are GiB unless they say otherwise. The price is an "
		 "hour's,\n"
		 "of all that is asked for.",
	.rows = rows,
	.words_max = 64,
};

static const struct column columns[] = {
	{ "MACHINE", "machine" },
	{ "CLASS", "class" },
	{ "GPU", "gpu_model" },
	{ "FREE", "gpus_free" },
	{ "GPU RAM", "gpu_memory_bytes", COLUMN_BYTES },
	{ "CORES", "cpu_milli_free", COLUMN_MILLI },
	{ "RAM", "memory_free_bytes", COLUMN_BYTES },
	{ "DISK", "disk_free_bytes", COLUMN_BYTES },
	{ "RATE/H", "rate_hour" },
	{ "QUALITY", "quality" },
	{ 0 },
};

static int add_conditions(const struct options *options, struct offer_query *query)
{
	static const struct {
		const char *option, *before;
	} flags[] = {
		{ "gpu", "gpu_name=" },    { "gpus", "num_gpus>=" },   { "cpus", "cpu_cores>=" },
		{ "memory", "cpu_ram>=" }, { "disk", "disk_space>=" }, { "max-price", "dph<=" },
	};
	char error[OFFER_ERROR_SIZE], text[160];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(flags); i++) {
		const char *value = options_get(options, flags[i].option, NULL);

		if (!value)
			continue;
		snprintf(text, sizeof(text), "%s\"%s\"", flags[i].before, value);
		r = offer_query_add(query, text, error);
	}
	for (size_t i = 0; r == 0 && i < options->n_words; i++)
		r = offer_query_add(query, options->words[i], error);
	return r == 0 ? 0 : options_refuse(&table, "%s", error);
}

/* ---- the request ---- */

struct path {
	char text[512];
};

_printf_(2, 3) static void add(struct path *path, const char *format, ...)
{
	size_t used = strlen(path->text);
	va_list args;

	va_start(args, format);
	vsnprintf(path->text + used, sizeof(path->text) - used, format, args);
	va_end(args);
}

static int make_path(struct cli *cli, const struct offer_query *query, struct path *ret_path)
{
	const char *order = client_escape(cli->client,
					  options_get(&cli->options, "order", "price"));
	const char *name = client_escape(cli->client, query->gpu_name);
	char price[AMOUNT_TEXT_SIZE];
	int64_t limit;

	if (options_int(&cli->options, "limit", 1, 100, 50, &limit) != 0)
		return CLI_USAGE;
	if (!order || !name)
		return cli_fault(-ENOMEM, "search");
	add(ret_path, "/v1/offers?limit=%" PRId64 "&order=%s", limit, order);
	if (*name)
		add(ret_path, "&gpu_model=%s", name);
	if (query->gpus >= 0)
		add(ret_path, "&gpus=%" PRId64, query->gpus);
	if (query->cpu_milli)
		add(ret_path, "&cpu_milli=%" PRId64, query->cpu_milli);
	if (query->memory_bytes)
		add(ret_path, "&memory=%" PRId64, query->memory_bytes);
	if (query->disk_bytes)
		add(ret_path, "&disk=%" PRId64, query->disk_bytes);
	amount_text((struct amount){ query->max_rate_micro }, price);
	if (query->max_rate_micro)
		add(ret_path, "&max_rate_hour=%s", price);
	return 0;
}

/* ---- the answer ---- */

static json_int_t number(const json_t *offer, const char *name)
{
	return json_integer_value(json_object_get(offer, name));
}

/* Takes out what has less than @least of @member, and counts it under @condition. */
static int filter(json_t *answer, const char *member, int64_t least, const char *condition)
{
	json_t *items = json_object_get(answer, "items");
	json_t *excluded = json_object_get(answer, "excluded");
	json_int_t n = 0;

	for (size_t i = json_array_size(items); least > 0 && i > 0; i--) {
		if (number(json_array_get(items, i - 1), member) >= least)
			continue;
		if (json_array_remove(items, i - 1) < 0)
			return cli_fault(-ENOMEM, "search");
		n++;
	}
	if (n > 0 && json_object_set_new(excluded, condition, json_integer(n)) < 0)
		return cli_fault(-ENOMEM, "search");
	return 0;
}

static int search(struct cli *cli)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct path path = { "" };
	struct client_call call = { .method = "GET", .path = path.text, .anonymous = true };
	struct offer_query query;
	char why[WHY_SIZE];
	int r;

	offer_query_init(&query);
	r = add_conditions(&cli->options, &query);
	if (r == 0)
		r = make_path(cli, &query, &path);
	if (r == 0)
		r = client_call(cli->client, &call, &answer);
	if (r == 0)
		r = filter(answer, "gpu_memory_bytes", query.gpu_memory_bytes, "gpu_ram");
	if (r == 0)
		r = filter(answer, "quality", query.quality, "quality");
	if (r != 0)
		return r;
	if (json_array_size(json_object_get(answer, "items")) == 0) {
		why_text(answer, why);
		cli_fail(0, "no offer fits: %s", why);
	}
	return cli_print_list(cli, columns, json_object_get(answer, "items"));
}

static int search_offers(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	status = search(&cli);
	cli_end(&cli);
	return status;
}

int cmd_search(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "offers", "what can be rented now", search_offers },
		{ 0 },
	};

	return cli_verbs("search", verbs, argc, argv);
}

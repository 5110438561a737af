#include "cmd/offer_query.h"

#include <stdarg.h>

#include "base/amount.h"
#include "base/field.h"

#define GIB (INT64_C(1) << 30)

enum { VALUE_MAX = 64 };

enum operator_ { OP_EQUAL, OP_LEAST, OP_ABOVE, OP_MOST, OP_BELOW };

struct condition {
	char name[32], value[VALUE_MAX];
	enum operator_ op;
	char *error;
};

_printf_(2, 3) static int refuse(const struct condition *condition, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(condition->error, OFFER_ERROR_SIZE, format, args);
	va_end(args);
	return OFFER_QUERY_E_SYNTAX;
}

/* ---- values ---- */

static int take_name(const struct condition *c, struct offer_query *query)
{
	if (c->op != OP_EQUAL)
		return refuse(c, "%s takes =, like %s=RTX_4090", c->name, c->name);
	snprintf(query->gpu_name, sizeof(query->gpu_name), "%s", c->value);
	return 0;
}

/* "x>n" is "x>=n+1" for whole numbers. */
static int at_least(const struct condition *c, int64_t value, int64_t *ret_least)
{
	if (c->op == OP_MOST || c->op == OP_BELOW)
		return refuse(c, "%s takes >=, like %s>=2", c->name, c->name);
	*ret_least = value + (c->op == OP_ABOVE);
	return 0;
}

/* Whole micro-units of a plain decimal. */
static int parse_decimal(const struct condition *c, int64_t *ret_micro)
{
	struct amount amount;

	if (amount_parse(c->value, &amount) < 0 || amount.micro < 0)
		return refuse(c, "%s needs a number like 2 or 0.5, not '%s'", c->name, c->value);
	*ret_micro = amount.micro;
	return 0;
}

static int take_count(const struct condition *c, int64_t *ret_count)
{
	int64_t micro;
	int r = parse_decimal(c, &micro);

	if (r == 0 && micro % 1000000 != 0)
		return refuse(c, "%s needs a whole number, not '%s'", c->name, c->value);
	return r == 0 ? at_least(c, micro / 1000000, ret_count) : r;
}

static int take_milli(const struct condition *c, int64_t *ret_milli)
{
	int64_t micro;
	int r = parse_decimal(c, &micro);

	return r == 0 ? at_least(c, micro / 1000, ret_milli) : r;
}

static int take_size(const struct condition *c, int64_t *ret_bytes)
{
	struct amount gib;
	int64_t bytes;

	if (amount_parse(c->value, &gib) == 0 && gib.micro >= 0 && gib.micro <= INT64_MAX / 1024)
		bytes = (int64_t)((__int128)gib.micro * GIB / 1000000);
	else if (field_parse_size(c->value, &bytes) < 0)
		return refuse(c, "%s needs GiB or a size like 24GB, not '%s'", c->name, c->value);
	return at_least(c, bytes, ret_bytes);
}

static int take_price(const struct condition *c, int64_t *ret_micro)
{
	int64_t micro;
	int r = parse_decimal(c, &micro);

	if (r != 0)
		return r;
	if (c->op == OP_LEAST || c->op == OP_ABOVE)
		return refuse(c, "%s takes <=, like %s<=0.5", c->name, c->name);
	micro -= c->op == OP_BELOW;
	if (micro <= 0)
		return refuse(c, "%s must leave a price above 0", c->name);
	*ret_micro = micro;
	return 0;
}

static int take(const struct condition *c, struct offer_query *query)
{
	enum { NAME, GPUS, GPU_RAM, CORES, RAM, DISK, PRICE, QUALITY };
	static const struct {
		const char *word;
		int what;
	} words[] = {
		{ "gpu_name", NAME },   { "gpu_model", NAME },  { "num_gpus", GPUS },
		{ "gpus", GPUS },       { "gpu_ram", GPU_RAM }, { "cpu_cores", CORES },
		{ "cpus", CORES },      { "cpu_ram", RAM },     { "memory", RAM },
		{ "disk_space", DISK }, { "disk", DISK },       { "dph", PRICE },
		{ "dph_total", PRICE }, { "quality", QUALITY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(words[i].word, c->name) != 0)
			continue;
		switch (words[i].what) {
		case NAME:
			return take_name(c, query);
		case GPUS:
			return take_count(c, &query->gpus);
		case GPU_RAM:
			return take_size(c, &query->gpu_memory_bytes);
		case CORES:
			return take_milli(c, &query->cpu_milli);
		case RAM:
			return take_size(c, &query->memory_bytes);
		case DISK:
			return take_size(c, &query->disk_bytes);
		case PRICE:
			return take_price(c, &query->max_rate_micro);
		case QUALITY:
			return take_count(c, &query->quality);
		}
	}
	return refuse(c,
		      "no condition '%s'; there are gpu_name, num_gpus, gpu_ram, cpu_cores, "
		      "cpu_ram, disk_space, dph and quality",
		      c->name);
}

/* ---- text ---- */

static int read_operator(const struct condition *c, const char **at, enum operator_ *ret_op)
{
	static const struct {
		const char *text;
		enum operator_ op;
	} operators[] = {
		{ ">=", OP_LEAST }, { "<=", OP_MOST }, { "==", OP_EQUAL },
		{ "=", OP_EQUAL },  { ">", OP_ABOVE }, { "<", OP_BELOW },
	};

	for (size_t i = 0; i < ARRAY_SIZE(operators); i++) {
		size_t len = strlen(operators[i].text);

		if (strncmp(*at, operators[i].text, len) != 0)
			continue;
		*at += len;
		*ret_op = operators[i].op;
		return 0;
	}
	return refuse(c, "'%s' needs one of = >= > <= < and a value behind it", c->name);
}

static int read_value(struct condition *c, const char **at)
{
	bool quoted = **at == '"';
	const char *begin = *at + quoted;
	size_t len = strcspn(begin, quoted ? "\"" : " \t\n");

	if (len == 0 || len >= sizeof(c->value))
		return refuse(c, "%s needs a value of 1 to %zu characters", c->name,
			      sizeof(c->value) - 1);
	if (quoted && begin[len] != '"')
		return refuse(c, "%s: the quotation mark is not closed", c->name);
	memcpy(c->value, begin, len);
	c->value[len] = 0;
	*at = begin + len + quoted;
	return 0;
}

void offer_query_init(struct offer_query *query)
{
	*query = (struct offer_query){ .gpus = -1 };
}

int offer_query_add(struct offer_query *query, const char *text,
		    char ret_error[static OFFER_ERROR_SIZE])
{
	const char *at = text;
	int r = 0;

	while (r == 0 && *(at += strspn(at, " \t\n"))) {
		struct condition c = { .error = ret_error };
		size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz_");

		if (len == 0 || len >= sizeof(c.name))
			return refuse(&c,
				      "'%.32s' is no condition; write NAME=VALUE, NAME>=VALUE or "
				      "NAME<=VALUE",
				      at);
		memcpy(c.name, at, len);
		at += len;
		r = read_operator(&c, &at, &c.op);
		if (r == 0)
			r = read_value(&c, &at);
		if (r == 0)
			r = take(&c, query);
	}
	return r;
}

#include "cmd/table.h"

#include <stdarg.h>

#include "cmd/yaml.h"

enum { CELL_MAX = 384, COLUMNS_MAX = 24 };

struct cell {
	char text[CELL_MAX];
};

int out_format_parse(const char *text, enum out_format *ret_format)
{
	static const char *const words[] = { "table", "json", "yaml" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i], text) == 0) {
			*ret_format = (enum out_format)i;
			return 0;
		}
	return -EINVAL;
}

/* ---- cells ---- */

_printf_(2, 3) static void cell_add(struct cell *cell, const char *format, ...)
{
	size_t used = strlen(cell->text);
	va_list args;

	va_start(args, format);
	vsnprintf(cell->text + used, sizeof(cell->text) - used, format, args);
	va_end(args);
}

static void add_value(struct cell *cell, const json_t *value)
{
	if (json_is_string(value))
		cell_add(cell, "%s", json_string_value(value));
	else if (json_is_integer(value))
		cell_add(cell, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		cell_add(cell, "%g", json_real_value(value));
	else if (json_is_boolean(value))
		cell_add(cell, "%s", json_is_true(value) ? "yes" : "no");
	for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
		if (i > 0)
			cell_add(cell, " ");
		add_value(cell, json_array_get(value, i));
	}
}

static void add_bytes(struct cell *cell, json_int_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit < ARRAY_SIZE(units) - 1; unit++)
		size /= 1024;
	cell_add(cell, size < 10 && size != (double)(int)size ? "%.1f%s" : "%.0f%s", size,
		 units[unit]);
}

static void add_seconds(struct cell *cell, json_int_t seconds)
{
	if (seconds >= 3600)
		cell_add(cell, "%" JSON_INTEGER_FORMAT "h", seconds / 3600);
	if (seconds >= 60)
		cell_add(cell, "%" JSON_INTEGER_FORMAT "m", seconds / 60 % 60);
	cell_add(cell, "%" JSON_INTEGER_FORMAT "s", seconds % 60);
}

/* Digits only; anything else as it is. */
static void add_units(struct cell *cell, const char *units)
{
	enum { PLACES = 18 };
	size_t len = strlen(units), zeros = len < PLACES ? PLACES - len : 0;
	size_t whole = len > PLACES ? len - PLACES : 0, end = len;

	if (strspn(units, "0123456789") < len) {
		cell_add(cell, "%s", units);
		return;
	}
	while (end > whole && units[end - 1] == '0')
		end--;
	cell_add(cell, "%.*s", whole ? (int)whole : 1, whole ? units : "0");
	if (end > whole)
		cell_add(cell, ".%.*s%.*s", (int)zeros, "000000000000000000", (int)(end - whole),
			 units + whole);
}

static void add_ports(struct cell *cell, const json_t *ports)
{
	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *port = json_array_get(ports, i);
		const char *address = json_string_value(json_object_get(port, "address"));
		json_int_t host = json_integer_value(json_object_get(port, "host"));

		if (i > 0)
			cell_add(cell, ", ");
		/* An address names the port, too. */
		if (address)
			cell_add(cell, "%s->", address);
		else if (host)
			cell_add(cell, "%" JSON_INTEGER_FORMAT "->", host);
		cell_add(cell, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(json_object_get(port, "container")));
	}
}

static const json_t *find_member(const json_t *object, const char *member)
{
	char name[64];

	while (object && *member) {
		size_t len = strcspn(member, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, member);
		object = json_object_get(object, name);
		member += len + (member[len] == '.');
	}
	return object;
}

/* Other people's texts must not move the cursor or change the terminal. */
static void make_harmless(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

static struct cell make_cell(const struct column *column, const json_t *item)
{
	const json_t *value = find_member(item, column->member);
	struct cell cell = { "" };

	if (json_is_integer(value) && column->kind == COLUMN_BYTES)
		add_bytes(&cell, json_integer_value(value));
	else if (json_is_integer(value) && column->kind == COLUMN_MILLI)
		cell_add(&cell, "%g", (double)json_integer_value(value) / 1000);
	else if (json_is_integer(value) && column->kind == COLUMN_SECONDS)
		add_seconds(&cell, json_integer_value(value));
	else if (json_is_integer(value) && column->kind == COLUMN_PPM)
		cell_add(&cell, "%g%%", (double)json_integer_value(value) / 10000);
	else if (json_is_string(value) && column->kind == COLUMN_UNITS)
		add_units(&cell, json_string_value(value));
	else if (column->kind == COLUMN_PORTS)
		add_ports(&cell, value);
	else
		add_value(&cell, value);
	if (!*cell.text)
		cell_add(&cell, "-");
	make_harmless(cell.text);
	return cell;
}

/* Places on a terminal, near enough: bytes that begin a character. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/* ---- tables ---- */

static void print_line(const char *const *texts, const size_t *widths, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int pad = i + 1 < n ? (int)(widths[i] - width_of(texts[i]) + 2) : 0;

		printf("%s%*s", texts[i], pad, "");
	}
	putchar('\n');
}

static void print_table(const struct column *columns, const json_t *items)
{
	const char *texts[COLUMNS_MAX];
	struct cell cells[COLUMNS_MAX];
	size_t widths[COLUMNS_MAX], n = 0;

	for (; n < COLUMNS_MAX && columns[n].title; n++) {
		texts[n] = columns[n].title;
		widths[n] = width_of(columns[n].title);
	}
	for (size_t row = 0; row < json_array_size(items); row++)
		for (size_t i = 0; i < n; i++) {
			cells[i] = make_cell(&columns[i], json_array_get(items, row));
			if (width_of(cells[i].text) > widths[i])
				widths[i] = width_of(cells[i].text);
		}
	print_line(texts, widths, n);
	for (size_t row = 0; row < json_array_size(items); row++) {
		for (size_t i = 0; i < n; i++) {
			cells[i] = make_cell(&columns[i], json_array_get(items, row));
			texts[i] = cells[i].text;
		}
		print_line(texts, widths, n);
	}
}

static void print_members(const struct column *columns, const json_t *object)
{
	size_t width = 0;

	for (const struct column *c = columns; c->title; c++)
		if (width_of(c->title) > width)
			width = width_of(c->title);
	for (const struct column *c = columns; c->title; c++) {
		struct cell cell = make_cell(c, object);

		printf("%-*s  %s\n", (int)width, c->title, cell.text);
	}
}

static void print_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	putchar('\n');
}

/* A full disk or a closed pipe must not pass for success. */
static int flushed(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -EIO;
}

int table_list(enum out_format format, const struct column *columns, const json_t *items)
{
	if (format == OUT_JSON)
		print_json(items);
	else if (format == OUT_YAML)
		yaml_print(stdout, items);
	else
		print_table(columns, items);
	return flushed();
}

int table_object(enum out_format format, const struct column *columns, const json_t *object)
{
	if (format == OUT_YAML)
		yaml_print(stdout, object);
	else if (format == OUT_TABLE && columns)
		print_members(columns, object);
	else
		print_json(object);
	return flushed();
}

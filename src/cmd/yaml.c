#include "cmd/yaml.h"

#include <strings.h>

#include "base/base.h"

enum { DEPTH_MAX = 32 };

/* Letters, digits and a few harmless signs, beginning with a letter, and no word that some reader
 * takes for a boolean or null. */
static bool is_plain(const char *text)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const char *const special[] = { "y",   "n",    "yes",  "no",    "on",
					       "off", "true", "null", "false", "nan" };
	size_t len = strlen(text);

	if (len == 0 || !strchr(letters, *text))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (strcasecmp(text, special[i]) == 0)
			return false;
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789_-./") == len;
}

static void print_text(FILE *out, const char *text)
{
	json_t *string;

	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	string = json_string(text);
	json_dumpf(string, out, JSON_ENCODE_ANY);
	json_decref(string);
}

static bool is_block(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value)) ||
	       (json_is_array(value) && json_array_size(value));
}

static void print_scalar(FILE *out, const json_t *value)
{
	if (json_is_string(value))
		print_text(out, json_string_value(value));
	else
		json_dumpf(value, out, JSON_ENCODE_ANY | JSON_COMPACT);
	fputc('\n', out);
}

static void print_block(FILE *out, const json_t *value, int depth, bool inside_item);

/* What follows "name:" (nested below it) or "-" (on its line). */
static void print_nested(FILE *out, const json_t *value, int depth, bool of_item)
{
	if (!is_block(value) || depth >= DEPTH_MAX) {
		fputc(' ', out);
		print_scalar(out, value);
		return;
	}
	fputc(of_item ? ' ' : '\n', out);
	print_block(out, value, depth, of_item);
}

/* @inside_item: the first line goes on behind "- ". */
static void print_block(FILE *out, const json_t *value, int depth, bool inside_item)
{
	const char *name;
	json_t *member;

	for (size_t i = 0; i < json_array_size(value); i++) {
		fprintf(out, "%*s-", inside_item && i == 0 ? 0 : depth * 2, "");
		print_nested(out, json_array_get(value, i), depth + 1, true);
	}
	json_object_foreach((json_t *)value, name, member) {
		fprintf(out, "%*s", inside_item ? 0 : depth * 2, "");
		inside_item = false;
		print_text(out, name);
		fputc(':', out);
		print_nested(out, member, depth + 1, false);
	}
}

void yaml_print(FILE *out, const json_t *value)
{
	if (is_block(value))
		print_block(out, value, 0, false);
	else
		print_scalar(out, value);
}

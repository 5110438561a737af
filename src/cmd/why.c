#include "cmd/why.h"

#include <stdarg.h>

_printf_(2, 3) static void add(char *text, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, WHY_SIZE - used, format, args);
	va_end(args);
}

void why_text(const json_t *why, char ret_text[static WHY_SIZE])
{
	const char *hint = json_string_value(json_object_get(why, "hint"));
	json_t *excluded = json_object_get(why, "excluded"), *count;
	const char *name, *before = "";

	ret_text[0] = 0;
	json_object_foreach(excluded, name, count) {
		if (json_integer_value(count) == 0)
			continue;
		add(ret_text, "%s%s excluded %" JSON_INTEGER_FORMAT, before, name,
		    json_integer_value(count));
		before = ", ";
	}
	if (!*ret_text)
		add(ret_text, "nobody offers such a machine now");
	add(ret_text, ".%s%s", hint ? " " : "", hint ? hint : "");
}

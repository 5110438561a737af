#include "base/field.h"

#include <ctype.h>
#include <stdarg.h>

#include "base/codec.h"
#include "base/id.h"
#include "base/text.h"

enum { PAIR_NAME_MAX = 128, QUERY_FIELDS_MAX = 32 };

struct decoder {
	struct arena *arena;
	struct field_error *error;
	bool from_text; /* a query string: numbers and booleans arrive as text */
};

struct path {
	char text[sizeof(((struct field_error *)0)->field)];
};

void field_error_set(struct field_error *error, const char *field, const char *rule)
{
	text_copy(error->field, sizeof(error->field), field);
	snprintf(error->rule, sizeof(error->rule), "%s", rule);
}

_printf_(3, 4) static int refuse(struct decoder *d, const struct path *path, const char *format,
				 ...)
{
	va_list args;

	snprintf(d->error->field, sizeof(d->error->field), "%s", path->text);
	text_trim(d->error->field);
	va_start(args, format);
	vsnprintf(d->error->rule, sizeof(d->error->rule), format, args);
	va_end(args);
	return FIELD_E_INVALID;
}

static struct path path_below(const struct path *parent, const char *name)
{
	struct path path;
	const char *dot = *parent->text ? "." : "";

	if (snprintf(path.text, sizeof(path.text), "%s%s%s", parent->text, dot, name) < 0)
		path.text[0] = 0;
	return path;
}

static struct path path_element(const struct path *parent, size_t index)
{
	struct path path;

	if (snprintf(path.text, sizeof(path.text), "%s[%zu]", parent->text, index) < 0)
		path.text[0] = 0;
	return path;
}

static int check_text(struct decoder *d, const struct field *f, const struct path *path,
		      const char *text, size_t len)
{
	if ((int64_t)len < f->min || (int64_t)len > f->max)
		return refuse(d, path, "must have %" PRId64 " to %" PRId64 " bytes, has %zu",
			      f->min, f->max, len);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (f->charset && !strchr(f->charset, c))
			return refuse(d, path, "may hold only the characters %s", f->charset);
		if (c == 0x7f || (c < 0x20 && !(f->lines && (c == '\n' || c == '\t'))))
			return refuse(d, path, "must not hold control characters");
	}
	return 0;
}

static int read_text(struct decoder *d, const struct field *f, const struct path *path,
		     const json_t *value, const char **ret_text)
{
	char *copy;
	int r;

	if (!json_is_string(value))
		return refuse(d, path, "must be a string");
	/* jansson refuses \u0000 on its own, so that the length and strlen agree. */
	r = check_text(d, f, path, json_string_value(value), json_string_length(value));
	if (r != 0)
		return r;
	copy = arena_text(d->arena, json_string_value(value), json_string_length(value));
	if (!copy)
		return -ENOMEM;
	*ret_text = copy;
	return 0;
}

static int parse_int(const char *text, int64_t *ret)
{
	char *end;
	long long value;

	if (!isdigit((unsigned char)*text) && *text != '-')
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end)
		return -EINVAL;
	*ret = value;
	return 0;
}

static int read_int(struct decoder *d, const struct field *f, const struct path *path,
		    const json_t *value, int64_t *ret)
{
	int64_t number;

	if (json_is_integer(value))
		number = json_integer_value(value);
	else if (!d->from_text || !json_is_string(value) ||
		 parse_int(json_string_value(value), &number) < 0)
		return refuse(d, path, "must be an integer");
	if (number < f->min || number > f->max)
		return refuse(d, path, "must be %" PRId64 " to %" PRId64, f->min, f->max);
	*ret = number;
	return 0;
}

static int read_bool(struct decoder *d, const struct path *path, const json_t *value, bool *ret)
{
	const char *text = d->from_text ? json_string_value(value) : NULL;

	if (json_is_boolean(value))
		*ret = json_is_true(value);
	else if (text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0))
		*ret = true;
	else if (text && (strcmp(text, "false") == 0 || strcmp(text, "0") == 0))
		*ret = false;
	else
		return refuse(d, path, "must be true or false");
	return 0;
}

static int read_amount(struct decoder *d, const struct field *f, const struct path *path,
		       const json_t *value, struct amount *ret)
{
	char least[AMOUNT_TEXT_SIZE], most[AMOUNT_TEXT_SIZE];
	struct amount amount;

	if (!json_is_string(value) || amount_parse(json_string_value(value), &amount) < 0)
		return refuse(d, path,
			      "must be a decimal string with at most 6 places, like \"1.25\"");
	if (amount.micro < f->min || amount.micro > f->max) {
		amount_text((struct amount){ f->min }, least);
		amount_text((struct amount){ f->max }, most);
		return refuse(d, path, "must be %s to %s", least, most);
	}
	*ret = amount;
	return 0;
}

int field_parse_size(const char *text, int64_t *ret_bytes)
{
	static const struct {
		const char *suffix;
		int64_t factor;
	} units[] = {
		{ "", 1 },
		{ "B", 1 },
		{ "KB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
		{ "KiB", 1ll << 10 },
		{ "MiB", 1ll << 20 },
		{ "GiB", 1ll << 30 },
		{ "TiB", 1ll << 40 },
		{ "Ki", 1ll << 10 },
		{ "Mi", 1ll << 20 },
		{ "Gi", 1ll << 30 },
		{ "Ti", 1ll << 40 },
	};
	char *end;
	long long number;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno)
		return -ERANGE;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(end, units[i].suffix) == 0)
			return __builtin_mul_overflow(number, units[i].factor, ret_bytes) ? -ERANGE
											  : 0;
	return -EINVAL;
}

static int read_size(struct decoder *d, const struct field *f, const struct path *path,
		     const json_t *value, int64_t *ret)
{
	int64_t bytes;

	if (json_is_integer(value))
		bytes = json_integer_value(value);
	else if (!json_is_string(value) || field_parse_size(json_string_value(value), &bytes) < 0)
		return refuse(d, path, "must be bytes, or a size like \"80GiB\" or \"80GB\"");
	if (bytes < f->min || bytes > f->max)
		return refuse(d, path, "must be %" PRId64 " to %" PRId64 " bytes", f->min, f->max);
	*ret = bytes;
	return 0;
}

static int read_word(struct decoder *d, const struct field *f, const struct path *path,
		     const json_t *value, int *ret)
{
	char allowed[sizeof(d->error->rule) - 16] = "";
	size_t used = 0;

	for (int i = 0; f->words[i]; i++) {
		if (json_is_string(value) && strcmp(json_string_value(value), f->words[i]) == 0) {
			*ret = i;
			return 0;
		}
		used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s",
					 i ? ", " : "", f->words[i]);
		used = size_min(used, sizeof(allowed) - 1);
	}
	return refuse(d, path, "must be one of: %s", allowed);
}

static int read_id(struct decoder *d, const struct field *f, const struct path *path,
		   const json_t *value, uint8_t ret[static 16])
{
	if (!json_is_string(value) || id_parse(f->prefix, json_string_value(value), ret) < 0)
		return refuse(d, path, "must be an id like %s-01jd...", f->prefix);
	return 0;
}

static int read_address(struct decoder *d, const struct path *path, const json_t *value,
			struct address *ret)
{
	if (!json_is_string(value) || address_parse(json_string_value(value), ret) < 0)
		return refuse(d, path,
			      "must be an address: 0x and 40 hex digits, mixed case by EIP-55");
	return 0;
}

static int decode_fields(struct decoder *d, const struct path *path, const json_t *object,
			 const struct field *fields, void *ret_struct);

static int check_count(struct decoder *d, const struct field *f, const struct path *path, size_t n)
{
	if (n > f->count)
		return refuse(d, path, "may have at most %zu entries, has %zu", f->count, n);
	return 0;
}

/* Room for the entries of the list @value. */
static int begin_list(struct decoder *d, const struct field *f, const struct path *path,
		      const json_t *value, const char *rule, size_t size, void **ret_items,
		      size_t *ret_n)
{
	size_t n = json_array_size(value);
	int r;

	if (!json_is_array(value))
		return refuse(d, path, "%s", rule);
	r = check_count(d, f, path, n);
	if (r != 0)
		return r;
	*ret_items = arena_array(d->arena, n, size);
	if (!*ret_items)
		return -ENOMEM;
	*ret_n = n;
	return 0;
}

static int read_texts(struct decoder *d, const struct field *f, const struct path *path,
		      const json_t *value, struct field_texts *ret)
{
	size_t n = 0;
	void *items = NULL;
	int r = begin_list(d, f, path, value, "must be a list of strings", sizeof(*ret->items),
			   &items, &n);

	ret->items = items;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct path at = path_element(path, i);

		r = read_text(d, f, &at, json_array_get(value, i), &ret->items[i]);
	}
	if (r == 0)
		ret->n = n;
	return r;
}

static int read_ints(struct decoder *d, const struct field *f, const struct path *path,
		     const json_t *value, struct field_ints *ret)
{
	size_t n = 0;
	void *items = NULL;
	int r = begin_list(d, f, path, value, "must be a list of integers", sizeof(*ret->items),
			   &items, &n);

	ret->items = items;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct path at = path_element(path, i);

		r = read_int(d, f, &at, json_array_get(value, i), &ret->items[i]);
	}
	if (r == 0)
		ret->n = n;
	return r;
}

static int read_objects(struct decoder *d, const struct field *f, const struct path *path,
			const json_t *value, struct field_objects *ret)
{
	size_t n = 0;
	void *items = NULL;
	int r = begin_list(d, f, path, value, "must be a list of objects", f->size, &items, &n);

	ret->items = items;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct path at = path_element(path, i);

		r = decode_fields(d, &at, json_array_get(value, i), f->fields,
				  (char *)items + i * f->size);
	}
	if (r == 0)
		ret->n = n;
	return r;
}

static bool is_pair_name(const char *name)
{
	size_t len = strlen(name);

	return len >= 1 && len <= PAIR_NAME_MAX &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") ==
		       len;
}

static int read_pairs(struct decoder *d, const struct field *f, const struct path *path,
		      const json_t *value, struct field_pairs *ret)
{
	size_t n = json_object_size(value), i = 0;
	const char *name;
	json_t *item;
	int r;

	if (!json_is_object(value))
		return refuse(d, path, "must be an object of strings");
	r = check_count(d, f, path, n);
	if (r != 0)
		return r;
	ret->items = arena_array(d->arena, n, sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	json_object_foreach((json_t *)value, name, item) {
		struct path at;

		if (!is_pair_name(name))
			return refuse(d, path, "names must be 1 to %d of A-Z a-z 0-9 _ . -",
				      PAIR_NAME_MAX);
		at = path_below(path, name);
		r = read_text(d, f, &at, item, &ret->items[i].value);
		if (r != 0)
			return r;
		ret->items[i].name = arena_text(d->arena, name, strlen(name));
		if (!ret->items[i++].name)
			return -ENOMEM;
	}
	ret->n = n;
	return 0;
}

static int decode_value(struct decoder *d, const struct field *f, const struct path *path,
			const json_t *value, void *to)
{
	switch (f->kind) {
	case FIELD_TEXT:
		return read_text(d, f, path, value, to);
	case FIELD_INT:
		return read_int(d, f, path, value, to);
	case FIELD_BOOL:
		return read_bool(d, path, value, to);
	case FIELD_AMOUNT:
		return read_amount(d, f, path, value, to);
	case FIELD_SIZE:
		return read_size(d, f, path, value, to);
	case FIELD_ADDRESS:
		return read_address(d, path, value, to);
	case FIELD_ID:
		return read_id(d, f, path, value, to);
	case FIELD_WORD:
		return read_word(d, f, path, value, to);
	case FIELD_OBJECT:
		return decode_fields(d, path, value, f->fields, to);
	case FIELD_TEXTS:
		return read_texts(d, f, path, value, to);
	case FIELD_INTS:
		return read_ints(d, f, path, value, to);
	case FIELD_OBJECTS:
		return read_objects(d, f, path, value, to);
	case FIELD_PAIRS:
		return read_pairs(d, f, path, value, to);
	}
	return -EINVAL;
}

static void set_fallback(const struct field *f, void *to)
{
	switch (f->kind) {
	case FIELD_INT:
	case FIELD_SIZE:
	case FIELD_AMOUNT:
		memcpy(to, &f->fallback, sizeof(int64_t));
		break;
	case FIELD_WORD:
		*(int *)to = (int)f->fallback;
		break;
	case FIELD_BOOL:
		*(bool *)to = f->fallback != 0;
		break;
	default:
		break;
	}
}

static int refuse_unknown(struct decoder *d, const struct path *path, const json_t *object,
			  const struct field *fields)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		const struct field *f = fields;
		struct path at;

		while (f->name && strcmp(f->name, name) != 0)
			f++;
		if (f->name)
			continue;
		at = path_below(path, name);
		return refuse(d, &at, "is not a field that is known here");
	}
	return 0;
}

static int decode_fields(struct decoder *d, const struct path *path, const json_t *object,
			 const struct field *fields, void *ret_struct)
{
	int r;

	if (!json_is_object(object))
		return refuse(d, path, "must be an object");
	r = refuse_unknown(d, path, object, fields);
	for (const struct field *f = fields; r == 0 && f->name; f++) {
		const json_t *value = json_object_get(object, f->name);
		void *to = (char *)ret_struct + f->offset;
		struct path at = path_below(path, f->name);

		if (value && !json_is_null(value))
			r = decode_value(d, f, &at, value, to);
		else if (f->required)
			r = refuse(d, &at, "is required");
		else if (f->kind == FIELD_OBJECT)
			/* Its own fallbacks and requirements apply only where it is given. */
			continue;
		else
			set_fallback(f, to);
	}
	return r;
}

int field_decode_object(const json_t *object, const struct field *fields, struct arena *arena,
			void *ret_struct, struct field_error *ret_error)
{
	struct decoder d = { .arena = arena, .error = ret_error };
	struct path root = { "" };

	return decode_fields(&d, &root, object, fields, ret_struct);
}

int field_decode(const char *json, size_t len, const struct field *fields, struct arena *arena,
		 void *ret_struct, struct field_error *ret_error)
{
	json_error_t error;
	json_t *object;
	int r;

	object = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error);
	if (!object) {
		field_error_set(ret_error, "", "");
		snprintf(ret_error->rule, sizeof(ret_error->rule), "not JSON: %.120s at byte %d",
			 error.text, error.position);
		return FIELD_E_SYNTAX;
	}
	if (!json_is_object(object)) {
		field_error_set(ret_error, "", "the body must be one JSON object");
		r = FIELD_E_SYNTAX;
	} else {
		r = field_decode_object(object, fields, arena, ret_struct, ret_error);
	}
	json_decref(object);
	return r;
}

/* Decodes %XX and + in place of @len bytes of @text; NULL for a broken escape or a NUL. */
static char *percent_decode(struct arena *arena, const char *text, size_t len)
{
	char *out = arena_alloc(arena, len + 1);
	size_t n = 0;

	for (size_t i = 0; out && i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '%') {
			if (len - i < 3 || hex_decode(text + i + 1, 2, &c, 1) < 0 || c == 0)
				return NULL;
			i += 2;
		} else if (c == '+') {
			c = ' ';
		}
		out[n++] = (char)c;
	}
	return out;
}

static int query_object(const char *query, size_t len, struct arena *arena, json_t *object,
			struct field_error *ret_error)
{
	const char *end = query + len;

	while (query < end) {
		const char *stop = memchr(query, '&', (size_t)(end - query));
		const char *equals;
		char *name, *value;

		stop = stop ? stop : end;
		equals = memchr(query, '=', (size_t)(stop - query));
		name = percent_decode(arena, query, (size_t)((equals ? equals : stop) - query));
		value = equals ? percent_decode(arena, equals + 1, (size_t)(stop - equals - 1))
			       : arena_text(arena, "", 0);
		if (!name || !value || json_object_size(object) >= QUERY_FIELDS_MAX) {
			field_error_set(ret_error, "",
					"the query has a broken escape or too many fields");
			return FIELD_E_SYNTAX;
		}
		if (json_object_get(object, name)) {
			field_error_set(ret_error, name, "is given twice");
			return FIELD_E_INVALID;
		}
		if (json_object_set_new(object, name, json_string(value)) < 0) {
			field_error_set(ret_error, "", "the query is not UTF-8");
			return FIELD_E_SYNTAX;
		}
		query = stop + 1;
	}
	return 0;
}

int field_decode_query(const char *query, size_t len, const struct field *fields,
		       struct arena *arena, void *ret_struct, struct field_error *ret_error)
{
	struct decoder d = { .arena = arena, .error = ret_error, .from_text = true };
	struct path root = { "" };
	json_t *object = json_object();
	int r;

	if (!object)
		return -ENOMEM;
	r = query_object(query, len, arena, object, ret_error);
	if (r == 0)
		r = decode_fields(&d, &root, object, fields, ret_struct);
	json_decref(object);
	return r;
}

static const char *kind_name(enum field_kind kind)
{
	static const char *const names[] = { "text",     "integer", "boolean", "amount", "size",
					     "address",  "id",      "word",    "object", "texts",
					     "integers", "objects", "pairs" };

	return names[kind];
}

json_t *field_describe(const struct field *fields)
{
	json_t *list = json_array();

	for (const struct field *f = fields; list && f && f->name; f++) {
		json_t *row = json_pack("{s:s, s:s, s:b, s:I, s:I}", "name", f->name, "type",
					kind_name(f->kind), "required", f->required, "min",
					(json_int_t)f->min, "max", (json_int_t)f->max);

		if (f->count > 0)
			json_object_set_new(row, "count", json_integer((json_int_t)f->count));
		if (f->fields)
			json_object_set_new(row, "fields", field_describe(f->fields));
		for (const char *const *word = f->words; word && *word; word++) {
			if (word == f->words)
				json_object_set_new(row, "words", json_array());
			json_array_append_new(json_object_get(row, "words"), json_string(*word));
		}
		json_array_append_new(list, row);
	}
	return list;
}

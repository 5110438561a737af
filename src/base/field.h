/* field.h - the fields of a body or a query string as a table: names, types and bounds in one
 * place, checked before anybody sees a value. What a table does not name is refused.
 *
 *	struct greeting { const char *name; int64_t times; };
 *	static const struct field greeting_fields[] = {
 *		{ "name", FIELD_TEXT, offsetof(struct greeting, name), .required = true, .min = 1, .max = 64 },
 *		{ "times", FIELD_INT, offsetof(struct greeting, times), .min = 1, .max = 9, .fallback = 1 },
 *		{ 0 },
 *	};
 *
 * An absent field keeps its fallback (numbers, words), NULL (text), or zeros. */
#pragma once

#include <jansson.h>

#include "base/address.h"
#include "base/amount.h"
#include "base/arena.h"

enum field_kind {
	FIELD_TEXT, /* const char *; min..max bytes of UTF-8 without control characters */
	FIELD_INT, /* int64_t; min..max */
	FIELD_BOOL, /* bool */
	FIELD_AMOUNT, /* struct amount from a decimal string; min..max in micro-units */
	FIELD_SIZE, /* int64_t bytes from an integer or "80GB", "80GiB", "80Gi"; min..max */
	FIELD_ADDRESS, /* struct address; zeros when absent */
	FIELD_ID, /* 16 bytes with .prefix; zeros when absent */
	FIELD_WORD, /* int, the index in .words */
	FIELD_OBJECT, /* the nested struct by .fields */
	FIELD_TEXTS, /* struct field_texts; at most .count, each min..max bytes */
	FIELD_INTS, /* struct field_ints; at most .count, each min..max */
	FIELD_OBJECTS, /* struct field_objects; at most .count, each by .fields and .size */
	FIELD_PAIRS, /* struct field_pairs from an object of strings; at most .count, values
			 * min..max bytes, names 1..128 bytes of [A-Za-z0-9_.-] */
};

struct field {
	const char *name; /* NULL ends a table */
	enum field_kind kind;
	size_t offset;
	bool required;
	bool lines; /* FIELD_TEXT(S), FIELD_PAIRS: newlines and tabs are allowed */
	int64_t min, max;
	int64_t fallback;
	size_t count;
	size_t size;
	const struct field *fields;
	const char *const *words; /* NULL-terminated */
	const char *prefix;
	const char *charset; /* FIELD_TEXT(S): every byte must be one of these; NULL: any */
};

struct field_texts {
	const char **items;
	size_t n;
};

struct field_ints {
	int64_t *items;
	size_t n;
};

struct field_objects {
	void *items;
	size_t n;
};

struct field_pair {
	const char *name, *value;
};

struct field_pairs {
	struct field_pair *items;
	size_t n;
};

/* What was wrong: the path of the field ("ports[2].container") and the rule it broke. */
struct field_error {
	char field[96];
	char rule[320];
};

enum field_outcome {
	FIELD_E_SYNTAX = 1, /* not JSON, or not one object; error->rule says what and where */
	FIELD_E_INVALID, /* error names the field and the rule */
};

/* Parses @len bytes of JSON (duplicate keys, trailing bytes and bad UTF-8 are refused) and decodes
 * the object into *@ret_struct, which the caller zeroed; texts and lists live in @arena.
 * Outcomes: enum field_outcome. Faults: -ENOMEM. */
_must_check_ int field_decode(const char *json, size_t len, const struct field *fields,
			      struct arena *arena, void *ret_struct, struct field_error *ret_error);

/* The same for an object that is parsed already. */
_must_check_ int field_decode_object(const json_t *object, const struct field *fields,
				     struct arena *arena, void *ret_struct,
				     struct field_error *ret_error);

/* The same for "a=1&b=two%20words": numbers and booleans are read from their text. */
_must_check_ int field_decode_query(const char *query, size_t len, const struct field *fields,
				    struct arena *arena, void *ret_struct,
				    struct field_error *ret_error);

/* "80GiB" or "80Gi" is 80 * 2^30, "80GB" 80 * 10^9, "80" bytes. -EINVAL, -ERANGE. */
_must_check_ int field_parse_size(const char *text, int64_t *ret_bytes);

/* Writes the rule for @field as it would be said to somebody who broke it. */
void field_error_set(struct field_error *error, const char *field, const char *rule);

/* The table as JSON, for documents and tests: [{"name","type","required","min","max",...}]. */
_must_check_ json_t *field_describe(const struct field *fields);

#include "chain/typed_schema.h"

#include "base/keccak.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(const char *text)
{
	size_t len = strnlen(text, TYPED_NAME_MAX + 1);

	if (len == 0 || len > TYPED_NAME_MAX || !is_letter(text[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]))
			return false;
	return true;
}

static int find_by_name(const void *name, const void *definition)
{
	return strcmp(name, ((const struct typed_definition *)definition)->name);
}

struct typed_definition *typed_schema_find(struct typed_schema *schema, const char *name)
{
	return bsearch(name, schema->definitions, schema->n, sizeof(schema->definitions[0]),
		       find_by_name);
}

/* ---- reading ---- */

/* "[2][]" behind a name. */
static bool read_dimensions(const char *text, struct typed_type *type)
{
	while (*text == '[') {
		uint32_t size = 0;

		if (type->n_dimensions == TYPED_DIMENSIONS_MAX || text[1] == '0')
			return false;
		for (text++; is_digit(*text); text++) {
			size = size * 10 + (uint32_t)(*text - '0');
			if (size > TYPED_JSON_MAX)
				return false;
		}
		if (*text++ != ']')
			return false;
		type->dimensions[type->n_dimensions++] = size;
	}
	return *text == 0;
}

static int read_type(struct typed_schema *schema, const char *text, struct arena *arena,
		     struct typed_type *ret_type)
{
	struct typed_type type = { 0 };
	const struct abi_type *atom;
	char name[TYPED_NAME_MAX + 1];
	size_t len = strcspn(text, "[");
	int r;

	if (len > TYPED_NAME_MAX || !read_dimensions(text + len, &type))
		return TYPED_E_MALFORMED;
	memcpy(name, text, len);
	name[len] = 0;
	type.definition = typed_schema_find(schema, name);
	if (!type.definition) {
		if (!is_name(name))
			return TYPED_E_MALFORMED;
		r = abi_type_parse(name, len, arena, &atom);
		if (r != 0)
			return r > 0 ? TYPED_E_MALFORMED : r;
		type.atom = *atom;
	}
	*ret_type = type;
	return 0;
}

static bool is_taken(const struct typed_definition *definition, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(definition->members[i].name, name) == 0)
			return true;
	return false;
}

static int read_member(struct typed_schema *schema, struct typed_definition *definition, size_t i,
		       const json_t *json, struct arena *arena)
{
	struct typed_member *member = definition->members + i;

	member->name = json_string_value(json_object_get(json, "name"));
	member->type_text = json_string_value(json_object_get(json, "type"));
	if (json_object_size(json) != 2 || !member->name || !member->type_text ||
	    !is_name(member->name) || is_taken(definition, i, member->name))
		return TYPED_E_MALFORMED;
	return read_type(schema, member->type_text, arena, &member->type);
}

static int read_members(struct typed_schema *schema, struct typed_definition *definition,
			const json_t *json, struct arena *arena)
{
	size_t n = json_array_size(json);
	int r = 0;

	if (!json_is_array(json) || n > TYPED_MEMBERS_MAX)
		return TYPED_E_MALFORMED;
	definition->members = arena_array(arena, n, sizeof(*definition->members));
	if (!definition->members)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = read_member(schema, definition, i, json_array_get(json, i), arena);
	definition->n_members = n;
	return r;
}

/* A struct may not be called like an atom, whose place it would take. */
static bool is_struct_name(const char *name, struct arena *arena)
{
	const struct abi_type *atom;

	return is_name(name) && abi_type_parse(name, strlen(name), arena, &atom) > 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct typed_definition *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int read_names(const json_t *types, struct arena *arena, struct typed_schema *schema)
{
	const json_t *members;
	const char *name;

	if (!json_is_object(types) || json_object_size(types) > TYPED_STRUCTS_MAX)
		return TYPED_E_MALFORMED;
	json_object_foreach((json_t *)types, name, members) {
		if (!is_struct_name(name, arena))
			return TYPED_E_MALFORMED;
		schema->definitions[schema->n++].name = name;
	}
	qsort(schema->definitions, schema->n, sizeof(schema->definitions[0]), compare_names);
	return 0;
}

int typed_schema_read(const json_t *types, struct arena *arena, struct typed_schema *ret_schema,
		      const char **ret_detail)
{
	int r;

	*ret_schema = (struct typed_schema){ 0 };
	r = read_names(types, arena, ret_schema);
	for (size_t i = 0; i < ret_schema->n && r == 0; i++) {
		struct typed_definition *definition = ret_schema->definitions + i;

		r = read_members(ret_schema, definition, json_object_get(types, definition->name),
				 arena);
	}
	if (r > 0)
		*ret_detail = "types holds what is no type of EIP-712, or is past its bounds";
	return r;
}

struct typed_definition *typed_schema_domain(struct typed_schema *schema)
{
	static const struct {
		const char *name, *type;
	} allowed[] = {
		{ "name", "string" },     { "version", "string" },
		{ "chainId", "uint256" }, { "verifyingContract", "address" },
		{ "salt", "bytes32" },
	};
	struct typed_definition *domain = typed_schema_find(schema, "EIP712Domain");
	size_t next = 0;

	if (!domain)
		return NULL;
	for (size_t i = 0; i < domain->n_members; i++) {
		const struct typed_member *member = domain->members + i;

		while (next < ARRAY_SIZE(allowed) && strcmp(allowed[next].name, member->name) != 0)
			next++;
		if (next == ARRAY_SIZE(allowed) ||
		    strcmp(allowed[next++].type, member->type_text) != 0)
			return NULL;
	}
	return domain;
}

/* ---- hashing ---- */

/* Marks what @definition is made of, itself too. */
static void mark(struct typed_schema *schema, const struct typed_definition *definition,
		 bool marks[static TYPED_STRUCTS_MAX])
{
	size_t at = (size_t)(definition - schema->definitions);

	if (marks[at])
		return;
	marks[at] = true;
	for (size_t i = 0; i < definition->n_members; i++)
		if (definition->members[i].type.definition)
			mark(schema, definition->members[i].type.definition, marks);
}

static size_t text_size(const struct typed_definition *definition)
{
	size_t size = strlen(definition->name) + 2;

	for (size_t i = 0; i < definition->n_members; i++)
		size += strlen(definition->members[i].type_text) +
			strlen(definition->members[i].name) + 2;
	return size;
}

static char *append(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

/* "Name(type name,type name)". */
static char *write_text(const struct typed_definition *definition, char *at)
{
	at = append(append(at, definition->name), "(");
	for (size_t i = 0; i < definition->n_members; i++) {
		at = append(at, i > 0 ? "," : "");
		at = append(append(at, definition->members[i].type_text), " ");
		at = append(at, definition->members[i].name);
	}
	return append(at, ")");
}

int typed_schema_hash(struct typed_schema *schema, struct typed_definition *definition,
		      struct arena *arena)
{
	bool marks[TYPED_STRUCTS_MAX] = { false };
	size_t size = 0;
	char *text, *at;

	if (definition->hashed)
		return 0;
	mark(schema, definition, marks);
	for (size_t i = 0; i < schema->n; i++)
		size += marks[i] ? text_size(schema->definitions + i) : 0;
	text = arena_alloc(arena, size + 1);
	if (!text)
		return -ENOMEM;
	/* First itself, then what it is made of, by name. */
	at = write_text(definition, text);
	marks[definition - schema->definitions] = false;
	for (size_t i = 0; i < schema->n; i++)
		if (marks[i])
			at = write_text(schema->definitions + i, at);
	keccak256(text, (size_t)(at - text), definition->hash);
	definition->hashed = true;
	return 0;
}

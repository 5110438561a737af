/* typed_schema.h - the types of typed data, read from JSON, and their hashes. For typed_json.c. */
#pragma once

#include <jansson.h>

#include "chain/abi.h"
#include "chain/typed_json.h"

enum { TYPED_DIMENSIONS_MAX = 8 };

/* An atom or a struct, or arrays of them: "Name[2][]" has the dimensions 2 and 0, where 0 is any. */
struct typed_type {
	struct abi_type atom; /* where there is no @definition */
	struct typed_definition *definition;
	uint32_t dimensions[TYPED_DIMENSIONS_MAX];
	size_t n_dimensions;
};

struct typed_member {
	const char *name, *type_text;
	struct typed_type type;
};

struct typed_definition {
	const char *name;
	struct typed_member *members;
	size_t n_members;
	bool hashed;
	uint8_t hash[32]; /* typeHash, once it is asked for */
};

struct typed_schema {
	struct typed_definition definitions[TYPED_STRUCTS_MAX]; /* in order of their names */
	size_t n;
};

/* Borrows texts of @types. TYPED_E_MALFORMED with @ret_detail, a static text; -ENOMEM. */
_must_check_ int typed_schema_read(const json_t *types, struct arena *arena,
				   struct typed_schema *ret_schema, const char **ret_detail);

/* NULL if there is none; and the domain's, if it is as EIP-712 lets it be. */
struct typed_definition *typed_schema_find(struct typed_schema *schema, const char *name);
struct typed_definition *typed_schema_domain(struct typed_schema *schema);

/* Fills in the hash. -ENOMEM. */
_must_check_ int typed_schema_hash(struct typed_schema *schema, struct typed_definition *definition,
				   struct arena *arena);

#include "chain/typed_json.h"

#include "base/keccak.h"
#include "chain/typed_schema.h"
#include "chain/typed_data.h"
#include "chain/typed_value.h"

struct reader {
	struct typed_schema schema;
	struct arena *arena;
	const char *detail;
};

static int refuse(struct reader *reader, const char *detail)
{
	reader->detail = detail;
	return TYPED_E_MALFORMED;
}

static int hash_value(struct reader *reader, const struct typed_type *type, size_t dimensions,
		      const json_t *value, int depth, uint8_t ret_word[static 32]);

/* hashStruct. */
static int hash_struct(struct reader *reader, struct typed_definition *definition,
		       const json_t *object, int depth, uint8_t ret_hash[static 32])
{
	uint8_t(*words)[32];
	int r;

	if (!json_is_object(object) || json_object_size(object) != definition->n_members)
		return refuse(reader, "a struct has not exactly its type's fields");
	r = typed_schema_hash(&reader->schema, definition, reader->arena);
	if (r != 0)
		return r;
	words = arena_array(reader->arena, 1 + definition->n_members, sizeof(*words));
	if (!words)
		return -ENOMEM;
	memcpy(words[0], definition->hash, sizeof(words[0]));
	for (size_t i = 0; i < definition->n_members; i++) {
		const struct typed_member *member = definition->members + i;
		const json_t *value = json_object_get(object, member->name);

		if (!value)
			return refuse(reader, "a struct has not exactly its type's fields");
		r = hash_value(reader, &member->type, member->type.n_dimensions, value, depth + 1,
			       words[1 + i]);
		if (r != 0)
			return r;
	}
	keccak256(words, (1 + definition->n_members) * sizeof(*words), ret_hash);
	return 0;
}

static int hash_array(struct reader *reader, const struct typed_type *type, size_t dimensions,
		      const json_t *array, int depth, uint8_t ret_hash[static 32])
{
	uint32_t wanted = type->dimensions[dimensions - 1];
	size_t n = json_array_size(array);
	uint8_t(*words)[32];
	int r;

	if (!json_is_array(array) || (wanted != 0 && wanted != n))
		return refuse(reader, "an array is none, or has another number of elements");
	words = arena_array(reader->arena, n, sizeof(*words));
	if (!words)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		r = hash_value(reader, type, dimensions - 1, json_array_get(array, i), depth + 1,
			       words[i]);
		if (r != 0)
			return r;
	}
	keccak256(words, n * sizeof(*words), ret_hash);
	return 0;
}

/* encodeData of one value, @dimensions of whose type's arrays are not yet opened. */
static int hash_value(struct reader *reader, const struct typed_type *type, size_t dimensions,
		      const json_t *value, int depth, uint8_t ret_word[static 32])
{
	if (depth > TYPED_DEPTH_MAX)
		return refuse(reader, "values lie too deep within each other");
	if (dimensions > 0)
		return hash_array(reader, type, dimensions, value, depth, ret_word);
	if (type->definition)
		return hash_struct(reader, type->definition, value, depth, ret_word);
	return typed_value_word(&type->atom, value, reader->arena, ret_word, &reader->detail);
}

static int hash_parts(struct reader *reader, const json_t *root, uint8_t ret_digest[static 32])
{
	const json_t *primary_type = json_object_get(root, "primaryType");
	struct typed_definition *domain, *primary;
	uint8_t domain_hash[32], hash[32];
	int r;

	if (json_object_size(root) != 4 || !json_is_string(primary_type))
		return refuse(reader, "there must be types, primaryType, domain and message");
	r = typed_schema_read(json_object_get(root, "types"), reader->arena, &reader->schema,
			      &reader->detail);
	if (r != 0)
		return r;
	domain = typed_schema_domain(&reader->schema);
	primary = typed_schema_find(&reader->schema, json_string_value(primary_type));
	if (!domain || !primary || primary == domain)
		return refuse(reader,
			      "types lacks the primary type, or a domain as EIP-712 has it");
	r = hash_struct(reader, domain, json_object_get(root, "domain"), 0, domain_hash);
	if (r == 0)
		r = hash_struct(reader, primary, json_object_get(root, "message"), 0, hash);
	if (r == 0)
		typed_digest(domain_hash, hash, ret_digest);
	return r;
}

int typed_json_digest(const char *json, size_t len, struct arena *arena,
		      uint8_t ret_digest[static 32], const char **ret_detail)
{
	struct reader reader = { .arena = arena };
	json_t *root = NULL;
	int r;

	if (len <= TYPED_JSON_MAX)
		root = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
	r = json_is_object(root) ? hash_parts(&reader, root, ret_digest)
				 : refuse(&reader, "not a JSON object of at most 64 KiB");
	json_decref(root);
	if (r > 0 && ret_detail)
		*ret_detail = reader.detail;
	return r;
}

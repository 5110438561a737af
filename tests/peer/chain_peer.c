/* chain_peer - does what each line of its input asks of src/chain and src/security, a JSON object with
 * "do", and answers each with a line: what was made, or {"refused": why}. It ends with its input. */
#include <stdio.h>

#include "base/encode.h"
#include "chain/hex.h"
#include "chain/merkle.h"
#include "chain/transaction.h"
#include "chain/typed_json.h"
#include "chain_contracts.h"
#include "chain_values.h"
#include "security/keystore.h"
#include "security/siwe.h"

enum { ARENA_LIMIT = 64 << 20 };

static json_t *refused(const char *why)
{
	return json_pack("{s:s}", "refused", why ? why : "?");
}

static json_t *failed(int r)
{
	return refused(r > 0 ? "malformed" : strerror(-r));
}

static int key_of(const json_t *question, struct secp_key **ret_key)
{
	const json_t *secret = json_object_get(question, "secret");
	uint8_t bytes[SECP_SECRET_SIZE];
	int r;

	r = json_is_string(secret)
		    ? hex_data_exact(json_string_value(secret), json_string_length(secret), bytes,
				     sizeof(bytes))
		    : -EINVAL;
	return r < 0 ? r : secp_key_from_secret(bytes, ret_key);
}

/* ---- transactions ---- */

static int number_of(const json_t *object, const char *name, struct u256 *ret_value)
{
	const json_t *text = json_object_get(object, name);

	return json_is_string(text)
		       ? u256_parse(json_string_value(text), json_string_length(text), ret_value)
		       : -EINVAL;
}

static int u64_of(const json_t *object, const char *name, uint64_t *ret_value)
{
	struct u256 value;
	int r = number_of(object, name, &value);

	if (r == 0 && u256_bits(value) > 64)
		r = -ERANGE;
	if (r == 0)
		*ret_value = value.limbs[0];
	return r;
}

/* The access list as an ABI value: (address,bytes32[])[]. */
static int access_of(const json_t *json, struct arena *arena, struct transaction *transaction)
{
	static const char text[] = "(address,bytes32[])[]";
	struct transaction_access *access;
	const struct abi_type *type;
	struct abi_value list;
	int r;

	r = abi_type_parse(text, strlen(text), arena, &type);
	if (r == 0)
		r = value_from_json(type, json, arena, &list);
	if (r != 0)
		return r;
	access = arena_array(arena, list.n_items + 1, sizeof(*access));
	if (!access)
		return -ENOMEM;
	for (size_t i = 0; i < list.n_items; i++) {
		const struct abi_value *keys = list.items[i].items + 1;
		uint8_t(*copied)[32] = arena_array(arena, keys->n_items + 1, 32);

		if (!copied)
			return -ENOMEM;
		for (size_t k = 0; k < keys->n_items; k++)
			memcpy(copied[k], keys->items[k].word, 32);
		access[i].address = abi_as_address(list.items[i].items);
		access[i].keys = (const uint8_t(*)[32])copied;
		access[i].n_keys = keys->n_items;
	}
	transaction->access = access;
	transaction->n_access = list.n_items;
	return 0;
}

static int transaction_of(const json_t *json, struct arena *arena, struct transaction *t)
{
	const char *to = json_string_value(json_object_get(json, "to"));
	uint64_t kind;
	int r;

	r = u64_of(json, "kind", &kind);
	if (r == 0)
		r = u64_of(json, "chain_id", &t->chain_id);
	if (r == 0)
		r = u64_of(json, "nonce", &t->nonce);
	if (r == 0)
		r = number_of(json, "max_priority_fee", &t->max_priority_fee);
	if (r == 0)
		r = number_of(json, "max_fee", &t->max_fee);
	if (r == 0)
		r = u64_of(json, "gas_limit", &t->gas_limit);
	if (r == 0)
		r = number_of(json, "value", &t->value);
	if (r == 0 && to)
		r = address_parse(to, &t->to);
	if (r == 0)
		r = data_from_json(json_object_get(json, "data"), arena, &t->data, &t->data_len);
	if (r == 0)
		r = access_of(json_object_get(json, "access"), arena, t);
	t->kind = (enum transaction_kind)kind;
	t->creates = !to;
	return r;
}

static json_t *do_sign_transaction(const json_t *question, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	struct transaction transaction = { 0 };
	struct transaction_signed made;
	int r;

	r = key_of(question, &key);
	if (r == 0)
		r = transaction_of(json_object_get(question, "transaction"), arena, &transaction);
	if (r == 0)
		r = transaction_sign(&transaction, key, arena, &made);
	if (r != 0)
		return failed(r);
	return json_pack("{s:o,s:o}", "bytes", json_data(made.bytes, made.len), "hash",
			 json_data(made.hash, sizeof(made.hash)));
}

/* Read, and what was read signed again: the same bytes only if every field was read as it was. */
static json_t *do_resign_transaction(const json_t *question, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	struct transaction_signed read, made;
	struct transaction transaction;
	const char *detail = NULL;
	const uint8_t *bytes;
	size_t len;
	int r;

	r = key_of(question, &key);
	if (r == 0)
		r = data_from_json(json_object_get(question, "bytes"), arena, &bytes, &len);
	if (r == 0)
		r = transaction_decode(bytes, len, arena, &transaction, &read, &detail);
	if (r == 0)
		r = transaction_sign(&transaction, key, arena, &made);
	if (r != 0)
		return detail ? refused(detail) : failed(r);
	return json_pack("{s:o,s:o,s:o}", "bytes", json_data(made.bytes, made.len), "hash",
			 json_data(read.hash, sizeof(read.hash)), "sender",
			 encode_address(&read.sender));
}

/* ---- ABI ---- */

static int type_of(const json_t *question, struct arena *arena, const struct abi_type **ret_type)
{
	const json_t *text = json_object_get(question, "type");

	if (!json_is_string(text))
		return -EINVAL;
	return abi_type_parse(json_string_value(text), json_string_length(text), arena, ret_type);
}

static json_t *do_abi_encode(const json_t *question, struct arena *arena)
{
	const struct abi_type *type;
	struct abi_value value;
	const uint8_t *bytes;
	size_t len;
	int r;

	r = type_of(question, arena, &type);
	if (r == 0)
		r = value_from_json(type, json_object_get(question, "value"), arena, &value);
	if (r == 0)
		r = abi_encode(type, &value, arena, &bytes, &len);
	return r != 0 ? failed(r) : json_pack("{s:o}", "bytes", json_data(bytes, len));
}

static json_t *do_abi_decode(const json_t *question, struct arena *arena)
{
	const struct abi_type *type;
	struct abi_value value;
	const uint8_t *bytes;
	size_t len;
	int r;

	r = type_of(question, arena, &type);
	if (r == 0)
		r = data_from_json(json_object_get(question, "bytes"), arena, &bytes, &len);
	if (r == 0)
		r = abi_decode(type, bytes, len, arena, &value);
	return r != 0 ? failed(r) : json_pack("{s:o}", "value", value_to_json(type, &value));
}

/* ---- what people sign ---- */

static json_t *do_sign_typed_data(const json_t *question, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	const json_t *json = json_object_get(question, "json");
	uint8_t digest[32], signature[SECP_SIGNATURE_SIZE];
	const char *detail = NULL;
	int r;

	r = key_of(question, &key);
	if (r == 0)
		r = typed_json_digest(json_string_value(json), json_string_length(json), arena,
				      digest, &detail);
	if (r == 0)
		r = secp_sign(key, digest, signature);
	if (r != 0)
		return detail ? refused(detail) : failed(r);
	return json_pack("{s:o,s:o}", "digest", json_data(digest, sizeof(digest)), "signature",
			 json_data(signature, sizeof(signature)));
}

static json_t *do_sign_in(const json_t *question, struct arena *arena)
{
	const json_t *signature = json_object_get(question, "signature");
	struct siwe_policy policy = { .skew_ms = 30000, .max_age_ms = 300000 };
	struct siwe_message message;
	uint8_t bytes[SECP_SIGNATURE_SIZE];
	json_int_t chain_id, now_ms;
	const char *text, *detail = NULL;
	size_t len;
	int r;

	if (json_unpack((json_t *)question, "{s:s%,s:s,s:s,s:I,s:I}", "message", &text, &len,
			"domain", &policy.domain, "uri", &policy.uri, "chain_id", &chain_id,
			"now_ms", &now_ms) < 0 ||
	    !json_is_string(signature) ||
	    hex_data_exact(json_string_value(signature), json_string_length(signature), bytes,
			   sizeof(bytes)) < 0)
		return failed(-EINVAL);
	policy.chain_id = (uint64_t)chain_id;
	policy.now_ms = now_ms;
	r = siwe_parse(text, len, arena, &message, &detail);
	if (r == 0)
		r = siwe_check(&message, text, len, bytes, &policy);
	if (r != 0)
		return detail ? refused(detail) : failed(r);
	return json_pack("{s:o}", "account", encode_address(&message.address));
}

/* ---- keystores ---- */

static json_t *do_keystore_encrypt(const json_t *question, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	const char *password, *json;
	json_int_t n;
	int r;

	if (json_unpack((json_t *)question, "{s:s,s:I}", "password", &password, "n", &n) < 0)
		return failed(-EINVAL);
	r = key_of(question, &key);
	if (r == 0)
		r = keystore_encrypt(key, password, (uint32_t)n, &random_system, arena, &json);
	return r != 0 ? failed(r) : json_pack("{s:s}", "json", json);
}

static json_t *do_keystore_decrypt(const json_t *question, struct arena *arena _unused_)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	uint8_t secret[SECP_SECRET_SIZE];
	const char *password, *json, *detail = NULL;
	size_t len;
	int r;

	if (json_unpack((json_t *)question, "{s:s,s:s%}", "password", &password, "json", &json,
			&len) < 0)
		return failed(-EINVAL);
	r = keystore_decrypt(json, len, password, &key, &detail);
	if (r != 0)
		return detail ? refused(detail) : failed(r);
	secp_key_secret(key, secret);
	return json_pack("{s:o}", "secret", json_data(secret, sizeof(secret)));
}

/* ---- Merkle trees ---- */

static int add_leaves(struct merkle *merkle, const struct abi_type *type, const json_t *values,
		      struct arena *arena)
{
	struct abi_value value;
	const uint8_t *bytes;
	size_t len;
	int r = 0;

	for (size_t i = 0; i < json_array_size(values) && r == 0; i++) {
		r = value_from_json(type, json_array_get(values, i), arena, &value);
		if (r == 0)
			r = abi_encode(type, &value, arena, &bytes, &len);
		if (r == 0)
			r = merkle_add(merkle, bytes, len);
	}
	return r == 0 ? merkle_seal(merkle) : r;
}

static json_t *prove_all(const struct merkle *merkle)
{
	struct merkle_hash path[MERKLE_DEPTH_MAX];
	json_t *proofs = json_array();

	for (size_t i = 0; i < merkle_count(merkle); i++) {
		size_t n = merkle_prove(merkle, i, path);
		json_t *proof = json_array();

		for (size_t k = 0; k < n; k++)
			json_array_append_new(proof,
					      json_data(path[k].bytes, sizeof(path[k].bytes)));
		json_array_append_new(proofs, proof);
	}
	return proofs;
}

static json_t *do_merkle(const json_t *question, struct arena *arena)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	const json_t *values = json_object_get(question, "values");
	const struct abi_type *type;
	int r;

	r = type_of(question, arena, &type);
	if (r == 0)
		r = merkle_new(json_array_size(values), &merkle);
	if (r == 0)
		r = add_leaves(merkle, type, values, arena);
	if (r != 0)
		return failed(r);
	return json_pack("{s:o,s:o}", "root", json_data(merkle_root(merkle)->bytes, 32), "proofs",
			 prove_all(merkle));
}

/* ---- lines ---- */

static json_t *answer(const json_t *question, struct arena *arena)
{
	static const struct {
		const char *name;
		json_t *(*run)(const json_t *question, struct arena *arena);
	} commands[] = {
		{ "sign_transaction", do_sign_transaction },
		{ "resign_transaction", do_resign_transaction },
		{ "abi_encode", do_abi_encode },
		{ "abi_decode", do_abi_decode },
		{ "sign_typed_data", do_sign_typed_data },
		{ "sign_in", do_sign_in },
		{ "keystore_encrypt", do_keystore_encrypt },
		{ "keystore_decrypt", do_keystore_decrypt },
		{ "merkle", do_merkle },
		{ "contract_call", do_contract_call },
		{ "contract_event", do_contract_event },
		{ "anchor_head", do_anchor_head },
	};
	const char *name = json_string_value(json_object_get(question, "do"));

	for (size_t i = 0; name && i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].run(question, arena);
	return refused("no such command");
}

int main(void)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (arena_new(ARENA_LIMIT, &arena) < 0)
		return 1;
	while ((len = getline(&line, &size, stdin)) > 0) {
		json_t *question = json_loadb(line, (size_t)len, 0, NULL);
		json_t *told = answer(question, arena);

		if (!told || json_dumpf(told, stdout, JSON_COMPACT) < 0 || putchar('\n') == EOF ||
		    fflush(stdout) == EOF)
			return 1;
		json_decref(told);
		json_decref(question);
		arena_reset(arena);
	}
	return 0;
}

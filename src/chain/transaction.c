#include "chain/transaction.h"

#include "base/keccak.h"
#include "chain/rlp.h"

enum {
	FIELDS_MAX = 512, /* bytes of all fields but data and access list */
	ACCESS_MAX = 32, /* of one address, without its keys */
	KEY_MAX = 33,
};

/* What rlp.h refuses is passed up as it is. */
_Static_assert((int)RLP_E_MALFORMED == (int)TRANSACTION_E_MALFORMED, "one outcome");

/* y parity, r and s: what a signature adds. */
struct signature {
	uint64_t v;
	struct u256 r, s;
};

/* ---- what may be signed ---- */

static int check_access(const struct transaction *transaction, size_t *ret_size)
{
	size_t size = 0;

	if (transaction->n_access > TRANSACTION_ACCESS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < transaction->n_access; i++) {
		if (transaction->access[i].n_keys > TRANSACTION_KEYS_MAX)
			return -EINVAL;
		size += ACCESS_MAX + KEY_MAX * transaction->access[i].n_keys;
	}
	if (size > TRANSACTION_SIZE_MAX + ACCESS_MAX * TRANSACTION_ACCESS_MAX)
		return -E2BIG;
	*ret_size = size;
	return 0;
}

/* @ret_size: no less than it takes, signed. */
static int check(const struct transaction *transaction, size_t *ret_size)
{
	bool legacy = transaction->kind == TRANSACTION_LEGACY;
	size_t access;
	int r;

	if (!legacy && transaction->kind != TRANSACTION_EIP1559)
		return -EINVAL;
	if (transaction->chain_id == 0 || transaction->chain_id > TRANSACTION_CHAIN_ID_MAX ||
	    transaction->nonce == UINT64_MAX)
		return -EINVAL;
	if (legacy && (transaction->n_access > 0 || !u256_is_zero(transaction->max_priority_fee)))
		return -EINVAL;
	if (u256_compare(&transaction->max_priority_fee, &transaction->max_fee) > 0)
		return -EINVAL;
	r = check_access(transaction, &access);
	if (r < 0)
		return r;
	if (transaction->data_len > TRANSACTION_SIZE_MAX)
		return -E2BIG;
	*ret_size = FIELDS_MAX + transaction->data_len + access;
	return 0;
}

/* ---- writing ---- */

static void write_access(struct rlp_writer *writer, const struct transaction *transaction)
{
	size_t list = rlp_list_begin(writer);

	for (size_t i = 0; i < transaction->n_access; i++) {
		const struct transaction_access *access = transaction->access + i;
		size_t pair = rlp_list_begin(writer), keys;

		rlp_bytes(writer, access->address.bytes, sizeof(access->address.bytes));
		keys = rlp_list_begin(writer);
		for (size_t k = 0; k < access->n_keys; k++)
			rlp_bytes(writer, access->keys[k], 32);
		rlp_list_end(writer, keys);
		rlp_list_end(writer, pair);
	}
	rlp_list_end(writer, list);
}

static void write_target(struct rlp_writer *writer, const struct transaction *transaction)
{
	rlp_bytes(writer, transaction->to.bytes,
		  transaction->creates ? 0 : sizeof(transaction->to.bytes));
	rlp_u256(writer, transaction->value);
	rlp_bytes(writer, transaction->data, transaction->data_len);
}

static void write_eip1559(struct rlp_writer *writer, const struct transaction *transaction)
{
	rlp_u64(writer, transaction->chain_id);
	rlp_u64(writer, transaction->nonce);
	rlp_u256(writer, transaction->max_priority_fee);
	rlp_u256(writer, transaction->max_fee);
	rlp_u64(writer, transaction->gas_limit);
	write_target(writer, transaction);
	write_access(writer, transaction);
}

static void write_legacy(struct rlp_writer *writer, const struct transaction *transaction)
{
	rlp_u64(writer, transaction->nonce);
	rlp_u256(writer, transaction->max_fee);
	rlp_u64(writer, transaction->gas_limit);
	write_target(writer, transaction);
}

/* The envelope of EIP-2718: signed with @signature, to be signed without. A legacy one that is to be
 * signed has the chain in the place of v (EIP-155). */
static int write_envelope(const struct transaction *transaction, const struct signature *signature,
			  uint8_t *buffer, size_t size, size_t *ret_len)
{
	bool legacy = transaction->kind == TRANSACTION_LEGACY;
	const struct signature unsigned_legacy = { .v = transaction->chain_id };
	struct rlp_writer writer = rlp_begin(buffer + !legacy, size - !legacy);
	size_t list = rlp_list_begin(&writer);
	int r;

	if (legacy) {
		write_legacy(&writer, transaction);
		signature = signature ? signature : &unsigned_legacy;
	} else {
		buffer[0] = TRANSACTION_EIP1559;
		write_eip1559(&writer, transaction);
	}
	if (signature) {
		rlp_u64(&writer, signature->v);
		rlp_u256(&writer, signature->r);
		rlp_u256(&writer, signature->s);
	}
	rlp_list_end(&writer, list);
	r = rlp_end(&writer, ret_len);
	if (r == 0)
		*ret_len += !legacy;
	return r;
}

int transaction_unsigned(const struct transaction *transaction, struct arena *arena,
			 const uint8_t **ret_bytes, size_t *ret_len)
{
	uint8_t *buffer;
	size_t size;
	int r;

	r = check(transaction, &size);
	if (r < 0)
		return r;
	buffer = arena_alloc(arena, size);
	if (!buffer)
		return -ENOMEM;
	r = write_envelope(transaction, NULL, buffer, size, ret_len);
	if (r == 0)
		*ret_bytes = buffer;
	return r;
}

static int make_digest(const struct transaction *transaction, uint8_t *buffer, size_t size,
		       uint8_t ret_digest[static 32])
{
	size_t len;
	int r;

	r = write_envelope(transaction, NULL, buffer, size, &len);
	if (r == 0)
		keccak256(buffer, len, ret_digest);
	return r;
}

int transaction_digest(const struct transaction *transaction, struct arena *arena,
		       uint8_t ret_digest[static 32])
{
	const uint8_t *bytes;
	size_t len;
	int r;

	r = transaction_unsigned(transaction, arena, &bytes, &len);
	if (r == 0)
		keccak256(bytes, len, ret_digest);
	return r;
}

static int sign(const struct transaction *transaction, const struct secp_key *key,
		const uint8_t digest[static 32], struct signature *ret_signature)
{
	uint8_t bytes[SECP_SIGNATURE_SIZE];
	uint64_t parity;
	int r;

	r = secp_sign(key, digest, bytes);
	if (r < 0)
		return r;
	parity = (uint64_t)bytes[64] - 27;
	ret_signature->v = parity;
	if (transaction->kind == TRANSACTION_LEGACY)
		ret_signature->v = parity + 35 + 2 * transaction->chain_id;
	ret_signature->r = u256_from_bytes(bytes);
	ret_signature->s = u256_from_bytes(bytes + 32);
	return 0;
}

int transaction_sign(const struct transaction *transaction, const struct secp_key *key,
		     struct arena *arena, struct transaction_signed *ret_signed)
{
	struct transaction_signed result = { .sender = *secp_key_address(key) };
	struct signature signature;
	uint8_t digest[32], *buffer;
	size_t size;
	int r;

	r = check(transaction, &size);
	if (r < 0)
		return r;
	buffer = arena_alloc(arena, size);
	if (!buffer)
		return -ENOMEM;
	r = make_digest(transaction, buffer, size, digest);
	if (r == 0)
		r = sign(transaction, key, digest, &signature);
	if (r == 0)
		r = write_envelope(transaction, &signature, buffer, size, &result.len);
	if (r < 0)
		return r;
	if (result.len > TRANSACTION_SIZE_MAX)
		return -E2BIG;
	keccak256(buffer, result.len, result.hash);
	result.bytes = buffer;
	*ret_signed = result;
	return 0;
}

/* ---- reading ---- */

static size_t count_items(struct rlp_reader items)
{
	struct rlp_reader list;
	const uint8_t *bytes;
	size_t n = 0, len;

	while (!rlp_at_end(&items)) {
		if (rlp_next_is_list(&items) ? rlp_read_list(&items, &list)
					     : rlp_read_bytes(&items, &bytes, &len))
			return SIZE_MAX;
		n++;
	}
	return n;
}

static int read_keys(struct rlp_reader *reader, struct arena *arena,
		     struct transaction_access *access)
{
	struct rlp_reader keys;
	uint8_t(*read)[32];
	size_t n;
	int r;

	r = rlp_read_list(reader, &keys);
	if (r != 0)
		return r;
	n = count_items(keys);
	if (n > TRANSACTION_KEYS_MAX)
		return TRANSACTION_E_MALFORMED;
	read = arena_array(arena, n, sizeof(*read));
	if (!read)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = rlp_read_exactly(&keys, read[i], 32);
	access->keys = (const uint8_t(*)[32])read;
	access->n_keys = n;
	return r;
}

static int read_access(struct rlp_reader *reader, struct arena *arena,
		       struct transaction *transaction)
{
	struct transaction_access *access;
	struct rlp_reader list, pair;
	size_t n;
	int r;

	r = rlp_read_list(reader, &list);
	if (r != 0)
		return r;
	n = count_items(list);
	if (n > TRANSACTION_ACCESS_MAX)
		return TRANSACTION_E_MALFORMED;
	access = arena_array(arena, n, sizeof(*access));
	if (!access)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = rlp_read_list(&list, &pair);
		if (r == 0)
			r = rlp_read_exactly(&pair, access[i].address.bytes, 20);
		if (r == 0)
			r = read_keys(&pair, arena, access + i);
		if (r == 0 && !rlp_at_end(&pair))
			r = TRANSACTION_E_MALFORMED;
	}
	transaction->access = access;
	transaction->n_access = n;
	return r;
}

static int read_target(struct rlp_reader *reader, struct transaction *transaction)
{
	const uint8_t *to;
	size_t len;
	int r;

	r = rlp_read_bytes(reader, &to, &len);
	if (r != 0)
		return r;
	if (len != 0 && len != sizeof(transaction->to.bytes))
		return TRANSACTION_E_MALFORMED;
	transaction->creates = len == 0;
	memcpy(transaction->to.bytes, to, len);
	r = rlp_read_u256(reader, &transaction->value);
	if (r == 0)
		r = rlp_read_bytes(reader, &transaction->data, &transaction->data_len);
	return r;
}

static int read_eip1559(struct rlp_reader *reader, struct arena *arena,
			struct transaction *transaction)
{
	int r;

	transaction->kind = TRANSACTION_EIP1559;
	r = rlp_read_u64(reader, &transaction->chain_id);
	if (r == 0)
		r = rlp_read_u64(reader, &transaction->nonce);
	if (r == 0)
		r = rlp_read_u256(reader, &transaction->max_priority_fee);
	if (r == 0)
		r = rlp_read_u256(reader, &transaction->max_fee);
	if (r == 0)
		r = rlp_read_u64(reader, &transaction->gas_limit);
	if (r == 0)
		r = read_target(reader, transaction);
	if (r == 0)
		r = read_access(reader, arena, transaction);
	return r;
}

static int read_legacy(struct rlp_reader *reader, struct transaction *transaction)
{
	int r;

	transaction->kind = TRANSACTION_LEGACY;
	r = rlp_read_u64(reader, &transaction->nonce);
	if (r == 0)
		r = rlp_read_u256(reader, &transaction->max_fee);
	if (r == 0)
		r = rlp_read_u64(reader, &transaction->gas_limit);
	if (r == 0)
		r = read_target(reader, transaction);
	return r;
}

/* With v of 35 or more, a legacy transaction names its chain. */
static int read_signature(struct rlp_reader *reader, struct transaction *transaction,
			  struct signature *signature)
{
	int r;

	r = rlp_read_u64(reader, &signature->v);
	if (r == 0)
		r = rlp_read_u256(reader, &signature->r);
	if (r == 0)
		r = rlp_read_u256(reader, &signature->s);
	if (r != 0)
		return r;
	if (!rlp_at_end(reader))
		return TRANSACTION_E_MALFORMED;
	if (transaction->kind == TRANSACTION_LEGACY) {
		if (signature->v < 35)
			return TRANSACTION_E_MALFORMED;
		transaction->chain_id = (signature->v - 35) / 2;
		signature->v = (signature->v - 35) % 2;
	}
	return signature->v <= 1 ? 0 : TRANSACTION_E_MALFORMED;
}

/* All fields but a signature's, which @ret_rest may hold. */
static int read_envelope(const uint8_t *bytes, size_t len, struct arena *arena,
			 struct transaction *transaction, struct rlp_reader *ret_rest)
{
	bool legacy = len > 0 && bytes[0] >= 0xc0;
	struct rlp_reader reader = { bytes + !legacy, len - !legacy };
	int r;

	if (len == 0 || len > TRANSACTION_SIZE_MAX || (!legacy && bytes[0] != TRANSACTION_EIP1559))
		return TRANSACTION_E_MALFORMED;
	r = rlp_read_list(&reader, ret_rest);
	if (r == 0 && !rlp_at_end(&reader))
		r = TRANSACTION_E_MALFORMED;
	if (r != 0)
		return r;
	return legacy ? read_legacy(ret_rest, transaction)
		      : read_eip1559(ret_rest, arena, transaction);
}

static int recover(const struct transaction *transaction, const struct signature *signature,
		   struct arena *arena, struct address *ret_sender)
{
	uint8_t digest[32], bytes[SECP_SIGNATURE_SIZE];
	int r;

	r = transaction_digest(transaction, arena, digest);
	if (r < 0)
		return r;
	u256_bytes(signature->r, bytes);
	u256_bytes(signature->s, bytes + 32);
	bytes[64] = (uint8_t)signature->v;
	r = secp_recover(digest, bytes, ret_sender);
	return r > 0 ? TRANSACTION_E_SIGNATURE : r;
}

static const char *explain(int outcome)
{
	return outcome == TRANSACTION_E_SIGNATURE
		       ? "the signature is nobody's, or has a high s"
		       : "not a canonical legacy or EIP-1559 transaction for a chain";
}

int transaction_decode(const uint8_t *bytes, size_t len, struct arena *arena,
		       struct transaction *ret_transaction, struct transaction_signed *ret_signed,
		       const char **ret_detail)
{
	struct transaction_signed result = { .bytes = bytes, .len = len };
	struct transaction transaction = { 0 };
	struct signature signature;
	struct rlp_reader rest;
	size_t size;
	int r;

	r = read_envelope(bytes, len, arena, &transaction, &rest);
	if (r == 0)
		r = read_signature(&rest, &transaction, &signature);
	if (r == 0 && check(&transaction, &size) < 0)
		r = TRANSACTION_E_MALFORMED;
	if (r == 0)
		r = recover(&transaction, &signature, arena, &result.sender);
	if (r > 0 && ret_detail)
		*ret_detail = explain(r);
	if (r != 0)
		return r;
	keccak256(bytes, len, result.hash);
	*ret_transaction = transaction;
	*ret_signed = result;
	return 0;
}

int transaction_decode_unsigned(const uint8_t *bytes, size_t len, struct arena *arena,
				struct transaction *ret_transaction)
{
	struct transaction transaction = { 0 };
	struct rlp_reader rest;
	size_t size;
	int r;

	r = read_envelope(bytes, len, arena, &transaction, &rest);
	if (r != 0)
		return r;
	if (transaction.kind != TRANSACTION_EIP1559 || !rlp_at_end(&rest) ||
	    check(&transaction, &size) < 0)
		return TRANSACTION_E_MALFORMED;
	*ret_transaction = transaction;
	return 0;
}

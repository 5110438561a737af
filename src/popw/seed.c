#include "popw/session.h"

#include "popw/layout.h"

static void start(struct hasher *hasher, const char *tag)
{
	hasher_start(hasher);
	hasher_add(hasher, tag, strlen(tag));
}

static void add_hash(struct hasher *hasher, const struct hash *hash)
{
	hasher_add(hasher, hash->bytes, HASH_SIZE);
}

static void add_nonces(struct hasher *hasher, const struct nonces *nonces)
{
	uint32_t set = nonces->set;
	uint8_t bitmap[4];

	layout_u32(&(struct layout){ .out = bitmap }, &set);
	hasher_add(hasher, bitmap, sizeof(bitmap));
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (set >> i & 1)
			hasher_add(hasher, nonces->bytes[i], SESSION_NONCE_SIZE);
}

static void add_session(struct hasher *hasher, const struct session *session)
{
	uint8_t bytes[SESSION_SIZE];

	session_encode(session, bytes);
	hasher_add(hasher, bytes, sizeof(bytes));
}

void seed_data(struct hasher *hasher, const struct session *session, const struct nonces *nonces,
	       struct hash *ret_seed)
{
	start(hasher, "popw1/D");
	add_session(hasher, session);
	add_nonces(hasher, nonces);
	hasher_end(hasher, ret_seed);
}

void seed_walk(struct hasher *hasher, const struct hash *seed_d, const struct nonces *nonces,
	       struct hash *ret_seed)
{
	start(hasher, "popw1/W");
	add_hash(hasher, seed_d);
	add_nonces(hasher, nonces);
	hasher_end(hasher, ret_seed);
}

void seed_matrix(struct hasher *hasher, const struct session *session, const struct hash *last_root,
		 const struct hash *seed_d, const struct nonces *nonces, struct hash *ret_seed)
{
	start(hasher, "popw1/G");
	add_session(hasher, session);
	add_hash(hasher, last_root);
	add_hash(hasher, seed_d);
	add_nonces(hasher, nonces);
	hasher_end(hasher, ret_seed);
}

void seed_round(struct hasher *hasher, const struct hash *seed, const struct hash *root,
		struct hash *ret_seed)
{
	start(hasher, "popw1/G+");
	add_hash(hasher, seed);
	add_hash(hasher, root);
	hasher_end(hasher, ret_seed);
}

void seed_opening(struct hasher *hasher, const struct hash *walk_roots,
		  const struct hash *matrix_roots, const struct nonces *nonces,
		  struct hash *ret_seed)
{
	start(hasher, "popw1/O");
	add_hash(hasher, walk_roots);
	add_hash(hasher, matrix_roots);
	add_nonces(hasher, nonces);
	hasher_end(hasher, ret_seed);
}

void opening_place(const struct hash *seed, uint32_t i, uint32_t first, uint32_t second,
		   uint32_t *ret_first, uint32_t *ret_second)
{
	uint8_t row[PRG_BLOCK];
	struct layout layout = { .in = row };
	struct prg_key key;
	uint32_t x = 0, y = 0;

	prg_key_from(seed->bytes, &key);
	prg_row(&key, PRG_OPENING, i, 0, 0, row, sizeof(row));
	layout_u32(&layout, &x);
	layout_u32(&layout, &y);
	*ret_first = (uint32_t)(((uint64_t)x * first) >> 32);
	*ret_second = (uint32_t)(((uint64_t)y * second) >> 32);
}

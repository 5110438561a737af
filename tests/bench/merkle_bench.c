/* merkle_bench.c - milliseconds of one core from values to a Merkle tree and all its proofs:
 * merkle_bench LEAVES. A leaf is (uint256 3338, address 0x1111..., bytes32 i, uint256 1000 i), encoded as a
 * contract would. Prints the time, the median of three, and the root; one proof in 1,000 is verified. */
#include "base/base.h"

#include <time.h>

#include "chain/abi.h"
#include "chain/hex.h"
#include "chain/merkle.h"

enum { ROUNDS = 3 };

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int encode_leaf(const struct abi_type *type, uint64_t i, struct arena *arena,
		       const uint8_t **ret_bytes, size_t *ret_len)
{
	struct address contract;
	struct abi_value members[4] = { 0 }, leaf = abi_items(members, ARRAY_SIZE(members));

	memset(contract.bytes, 0x11, sizeof(contract.bytes));
	members[0] = abi_u64(3338);
	members[1] = abi_address(&contract);
	members[2] = abi_u64(i);
	members[3] = abi_u64(1000 * i);
	return abi_encode(type, &leaf, arena, ret_bytes, ret_len);
}

static int build(const struct abi_type *type, size_t n, struct arena *arena, struct merkle *merkle)
{
	struct arena_mark mark = arena_mark(arena);
	const uint8_t *bytes;
	size_t len;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		r = encode_leaf(type, i, arena, &bytes, &len);
		if (r == 0)
			r = merkle_add(merkle, bytes, len);
		arena_rewind(arena, mark);
	}
	return r == 0 ? merkle_seal(merkle) : r;
}

static int prove(const struct abi_type *type, struct arena *arena, const struct merkle *merkle)
{
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf;
	const uint8_t *bytes;
	size_t len;

	for (size_t i = 0; i < merkle_count(merkle); i++) {
		size_t n = merkle_prove(merkle, i, path);

		if (i % 1000 != 0)
			continue;
		if (encode_leaf(type, i, arena, &bytes, &len) < 0)
			return -ENOMEM;
		merkle_leaf(bytes, len, &leaf);
		if (!merkle_leads(&leaf, path, n, merkle_root(merkle)))
			return -EBADMSG;
	}
	return 0;
}

static int round_of(size_t n, double *ret_ms, struct merkle_hash *ret_root)
{
	static const char text[] = "(uint256,address,bytes32,uint256)";
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct abi_type *type;
	double began = cpu_ms();
	int r;

	r = arena_new(16 << 20, &arena);
	if (r == 0)
		r = abi_type_parse(text, strlen(text), arena, &type);
	if (r == 0)
		r = merkle_new(n, &merkle);
	if (r == 0)
		r = build(type, n, arena, merkle);
	if (r == 0)
		r = prove(type, arena, merkle);
	if (r != 0)
		return r;
	*ret_ms = cpu_ms() - began;
	*ret_root = *merkle_root(merkle);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

int main(int argc, char **argv)
{
	size_t n = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	char root_text[2 * MERKLE_HASH_SIZE + 3];
	struct merkle_hash root;
	double times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		int r = round_of(n, times + i, &root);

		if (r != 0) {
			fprintf(stderr, "merkle_bench LEAVES: %s\n", strerror(r < 0 ? -r : EINVAL));
			return 1;
		}
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	hex_data(root.bytes, sizeof(root.bytes), root_text);
	printf("%.1f %s\n", times[ROUNDS / 2], root_text);
	return 0;
}

#include "popw/message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct session_work work = {
	.n_items = 1024,
	.double_rounds = 1,
	.walks = 8,
	.steps = 1,
	.epochs = 2,
	.k = 64,
	.n = 32,
	.m = 16,
	.rounds = 1,
	.open_walks = 3,
	.open_tiles = 2,
};

/* Each byte of a message is another one, except where only some values are taken. */
static void fill(uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

/* One kind of message, as bytes to bytes. */
struct kind {
	size_t size;
	int (*again)(const uint8_t *bytes, size_t len, uint8_t *ret_bytes);
	size_t member_at; /* 0: none */
	size_t tag_at; /* 0: none */
	uint8_t tag_least, tag_most;
};

#define AGAIN(name)                                                                   \
	static int name##_again(const uint8_t *bytes, size_t len, uint8_t *ret_bytes) \
	{                                                                             \
		struct name message;                                                  \
		int r = name##_decode(bytes, len, &message);                          \
                                                                                      \
		if (r == 0)                                                           \
			name##_encode(&message, ret_bytes);                           \
		return r;                                                             \
	}

AGAIN(ncommit)
AGAIN(nonce)
AGAIN(filled)
AGAIN(root)
AGAIN(seal)
AGAIN(commit)
AGAIN(result)
AGAIN(reveal)

static const struct kind kinds[] = {
	{ NCOMMIT_SIZE, ncommit_again, .member_at = 16 },
	{ NONCE_SIZE, nonce_again, .member_at = 17, .tag_at = 16, .tag_least = 1, .tag_most = 4 },
	{ FILLED_SIZE, filled_again, .tag_at = 16, .tag_least = 1, .tag_most = 1 },
	{ ROOT_SIZE, root_again, .tag_at = 16, .tag_least = 2, .tag_most = 3 },
	{ SEAL_SIZE, seal_again, .tag_at = 16, .tag_least = 2, .tag_most = 3 },
	{ COMMIT_SIZE, commit_again, .member_at = 16 },
	{ RESULT_SIZE, result_again, .member_at = 16 },
	{ REVEAL_SIZE, reveal_again, .member_at = 16 },
};

static void good_of(const struct kind *kind, uint8_t *ret_bytes)
{
	fill(ret_bytes, kind->size);
	if (kind->tag_at)
		ret_bytes[kind->tag_at] = kind->tag_most;
	if (kind->member_at)
		put_u32(ret_bytes + kind->member_at, 31);
	if (kind->again == root_again)
		put_u32(ret_bytes + 17, SESSION_ROOTS_MAX - 1);
}

static void layouts_lose_no_byte(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint8_t bytes[256], again[256];

		good_of(&kinds[i], bytes);
		assert_int_equal(kinds[i].again(bytes, kinds[i].size, again), 0);
		assert_memory_equal(again, bytes, kinds[i].size);
	}
}

static void decoders_take_one_length(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint8_t bytes[256] = { 0 }, again[256];

		good_of(&kinds[i], bytes);
		for (size_t len = 0; len < sizeof(bytes); len++)
			assert_int_equal(kinds[i].again(bytes, len, again),
					 len == kinds[i].size ? 0 : MESSAGE_E_MALFORMED);
	}
}

static void decoders_bound_members_and_tags(void **state _unused_)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct kind *kind = &kinds[i];
		uint8_t bytes[256], again[256];

		good_of(kind, bytes);
		for (unsigned int tag = 0; kind->tag_at && tag < 256; tag++) {
			bool good = tag >= kind->tag_least && tag <= kind->tag_most;

			bytes[kind->tag_at] = (uint8_t)tag;
			assert_int_equal(kind->again(bytes, kind->size, again),
					 good ? 0 : MESSAGE_E_MALFORMED);
		}
		if (!kind->member_at)
			continue;
		good_of(kind, bytes);
		put_u32(bytes + kind->member_at, 32);
		assert_int_equal(kind->again(bytes, kind->size, again), MESSAGE_E_MALFORMED);
	}
}

static void bounds_a_roots_index(void **state _unused_)
{
	uint8_t bytes[ROOT_SIZE];
	struct root root;

	good_of(&kinds[3], bytes);
	assert_int_equal(root_decode(bytes, sizeof(bytes), &root), 0);
	assert_int_equal(root.index, 4095);
	put_u32(bytes + 17, 4096);
	assert_int_equal(root_decode(bytes, sizeof(bytes), &root), MESSAGE_E_MALFORMED);
}

/* RESULT's fields lie where the standard has them. */
static void result_fields_have_their_places(void **state _unused_)
{
	uint8_t bytes[RESULT_SIZE] = { 0 };
	struct result result;

	put_u32(bytes + 16, 5);
	bytes[20] = 0x34, bytes[21] = 0x12;
	bytes[22] = 0xaa;
	for (uint32_t i = 0; i < 6; i++)
		put_u32(bytes + 54 + 4 * i, 1000 + i);
	bytes[78] = 0xbb;
	bytes[94] = 0xcc;
	assert_int_equal(result_decode(bytes, sizeof(bytes), &result), 0);
	assert_int_equal(result.member, 5);
	assert_int_equal(result.bits, 0x1234);
	assert_int_equal(result.transcript.bytes[0], 0xaa);
	assert_int_equal(result.fill_us, 1000);
	assert_int_equal(result.walk_us, 1001);
	assert_int_equal(result.matrix_us, 1002);
	assert_int_equal(result.rtt_us, 1003);
	assert_int_equal(result.down_kbps, 1004);
	assert_int_equal(result.up_kbps, 1005);
	assert_int_equal(result.salt[0], 0xbb);
	assert_int_equal(result.signature[0], 0xcc);
}

static void commits_are_as_many_as_their_set(void **state _unused_)
{
	static const uint32_t sets[] = { 1, 0x80000000, 0x80000005, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		uint8_t bytes[COMMITS_SIZE_MAX + 1] = { 0 }, again[COMMITS_SIZE_MAX];
		size_t size = commits_size(sets[i]), at = COMMITS_HEAD_SIZE;
		struct commits message;

		put_u32(bytes + 16, sets[i]);
		for (uint32_t member = 0; member < SESSION_PANEL_MAX; member++) {
			if (!(sets[i] >> member & 1))
				continue;
			fill(bytes + at, COMMIT_SIZE);
			memset(bytes + at, 0, 16);
			put_u32(bytes + at + 16, member);
			at += COMMIT_SIZE;
		}
		assert_int_equal(at, size);
		assert_int_equal(commits_decode(bytes, size, &message), 0);
		assert_int_equal(message.set, sets[i]);
		assert_int_equal(commits_encode(&message, again), size);
		assert_memory_equal(again, bytes, size);
		assert_int_equal(commits_decode(bytes, size - 1, &message), MESSAGE_E_MALFORMED);
		assert_int_equal(commits_decode(bytes, size + 1, &message), MESSAGE_E_MALFORMED);
		bytes[COMMITS_HEAD_SIZE + 16] ^= 1; /* another's in its place */
		assert_int_equal(commits_decode(bytes, size, &message), MESSAGE_E_MALFORMED);
		bytes[COMMITS_HEAD_SIZE + 16] ^= 1;
		bytes[COMMITS_HEAD_SIZE] ^= 1; /* of another session */
		assert_int_equal(commits_decode(bytes, size, &message), MESSAGE_E_MALFORMED);
	}
}

static void nobodys_commits_are_none(void **state _unused_)
{
	uint8_t bytes[COMMITS_HEAD_SIZE] = { 0 };
	struct commits message;

	assert_int_equal(commits_decode(bytes, sizeof(bytes), &message), MESSAGE_E_MALFORMED);
	assert_int_equal(commits_decode(bytes, 3, &message), MESSAGE_E_MALFORMED);
}

static void nonces_are_as_long_as_their_set(void **state _unused_)
{
	static const uint32_t sets[] = { 1, 0x80000000, 0x80000005, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		uint8_t bytes[NONCES_SIZE_MAX + 1], again[NONCES_SIZE_MAX];
		size_t size = nonces_size(sets[i]);
		struct nonces_message message;

		fill(bytes, sizeof(bytes));
		bytes[16] = 2;
		put_u32(bytes + 17, sets[i]);
		for (size_t len = 0; len <= sizeof(bytes); len++)
			assert_int_equal(nonces_decode(bytes, len, &message),
					 len == size ? 0 : MESSAGE_E_MALFORMED);
		assert_int_equal(nonces_encode(&message, again), size);
		assert_memory_equal(again, bytes, size);
	}
}

static void nonces_have_a_set_and_a_number(void **state _unused_)
{
	uint8_t bytes[NONCES_SIZE_MAX] = { 0 };
	struct nonces_message message;

	bytes[16] = 1;
	assert_int_equal(nonces_decode(bytes, nonces_size(0), &message), MESSAGE_E_MALFORMED);
	put_u32(bytes + 17, 1);
	assert_int_equal(nonces_decode(bytes, nonces_size(1), &message), 0);
	bytes[16] = 5;
	assert_int_equal(nonces_decode(bytes, nonces_size(1), &message), MESSAGE_E_MALFORMED);
}

static void open_holds_what_the_session_asks(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct session session = { .work = work };
	/* 8 walks: depth 3; 1 * 4 tiles: depth 2. */
	size_t size = 20 + 3 * (256 + 2 * 3 * 32) + 2 * (512 + 2 * 32) + 65;
	_cleanup_(freep) uint8_t *bytes = malloc(size + 1), *again = malloc(size);
	struct open open;

	assert_non_null(bytes);
	assert_non_null(again);
	fill(bytes, size + 1);
	assert_int_equal(arena_new(1 << 20, &arena), 0);
	assert_int_equal(open_size(&session), size);
	assert_int_equal(open_decode(&session, bytes, size - 1, arena, &open), MESSAGE_E_MALFORMED);
	assert_int_equal(open_decode(&session, bytes, size + 1, arena, &open), MESSAGE_E_MALFORMED);
	assert_int_equal(open_decode(&session, bytes, size, arena, &open), 0);
	assert_memory_equal(open.walks[1].path_after[2].bytes, bytes + 20 + 448 + 256 + 5 * 32, 32);
	assert_memory_equal(open.tiles[1].path[0].bytes, bytes + 20 + 3 * 448 + 576 + 512, 32);
	assert_int_equal(open.tiles[0].tile.words[0],
			 (int32_t)(bytes[1364] | bytes[1365] << 8 | bytes[1366] << 16 |
				   (uint32_t)bytes[1367] << 24));
	open_encode(&session, &open, again);
	assert_memory_equal(again, bytes, size);
}

static void open_leaves_absent_phases_out(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct session session = {
		.work = { .k = 64, .n = 16, .m = 16, .rounds = 1, .open_tiles = 1 }
	};
	uint8_t bytes[20 + 512 + 32 + 65];
	struct open open;

	fill(bytes, sizeof(bytes));
	assert_int_equal(arena_new(1 << 16, &arena), 0);
	assert_int_equal(open_decode(&session, bytes, sizeof(bytes), arena, &open), 0);
	assert_null(open.walks);
	assert_non_null(open.tiles);
}

static void a_full_arena_is_a_fault(void **state _unused_)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct session session = { .work = work };
	uint8_t bytes[4096] = { 0 };
	struct open open;

	assert_int_equal(arena_new(6000, &arena), 0);
	assert_int_equal(open_decode(&session, bytes, open_size(&session), arena, &open), -ENOMEM);
}

static void full_size_openings_have_the_standards_size(void **state _unused_)
{
	struct session session = {
		.work = { .walks = 65536, .n = 8192, .m = 8192, .open_walks = 64, .open_tiles = 64 }
	};

	assert_int_equal(open_size(&session), 81920 + 71680 + 85);
}

static struct secp_key *key_of(uint8_t number)
{
	uint8_t secret[SECP_SECRET_SIZE] = { [31] = number };
	struct secp_key *key = NULL;

	assert_int_equal(secp_key_from_secret(secret, &key), 0);
	return key;
}

static void signatures_bind_tag_session_and_bytes(void **state _unused_)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_of(1), *other = key_of(2);
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	const struct address *signer = secp_key_address(key);
	struct hash session = { { 1 } }, another = { { 2 } };
	uint8_t bytes[SEAL_SIZE] = { 3 };

	assert_int_equal(hasher_new(&hasher), 0);
	assert_int_equal(message_sign(hasher, TAG_SEAL, &session, key, bytes, sizeof(bytes)), 0);
	assert_true(message_signed_by(hasher, TAG_SEAL, &session, signer, bytes, sizeof(bytes)));
	assert_false(message_signed_by(hasher, TAG_OPEN, &session, signer, bytes, sizeof(bytes)));
	assert_false(message_signed_by(hasher, TAG_SEAL, &another, signer, bytes, sizeof(bytes)));
	assert_false(message_signed_by(hasher, TAG_SEAL, &session, secp_key_address(other), bytes,
				       sizeof(bytes)));
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 0x10;
		assert_false(message_signed_by(hasher, TAG_SEAL, &session, signer, bytes,
					       sizeof(bytes)));
		bytes[i] ^= 0x10;
	}
}

static void signatures_have_one_spelling(void **state _unused_)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_of(1);
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct hash session = { { 1 } };
	uint8_t bytes[FILLED_SIZE] = { 0 }, v;
	unsigned int good = 0;

	assert_int_equal(hasher_new(&hasher), 0);
	assert_int_equal(message_sign(hasher, TAG_FILLED, &session, key, bytes, sizeof(bytes)), 0);
	v = bytes[FILLED_SIZE - 1];
	for (unsigned int i = 0; i < 256; i++) {
		bytes[FILLED_SIZE - 1] = (uint8_t)i;
		if (!message_signed_by(hasher, TAG_FILLED, &session, secp_key_address(key), bytes,
				       sizeof(bytes)))
			continue;
		assert_int_equal(i, v);
		good++;
	}
	assert_int_equal(good, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_lose_no_byte),
		cmocka_unit_test(decoders_take_one_length),
		cmocka_unit_test(decoders_bound_members_and_tags),
		cmocka_unit_test(bounds_a_roots_index),
		cmocka_unit_test(result_fields_have_their_places),
		cmocka_unit_test(commits_are_as_many_as_their_set),
		cmocka_unit_test(nobodys_commits_are_none),
		cmocka_unit_test(nonces_are_as_long_as_their_set),
		cmocka_unit_test(nonces_have_a_set_and_a_number),
		cmocka_unit_test(open_holds_what_the_session_asks),
		cmocka_unit_test(open_leaves_absent_phases_out),
		cmocka_unit_test(a_full_arena_is_a_fault),
		cmocka_unit_test(full_size_openings_have_the_standards_size),
		cmocka_unit_test(signatures_bind_tag_session_and_bytes),
		cmocka_unit_test(signatures_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

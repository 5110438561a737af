#include "popw/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/codec.h"

/* A full-size registration of an RTX 4090. */
static struct session example(void)
{
	struct session session = {
		.kind = SESSION_REGISTRATION,
		.device = SESSION_GPU,
		.flags = SESSION_HAS_WALK | SESSION_HAS_MATRIX,
		.chain_id = 0x0102030405060708,
		.block_number = 0x1112131415161718,
		.epoch = 0x2122232425262728,
		.gpu_index = 0x3132,
		.class_ = 3,
		.panel_size = 15,
		.work = { 90596966, 1024, 65536, 512, 57, 65536, 8192, 8192, 143, 64, 63 },
		.fill_ms = 20000,
		.walk_ms = 10000,
		.matrix_ms = 12000,
	};

	memset(session.block_hash.bytes, 0xa1, HASH_SIZE);
	memset(session.id.bytes, 0xa2, sizeof(session.id.bytes));
	memset(session.network.bytes, 0xa3, sizeof(session.network.bytes));
	memset(session.machine.bytes, 0xa4, sizeof(session.machine.bytes));
	memset(session.gpu_uuid, 0xa5, SESSION_UUID_SIZE);
	memset(session.panel.bytes, 0xa6, HASH_SIZE);
	memset(session.signature, 0xa7, SECP_SIGNATURE_SIZE);
	return session;
}

/* By the standard, field by field. */
static const char example_hex[] =
	"504f5057"
	"01"
	"01"
	"01"
	"0300"
	"0807060504030201"
	"1817161514131211"
	"a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"
	"2827262524232221"
	"a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2"
	"a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3a3"
	"a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4a4"
	"a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5"
	"3231"
	"0300"
	"0f"
	"66666605"
	"0004"
	"00000100"
	"0002"
	"3900"
	"00000100"
	"00200000"
	"00200000"
	"8f00"
	"4000"
	"3f00"
	"204e0000"
	"10270000"
	"e02e0000"
	"a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6a6"
	"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7"
	"a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7";

static void encodes_as_the_standard_says(void **state _unused_)
{
	struct session session = example(), back;
	uint8_t bytes[SESSION_SIZE], again[SESSION_SIZE];
	char hex[2 * SESSION_SIZE + 1];

	session_encode(&session, bytes);
	hex_encode(bytes, sizeof(bytes), hex);
	assert_string_equal(hex, example_hex);
	assert_int_equal(session_decode(bytes, sizeof(bytes), &back, NULL), 0);
	session_encode(&back, again);
	assert_memory_equal(again, bytes, sizeof(bytes));
	assert_int_equal(back.work.rounds, 143);
	assert_int_equal(back.block_number, session.block_number);
}

/* SHA-256 by Python's hashlib over "popw1/session" and the first 218 bytes. */
static void digest_leaves_the_signature_out(void **state _unused_)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct session session = example();
	struct hash digest, other;
	char hex[2 * HASH_SIZE + 1];

	assert_int_equal(hasher_new(&hasher), 0);
	session_digest(hasher, &session, &digest);
	hex_encode(digest.bytes, HASH_SIZE, hex);
	assert_string_equal(hex,
			    "a33d33cc92de32933b512db2580456a60d2f3d52e72cc9e601bd18f9d504e54f");
	session.signature[0]++;
	session_digest(hasher, &session, &other);
	assert_true(hash_equal(&digest, &other));
	session.panel.bytes[31]++;
	session_digest(hasher, &session, &other);
	assert_false(hash_equal(&digest, &other));
}

/* Where each field lies. */
enum {
	MAGIC = 0,
	VERSION = 4,
	KIND = 5,
	DEVICE = 6,
	FLAGS = 7,
	UUID = 121,
	CLASS = 139,
	PANEL_SIZE = 141,
	N_ITEMS = 142,
	DOUBLE_ROUNDS = 146,
	WALKS = 148,
	STEPS = 152,
	EPOCHS = 154,
	K = 156,
	N = 160,
	M = 164,
	ROUNDS = 168,
	OPEN_WALKS = 170,
	OPEN_TILES = 172,
	FILL_MS = 174,
	WALK_MS = 178,
	MATRIX_MS = 182,
};

struct change {
	size_t at, size;
	uint32_t value;
	const char *detail; /* how it begins; NULL: it is accepted */
};

static const struct change changes[] = {
	{ MAGIC, 1, 'Q', "a session begins" },
	{ VERSION, 1, 2, "version" },
	{ KIND, 1, 0, "kind" },
	{ KIND, 1, SESSION_SELF_TEST, NULL },
	{ KIND, 1, 6, "kind" },
	{ DEVICE, 1, 0, "device" },
	{ DEVICE, 1, SESSION_HOST, "gpu_uuid" },
	{ DEVICE, 1, 4, "device" },
	{ FLAGS, 2, 0, "flags" },
	{ FLAGS, 2, SESSION_HAS_WALK, "flags: without the matrix" },
	{ FLAGS, 2, SESSION_HAS_MATRIX, "flags: without the walk" },
	{ FLAGS, 2, 7, "flags" },
	{ CLASS, 2, 0, NULL },
	{ CLASS, 2, 0xfffe, "class" },
	{ CLASS, 2, 0xffff, NULL },
	{ PANEL_SIZE, 1, 0, "panel_size" },
	{ PANEL_SIZE, 1, 32, NULL },
	{ PANEL_SIZE, 1, 33, "panel_size" },
	{ N_ITEMS, 4, 1023, "n_items" },
	{ N_ITEMS, 4, 1024, NULL },
	{ N_ITEMS, 4, UINT32_MAX, NULL },
	{ DOUBLE_ROUNDS, 2, 0, "double_rounds" },
	{ DOUBLE_ROUNDS, 2, 2048, NULL },
	{ DOUBLE_ROUNDS, 2, 2049, "open_walks, steps, double_rounds" },
	{ DOUBLE_ROUNDS, 2, 4097, "double_rounds" },
	{ WALKS, 4, 0, "walks" },
	{ WALKS, 4, 1, "walks" },
	{ WALKS, 4, 2, NULL },
	{ WALKS, 4, 3, "walks" },
	{ WALKS, 4, 1 << 20, NULL },
	{ WALKS, 4, 1 << 21, "walks" },
	{ STEPS, 2, 0, "steps" },
	{ STEPS, 2, 1025, "open_walks, steps" },
	{ STEPS, 2, 4097, "steps" },
	{ EPOCHS, 2, 0, "epochs" },
	{ EPOCHS, 2, 1024, NULL },
	{ EPOCHS, 2, 1025, "walks, epochs" },
	{ EPOCHS, 2, 4097, "epochs" },
	{ K, 4, 0, "k:" },
	{ K, 4, 64, NULL },
	{ K, 4, 96, "k:" },
	{ K, 4, 65600, "k:" },
	{ N, 4, 8, "n:" },
	{ N, 4, 16, NULL },
	{ N, 4, 24, "n:" },
	{ N, 4, 32768, "n:" },
	{ M, 4, 0, "m:" },
	{ M, 4, 16384, NULL },
	{ M, 4, 32768, "m:" },
	{ ROUNDS, 2, 0, "rounds" },
	{ ROUNDS, 2, 4096, NULL },
	{ ROUNDS, 2, 4097, "rounds" },
	{ OPEN_WALKS, 2, 0, "open_walks" },
	{ OPEN_WALKS, 2, 257, "open_walks" },
	{ OPEN_TILES, 2, 0, "open_tiles" },
	{ OPEN_TILES, 2, 256, NULL },
	{ OPEN_TILES, 2, 257, "open_tiles" },
	{ FILL_MS, 4, 0, "fill_ms" },
	{ FILL_MS, 4, 3600000, NULL },
	{ FILL_MS, 4, 3600001, "fill_ms" },
	{ WALK_MS, 4, 600000, NULL },
	{ WALK_MS, 4, 600001, "walk_ms" },
	{ MATRIX_MS, 4, 0, "matrix_ms" },
};

static void put(uint8_t *bytes, size_t at, size_t size, uint32_t value)
{
	for (size_t i = 0; i < size; i++)
		bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static void bounds_every_field(void **state _unused_)
{
	struct session session = example(), back;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		const struct change *change = &changes[i];
		const char *detail = NULL;
		uint8_t bytes[SESSION_SIZE];
		int r;

		session_encode(&session, bytes);
		put(bytes, change->at, change->size, change->value);
		r = session_decode(bytes, sizeof(bytes), &back, &detail);
		assert_int_equal(r, change->detail ? SESSION_E_MALFORMED : 0);
		if (change->detail)
			assert_memory_equal(detail, change->detail, strlen(change->detail));
	}
}

static void one_phase_is_enough(void **state _unused_)
{
	struct session walk = example(), matrix = example();

	walk.flags = SESSION_HAS_WALK;
	walk.work.k = walk.work.n = walk.work.m = walk.matrix_ms = 0;
	walk.work.rounds = walk.work.open_tiles = 0;
	assert_int_equal(session_check(&walk, NULL), 0);
	matrix.flags = SESSION_HAS_MATRIX;
	matrix.work.n_items = matrix.work.walks = matrix.fill_ms = matrix.walk_ms = 0;
	matrix.work.double_rounds = matrix.work.steps = matrix.work.epochs = 0;
	assert_int_equal(session_check(&matrix, NULL), SESSION_E_MALFORMED);
	matrix.work.open_walks = 0;
	assert_int_equal(session_check(&matrix, NULL), 0);
}

static void host_has_no_gpu(void **state _unused_)
{
	struct session session = example();

	session.device = SESSION_DISK;
	memset(session.gpu_uuid, 0, SESSION_UUID_SIZE);
	assert_int_equal(session_check(&session, NULL), SESSION_E_MALFORMED);
	session.gpu_index = 0;
	assert_int_equal(session_check(&session, NULL), 0);
}

static void takes_no_other_length(void **state _unused_)
{
	struct session session = example(), back;
	uint8_t bytes[SESSION_SIZE + 1] = { 0 };

	session_encode(&session, bytes);
	for (size_t len = 0; len <= sizeof(bytes); len++)
		assert_int_equal(session_decode(bytes, len, &back, NULL),
				 len == SESSION_SIZE ? 0 : SESSION_E_MALFORMED);
}

static void quorum_is_two_thirds(void **state _unused_)
{
	static const unsigned int quorums[] = { 1, 2, 2, 3, 4, 4, 5, 6, 6, 7 };

	for (unsigned int m = 1; m <= ARRAY_SIZE(quorums); m++)
		assert_int_equal(session_quorum(m), quorums[m - 1]);
	assert_int_equal(session_quorum(31), 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_as_the_standard_says),
		cmocka_unit_test(digest_leaves_the_signature_out),
		cmocka_unit_test(bounds_every_field),
		cmocka_unit_test(one_phase_is_enough),
		cmocka_unit_test(host_has_no_gpu),
		cmocka_unit_test(takes_no_other_length),
		cmocka_unit_test(quorum_is_two_thirds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "popw/bandwidth.h"

#include "popw/layout.h"

/* ---- messages ---- */

static void hello_pass(struct layout *layout, struct bandwidth_hello *hello)
{
	layout_bytes(layout, hello->session.bytes, sizeof(hello->session.bytes));
	layout_u32(layout, &hello->member);
	layout_bytes(layout, hello->nonce, sizeof(hello->nonce));
	layout_bytes(layout, hello->signature, sizeof(hello->signature));
}

void bandwidth_hello_encode(const struct bandwidth_hello *hello,
			    uint8_t ret_bytes[static BANDWIDTH_HELLO_SIZE])
{
	struct bandwidth_hello copy = *hello;

	hello_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int bandwidth_hello_decode(const void *bytes, size_t len, struct bandwidth_hello *ret_hello)
{
	struct bandwidth_hello hello;

	if (len != BANDWIDTH_HELLO_SIZE)
		return BANDWIDTH_E_MALFORMED;
	hello_pass(&(struct layout){ .in = bytes }, &hello);
	if (hello.member >= SESSION_PANEL_MAX)
		return BANDWIDTH_E_MALFORMED;
	*ret_hello = hello;
	return 0;
}

static void answer_pass(struct layout *layout, struct bandwidth_answer *answer)
{
	layout_u64(layout, &answer->bytes);
	layout_hash(layout, &answer->hash);
}

void bandwidth_answer_encode(const struct bandwidth_answer *answer,
			     uint8_t ret_bytes[static BANDWIDTH_ANSWER_SIZE])
{
	struct bandwidth_answer copy = *answer;

	answer_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int bandwidth_answer_decode(const void *bytes, size_t len, struct bandwidth_answer *ret_answer)
{
	if (len != BANDWIDTH_ANSWER_SIZE)
		return BANDWIDTH_E_MALFORMED;
	answer_pass(&(struct layout){ .in = bytes }, ret_answer);
	return 0;
}

/* ---- streams ---- */

void bandwidth_stream_init(struct bandwidth_stream *stream,
			   const uint8_t key[static BANDWIDTH_KEY_SIZE], uint32_t member)
{
	*stream = (struct bandwidth_stream){ .member = member };
	prg_key_from(key, &stream->key);
}

static void stream_read(struct bandwidth_stream *stream, uint8_t *ret_bytes, size_t len)
{
	prg_row(&stream->key, PRG_BANDWIDTH, stream->member, 0, stream->offset, ret_bytes, len);
	stream->offset += len;
}

void bandwidth_next(struct bandwidth_stream *stream, uint8_t ret_bytes[static BANDWIDTH_CHUNK])
{
	stream_read(stream, ret_bytes, BANDWIDTH_CHUNK);
}

int bandwidth_check(struct bandwidth_stream *stream, const void *bytes, size_t len)
{
	enum { PIECE = 4096 };
	uint8_t expected[PIECE];
	const uint8_t *at = bytes;

	if (len != BANDWIDTH_CHUNK)
		return BANDWIDTH_E_MALFORMED;
	for (size_t done = 0; done < len; done += PIECE) {
		stream_read(stream, expected, PIECE);
		if (memcmp(expected, at + done, PIECE) != 0)
			return BANDWIDTH_E_MALFORMED;
	}
	return 0;
}

/* ---- what came ---- */

int bandwidth_count_init(struct bandwidth_count *count)
{
	int r;

	*count = (struct bandwidth_count){ 0 };
	r = hasher_new(&count->hasher);
	if (r == 0)
		hasher_start(count->hasher);
	return r;
}

void bandwidth_count_done(struct bandwidth_count *count)
{
	hasher_free(count->hasher);
	count->hasher = NULL;
}

void bandwidth_count_add(struct bandwidth_count *count, const void *bytes, size_t len)
{
	hasher_add(count->hasher, bytes, len);
	count->bytes += len;
}

void bandwidth_count_end(struct bandwidth_count *count, struct bandwidth_answer *ret_answer)
{
	ret_answer->bytes = count->bytes;
	hasher_end(count->hasher, &ret_answer->hash);
}

uint32_t bandwidth_kbps(uint64_t bytes, uint64_t us)
{
	unsigned __int128 kbps;

	if (us == 0)
		return 0;
	kbps = (unsigned __int128)bytes * 8000 / us;
	return kbps > UINT32_MAX ? UINT32_MAX : (uint32_t)kbps;
}

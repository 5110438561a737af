#include "chain/rlp.h"

enum {
	STRING = 0x80, /* and up to 55 bytes */
	LIST = 0xc0,
	SHORT_MAX = 55,
	HEADER_MAX = 9,
};

/* ---- writing ---- */

struct rlp_writer rlp_begin(void *buffer, size_t size)
{
	return (struct rlp_writer){ buffer, size };
}

/* Room for @len bytes more, or NULL. */
static uint8_t *grow(struct rlp_writer *writer, size_t len)
{
	uint8_t *at = writer->bytes + writer->used;

	if (writer->full || len > writer->size - writer->used) {
		writer->full = true;
		return NULL;
	}
	writer->used += len;
	return at;
}

/* Of a string or a list of @len bytes; gives the header's own length. */
static size_t make_header(uint8_t kind, size_t len, uint8_t ret_header[static HEADER_MAX])
{
	size_t n = 0;

	if (len <= SHORT_MAX) {
		ret_header[0] = (uint8_t)(kind + len);
		return 1;
	}
	for (size_t rest = len; rest > 0; rest >>= 8)
		n++;
	ret_header[0] = (uint8_t)(kind + SHORT_MAX + n);
	for (size_t i = 0; i < n; i++)
		ret_header[1 + i] = (uint8_t)(len >> 8 * (n - 1 - i));
	return 1 + n;
}

static void append(struct rlp_writer *writer, const void *bytes, size_t len)
{
	uint8_t *at = grow(writer, len);

	if (at && len > 0)
		memcpy(at, bytes, len);
}

void rlp_bytes(struct rlp_writer *writer, const void *bytes, size_t len)
{
	uint8_t header[HEADER_MAX];

	if (len != 1 || *(const uint8_t *)bytes >= STRING)
		append(writer, header, make_header(STRING, len, header));
	append(writer, bytes, len);
}

void rlp_u256(struct rlp_writer *writer, struct u256 value)
{
	size_t len = (u256_bits(value) + 7) / 8;
	uint8_t bytes[32];

	u256_bytes(value, bytes);
	rlp_bytes(writer, bytes + sizeof(bytes) - len, len);
}

void rlp_u64(struct rlp_writer *writer, uint64_t value)
{
	rlp_u256(writer, u256_from(value));
}

size_t rlp_list_begin(struct rlp_writer *writer)
{
	return writer->used;
}

/* The header's length is known only now: what the list holds makes way. */
void rlp_list_end(struct rlp_writer *writer, size_t begun)
{
	size_t len = writer->used - begun, n;
	uint8_t header[HEADER_MAX];

	n = make_header(LIST, len, header);
	if (!grow(writer, n))
		return;
	memmove(writer->bytes + begun + n, writer->bytes + begun, len);
	memcpy(writer->bytes + begun, header, n);
}

int rlp_end(const struct rlp_writer *writer, size_t *ret_len)
{
	if (writer->full)
		return -ENOSPC;
	*ret_len = writer->used;
	return 0;
}

/* ---- reading ---- */

/* How long a string or list is whose first byte is @kind and more, and the header before it. */
static int read_header(const struct rlp_reader *reader, uint8_t kind, size_t *ret_header,
		       size_t *ret_len)
{
	size_t n = (size_t)(reader->at[0] - kind), len = 0;

	if (n <= SHORT_MAX) {
		*ret_header = 1;
		*ret_len = n;
		return 0;
	}
	n -= SHORT_MAX;
	if (n > sizeof(len) || n >= reader->left || reader->at[1] == 0)
		return RLP_E_MALFORMED;
	for (size_t i = 0; i < n; i++)
		len = len << 8 | reader->at[1 + i];
	if (len <= SHORT_MAX)
		return RLP_E_MALFORMED;
	*ret_header = 1 + n;
	*ret_len = len;
	return 0;
}

static int read_item(struct rlp_reader *reader, uint8_t kind, const uint8_t **ret_bytes,
		     size_t *ret_len)
{
	size_t header, len;
	int r;

	r = read_header(reader, kind, &header, &len);
	if (r != 0)
		return r;
	if (len > reader->left - header)
		return RLP_E_MALFORMED;
	*ret_bytes = reader->at + header;
	*ret_len = len;
	reader->at += header + len;
	reader->left -= header + len;
	return 0;
}

bool rlp_next_is_list(const struct rlp_reader *reader)
{
	return reader->left > 0 && reader->at[0] >= LIST;
}

int rlp_read_bytes(struct rlp_reader *reader, const uint8_t **ret_bytes, size_t *ret_len)
{
	struct rlp_reader ahead = *reader;
	const uint8_t *bytes;
	size_t len;
	int r;

	if (reader->left == 0 || rlp_next_is_list(reader))
		return RLP_E_MALFORMED;
	if (reader->at[0] < STRING) {
		*ret_bytes = reader->at++;
		*ret_len = 1;
		reader->left--;
		return 0;
	}
	r = read_item(&ahead, STRING, &bytes, &len);
	if (r != 0)
		return r;
	if (len == 1 && bytes[0] < STRING)
		return RLP_E_MALFORMED;
	*reader = ahead;
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

int rlp_read_exactly(struct rlp_reader *reader, void *ret_bytes, size_t len)
{
	struct rlp_reader ahead = *reader;
	const uint8_t *bytes;
	size_t n;
	int r;

	r = rlp_read_bytes(&ahead, &bytes, &n);
	if (r != 0)
		return r;
	if (n != len)
		return RLP_E_MALFORMED;
	memcpy(ret_bytes, bytes, len);
	*reader = ahead;
	return 0;
}

int rlp_read_u256(struct rlp_reader *reader, struct u256 *ret_value)
{
	struct rlp_reader ahead = *reader;
	uint8_t padded[32] = { 0 };
	const uint8_t *bytes;
	size_t len;
	int r;

	r = rlp_read_bytes(&ahead, &bytes, &len);
	if (r != 0)
		return r;
	if (len > sizeof(padded) || (len > 0 && bytes[0] == 0))
		return RLP_E_MALFORMED;
	memcpy(padded + sizeof(padded) - len, bytes, len);
	*ret_value = u256_from_bytes(padded);
	*reader = ahead;
	return 0;
}

int rlp_read_u64(struct rlp_reader *reader, uint64_t *ret_value)
{
	struct rlp_reader ahead = *reader;
	struct u256 value;
	int r;

	r = rlp_read_u256(&ahead, &value);
	if (r != 0)
		return r;
	if (u256_bits(value) > 64)
		return RLP_E_MALFORMED;
	*ret_value = value.limbs[0];
	*reader = ahead;
	return 0;
}

int rlp_read_list(struct rlp_reader *reader, struct rlp_reader *ret_items)
{
	if (!rlp_next_is_list(reader))
		return RLP_E_MALFORMED;
	return read_item(reader, LIST, &ret_items->at, &ret_items->left);
}

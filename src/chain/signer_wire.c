#include "chain/signer_wire.h"

#include "chain/rlp.h"

/* What is read malformed is so whoever says it. */
_Static_assert((int)RLP_E_MALFORMED == (int)SIGNER_E_MALFORMED, "one outcome");
_Static_assert((int)TRANSACTION_E_MALFORMED == (int)SIGNER_E_MALFORMED, "one outcome");

enum { FIELDS_MAX = 64 }; /* bytes of all but a body: kind, transaction */

static const char *const ops[] = {
	[SIGNER_ADDRESS] = "address",
	[SIGNER_STATUS] = "status",
	[SIGNER_SIGN] = "sign",
};

/* ---- writing ---- */

static int begin(struct arena *arena, size_t size, struct rlp_writer *ret_writer, size_t *ret_list)
{
	uint8_t *buffer = arena_alloc(arena, SIGNER_PREFIX + size);

	if (!buffer)
		return -ENOMEM;
	*ret_writer = rlp_begin(buffer + SIGNER_PREFIX, size);
	*ret_list = rlp_list_begin(ret_writer);
	rlp_u64(ret_writer, SIGNER_VERSION);
	return 0;
}

static int end(struct rlp_writer *writer, size_t list, size_t max, const uint8_t **ret_bytes,
	       size_t *ret_len)
{
	uint8_t *message = writer->bytes - SIGNER_PREFIX;
	size_t len;
	int r;

	rlp_list_end(writer, list);
	r = rlp_end(writer, &len);
	if (r == 0 && len > max)
		r = -E2BIG;
	if (r < 0)
		return r;
	for (size_t i = 0; i < SIGNER_PREFIX; i++)
		message[i] = (uint8_t)(len >> (8 * (SIGNER_PREFIX - 1 - i)));
	*ret_bytes = message;
	*ret_len = SIGNER_PREFIX + len;
	return 0;
}

static bool kind_ok(const uint8_t *text, size_t len)
{
	if (len == 0 || len > OUTBOX_KIND_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return true;
}

int signer_question_write(const struct signer_question *question, struct arena *arena,
			  const uint8_t **ret_bytes, size_t *ret_len)
{
	bool signs = question->op == SIGNER_SIGN;
	size_t list = 0, len = 0, kind_len = signs ? strlen(question->kind) : 0;
	const uint8_t *bytes = NULL;
	struct rlp_writer writer;
	int r = 0;

	if (signs && !kind_ok((const uint8_t *)question->kind, kind_len))
		return -EINVAL;
	if (signs)
		r = transaction_unsigned(&question->transaction, arena, &bytes, &len);
	if (r == 0)
		r = begin(arena, FIELDS_MAX + kind_len + len, &writer, &list);
	if (r < 0)
		return r;
	rlp_bytes(&writer, ops[question->op], strlen(ops[question->op]));
	if (signs) {
		rlp_bytes(&writer, question->kind, kind_len);
		rlp_bytes(&writer, bytes, len);
	}
	return end(&writer, list, SIGNER_QUESTION_MAX, ret_bytes, ret_len);
}

int signer_answer_write(const struct signer_answer *answer, struct arena *arena,
			const uint8_t **ret_bytes, size_t *ret_len)
{
	struct rlp_writer writer;
	size_t list;
	int r = begin(arena, FIELDS_MAX + answer->len, &writer, &list);

	if (r < 0)
		return r;
	rlp_u64(&writer, answer->outcome);
	rlp_bytes(&writer, answer->body, answer->len);
	return end(&writer, list, SIGNER_ANSWER_MAX, ret_bytes, ret_len);
}

/* ---- reading ---- */

int signer_length(const uint8_t prefix[static SIGNER_PREFIX], size_t max, size_t *ret_len)
{
	size_t len = 0;

	for (size_t i = 0; i < SIGNER_PREFIX; i++)
		len = len << 8 | prefix[i];
	if (len == 0 || len > max)
		return SIGNER_E_MALFORMED;
	*ret_len = len;
	return 0;
}

/* The list's rest behind the version. */
static int open_message(const uint8_t *bytes, size_t len, struct rlp_reader *ret_items)
{
	struct rlp_reader reader = { bytes, len };
	uint64_t version = 0;
	int r = rlp_read_list(&reader, ret_items);

	if (r == 0)
		r = rlp_read_u64(ret_items, &version);
	return r == 0 && version == SIGNER_VERSION && rlp_at_end(&reader) ? 0 : SIGNER_E_MALFORMED;
}

static int read_op(struct rlp_reader *items, enum signer_op *ret_op)
{
	const uint8_t *text;
	size_t len;
	int r = rlp_read_bytes(items, &text, &len);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ops); i++)
		if (len == strlen(ops[i]) && memcmp(text, ops[i], len) == 0) {
			*ret_op = (enum signer_op)i;
			return 0;
		}
	return SIGNER_E_MALFORMED;
}

static int read_signing(struct rlp_reader *items, struct arena *arena,
			struct signer_question *question)
{
	const uint8_t *kind, *bytes;
	size_t kind_len, len;
	int r = rlp_read_bytes(items, &kind, &kind_len);

	if (r == 0)
		r = kind_ok(kind, kind_len) ? rlp_read_bytes(items, &bytes, &len)
					    : SIGNER_E_MALFORMED;
	if (r == 0)
		r = transaction_decode_unsigned(bytes, len, arena, &question->transaction);
	if (r != 0)
		return r;
	question->kind = arena_text(arena, (const char *)kind, kind_len);
	return question->kind ? 0 : -ENOMEM;
}

int signer_question_read(const uint8_t *bytes, size_t len, struct arena *arena,
			 struct signer_question *ret_question)
{
	struct signer_question question = { 0 };
	struct rlp_reader items;
	int r = open_message(bytes, len, &items);

	if (r == 0)
		r = read_op(&items, &question.op);
	if (r == 0 && question.op == SIGNER_SIGN)
		r = read_signing(&items, arena, &question);
	if (r == 0 && !rlp_at_end(&items))
		r = SIGNER_E_MALFORMED;
	if (r == 0)
		*ret_question = question;
	return r;
}

int signer_answer_read(const uint8_t *bytes, size_t len, struct signer_answer *ret_answer)
{
	struct signer_answer answer;
	struct rlp_reader items;
	uint64_t outcome = 0;
	int r = open_message(bytes, len, &items);

	if (r == 0)
		r = rlp_read_u64(&items, &outcome);
	if (r == 0)
		r = rlp_read_bytes(&items, &answer.body, &answer.len);
	if (r != 0 || outcome > SIGNER_FAILED || !rlp_at_end(&items))
		return SIGNER_E_MALFORMED;
	answer.outcome = (enum signer_outcome)outcome;
	*ret_answer = answer;
	return 0;
}

#include "chain/indexer_log.h"

#include "base/keccak.h"

/* ---- reading ---- */

static bool place_of(const json_t *value, int64_t *ret_number)
{
	uint64_t number;

	if (rpc_quantity(value, &number) < 0 || number > INT64_MAX)
		return false;
	*ret_number = (int64_t)number;
	return true;
}

static bool read_topics(const json_t *topics, struct indexer_log *log)
{
	log->n_topics = json_array_size(topics);
	if (!json_is_array(topics) || log->n_topics > INDEXER_TOPICS_MAX)
		return false;
	for (size_t i = 0; i < log->n_topics; i++)
		if (rpc_bytes(json_array_get(topics, i), log->topics[i], 32) < 0)
			return false;
	return true;
}

/* -ENOMEM; LOGS_E_LIE. */
static int read_data(const json_t *value, struct arena *arena, struct indexer_log *log)
{
	size_t size = json_string_length(value) / 2; /* one more than it holds */
	uint8_t *bytes;

	if (size == 0 || size - 1 > INDEXER_DATA_MAX)
		return LOGS_E_LIE;
	bytes = arena_alloc(arena, size);
	if (!bytes)
		return -ENOMEM;
	log->data = bytes;
	return rpc_data(value, size - 1, bytes, &log->len) < 0 ? LOGS_E_LIE : 0;
}

static int read_log(const json_t *json, struct arena *arena, struct indexer_log *log)
{
	const json_t *removed = json_object_get(json, "removed");

	if (!place_of(json_object_get(json, "blockNumber"), &log->block) ||
	    !place_of(json_object_get(json, "logIndex"), &log->index) ||
	    rpc_bytes(json_object_get(json, "blockHash"), log->block_hash, 32) < 0 ||
	    rpc_bytes(json_object_get(json, "transactionHash"), log->transaction, 32) < 0 ||
	    rpc_bytes(json_object_get(json, "address"), log->address.bytes, 20) < 0 ||
	    !read_topics(json_object_get(json, "topics"), log) ||
	    (removed && !json_is_false(removed)))
		return LOGS_E_LIE;
	return read_data(json_object_get(json, "data"), arena, log);
}

static bool was_asked(const struct logs_asked *asked, const struct indexer_log *log)
{
	bool ours = false;

	for (size_t i = 0; !ours && i < asked->n_addresses; i++)
		ours = address_equal(&asked->addresses[i], &log->address);
	return ours && (uint64_t)log->block >= asked->first && (uint64_t)log->block <= asked->last;
}

static int compare(const void *a, const void *b)
{
	const struct indexer_log *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Sorted: each place once, each block by one hash. */
static bool is_one_chain(const struct log_list *list)
{
	for (size_t i = 1; i < list->n; i++) {
		const struct indexer_log *log = &list->logs[i], *before = log - 1;

		if (log->block == before->block &&
		    (log->index == before->index ||
		     memcmp(log->block_hash, before->block_hash, 32) != 0))
			return false;
	}
	return true;
}

int logs_read(const json_t *answer, const struct logs_asked *asked, struct arena *arena,
	      struct log_list *ret_list, const char **ret_why)
{
	size_t told = json_array_size(answer);
	struct log_list list = { .n = size_min(told, asked->max) };
	int r = 0;

	*ret_why = "what is no list of logs";
	if (!json_is_array(answer))
		return LOGS_E_LIE;
	list.logs = arena_array(arena, list.n + 1, sizeof(*list.logs));
	if (!list.logs)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		*ret_why = "a log that is malformed or of a dropped block";
		r = read_log(json_array_get(answer, i), arena, &list.logs[i]);
		if (r == 0 && !was_asked(asked, &list.logs[i])) {
			*ret_why = "a log of another contract or block";
			r = LOGS_E_LIE;
		}
	}
	if (r != 0)
		return r;
	qsort(list.logs, list.n, sizeof(*list.logs), compare);
	*ret_why = "a log twice, or a block by two hashes";
	if (!is_one_chain(&list))
		return LOGS_E_LIE;
	*ret_list = list;
	return told > asked->max ? LOGS_E_TOO_MANY : 0;
}

/* ---- digest ---- */

struct writer {
	uint8_t *next;
};

static void put(struct writer *writer, const void *bytes, size_t len)
{
	if (len > 0)
		memcpy(writer->next, bytes, len);
	writer->next += len;
}

static void put_number(struct writer *writer, uint64_t number)
{
	put(writer, &number, sizeof(number));
}

enum { LOG_FIXED = 4 * 8 + 32 + 32 + 20 };

static size_t log_size(const struct indexer_log *log)
{
	return LOG_FIXED + 32 * log->n_topics + log->len;
}

int logs_digest(const struct log_list *list, struct arena *arena, uint8_t ret_digest[static 32])
{
	struct arena_mark mark = arena_mark(arena);
	struct writer writer;
	uint8_t *bytes;
	size_t len = 0;

	for (size_t i = 0; i < list->n; i++)
		len += log_size(&list->logs[i]);
	bytes = arena_alloc(arena, len + 1);
	if (!bytes)
		return -ENOMEM;
	writer.next = bytes;
	for (size_t i = 0; i < list->n; i++) {
		const struct indexer_log *log = &list->logs[i];

		put_number(&writer, (uint64_t)log->block);
		put_number(&writer, (uint64_t)log->index);
		put_number(&writer, log->n_topics);
		put_number(&writer, log->len);
		put(&writer, log->block_hash, sizeof(log->block_hash));
		put(&writer, log->transaction, sizeof(log->transaction));
		put(&writer, log->address.bytes, sizeof(log->address.bytes));
		put(&writer, log->topics, 32 * log->n_topics);
		put(&writer, log->data, log->len);
	}
	keccak256(bytes, len, ret_digest);
	arena_rewind(arena, mark);
	return 0;
}

/* ---- asking ---- */

json_t *logs_params(const struct logs_asked *asked)
{
	json_t *addresses = json_array();
	int failed = !addresses;

	for (size_t i = 0; !failed && i < asked->n_addresses; i++)
		failed = json_array_append_new(addresses,
					       rpc_of_bytes(asked->addresses[i].bytes, 20));
	if (failed) {
		json_decref(addresses);
		return NULL;
	}
	return json_pack("[{s:o, s:o, s:o}]", "fromBlock", rpc_of_quantity(asked->first), "toBlock",
			 rpc_of_quantity(asked->last), "address", addresses);
}

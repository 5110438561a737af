#include "chain/reward_leaves.h"

#include "chain/hex.h"

enum { LEAF_WORDS = 5, LINE_MAX_BYTES = ADDRESS_TEXT_SIZE + U256_TEXT_SIZE + 2, HEAD_MAX = 512 };

const char *const reward_kind_words[REWARD_KINDS_N + 1] = {
	[REWARD_LIQUID] = "liquid",
	[REWARD_VESTED] = "vested",
};

int reward_kind_parse(const char *word, enum reward_kind *ret_kind)
{
	for (enum reward_kind kind = 0; kind < REWARD_KINDS_N; kind++)
		if (strcmp(reward_kind_words[kind], word) == 0) {
			*ret_kind = kind;
			return 0;
		}
	return -EINVAL;
}

/* ---- the tree ---- */

static void encode(const struct reward_leaves *leaves, const struct reward_leaf *leaf,
		   uint8_t words[static LEAF_WORDS][32])
{
	memset(words, 0, (size_t)LEAF_WORDS * 32);
	u256_bytes(u256_from(leaves->chain_id), words[0]);
	memcpy(words[1] + 12, leaves->distributor.bytes, 20);
	words[2][31] = (uint8_t)leaves->kind;
	memcpy(words[3] + 12, leaf->account.bytes, 20);
	u256_bytes(leaf->cumulative, words[4]);
}

void reward_leaf_hash(const struct reward_leaves *leaves, const struct reward_leaf *leaf,
		      struct merkle_hash *ret_hash)
{
	uint8_t words[LEAF_WORDS][32];

	encode(leaves, leaf, words);
	merkle_leaf(words, sizeof(words), ret_hash);
}

/* In order, and the total. */
static bool is_whole(const struct reward_leaves *leaves)
{
	struct u256 sum = u256_from(0);

	for (size_t i = 0; i < leaves->n; i++) {
		const struct reward_leaf *leaf = &leaves->items[i];

		if (i > 0 && memcmp(leaf[-1].account.bytes, leaf->account.bytes, 20) >= 0)
			return false;
		if (u256_bits(leaf->cumulative) > 192) /* sums of them fit */
			return false;
		sum = u256_add(sum, leaf->cumulative);
	}
	return u256_compare(&sum, &leaves->total) == 0;
}

int reward_leaves_tree(const struct reward_leaves *leaves, struct merkle **ret_merkle)
{
	uint8_t words[LEAF_WORDS][32];
	struct merkle *merkle;
	int r = is_whole(leaves) ? merkle_new(leaves->n, &merkle) : -EINVAL;

	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < leaves->n; i++) {
		encode(leaves, &leaves->items[i], words);
		r = merkle_add(merkle, words, sizeof(words));
	}
	if (r == 0)
		r = merkle_seal(merkle);
	if (r == 0)
		*ret_merkle = merkle;
	else
		merkle_free(merkle);
	return r;
}

/* ---- text ---- */

static size_t write_head(const struct reward_leaves *leaves, char *text)
{
	char distributor[ADDRESS_TEXT_SIZE], total[U256_TEXT_SIZE];

	hex_data(leaves->distributor.bytes, 20, distributor);
	u256_text(leaves->total, total);
	return (size_t)snprintf(text, HEAD_MAX,
				"kaisar reward leaves 1\nchain %" PRIu64 "\ndistributor %s\n"
				"kind %s\nround %" PRIu64 "\nthrough %" PRIu64 "\ntotal %s\n",
				leaves->chain_id, distributor, reward_kind_words[leaves->kind],
				leaves->round, leaves->through, total);
}

size_t reward_leaves_size(size_t n, struct u256 total)
{
	char units[U256_TEXT_SIZE];

	/* None has more digits than their sum; a space and the newline stand beside them. */
	return HEAD_MAX + n * (ADDRESS_TEXT_SIZE - 1 + u256_text(total, units) + 2);
}

int reward_leaves_write(const struct reward_leaves *leaves, char **ret_text, size_t *ret_len)
{
	char account[ADDRESS_TEXT_SIZE], units[U256_TEXT_SIZE];
	char *text = malloc(HEAD_MAX + leaves->n * LINE_MAX_BYTES);
	size_t len;

	if (!text)
		return -ENOMEM;
	len = write_head(leaves, text);
	for (size_t i = 0; i < leaves->n; i++) {
		hex_data(leaves->items[i].account.bytes, 20, account);
		u256_text(leaves->items[i].cumulative, units);
		len += (size_t)snprintf(text + len, LINE_MAX_BYTES, "%s %s\n", account, units);
	}
	memcpy(text + len, "end\n", sizeof("end\n"));
	*ret_len = len + 4;
	*ret_text = text;
	return 0;
}

/* ---- reading ---- */

struct cursor {
	const char *at, *end;
	size_t line;
};

/* The rest of the next line behind @word; false: it begins otherwise. */
static bool next_line(struct cursor *cursor, const char *word, const char **ret_rest,
		      size_t *ret_len)
{
	size_t left = (size_t)(cursor->end - cursor->at), skip = strlen(word);
	const char *newline = left ? memchr(cursor->at, '\n', left) : NULL;

	cursor->line++;
	if (!newline || (size_t)(newline - cursor->at) < skip ||
	    memcmp(cursor->at, word, skip) != 0)
		return false;
	*ret_rest = cursor->at + skip;
	*ret_len = (size_t)(newline - *ret_rest);
	cursor->at = newline + 1;
	return true;
}

static bool read_units(const char *text, size_t len, struct u256 *ret_units)
{
	return u256_parse(text, len, ret_units) == 0;
}

static bool read_number(struct cursor *cursor, const char *word, uint64_t *ret_number)
{
	struct u256 number;
	const char *rest;
	size_t len;

	if (!next_line(cursor, word, &rest, &len) || !read_units(rest, len, &number) ||
	    u256_bits(number) > 63)
		return false;
	*ret_number = number.limbs[0];
	return true;
}

static bool read_account(const char *text, size_t len, struct address *ret_address)
{
	char again[ADDRESS_TEXT_SIZE];

	if (len != ADDRESS_TEXT_SIZE - 1 || hex_data_exact(text, len, ret_address->bytes, 20) < 0)
		return false;
	hex_data(ret_address->bytes, 20, again);
	return memcmp(text, again, len) == 0;
}

static bool read_kind(struct cursor *cursor, enum reward_kind *ret_kind)
{
	char word[16];
	const char *rest;
	size_t len;

	if (!next_line(cursor, "kind ", &rest, &len) || len >= sizeof(word))
		return false;
	memcpy(word, rest, len);
	word[len] = '\0';
	return reward_kind_parse(word, ret_kind) == 0;
}

static bool read_head(struct cursor *cursor, struct reward_leaves *leaves)
{
	const char *rest;
	size_t len;

	return next_line(cursor, "kaisar reward leaves 1", &rest, &len) && len == 0 &&
	       read_number(cursor, "chain ", &leaves->chain_id) &&
	       next_line(cursor, "distributor ", &rest, &len) &&
	       read_account(rest, len, &leaves->distributor) && read_kind(cursor, &leaves->kind) &&
	       read_number(cursor, "round ", &leaves->round) &&
	       read_number(cursor, "through ", &leaves->through) &&
	       next_line(cursor, "total ", &rest, &len) && read_units(rest, len, &leaves->total);
}

static bool read_leaf(struct cursor *cursor, struct reward_leaf *ret_leaf)
{
	const size_t account = ADDRESS_TEXT_SIZE - 1;
	const char *rest;
	size_t len;

	return next_line(cursor, "", &rest, &len) && len > account + 1 && rest[account] == ' ' &&
	       read_account(rest, account, &ret_leaf->account) &&
	       read_units(rest + account + 1, len - account - 1, &ret_leaf->cumulative);
}

static bool is_end(const struct cursor *cursor)
{
	return cursor->end - cursor->at == 4 && memcmp(cursor->at, "end\n", 4) == 0;
}

int reward_leaves_read(const char *text, size_t len, struct reward_leaves *ret_leaves,
		       size_t *ret_line)
{
	struct cursor cursor = { text, text + len, 0 };
	struct reward_leaves leaves = { 0 };
	size_t room = 0;
	bool good = read_head(&cursor, &leaves);

	while (good && !is_end(&cursor)) {
		if (leaves.n == room) {
			void *larger = realloc(leaves.items,
					       (room = room * 2 + 64) * sizeof(*leaves.items));

			if (!larger) {
				free(leaves.items);
				return -ENOMEM;
			}
			leaves.items = larger;
		}
		good = read_leaf(&cursor, &leaves.items[leaves.n++]);
	}
	if (!good) {
		free(leaves.items);
		*ret_line = cursor.line;
		return -EINVAL;
	}
	*ret_leaves = leaves;
	return 0;
}

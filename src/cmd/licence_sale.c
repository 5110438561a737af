/* The sale contract as a buyer sees it: its rounds, and who is on their lists. */
#include "base/clock.h"
#include "chain/merkle.h"
#include "cmd/file.h"
#include "cmd/licence.h"

enum { LIST_FILE_MAX = 4 << 20, LIST_MAX = 65536 };

static const struct option_row rows[] = { ONCHAIN_LOOK_ROWS, { 0 } };
static const struct option_table table = {
	.usage = "kaisar licence rounds [OPTIONS]",
	.about = "The sale's rounds: what a checker licence costs, how many are left, until when. "
		 "Discounts are\n"
		 "for those on a round's list (kaisar licence buy --whitelist) and for the "
		 "referred\n"
		 "(--referrer); the higher counts.",
	.rows = rows,
};

static const struct column columns[] = {
	{ "ROUND", "round" },
	{ "STATE", "state" },
	{ "COIN", "coin_price" },
	{ "TOKEN", "price" },
	{ "LEFT", "left" },
	{ "LISTED", "whitelist_discount" },
	{ "UNTIL", "until" },
	{ "REFERRED", "referral_discount" },
	{ 0 },
};

static int read_small(struct onchain *onchain, const struct address *contract,
		      const char *signature, uint64_t *ret_number)
{
	struct u256 word;
	int r = onchain_word(onchain, contract, signature, NULL, 0, &word);

	if (r == 0)
		*ret_number = u256_bits(word) > 62 ? INT64_MAX : (uint64_t)u256_low(word);
	return r;
}

int sale_read(struct onchain *onchain, struct sale *ret_sale)
{
	const struct address coin = { 0 };
	struct sale sale = { 0 };
	struct abi_value token;
	struct address address;
	int r = onchain_contract(onchain, CONTRACT_SALE, &sale.contract);

	if (r == 0)
		r = onchain_contract(onchain, CONTRACT_LICENCE, &sale.licence);
	if (r == 0)
		r = onchain_token(onchain, &coin, &sale.coin);
	if (r == 0)
		r = onchain_read(onchain, &sale.contract, "payToken()", NULL, 0, "(address)",
				 &token);
	if (r != 0)
		return r;
	address = abi_as_address(&token.items[0]);
	r = onchain_token(onchain, &address, &sale.token);
	if (r == 0)
		r = read_small(onchain, &sale.contract, "roundCount()", &sale.n_rounds);
	if (r == 0)
		r = read_small(onchain, &sale.licence, "minted()", &sale.minted);
	if (r == 0)
		r = read_small(onchain, &sale.licence, "cap()", &sale.cap);
	if (r == 0)
		*ret_sale = sale;
	return r;
}

static uint64_t member(const struct abi_value *members, size_t i)
{
	return (uint64_t)u256_low(abi_as_number(&members[i]));
}

int sale_round(struct onchain *onchain, const struct sale *sale, uint64_t number,
	       struct sale_round *ret_round)
{
	const struct abi_value argument = abi_u64(number);
	const struct abi_value *of;
	struct abi_value value;
	int r = onchain_read(
		onchain, &sale->contract, "roundOf(uint256)", &argument, 1,
		"((uint256,uint256,uint64,uint64,uint32,uint32,uint16,uint16,bytes32))", &value);

	if (r != 0)
		return r;
	of = value.items[0].items;
	*ret_round = (struct sale_round){
		.number = number,
		.coin_price = abi_as_number(&of[0]),
		.token_price = abi_as_number(&of[1]),
		.start_s = member(of, 2),
		.end_s = member(of, 3),
		.cap = member(of, 4),
		.sold = member(of, 5),
		.whitelist_bp = member(of, 6),
		.referral_bp = member(of, 7),
	};
	memcpy(ret_round->whitelist, of[8].word, 32);
	ret_round->left = ret_round->cap - ret_round->sold;
	if (sale->cap - sale->minted < ret_round->left)
		ret_round->left = sale->cap - sale->minted;
	return 0;
}

const char *sale_round_state(const struct sale_round *round)
{
	const uint64_t now_s = (uint64_t)(clock_now_ms(&clock_system) / 1000);

	return now_s < round->start_s  ? "coming"
	       : now_s >= round->end_s ? "over"
	       : round->left == 0      ? "sold out"
				       : "open";
}

/* ---- the list ---- */

struct list {
	struct onchain *onchain;
	const char *path;
	const struct sale *sale;
	const struct sale_round *round;
	struct merkle *merkle;
	size_t n, own; /* SIZE_MAX: not on it */
};

static int list_add(struct list *list, const struct address *address)
{
	const struct abi_value values[] = { abi_u64(list->onchain->contracts.chain_id),
					    abi_address(&list->sale->contract),
					    abi_u64(list->round->number), abi_address(address) };
	const struct abi_value tuple = abi_items(values, 4);
	static const char shape[] = "(uint256,address,uint256,address)";
	struct arena *arena = list->onchain->arena;
	struct arena_mark mark = arena_mark(arena);
	const struct abi_type *type;
	const uint8_t *bytes;
	size_t len;
	int r = abi_type_parse(shape, strlen(shape), arena, &type);

	if (r == 0)
		r = abi_encode(type, &tuple, arena, &bytes, &len);
	if (r == 0)
		r = merkle_add(list->merkle, bytes, len);
	arena_rewind(arena, mark);
	if (r == -ENOSPC)
		return cli_fail(CLI_USAGE, "--whitelist %s: more than %d addresses", list->path,
				LIST_MAX);
	if (r != 0)
		return cli_fault(r, list->path);
	if (address_equal(address, onchain_account(list->onchain)))
		list->own = list->n;
	list->n++;
	return 0;
}

static int list_read(struct list *list)
{
	char *text, *line, *rest;
	struct address address;
	size_t len, number = 0;
	int r = file_read(list->path, LIST_FILE_MAX, list->onchain->arena, &text, &len);

	if (r < 0)
		return cli_fault(r, list->path);
	for (rest = text; r == 0 && (line = strsep(&rest, "\n"));) {
		number++;
		line[strcspn(line, " \t\r#")] = '\0';
		if (!*line)
			continue;
		if (address_parse(line, &address) < 0)
			return cli_fail(CLI_USAGE, "--whitelist %s: line %zu is no address",
					list->path, number);
		r = list_add(list, &address);
	}
	if (r == 0 && list->n == 0)
		return cli_fail(CLI_USAGE, "--whitelist %s: has no addresses", list->path);
	return r;
}

static int list_prove(struct list *list, const struct merkle_hash **ret_path, size_t *ret_n)
{
	struct merkle_hash *path = arena_array(list->onchain->arena, MERKLE_DEPTH_MAX,
					       sizeof(*path));
	char own[ADDRESS_TEXT_SIZE];
	int r = path ? merkle_seal(list->merkle) : -ENOMEM;

	if (r != 0)
		return cli_fault(r, list->path);
	if (memcmp(merkle_root(list->merkle)->bytes, list->round->whitelist, 32) != 0)
		return cli_fail(CLI_FAILED,
				"--whitelist: %s is not the list of round %" PRIu64
				"; take the one that was published for it",
				list->path, list->round->number);
	address_text(onchain_account(list->onchain), own);
	if (list->own == SIZE_MAX)
		return cli_fail(CLI_DENIED,
				"--whitelist: %s is not on the list of round %" PRIu64
				"; buy without it, or choose a wallet that is with --wallet",
				own, list->round->number);
	*ret_n = merkle_prove(list->merkle, list->own, path);
	*ret_path = path;
	return 0;
}

int sale_whitelist(struct onchain *onchain, const struct sale *sale, const struct sale_round *round,
		   const char *path, const struct merkle_hash **ret_path, size_t *ret_n)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct list list = { onchain, path, sale, round, .own = SIZE_MAX };
	int r = merkle_new(LIST_MAX, &merkle);

	if (r < 0)
		return cli_fault(r, path);
	list.merkle = merkle;
	r = list_read(&list);
	return r == 0 ? list_prove(&list, ret_path, ret_n) : r;
}

/* ---- the rounds ---- */

/* No price: not sold for it. */
static json_t *price_json(struct onchain *onchain, const struct onchain_token *token,
			  struct u256 price)
{
	return u256_is_zero(price) ? json_null()
				   : json_string(onchain_amount(onchain, token, price));
}

static json_t *percent(uint64_t basis_points)
{
	return json_sprintf("%" PRIu64 ".%02" PRIu64 "%%", basis_points / 100, basis_points % 100);
}

static json_t *time_json(uint64_t at_s)
{
	char text[CLOCK_TEXT_SIZE];

	onchain_time(at_s, text);
	return json_string(text);
}

static json_t *round_json(struct onchain *onchain, const struct sale *sale,
			  const struct sale_round *round)
{
	static const uint8_t nobody[32];

	return json_pack("{s:I, s:s, s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}", "round",
			 (json_int_t)round->number, "state", sale_round_state(round), "coin_price",
			 price_json(onchain, &sale->coin, round->coin_price), "price",
			 price_json(onchain, &sale->token, round->token_price), "left",
			 (json_int_t)round->left, "sold", (json_int_t)round->sold, "from",
			 time_json(round->start_s), "until", time_json(round->end_s),
			 "whitelist_discount",
			 memcmp(round->whitelist, nobody, 32) == 0 ? json_null()
								   : percent(round->whitelist_bp),
			 "referral_discount", percent(round->referral_bp));
}

static int show_rounds(struct onchain *onchain)
{
	_cleanup_(json_decrefp) json_t *items = json_array();
	struct sale_round round;
	struct sale sale;
	int r = items ? sale_read(onchain, &sale) : cli_fault(-ENOMEM, "rounds");

	for (uint64_t i = 0; r == 0 && i < sale.n_rounds; i++) {
		r = sale_round(onchain, &sale, i, &round);
		if (r == 0 && json_array_append_new(items, round_json(onchain, &sale, &round)) < 0)
			r = cli_fault(-ENOMEM, "rounds");
	}
	if (r != 0)
		return r;
	r = table_list(onchain->format, columns, items);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

int licence_rounds(int argc, char **argv)
{
	struct onchain onchain;
	int status;

	if (onchain_look(&table, argc, argv, &onchain, &status) != 0)
		return status;
	status = show_rounds(&onchain);
	onchain_end(&onchain);
	return status;
}

#include "cmd/recompute_roots.h"

#include "base/clock.h"
#include "chain/contract_event.h"
#include "chain/hex.h"
#include "chain/reward_leaves.h"
#include "chain/rpc.h"
#include "cmd/cli.h"
#include "rewards/credits.h"
#include "rewards/epoch_text.h"

enum { TIMEOUT_MS = 20000, EPOCHS_MAX = 10000 };

struct check {
	struct client *client;
	struct rpc *rpc; /* NULL: the chain is not asked */
	enum reward_kind kind;
	struct reward_leaves before, after; /* under the root before, and under the root */
	struct reward_leaf *sums; /* what should be there; by account */
	size_t n;
};

static void check_done(struct check *check)
{
	free(check->before.items);
	free(check->after.items);
	free(check->sums);
}

static void freep_text(char **text)
{
	free(*text);
}

static int nonsense(const char *what)
{
	return cli_fail(CLI_FAILED, "the network's %s makes no sense", what);
}

/* ---- what is published ---- */

static int fetch_leaves(struct check *check, int64_t round, struct reward_leaves *ret_leaves)
{
	_cleanup_(freep_text) char *text = NULL;
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/roots/%s/%" PRId64 "/leaves",
					reward_kind_words[check->kind], round);
	size_t len, line;
	int r = path ? client_get_text(check->client, path, REWARD_LEAVES_TEXT_MAX, &text, &len)
		     : cli_fault(-ENOMEM, "leaves");

	if (r != 0)
		return r;
	r = reward_leaves_read(text, len, ret_leaves, &line);
	if (r == -EINVAL)
		return cli_fail(CLI_FAILED, "the %s leaves of root %" PRId64 ": line %zu is wrong",
				reward_kind_words[check->kind], round, line);
	if (r == 0 && (ret_leaves->kind != check->kind || ret_leaves->round != (uint64_t)round))
		return nonsense("list of leaves");
	return r < 0 ? cli_fault(r, "leaves") : 0;
}

static int by_account(const void *a, const void *b)
{
	return memcmp(((const struct reward_leaf *)a)->account.bytes,
		      ((const struct reward_leaf *)b)->account.bytes, 20);
}

/* The sums begin as those under the root before, and grow by an epoch's credits. */
static int add_credits(struct check *check, const struct epoch_credit *credits, size_t n)
{
	struct reward_leaf *sums = realloc(check->sums, (check->n + n + 1) * sizeof(*sums));
	size_t known = check->n;

	if (!sums)
		return cli_fault(-ENOMEM, "credits");
	check->sums = sums;
	for (size_t i = 0; i < n; i++) {
		const struct u256 amount = u256_from(credits[i].amount.units);
		const struct reward_leaf key = { credits[i].account, amount };
		struct reward_leaf *found;

		if ((unsigned int)credits[i].kind != (unsigned int)check->kind)
			continue;
		found = known ? bsearch(&key, sums, known, sizeof(*sums), by_account) : NULL;
		if (found)
			found->cumulative = u256_add(found->cumulative, amount);
		else
			sums[check->n++] = key;
	}
	qsort(sums, check->n, sizeof(*sums), by_account);
	return 0;
}

static int add_epoch(struct check *check, int64_t number)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(freep_text) char *text = NULL;
	struct epoch_credit *credits;
	struct epoch_fault fault;
	struct payouts payouts;
	struct epoch epoch;
	size_t len, n;
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/%" PRId64 "/records", number);
	int r = path ? client_get_text(check->client, path, EPOCH_TEXT_MAX, &text, &len)
		     : cli_fault(-ENOMEM, "records");

	if (r != 0)
		return r;
	r = arena_new(EPOCH_ARENA_BYTES + PAYOUTS_ARENA_BYTES + CREDITS_ARENA_BYTES, &arena);
	if (r == 0)
		r = epoch_read(text, len, arena, &epoch, &fault);
	if (r == EPOCH_E_INVALID)
		return cli_fail(CLI_FAILED, "the records of epoch %" PRId64 ": %s", number,
				fault.text);
	if (r == 0)
		r = epoch_settle(&epoch, arena, &payouts);
	if (r == 0)
		r = credits_of(&epoch, &payouts, arena, &credits, &n);
	return r != 0 ? cli_fault(r, "records") : add_credits(check, credits, n);
}

/* All that are closed behind the root before, up to this one's last. */
static int add_epochs(struct check *check)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	json_int_t after = check->before.n ? (json_int_t)check->before.through : -1;
	size_t i;
	json_t *item;
	int r = client_list(check->client, "/v1/rewards?limit=100", EPOCHS_MAX, &items);

	json_array_foreach(items, i, item) {
		json_int_t number = json_integer_value(json_object_get(item, "epoch"));

		if (r == 0 && number > after && number <= (json_int_t)check->after.through)
			r = add_epoch(check, number);
	}
	return r;
}

static int take_off(struct check *check, const json_t *corrections)
{
	json_t *item;
	size_t i;

	json_array_foreach(corrections, i, item) {
		const char *account = json_string_value(json_object_get(item, "account"));
		const char *less = json_string_value(json_object_get(item, "less"));
		struct reward_leaf key = { 0 }, *found;

		if (!account || !less || address_parse(account, &key.account) < 0 ||
		    u256_parse(less, strlen(less), &key.cumulative) < 0)
			return nonsense("correction");
		found = check->n ? bsearch(&key, check->sums, check->n, sizeof(key), by_account)
				 : NULL;
		if (!found || u256_compare(&found->cumulative, &key.cumulative) < 0)
			return cli_fail(CLI_FAILED, "a correction takes more off %s than it has",
					account);
		found->cumulative = u256_subtract(found->cumulative, key.cumulative);
		fprintf(stderr, "%s root %" PRIu64 ": %s has %s less (%s)\n",
			reward_kind_words[check->kind], check->after.round, account, less,
			json_string_value(json_object_get(item, "reason")));
	}
	return 0;
}

/* ---- comparing ---- */

static int differs(const struct check *check, const struct address *account)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(account, text);
	return cli_fail(CLI_FAILED,
			"%s root %" PRIu64 " does not follow from the records: %s is the first "
			"account whose sum differs",
			reward_kind_words[check->kind], check->after.round, text);
}

static int compare_sums(const struct check *check)
{
	const struct reward_leaves *after = &check->after;
	size_t k = 0;

	for (size_t i = 0; i < check->n; i++) {
		const struct reward_leaf *sum = &check->sums[i];

		if (u256_is_zero(sum->cumulative))
			continue;
		if (k == after->n || by_account(sum, &after->items[k]) != 0 ||
		    u256_compare(&sum->cumulative, &after->items[k].cumulative) != 0)
			return differs(check, &sum->account);
		k++;
	}
	return k < after->n ? differs(check, &after->items[k].account) : 0;
}

/* The event in the block that the network names, at a node that the reader chose. */
static int ask_chain(struct check *check, const struct reward_leaves *leaves, uint64_t block,
		     const uint8_t root[32])
{
	_cleanup_(json_decrefp) json_t *params = NULL, *logs = NULL;
	char at[HEX_QUANTITY_SIZE];
	uint8_t topic[32], words[2][32], data[96];
	struct rpc_error error;
	size_t len = 0;
	int r;

	contract_event_topic(EVENT_ROOT_PROPOSED, topic);
	u256_bytes(u256_from(leaves->kind), words[0]);
	u256_bytes(u256_from(leaves->round), words[1]);
	hex_quantity(u256_from(block), at);
	params = json_pack("[{s:o, s:s, s:s, s:[o, o, o]}]", "address",
			   rpc_of_bytes(leaves->distributor.bytes, 20), "fromBlock", at, "toBlock",
			   at, "topics", rpc_of_bytes(topic, 32), rpc_of_bytes(words[0], 32),
			   rpc_of_bytes(words[1], 32));
	r = params ? rpc_ask(check->rpc, "eth_getLogs", params, &logs, &error) : -ENOMEM;
	if (r < 0)
		return cli_fault(r, "the chain");
	if (r > 0)
		return cli_fail(CLI_FAILED,
				"--rpc: the node does not say what the contract logged");
	if (json_array_size(logs) > 0)
		r = rpc_data(
			json_object_get(json_array_get(logs, json_array_size(logs) - 1), "data"),
			sizeof(data), data, &len);
	if (r == 0 && len == sizeof(data) && memcmp(data, root, 32) == 0)
		return 0;
	return cli_fail(CLI_FAILED,
			"%s root %" PRIu64 " is not what was proposed to the contract in block "
			"%" PRIu64,
			reward_kind_words[check->kind], leaves->round, block);
}

/* That the leaves make the root that is published, and the chain's. */
static int check_root(struct check *check, const struct reward_leaves *leaves, const json_t *row)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	const char *text = json_string_value(json_object_get(row, "root"));
	const json_t *block = json_object_get(row, "block");
	uint8_t root[32];
	int r = reward_leaves_tree(leaves, &merkle);

	if (r == -ENOMEM)
		return cli_fault(r, "the tree");
	if (r < 0 || !text || hex_data_exact(text, strlen(text), root, 32) < 0 ||
	    memcmp(merkle_root(merkle)->bytes, root, 32) != 0)
		return cli_fail(CLI_FAILED, "%s root %" PRIu64 " is not that of its leaves",
				reward_kind_words[check->kind], leaves->round);
	if (!check->rpc || !json_is_integer(block))
		return 0;
	return ask_chain(check, leaves, (uint64_t)json_integer_value(block), root);
}

static int say_good(const struct check *check, const json_t *row)
{
	const char *state = json_string_value(json_object_get(row, "state"));
	char contract[ADDRESS_TEXT_SIZE];

	address_text(&check->after.distributor, contract);
	fprintf(stderr, "%s root %" PRIu64 " (%s) of %s follows from the records%s\n",
		reward_kind_words[check->kind], check->after.round, state ? state : "?", contract,
		!check->rpc                                      ? ""
		: json_is_integer(json_object_get(row, "block")) ? ", and is the one proposed there"
								 : "; it is not proposed yet");
	return 0;
}

static int get_root(struct check *check, int64_t round, json_t **ret_row)
{
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/roots/%s/%" PRId64,
					reward_kind_words[check->kind], round);

	return path ? client_get(check->client, path, ret_row) : cli_fault(-ENOMEM, "roots");
}

static int check_round(struct check *check, int64_t round)
{
	_cleanup_(json_decrefp) json_t *row = NULL, *before = NULL;
	int r = get_root(check, round, &row);

	if (r == 0)
		r = fetch_leaves(check, round, &check->after);
	if (r == 0)
		r = check_root(check, &check->after, row);
	if (r == 0 && round > 1)
		r = get_root(check, round - 1, &before);
	if (r == 0 && round > 1)
		r = fetch_leaves(check, round - 1, &check->before);
	if (r == 0 && round > 1)
		r = check_root(check, &check->before, before);
	if (r != 0)
		return r;
	check->sums = malloc((check->before.n + 1) * sizeof(*check->sums));
	if (!check->sums)
		return cli_fault(-ENOMEM, "sums");
	if (check->before.n)
		memcpy(check->sums, check->before.items, check->before.n * sizeof(*check->sums));
	check->n = check->before.n;
	r = add_epochs(check);
	if (r == 0)
		r = take_off(check, json_object_get(row, "corrections"));
	if (r == 0)
		r = compare_sums(check);
	return r == 0 ? say_good(check, row) : r;
}

/* The first root that has the epoch; 0: none yet. */
static int find_round(struct check *check, uint32_t epoch, int64_t *ret_round)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/roots?limit=100&kind=%s",
					reward_kind_words[check->kind]);
	json_t *item;
	size_t i;
	int r = path ? client_list(check->client, path, 0, &items) : cli_fault(-ENOMEM, "roots");

	*ret_round = 0;
	json_array_foreach(items, i, item)
		if (json_integer_value(json_object_get(item, "through")) >= (json_int_t)epoch)
			*ret_round = json_integer_value(json_object_get(item, "round"));
	return r;
}

static int check_kind(struct client *client, struct rpc *rpc, enum reward_kind kind, uint32_t epoch)
{
	_cleanup_(check_done) struct check check = { .client = client, .rpc = rpc, .kind = kind };
	int64_t round;
	int r = find_round(&check, epoch, &round);

	if (r == 0 && round == 0)
		fprintf(stderr, "no %s root has epoch %" PRIu32 " yet\n", reward_kind_words[kind],
			epoch);
	return r == 0 && round > 0 ? check_round(&check, round) : r;
}

int recompute_roots(struct client *client, const char *rpc_url, uint32_t epoch)
{
	_cleanup_(json_decrefp) json_t *chain = NULL;
	struct client_call call = {
		.method = "GET", .path = "/v1/chain", .anonymous = true, .may_lack = true
	};
	struct rpc_config config = { .urls = &rpc_url,
				     .n_urls = 1,
				     .agree = 1,
				     .timeout_ms = TIMEOUT_MS,
				     .clock = &clock_system };
	struct rpc *rpc = NULL;
	int r = client_call(client, &call, &chain);

	if (r != 0)
		return r;
	if (!json_is_integer(json_object_get(chain, "chain_id")))
		return rpc_url ? cli_fail(CLI_FAILED, "--rpc: the network pays on no chain") : 0;
	config.chain_id = (uint64_t)json_integer_value(json_object_get(chain, "chain_id"));
	r = rpc_url ? rpc_new(&config, &rpc) : 0;
	if (r < 0)
		return r == -EINVAL ? cli_fail(CLI_USAGE,
					       "--rpc: '%s' is no http:// or https:// URL", rpc_url)
				    : cli_fault(r, "--rpc");
	for (enum reward_kind kind = 0; r == 0 && kind < REWARD_KINDS_N; kind++)
		r = check_kind(client, rpc, kind, epoch);
	rpc_free(rpc);
	return r;
}

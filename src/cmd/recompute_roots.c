#include "cmd/recompute_roots.h"

#include "chain/hex.h"
#include "cmd/recompute_chain.h"
#include "rewards/credits.h"
#include "rewards/epoch_text.h"

enum { EPOCHS_MAX = 10000 };

struct check {
	struct client *client;
	struct onchain *onchain; /* NULL: the chain is not asked */
	enum reward_kind kind;
	uint32_t epoch; /* that it is about */
	bool gaps; /* epochs that the network does not tell of are said, and no fault */
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

/* The network does not tell of epochs @from to @to: no root would ever pay what they gave. */
static int miss(const struct check *check, json_int_t from, json_int_t to)
{
	if (!check->gaps)
		return cli_fail(
			CLI_FAILED,
			"%s root %" PRIu64 " leaves out epochs %" PRId64 " to %" PRId64
			", which the network does not list; if it says why (docs/rewards.md, "
			"While the control plane is away), --gaps lets them be",
			reward_kind_words[check->kind], check->after.round, (int64_t)from,
			(int64_t)to);
	fprintf(stderr, "%s root %" PRIu64 ": there are no epochs %" PRId64 " to %" PRId64 "\n",
		reward_kind_words[check->kind], check->after.round, (int64_t)from, (int64_t)to);
	return 0;
}

/* Each behind the root before, up to this one's last, once; the first root begins with the first there is. @items: the
 * newest first. */
static int add_listed(struct check *check, const json_t *items)
{
	json_int_t last = (json_int_t)check->after.through, next = -1;
	int r = 0;

	if (check->before.n)
		next = (json_int_t)check->before.through + 1;
	for (size_t i = json_array_size(items); r == 0 && i-- > 0;) {
		const json_t *item = json_array_get(items, i);
		json_int_t number = json_integer_value(json_object_get(item, "epoch"));

		if (number < next || number > last)
			continue;
		if (next >= 0 && number > next)
			r = miss(check, next, number - 1);
		if (r == 0)
			r = add_epoch(check, number);
		if (r == 0 && next < 0 && number > (json_int_t)check->epoch)
			r = miss(check, check->epoch, number - 1);
		next = number + 1;
	}
	if (r == 0 && next <= last)
		r = miss(check, next < 0 ? check->epoch : next, last);
	return r;
}

static int add_epochs(struct check *check)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	int r = client_list(check->client, "/v1/rewards?limit=100", EPOCHS_MAX, &items);

	return r == 0 ? add_listed(check, items) : r;
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

/* What the network says of the root's state is held against the contract's. */
static int check_place(struct check *check, const struct reward_leaves *leaves, const json_t *row,
		       const uint8_t root[32], enum root_place *ret_place)
{
	const char *state = json_string_value(json_object_get(row, "state"));
	int r = recompute_chain_root(check->onchain, leaves, root, ret_place);

	if (r != 0 || *ret_place != ROOT_IS_ABSENT || !state ||
	    (strcmp(state, "active") != 0 && strcmp(state, "proposed") != 0))
		return r;
	return cli_fail(CLI_FAILED,
			"the network says that %s root %" PRIu64 " is %s, and the "
			"contract has none of that number",
			reward_kind_words[check->kind], leaves->round, state);
}

/* That the leaves make the root that is published, and the chain's. */
static int check_root(struct check *check, const struct reward_leaves *leaves, const json_t *row,
		      enum root_place *ret_place)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	const char *text = json_string_value(json_object_get(row, "root"));
	json_int_t through = json_integer_value(json_object_get(row, "through"));
	uint8_t root[32];
	int r = reward_leaves_tree(leaves, &merkle);

	if (r == -ENOMEM)
		return cli_fault(r, "the tree");
	if (r < 0 || !text || hex_data_exact(text, strlen(text), root, 32) < 0 ||
	    memcmp(merkle_root(merkle)->bytes, root, 32) != 0)
		return cli_fail(CLI_FAILED, "%s root %" PRIu64 " is not that of its leaves",
				reward_kind_words[check->kind], leaves->round);
	if (through < 0 || (uint64_t)through != leaves->through)
		return cli_fail(CLI_FAILED,
				"%s root %" PRIu64 " has another last epoch than its leaves",
				reward_kind_words[check->kind], leaves->round);
	return check->onchain ? check_place(check, leaves, row, root, ret_place) : 0;
}

static int say_good(const struct check *check, enum root_place place)
{
	static const char *const words[] = {
		[ROOT_IS_ABSENT] = "; it is not proposed there",
		[ROOT_IS_PENDING] = ", and is the one proposed there",
		[ROOT_IS_ACTIVE] = ", and is the one in effect there",
		[ROOT_WAS_ACTIVE] = ", and was in effect there",
	};
	char contract[ADDRESS_TEXT_SIZE];

	address_text(&check->after.distributor, contract);
	fprintf(stderr,
		"%s root %" PRIu64 " of %s, through epoch %" PRIu64
		", follows from the records%s\n",
		reward_kind_words[check->kind], check->after.round, contract, check->after.through,
		check->onchain ? words[place] : "");
	return 0;
}

static int get_root(struct check *check, int64_t round, json_t **ret_row)
{
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/roots/%s/%" PRId64,
					reward_kind_words[check->kind], round);

	return path ? client_get(check->client, path, ret_row) : cli_fault(-ENOMEM, "roots");
}

/* A root is proposed behind one that is in effect only. */
static int check_before(struct check *check, int64_t round)
{
	_cleanup_(json_decrefp) json_t *row = NULL;
	enum root_place place = ROOT_IS_ACTIVE;
	int r = get_root(check, round, &row);

	if (r == 0)
		r = fetch_leaves(check, round, &check->before);
	if (r == 0)
		r = check_root(check, &check->before, row, &place);
	if (r == 0 && place != ROOT_IS_ACTIVE && place != ROOT_WAS_ACTIVE)
		return cli_fail(CLI_FAILED,
				"%s root %" PRId64 " was never in effect in the contract, and the "
				"next is made of it",
				reward_kind_words[check->kind], round);
	return r;
}

/* The sums to begin with. */
static int copy_before(struct check *check)
{
	check->sums = malloc((check->before.n + 1) * sizeof(*check->sums));
	if (!check->sums)
		return cli_fault(-ENOMEM, "sums");
	if (check->before.n)
		memcpy(check->sums, check->before.items, check->before.n * sizeof(*check->sums));
	check->n = check->before.n;
	return 0;
}

static bool has_epoch(const struct check *check)
{
	return check->after.through >= check->epoch &&
	       (!check->before.n || check->before.through < check->epoch);
}

static int check_round(struct check *check, int64_t round)
{
	_cleanup_(json_decrefp) json_t *row = NULL;
	enum root_place place = ROOT_IS_ABSENT;
	int r = get_root(check, round, &row);

	if (r == 0)
		r = fetch_leaves(check, round, &check->after);
	if (r == 0)
		r = check_root(check, &check->after, row, &place);
	if (r == 0 && round > 1)
		r = check_before(check, round - 1);
	if (r == 0 && !has_epoch(check))
		r = nonsense("list of roots");
	if (r == 0)
		r = copy_before(check);
	if (r == 0)
		r = add_epochs(check);
	if (r == 0)
		r = take_off(check, json_object_get(row, "corrections"));
	if (r == 0)
		r = compare_sums(check);
	return r == 0 ? say_good(check, place) : r;
}

/* The first root that has the epoch (0: none yet), and the last there is. */
static int find_round(struct check *check, int64_t *ret_round, int64_t *ret_last)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const char *path = arena_printf(client_arena(check->client),
					"/v1/rewards/roots?limit=100&kind=%s",
					reward_kind_words[check->kind]);
	json_t *item;
	size_t i;
	int r = path ? client_list(check->client, path, 0, &items) : cli_fault(-ENOMEM, "roots");

	*ret_round = *ret_last = 0;
	json_array_foreach(items, i, item) {
		json_int_t round = json_integer_value(json_object_get(item, "round"));

		if (json_integer_value(json_object_get(item, "through")) >=
		    (json_int_t)check->epoch)
			*ret_round = round;
		if (round > *ret_last)
			*ret_last = round;
	}
	return r;
}

/* The contract is asked first: what it has, the network told before. */
static int check_kind(const struct check *all, enum reward_kind kind)
{
	_cleanup_(check_done) struct check check = *all;
	int64_t round, last;
	uint64_t known = 0;
	int r = check.onchain ? recompute_chain_last(check.onchain, kind, &known) : 0;

	check.kind = kind;
	if (r == 0)
		r = find_round(&check, &round, &last);
	if (r != 0)
		return r;
	if ((uint64_t)last < known)
		return cli_fail(CLI_FAILED,
				"the contract has %s root %" PRIu64
				", and the network's last is %" PRId64,
				reward_kind_words[kind], known, last);
	if (round > 0)
		return check_round(&check, round);
	fprintf(stderr, "no %s root has epoch %" PRIu32 " yet\n", reward_kind_words[kind],
		check.epoch);
	return 0;
}

static int pays_on_chain(struct client *client, bool *ret_pays)
{
	_cleanup_(json_decrefp) json_t *chain = NULL;
	struct client_call call = {
		.method = "GET", .path = "/v1/chain", .anonymous = true, .may_lack = true
	};
	int r = client_call(client, &call, &chain);

	*ret_pays = json_is_integer(json_object_get(chain, "chain_id"));
	return r;
}

int recompute_roots(struct client *client, const struct options *options, uint32_t epoch)
{
	struct check check = { .client = client,
			       .epoch = epoch,
			       .gaps = options_has(options, "gaps") };
	struct onchain onchain;
	bool pays;
	int r = pays_on_chain(client, &pays);

	if (r != 0)
		return r;
	if (!pays)
		return options_has(options, "rpc")
			       ? cli_fail(CLI_FAILED, "--rpc: the network pays on no chain")
			       : 0;
	if (options_has(options, "rpc")) {
		r = onchain_attach(options, &onchain);
		if (r != 0)
			return r;
		check.onchain = &onchain;
	}
	for (enum reward_kind kind = 0; r == 0 && kind < REWARD_KINDS_N; kind++)
		r = check_kind(&check, kind);
	if (check.onchain)
		onchain_end(&onchain);
	return r;
}

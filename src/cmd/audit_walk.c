/* audit_walk.c - `kaisar admin audit`: every batch of the audit log computed again from its entries, and each held
 * against the roots on the chain, each root asked for once. */
#include "cmd/audit.h"

#include "base/clock.h"
#include "chain/hex.h"
#include "cmd/anchor.h"
#include "cmd/cli.h"

enum { PAGE = 100, ARENA_BYTES = 16 << 20, WAITS_MAX_MS = 60 * 1000 };

static const struct option_row rows[] = {
	{ "from", 0, "BATCH", "begin with this one, believing what is before it (1)" },
	ANCHOR_ROWS,
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar admin audit [OPTIONS]",
	.about = "Checks the whole audit log: that each batch has just the entries that it was "
		 "sealed "
		 "with, that none is\n"
		 "missing, and with --rpc that the chain says the same. Ends with 1 at the first "
		 "that "
		 "differs.",
	.rows = rows,
};

struct walk {
	struct cli *cli;
	struct arena *arena; /* emptied behind each batch */
	bool chain, anchored;
	int64_t from, next; /* the first and the next batch's number */
	uint8_t before[AUDIT_DIGEST_SIZE];
	int64_t entries;

	/* The root on the chain that the last batch is under, and how many of its leaves were seen. */
	struct anchor_place place;
	struct anchor_found found;
	uint32_t of_root;
	bool partial; /* the walk began within it */
	int64_t roots, waiting;
	uint64_t last; /* the last root that was final when the walk began */
};

/* ---- entries ---- */

static int read_entries(struct walk *walk, const json_t *list, int64_t number,
			uint8_t (*digests)[AUDIT_DIGEST_SIZE])
{
	const char *before = "";
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const json_t *json = json_array_get(list, i);
		struct audit_read_entry entry;

		r = audit_read_entry(json, walk->arena, &entry);
		if (r != 0)
			return r;
		if (strcmp(before, entry.text.entry) >= 0 ||
		    json_integer_value(json_object_get(json, "batch")) != number)
			return cli_fail(CLI_FAILED, "the entries of batch %" PRId64 " are mixed up",
					number);
		before = entry.text.entry;
		memcpy(digests[i], entry.digest, sizeof(digests[i]));
	}
	return r;
}

static int check_entries(struct walk *walk, const struct audit_read_batch *batch)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	_cleanup_(json_decrefp) json_t *answer = NULL;
	int64_t number = batch->batch.number;
	uint8_t(*digests)[AUDIT_DIGEST_SIZE];
	const json_t *list;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/v1/admin/audit/batches/%" PRId64, number);
	r = client_get(walk->cli->client, path, &answer);
	if (r != 0)
		return r;
	walk->chain = json_is_true(json_object_get(answer, "chain"));
	list = json_object_get(answer, "entries");
	if ((int64_t)json_array_size(list) != batch->batch.entries)
		return cli_fail(CLI_FAILED,
				"batch %" PRId64 " was sealed with %" PRId64
				" entries, and has %zu",
				number, batch->batch.entries, json_array_size(list));
	digests = arena_array(walk->arena, AUDIT_ENTRIES_MAX, sizeof(*digests));
	if (!digests)
		return cli_fault(-ENOMEM, "audit");
	r = read_entries(walk, list, number, digests);
	if (r == 0 && audit_tree(digests, json_array_size(list), &merkle) != 0)
		r = cli_fault(-ENOMEM, "audit");
	if (r == 0 && memcmp(merkle_root(merkle)->bytes, batch->batch.root, 32) != 0)
		r = cli_fail(CLI_FAILED,
			     "the entries of batch %" PRId64
			     " are not those that it was sealed with",
			     number);
	walk->entries += r == 0 ? batch->batch.entries : 0;
	return r;
}

/* ---- the chain ---- */

/* All that is under the root must have been seen: what is missing was removed. */
static int leave_root(const struct walk *walk)
{
	if (walk->roots == 0 || walk->partial || walk->of_root == walk->found.root.leaves)
		return 0;
	return cli_fail(CLI_FAILED,
			"root %" PRIu64 " on the chain has %" PRIu32
			" batches, the log has %" PRIu32 " of them",
			walk->found.root.sequence, walk->found.root.leaves, walk->of_root);
}

static int enter_root(struct walk *walk, const struct audit_read_batch *batch)
{
	int r = leave_root(walk);

	if (r == 0)
		r = anchor_prove(walk->cli->client, &table, &walk->cli->options, ANCHOR_AUDIT,
				 batch->id, batch->digest, &walk->place, &walk->found);
	walk->partial = walk->roots == 0 && walk->from > 1;
	walk->of_root = 1;
	walk->roots++;
	return r;
}

/* Under the root that was found on the chain for a batch before it. */
static int check_leaf(struct walk *walk, const struct audit_read_batch *batch,
		      const json_t *inclusion)
{
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf, root;
	const json_t *list = json_object_get(inclusion, "path");
	struct anchor_leaf record;
	size_t n = json_array_size(list);
	bool well = json_is_array(list) && n <= MERKLE_DEPTH_MAX;

	for (size_t i = 0; well && i < n; i++) {
		const json_t *hash = json_array_get(list, i);

		well = json_is_string(hash) &&
		       hex_data_exact(json_string_value(hash), json_string_length(hash),
				      path[i].bytes, sizeof(path[i].bytes)) == 0;
	}
	memcpy(record.id, batch->id, sizeof(record.id));
	memcpy(record.digest, batch->digest, sizeof(record.digest));
	anchor_leaf_hash(&walk->place, &record, &leaf);
	memcpy(root.bytes, walk->found.root.root, sizeof(root.bytes));
	if (!well || !merkle_leads(&leaf, path, n, &root))
		return cli_fail(CLI_FAILED, "batch %" PRId64 " is not under root %" PRIu64,
				batch->batch.number, walk->found.root.sequence);
	walk->of_root++;
	return 0;
}

static int check_anchor(struct walk *walk, const struct audit_read_batch *batch)
{
	_cleanup_(json_decrefp) json_t *inclusion = NULL;
	bool waits, young = clock_now_ms(&clock_system) - batch->batch.sealed_ms < WAITS_MAX_MS;
	const json_t *anchor;
	uint64_t sequence;
	int r = anchor_find(walk->cli->client, ANCHOR_AUDIT, batch->id, &inclusion, &waits);

	if (r != 0)
		return r;
	if (!inclusion && !waits && !young)
		return cli_fail(CLI_FAILED, "batch %" PRId64 " is no record of the network's",
				batch->batch.number);
	anchor = json_object_get(inclusion, "anchor");
	if (!inclusion || !json_is_true(json_object_get(anchor, "final"))) {
		walk->waiting++;
		return 0;
	}
	sequence = (uint64_t)json_integer_value(json_object_get(anchor, "sequence"));
	if (walk->roots > 0 && sequence == walk->found.root.sequence)
		return check_leaf(walk, batch, inclusion);
	return enter_root(walk, batch);
}

static int find_last(struct walk *walk)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const json_t *items;
	int r = client_get(walk->cli->client, "/v1/anchors?kind=audit&limit=100", &answer);

	items = json_object_get(answer, "items");
	for (size_t i = 0; r == 0 && walk->last == 0 && i < json_array_size(items); i++) {
		const json_t *root = json_array_get(items, i);

		if (json_is_true(json_object_get(root, "final")))
			walk->last = (uint64_t)json_integer_value(
				json_object_get(root, "sequence"));
	}
	return r;
}

/* Batches that were removed from the end are under a root all the same. */
static int check_end(const struct walk *walk)
{
	int r = leave_root(walk);

	if (r == 0 && walk->last > (walk->roots ? walk->found.root.sequence : 0))
		r = cli_fail(CLI_FAILED,
			     "root %" PRIu64 " on the chain has batches that the log has not",
			     walk->last);
	return r;
}

/* ---- the walk ---- */

static int take_batch(struct walk *walk, const json_t *json)
{
	struct audit_read_batch batch;
	int r = audit_read_batch(json, &batch);

	if (r != 0)
		return r;
	if (batch.batch.number != walk->next)
		return cli_fail(CLI_FAILED, "batch %" PRId64 " is missing", walk->next);
	if ((walk->next > walk->from || walk->from == 1) &&
	    memcmp(batch.batch.before, walk->before, sizeof(walk->before)) != 0)
		return cli_fail(CLI_FAILED, "batch %" PRId64 " does not follow from the one before",
				walk->next);
	r = check_entries(walk, &batch);
	if (r == 0 && walk->anchored)
		r = check_anchor(walk, &batch);
	memcpy(walk->before, batch.digest, sizeof(walk->before));
	walk->next++;
	arena_reset(walk->arena);
	return r;
}

static int take_page(struct walk *walk, bool *ret_more)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	const json_t *items;
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/v1/admin/audit/batches?limit=%d&cursor=%" PRId64, PAGE,
		 walk->next - 1);
	r = client_get(walk->cli->client, path, &answer);
	items = json_object_get(answer, "items");
	for (size_t i = 0; r == 0 && i < json_array_size(items); i++)
		r = take_batch(walk, json_array_get(items, i));
	/* A root that was found meanwhile may have batches that were sealed meanwhile: until there are none. */
	*ret_more = r == 0 && json_array_size(items) > 0;
	return r;
}

static int say(const struct walk *walk)
{
	int64_t n = walk->next - walk->from;

	printf("%" PRId64 " batches, %" PRId64 " entries: all as they were sealed.\n", n,
	       walk->entries);
	if (walk->anchored)
		printf("On chain %" PRIu64 ": %" PRId64 " of them, under %" PRId64
		       " roots; %" PRId64 " wait for theirs.\n",
		       walk->place.chain_id, n - walk->waiting, walk->roots, walk->waiting);
	else if (walk->chain)
		printf("Not checked on the chain: name an endpoint with --rpc.\n");
	else
		printf("Not anchored: this network has no chain.\n");
	return fflush(stdout) != 0 ? cli_fault(-errno, "output") : 0;
}

static int go(struct cli *cli, struct arena *arena)
{
	const char *from = options_get(&cli->options, "from", "1");
	struct walk walk = { .cli = cli,
			     .arena = arena,
			     .anchored = options_has(&cli->options, "rpc") };
	bool more = true;
	char *end;
	int r = 0;

	walk.from = walk.next = strtoll(from, &end, 10);
	if (*end || walk.from < 1 || walk.from == INT64_MAX)
		return options_refuse(&table, "--from is a batch's number, from 1 on");
	if (walk.anchored)
		r = find_last(&walk);
	while (r == 0 && more)
		r = take_page(&walk, &more);
	if (r == 0 && walk.anchored)
		r = check_end(&walk);
	return r == 0 ? say(&walk) : r;
}

int audit_admin(int argc, char **argv)
{
	struct arena *arena;
	struct cli cli;
	int status, r;

	if (cli_begin(&table, argc, argv, &cli, &status) != 0)
		return status;
	r = arena_new(ARENA_BYTES, &arena);
	status = r < 0 ? cli_fault(r, "audit") : go(&cli, arena);
	if (r == 0)
		arena_free(arena);
	cli_end(&cli);
	return status;
}

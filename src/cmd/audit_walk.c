/* audit_walk.c - `kaisar admin audit`: every batch of the audit log computed again from its entries, and each held
 * against the roots on the chain: each root of batches there, in order, and none left out. */
#include "cmd/audit.h"

#include "base/clock.h"
#include "cmd/anchor_roots.h"
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

	struct anchor_roots roots; /* those of batches that were final when the walk began */
	size_t entered; /* so many of them: the last batch is under the last of these, */
	uint32_t of_root; /* of whose leaves so many were seen; 0: none was entered yet */
	bool partial; /* the walk began within the last one */
	int64_t waiting; /* batches in none of them */
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

/* The root that the last batch is under. */
static const struct anchor_root *root_of(const struct walk *walk)
{
	return &walk->roots.list[walk->entered - 1];
}

/* All that is under it must have been seen: what is missing was removed. */
static int leave_root(const struct walk *walk)
{
	if (walk->entered == 0 || walk->partial || walk->of_root == root_of(walk)->leaves)
		return 0;
	return cli_fail(CLI_FAILED,
			"root %" PRIu64 " on the chain has %" PRIu32
			" batches, the log has %" PRIu32 " of them",
			root_of(walk)->sequence, root_of(walk)->leaves, walk->of_root);
}

/* A walk that begins within the log believes what is before it. */
static void skip_to(struct walk *walk, uint64_t sequence)
{
	while (walk->entered < walk->roots.n && walk->roots.list[walk->entered].sequence < sequence)
		walk->entered++;
}

/* The next one is that which the chain has next: between two there is none that the log does not know. */
static int enter_root(struct walk *walk, uint64_t sequence)
{
	int r = leave_root(walk);

	if (r != 0)
		return r;
	walk->partial = walk->of_root == 0 && walk->from > 1;
	if (walk->partial)
		skip_to(walk, sequence);
	if (walk->entered == walk->roots.n || walk->roots.list[walk->entered].sequence != sequence)
		return cli_fail(CLI_FAILED,
				"batch %" PRId64 " is under root %" PRIu64
				" as the network says, and on the chain the next root of batches "
				"is another: those before were made anew",
				walk->next, sequence);
	walk->entered++;
	walk->of_root = 0;
	return 0;
}

static int check_leaf(struct walk *walk, const struct audit_read_batch *batch,
		      const json_t *inclusion)
{
	struct merkle_hash path[MERKLE_DEPTH_MAX], leaf, root;
	struct anchor_leaf record;
	size_t n;
	bool well = anchor_read_path(json_object_get(inclusion, "path"), path, &n) == 0;

	memcpy(record.id, batch->id, sizeof(record.id));
	memcpy(record.digest, batch->digest, sizeof(record.digest));
	anchor_leaf_hash(&walk->roots.place, &record, &leaf);
	memcpy(root.bytes, root_of(walk)->root, sizeof(root.bytes));
	if (!well || !merkle_leads(&leaf, path, n, &root))
		return cli_fail(CLI_FAILED,
				"batch %" PRId64 " is not under root %" PRIu64
				" as it is: the network anchored another record of this id",
				batch->batch.number, root_of(walk)->sequence);
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
	sequence = (uint64_t)json_integer_value(json_object_get(anchor, "sequence"));
	/* Roots that came while this walk went on are another walk's. */
	if (!inclusion || sequence > walk->roots.last) {
		walk->waiting++;
		return 0;
	}
	if (walk->waiting > 0)
		return cli_fail(CLI_FAILED,
				"batch %" PRId64
				" is under a root, and one before it is under none",
				batch->batch.number);
	if (walk->entered == 0 || sequence != root_of(walk)->sequence)
		r = enter_root(walk, sequence);
	return r == 0 ? check_leaf(walk, batch, inclusion) : r;
}

/* Batches that were removed from the end are under a root all the same. */
static int check_end(struct walk *walk)
{
	int r = leave_root(walk);

	/* Nothing of it was under a root: what is on the chain is before it. */
	if (walk->of_root == 0 && walk->from > 1)
		return r;
	if (r == 0 && walk->entered < walk->roots.n)
		r = cli_fail(CLI_FAILED,
			     "root %" PRIu64 " on the chain has batches that the log has not",
			     walk->roots.list[walk->entered].sequence);
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
		printf("On chain %" PRIu64 ": %" PRId64
		       " of them, under the %zu roots of batches there; %" PRId64
		       " wait for theirs.\n",
		       walk->roots.place.chain_id, n - walk->waiting, walk->roots.n, walk->waiting);
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
		r = anchor_roots_read(cli->client, &table, &cli->options, ANCHOR_AUDIT,
				      &walk.roots);
	while (r == 0 && more)
		r = take_page(&walk, &more);
	if (r == 0 && walk.anchored)
		r = check_end(&walk);
	if (r == 0)
		r = say(&walk);
	anchor_roots_free(&walk.roots);
	return r;
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

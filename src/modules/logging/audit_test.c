#include "modules/logging/audit_log.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "api/settings.h"
#include "io/db_fixture.h"
#include "io/migrate.h"

enum { THREADS = 4, ENTRIES_EACH = 60, ARENA_BYTES = 16 << 20 };
#define NOW_MS INT64_C(1763881945123)

static struct store store;
static struct clock_fake fake;
static struct settings settings;
static struct context context;

static const struct address somebody = { { 1 } };
static const struct account_id owner = { { { 2 } } };

struct adding {
	struct audit_entry entry;
	int n; /* entries */
	int then; /* what the transaction ends with */
};

static int add(struct tx *tx, void *arg)
{
	const struct adding *adding = arg;
	int r = 0;

	for (int i = 0; r == 0 && i < adding->n; i++) {
		struct audit_entry entry = adding->entry;

		entry.detail = entry.detail ? json_deep_copy(entry.detail)
					    : json_pack("{s:i, s:s}", "n", i, "a", "first");
		r = audit_record(&context, tx, &entry);
	}
	return r == 0 ? adding->then : r;
}

static int record(struct audit_entry entry, int n, int then)
{
	struct adding adding = { entry, n, then };
	int r = store_run(&store, TX_WRITE, add, &adding);

	json_decref(entry.detail);
	return r;
}

static struct audit_entry an_entry(void)
{
	return (struct audit_entry){ .action = AUDIT_ROLE_GRANTED,
				     .by = AUDIT_OPERATOR,
				     .actor = &somebody,
				     .subject = "subject",
				     .owner = &owner };
}

static void seal(void)
{
	struct arena *arena;

	assert_int_equal(arena_new(ARENA_BYTES, &arena), 0);
	assert_int_equal(audit_seal(&context, arena), 0);
	arena_free(arena);
}

static int64_t count(const char *what)
{
	char sql[256];

	snprintf(sql, sizeof(sql), "SELECT COUNT(*) AS n FROM %s", what);
	return store_number(&store, sql);
}

/* ---- what holds of all batches, as a reader finds it ---- */

struct walk {
	int64_t batches, entries;
	bool sound;
};

static int walk_batch(struct tx *tx, const struct audit_batch_row *row, struct walk *walk)
{
	_cleanup_(merkle_freep) struct merkle *merkle = NULL;
	struct audit_batch batch = row->batch;
	uint8_t digest[AUDIT_DIGEST_SIZE];
	struct audit_row *rows;
	size_t n;
	int r = audit_store_of_batch(tx, batch.number, &rows, &n);

	if (r == 0)
		r = audit_rows_tree(rows, n, tx_arena(tx), &merkle);
	if (r == -EINVAL) {
		walk->sound = false;
		return 0;
	}
	if (r != 0)
		return r;
	batch.network = settings.network;
	audit_batch_digest(&batch, digest);
	if (memcmp(digest, row->digest, sizeof(digest)) != 0 || batch.entries != (int64_t)n ||
	    memcmp(merkle_root(merkle), batch.root, sizeof(batch.root)) != 0)
		walk->sound = false;
	for (size_t i = 0; i < n; i++) {
		struct merkle_hash path[MERKLE_DEPTH_MAX];
		size_t depth = merkle_prove(merkle, i, path);

		r = audit_row_digest(&rows[i], tx_arena(tx), digest);
		if (r != 0)
			return r;
		if (depth > AUDIT_PATH_MAX || !audit_leads(digest, path, depth, &batch))
			walk->sound = false;
	}
	walk->entries += (int64_t)n;
	return 0;
}

static int walk_all(struct tx *tx, void *arg)
{
	struct walk *walk = arg;
	uint8_t before[AUDIT_DIGEST_SIZE] = { 0 };
	struct audit_batch_row *rows;
	size_t n;
	int r = audit_store_batches(tx, 0, 10000, &rows, &n);

	*walk = (struct walk){ .batches = (int64_t)n, .sound = true };
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (rows[i].batch.number != (int64_t)i + 1 ||
		    memcmp(rows[i].batch.before, before, sizeof(before)) != 0)
			walk->sound = false;
		memcpy(before, rows[i].digest, sizeof(before));
		r = walk_batch(tx, &rows[i], walk);
	}
	return r;
}

static struct walk walk(void)
{
	struct walk walk;

	assert_int_equal(store_run(&store, TX_READ, walk_all, &walk), 0);
	return walk;
}

/* ---- tests ---- */

static void an_entry_exists_exactly_when_its_deed_does(void **state _unused_)
{
	int64_t before = count("audit_entries");

	assert_int_equal(record(an_entry(), 1, 1), 1);
	assert_int_equal(count("audit_entries"), before);
	assert_int_equal(record(an_entry(), 1, 0), 0);
	assert_int_equal(count("audit_entries"), before + 1);
}

static void what_is_no_entry_is_refused(void **state _unused_)
{
	static char longest[AUDIT_DETAIL_MAX + 1];
	struct audit_entry entry = an_entry();

	memset(longest, 'x', sizeof(longest) - 1);
	entry.detail = json_pack("{s:s}", "memo", longest);
	assert_int_equal(record(entry, 1, 0), -E2BIG);
	entry.detail = json_pack("[s]", "memo");
	assert_int_equal(record(entry, 1, 0), -EINVAL);
	entry = an_entry();
	entry.subject = "one\nowner: two";
	assert_int_equal(record(entry, 1, 0), -EINVAL);
	entry = an_entry();
	entry.actor = NULL;
	assert_int_equal(record(entry, 1, 0), -EINVAL);
}

static int read_text(struct tx *tx, void *arg)
{
	struct audit_origin origin;
	struct audit_row *rows;
	size_t n;
	int r = audit_store_open(tx, 1, &rows, &n);

	if (r == 0)
		r = audit_row_text(&rows[0], tx_arena(tx), arg, &origin);
	return r;
}

static void an_entry_says_what_was_recorded(void **state _unused_)
{
	struct audit_text text;
	struct adding adding = { an_entry(), 1, 0 };

	seal();
	assert_int_equal(db_run(store.db, TX_WRITE, store.arena, add, &adding), 0);
	assert_int_equal(db_run(store.db, TX_READ, store.arena, read_text, &text), 0);
	assert_int_equal(text.at_ms, NOW_MS);
	assert_string_equal(text.actor, "operator 0x0100000000000000000000000000000000000000");
	assert_string_equal(text.action, "role.granted");
	assert_string_equal(text.owner, "0x0200000000000000000000000000000000000000");
	assert_string_equal(text.origin, "-");
	assert_string_equal(text.detail, "{\"a\":\"first\",\"n\":0}");
	arena_reset(store.arena);
}

static void many_are_sealed_in_batches_that_hold_together(void **state _unused_)
{
	struct walk before;

	seal();
	before = walk();
	assert_true(before.sound);
	assert_int_equal(record(an_entry(), AUDIT_ENTRIES_MAX + 6, 0), 0);
	seal();
	assert_int_equal(walk().batches, before.batches + 2);
	assert_int_equal(walk().entries, before.entries + AUDIT_ENTRIES_MAX + 6);
	assert_true(walk().sound);
	seal();
	assert_int_equal(walk().batches, before.batches + 2);
}

static void *record_many(void *arg)
{
	struct adding adding = { an_entry(), 1, 0 };
	struct arena *arena;

	if (arena_new(1 << 20, &arena) < 0)
		return arg;
	for (int i = 0; i < ENTRIES_EACH; i++) {
		arena_reset(arena);
		if (db_run(store.db, TX_WRITE, arena, add, &adding) != 0)
			arg = NULL;
	}
	arena_free(arena);
	return arg;
}

static void entries_that_come_while_others_are_sealed_are_sealed_once(void **state _unused_)
{
	int64_t before = count("audit_entries");
	pthread_t threads[THREADS];
	void *well;

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, record_many, &store), 0);
	for (int i = 0; i < 20; i++)
		seal();
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &well);
		assert_ptr_equal(well, &store);
	}
	seal();
	assert_int_equal(count("audit_entries"), before + THREADS * ENTRIES_EACH);
	assert_int_equal(walk().entries, before + THREADS * ENTRIES_EACH);
	assert_true(walk().sound);
}

/* Each on its own, and mended again. */
static void whatever_is_changed_is_found(void **state _unused_)
{
	static const struct {
		const char *change, *mend;
	} lies[] = {
		{ "UPDATE audit_entries SET subject = 'other' WHERE id = (SELECT id FROM"
		  " audit_entries ORDER BY id DESC LIMIT 1)",
		  "UPDATE audit_entries SET subject = 'subject'" },
		{ "UPDATE audit_entries SET actor_kind = 1 WHERE id = (SELECT id FROM"
		  " audit_entries ORDER BY id LIMIT 1)",
		  "UPDATE audit_entries SET actor_kind = 2" },
		{ "UPDATE audit_batches SET sealed_at = sealed_at + 1",
		  "UPDATE audit_batches SET sealed_at = sealed_at - 1" },
		{ "UPDATE audit_entries SET batch = NULL WHERE batch = 1",
		  "UPDATE audit_entries SET batch = 1 WHERE batch IS NULL" },
		{ "UPDATE audit_batches SET number = -1 WHERE number = 1",
		  "UPDATE audit_batches SET number = 1 WHERE number = -1" },
	};

	assert_true(walk().sound);
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		store_exec(&store, lies[i].change);
		assert_false(walk().sound);
		store_exec(&store, lies[i].mend);
		assert_true(walk().sound);
	}
	store_exec(&store, "DELETE FROM audit_entries WHERE id = (SELECT id FROM"
			   " audit_entries ORDER BY id DESC LIMIT 1)");
	assert_false(walk().sound);
}

struct taking {
	int64_t max, through;
	size_t n;
	int64_t first;
};

static int take(struct tx *tx, void *arg)
{
	struct taking *taking = arg;
	struct audit_sealed *sealed;
	int r = audit_sealed(tx, taking->max, &sealed, &taking->n);

	taking->first = r == 0 && taking->n ? sealed[0].number : 0;
	return r == 0 && taking->through ? audit_taken(tx, taking->through) : r;
}

static void sealed_batches_are_handed_over_in_order(void **state _unused_)
{
	struct taking taking = { .max = 2, .through = 2 };
	int64_t all = walk().batches;

	assert_int_equal(store_run(&store, TX_WRITE, take, &taking), 0);
	assert_int_equal(taking.n, 2);
	assert_int_equal(taking.first, 1);
	taking = (struct taking){ .max = 10000 };
	assert_int_equal(store_run(&store, TX_WRITE, take, &taking), 0);
	assert_int_equal(taking.n, all - 2);
	assert_int_equal(taking.first, 3);
}

static int run(enum store_kind kind)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_exists_exactly_when_its_deed_does),
		cmocka_unit_test(what_is_no_entry_is_refused),
		cmocka_unit_test(an_entry_says_what_was_recorded),
		cmocka_unit_test(many_are_sealed_in_batches_that_hold_together),
		cmocka_unit_test(entries_that_come_while_others_are_sealed_are_sealed_once),
		cmocka_unit_test(sealed_batches_are_handed_over_in_order),
		cmocka_unit_test(whatever_is_changed_is_found),
	};
	int failed;

	store_open(&store, kind);
	clock_fake_init(&fake, NOW_MS);
	settings.network = somebody;
	context = (struct context){ .clock = &fake.clock,
				    .random = &random_system,
				    .db = store.db,
				    .settings = &settings };
	if (migrate(store.db, migrations, NULL) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	store_close(&store);
	return failed;
}

int main(void)
{
	return store_each(run);
}

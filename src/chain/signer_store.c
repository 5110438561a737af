#include "chain/signer_store.h"

#include "io/migrate.h"
#include "io/store_values.h"

struct signer_store {
	struct db *db;
};

/* Amounts are 32 bytes. A nonce is kept with its call's hash: asked for another call, it is another. */
static const struct migration schema[] = {
	{ 1, "0001_signer",
	  "CREATE TABLE signer_key (key BYTEA NOT NULL, chain_id BIGINT NOT NULL);\n"
	  "CREATE TABLE signer_days (kind TEXT PRIMARY KEY, day BIGINT NOT NULL, calls BIGINT "
	  "NOT NULL);\n"
	  "CREATE TABLE signer_moved (kind TEXT NOT NULL, token BYTEA NOT NULL, day BIGINT NOT "
	  "NULL, units BYTEA NOT NULL, PRIMARY KEY (kind, token));\n"
	  "CREATE TABLE signer_totals (kind TEXT NOT NULL, contract BYTEA NOT NULL, token BYTEA "
	  "NOT NULL, tenant BYTEA NOT NULL, provider BYTEA NOT NULL, total BYTEA NOT NULL, "
	  "PRIMARY KEY (kind, contract, token, tenant, provider));\n"
	  "CREATE TABLE signer_calls (nonce BIGINT NOT NULL, hash BYTEA NOT NULL, day BIGINT NOT "
	  "NULL, PRIMARY KEY (nonce, hash));\n" },
	{ 0 },
};

/* ---- opening ---- */

struct owner {
	const struct address *key;
	int64_t chain_id;
};

static int tx_own(struct tx *tx, void *arg)
{
	const struct owner *owner = arg;
	struct sql_rows *rows;
	struct address key;
	int r = tx_query(tx, "SELECT key, chain_id FROM signer_key", SQL_NO_PARAMS, &rows);

	if (r < 0)
		return r;
	if (rows_count(rows) == 0)
		return no_conflict(tx_exec(
			tx, "INSERT INTO signer_key (key, chain_id) VALUES ($1, $2)",
			SQL_PARAMS(sql_address(owner->key), sql_int(owner->chain_id)), NULL));
	r = rows_bytes(rows, 0, "key", &key, sizeof(key));
	if (r == 0 &&
	    (!address_equal(&key, owner->key) || rows_int(rows, 0, "chain_id") != owner->chain_id))
		r = -EKEYREJECTED;
	return r;
}

static int prepare(struct db *db, struct owner *owner)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(1 << 20, &arena);

	if (r == 0)
		r = migrate(db, schema, NULL);
	return r == 0 ? db_run(db, TX_WRITE, arena, tx_own, owner) : r;
}

int signer_store_open(const char *path, const struct address *key, uint64_t chain_id,
		      struct signer_store **ret_store)
{
	_cleanup_(signer_store_closep) struct signer_store *store = calloc(1, sizeof(*store));
	struct owner owner = { key, (int64_t)chain_id };
	char url[4096];
	int r;

	if (!store)
		return -ENOMEM;
	if (snprintf(url, sizeof(url), "sqlite:%s", path) >= (int)sizeof(url))
		return -ENAMETOOLONG;
	r = db_open(url, 1, &store->db);
	if (r == 0)
		r = prepare(store->db, &owner);
	if (r < 0)
		return r;
	*ret_store = store;
	store = NULL;
	return 0;
}

void signer_store_close(struct signer_store *store)
{
	if (!store)
		return;
	if (store->db)
		db_close(store->db);
	free(store);
}

/* ---- reading ---- */

static struct sql_value sql_units(const struct u256 *units, uint8_t bytes[static 32])
{
	u256_bytes(*units, bytes);
	return sql_blob(bytes, 32);
}

static int read_units(const struct sql_rows *rows, const char *column, struct u256 *ret_units)
{
	uint8_t bytes[32];
	int r = rows_bytes(rows, 0, column, bytes, sizeof(bytes));

	if (r == 0)
		*ret_units = u256_from_bytes(bytes);
	return r;
}

static int read_moved(struct tx *tx, const char *kind, const struct address *token,
		      struct signer_counters *counters)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT day, units FROM signer_moved WHERE kind = $1 AND token = $2",
			 SQL_PARAMS(sql_text(kind), sql_address(token)), &rows);

	if (r != 0 || rows_count(rows) == 0)
		return no_conflict(r);
	counters->moved_day = rows_int(rows, 0, "day");
	return read_units(rows, "units", &counters->moved);
}

static int read_counters(struct tx *tx, enum signer_kind kind, const struct address *token,
			 struct signer_counters *ret_counters)
{
	struct signer_counters counters = { 0 };
	const char *name = signer_kind_name(kind);
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT day, calls FROM signer_days WHERE kind = $1",
			 SQL_PARAMS(sql_text(name)), &rows);

	if (r == 0 && rows_count(rows) > 0) {
		counters.calls_day = rows_int(rows, 0, "day");
		counters.calls = rows_int(rows, 0, "calls");
	}
	if (r == 0 && token)
		r = read_moved(tx, name, token, &counters);
	if (r == 0)
		*ret_counters = counters;
	return no_conflict(r);
}

struct showing {
	enum signer_kind kind;
	const struct address *token;
	struct signer_counters counters;
};

static int tx_show(struct tx *tx, void *arg)
{
	struct showing *showing = arg;

	return read_counters(tx, showing->kind, showing->token, &showing->counters);
}

int signer_store_read(struct signer_store *store, enum signer_kind kind,
		      const struct address *token, int64_t day, struct arena *arena,
		      struct signer_counters *ret_counters)
{
	struct showing showing = { .kind = kind, .token = token };
	int r = db_run(store->db, TX_READ, arena, tx_show, &showing);

	if (r < 0)
		return r;
	if (showing.counters.calls_day < day)
		showing.counters.calls = 0;
	if (showing.counters.moved_day < day)
		showing.counters.moved = u256_from(0);
	*ret_counters = showing.counters;
	return 0;
}

/* ---- counting ---- */

struct counting {
	const struct signer_call *call;
	int64_t day;
	const char *detail;
};

/* Parameters of a claim's row, behind them room for its total. */
#define CLAIM_KEY(call, claim)                                                          \
	sql_text(signer_kind_name((call)->kind)), sql_address(&(call)->rule->contract), \
		sql_address(&(call)->token->token), sql_address(&(claim)->tenant),      \
		sql_address(&(claim)->provider)

static int read_total(struct tx *tx, const struct signer_call *call,
		      const struct signer_claim *claim, struct u256 *ret_total)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT total FROM signer_totals WHERE kind = $1 AND contract = $2 AND "
			 "token = $3 AND tenant = $4 AND provider = $5",
			 SQL_PARAMS(CLAIM_KEY(call, claim)), &rows);

	*ret_total = u256_from(0);
	if (r != 0 || rows_count(rows) == 0)
		return no_conflict(r);
	return read_units(rows, "total", ret_total);
}

static int write_total(struct tx *tx, const struct signer_call *call,
		       const struct signer_claim *claim)
{
	uint8_t total[32];

	return no_conflict(
		tx_exec(tx,
			"INSERT INTO signer_totals (kind, contract, token, tenant, provider, total)"
			" VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (kind, contract, token, "
			"tenant, provider) DO UPDATE SET total = excluded.total",
			SQL_PARAMS(CLAIM_KEY(call, claim), sql_units(&claim->total, total)), NULL));
}

static int write_counters(struct tx *tx, const struct signer_call *call,
			  const struct signer_counters *counters)
{
	const char *kind = signer_kind_name(call->kind);
	uint8_t units[32];
	int r = tx_exec(
		tx,
		"INSERT INTO signer_days (kind, day, calls) VALUES ($1, $2, $3) "
		"ON CONFLICT (kind) DO UPDATE SET day = excluded.day, calls = "
		"excluded.calls",
		SQL_PARAMS(sql_text(kind), sql_int(counters->calls_day), sql_int(counters->calls)),
		NULL);

	if (r == 0 && call->token)
		r = tx_exec(tx,
			    "INSERT INTO signer_moved (kind, token, day, units) VALUES ($1, $2, "
			    "$3, $4) ON CONFLICT (kind, token) DO UPDATE SET day = excluded.day, "
			    "units = excluded.units",
			    SQL_PARAMS(sql_text(kind), sql_address(&call->token->token),
				       sql_int(counters->moved_day),
				       sql_units(&counters->moved, units)),
			    NULL);
	return no_conflict(r);
}

/* True in @ret_new, once. */
static int remember(struct tx *tx, const struct counting *counting, bool *ret_new)
{
	int64_t added = 0;
	int r = tx_exec(tx, "DELETE FROM signer_calls WHERE day < $1",
			SQL_PARAMS(sql_int(counting->day - SIGNER_KEPT_DAYS)), NULL);

	if (r == 0)
		r = tx_exec(tx,
			    "INSERT INTO signer_calls (nonce, hash, day) VALUES ($1, $2, $3) ON "
			    "CONFLICT (nonce, hash) DO NOTHING",
			    SQL_PARAMS(sql_int((int64_t)counting->call->nonce),
				       sql_blob(counting->call->hash, 32), sql_int(counting->day)),
			    &added);
	*ret_new = added > 0;
	return no_conflict(r);
}

static int count(struct tx *tx, struct counting *counting)
{
	const struct signer_call *call = counting->call;
	struct u256 *before = arena_array(tx_arena(tx), call->n_claims + 1, sizeof(*before));
	struct signer_counters counters;
	int r = before ? read_counters(tx, call->kind, call->token ? &call->token->token : NULL,
				       &counters)
		       : -ENOMEM;

	for (size_t i = 0; r == 0 && i < call->n_claims; i++)
		r = read_total(tx, call, &call->claims[i], &before[i]);
	if (r == 0)
		r = signer_policy_count(call, counting->day, before, &counters, tx_arena(tx),
					&counting->detail);
	if (r == 0)
		r = write_counters(tx, call, &counters);
	for (size_t i = 0; r == 0 && i < call->n_claims; i++)
		if (u256_compare(&call->claims[i].total, &before[i]) > 0)
			r = write_total(tx, call, &call->claims[i]);
	return r;
}

static int tx_count(struct tx *tx, void *arg)
{
	struct counting *counting = arg;
	bool is_new;
	int r = remember(tx, counting, &is_new);

	return r == 0 && is_new ? count(tx, counting) : r;
}

int signer_store_count(struct signer_store *store, const struct signer_call *call, int64_t day,
		       struct arena *arena, const char **ret_detail)
{
	struct counting counting = { call, day, NULL };
	int r = db_run(store->db, TX_WRITE, arena, tx_count, &counting);

	if (r == SIGNER_E_REFUSED)
		*ret_detail = counting.detail;
	return r;
}

#include "io/db_postgres.h"

#include "base/clock.h"
#include "base/log.h"

/* A refused statement ends a PostgreSQL transaction, while SQL_E_CONFLICT must leave it usable.
 * A savepoint around each statement would see to that, at a price for every write. Conflicts are
 * rare, and functions may be run again: so the first try goes without, and only if it meets a
 * conflict the function is run again carefully, with savepoints. */

struct pg_db {
	struct db db;
	char *url;
	struct db_pool pool;

	/* After a failure to connect, nobody tries again before @retry_ms. */
	pthread_mutex_t lock;
	int64_t retry_ms, pause_ms;
};

/* ---- the pool ---- */

enum { PAUSE_LEAST_MS = 100, PAUSE_MOST_MS = 5000 };

static bool may_connect(struct pg_db *pg)
{
	bool may;

	pthread_mutex_lock(&pg->lock);
	may = clock_mono_ms(&clock_system) >= pg->retry_ms;
	pthread_mutex_unlock(&pg->lock);
	return may;
}

static void connect_result(struct pg_db *pg, bool ok)
{
	pthread_mutex_lock(&pg->lock);
	if (ok)
		pg->pause_ms = 0;
	else if (pg->pause_ms == 0)
		pg->pause_ms = PAUSE_LEAST_MS;
	else if (pg->pause_ms < PAUSE_MOST_MS)
		pg->pause_ms *= 2;
	pg->retry_ms = clock_mono_ms(&clock_system) + pg->pause_ms;
	pthread_mutex_unlock(&pg->lock);
}

static int pool_connect(struct pg_db *pg, struct pg_connection **ret_connection)
{
	int r;

	if (!may_connect(pg))
		return -EIO;
	r = pg_connect(pg->url, ret_connection);
	connect_result(pg, r == 0);
	return r;
}

static int take(struct pg_db *pg, struct pg_connection **ret_connection)
{
	void *taken;
	int r;

	r = db_pool_take(&pg->pool, &taken);
	if (r < 0)
		return r;
	if (taken) {
		*ret_connection = taken;
		return 0;
	}
	r = pool_connect(pg, ret_connection);
	if (r < 0)
		db_pool_give(&pg->pool, NULL);
	return r;
}

static void drain(struct pg_db *pg)
{
	for (void *connection; (connection = db_pool_drain(&pg->pool));)
		pg_disconnect(connection);
}

static void give(struct pg_db *pg, struct pg_connection *connection)
{
	/* Where one was lost, the idle ones probably were too. */
	if (connection->lost)
		drain(pg);
	if (connection->broken || connection->n_dropped > PG_DROPPED_MAX) {
		pg_disconnect(connection);
		connection = NULL;
	}
	db_pool_give(&pg->pool, connection);
}

/* ---- transactions ---- */

static int begin(struct tx *tx)
{
	struct pg_connection *connection = tx->connection;

	if (connection->begun)
		return 0;
	connection->begun = true;
	return pg_queue_command(connection, tx->mode == TX_READ
						    ? "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"
						    : "BEGIN ISOLATION LEVEL SERIALIZABLE");
}

/* Sends the sets in as few round trips as the connection's limit allows. */
static int send_sets(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
		     int64_t *ret_changed)
{
	struct pg_connection *connection = tx->connection;
	int r = 0;

	for (size_t set = 0; r == 0 && set < call->n_sets;) {
		size_t end = size_min(call->n_sets, set + PG_SETS_MAX);

		for (; r == 0 && set < end; set++)
			r = pg_queue_statement(connection, call->sql,
					       call->params + set * call->n_params, call->n_params);
		if (r == 0 && connection->careful && end == call->n_sets)
			r = pg_queue_command(connection, "RELEASE careful");
		if (r == 0)
			r = pg_round_trip(connection, tx->arena, call->sql, ret_rows, ret_changed);
	}
	return r;
}

static int undo_statement(struct tx *tx)
{
	struct pg_connection *connection = tx->connection;
	int r;

	r = pg_queue_command(connection, "ROLLBACK TO careful");
	if (r == 0)
		r = pg_queue_command(connection, "RELEASE careful");
	if (r == 0)
		r = pg_round_trip(connection, tx->arena, "ROLLBACK TO", NULL, NULL);
	return r == 0 ? SQL_E_CONFLICT : r < 0 ? r : -EIO;
}

static int pg_statement(struct tx *tx, const struct sql_call *call, struct sql_rows **ret_rows,
			int64_t *ret_changed)
{
	struct pg_connection *connection = tx->connection;
	int r;

	r = begin(tx);
	if (r == 0 && connection->careful)
		r = pg_queue_command(connection, "SAVEPOINT careful");
	if (r == 0)
		r = send_sets(tx, call, ret_rows, ret_changed);
	if (r < 0 && connection->n_queued > 0)
		connection->broken = true; /* half a round trip is queued */
	if (r == 0 && PQtransactionStatus(connection->handle) != PQTRANS_INTRANS) {
		db_log_failure("sql_ended", call->sql, "a statement must not end its transaction");
		connection->broken = true;
		return -EIO;
	}
	if (r != SQL_E_CONFLICT)
		return r;
	if (connection->careful)
		return undo_statement(tx);
	connection->conflicted = true;
	return -EAGAIN;
}

static int command(struct tx *tx, const char *sql)
{
	int r = pg_queue_command(tx->connection, sql);

	if (r == 0)
		r = pg_round_trip(tx->connection, tx->arena, sql, NULL, NULL);
	return r > 0 ? -EIO : r;
}

static int commit(struct tx *tx)
{
	struct pg_connection *connection = tx->connection;
	int r;

	connection->committing = true;
	r = command(tx, "COMMIT");
	if (r == 0 && strcmp(connection->tag, "COMMIT") != 0)
		return -EIO;
	return r;
}

/* Commits or rolls back, and returns the transaction's result. */
static int end(struct tx *tx, int result)
{
	struct pg_connection *connection = tx->connection;

	if (result == 0)
		result = db_fault_due(tx->db, DB_FAULT_COMMIT);
	if (!connection->begun || connection->broken)
		return result;
	if (result == 0)
		return commit(tx);
	if (command(tx, "ROLLBACK") < 0)
		connection->broken = true;
	return result;
}

static int attempt(struct tx *tx, bool careful, db_fn *fn, void *arg)
{
	struct pg_connection *connection = tx->connection;

	connection->begun = false;
	connection->careful = careful;
	connection->conflicted = false;
	connection->committing = false;
	return end(tx, tx_call(tx, fn, arg));
}

/* ---- the driver ---- */

static int pg_run(struct db *db, enum tx_mode mode, struct arena *arena, db_fn *fn, void *arg)
{
	struct pg_db *pg = (struct pg_db *)db;
	struct arena_mark mark = arena_mark(arena);
	struct pg_connection *connection;
	struct tx tx;
	int r;

	r = take(pg, &connection);
	if (r < 0)
		return r;
	tx_init(&tx, db, mode, arena, connection);
	r = attempt(&tx, false, fn, arg);
	if (r == -EAGAIN && connection->conflicted && !connection->broken) {
		arena_rewind(arena, mark);
		tx_init(&tx, db, mode, arena, connection);
		r = attempt(&tx, true, fn, arg);
	}
	/* A lost COMMIT may have happened; before it nothing did, and another connection may do it. */
	if (r == -EIO && connection->lost && !connection->committing)
		r = -EAGAIN;
	give(pg, connection);
	if (r == 0)
		tx_committed(&tx);
	return r;
}

static void pg_close(struct db *db)
{
	struct pg_db *pg = (struct pg_db *)db;

	drain(pg);
	db_pool_done(&pg->pool);
	pthread_mutex_destroy(&pg->lock);
	free(pg->url);
	free(pg);
}

static const struct db_driver pg_driver = {
	.run = pg_run,
	.statement = pg_statement,
	.close = pg_close,
};

int db_open_postgres(const char *url, unsigned int connections, struct db **ret_db)
{
	struct pg_db *pg = calloc(1, sizeof(*pg));
	struct pg_connection *first;
	int r;

	if (!pg)
		return -ENOMEM;
	r = db_pool_init(&pg->pool, connections);
	if (r < 0) {
		free(pg);
		return r;
	}
	pthread_mutex_init(&pg->lock, NULL);
	pg->db.driver = &pg_driver;
	pthread_mutex_init(&pg->db.losers, NULL);
	pg->url = strdup(url);
	/* A wrong URL is better known now. */
	r = pg->url ? take(pg, &first) : -ENOMEM;
	if (r < 0) {
		pg_close(&pg->db);
		return r;
	}
	give(pg, first);
	*ret_db = &pg->db;
	return 0;
}

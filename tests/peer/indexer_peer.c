/* indexer_peer.c - the indexer with a store and endpoints, and a consumer of escrows' deposits: what the
 * black-box tests kill. Takes a turn every 50 ms, then writes down a few deposits at a time; prints its health
 * when it changes. Reads lines from its standard input:
 *
 *	deposits	prints what was written down, as JSON: [block, index, tenant, amount] each
 *	pending		prints what it will take of the first escrow: [block, index, tenant, amount, final] each
 *
 *	indexer_peer STORE AGREE ESCROW@BLOCK[,ESCROW@BLOCK...] URL... */
#include "base/clock.h"
#include "chain/abi.h"
#include "chain/indexer.h"
#include "io/migrate.h"
#include "lines.h"

enum { FEW = 7 };

#define CONSUMER "deposits"

struct peer {
	struct indexer_config config;
	struct indexer_contract escrows[INDEXER_CONTRACTS_MAX];
	uint8_t topic[32];
	struct arena *arena;
	size_t took; /* in the last transaction */
	json_t *health; /* as it was said last */
};

/* ---- the consumer ---- */

static int64_t amount_of(const struct indexer_log *log)
{
	uint64_t amount = 0;

	for (size_t i = 24; i < 32 && log->len == 64; i++)
		amount = amount << 8 | log->data[i];
	return (int64_t)amount;
}

static int write_down(struct tx *tx, const struct indexer_log *log)
{
	return tx_exec(tx,
		       "INSERT INTO peer_deposits (block, log_index, tenant, amount)"
		       " VALUES ($1, $2, $3, $4)",
		       SQL_PARAMS(sql_int(log->block), sql_int(log->index),
				  sql_blob(log->topics[2] + 12, 20), sql_int(amount_of(log))),
		       NULL);
}

static int consume(struct tx *tx, struct peer *peer, const struct address *escrow)
{
	struct indexer_log *logs;
	size_t n = 0;
	int r = indexer_take(tx, CONSUMER, escrow, peer->topic, FEW, &logs, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_down(tx, &logs[i]);
	if (r == 0 && n > 0)
		r = indexer_taken(tx, CONSUMER, &logs[n - 1]);
	peer->took += n;
	return r;
}

static int tx_consume(struct tx *tx, void *arg)
{
	struct peer *peer = arg;
	int r = 0;

	peer->took = 0;
	for (size_t i = 0; r == 0 && i < peer->config.n_contracts; i++)
		r = consume(tx, peer, &peer->escrows[i].address);
	return r;
}

static json_t *endpoints_problems(struct rpc *rpc)
{
	json_t *list = json_array();
	struct rpc_endpoint endpoint;

	for (size_t i = 0; i < rpc_endpoints(rpc); i++) {
		rpc_endpoint(rpc, i, &endpoint);
		json_array_append_new(list, json_string(endpoint.problem));
	}
	return list;
}

static int take_turn(void *arg)
{
	struct peer *peer = arg;
	struct indexer_health health;
	json_t *json;
	int r;

	arena_reset(peer->arena);
	r = indexer_turn(&peer->config, peer->arena, &health);
	for (peer->took = 1; r == 0 && peer->took > 0;)
		r = db_run(peer->config.db, TX_WRITE, peer->arena, tx_consume, peer);
	if (r != 0)
		return r;
	json = json_pack("{s:I, s:I, s:I, s:s, s:o}", "head", (json_int_t)health.head, "final",
			 (json_int_t)health.final, "behind", (json_int_t)health.behind, "problem",
			 health.problem, "endpoints", endpoints_problems(peer->config.rpc));
	return lines_say_new("health ", json, &peer->health);
}

/* ---- lines ---- */

struct asking {
	struct peer *peer;
	json_t *list;
};

static int append(json_t *list, int64_t block, int64_t index, const uint8_t tenant[static 20],
		  int64_t amount, json_t *final)
{
	json_t *row = json_pack("[I, I, o, I, o*]", (json_int_t)block, (json_int_t)index,
				rpc_of_bytes(tenant, 20), (json_int_t)amount, final);

	return row && json_array_append_new(list, row) == 0 ? 0 : -ENOMEM;
}

static int tx_deposits(struct tx *tx, void *arg)
{
	struct asking *asking = arg;
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT block, log_index, tenant, amount FROM peer_deposits"
			 " ORDER BY block, log_index",
			 SQL_NO_PARAMS, &rows);

	json_array_clear(asking->list);
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		uint8_t tenant[20];

		r = rows_bytes(rows, i, "tenant", tenant, sizeof(tenant));
		if (r == 0)
			r = append(asking->list, rows_int(rows, i, "block"),
				   rows_int(rows, i, "log_index"), tenant,
				   rows_int(rows, i, "amount"), NULL);
	}
	return r;
}

static int tx_pending(struct tx *tx, void *arg)
{
	struct asking *asking = arg;
	struct peer *peer = asking->peer;
	struct indexer_log *logs;
	size_t n = 0;
	int r = indexer_pending(tx, CONSUMER, &peer->escrows[0].address, peer->topic,
				INDEXER_TAKE_MAX, &logs, &n);

	json_array_clear(asking->list);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = append(asking->list, logs[i].block, logs[i].index, logs[i].topics[2] + 12,
			   amount_of(&logs[i]), json_boolean(logs[i].final));
	return r;
}

static int take_line(void *arg, char *line)
{
	struct peer *peer = arg;
	struct asking asking = { peer, json_array() };
	int r = asking.list ? 0 : -ENOMEM;

	arena_reset(peer->arena);
	if (r == 0)
		r = db_run(peer->config.db, TX_READ, peer->arena,
			   strcmp(line, "pending") == 0 ? tx_pending : tx_deposits, &asking);
	if (r == 0)
		return lines_say("", asking.list);
	json_decref(asking.list);
	return r;
}

/* ---- life ---- */

static int tx_table(struct tx *tx, void *arg _unused_)
{
	return tx_exec(tx,
		       "CREATE TABLE IF NOT EXISTS peer_deposits (block BIGINT NOT NULL,"
		       " log_index BIGINT NOT NULL, tenant BYTEA NOT NULL, amount BIGINT NOT NULL)",
		       SQL_NO_PARAMS, NULL);
}

static int parse_escrows(struct peer *peer, char *text)
{
	char *rest = NULL, *end;
	size_t n = 0;

	for (char *one = strtok_r(text, ",", &rest); one; one = strtok_r(NULL, ",", &rest)) {
		char *at = strchr(one, '@');

		if (!at || n == INDEXER_CONTRACTS_MAX)
			return -EINVAL;
		*at = '\0';
		peer->escrows[n].block = strtoull(at + 1, &end, 10);
		if (*end || address_parse(one, &peer->escrows[n++].address) < 0)
			return -EINVAL;
	}
	peer->config.contracts = peer->escrows;
	peer->config.n_contracts = n;
	return 0;
}

static int open_all(struct peer *peer, int argc, char **argv)
{
	struct rpc_config rpc = { .urls = (const char *const *)argv + 4,
				  .n_urls = (size_t)argc - 4,
				  .chain_id = 3338,
				  .timeout_ms = 3000,
				  .agree = (size_t)strtoul(argv[2], NULL, 10),
				  .clock = &clock_system };
	int applied, r = rpc_new(&rpc, &peer->config.rpc);

	if (r == 0)
		r = parse_escrows(peer, argv[3]);
	if (r == 0)
		r = arena_new(INDEXER_ARENA, &peer->arena);
	if (r == 0)
		r = db_open(argv[1], 2, &peer->config.db);
	if (r == 0)
		r = migrate(peer->config.db, migrations, &applied);
	if (r == 0)
		r = db_run(peer->config.db, TX_WRITE, peer->arena, tx_table, NULL);
	abi_topic("Deposited(address,address,address,uint256,uint256)", peer->topic);
	return r;
}

int main(int argc, char **argv)
{
	struct peer peer = { 0 };
	struct lines lines = { .take = take_line, .turn = take_turn, .arg = &peer };
	int r;

	if (argc < 5) {
		fprintf(stderr, "usage: indexer_peer STORE AGREE ESCROW@BLOCK[,...] URL...\n");
		return 2;
	}
	r = open_all(&peer, argc, argv);
	if (r == 0)
		r = lines_run(&lines);
	if (r != 0)
		fprintf(stderr, "indexer_peer: %d\n", r);
	if (peer.config.db)
		db_close(peer.config.db);
	rpc_free(peer.config.rpc);
	arena_free(peer.arena);
	json_decref(peer.health);
	return r == 0 ? 0 : 1;
}

/* outbox_peer.c - the outbox with a store, a key and endpoints, and nothing else: what the black-box tests
 * kill. Reads lines from its standard input:
 *
 *	add NAME CONTRACT DATA      prints "added NAME" once that is durable
 *	show NAME                   prints the call as JSON
 *	count                       prints how many calls are in each state
 *
 * and takes a turn every 50 ms; prints its health when it changes.
 *
 *	outbox_peer STORE SECRET AGREE URL...
 *
 * SECRET is a key of 64 digits, or "signer:SOCKET". A call's kind is its name up to the first "/"; a key of its own
 * signs all but "forbidden". */
#include "base/codec.h"
#include "chain/signer.h"
#include "io/migrate.h"
#include "lines.h"

#define GWEI INT64_C(1000000000)

struct peer {
	struct outbox_config config;
	struct secp_key *key; /* NULL: the signer signs */
	struct signer_client *signer;
	struct arena *arena;
	json_t *health; /* as it was said last */
};

static int sign(void *arg, const struct outbox_signing *signing, struct arena *arena,
		struct transaction_signed *ret_signed, const char **ret_detail)
{
	struct peer *peer = arg;

	if (peer->signer)
		return signer_client_sign(peer->signer, signing, arena, ret_signed, ret_detail);
	if (strcmp(signing->kind, "forbidden") == 0) {
		*ret_detail = "it is forbidden";
		return OUTBOX_E_DENIED;
	}
	return transaction_sign(signing->transaction, peer->key, arena, ret_signed);
}

/* ---- lines ---- */

struct asking {
	struct peer *peer;
	struct outbox_call call;
	struct outbox_row row;
	int64_t counts[OUTBOX_REFUSED + 1];
};

static int tx_add(struct tx *tx, void *arg)
{
	struct asking *asking = arg;
	int r = outbox_add(&asking->peer->config, tx, &asking->call);

	return r == OUTBOX_E_KNOWN ? 0 : r;
}

static int tx_show(struct tx *tx, void *arg)
{
	struct asking *asking = arg;

	return outbox_find(tx, asking->call.name, &asking->row);
}

static int tx_count(struct tx *tx, void *arg)
{
	struct asking *asking = arg;
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT state, count(*) AS n FROM chain_calls GROUP BY state",
			 SQL_NO_PARAMS, &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		asking->counts[rows_int(rows, i, "state")] = rows_int(rows, i, "n");
	return r;
}

static int add(struct peer *peer, char *name, char *contract, char *data)
{
	static uint8_t bytes[LINE_MAX_SIZE];
	char kind[OUTBOX_KIND_MAX + 1];
	struct asking asking = { .peer = peer,
				 .call = { .name = name, .kind = kind, .data = bytes } };
	size_t len = strlen(data);
	int r;

	snprintf(kind, sizeof(kind), "%.*s", (int)strcspn(name, "/"), name);
	asking.call.len = len / 2;
	if (address_parse(contract, &asking.call.contract) < 0 ||
	    hex_decode(data, len, bytes, len / 2) < 0)
		return -EINVAL;
	r = db_run(peer->config.db, TX_WRITE, peer->arena, tx_add, &asking);
	if (r == 0)
		printf("added %s\n", name);
	return r;
}

static int show(struct peer *peer, char *name)
{
	struct asking asking = { .peer = peer, .call = { .name = name } };
	char hash[65];
	int r = db_run(peer->config.db, TX_READ, peer->arena, tx_show, &asking);

	if (r != 0)
		return r;
	hex_encode(asking.row.hash, 32, hash);
	return lines_say("", json_pack("{s:s, s:i, s:I, s:I, s:s, s:s}", "name", name, "state",
				       (int)asking.row.state, "nonce",
				       (json_int_t)(asking.row.has_nonce ? asking.row.nonce : -1),
				       "variants", (json_int_t)asking.row.variants, "hash", hash,
				       "detail", asking.row.detail));
}

static int show_counts(struct peer *peer)
{
	struct asking asking = { .peer = peer };
	int r = db_run(peer->config.db, TX_READ, peer->arena, tx_count, &asking);

	if (r != 0)
		return r;
	return lines_say("", json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "queued",
				       (json_int_t)asking.counts[OUTBOX_QUEUED], "sent",
				       (json_int_t)asking.counts[OUTBOX_SENT], "mined",
				       (json_int_t)asking.counts[OUTBOX_MINED], "final",
				       (json_int_t)asking.counts[OUTBOX_FINAL], "reverted",
				       (json_int_t)asking.counts[OUTBOX_REVERTED], "refused",
				       (json_int_t)asking.counts[OUTBOX_REFUSED]));
}

static int take_line(void *arg, char *line)
{
	struct peer *peer = arg;
	char *rest = NULL, *word = strtok_r(line, " ", &rest), *name = strtok_r(NULL, " ", &rest),
	     *contract = strtok_r(NULL, " ", &rest), *data = strtok_r(NULL, " ", &rest);

	arena_reset(peer->arena);
	if (word && data && strcmp(word, "add") == 0)
		return add(peer, name, contract, data);
	if (word && name && strcmp(word, "show") == 0)
		return show(peer, name);
	if (word && strcmp(word, "count") == 0)
		return show_counts(peer);
	return -EINVAL;
}

/* ---- turns ---- */

static int take_turn(void *arg)
{
	struct peer *peer = arg;
	struct outbox_health health;
	json_t *json;
	int r;

	arena_reset(peer->arena);
	r = outbox_turn(&peer->config, peer->arena, &health);
	if (r < 0)
		return r;
	json = json_pack("{s:I, s:I, s:s}", "queued", (json_int_t)health.queued, "in_flight",
			 (json_int_t)health.in_flight, "problem", health.problem);
	return lines_say_new("health ", json, &peer->health);
}

static int64_t number_or(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoll(text, NULL, 10) : otherwise;
}

/* Whose nonces are counted. */
static int open_key(struct peer *peer, const char *text)
{
	static const char signer[] = "signer:";
	uint8_t secret[SECP_SECRET_SIZE];
	const char *detail;
	int r;

	if (strncmp(text, signer, strlen(signer)) == 0) {
		r = signer_client_new(text + strlen(signer), &peer->signer);
		if (r == 0)
			r = signer_client_address(peer->signer, peer->arena, &peer->config.sender,
						  &detail);
		if (r > 0)
			fprintf(stderr, "outbox_peer: %s\n", detail);
		return r;
	}
	r = hex_decode(text, strlen(text), secret, sizeof(secret));
	if (r == 0)
		r = secp_key_from_secret(secret, &peer->key);
	if (r == 0)
		peer->config.sender = *secp_key_address(peer->key);
	return r;
}

static int open_all(struct peer *peer, int argc, char **argv)
{
	struct rpc_config rpc = { .urls = (const char *const *)argv + 4,
				  .n_urls = (size_t)argc - 4,
				  .chain_id = 3338,
				  .timeout_ms = 3000,
				  .agree = (size_t)strtoul(argv[3], NULL, 10),
				  .clock = &clock_system };
	int applied, r = rpc_new(&rpc, &peer->config.rpc);

	if (r == 0)
		r = arena_new(64 << 20, &peer->arena);
	if (r == 0)
		r = open_key(peer, argv[2]);
	if (r == 0)
		r = db_open(argv[1], 2, &peer->config.db);
	if (r == 0)
		r = migrate(peer->config.db, migrations, &applied);
	return r;
}

int main(int argc, char **argv)
{
	struct peer peer = {
		.config = { .clock = &clock_system,
			    .random = &random_system,
			    .chain_id = 3338,
			    .sign = sign,
			    .arg = &peer,
			    .window = number_or("WINDOW", 16),
			    .again_ms = number_or("AGAIN_MS", 1000),
			    .raise_ms = number_or("RAISE_MS", 600000),
			    .refuse_ms = number_or("REFUSE_MS", 3000),
			    .max_fee_wei = number_or("MAX_FEE_WEI", 1000 * GWEI),
			    .max_gas = number_or("MAX_GAS", 5000000) },
	};
	struct lines lines = { .take = take_line, .turn = take_turn, .arg = &peer };
	int r;

	if (argc < 5) {
		fprintf(stderr, "usage: outbox_peer STORE SECRET AGREE URL...\n");
		return 2;
	}
	r = open_all(&peer, argc, argv);
	if (r == 0)
		r = lines_run(&lines);
	if (r != 0)
		fprintf(stderr, "outbox_peer: %d\n", r);
	if (peer.config.db)
		db_close(peer.config.db);
	rpc_free(peer.config.rpc);
	signer_client_free(peer.signer);
	secp_key_free(peer.key);
	arena_free(peer.arena);
	json_decref(peer.health);
	return r == 0 ? 0 : 1;
}

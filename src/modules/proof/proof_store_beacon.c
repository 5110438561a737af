#include "modules/proof/proof_store.h"

int proof_store_chain_add(struct tx *tx, const struct beacon_chain *chain, const struct hash *seed)
{
	int r = tx_exec(tx,
			"INSERT INTO proof_chains (first, seed, head, signature, published_at) "
			"VALUES ($1, $2, $3, $4, $5)",
			SQL_PARAMS(sql_int(chain->first), sql_blob(seed->bytes, HASH_SIZE),
				   sql_blob(chain->head.bytes, HASH_SIZE),
				   sql_blob(chain->signature, SIGNATURE_SIZE),
				   sql_int(chain->published_ms)),
			NULL);

	return r > 0 ? -EIO : r;
}

int proof_store_chains(struct tx *tx, int64_t slot, int64_t slots,
		       struct beacon_chain ret_chains[static 2], struct hash *ret_seed,
		       size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT first, seed, head, signature, published_at FROM proof_chains "
			 "WHERE first > $1 ORDER BY first LIMIT 2",
			 SQL_PARAMS(sql_int(slot - slots)), &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		ret_chains[i].first = rows_int(rows, i, "first");
		ret_chains[i].published_ms = rows_int(rows, i, "published_at");
		r = rows_bytes(rows, i, "head", ret_chains[i].head.bytes, HASH_SIZE);
		if (r == 0)
			r = rows_bytes(rows, i, "signature", ret_chains[i].signature,
				       SIGNATURE_SIZE);
	}
	if (r == 0 && rows_count(rows) > 0)
		r = rows_bytes(rows, 0, "seed", ret_seed->bytes, HASH_SIZE);
	if (r == 0)
		*ret_n = rows_count(rows);
	return r;
}

int proof_store_cohort(struct tx *tx, int64_t slot, bool *ret_begun)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT slot FROM proof_cohorts WHERE slot = $1",
			 SQL_PARAMS(sql_int(slot)), &rows);

	if (r == 0)
		*ret_begun = rows_count(rows) > 0;
	return r;
}

int proof_store_cohort_begin(struct tx *tx, int64_t slot, int64_t now_ms)
{
	int r = tx_exec(tx, "DELETE FROM proof_cohorts WHERE slot <> $1", SQL_PARAMS(sql_int(slot)),
			NULL);

	if (r == 0)
		r = tx_exec(tx, "INSERT INTO proof_cohorts (slot, begun_at) VALUES ($1, $2)",
			    SQL_PARAMS(sql_int(slot), sql_int(now_ms)), NULL);
	return r > 0 ? -EIO : r;
}

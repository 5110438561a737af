-- What the network's keys are to have done on the chain, each once. Times are milliseconds since 1970 UTC; fees are
-- wei for each gas.

-- state: 0 queued, 1 sent, 2 mined, 3 final, 4 reverted, 5 refused. The nonce stays until the end.
CREATE TABLE chain_calls (
	id BYTEA PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL,
	sender BYTEA NOT NULL,
	contract BYTEA NOT NULL,
	data BYTEA NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 5),
	nonce BIGINT,
	gas BIGINT NOT NULL,
	sent_at BIGINT NOT NULL,
	variants BIGINT NOT NULL,
	refused_at BIGINT NOT NULL,
	hash BYTEA,
	block BIGINT NOT NULL,
	block_hash BYTEA,
	detail TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	UNIQUE (sender, nonce)
);
CREATE INDEX chain_calls_live ON chain_calls (sender, state, id) WHERE state < 3;

-- Every transaction that was ever signed for a call: any of them may be the one that is mined.
CREATE TABLE chain_variants (
	call BYTEA NOT NULL REFERENCES chain_calls (id),
	number BIGINT NOT NULL,
	hash BYTEA NOT NULL UNIQUE,
	bytes BYTEA NOT NULL,
	max_fee BIGINT NOT NULL,
	priority_fee BIGINT NOT NULL,
	signed_at BIGINT NOT NULL,
	PRIMARY KEY (call, number)
);

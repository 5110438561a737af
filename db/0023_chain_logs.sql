-- What the contracts logged (src/chain/indexer.h).

-- Which chain it is: one row. root: the first block of all, known by its hash. block: the last final one that was
-- relied on. span: how many blocks are asked for at once. seen: the digest of what chain_seen holds.
CREATE TABLE chain_trunk (
	id BIGINT PRIMARY KEY CHECK (id = 1),
	root BIGINT NOT NULL,
	root_hash BYTEA NOT NULL,
	block BIGINT NOT NULL CHECK (block >= root),
	block_hash BYTEA NOT NULL,
	span BIGINT NOT NULL CHECK (span > 0),
	seen BYTEA
);

-- next: all logs of blocks before it are recorded.
CREATE TABLE chain_followed (
	address BYTEA PRIMARY KEY,
	next BIGINT NOT NULL
);

-- Final ones only. topic: the first, empty without any; topics: the others, one behind the other.
CREATE TABLE chain_logs (
	address BYTEA NOT NULL,
	block BIGINT NOT NULL,
	log_index BIGINT NOT NULL,
	block_hash BYTEA NOT NULL,
	transaction_hash BYTEA NOT NULL,
	topic BYTEA NOT NULL,
	topics BYTEA NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (address, block, log_index)
);
CREATE INDEX chain_logs_topic ON chain_logs (address, topic, block, log_index);

-- Those above the final block, as one endpoint tells them: to be shown.
CREATE TABLE chain_seen (
	address BYTEA NOT NULL,
	block BIGINT NOT NULL,
	log_index BIGINT NOT NULL,
	block_hash BYTEA NOT NULL,
	transaction_hash BYTEA NOT NULL,
	topic BYTEA NOT NULL,
	topics BYTEA NOT NULL,
	data BYTEA NOT NULL,
	PRIMARY KEY (address, block, log_index)
);

-- The last log that each consumer is done with.
CREATE TABLE chain_cursors (
	consumer TEXT NOT NULL,
	address BYTEA NOT NULL,
	block BIGINT NOT NULL,
	log_index BIGINT NOT NULL,
	PRIMARY KEY (consumer, address)
);

-- What the network records on the chain under its own name (src/modules/chain/). Times are milliseconds since 1970 UTC.

-- As whom, and where: one row, never changed. sequence, head: behind which roots this store's begin, as the contract
-- said; NULL until it was asked.
CREATE TABLE chain_identity (
	id BIGINT PRIMARY KEY CHECK (id = 1),
	chain_id BIGINT NOT NULL,
	anchor BYTEA NOT NULL,
	publisher BYTEA NOT NULL,
	sequence BIGINT,
	head BYTEA
);

-- A record that is final. anchor: the sequence number of its root, from the moment it is gathered for it; NULL: waits.
CREATE TABLE chain_leaves (
	kind BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
	id BYTEA NOT NULL,
	digest BYTEA NOT NULL,
	anchor BIGINT,
	PRIMARY KEY (kind, id)
);
CREATE INDEX chain_leaves_waiting ON chain_leaves (kind, id) WHERE anchor IS NULL;
CREATE INDEX chain_leaves_anchored ON chain_leaves (anchor, id) WHERE anchor IS NOT NULL;

-- A root. attempt: how many calls were made for it. transaction_hash, block: once final.
CREATE TABLE chain_anchors (
	sequence BIGINT PRIMARY KEY,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 0 AND 3),
	root BYTEA NOT NULL,
	leaves BIGINT NOT NULL,
	content BYTEA NOT NULL,
	head BYTEA NOT NULL,
	made_at BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	tried_at BIGINT NOT NULL,
	transaction_hash BYTEA,
	block BIGINT
);
CREATE INDEX chain_anchors_kind ON chain_anchors (kind, sequence);
CREATE INDEX chain_anchors_open ON chain_anchors (sequence) WHERE block IS NULL;

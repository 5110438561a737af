-- What happened, for each account, numbered without gaps in the order of commits.
CREATE TABLE event_heads (
	account BYTEA NOT NULL PRIMARY KEY,
	seq BIGINT NOT NULL
);

CREATE TABLE events (
	account BYTEA NOT NULL,
	seq BIGINT NOT NULL,
	at_ms BIGINT NOT NULL,
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	data TEXT NOT NULL,
	PRIMARY KEY (account, seq)
);

CREATE INDEX events_by_age ON events (at_ms);

-- The first answer to each Idempotency-Key, kept a day.
CREATE TABLE idempotency_keys (
	account BYTEA NOT NULL,
	key TEXT NOT NULL,
	digest BYTEA NOT NULL,
	at_ms BIGINT NOT NULL,
	status BIGINT NOT NULL,
	body TEXT NOT NULL,
	PRIMARY KEY (account, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at_ms);

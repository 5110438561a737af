-- Rewards by epochs: their terms, the text of their records and payouts, and whom they pay. Times are
-- milliseconds since 1970 UTC; amounts in text are decimal units of 10^-18 token.

-- state: 1 open, 2 the machines' records are written (up to reached, by address), 3 the checkers', 4 the
-- payouts, 5 closed. An epoch keeps the terms with which it began. Pages and bytes are those written so far.
CREATE TABLE reward_epochs (
	epoch BIGINT PRIMARY KEY,
	from_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL CHECK (until_ms > from_ms),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 5),
	workers_tokens BIGINT NOT NULL,
	checkers_tokens BIGINT NOT NULL,
	ratio_bp BIGINT NOT NULL,
	commission_bp BIGINT NOT NULL,
	max_stake_tokens BIGINT NOT NULL,
	reached BYTEA NOT NULL,
	workers BIGINT NOT NULL,
	checkers BIGINT NOT NULL,
	records_pages BIGINT NOT NULL,
	records_bytes BIGINT NOT NULL,
	payouts_pages BIGINT NOT NULL,
	payouts_bytes BIGINT NOT NULL,
	records_hash BYTEA,
	payouts_hash BYTEA,
	capacity TEXT NOT NULL,
	capacity_left TEXT NOT NULL,
	delivery TEXT NOT NULL,
	delivery_left TEXT NOT NULL,
	checking TEXT NOT NULL,
	checking_left TEXT NOT NULL,
	closed_at BIGINT
);
CREATE INDEX reward_epochs_unclosed ON reward_epochs (epoch) WHERE state < 5;

-- kind: 1 records, 2 payouts. The pages one behind the other are the text.
CREATE TABLE reward_pages (
	epoch BIGINT NOT NULL REFERENCES reward_epochs (epoch),
	kind BIGINT NOT NULL CHECK (kind IN (1, 2)),
	page BIGINT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (epoch, kind, page)
);

-- The seconds of jobs that a machine's records had up to now: a second counts in one epoch only.
CREATE TABLE reward_jobtimes (
	machine BYTEA PRIMARY KEY,
	seconds BIGINT NOT NULL
);

-- kind: 1 a machine, 2 a checker. The parts: for capacity and delivery, or for checking and 0.
CREATE TABLE reward_payees (
	account BYTEA NOT NULL,
	epoch BIGINT NOT NULL REFERENCES reward_epochs (epoch),
	kind BIGINT NOT NULL CHECK (kind IN (1, 2)),
	id BYTEA NOT NULL,
	first_part TEXT NOT NULL,
	second_part TEXT NOT NULL,
	for_owner TEXT NOT NULL,
	PRIMARY KEY (account, epoch, kind, id)
);

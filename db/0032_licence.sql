-- Checkers' licences, as the contracts' final events say. Times are milliseconds since 1970 UTC.

-- machine: NULL where it is delegated to none. accepted: 0 until the machine's operator says yes.
CREATE TABLE checker_licences (
	licence BIGINT PRIMARY KEY,
	owner BYTEA NOT NULL,
	mint_id BYTEA NOT NULL,
	unlocked_at BIGINT NOT NULL,
	machine BYTEA,
	accepted BIGINT NOT NULL CHECK (accepted IN (0, 1)),
	CHECK (accepted = 0 OR machine IS NOT NULL)
);
CREATE INDEX checker_licences_by_owner ON checker_licences (owner, licence);
CREATE INDEX checker_licences_by_machine ON checker_licences (machine, licence);

-- When a licence counted for a machine, and whose it was: from when its acceptance was known here to when its end
-- was. It ends where the licence changes hands.
-- until_ms: 9223372036854775807 while it does.
CREATE TABLE checker_stakes (
	licence BIGINT NOT NULL REFERENCES checker_licences (licence),
	from_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL CHECK (until_ms > from_ms),
	machine BYTEA NOT NULL,
	owner BYTEA NOT NULL,
	PRIMARY KEY (licence, from_ms)
);
CREATE INDEX checker_stakes_by_end ON checker_stakes (until_ms);

-- Which round of the sale made what.
CREATE TABLE checker_purchases (
	mint_id BYTEA PRIMARY KEY,
	round BIGINT NOT NULL
);

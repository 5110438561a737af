-- What limits leave of the calls to the escrow. Waits: what the next call would say and a limit keeps back, for people; ''.
ALTER TABLE billing_calls ADD COLUMN waits TEXT NOT NULL DEFAULT '';

-- Of a tenant who deposits KAI: the most that the contract ever paid the treasury of it (a decimal text, of KAI's smallest
-- unit; it stays when the tenant leaves), when a call last could have named it, and whether it asked to leave.
CREATE TABLE billing_converters (
	tenant BYTEA NOT NULL PRIMARY KEY,
	total TEXT NOT NULL,
	tried_ms BIGINT NOT NULL,
	leaves BIGINT NOT NULL CHECK (leaves IN (0, 1))
);
INSERT INTO billing_converters (tenant, total, tried_ms, leaves) SELECT DISTINCT tenant, '0', 0, 0 FROM billing_conversions;

-- When it ended; 0 while it waits, and for those that ended before this column was.
ALTER TABLE billing_conversions ADD COLUMN ended_ms BIGINT NOT NULL DEFAULT 0;
CREATE INDEX billing_conversions_ended ON billing_conversions (ended_ms) WHERE state = 1;

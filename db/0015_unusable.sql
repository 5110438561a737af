-- Hours of watching, since 1970: who was drawn to poll which machine, and what followed from what they saw.

-- state: 1 reports are taken, 2 it is over, 3 it is over and excused somebody's bill: its rows are kept for good.
CREATE TABLE proof_hours (
	machine BYTEA NOT NULL,
	hour BIGINT NOT NULL,
	drawn BIGINT NOT NULL CHECK (drawn > 0),
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 3),
	PRIMARY KEY (machine, hour)
);
CREATE INDEX proof_hours_open ON proof_hours (hour, machine) WHERE state = 1;
CREATE INDEX proof_hours_by_hour ON proof_hours (hour);

CREATE TABLE proof_watchers (
	machine BYTEA NOT NULL,
	hour BIGINT NOT NULL,
	checker BYTEA NOT NULL,
	account BYTEA NOT NULL,
	PRIMARY KEY (machine, hour, checker)
);
CREATE INDEX proof_watchers_by_hour ON proof_watchers (hour, machine, checker);

-- When the machine did not answer this checker, as wire/spans.h encodes it; NULL: it always did.
ALTER TABLE proof_uptimes ADD COLUMN away BYTEA;

-- An excuse has a proof, or an hour (and 16 zeros).
ALTER TABLE billing_excuses ADD COLUMN hour BIGINT NOT NULL DEFAULT 0;

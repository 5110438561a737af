-- Checkers as users: test containers that the network deploys, and what the checkers that talked to them say.
-- Times are milliseconds since 1970 UTC.

-- A rental of the network's own, which costs nothing.
ALTER TABLE rentals ADD COLUMN probe BIGINT NOT NULL DEFAULT 0;

-- outcome: '' while it goes on.
CREATE TABLE probes (
	id BYTEA PRIMARY KEY,
	machine BYTEA NOT NULL,
	owner BYTEA NOT NULL,
	rental BYTEA NOT NULL,
	gpus BIGINT NOT NULL,
	asked BIGINT NOT NULL CHECK (asked IN (0, 1)),
	outcome TEXT NOT NULL,
	detail TEXT NOT NULL,
	started_at BIGINT NOT NULL,
	ended_at BIGINT
);
CREATE INDEX probes_by_machine ON probes (machine, id);
CREATE INDEX probes_by_end ON probes (outcome, ended_at);
CREATE INDEX probes_live ON probes (id) WHERE outcome = '';

-- Who was drawn, and what each said. passed: -1 nothing yet.
CREATE TABLE probe_answers (
	probe BYTEA NOT NULL REFERENCES probes (id),
	checker BYTEA NOT NULL,
	passed BIGINT NOT NULL CHECK (passed BETWEEN -1 AND 1),
	gpus BIGINT NOT NULL,
	answer_ms BIGINT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (probe, checker)
);

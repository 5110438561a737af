-- Proofs of physical work: every session with all that is needed to draw its panel and to judge it again.
-- Times are milliseconds since 1970 UTC.

-- Chains of beacon values; seed is the last value of its chain and tells all of them.
CREATE TABLE proof_chains (
	first BIGINT PRIMARY KEY,
	seed BYTEA NOT NULL,
	head BYTEA NOT NULL,
	signature BYTEA NOT NULL,
	published_at BIGINT NOT NULL
);

-- live: it goes on now. Over, it has a reason. outcome: '' unless it was judged. candidates: 20 bytes of
-- address and 4 of licences (little-endian) each. own_bits: what the control plane found. appeal: '' none,
-- 'queued', 'done', 'expired'; appeal_member -1: a fresh session is asked for.
CREATE TABLE proofs (
	id BYTEA PRIMARY KEY,
	machine BYTEA NOT NULL,
	owner BYTEA NOT NULL,
	device BIGINT NOT NULL,
	uuid TEXT NOT NULL,
	model TEXT NOT NULL,
	kind BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	planted BIGINT NOT NULL CHECK (planted IN (0, 1)),
	parent BYTEA,
	lease BYTEA,
	slot BIGINT NOT NULL,
	beacon BYTEA NOT NULL,
	chain BIGINT NOT NULL,
	wanted BIGINT NOT NULL,
	candidates BYTEA NOT NULL,
	session BYTEA NOT NULL,
	live BIGINT NOT NULL CHECK (live IN (0, 1)),
	reason TEXT NOT NULL,
	phase TEXT NOT NULL,
	detail TEXT NOT NULL,
	outcome TEXT NOT NULL,
	verdict TEXT NOT NULL,
	own_bits BIGINT NOT NULL,
	disagreement BIGINT NOT NULL CHECK (disagreement IN (0, 1)),
	started_at BIGINT NOT NULL,
	ended_at BIGINT,
	appeal TEXT NOT NULL,
	appeal_member BIGINT NOT NULL,
	appeal_by BYTEA,
	appealed_at BIGINT,
	CHECK ((live = 1) = (reason = ''))
);
CREATE INDEX proofs_by_machine ON proofs (machine, id);
CREATE INDEX proofs_by_start ON proofs (started_at, machine);
CREATE INDEX proofs_by_outcome ON proofs (outcome, id);
CREATE INDEX proofs_live ON proofs (id) WHERE live = 1;
CREATE INDEX proofs_appealed ON proofs (id) WHERE appeal = 'queued';

-- The panel, in order. mark: as in checker_marks; 0: none.
CREATE TABLE proof_members (
	proof BYTEA NOT NULL REFERENCES proofs (id),
	member BIGINT NOT NULL,
	checker BYTEA NOT NULL,
	account BYTEA NOT NULL,
	licences BIGINT NOT NULL,
	mark BIGINT NOT NULL,
	PRIMARY KEY (proof, member)
);

CREATE TABLE proof_records (
	proof BYTEA PRIMARY KEY REFERENCES proofs (id),
	record BYTEA NOT NULL
);

-- What a checker saw of a machine in one hour since 1970.
CREATE TABLE proof_uptimes (
	machine BYTEA NOT NULL,
	hour BIGINT NOT NULL,
	checker BYTEA NOT NULL,
	polls BIGINT NOT NULL CHECK (polls > 0),
	answered BIGINT NOT NULL CHECK (answered BETWEEN 0 AND polls),
	signature BYTEA NOT NULL,
	PRIMARY KEY (machine, hour, checker)
);
CREATE INDEX proof_uptimes_by_hour ON proof_uptimes (hour);

-- Appeals: second looks at a session, one for each side that may ask for one. Times are milliseconds since
-- 1970 UTC.

-- side: 1 the machine's owner, 2 the checkers that were marked wrong, all together, 3 the network itself
-- (asked_by is NULL). state: 'queued', 'live', 'upheld', 'overturned', 'undecided', 'expired'. session, sessions:
-- the last that was held for it, and how many; due_at: not before is the next one.
CREATE TABLE proof_appeals (
	proof BYTEA NOT NULL REFERENCES proofs (id),
	side BIGINT NOT NULL CHECK (side BETWEEN 1 AND 3),
	state TEXT NOT NULL,
	asked_by BYTEA,
	asked_at BIGINT NOT NULL,
	due_at BIGINT NOT NULL,
	decided_at BIGINT,
	session BYTEA,
	sessions BIGINT NOT NULL,
	PRIMARY KEY (proof, side)
);
CREATE INDEX proof_appeals_queued ON proof_appeals (proof) WHERE state = 'queued';
CREATE INDEX proofs_by_parent ON proofs (parent, id) WHERE parent IS NOT NULL;

-- What was appealed against before: once a session, by whoever asked first.
INSERT INTO proof_appeals (proof, side, state, asked_by, asked_at, due_at, decided_at, session, sessions)
SELECT p.id, 2, CASE WHEN p.appeal <> 'done' THEN p.appeal
	WHEN EXISTS (SELECT 1 FROM proof_members m WHERE m.proof = p.id AND m.member = p.appeal_member
		AND m.mark = 1) THEN 'overturned'
	ELSE 'upheld' END,
	p.appeal_by, p.appealed_at, 0, NULL, NULL, 0
FROM proofs p WHERE p.appeal <> '' AND p.appeal_member >= 0;
INSERT INTO proof_appeals (proof, side, state, asked_by, asked_at, due_at, decided_at, session, sessions)
SELECT p.id, CASE WHEN p.appeal_by IS NULL THEN 3 ELSE 1 END, CASE WHEN p.appeal <> 'done' THEN p.appeal
	WHEN c.id IS NULL THEN 'undecided'
	WHEN c.live = 1 THEN 'live'
	WHEN c.outcome IN ('', 'no_majority') OR c.disagreement = 1 THEN 'undecided'
	WHEN c.outcome = p.outcome THEN 'upheld'
	ELSE 'overturned' END,
	p.appeal_by, p.appealed_at, 0, NULL, c.id, CASE WHEN c.id IS NULL THEN 0 ELSE 1 END
FROM proofs p LEFT JOIN proofs c ON c.parent = p.id
	AND NOT EXISTS (SELECT 1 FROM proofs l WHERE l.parent = p.id AND l.id > c.id)
WHERE p.appeal <> '' AND p.appeal_member < 0;

DROP INDEX proofs_appealed;
ALTER TABLE proofs DROP COLUMN appeal;
ALTER TABLE proofs DROP COLUMN appeal_member;
ALTER TABLE proofs DROP COLUMN appeal_by;
ALTER TABLE proofs DROP COLUMN appealed_at;

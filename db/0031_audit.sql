-- Who did what, kept for ever (src/modules/logging/audit.h). An entry's id holds its time.

-- batch: NULL until it is sealed. Of who did it: actor_kind, and actor but for the network itself. owner: whose the subject is.
-- via, peer, request, salt: from where; no salt: from nowhere.
CREATE TABLE audit_entries (
	id BYTEA PRIMARY KEY,
	actor_kind BIGINT NOT NULL,
	actor BYTEA,
	action TEXT NOT NULL,
	subject TEXT NOT NULL,
	owner BYTEA,
	via TEXT NOT NULL,
	peer TEXT NOT NULL,
	request TEXT NOT NULL,
	salt BYTEA,
	detail TEXT NOT NULL,
	batch BIGINT
);
CREATE INDEX audit_entries_actor ON audit_entries (actor, id) WHERE actor IS NOT NULL;
CREATE INDEX audit_entries_owner ON audit_entries (owner, id) WHERE owner IS NOT NULL;
CREATE INDEX audit_entries_batch ON audit_entries (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX audit_entries_open ON audit_entries (id) WHERE batch IS NULL;

-- Sealed: numbered without gaps, each with the digest of the one before. taken: 1 once it is a leaf of the chain's.
CREATE TABLE audit_batches (
	number BIGINT PRIMARY KEY,
	before BYTEA NOT NULL,
	entries BIGINT NOT NULL,
	root BYTEA NOT NULL,
	sealed_at BIGINT NOT NULL,
	digest BYTEA NOT NULL,
	taken BIGINT NOT NULL
);
CREATE INDEX audit_batches_open ON audit_batches (number) WHERE taken = 0;

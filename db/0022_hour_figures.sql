-- What was proved of a machine when the first watchers of its hour were drawn: an epoch is paid by its hours. NULL in
-- hours that were drawn before this column was there: they count as time, and say nothing of figures.
ALTER TABLE proof_hours ADD COLUMN down_kbps BIGINT;
ALTER TABLE proof_hours ADD COLUMN up_kbps BIGINT;
ALTER TABLE proof_hours ADD COLUMN cores BIGINT;
ALTER TABLE proof_hours ADD COLUMN gpu_milli BIGINT;
ALTER TABLE proof_hours ADD COLUMN disk_bytes BIGINT;
ALTER TABLE proof_hours ADD COLUMN memory_bytes BIGINT;

-- Jobs' seconds by owner: of the machine's leases from that owner whose last record ended from from_ms on, those that its
-- records had. Leases that ended before cannot change any more.
CREATE TABLE reward_counted (
	machine BYTEA NOT NULL,
	owner BYTEA NOT NULL,
	seconds BIGINT NOT NULL,
	from_ms BIGINT NOT NULL,
	PRIMARY KEY (machine, owner)
);
INSERT INTO reward_counted (machine, owner, seconds, from_ms)
	SELECT j.machine, w.owner, j.seconds, 0 FROM reward_jobtimes j JOIN workers w ON w.machine = j.machine;
DROP TABLE reward_jobtimes;
ALTER TABLE reward_counted RENAME TO reward_jobtimes;

-- What proofs say of the machines' devices. A machine is proved when its host and all GPUs that it
-- shows are; only such are offered where the network asks for proofs.
ALTER TABLE workers ADD COLUMN proved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE workers ADD COLUMN proof_address TEXT NOT NULL DEFAULT '';
ALTER TABLE workers ADD COLUMN proof_port BIGINT NOT NULL DEFAULT 0;

-- kind: 1 a GPU (device: its uuid), 2 the host, 3 its disk. state: 0 unproved, 1 proved, 2 failed. What a
-- machine no longer shows has no row. class: of popw/class.h; -1 none. proof: the session that says so.
CREATE TABLE worker_devices (
	machine BYTEA NOT NULL REFERENCES workers (machine),
	device TEXT NOT NULL,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 3),
	state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 2),
	class BIGINT NOT NULL,
	score_milli BIGINT NOT NULL,
	matrix_mops BIGINT NOT NULL,
	walk_kbps BIGINT NOT NULL,
	set_mib BIGINT NOT NULL,
	down_kbps BIGINT NOT NULL,
	up_kbps BIGINT NOT NULL,
	checked_at BIGINT NOT NULL,
	due_at BIGINT NOT NULL,
	failures BIGINT NOT NULL CHECK (failures >= 0),
	proof BYTEA,
	reason TEXT NOT NULL,
	PRIMARY KEY (machine, device)
);
CREATE INDEX worker_devices_by_due ON worker_devices (due_at);

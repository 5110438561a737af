-- The machines: who owns them, what they have and hold, and what each should and does run. Times are
-- milliseconds since 1970 UTC, prices micro-units an hour. What is taken grows only by conditional
-- updates that keep it within the total.

-- One use each; only the SHA-256 of the token is kept.
CREATE TABLE worker_tokens (
	token BYTEA PRIMARY KEY,
	token_hash BYTEA NOT NULL UNIQUE,
	account BYTEA NOT NULL,
	name TEXT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_by BYTEA
);
CREATE INDEX worker_tokens_by_account ON worker_tokens (account, expires_at);
CREATE INDEX worker_tokens_by_expiry ON worker_tokens (expires_at);

-- revision counts changes of the row, generation those of the machine's desired set.
CREATE TABLE workers (
	machine BYTEA PRIMARY KEY,
	owner BYTEA NOT NULL,
	name TEXT NOT NULL,
	paused BIGINT NOT NULL CHECK (paused IN (0, 1)),
	gpu_hour BIGINT NOT NULL CHECK (gpu_hour >= 0),
	core_hour BIGINT NOT NULL CHECK (core_hour >= 0),
	quality BIGINT NOT NULL CHECK (quality BETWEEN 0 AND 1000),
	joined_at BIGINT NOT NULL,
	seen_at BIGINT,
	lost BIGINT NOT NULL CHECK (lost IN (0, 1)),
	agent_version TEXT NOT NULL,
	revision BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	inventory_hash BYTEA,
	cpu_count BIGINT NOT NULL,
	cpu_model TEXT NOT NULL,
	os TEXT NOT NULL,
	kernel TEXT NOT NULL,
	engine TEXT NOT NULL,
	gpus BIGINT NOT NULL CHECK (gpus >= 0),
	cpu_milli_total BIGINT NOT NULL CHECK (cpu_milli_total >= 0),
	cpu_milli_used BIGINT NOT NULL CHECK (cpu_milli_used >= 0),
	memory_total BIGINT NOT NULL CHECK (memory_total >= 0),
	memory_used BIGINT NOT NULL CHECK (memory_used >= 0),
	disk_total BIGINT NOT NULL CHECK (disk_total >= 0),
	disk_used BIGINT NOT NULL CHECK (disk_used >= 0),
	leases BIGINT NOT NULL CHECK (leases >= 0)
);
CREATE INDEX workers_by_owner ON workers (owner, machine);

-- A GPU that is rented stays here while its lease holds it, even if the machine stops showing it.
CREATE TABLE worker_gpus (
	machine BYTEA NOT NULL REFERENCES workers (machine),
	uuid TEXT NOT NULL,
	ordinal BIGINT NOT NULL,
	model TEXT NOT NULL,
	memory_bytes BIGINT NOT NULL,
	driver TEXT NOT NULL,
	cuda TEXT NOT NULL,
	present BIGINT NOT NULL CHECK (present IN (0, 1)),
	lease BYTEA,
	PRIMARY KEY (machine, uuid)
);
CREATE INDEX worker_gpus_by_lease ON worker_gpus (lease);

-- want: 0 placed only, 1 run, 2 stop. container: a wire.Container. applied: the generation that the
-- last applied report answered.
CREATE TABLE worker_leases (
	lease BYTEA PRIMARY KEY,
	rental BYTEA NOT NULL,
	machine BYTEA NOT NULL REFERENCES workers (machine),
	want BIGINT NOT NULL CHECK (want BETWEEN 0 AND 2),
	generation BIGINT NOT NULL,
	container BYTEA,
	cpu_milli BIGINT NOT NULL CHECK (cpu_milli >= 0),
	memory_bytes BIGINT NOT NULL CHECK (memory_bytes >= 0),
	disk_bytes BIGINT NOT NULL CHECK (disk_bytes >= 0),
	released BIGINT NOT NULL CHECK (released IN (0, 1)),
	removed BIGINT NOT NULL CHECK (removed IN (0, 1)),
	applied BIGINT NOT NULL,
	phase BIGINT NOT NULL,
	reason TEXT NOT NULL,
	detail TEXT NOT NULL,
	exit_code BIGINT NOT NULL,
	started_at BIGINT NOT NULL,
	ended_at BIGINT NOT NULL,
	pulled_bytes BIGINT NOT NULL,
	pull_total_bytes BIGINT NOT NULL,
	ports TEXT NOT NULL
);
CREATE INDEX worker_leases_by_machine ON worker_leases (machine, removed);

-- Rentals with something new, for the service module to take.
CREATE TABLE worker_changes (
	rental BYTEA PRIMARY KEY
);

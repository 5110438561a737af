-- The processes of the control plane that use this store. State: 0 serving, 1 draining. Times are of each one's own clock, for people.
CREATE TABLE instances (
	id BYTEA NOT NULL PRIMARY KEY,
	url TEXT NOT NULL,
	modules TEXT NOT NULL,
	version TEXT NOT NULL,
	state BIGINT NOT NULL CHECK (state IN (0, 1)),
	started_at BIGINT NOT NULL,
	seen_at BIGINT NOT NULL
);

-- What only one of them does at a time, and which one. Token: one more with each new holder; what a holder writes is refused when it is no longer
-- its own. Beat: moved by the holder; whoever sees it unmoved for long takes the duty over. Instance: zeros while nobody has it.
CREATE TABLE duties (
	name TEXT NOT NULL PRIMARY KEY,
	instance BYTEA NOT NULL,
	token BIGINT NOT NULL,
	beat BIGINT NOT NULL
);

-- What the instance that holds a machine's link last heard of its engine.
ALTER TABLE workers ADD COLUMN engine_up BIGINT NOT NULL DEFAULT 1;
CREATE INDEX workers_by_seen ON workers (seen_at);

-- Whose store this is: an instance with other keys would sign in another network's name.
CREATE TABLE network (
	one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	address BYTEA NOT NULL
);

-- Machines of which something changed that instances keep in memory, and when, by the clock of the one that changed it. Nothing is
-- written while there is but one.
CREATE TABLE worker_touched (
	machine BYTEA NOT NULL PRIMARY KEY,
	at BIGINT NOT NULL
);
CREATE INDEX worker_touched_by_time ON worker_touched (at);

-- When a lease is not billed although it ran: a majority of checkers found its machine unusable. until_ms: 0
-- while it goes on. excuses counts a lease's rows here, so that leases without any cost no look.
CREATE TABLE billing_excuses (
	lease BYTEA NOT NULL REFERENCES billing_leases (lease),
	proof BYTEA NOT NULL,
	from_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL CHECK (until_ms = 0 OR until_ms >= from_ms),
	signature BYTEA NOT NULL,
	PRIMARY KEY (lease, from_ms)
);
ALTER TABLE billing_leases ADD COLUMN excuses BIGINT NOT NULL DEFAULT 0;
CREATE INDEX billing_leases_by_machine ON billing_leases (machine, until_ms);

-- Money: integer micro-units. Ids are 16 bytes, owners 20 (zeros: the network), times milliseconds.

-- One balanced movement of money; never changed, never deleted.
CREATE TABLE billing_postings (
	id BYTEA NOT NULL PRIMARY KEY,
	at_ms BIGINT NOT NULL,
	kind TEXT NOT NULL,
	key TEXT NOT NULL UNIQUE,
	memo TEXT NOT NULL,
	rental BYTEA,
	lease BYTEA
);

-- Account kinds: 1 available, 2 held, 3 earned (people's); 4 fees, 5 issue (the network's).
CREATE TABLE billing_entries (
	owner BYTEA NOT NULL,
	posting BYTEA NOT NULL,
	account BIGINT NOT NULL,
	amount BIGINT NOT NULL CHECK (amount <> 0),
	PRIMARY KEY (owner, posting, account)
);

-- People's accounts only: the network's two would be one hot row for everybody, and are summed.
CREATE TABLE billing_balances (
	owner BYTEA NOT NULL,
	account BIGINT NOT NULL CHECK (account BETWEEN 1 AND 3),
	amount BIGINT NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (owner, account)
);

-- A lease's terms, the last usage record taken, and what was charged. Sequence 0: no record yet.
-- Closed_at_ms 0: open.
CREATE TABLE billing_leases (
	lease BYTEA NOT NULL PRIMARY KEY,
	rental BYTEA NOT NULL,
	tenant BYTEA NOT NULL,
	machine BYTEA NOT NULL,
	provider BYTEA NOT NULL,
	rate_hour BIGINT NOT NULL CHECK (rate_hour >= 0),
	fee_basis_points BIGINT NOT NULL,
	placed_at_ms BIGINT NOT NULL,
	terms_signature BYTEA NOT NULL,
	held BIGINT NOT NULL CHECK (held >= 0),
	sequence BIGINT NOT NULL,
	started_at_ms BIGINT NOT NULL,
	until_ms BIGINT NOT NULL,
	seconds BIGINT NOT NULL,
	final BIGINT NOT NULL,
	usage_signature BYTEA,
	receipt_signature BYTEA,
	charged BIGINT NOT NULL CHECK (charged >= 0),
	fee BIGINT NOT NULL CHECK (fee >= 0 AND fee <= charged),
	exhausted BIGINT NOT NULL,
	closed_at_ms BIGINT NOT NULL,
	ended_at_ms BIGINT NOT NULL,
	billed BIGINT NOT NULL
);
CREATE INDEX billing_leases_by_rental ON billing_leases (rental, lease);
CREATE INDEX billing_leases_by_provider ON billing_leases (provider, lease);
CREATE INDEX billing_leases_by_tenant ON billing_leases (tenant, closed_at_ms);

-- Rentals whose tenant could not pay, until somebody takes them off.
CREATE TABLE billing_exhausted (
	rental BYTEA NOT NULL PRIMARY KEY,
	at_ms BIGINT NOT NULL
);

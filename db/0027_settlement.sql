-- What the escrow contract is to say of tenants and providers, and says. Micro-units.

-- Whom the contract pays fees, as it says itself: one row.
CREATE TABLE billing_treasury (
	one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	address BYTEA NOT NULL
);

-- Postings up to this one are tallied: one row.
CREATE TABLE billing_tally (
	one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
	posting BYTEA NOT NULL
);

-- What a tenant was charged by a provider, ever, as far as it is tallied: points of it were points; refunded became points
-- again; fee is the network's share of what was not refunded. And what of that is to be settled, by modules/billing/shares.h.
-- All but refunded and fee only grow.
CREATE TABLE billing_pairs (
	tenant BYTEA NOT NULL,
	provider BYTEA NOT NULL,
	charged BIGINT NOT NULL,
	points BIGINT NOT NULL,
	refunded BIGINT NOT NULL,
	fee BIGINT NOT NULL,
	from_tenant BIGINT NOT NULL,
	tenant_fee BIGINT NOT NULL,
	to_treasury BIGINT NOT NULL,
	from_network BIGINT NOT NULL,
	network_pays BIGINT NOT NULL,
	PRIMARY KEY (tenant, provider)
);

-- What a payer is to have paid a payee in the contract, ever, and has, as its events say. Reported: what the last call
-- said. Unpaid: it had no effect.
CREATE TABLE billing_settlements (
	payer BYTEA NOT NULL,
	payee BYTEA NOT NULL,
	charged BIGINT NOT NULL,
	fee BIGINT NOT NULL,
	settled BIGINT NOT NULL CHECK (settled <= charged),
	settled_fee BIGINT NOT NULL CHECK (settled_fee <= fee),
	reported BIGINT NOT NULL,
	tried_ms BIGINT NOT NULL,
	unpaid BIGINT NOT NULL,
	PRIMARY KEY (payer, payee)
);
CREATE INDEX billing_settlements_due ON billing_settlements (tried_ms, payer, payee) WHERE charged > settled;
CREATE INDEX billing_settlements_by_payee ON billing_settlements (payee);

-- What of a tenant who left with it was spent, but not tallied yet: the network pays it.
CREATE TABLE billing_escaped (
	tenant BYTEA NOT NULL PRIMARY KEY,
	amount BIGINT NOT NULL CHECK (amount >= 0)
);
ALTER TABLE billing_leaving ADD COLUMN exit_at_ms BIGINT NOT NULL DEFAULT 0;

-- Calls of each series ("settle", "convert"), one at a time. Items: at most so many in the next one, fewer after one that
-- was refused.
CREATE TABLE billing_calls (
	series TEXT NOT NULL PRIMARY KEY,
	number BIGINT NOT NULL,
	open BIGINT NOT NULL,
	made_ms BIGINT NOT NULL,
	items BIGINT NOT NULL,
	problem TEXT NOT NULL
);

-- What the contract owes, in the stablecoin, and was not fetched.
CREATE TABLE billing_owed (
	account BYTEA NOT NULL PRIMARY KEY,
	amount TEXT NOT NULL
);

-- Deposits in KAI: used of it goes to the treasury, and is credited as points when it did; the rest stays in the contract.
-- In KAI's smallest unit, as decimal texts; total: all that ever was used of the tenant's, this included. Price: of a KAI.
-- State: 0 waits, 1 credited, 2 the tenant left with it.
CREATE TABLE billing_conversions (
	deposit BYTEA NOT NULL PRIMARY KEY,
	tenant BYTEA NOT NULL,
	used TEXT NOT NULL,
	rest TEXT NOT NULL,
	total TEXT NOT NULL,
	price BIGINT NOT NULL,
	credit BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 2)
);
CREATE INDEX billing_conversions_by_tenant ON billing_conversions (tenant, deposit);
CREATE INDEX billing_conversions_waiting ON billing_conversions (deposit) WHERE state = 0;

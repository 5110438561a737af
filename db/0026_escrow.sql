-- Tenants' money in the escrow contract. Amounts of tokens are decimal texts in their smallest unit, amounts of the ledger
-- micro-units, times milliseconds.

-- Deposits that are final. Detail: why nothing was credited, or ''.
CREATE TABLE billing_deposits (
	id BYTEA NOT NULL PRIMARY KEY,
	block_hash BYTEA NOT NULL,
	log BIGINT NOT NULL,
	block BIGINT NOT NULL,
	chain_transaction BYTEA NOT NULL,
	tenant BYTEA NOT NULL,
	payer BYTEA NOT NULL,
	token BYTEA NOT NULL,
	amount TEXT NOT NULL,
	credited BIGINT NOT NULL CHECK (credited >= 0),
	at_ms BIGINT NOT NULL,
	detail TEXT NOT NULL,
	UNIQUE (block_hash, log)
);
CREATE INDEX billing_deposits_by_tenant ON billing_deposits (tenant, id);

-- What tenants take back. Total: all that was ever given back to the tenant, this included. State: 0 asked, 1 returned,
-- 2 failed.
CREATE TABLE billing_withdrawals (
	id BYTEA NOT NULL PRIMARY KEY,
	tenant BYTEA NOT NULL,
	amount BIGINT NOT NULL CHECK (amount > 0),
	total BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 0 AND 2),
	asked_at_ms BIGINT NOT NULL,
	ended_at_ms BIGINT NOT NULL,
	chain_transaction BYTEA,
	detail TEXT NOT NULL
);
CREATE INDEX billing_withdrawals_by_tenant ON billing_withdrawals (tenant, id);
-- One at a time: the next one's total stands on how this one ends.
CREATE UNIQUE INDEX billing_withdrawals_open ON billing_withdrawals (tenant) WHERE state = 0;

-- Tenants who asked the contract to leave, and what that took from their balance.
CREATE TABLE billing_leaving (
	tenant BYTEA NOT NULL PRIMARY KEY,
	amount BIGINT NOT NULL CHECK (amount >= 0),
	at_ms BIGINT NOT NULL
);

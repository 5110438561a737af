-- The machines that are on the registry contract, by its final logs. kind: Registry.Kind. block, chain_transaction: of
-- the registration.
CREATE TABLE chain_machines (
	machine BYTEA NOT NULL PRIMARY KEY,
	owner BYTEA NOT NULL,
	kind BIGINT NOT NULL,
	specification BYTEA NOT NULL,
	block BIGINT NOT NULL,
	chain_transaction BYTEA NOT NULL
);

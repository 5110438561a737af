-- Machines that were registered on the chain as checkers and are not any more, by the registry's final events: their
-- licences stay accepted in the contract, and count for nothing until they are registered again.
CREATE TABLE checker_deregistered (
	machine BYTEA NOT NULL PRIMARY KEY
);

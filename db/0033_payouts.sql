-- How rewards are paid on a chain. Amounts are decimal texts of 10^-18 token; kind: 0 KAI for machines, 1 vKAI for checkers, as
-- the contract Distributor numbers them.

-- Of a closed epoch: how many of its credits are written, and whether all are.
ALTER TABLE reward_epochs ADD COLUMN credits BIGINT NOT NULL DEFAULT 0;
ALTER TABLE reward_epochs ADD COLUMN credited BIGINT NOT NULL DEFAULT 0;
CREATE INDEX reward_epochs_uncredited ON reward_epochs (epoch) WHERE state = 5 AND credited = 0;

-- What an account earned in an epoch, and ever up to it.
CREATE TABLE reward_credits (
	kind BIGINT NOT NULL CHECK (kind IN (0, 1)),
	account BYTEA NOT NULL,
	epoch BIGINT NOT NULL REFERENCES reward_epochs (epoch),
	amount TEXT NOT NULL,
	cumulative TEXT NOT NULL,
	PRIMARY KEY (kind, account, epoch)
);
CREATE INDEX reward_credits_by_epoch ON reward_credits (kind, epoch);

-- Roots of the accounts' cumulative sums through an epoch. Round: the contract's number; of one that was withdrawn there is
-- another attempt. State: 1 made, 2 proposed, 3 in effect, 4 withdrawn, 5 withdrawn and to be made anew. Calls: how often one was made of each.
CREATE TABLE reward_roots (
	kind BIGINT NOT NULL,
	round BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	through BIGINT NOT NULL,
	root BYTEA NOT NULL,
	total TEXT NOT NULL,
	leaves BIGINT NOT NULL,
	state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 5),
	made_at BIGINT NOT NULL,
	proposals BIGINT NOT NULL,
	activations BIGINT NOT NULL,
	called_at BIGINT NOT NULL,
	effective_at BIGINT,
	chain_transaction BYTEA,
	block BIGINT,
	PRIMARY KEY (kind, round, attempt)
);

-- What the contract's final events say of its pots. Round 0: no root.
CREATE TABLE reward_pots (
	kind BIGINT PRIMARY KEY,
	funded TEXT NOT NULL,
	claimed TEXT NOT NULL,
	active_round BIGINT NOT NULL,
	active_root BYTEA NOT NULL,
	pending_round BIGINT NOT NULL,
	pending_root BYTEA NOT NULL
);

-- What accounts were ever paid.
CREATE TABLE reward_claims (
	kind BIGINT NOT NULL,
	account BYTEA NOT NULL,
	cumulative TEXT NOT NULL,
	PRIMARY KEY (kind, account)
);

-- What an operator took off an account's sum after a root was withdrawn, and why.
CREATE TABLE reward_corrections (
	kind BIGINT NOT NULL,
	round BIGINT NOT NULL,
	attempt BIGINT NOT NULL,
	account BYTEA NOT NULL,
	amount TEXT NOT NULL,
	reason TEXT NOT NULL,
	made_by BYTEA NOT NULL,
	at_ms BIGINT NOT NULL,
	PRIMARY KEY (kind, round, attempt, account)
);

-- Points: the part of what a person has, available and held, that was credited or refunded. They pay before deposits do, and
-- are not withdrawn. Account kinds: 6 points (people's); 7 points given, 8 escrow (the network's).

-- SQLite cannot change a CHECK, so the table is made anew.
CREATE TABLE billing_balances_new (
	owner BYTEA NOT NULL,
	account BIGINT NOT NULL CHECK (account IN (1, 2, 3, 6)),
	amount BIGINT NOT NULL CHECK (amount >= 0),
	PRIMARY KEY (owner, account)
);
INSERT INTO billing_balances_new SELECT owner, account, amount FROM billing_balances;
DROP TABLE billing_balances;
ALTER TABLE billing_balances_new RENAME TO billing_balances;

-- Until now there were credits only: what is left of them are points, which their first credits have given.
INSERT INTO billing_entries (owner, posting, account, amount)
	SELECT b.owner, e.posting, 6, b.total FROM
		(SELECT owner, CAST(SUM(amount) AS BIGINT) AS total FROM billing_balances
			WHERE account <= 2 GROUP BY owner) b
		JOIN billing_entries e ON e.owner = b.owner AND e.account = 1
		WHERE b.total > 0 AND NOT EXISTS (SELECT 1 FROM billing_entries o
			WHERE o.owner = e.owner AND o.account = 1 AND o.posting < e.posting);
INSERT INTO billing_entries (owner, posting, account, amount)
	SELECT n.owner, n.posting, 7, -e.amount FROM billing_entries e
		JOIN billing_entries n ON n.posting = e.posting AND n.account = 5
		WHERE e.account = 6;
INSERT INTO billing_balances (owner, account, amount)
	SELECT owner, account, amount FROM billing_entries WHERE account = 6;

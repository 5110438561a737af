-- The checkers: who registered them, what they may do, what they did. Times are milliseconds since
-- 1970 UTC.

-- banned_until: 0 never was; 9223372036854775807 for ever.
CREATE TABLE checkers (
	checker BYTEA PRIMARY KEY,
	account BYTEA NOT NULL,
	name TEXT NOT NULL,
	licences BIGINT NOT NULL CHECK (licences >= 0),
	registered_at BIGINT NOT NULL,
	seen_at BIGINT,
	version TEXT NOT NULL,
	banned_until BIGINT NOT NULL,
	ban_reason TEXT NOT NULL
);
CREATE INDEX checkers_by_account ON checkers (account, checker);

-- What a checker did in one session. mark: 1 valid, 2 wrong, 3 silent, 4 valid with deviating times.
-- cleared: an appeal was won.
CREATE TABLE checker_marks (
	checker BYTEA NOT NULL REFERENCES checkers (checker),
	session BYTEA NOT NULL,
	at BIGINT NOT NULL,
	mark BIGINT NOT NULL CHECK (mark BETWEEN 1 AND 4),
	planted BIGINT NOT NULL CHECK (planted IN (0, 1)),
	cleared BIGINT NOT NULL CHECK (cleared IN (0, 1)),
	PRIMARY KEY (checker, session)
);
CREATE INDEX checker_marks_by_time ON checker_marks (checker, at);

-- Who somebody is and what they may do. Times are milliseconds since 1970 UTC. Secrets are kept as
-- SHA-256 only.

CREATE TABLE iam_accounts (
	account BYTEA PRIMARY KEY,
	created_at BIGINT NOT NULL
);

-- Operators named in the settings have no row here.
CREATE TABLE iam_roles (
	account BYTEA NOT NULL REFERENCES iam_accounts (account),
	role TEXT NOT NULL CHECK (role IN ('tenant', 'provider', 'checker', 'operator')),
	PRIMARY KEY (account, role)
);
CREATE INDEX iam_roles_by_role ON iam_roles (role);

-- Nonces given out and not used yet.
CREATE TABLE iam_nonces (
	nonce_hash BYTEA PRIMARY KEY,
	peer TEXT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX iam_nonces_by_peer ON iam_nonces (peer, expires_at);
CREATE INDEX iam_nonces_by_expiry ON iam_nonces (expires_at);

-- A session that ended has no row.
CREATE TABLE iam_sessions (
	session BYTEA PRIMARY KEY,
	account BYTEA NOT NULL REFERENCES iam_accounts (account),
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL
);
CREATE INDEX iam_sessions_by_account ON iam_sessions (account, session);
CREATE INDEX iam_sessions_by_expiry ON iam_sessions (expires_at);

-- One unused token a session; used ones stay until they would have expired, to notice a second use.
CREATE TABLE iam_refresh_tokens (
	token_hash BYTEA PRIMARY KEY,
	session BYTEA NOT NULL REFERENCES iam_sessions (session),
	used_at BIGINT
);
CREATE INDEX iam_refresh_tokens_by_session ON iam_refresh_tokens (session, used_at);

CREATE TABLE iam_api_keys (
	api_key BYTEA PRIMARY KEY,
	account BYTEA NOT NULL REFERENCES iam_accounts (account),
	key_hash BYTEA NOT NULL UNIQUE,
	name TEXT NOT NULL,
	permissions TEXT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT,
	last_used_at BIGINT
);
CREATE INDEX iam_api_keys_by_account ON iam_api_keys (account, api_key);
CREATE INDEX iam_api_keys_by_expiry ON iam_api_keys (expires_at);

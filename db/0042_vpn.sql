-- The mesh VPN: which machines are in it, where, and what was signed for them. Times are milliseconds since
-- 1970 UTC.

-- kind: 1 worker, 2 checker, 3 gateway, 4 lighthouse. address: IPv4 in the VPN, as a number. place: where on the
-- internet a lighthouse is, "host:port"; '' of others.
CREATE TABLE vpn_machines (
	machine BYTEA PRIMARY KEY,
	kind BIGINT NOT NULL CHECK (kind BETWEEN 1 AND 4),
	address BIGINT NOT NULL UNIQUE,
	place TEXT NOT NULL,
	added_at BIGINT NOT NULL,
	seen_at BIGINT,
	revoked_at BIGINT,
	revoked_why TEXT NOT NULL
);
CREATE INDEX vpn_machines_by_kind ON vpn_machines (kind, machine);

-- Every certificate, by its fingerprint: SHA-256 of its bytes, in which name, groups and address are. Kept for 30
-- days past its end.
CREATE TABLE vpn_certificates (
	fingerprint BYTEA PRIMARY KEY,
	machine BYTEA NOT NULL REFERENCES vpn_machines (machine),
	public_key BYTEA NOT NULL,
	certificate BYTEA NOT NULL,
	not_after BIGINT NOT NULL,
	revoked_at BIGINT,
	revoked_why TEXT NOT NULL
);
CREATE INDEX vpn_certificates_by_machine ON vpn_certificates (machine, not_after);
CREATE INDEX vpn_certificates_by_end ON vpn_certificates (not_after);

-- The number of the last record of the lease that the network anchored; 0: its placing, or none.
ALTER TABLE billing_leases ADD COLUMN records BIGINT NOT NULL DEFAULT 0;

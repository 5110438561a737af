-- Which of its rental's leases it is, from 1; 0: placed before they were numbered.
ALTER TABLE billing_leases ADD COLUMN place BIGINT NOT NULL DEFAULT 0;

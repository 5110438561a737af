-- GPUs of many machines that are checked at the same instant.
-- Times are milliseconds since 1970 UTC.

ALTER TABLE proofs ADD COLUMN cohort BIGINT NOT NULL DEFAULT 0;

-- The slot whose cohort began last, whether there was anybody in it or not: it does not begin twice.
CREATE TABLE proof_cohorts (
	slot BIGINT PRIMARY KEY,
	begun_at BIGINT NOT NULL
);

-- What the network paid a payee although who owed it paid in the end, too: it pays that much less of what comes.
ALTER TABLE billing_settlements ADD COLUMN overpaid BIGINT NOT NULL DEFAULT 0 CHECK (overpaid >= 0);

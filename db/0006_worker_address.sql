-- Where tenants reach the ports of a machine's containers: a host name or a numeric address. Empty:
-- the machine does not say.
ALTER TABLE workers ADD COLUMN address TEXT NOT NULL DEFAULT '';

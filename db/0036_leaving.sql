-- Rentals of tenants who asked the contract to leave: they are to be stopped, and are taken off the list then.
CREATE TABLE billing_leaving_rentals (
	rental BYTEA NOT NULL PRIMARY KEY,
	at_ms BIGINT NOT NULL
);
INSERT INTO billing_leaving_rentals (rental, at_ms)
	SELECT DISTINCT l.rental, v.at_ms FROM billing_leases l JOIN billing_leaving v ON v.tenant = l.tenant
	WHERE l.closed_at_ms = 0;

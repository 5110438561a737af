-- How fast a device filled its data set, in kB/s: of the host it says how many processors made it.
ALTER TABLE worker_devices ADD COLUMN fill_kbps BIGINT NOT NULL DEFAULT 0;

-- Trials give way: what the network's own test of a machine holds counts as free, and goes with the first
-- tenant who takes that machine.

-- The lease of the trial on the machine: one at most, of which the machine's row holds nothing.
ALTER TABLE workers ADD COLUMN trial BYTEA;

-- The lease of the trial that uses the GPU, while no tenant's lease holds it.
ALTER TABLE worker_gpus ADD COLUMN trial BYTEA;
CREATE INDEX worker_gpus_by_trial ON worker_gpus (trial) WHERE trial IS NOT NULL;

-- Rentals: the row that moves (small), what was ordered (never changes), where it was tried, and
-- how it moved. Times are milliseconds UTC; NULL: not yet.
CREATE TABLE rentals (
	id BYTEA NOT NULL PRIMARY KEY,
	tenant BYTEA NOT NULL,
	state TEXT NOT NULL,
	reason TEXT NOT NULL,
	detail TEXT NOT NULL,
	stop_reason TEXT NOT NULL,
	n_moves BIGINT NOT NULL,
	attempts BIGINT NOT NULL,
	lease BYTEA,
	machine BYTEA,
	rate_micro BIGINT NOT NULL,
	ports TEXT NOT NULL,
	exit_code BIGINT,
	stop_timeout_ms BIGINT NOT NULL,
	term_ms BIGINT NOT NULL,
	pinned BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	phase_ms BIGINT NOT NULL,
	placed_ms BIGINT,
	started_ms BIGINT,
	ended_ms BIGINT,
	expires_ms BIGINT,
	kept BIGINT NOT NULL,
	deleted_ms BIGINT,
	check_ms BIGINT
);

CREATE INDEX rentals_by_tenant ON rentals (tenant, id);
CREATE INDEX rentals_by_end ON rentals (tenant, ended_ms);
CREATE INDEX rentals_by_check ON rentals (check_ms);

CREATE TABLE rental_orders (
	rental BYTEA NOT NULL PRIMARY KEY,
	body TEXT NOT NULL
);

CREATE TABLE rental_attempts (
	rental BYTEA NOT NULL,
	attempt BIGINT NOT NULL,
	lease BYTEA NOT NULL,
	machine BYTEA NOT NULL,
	PRIMARY KEY (rental, attempt)
);

CREATE TABLE rental_moves (
	rental BYTEA NOT NULL,
	move BIGINT NOT NULL,
	at_ms BIGINT NOT NULL,
	from_state TEXT NOT NULL,
	to_state TEXT NOT NULL,
	reason TEXT NOT NULL,
	caused_by TEXT NOT NULL,
	detail TEXT NOT NULL,
	PRIMARY KEY (rental, move)
);

-- Templates: an order's fields under a name; what a tenant's order leaves out comes from here.
CREATE TABLE templates (
	name TEXT NOT NULL PRIMARY KEY,
	title TEXT NOT NULL,
	description TEXT NOT NULL,
	body TEXT NOT NULL
);

INSERT INTO templates (name, title, description, body) VALUES
('busybox', 'BusyBox', 'A few hundred small Unix tools; sleeps for an hour unless told otherwise.',
 '{"image":"docker.io/library/busybox:1.36","command":["sleep","3600"],"memory":67108864,"disk":134217728}'),
('cuda', 'CUDA', 'The CUDA run time on Ubuntu 22.04.',
 '{"image":"docker.io/nvidia/cuda:12.4.1-runtime-ubuntu22.04","command":["sleep","infinity"],"gpus":1,"cpu_milli":4000,"memory":17179869184,"disk":34359738368,"shm":1073741824}'),
('jupyter', 'Jupyter', 'A notebook server for Python on port 8888; its log says the token.',
 '{"image":"quay.io/jupyter/minimal-notebook:latest","ports":[8888],"cpu_milli":2000,"memory":4294967296,"disk":17179869184}'),
('pytorch', 'PyTorch', 'PyTorch with CUDA and cuDNN.',
 '{"image":"docker.io/pytorch/pytorch:2.4.1-cuda12.4-cudnn9-runtime","command":["sleep","infinity"],"gpus":1,"cpu_milli":4000,"memory":17179869184,"disk":53687091200,"shm":8589934592}'),
('stable-diffusion', 'Stable Diffusion', 'Images from text in the browser, on port 7860.',
 '{"image":"ghcr.io/ai-dock/stable-diffusion-webui:latest-cuda","ports":[7860],"gpus":1,"cpu_milli":4000,"memory":17179869184,"disk":68719476736,"shm":1073741824}'),
('tensorflow', 'TensorFlow', 'TensorFlow with CUDA and a notebook server on port 8888; its log says the token.',
 '{"image":"docker.io/tensorflow/tensorflow:2.17.0-gpu-jupyter","ports":[8888],"gpus":1,"cpu_milli":4000,"memory":17179869184,"disk":34359738368,"shm":4294967296}'),
('vscode', 'VS Code', 'The editor in the browser, on port 8080; its configuration file holds the password.',
 '{"image":"docker.io/codercom/code-server:4.92.2","ports":[8080],"cpu_milli":2000,"memory":4294967296,"disk":17179869184}');

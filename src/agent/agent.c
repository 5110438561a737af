#include "agent/agent.h"

#include "agent/inventory.h"
#include "agent/proofs.h"
#include "link/link.h"
#include "agent/stream.h"
#include "base/log.h"
#include "io/loop.h"

enum {
	HEARTBEAT_MS = 5000,
	HEARTBEAT_LEAST_MS = 200,
	REPORT_ALL_EVERY = 12, /* heartbeats */
};

struct agent {
	struct agent_config config;
	struct state_config joined;
	struct secp_key *key;
	struct nvml nvml;
	struct cdi *cdi;
	struct engine *engine;
	struct reconcile *reconcile;
	struct streams *streams;
	struct link *link;
	struct proofs *proofs;
	struct loop_timer *heartbeat;
	struct load load;
	unsigned int beats;
	char refusal[LINK_REFUSAL_SIZE];
};

static void note_send(const char *what, int r)
{
	/* What was not taken is still due, and goes with the next heartbeat. */
	if (r < 0 && r != -EAGAIN && r != -ENOTCONN)
		log_warn("agent.send", log_text("message", what), log_fault(r));
}

/* ---- what is told ---- */

static void send_inventory(struct agent *agent)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct inventory *inventory = malloc(sizeof(*inventory));

	if (!inventory)
		return;
	inventory_read(inventory, &agent->nvml, agent->config.folder, engine_name(agent->engine));
	if (agent->config.address)
		inventory->wire.address = (char *)agent->config.address;
	inventory->wire.proof_port = proofs_port(agent->proofs);
	if (agent->config.proof_address)
		inventory->wire.proof_address = (char *)agent->config.proof_address;
	message.body_case = WIRE__TO_SERVER__BODY_INVENTORY;
	message.inventory = &inventory->wire;
	note_send("inventory", link_send(agent->link, &message));
	free(inventory);
}

static void send_state(struct agent *agent, struct lease *lease)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	struct lease_report report;
	Wire__LeaseState *state = &report.state;
	int r;

	lease_state(lease, &report);
	actual.leases = &state;
	actual.n_leases = 1;
	message.body_case = WIRE__TO_SERVER__BODY_ACTUAL;
	message.actual = &actual;
	r = link_send(agent->link, &message);
	lease->unreported = r < 0;
	note_send("actual", r);
}

static size_t count_leases(const struct agent *agent)
{
	size_t n = 0;

	for (struct lease *lease = reconcile_leases(agent->reconcile); lease; lease = lease->next)
		n++;
	return n;
}

static void send_all_states(struct agent *agent)
{
	size_t n = count_leases(agent), i = 0;
	struct lease_report *reports = calloc(n + 1, sizeof(*reports));
	Wire__LeaseState **states = calloc(n + 1, sizeof(*states));
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Actual actual = WIRE__ACTUAL__INIT;
	struct lease *lease;
	int r = -ENOMEM;

	for (lease = reconcile_leases(agent->reconcile); reports && states && lease;
	     lease = lease->next, i++) {
		lease_state(lease, &reports[i]);
		states[i] = &reports[i].state;
	}
	if (reports && states) {
		actual.leases = states;
		actual.n_leases = n;
		actual.complete = true;
		message.body_case = WIRE__TO_SERVER__BODY_ACTUAL;
		message.actual = &actual;
		r = link_send(agent->link, &message);
	}
	note_send("actual", r);
	for (lease = reconcile_leases(agent->reconcile); r == 0 && lease; lease = lease->next)
		lease->unreported = false;
	free(reports);
	free(states);
}

static int sign(struct agent *agent, const struct lease *lease, struct usage_statement *statement,
		uint8_t ret_signature[static SIGNATURE_SIZE])
{
	uint8_t digest[SIGN_DIGEST_SIZE];

	*statement = (struct usage_statement){
		.network = agent->joined.network,
		.machine.address = *secp_key_address(agent->key),
		.lease = lease->id,
		.rental = lease->rental,
	};
	meter_statement(&lease->meter, statement);
	usage_digest(statement, digest);
	return secp_sign(agent->key, digest, ret_signature);
}

static void send_usage(struct agent *agent, struct lease *lease)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Usage usage = WIRE__USAGE__INIT;
	struct usage_statement statement;
	uint8_t signature[SIGNATURE_SIZE];
	int r;

	if (!link_up(agent->link))
		return;
	r = sign(agent, lease, &statement, signature);
	if (r < 0) {
		log_error("agent.sign", log_fault(r));
		return;
	}
	usage.lease = (ProtobufCBinaryData){ sizeof(lease->id.bytes), lease->id.bytes };
	usage.rental = (ProtobufCBinaryData){ sizeof(lease->rental.bytes), lease->rental.bytes };
	usage.sequence = statement.sequence;
	usage.started_at_ms = statement.started_at_ms;
	usage.until_ms = statement.until_ms;
	usage.seconds = (uint64_t)statement.seconds;
	usage.final = statement.final;
	usage.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	message.body_case = WIRE__TO_SERVER__BODY_USAGE;
	message.usage = &usage;
	note_send("usage", link_send(agent->link, &message));
}

static void send_owed_usage(struct agent *agent)
{
	for (struct lease *lease = reconcile_leases(agent->reconcile); lease; lease = lease->next)
		if (meter_owes(&lease->meter))
			send_usage(agent, lease);
}

static void send_heartbeat(struct agent *agent)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Heartbeat heartbeat = WIRE__HEARTBEAT__INIT;

	heartbeat.at_ms = clock_now_ms(agent->config.clock);
	heartbeat.cpu_permille = load_cpu_permille(&agent->load);
	heartbeat.memory_used_bytes = load_memory_used_bytes();
	heartbeat.disk_free_bytes = load_disk_free_bytes(agent->config.folder);
	heartbeat.engine_up = reconcile_engine_up(agent->reconcile);
	heartbeat.desired_generation = reconcile_generation(agent->reconcile);
	message.body_case = WIRE__TO_SERVER__BODY_HEARTBEAT;
	message.heartbeat = &heartbeat;
	note_send("heartbeat", link_send(agent->link, &message));
}

/* ---- what leases and engine tell ---- */

static void on_change(void *arg, struct lease *lease)
{
	struct agent *agent = arg;

	if (link_up(agent->link))
		send_state(agent, lease);
}

static void on_usage(void *arg, struct lease *lease)
{
	send_usage(arg, lease);
}

static void on_lines(void *arg, struct lease *lease)
{
	struct agent *agent = arg;

	agent_streams_lines(agent->streams, lease);
}

static void on_engine(void *arg, bool up)
{
	struct agent *agent = arg;

	if (!link_up(agent->link))
		return;
	if (up)
		send_inventory(agent);
	send_heartbeat(agent);
}

/* ---- what the control plane tells ---- */

static void on_heartbeat(void *arg)
{
	struct agent *agent = arg;

	if (!link_up(agent->link))
		return;
	send_heartbeat(agent);
	if (++agent->beats % REPORT_ALL_EVERY == 0) {
		send_all_states(agent);
		send_owed_usage(agent);
		return;
	}
	for (struct lease *lease = reconcile_leases(agent->reconcile); lease; lease = lease->next)
		if (lease->unreported)
			send_state(agent, lease);
}

static void set_heartbeat(struct agent *agent, uint64_t ms)
{
	int r;

	ms = ms ? ms : HEARTBEAT_MS;
	ms = ms < HEARTBEAT_LEAST_MS ? HEARTBEAT_LEAST_MS : ms;
	loop_timer_free(agent->heartbeat);
	agent->heartbeat = NULL;
	r = loop_timer_new(agent->config.loop, ms, ms, on_heartbeat, agent, &agent->heartbeat);
	if (r < 0)
		log_error("agent.heartbeat", log_fault(r));
}

static void on_welcome(void *arg, const Wire__Welcome *welcome)
{
	struct agent *agent = arg;

	reconcile_new_session(agent->reconcile);
	reconcile_usage_every(agent->reconcile, welcome->usage_ms);
	set_heartbeat(agent, welcome->heartbeat_ms);
	send_inventory(agent);
	send_heartbeat(agent);
	send_all_states(agent);
	send_owed_usage(agent);
}

static void take_receipt(struct agent *agent, const Wire__UsageReceipt *receipt)
{
	struct lease_id lease;

	memcpy(lease.bytes, receipt->lease.data, sizeof(lease.bytes));
	if (!receipt->accepted)
		log_warn("agent.usage_refused", log_text("reason", receipt->reason),
			 log_int("sequence", (int64_t)receipt->sequence));
	reconcile_settle(agent->reconcile, &lease, receipt->sequence);
}

static void on_message(void *arg, const Wire__ToNode *message)
{
	struct agent *agent = arg;

	switch (message->body_case) {
	case WIRE__TO_NODE__BODY_DESIRED:
		proofs_desired(agent->proofs, message->desired);
		break;
	case WIRE__TO_NODE__BODY_USAGE_RECEIPT:
		take_receipt(agent, message->usage_receipt);
		break;
	case WIRE__TO_NODE__BODY_STREAM_OPEN:
		agent_streams_open(agent->streams, message->stream_open);
		break;
	case WIRE__TO_NODE__BODY_STREAM_DATA:
		agent_streams_data(agent->streams, message->stream_data);
		break;
	case WIRE__TO_NODE__BODY_STREAM_CREDIT:
		agent_streams_credit(agent->streams, message->stream_credit);
		break;
	case WIRE__TO_NODE__BODY_STREAM_CLOSE:
		agent_streams_close(agent->streams, message->stream_close);
		break;
	case WIRE__TO_NODE__BODY_PROOF:
		proofs_message(agent->proofs, message->proof);
		break;
	case WIRE__TO_NODE__BODY_PROOF_END:
		proofs_end(agent->proofs, message->proof_end);
		break;
	case WIRE__TO_NODE__BODY_POLL:
		proofs_poll(agent->proofs, message->poll);
		break;
	default:
		log_warn("agent.unexpected", log_int("message", message->body_case));
	}
}

static void on_down(void *arg)
{
	struct agent *agent = arg;

	agent_streams_drop(agent->streams);
	proofs_drop(agent->proofs);
}

static void on_refused(void *arg, const char *reason)
{
	struct agent *agent = arg;

	snprintf(agent->refusal, sizeof(agent->refusal), "%s", reason);
	loop_stop(agent->config.loop);
}

const char *agent_refusal(const struct agent *agent)
{
	return agent->refusal[0] ? agent->refusal : NULL;
}

/* ---- beginning and end ---- */

static int start_reconcile(struct agent *agent)
{
	const struct reconcile_config config = {
		.loop = agent->config.loop,
		.engine = agent->engine,
		.state = agent->config.state,
		.clock = agent->config.clock,
		.container = { agent->joined.network, agent->cdi, &agent->nvml },
		.on_change = on_change,
		.on_usage = on_usage,
		.on_lines = on_lines,
		.on_engine = on_engine,
		.arg = agent,
	};

	return reconcile_new(&config, &agent->reconcile);
}

static int start_proofs(struct agent *agent)
{
	const struct proofs_config config = {
		.loop = agent->config.loop,
		.clock = agent->config.clock,
		.network = agent->joined.network,
		.key = agent->key,
		.nvml = &agent->nvml,
		.reconcile = agent->reconcile,
		.folder = agent->config.folder,
		.program = agent->config.prover,
		.gpu_backend = agent->config.gpu_backend,
		.listen_host = agent->config.proof_host,
		.listen_port = agent->config.proof_port,
	};

	return proofs_new(&config, &agent->proofs);
}

static int start_streams(struct agent *agent)
{
	const struct streams_config config = {
		.loop = agent->config.loop,
		.engine = agent->engine,
		.clock = agent->config.clock,
		.reconcile = agent->reconcile,
		.link = agent->link,
	};

	return agent_streams_new(&config, &agent->streams);
}

static int start_link(struct agent *agent)
{
	const struct link_config config = {
		.loop = agent->config.loop,
		.random = agent->config.random,
		.url = agent->joined.url,
		.path = "/v1/agent",
		.network = agent->joined.network,
		.key = agent->key,
		.version = agent->config.version,
		.on_welcome = on_welcome,
		.on_message = on_message,
		.on_down = on_down,
		.on_refused = on_refused,
		.arg = agent,
	};

	return link_new(&config, &agent->link);
}

static int start(struct agent *agent)
{
	static const char *const usual[] = { "/etc/cdi", "/var/run/cdi", NULL };
	const char *const named[] = { agent->config.cdi_folder, NULL };
	int r;

	r = state_read_config(agent->config.state, &agent->joined);
	if (r == 0)
		r = state_read_key(agent->config.state, &agent->key);
	if (r == 0)
		r = cdi_load(agent->config.cdi_folder ? named : usual, &agent->cdi);
	if (r == 0)
		r = engine_new(agent->config.loop, agent->config.socket, &agent->engine);
	if (r < 0)
		return r;
	nvml_init(&agent->nvml);
	r = start_reconcile(agent);
	if (r == 0)
		r = start_proofs(agent);
	if (r == 0)
		r = start_link(agent);
	if (r < 0)
		return r;
	proofs_over(agent->proofs, agent->link);
	return start_streams(agent);
}

int agent_new(const struct agent_config *config, struct agent **ret_agent)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int r;

	if (!agent)
		return -ENOMEM;
	agent->config = *config;
	r = start(agent);
	if (r < 0) {
		agent_free(agent);
		return r;
	}
	*ret_agent = agent;
	return 0;
}

void agent_free(struct agent *agent)
{
	if (!agent)
		return;
	loop_timer_free(agent->heartbeat);
	agent_streams_free(agent->streams);
	proofs_free(agent->proofs);
	link_free(agent->link);
	reconcile_free(agent->reconcile);
	engine_free(agent->engine);
	cdi_free(agent->cdi);
	nvml_done(&agent->nvml);
	secp_key_free(agent->key);
	free(agent);
}

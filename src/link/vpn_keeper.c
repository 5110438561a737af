#include "link/vpn_keeper.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "io/process.h"
#include "link/link.h"
#include "link/vpn_folder.h"
#include "link/vpn_status.h"

enum {
	FILE_MAX = 4 << 20,
	SETTLED_MS = 60000, /* nebula that ran so long starts again at once */
	ARENA_MAX = 2 * FILE_MAX,
	QUEUE_MAX = 4096,
	PORTS_FIRST = 32768, /* Linux's own, from which engines take host ports */
	PORTS_LAST = 60999,
};

/* A question on its way; the thread owns it until it is done. */
struct asking {
	atomic_bool done;
	struct arena *arena;
	struct vpn_question question;
	struct vpn_answer answer;
	char why[VPN_WHY_SIZE];
	int result;
};

struct vpn_keeper {
	struct vpn_keeper_config config;
	struct vpn_folder folder;
	struct pool *pool;
	struct loop_timer *tick;
	uint8_t public_key[NEBULA_KEY_SIZE];

	struct asking asking;
	bool is_asking, asked;
	unsigned int refused; /* questions in a row that were not answered */
	int64_t ask_at_ms; /* monotonic */
	int64_t asked_at_ms;
	int result;
	char why[VPN_WHY_SIZE];

	struct arena *kept; /* of the answer that holds */
	struct vpn_answer answer;

	struct process *process;
	bool may_run, reload_due;
	unsigned int starts, failures;
	int64_t start_at_ms; /* monotonic */
	int64_t started_at_ms;
	struct vpn_tunnels tunnels;
	char *status; /* as it was written last */
};

const char *vpn_keeper_program(void)
{
	static const char *const usual[] = { "/usr/bin/nebula", "/usr/local/bin/nebula",
					     "/usr/sbin/nebula" };

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (access(usual[i], X_OK) == 0)
			return usual[i];
	return NULL;
}

static int64_t mono_ms(const struct vpn_keeper *keeper)
{
	return clock_mono_ms(keeper->config.clock);
}

/* ---- telling ---- */

static int write_status(struct vpn_keeper *keeper)
{
	const struct vpn_status status = {
		.answer = &keeper->answer,
		.tunnels = &keeper->tunnels,
		.running = keeper->process != NULL,
		.starts = keeper->starts,
		.result = keeper->result,
		.asked = keeper->asked,
		.why = keeper->why,
		.asked_at_ms = keeper->asked_at_ms,
		.now_ms = clock_now_ms(keeper->config.clock),
		.started_at_ms = keeper->started_at_ms,
	};
	json_t *json = vpn_status_json(&status);
	char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
	int r = 0;

	json_decref(json);
	if (!text)
		return -ENOMEM;
	if (keeper->status && strcmp(text, keeper->status) == 0) {
		free(text);
		return 0;
	}
	r = vpn_folder_write(&keeper->folder, "status", text, 0644);
	free(keeper->status);
	keeper->status = text;
	return r;
}

/* ---- nebula ---- */

static void reload(struct vpn_keeper *keeper)
{
	/* One that has not set its signals up yet would die of it. */
	if (!keeper->process || !keeper->tunnels.up) {
		keeper->reload_due = keeper->process != NULL;
		return;
	}
	keeper->reload_due = false;
	process_signal(keeper->process, SIGHUP);
}

static void on_output(void *arg, const void *bytes, size_t len)
{
	struct vpn_keeper *keeper = arg;
	bool was_up = keeper->tunnels.up;

	vpn_tunnels_hear(&keeper->tunnels, bytes, len, clock_now_ms(keeper->config.clock));
	if (!was_up && keeper->tunnels.up) {
		log_info("vpn.up", log_int("starts", keeper->starts));
		if (keeper->reload_due)
			reload(keeper);
	}
}

static void on_end(void *arg, const struct process_end *end)
{
	struct vpn_keeper *keeper = arg;
	int64_t ran_ms = clock_now_ms(keeper->config.clock) - keeper->started_at_ms;

	log_warn("vpn.ended", log_int("status", end->status), log_int("signal", end->signal),
		 log_text("trouble", keeper->tunnels.trouble), log_text("said", end->last_line));
	process_free(keeper->process);
	keeper->process = NULL;
	vpn_tunnels_clear(&keeper->tunnels);
	if (ran_ms > SETTLED_MS)
		keeper->failures = 0;
	keeper->start_at_ms = mono_ms(keeper) +
			      (int64_t)link_backoff_ms(keeper->config.random, keeper->failures++);
}

static void start(struct vpn_keeper *keeper)
{
	char yaml[sizeof(keeper->folder.path) + 16];
	/* It dies with this process, even where that is killed. */
	const char *const words[] = { "setpriv", "--pdeathsig", "TERM", keeper->config.nebula,
				      "-config", yaml,          NULL };
	const struct process_config config = {
		.file = "/usr/bin/setpriv",
		.arguments = words,
		.queue_max = QUEUE_MAX,
		.on_output = on_output,
		.on_end = on_end,
		.arg = keeper,
	};
	int r;

	snprintf(yaml, sizeof(yaml), "%s/nebula.yml", keeper->folder.path);
	keeper->starts++;
	keeper->started_at_ms = clock_now_ms(keeper->config.clock);
	keeper->reload_due = false;
	r = process_new(keeper->config.loop, &config, &keeper->process);
	if (r == 0)
		return;
	log_warn("vpn.start", log_fault(r));
	snprintf(keeper->tunnels.trouble, sizeof(keeper->tunnels.trouble), "%s: %s", config.file,
		 strerror(-r));
	keeper->start_at_ms = mono_ms(keeper) +
			      (int64_t)link_backoff_ms(keeper->config.random, keeper->failures++);
}

static void stop(struct vpn_keeper *keeper)
{
	keeper->may_run = false;
	if (keeper->process)
		process_signal(keeper->process, SIGTERM);
}

/* ---- what holds ---- */

static uint16_t port_of(const struct vpn_answer *answer)
{
	for (size_t i = 0; i < answer->n_lighthouses; i++)
		if (answer->lighthouses[i].address == answer->address)
			return vpn_at_port(answer->lighthouses[i].at);
	return 0;
}

/* Which ports the kernel gives out, and with it the engine. */
static void exposed_ports(uint16_t *ret_first, uint16_t *ret_last)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned int first, last;

	*ret_first = PORTS_FIRST;
	*ret_last = PORTS_LAST;
	if (!file)
		return;
	if (fscanf(file, "%u %u", &first, &last) == 2 && first > 1023 && first <= last &&
	    last <= UINT16_MAX) {
		*ret_first = (uint16_t)first;
		*ret_last = (uint16_t)last;
	}
	fclose(file);
}

static int render(const struct vpn_keeper *keeper, const struct vpn_answer *answer, char **ret_yaml)
{
	const struct address *machine = secp_key_address(keeper->config.key);
	char device[16];
	struct vpn_node node = {
		.kind = answer->kind,
		.address = answer->address,
		.folder = keeper->folder.path,
		.device = device,
		.listen_port = answer->kind == VPN_LIGHTHOUSE ? port_of(answer) : 0,
		.mtu = VPN_MTU,
		.lighthouses = answer->lighthouses,
		.n_lighthouses = answer->n_lighthouses,
		.blocked = (const uint8_t(*)[VPN_FINGERPRINT_SIZE])answer->blocked,
		.n_blocked = answer->n_blocked,
		.proof_port = keeper->config.proof_port,
	};

	/* A host may hold several machines. */
	snprintf(device, sizeof(device), "kai%02x%02x%02x%02x", machine->bytes[0],
		 machine->bytes[1], machine->bytes[2], machine->bytes[3]);
	exposed_ports(&node.exposed_first, &node.exposed_last);
	return vpn_render(&node, ret_yaml);
}

/* Writes @text where the file is another. */
static int replace(struct vpn_keeper *keeper, const char *name, const char *text, bool *changed)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	char *old;
	int r;

	r = arena_new(ARENA_MAX, &arena);
	if (r == 0)
		r = vpn_folder_read(&keeper->folder, name, FILE_MAX, arena, &old);
	if (r == 0 && strcmp(old, text) == 0)
		return 0;
	if (r < 0 && r != -ENOENT && r != -EFBIG)
		return r;
	*changed = true;
	return vpn_folder_write(&keeper->folder, name, text, 0600);
}

static int adopt(struct vpn_keeper *keeper, const struct vpn_answer *answer)
{
	const struct vpn_answer *old = &keeper->answer;
	bool elsewhere = old->kind &&
			 (old->address != answer->address || old->mask != answer->mask ||
			  port_of(old) != port_of(answer));
	_cleanup_(freep) char *yaml = NULL;
	bool changed = false;
	int r;

	r = render(keeper, answer, &yaml);
	if (r == 0)
		r = replace(keeper, "ca.crt", answer->authority, &changed);
	if (r == 0)
		r = replace(keeper, "node.crt", answer->certificate, &changed);
	if (r == 0)
		r = replace(keeper, "nebula.yml", yaml, &changed);
	if (r < 0)
		return r;
	keeper->may_run = true;
	/* A reload keeps interface and port. */
	if (elsewhere && keeper->process)
		process_kill(keeper->process);
	else if (changed)
		reload(keeper);
	if (changed)
		log_info("vpn.changed", log_text("kind", vpn_kind_words[answer->kind]),
			 log_int("blocked", (int64_t)answer->n_blocked));
	return 0;
}

/* ---- asking ---- */

static void ask(void *arg)
{
	struct asking *asking = arg;

	asking->result = vpn_fetch(&asking->question, asking->arena, &asking->answer, asking->why);
	atomic_store(&asking->done, true);
}

static int begin_asking(struct vpn_keeper *keeper)
{
	struct asking *asking = &keeper->asking;
	int r;

	*asking = (struct asking){ .question = { .url = keeper->config.url,
						 .network = keeper->config.network,
						 .key = keeper->config.key,
						 .now_ms = clock_now_ms(keeper->config.clock) } };
	memcpy(asking->question.public_key, keeper->public_key, NEBULA_KEY_SIZE);
	r = arena_new(VPN_FETCH_ARENA, &asking->arena);
	if (r == 0)
		r = pool_submit(keeper->pool, ask, asking);
	keeper->is_asking = r == 0;
	if (r < 0) {
		arena_free(asking->arena);
		asking->arena = NULL;
	}
	return r;
}

static void take_answer(struct vpn_keeper *keeper)
{
	struct asking *asking = &keeper->asking;
	int r = adopt(keeper, &asking->answer);

	if (r < 0) {
		log_warn("vpn.adopt", log_fault(r));
		keeper->result = VPN_FETCH_LATER;
		snprintf(keeper->why, sizeof(keeper->why),
			 "writing what was answered to %.150s: %s", keeper->folder.path,
			 strerror(-r));
		return;
	}
	arena_free(keeper->kept);
	keeper->kept = asking->arena;
	asking->arena = NULL;
	keeper->answer = asking->answer;
	keeper->asked_at_ms = asking->question.now_ms;
}

/* Until the next question. */
static int64_t pause_ms(struct vpn_keeper *keeper)
{
	switch (keeper->result) {
	case 0:
		return keeper->answer.ask_again_ms;
	case VPN_FETCH_NONE:
		return VPN_NONE_MS;
	case VPN_FETCH_REFUSED:
		return VPN_REFUSED_MS;
	default:
		return (int64_t)link_backoff_ms(keeper->config.random, keeper->refused);
	}
}

static void end_asking(struct vpn_keeper *keeper)
{
	struct asking *asking = &keeper->asking;
	int was = keeper->asked ? keeper->result : 0;

	keeper->is_asking = false;
	keeper->asked = true;
	keeper->result = asking->result < 0 ? VPN_FETCH_LATER : asking->result;
	snprintf(keeper->why, sizeof(keeper->why), "%s",
		 asking->result < 0 ? strerror(-asking->result) : asking->why);
	if (keeper->result == 0)
		take_answer(keeper);
	/* The others drop this machine; what it says itself should not differ. */
	if (keeper->result == VPN_FETCH_REFUSED || keeper->result == VPN_FETCH_NONE)
		stop(keeper);
	keeper->refused = keeper->result == 0 ? 0 : keeper->refused + 1;
	if (keeper->result != was && keeper->result != 0 && keeper->result != VPN_FETCH_NONE)
		log_warn("vpn.not_answered", log_text("why", keeper->why));
	keeper->ask_at_ms = mono_ms(keeper) + pause_ms(keeper);
	arena_free(asking->arena);
	asking->arena = NULL;
}

/* ---- its life ---- */

static void on_tick(void *arg)
{
	struct vpn_keeper *keeper = arg;
	int64_t now_ms = mono_ms(keeper);
	int r;

	if (keeper->is_asking && atomic_load(&keeper->asking.done))
		end_asking(keeper);
	if (!keeper->is_asking && now_ms >= keeper->ask_at_ms) {
		r = begin_asking(keeper);
		if (r < 0) {
			log_warn("vpn.ask", log_fault(r));
			keeper->ask_at_ms = now_ms + LINK_BACKOFF_MAX_MS;
		}
	}
	if (keeper->may_run && !keeper->process && now_ms >= keeper->start_at_ms)
		start(keeper);
	r = write_status(keeper);
	if (r < 0)
		log_warn("vpn.status", log_fault(r));
}

/* What an earlier process wrote is used until the control plane says more. */
static int look_back(struct vpn_keeper *keeper)
{
	uint8_t certified[NEBULA_KEY_SIZE];
	struct vpn_answer answer = { .ask_again_ms = LINK_BACKOFF_MAX_MS };
	char *certificate, *yaml;
	int r;

	r = vpn_folder_read(&keeper->folder, "node.crt", NEBULA_PEM_SIZE, keeper->kept,
			    &certificate);
	if (r == 0)
		r = vpn_folder_read(&keeper->folder, "nebula.yml", FILE_MAX, keeper->kept, &yaml);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	if (vpn_certificate_read(certificate, &answer, certified) < 0 ||
	    memcmp(certified, keeper->public_key, sizeof(certified)) != 0 ||
	    answer.ends_at_ms <= clock_now_ms(keeper->config.clock))
		return 0;
	keeper->answer = answer;
	keeper->may_run = true;
	return 0;
}

static int open_all(struct vpn_keeper *keeper)
{
	int r = vpn_folder_open(keeper->config.state, &keeper->folder);

	if (r == 0)
		r = arena_new(ARENA_MAX, &keeper->kept);
	if (r == 0)
		r = vpn_folder_key(&keeper->folder, keeper->kept, keeper->public_key);
	if (r == 0)
		r = look_back(keeper);
	if (r == 0)
		r = pool_new("vpn", 1, 2, &keeper->pool);
	if (r == 0)
		r = loop_timer_new(keeper->config.loop, 0, VPN_TICK_MS, on_tick, keeper,
				   &keeper->tick);
	return r;
}

int vpn_keeper_new(const struct vpn_keeper_config *config, struct vpn_keeper **ret_keeper)
{
	struct vpn_keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return -ENOMEM;
	keeper->config = *config;
	keeper->folder = (struct vpn_folder){ .dir = -1, .lock = -1 };
	r = open_all(keeper);
	if (r < 0) {
		vpn_keeper_free(keeper);
		return r;
	}
	*ret_keeper = keeper;
	return 0;
}

void vpn_keeper_free(struct vpn_keeper *keeper)
{
	if (!keeper)
		return;
	if (keeper->pool)
		pool_free(keeper->pool);
	loop_timer_free(keeper->tick);
	process_free(keeper->process);
	arena_free(keeper->asking.arena);
	arena_free(keeper->kept);
	vpn_folder_close(&keeper->folder);
	free(keeper->status);
	free(keeper);
}

#include "cmd/worker.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/agent.h"
#include "base/log.h"
#include "cmd/client.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/node_vpn.h"
#include "cmd/options.h"
#include "io/loop.h"
#include "wire/wire.h"

static const struct option_row rows[] = {
	{ "state", 0, "DIR", "where `kaisar worker join` put its key (KAISAR_HOME/worker)" },
	{ "engine", 0, "URL", "the container engine, unix:///run/podman/podman.sock for one" },
	{ "cdi", 0, "DIR", "where the GPUs' CDI files are (/etc/cdi and /var/run/cdi)" },
	{ "public-address", 0, "HOST",
	  "where tenants reach published ports: a host name or an address" },
	{ "proof-listen", 0, "HOST:PORT",
	  "where checkers measure this network: a numeric address (nowhere)" },
	{ "prover", 0, "PROGRAM", "run in place of this one as `PROGRAM popw prove OPTIONS`" },
	{ "gpu-backend", 0, "NAME", "what proves GPUs: cuda, opencl, cpu (for trials) or auto" },
	NODE_VPN_ROW,
	{ "log-json", 0, NULL, "log lines as JSON" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar worker run [OPTIONS]",
	.about = "Offers this machine to the network it joined, and runs what tenants rent on it.\n"
		 "Containers go on when it ends, and it finds them again.",
	.rows = rows,
};

enum { HOME_MAX = 65536, SETTLED_MS = 3000, LISTEN_HOST_MAX = 64 };

/* The path of the engine's socket, or NULL. */
static const char *find_socket(const struct options *options)
{
	static const char *const usual[] = { "/run/podman/podman.sock", "/var/run/docker.sock" };
	const char *url = options_get(options, "engine", NULL);

	if (url)
		return strncmp(url, "unix:///", 8) == 0 ? url + 7 : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (access(usual[i], R_OK | W_OK) == 0)
			return usual[i];
	return NULL;
}

static bool is_numeric(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* False: it is no HOST:PORT, HOST numeric. */
static bool read_listen(const char *listen, char ret_host[static LISTEN_HOST_MAX],
			uint16_t *ret_port)
{
	const char *colon = strrchr(listen, ':');
	unsigned long port;
	char *end;

	if (!colon || colon == listen || colon - listen >= LISTEN_HOST_MAX || !isdigit(colon[1]))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || port > UINT16_MAX)
		return false;
	snprintf(ret_host, LISTEN_HOST_MAX, "%.*s", (int)(colon - listen), listen);
	*ret_port = (uint16_t)port;
	return is_numeric(ret_host);
}

/* @ret_backend: NULL for auto. False: there is none of that name. */
static bool find_backend(const struct options *options, const char **ret_backend)
{
	static const char *const names[] = { "cuda", "opencl", "cpu" };
	const char *name = options_get(options, "gpu-backend", "auto");

	*ret_backend = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			*ret_backend = names[i];
	return *ret_backend || strcmp(name, "auto") == 0;
}

/* How this machine is proved. @host: room for the proof port's. 0 or an exit status. */
static int read_proofs(const struct options *options, struct agent_config *config,
		       char host[static LISTEN_HOST_MAX])
{
	const char *listen = options_get(options, "proof-listen", NULL);

	config->prover = options_get(options, "prover", NULL);
	if (!find_backend(options, &config->gpu_backend))
		return options_refuse(&table, "--gpu-backend must be cuda, opencl, cpu or auto");
	if (!listen)
		return 0;
	if (!read_listen(listen, host, &config->proof_port))
		return options_refuse(&table, "--proof-listen must be HOST:PORT, HOST a numeric "
					      "address, PORT 0 to 65535");
	/* One that listens everywhere is reached where tenants reach the machine. */
	if (strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0)
		config->proof_address = host;
	else if (!config->address || !is_numeric(config->address))
		return options_refuse(&table, "--proof-listen on all addresses needs a numeric "
					      "--public-address: checkers connect to no name");
	config->proof_host = host;
	return 0;
}

static void on_signal(void *arg, int signal)
{
	log_info("worker.signal", log_int("signal", signal));
	loop_stop(arg);
}

/* Code is only read: what is needed again comes back from the page cache. */
static int drop_code(struct dl_phdr_info *object, size_t size _unused_, void *arg _unused_)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t from = (object->dlpi_addr + part->p_vaddr) & ~(page - 1);
		uintptr_t to = object->dlpi_addr + part->p_vaddr + part->p_memsz;

		if (part->p_type == PT_LOAD && (part->p_flags & (PF_X | PF_W)) == PF_X &&
		    madvise((void *)from, to - from, MADV_DONTNEED) < 0)
			log_warn("worker.madvise", log_fault(-errno));
	}
	return 0;
}

/* Libraries run much code when they are loaded, and never again: the agent gives the tenants' memory
 * back. */
static void on_settled(void *arg _unused_)
{
	dl_iterate_phdr(drop_code, NULL);
	malloc_trim(0);
}

/* Why it did not start, and what helps. */
static int say_fault(int r, const char *folder)
{
	switch (r) {
	case -ENOENT:
		return cli_fail(CLI_FAILED,
				"%s holds no machine's key; first: kaisar worker join URL TOKEN",
				folder);
	case -EBADMSG:
		return cli_fail(
			CLI_FAILED,
			"%s is damaged: what was read there is not what was written. Nothing "
			"was changed, and containers go on. Put its files config and key back "
			"from a copy, or join with another folder (--state DIR)",
			folder);
	case -EPROTONOSUPPORT:
		return cli_fail(CLI_FAILED,
				"%s was written by a later version of kaisar: run that one",
				folder);
	case -EADDRINUSE:
	case -EADDRNOTAVAIL:
		return cli_fail(CLI_FAILED,
				"the proof port cannot be listened on (%s): change --proof-listen",
				strerror(-r));
	default:
		return cli_fault(r, folder);
	}
}

static int run(struct agent_config *config, const char *vpn_word)
{
	struct node_vpn vpn = { 0 };
	struct loop_timer *settled;
	struct agent *agent = NULL;
	int r, status = 0;

	r = loop_new(&config->loop);
	if (r < 0)
		return cli_fault(r, "starting the loop");
	r = loop_on_signal(config->loop, on_signal, config->loop);
	if (r == 0)
		r = agent_new(config, &agent);
	if (r == 0)
		r = loop_timer_new(config->loop, SETTLED_MS, 0, on_settled, NULL, &settled);
	if (r == 0)
		status = node_vpn_start(vpn_word, config->loop, config->state, config->folder,
					config->proof_host ? config->proof_port : 0, &vpn);
	if (r == 0 && status == 0) {
		log_info("worker.started", log_text("engine", config->socket),
			 log_text("state", config->folder));
		r = loop_run(config->loop);
		if (agent_refusal(agent))
			status = node_refused(config->folder, agent_refusal(agent));
	}
	node_vpn_end(&vpn);
	agent_free(agent);
	loop_free(config->loop);
	return r < 0 ? say_fault(r, config->folder) : status;
}

int cmd_worker_run(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	struct agent_config config = { .clock = &clock_system,
				       .random = &random_system,
				       .version = KAISAR_VERSION };
	char proof_host[LISTEN_HOST_MAX];
	const char *folder = NULL;
	struct options options;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	config.socket = find_socket(&options);
	if (!config.socket)
		return options_refuse(&table, "which container engine? --engine unix:///PATH");
	config.cdi_folder = options_get(&options, "cdi", NULL);
	config.address = options_get(&options, "public-address", NULL);
	if (config.address && !wire_is_host(config.address))
		return options_refuse(
			&table, "--public-address: a host name or a numeric address, no port");
	if (!node_vpn_word_ok(options_get(&options, "vpn", "auto")))
		return options_refuse(&table, "--vpn must be on, off or auto");
	status = read_proofs(&options, &config, proof_host);
	if (status != 0)
		return status;
	log_init(options_has(&options, "log-json"), LOG_INFO);
	r = arena_new(HOME_MAX, &arena);
	if (r == 0)
		r = home_path(arena, "worker", &folder);
	folder = options_get(&options, "state", folder);
	if (!folder)
		return options_refuse(&table, "which folder? --state DIR");
	if (access(folder, F_OK) < 0)
		return cli_fail(CLI_FAILED, "%s is not there; first: kaisar worker join URL TOKEN",
				folder);
	r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED, "another agent is running on %s", folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_WORKER);
	if (status != 0)
		return status;
	config.state = state;
	config.folder = folder;
	return run(&config, options_get(&options, "vpn", "auto"));
}

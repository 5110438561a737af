/* server.c - the control plane's composition root: puts store, loop, pools, modules and the HTTP face
 * together, and takes them apart in the other order. */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include "api/api.h"
#include "api/instances.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/file.h"
#include "cmd/options.h"
#include "cmd/server_chain.h"
#include "cmd/server_keys.h"
#include "cmd/server_settings.h"
#include "io/loop.h"
#include "io/migrate.h"
#include "io/pool.h"
#include "modules/billing/billing.h"
#include "modules/chain/chain.h"
#include "modules/checker/checker.h"
#include "modules/iam/iam.h"
#include "modules/logging/logging.h"
#include "modules/proof/proof.h"
#include "modules/rewards/rewards.h"
#include "modules/service/image_ref.h"
#include "modules/service/service.h"
#include "modules/vpn/vpn.h"
#include "modules/worker/worker.h"
#include "security/vpn.h"

enum {
	PATH_BYTES = 4096,
	OPERATORS_MAX = 16,
	PEOPLE_THREADS = 8,
	AGENT_THREADS = 4,
	BACKGROUND_THREADS = 4,
	OUTSIDE_THREADS = 2,
	QUEUE_LIMIT = 4096,
	DRAIN_MS = 10000,
	RELIEVED_MS = 1000,
	EXIT_RELIEVED = 75, /* EX_TEMPFAIL: to be started again */
	DUTIES_CONNECTIONS = 1,
	VPN_EARLY_S = 86400, /* clocks differ */
	VPN_LIFE_S = 20 * 365 * 86400,
};

static const struct module *const modules[] = {
	&logging_module, &iam_module,     &chain_module, &billing_module, &worker_module,
	&checker_module, &service_module, &proof_module, &rewards_module, &vpn_module,
};

static const struct option_row rows[] = {
	{ "listen", 'l', "HOST:PORT", "numeric address to serve on (127.0.0.1:7070)" },
	{ "modules", 0, "A,B",
	  "serve these only: logging, iam, chain, billing, worker, checker, service, proof, "
	  "rewards (all)" },
	{ "keys", 0, "DIR", "the network's keys; all its instances have the same (DATA/keys)" },
	{ "instance-url", 0, "URL", "how others reach this instance (http://HOST:PORT)" },
	{ "data", 'd', "DIR", "keys and the SQLite store (./kaisar-data)" },
	{ "db", 0, "URL", "sqlite:PATH or postgres://... (sqlite:DIR/kaisar.db)" },
	{ "url", 0, "URL", "how people reach it (http://HOST:PORT)" },
	{ "domain", 0, "NAME", "shown in sign-in messages (URL's host and port)" },
	{ "operator", 0, "ADDRESS", "a wallet with the operator role; may be repeated" },
	{ "chain-id", 0, "N", "in sign-in messages, and of the chain (3338, peaq)" },
	SERVER_CHAIN_ROWS,
	{ "peer-rate", 0, "N", "requests a second from one address, 0: no limit (500)" },
	{ "probe-image", 0, "IMAGE",
	  "deployed on idle machines for checkers to talk to; it has sh and goes on (no probes)" },
	{ "vpn-network", 0, "CIDR",
	  "addresses of the mesh VPN, kept from the first start on (100.80.0.0/16)" },
	{ "set", 0, "NAME=VALUE", "a network parameter; may be repeated" },
	{ "log-json", 0, NULL, "log JSON lines" },
	{ "parameters", 0, NULL, "list the network parameters and end" },
	{ "routes", 0, NULL, "print the route tables as JSON and end" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar server [OPTIONS]",
	.about = "Runs the control plane. SIGTERM lets what runs finish, then ends it.",
	.rows = rows,
};

struct server {
	struct options options;
	char host[64];
	uint16_t port;
	char data[PATH_BYTES], db_url[PATH_BYTES + 16], url[256], domain[256];
	struct address operators[OPERATORS_MAX];
	struct settings settings;
	struct server_keys keys;
	struct nebula_claims vpn; /* of the authority, where it is made now */
	struct server_chain chain;
	struct context context;
	struct api *api;
	char instance_url[256];
	double peer_rate;
	int lock; /* of the data folder */
	bool draining;
	bool relieved; /* by another instance */
};

/* ---- configuration ---- */

static int read_listen(struct server *server)
{
	const char *listen = options_get(&server->options, "listen", "127.0.0.1:7070");
	const char *colon = strrchr(listen, ':');
	char *end = NULL;
	long port = colon ? strtol(colon + 1, &end, 10) : -1;

	if (!colon || colon == listen || end == colon + 1 || *end || port < 1 || port > 65535 ||
	    (size_t)(colon - listen) >= sizeof(server->host))
		return options_refuse(&table, "--listen must be HOST:PORT, port 1 to 65535");
	snprintf(server->host, sizeof(server->host), "%.*s", (int)(colon - listen), listen);
	server->port = (uint16_t)port;
	return 0;
}

static int read_names(struct server *server)
{
	const char *data = options_get(&server->options, "data", "kaisar-data");
	const char *db = options_get(&server->options, "db", NULL);
	const char *url = options_get(&server->options, "url", NULL);
	const char *domain = options_get(&server->options, "domain", NULL);
	const char *host;

	if (strlen(data) > PATH_BYTES - 64 || (db && strlen(db) >= sizeof(server->db_url)) ||
	    (url && strlen(url) > 200) || (domain && strlen(domain) > 200))
		return options_refuse(&table, "--data, --db, --url or --domain is too long");
	snprintf(server->data, sizeof(server->data), "%s", data);
	if (db)
		snprintf(server->db_url, sizeof(server->db_url), "%s", db);
	else
		snprintf(server->db_url, sizeof(server->db_url), "sqlite:%s/kaisar.db", data);
	if (url)
		snprintf(server->url, sizeof(server->url), "%s", url);
	else
		snprintf(server->url, sizeof(server->url), "http://%s:%u", server->host,
			 server->port);
	snprintf(server->instance_url, sizeof(server->instance_url), "%s",
		 options_get(&server->options, "instance-url", ""));
	if (!*server->instance_url)
		snprintf(server->instance_url, sizeof(server->instance_url), "http://%s:%u",
			 server->host, server->port);
	host = strstr(server->url, "://");
	if (!host)
		return options_refuse(&table, "--url must start with http:// or https://");
	if (domain)
		snprintf(server->domain, sizeof(server->domain), "%s", domain);
	else
		snprintf(server->domain, sizeof(server->domain), "%.*s",
			 (int)strcspn(host + 3, "/"), host + 3);
	return 0;
}

static int read_operators(struct server *server)
{
	const char *text;
	size_t n = 0;

	for (; (text = options_nth(&server->options, "operator", n)); n++) {
		if (n == OPERATORS_MAX)
			return options_refuse(&table, "at most %d operators", OPERATORS_MAX);
		if (address_parse(text, &server->operators[n]) < 0)
			return options_refuse(&table, "--operator %s is not an address", text);
	}
	server->settings.operators = server->operators;
	server->settings.n_operators = n;
	return 0;
}

static int read_settings(struct server *server)
{
	int64_t chain_id, peer_rate;
	const char *text;

	server_settings_init(&server->settings);
	if (options_int(&server->options, "chain-id", 1, INT64_MAX, 3338, &chain_id) != 0 ||
	    options_int(&server->options, "peer-rate", 0, 1000000, 500, &peer_rate) != 0)
		return EXIT_USAGE;
	server->peer_rate = (double)peer_rate;
	server->settings.chain_id = (uint64_t)chain_id;
	server->settings.domain = server->domain;
	server->settings.url = server->url;
	server->settings.instance_url = server->instance_url;
	server->settings.probe_image = options_get(&server->options, "probe-image", "");
	if (*server->settings.probe_image && !image_ref_ok(server->settings.probe_image))
		return options_refuse(&table, "--probe-image must be an image reference");
	for (size_t i = 0; (text = options_nth(&server->options, "set", i)); i++)
		if (server_settings_set(&server->settings, text) < 0)
			return EXIT_USAGE;
	return read_operators(server);
}

static int read_chain(struct server *server)
{
	const struct chain_settings *chain;
	int status = server_chain_read(&server->options, &table, &server->chain, &chain);

	if (status != 0 || !chain)
		return status;
	if (chain->contracts->chain_id != server->settings.chain_id)
		return options_refuse(&table,
				      "--chain-addresses is of chain %" PRIu64
				      ": say --chain-id %" PRIu64 ", or name another file",
				      chain->contracts->chain_id, chain->contracts->chain_id);
	server->settings.chain = chain;
	return 0;
}

static int read_vpn(struct server *server)
{
	const int64_t now_s = clock_now_ms(&clock_system) / 1000;
	const char *network = options_get(&server->options, "vpn-network", "100.80.0.0/16");

	server->vpn = (struct nebula_claims){ .name = "kaisar",
					      .not_before_s = now_s - VPN_EARLY_S,
					      .not_after_s = now_s + VPN_LIFE_S };
	if (vpn_network_parse(network, &server->vpn.address, &server->vpn.mask) < 0)
		return options_refuse(&table, "--vpn-network must be a private IPv4 network, /8 to "
					      "/28, like 100.80.0.0/16");
	return 0;
}

/* ---- life ---- */

static void on_drained(void *arg)
{
	struct server *server = arg;

	loop_stop(server->context.loop);
}

static void on_signal(void *arg, int signal)
{
	struct server *server = arg;

	if (server->draining)
		return;
	server->draining = true;
	log_info("server.draining", log_int("signal", signal));
	api_drain(server->api, DRAIN_MS, on_drained, server);
}

static void on_lost(void *arg)
{
	struct server *server = arg;

	server->relieved = true;
	log_error("server.relieved", log_text("remedy", "start it again: it stands by then"));
	if (server->draining)
		return;
	server->draining = true;
	api_drain(server->api, RELIEVED_MS, on_drained, server);
}

/* One line for the operator, with the remedy; passes @fault on. */
static int explain(int fault, const char *what, const char *remedy)
{
	fprintf(stderr, "kaisar server: %s: %s; %s\n", what, strerror(-fault), remedy);
	return fault;
}

/* Two control planes on one folder would each believe their own picture of the fleet. */
static int data_lock(struct server *server)
{
	char path[PATH_BYTES + 8];
	int r = file_make_dirs(server->data, 0700);

	if (r < 0)
		return explain(r, server->data, "name a folder that can be made with --data");
	snprintf(path, sizeof(path), "%s/lock", server->data);
	server->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (server->lock < 0)
		return explain(-errno, path, "--data must be a folder that can be written");
	if (flock(server->lock, LOCK_EX | LOCK_NB) < 0)
		return explain(-EBUSY, server->data,
			       "another control plane runs on this folder: end it, or name another "
			       "--data");
	return 0;
}

static int store_open(struct server *server)
{
	unsigned int connections = PEOPLE_THREADS + AGENT_THREADS + BACKGROUND_THREADS +
				   OUTSIDE_THREADS + DUTIES_CONNECTIONS;
	int r, applied;

	r = db_open(server->db_url, connections, &server->context.db);
	if (r == 0)
		r = migrate(server->context.db, migrations, &applied);
	if (r < 0)
		return explain(r, "the store cannot be opened", "see the line above, and --db");
	return 0;
}

static int pools_open(struct context *context)
{
	int r = pool_new("people", PEOPLE_THREADS, QUEUE_LIMIT, &context->people);

	if (r == 0)
		r = pool_new("agents", AGENT_THREADS, QUEUE_LIMIT, &context->agents);
	if (r == 0)
		r = pool_new("background", BACKGROUND_THREADS, QUEUE_LIMIT, &context->background);
	if (r == 0)
		r = pool_new("outside", OUTSIDE_THREADS, QUEUE_LIMIT, &context->outside);
	return r;
}

/* Its own for good: so who is started again goes on with what it did, and need not wait to be sure. */
static int instance_read(const struct server *server, struct instance_id *ret_id)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	char path[PATH_BYTES + 16], *text, id[ID_TEXT_SIZE], made[ID_TEXT_SIZE + 1];
	size_t len;
	int r = arena_new(PATH_BYTES, &arena);

	snprintf(path, sizeof(path), "%s/instance", server->data);
	if (r == 0)
		r = file_read(path, ID_TEXT_SIZE, arena, &text, &len);
	if (r == 0) {
		text[strcspn(text, "\n")] = 0;
		r = instance_id_parse(text, ret_id);
		return r == 0 ? 0 : explain(r, path, "remove this file: a new one is made");
	}
	if (r == -ENOENT)
		r = instance_id_make(&clock_system, &random_system, ret_id);
	if (r < 0)
		return explain(r, path, "it must be a file that can be read");
	instance_id_text(ret_id, id);
	snprintf(made, sizeof(made), "%s\n", id);
	r = file_write(path, made, strlen(made), 0600);
	return r == 0 ? 0 : explain(r, path, "--data must be a folder that can be written");
}

static int face_open(struct server *server)
{
	struct api_config config = {
		.context = &server->context,
		.modules = modules,
		.n_modules = ARRAY_SIZE(modules),
		.authenticate = iam_authenticate,
		.serves = options_get(&server->options, "modules", NULL),
		.version = KAISAR_VERSION,
		.lost = on_lost,
		.arg = server,
		.peer_rate = server->peer_rate,
	};
	int r;

	r = instance_read(server, &config.instance);
	if (r < 0)
		return r;
	http_server_config_init(&config.http);
	config.http.host = server->host;
	config.http.port = server->port;
	r = api_start(&config, &server->api);
	if (r == -EINVAL && config.serves)
		return explain(r, config.serves,
			       "--modules must name modules, as `kaisar server --help` says");
	if (r == -EADDRINUSE)
		return explain(r, server->url,
			       "another program serves there: choose another --listen");
	if (r == -EADDRNOTAVAIL || r == -EACCES)
		return explain(r, server->host, "not an address of this machine: change --listen");
	return r;
}

/* Bills signed by another key would be another network's. */
static int network_check(struct server *server)
{
	struct address other;
	char text[ADDRESS_TEXT_SIZE];
	int r = instances_check_network(server->context.db, server->settings.network, &other);

	if (r <= 0)
		return r;
	address_text(&other, text);
	fprintf(stderr,
		"kaisar server: the store belongs to the network %s, whose keys these are not; "
		"name theirs with --keys, or another --db\n",
		text);
	return -EPERM;
}

/* The authority's own certificate bounds what it signs. */
static int vpn_check(const struct server *server)
{
	const struct nebula_claims *is = nebula_authority_claims(server->keys.vpn);

	if (!options_has(&server->options, "vpn-network") ||
	    (is->address == server->vpn.address && is->mask == server->vpn.mask))
		return 0;
	return explain(-EINVAL, "--vpn-network",
		       "the VPN was made for another network: leave the option out, or move "
		       "keys/vpn.pem away to have it made anew, which ends all tunnels");
}

static int server_open(struct server *server)
{
	struct context *context = &server->context;
	char keys[PATH_BYTES + 8];
	int r;

	*context = (struct context){ .clock = &clock_system,
				     .random = &random_system,
				     .settings = &server->settings };
	snprintf(keys, sizeof(keys), "%s", options_get(&server->options, "keys", ""));
	if (!*keys)
		snprintf(keys, sizeof(keys), "%s/keys", server->data);
	r = data_lock(server);
	if (r == 0)
		r = store_open(server);
	if (r == 0)
		r = server_keys_load(keys, &random_system, &server->vpn, &server->keys);
	if (r == 0)
		r = vpn_check(server);
	if (r < 0)
		return r;
	server->settings.token_key = server->keys.token;
	server->settings.network_key = server->keys.network;
	server->settings.vpn = server->keys.vpn;
	server->settings.network = *secp_key_address(server->keys.network);
	r = network_check(server);
	if (r == 0)
		r = loop_new(&context->loop);
	if (r == 0)
		r = pools_open(context);
	if (r == 0)
		r = loop_on_signal(context->loop, on_signal, server);
	return r == 0 ? face_open(server) : r;
}

static void server_close(struct server *server)
{
	struct context *context = &server->context;

	if (context->people)
		pool_free(context->people);
	if (context->agents)
		pool_free(context->agents);
	if (context->background)
		pool_free(context->background);
	if (context->outside)
		pool_free(context->outside);
	api_give_back(server->api);
	/* What was submitted still answers through the face, so the store ends first. */
	if (context->db)
		db_close(context->db);
	api_free(server->api);
	if (context->loop)
		loop_free(context->loop);
	server_keys_done(&server->keys);
	if (server->lock >= 0)
		close(server->lock);
}

static int server_run(struct server *server)
{
	char network[ADDRESS_TEXT_SIZE];
	int r = server_open(server);

	if (r == 0) {
		address_text(&server->settings.network, network);
		log_info("server.serving", log_text("url", server->url),
			 log_text("network", network));
		printf("serving %s\n", server->url);
		fflush(stdout);
		r = loop_run(server->context.loop);
	}
	server_close(server);
	if (r < 0)
		log_error("server.failed", log_fault(r));
	return r < 0 ? 1 : server->relieved ? EXIT_RELIEVED : 0;
}

static int print_routes(void)
{
	json_t *routes;

	if (api_describe(modules, ARRAY_SIZE(modules), &routes) < 0)
		return 1;
	json_dumpf(routes, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(routes);
	return 0;
}

int cmd_server(int argc, char **argv)
{
	static struct server server = { .lock = -1 };
	int status;

	if (options_read(&table, argc, argv, &server.options, &status) != 0)
		return status;
	if (options_has(&server.options, "parameters")) {
		server_settings_print(stdout);
		return 0;
	}
	if (options_has(&server.options, "routes"))
		return print_routes();
	log_init(options_has(&server.options, "log-json"), LOG_INFO);
	signal(SIGPIPE, SIG_IGN);
	status = read_listen(&server);
	if (status == 0)
		status = read_names(&server);
	if (status == 0)
		status = read_settings(&server);
	if (status == 0)
		status = read_chain(&server);
	if (status == 0)
		status = read_vpn(&server);
	return status ? status : server_run(&server);
}

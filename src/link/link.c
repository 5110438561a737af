#include "link/link.h"

#include "base/log.h"
#include "io/loop.h"
#include "io/ws_client.h"
#include "wire/sign.h"

enum { URL_SIZE = 640, ARENA_MAX = 16 << 20 };

enum link_phase { LINK_DOWN, LINK_CONNECTING, LINK_CHALLENGED, LINK_GREETED, LINK_UP };

struct link {
	struct link_config config;
	char url[URL_SIZE], version[65];
	enum link_phase phase;
	struct ws_client *client;
	struct loop_timer *timer; /* of the next try, or of the handshake */
	unsigned int attempts;
	bool retired;
	struct arena *arena; /* of the message that is being read or written */
};

static void connect_now(void *arg);

bool link_up(const struct link *link)
{
	return link->phase == LINK_UP;
}

uint64_t link_backoff_ms(struct random *random, unsigned int attempts)
{
	uint64_t most = LINK_BACKOFF_MIN_MS, jitter;

	for (; attempts > 1 && most < LINK_BACKOFF_MAX_MS; attempts--)
		most *= 2;
	if (most > LINK_BACKOFF_MAX_MS)
		most = LINK_BACKOFF_MAX_MS;
	/* Without randomness, at least without haste. */
	if (random_below(random, most / 2 + 1, &jitter) < 0)
		jitter = most / 2;
	return most / 2 + jitter;
}

int link_url(const char *url, const char *path, char *ret_url, size_t size)
{
	const char *scheme, *rest;
	size_t len;

	if (strncmp(url, "http://", 7) == 0)
		scheme = "ws://", rest = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		scheme = "wss://", rest = url + 8;
	else
		return -EINVAL;
	len = strlen(rest);
	while (len > 0 && rest[len - 1] == '/')
		len--;
	if (len == 0 ||
	    snprintf(ret_url, size, "%s%.*s%s", scheme, (int)len, rest, path) >= (int)size)
		return -EINVAL;
	return 0;
}

static void set_timer(struct link *link, uint64_t ms, void (*fn)(void *arg))
{
	int r;

	loop_timer_free(link->timer);
	link->timer = NULL;
	if (!fn)
		return;
	r = loop_timer_new(link->config.loop, ms, 0, fn, link, &link->timer);
	if (r < 0)
		log_error("link.timer", log_fault(r));
}

static void try_later(struct link *link)
{
	uint64_t ms = link_backoff_ms(link->config.random, ++link->attempts);

	link->phase = LINK_DOWN;
	set_timer(link, ms, connect_now);
}

static void rest(struct link *link)
{
	link->phase = LINK_DOWN;
	set_timer(link, 0, NULL);
}

static void cut(struct link *link, const char *why)
{
	log_warn("link.cut", log_text("reason", why));
	ws_client_close(link->client, 1002);
}

static void on_silence(void *arg)
{
	cut(arg, "no welcome in time");
}

static int put(struct link *link, const Wire__ToServer *message)
{
	const void *bytes;
	size_t len;
	int r;

	arena_reset(link->arena);
	r = wire_encode_to_server(message, link->arena, &bytes, &len);
	if (r == 0)
		r = ws_client_send(link->client, WS_BINARY, bytes, len);
	arena_reset(link->arena);
	return r;
}

int link_send(struct link *link, const Wire__ToServer *message)
{
	return link->phase == LINK_UP ? put(link, message) : -ENOTCONN;
}

size_t link_queued(const struct link *link)
{
	return link->client ? ws_client_queued(link->client) : 0;
}

/* ---- the handshake ---- */

static int greet(struct link *link, const Wire__Challenge *challenge)
{
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	struct hello_statement statement = { .network = link->config.network };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	Wire__Hello hello = WIRE__HELLO__INIT;
	int r;

	/* The statement is over our own network: a foreign one cannot use the signature. */
	memcpy(statement.nonce, challenge->nonce.data, sizeof(statement.nonce));
	statement.machine.address = *secp_key_address(link->config.key);
	hello_digest(&statement, digest);
	r = secp_sign(link->config.key, digest, signature);
	if (r < 0)
		return r;
	hello.machine = (ProtobufCBinaryData){ sizeof(statement.machine.address.bytes),
					       statement.machine.address.bytes };
	hello.signature = (ProtobufCBinaryData){ sizeof(signature), signature };
	hello.version = link->version;
	message.body_case = WIRE__TO_SERVER__BODY_HELLO;
	message.hello = &hello;
	return put(link, &message);
}

static void take_challenge(struct link *link, const Wire__ToNode *message)
{
	int r;

	if (message->body_case != WIRE__TO_NODE__BODY_CHALLENGE) {
		cut(link, "expected a challenge");
		return;
	}
	if (memcmp(message->challenge->network.data, link->config.network.bytes,
		   sizeof(link->config.network.bytes)) != 0) {
		cut(link,
		    "this is another network's control plane; join it anew with another --state");
		return;
	}
	link->phase = LINK_GREETED;
	r = greet(link, message->challenge);
	if (r < 0) {
		log_error("link.hello", log_fault(r));
		cut(link, "no hello");
	}
}

static void take_welcome(struct link *link, const Wire__ToNode *message)
{
	if (message->body_case != WIRE__TO_NODE__BODY_WELCOME) {
		cut(link, "expected a welcome");
		return;
	}
	link->phase = LINK_UP;
	link->attempts = 0;
	set_timer(link, 0, NULL);
	log_info("link.up", log_text("url", link->url));
	link->config.on_welcome(link->config.arg, message->welcome);
}

/* ---- the connection ---- */

static void on_open(void *arg)
{
	struct link *link = arg;

	link->phase = LINK_CHALLENGED;
	set_timer(link, LINK_HELLO_MS, on_silence);
}

static void dispatch(struct link *link, const Wire__ToNode *message)
{
	switch (link->phase) {
	case LINK_CHALLENGED:
		take_challenge(link, message);
		break;
	case LINK_GREETED:
		take_welcome(link, message);
		break;
	case LINK_UP:
		link->config.on_message(link->config.arg, message);
		break;
	case LINK_DOWN:
	case LINK_CONNECTING:
		break;
	}
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct link *link = arg;
	Wire__ToNode *message;
	int r;

	/* Its own arena: what it leads to may send. */
	r = arena_new(ARENA_MAX, &arena);
	if (r == 0)
		r = kind == WS_BINARY ? wire_decode_to_node(bytes, len, arena, &message)
				      : WIRE_E_MALFORMED;
	if (r == 0)
		dispatch(link, message);
	else
		cut(link, r == WIRE_E_MALFORMED ? "malformed message" : "out of memory");
}

static void free_now(struct link *link)
{
	arena_free(link->arena);
	free(link);
}

static void on_close(void *arg, int status, uint16_t code, const char *detail)
{
	struct link *link = arg;
	bool was_up = link->phase == LINK_UP;

	link->client = NULL;
	if (link->retired) {
		free_now(link);
		return;
	}
	log_warn("link.down", log_int("status", status), log_int("code", code),
		 log_text("detail", detail));
	if (code == WIRE_CLOSE_REFUSED)
		rest(link);
	else
		try_later(link);
	if (was_up)
		link->config.on_down(link->config.arg);
	if (code == WIRE_CLOSE_REFUSED)
		link->config.on_refused(link->config.arg, detail);
}

static const struct ws_client_handler handler = { on_open, on_message, on_close };

static void connect_now(void *arg)
{
	struct link *link = arg;
	const struct ws_client_config config = {
		.url = link->url,
		.connect_timeout_ms = LINK_CONNECT_MS,
		.ping_ms = LINK_PING_MS,
		.max_message_bytes = WIRE_MESSAGE_MAX,
		.max_queue_bytes = LINK_QUEUE_MAX,
	};
	int r;

	set_timer(link, 0, NULL);
	link->phase = LINK_CONNECTING;
	r = ws_client_open(link->config.loop, &config, &handler, link, &link->client);
	if (r < 0) {
		log_error("link.open", log_text("url", link->url), log_fault(r));
		try_later(link);
	}
}

int link_new(const struct link_config *config, struct link **ret_link)
{
	struct link *link = calloc(1, sizeof(*link));
	int r;

	if (!link)
		return -ENOMEM;
	link->config = *config;
	snprintf(link->version, sizeof(link->version), "%s", config->version);
	r = link_url(config->url, config->path, link->url, sizeof(link->url));
	if (r == 0)
		r = arena_new(ARENA_MAX, &link->arena);
	if (r < 0) {
		free(link);
		return r;
	}
	connect_now(link);
	*ret_link = link;
	return 0;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	set_timer(link, 0, NULL);
	if (!link->client) {
		free_now(link);
		return;
	}
	/* Its last call, on_close, frees. */
	link->retired = true;
	link->phase = LINK_DOWN;
	ws_client_close(link->client, 1001);
}

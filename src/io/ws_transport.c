#include "io/ws_transport.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	LOOK_MS = 100,
	/* how often a connect under way looks whether it was abandoned */ PART_SIZE = 256
};

struct ws_transport {
	CURL *curl; /* NULL: plain */
	char host[PART_SIZE], port[8]; /* of a plain one */
	int fd; /* of a plain one; -1 before it is connected */
	uint64_t timeout_ms;
	bool abandoned;
	char why[CURL_ERROR_SIZE];
};

static bool is_abandoned(struct ws_transport *transport)
{
	return __atomic_load_n(&transport->abandoned, __ATOMIC_ACQUIRE);
}

/* ---- TLS and proxies ---- */

static int on_progress(void *arg, _unused_ curl_off_t a, _unused_ curl_off_t b,
		       _unused_ curl_off_t c, _unused_ curl_off_t d)
{
	return is_abandoned(arg);
}

static int curl_new(struct ws_transport *transport, const char *url)
{
	CURL *curl = curl_easy_init();

	if (!curl)
		return -ENOMEM;
	transport->curl = curl;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTPPROXYTUNNEL, 1L);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)transport->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, transport->why);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, transport);
	return 0;
}

/* ---- plain ---- */

/* Those that libcurl goes by for http. */
static bool has_proxy(void)
{
	static const char *const names[] = { "http_proxy", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return true;
	}
	return false;
}

/* Host and port of "http://host:port/path"; false for what is less simple. */
static bool take_plain(struct ws_transport *transport, const char *url)
{
	const char *host = url + strlen("http://");
	size_t len, port_len;

	if (strncasecmp(url, "http://", strlen("http://")) != 0 || has_proxy())
		return false;
	/* No user, no IPv6 in brackets, no escapes: a name or an IPv4 address. */
	len = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
	port_len = host[len] == ':' ? strspn(host + len + 1, "0123456789") : 0;
	if (len == 0 || len >= sizeof(transport->host) || port_len >= sizeof(transport->port) ||
	    (host[len] == ':' && port_len == 0))
		return false;
	memcpy(transport->host, host, len);
	snprintf(transport->port, sizeof(transport->port), "%.*s", port_len ? (int)port_len : 2,
		 port_len ? host + len + 1 : "80");
	host += len + (port_len ? port_len + 1 : 0);
	return *host == '\0' || *host == '/' || *host == '?';
}

/* Until the socket is writable: 0, or a fault. */
static int await_connected(struct ws_transport *transport, int fd, int64_t until_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error = 0, n;

	do {
		if (is_abandoned(transport))
			return -ECANCELED;
		if (clock_mono_ms(&clock_system) >= until_ms)
			return -ETIMEDOUT;
		n = poll(&pollfd, 1, LOOK_MS);
	} while (n == 0 || (n < 0 && errno == EINTR));
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return -errno;
	return -error;
}

static int connect_to(struct ws_transport *transport, const struct addrinfo *address,
		      int64_t until_ms)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r = 0, one = 1;

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		r = errno == EINPROGRESS ? await_connected(transport, fd, until_ms) : -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	transport->fd = fd;
	return 0;
}

static int connect_plain(struct ws_transport *transport)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	int64_t until_ms = clock_mono_ms(&clock_system) + (int64_t)transport->timeout_ms;
	struct addrinfo *addresses = NULL;
	int r;

	r = getaddrinfo(transport->host, transport->port, &hints, &addresses);
	if (r != 0) {
		snprintf(transport->why, sizeof(transport->why), "could not resolve %.200s",
			 transport->host);
		return -EHOSTUNREACH;
	}
	r = -EHOSTUNREACH;
	for (struct addrinfo *a = addresses; a && r < 0 && r != -ECANCELED; a = a->ai_next)
		r = connect_to(transport, a, until_ms);
	freeaddrinfo(addresses);
	if (r < 0)
		snprintf(transport->why, sizeof(transport->why), "%.100s port %s: %s",
			 transport->host, transport->port, strerror(-r));
	return r;
}

/* ---- both ---- */

int ws_transport_new(const char *url, uint64_t connect_timeout_ms,
		     struct ws_transport **ret_transport)
{
	struct ws_transport *transport = calloc(1, sizeof(*transport));
	int r;

	if (!transport)
		return -ENOMEM;
	transport->fd = -1;
	transport->timeout_ms = connect_timeout_ms;
	r = take_plain(transport, url) ? 0 : curl_new(transport, url);
	if (r < 0) {
		ws_transport_free(transport);
		return r;
	}
	*ret_transport = transport;
	return 0;
}

void ws_transport_free(struct ws_transport *transport)
{
	if (!transport)
		return;
	if (transport->curl)
		curl_easy_cleanup(transport->curl);
	if (transport->fd >= 0)
		close(transport->fd);
	free(transport);
}

int ws_transport_connect(struct ws_transport *transport)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	if (!transport->curl)
		return connect_plain(transport);
	if (curl_easy_perform(transport->curl) != CURLE_OK)
		return -ENOTCONN;
	curl_easy_getinfo(transport->curl, CURLINFO_ACTIVESOCKET, &fd);
	return fd == CURL_SOCKET_BAD ? -ENOTCONN : 0;
}

void ws_transport_abandon(struct ws_transport *transport)
{
	__atomic_store_n(&transport->abandoned, true, __ATOMIC_RELEASE);
}

int ws_transport_fd(const struct ws_transport *transport)
{
	curl_socket_t fd = transport->fd;

	if (transport->curl)
		curl_easy_getinfo(transport->curl, CURLINFO_ACTIVESOCKET, &fd);
	return fd;
}

static int fault_of(CURLcode code)
{
	if (code == CURLE_OK)
		return 0;
	return code == CURLE_AGAIN ? -EAGAIN : -EPIPE;
}

static int taken(ssize_t n, size_t *ret_n)
{
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
	*ret_n = (size_t)n;
	return 0;
}

int ws_transport_send(struct ws_transport *transport, const void *bytes, size_t len, size_t *ret_n)
{
	if (transport->curl)
		return fault_of(curl_easy_send(transport->curl, bytes, len, ret_n));
	return taken(send(transport->fd, bytes, len, MSG_NOSIGNAL), ret_n);
}

int ws_transport_receive(struct ws_transport *transport, void *ret_bytes, size_t size,
			 size_t *ret_n)
{
	if (transport->curl)
		return fault_of(curl_easy_recv(transport->curl, ret_bytes, size, ret_n));
	return taken(recv(transport->fd, ret_bytes, size, 0), ret_n);
}

const char *ws_transport_why(const struct ws_transport *transport)
{
	return transport->why;
}

#include "io/test_peer.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct loop_thread {
	pthread_t id;
};

static void *run_loop(void *arg)
{
	if (loop_run(arg) < 0)
		abort();
	return NULL;
}

void test_server_start(struct test_server *test, struct http_server_config *config)
{
	config->host = "127.0.0.1";
	config->port = 0;
	assert_int_equal(loop_new(&test->loop), 0);
	assert_int_equal(http_server_new(test->loop, config, &test->server), 0);
	test->port = http_server_port(test->server);
	test->thread = calloc(1, sizeof(*test->thread));
	assert_non_null(test->thread);
	assert_int_equal(pthread_create(&test->thread->id, NULL, run_loop, test->loop), 0);
}

void test_server_stop(struct test_server *test)
{
	loop_stop(test->loop);
	pthread_join(test->thread->id, NULL);
	http_server_free(test->server);
	loop_free(test->loop);
	free(test->thread);
}

int test_connect(uint16_t port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void test_send(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		/* The server may have ended already: the test looks at what it said. */
		if (n < 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

void test_send_text(int fd, const char *text)
{
	test_send(fd, text, strlen(text));
}

int test_read_all(int fd, char *ret_text, size_t size)
{
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0 && len < size - 1) {
		n = recv(fd, ret_text + len, size - 1 - len, 0);
		if (n > 0)
			len += (size_t)n;
	}
	ret_text[len] = '\0';
	return n < 0 ? -errno : (int)len;
}

bool test_read(int fd, void *ret_bytes, size_t len)
{
	char *at = ret_bytes;

	while (len > 0) {
		ssize_t n = recv(fd, at, len, 0);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

int test_read_answer(int fd, char *ret_text, size_t size)
{
	const char *length;
	size_t len = 0, body = 0;
	int status = 0;

	while (len < 4 || memcmp(ret_text + len - 4, "\r\n\r\n", 4) != 0) {
		if (len + 1 >= size || !test_read(fd, ret_text + len, 1))
			return 0;
		len++;
	}
	ret_text[len] = '\0';
	if (sscanf(ret_text, "HTTP/1.1 %d ", &status) != 1)
		return 0;
	length = strstr(ret_text, "Content-Length: ");
	if (length)
		body = strtoul(length + 16, NULL, 10);
	if (len + body + 1 > size || !test_read(fd, ret_text + len, body))
		return 0;
	ret_text[len + body] = '\0';
	return status;
}

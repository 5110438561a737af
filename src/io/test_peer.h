/* test_peer.h - for tests: a server on a thread of its own, and a raw client that sends what no
 * client library would. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "io/http_server.h"
#include "io/loop.h"

struct test_server {
	struct loop *loop;
	struct http_server *server;
	uint16_t port;
	struct loop_thread *thread;
};

/* Starts with @config (host and port are set here). Fails the test if it cannot. */
void test_server_start(struct test_server *test, struct http_server_config *config);
void test_server_stop(struct test_server *test);

/* A connected blocking socket with a receive time-out of half a minute. */
int test_connect(uint16_t port);
void test_send(int fd, const void *bytes, size_t len);
void test_send_text(int fd, const char *text);

/* Reads until the peer ends or @size - 1 bytes came; a NUL behind. -ECONNRESET when it was reset. */
int test_read_all(int fd, char *ret_text, size_t size);

/* Reads exactly one answer (header and Content-Length body); returns its status, 0 at the end. */
int test_read_answer(int fd, char *ret_text, size_t size);

/* Reads exactly @len bytes; false at the end. */
bool test_read(int fd, void *ret_bytes, size_t len);

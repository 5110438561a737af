/* ws_transport.h - the connection below a client's WebSocket.
 *
 * A plain http URL without a proxy is connected to directly; TLS and proxies are libcurl's work. The
 * difference is some 4 MiB of memory that libcurl and the libraries behind it take once used. */
#pragma once

#include "base/base.h"

struct ws_transport;

/* @url: http or https. Faults: -ENOMEM, -EINVAL (the URL). */
_must_check_ int ws_transport_new(const char *url, uint64_t connect_timeout_ms,
				  struct ws_transport **ret_transport);
/* Closes the connection. */
void ws_transport_free(struct ws_transport *transport);

/* Blocks until connected, past the timeout, or abandoned: for a thread of its own. A negative fault;
 * ws_transport_why says more, if anything is known. */
_must_check_ int ws_transport_connect(struct ws_transport *transport);
/* From any thread: a connect under way ends soon. */
void ws_transport_abandon(struct ws_transport *transport);

/* Of a connected transport; not blocking. */
int ws_transport_fd(const struct ws_transport *transport);
/* Neither blocks: -EAGAIN. Of a receive, *ret_n 0 is the end. Encrypted connections may hold bytes
 * that no poll reports: receive until -EAGAIN. */
_must_check_ int ws_transport_send(struct ws_transport *transport, const void *bytes, size_t len,
				   size_t *ret_n);
_must_check_ int ws_transport_receive(struct ws_transport *transport, void *ret_bytes, size_t size,
				      size_t *ret_n);

/* One line for people, "" if nothing is known. */
const char *ws_transport_why(const struct ws_transport *transport);

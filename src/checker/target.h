/* target.h - which addresses a checker lets a worker send it to. A worker says where its bandwidth is measured; so
 * that nobody can point a panel at a third party's inside, the address must be numeric, and of the same kind
 * as that of the network which the checker itself joined, or a more public one. */
#pragma once

#include "base/base.h"

enum target_reach {
	TARGET_NEVER, /* no numeric address; unspecified, link-local (cloud metadata, too), multicast */
	TARGET_LOOPBACK,
	TARGET_PRIVATE, /* 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7 */
	TARGET_PUBLIC,
};

/* Of "192.0.2.1" or "2001:db8::1". */
enum target_reach target_reach(const char *host);

/* @url: http(s)://host[:port] of the checker's network; a name other than "localhost" is public. */
bool target_allowed(const char *host, const char *url);

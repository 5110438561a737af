#include "checker/target.h"

#include <arpa/inet.h>

enum { HOST_SIZE = 256 };

static enum target_reach reach_of_v4(const uint8_t a[static 4])
{
	if (a[0] == 127)
		return TARGET_LOOPBACK;
	if (a[0] == 0 || a[0] >= 224 || (a[0] == 169 && a[1] == 254))
		return TARGET_NEVER;
	if (a[0] == 10 || (a[0] == 172 && (a[1] & 0xf0) == 16) || (a[0] == 192 && a[1] == 168) ||
	    (a[0] == 100 && (a[1] & 0xc0) == 64))
		return TARGET_PRIVATE;
	return TARGET_PUBLIC;
}

/* Of those in which an IPv4 address can hide only the mapped ones are looked into. */
static enum target_reach reach_of_v6(const uint8_t a[static 16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }, zeros[15] = { 0 };

	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		return reach_of_v4(a + sizeof(mapped));
	if (memcmp(a, zeros, sizeof(zeros)) == 0)
		return a[15] == 1 ? TARGET_LOOPBACK : TARGET_NEVER;
	if ((a[0] & 0xfe) == 0xfc)
		return TARGET_PRIVATE;
	/* Global unicast, without 6to4 and NAT64's translations of something else. */
	return (a[0] & 0xe0) == 0x20 && !(a[0] == 0x20 && a[1] == 0x02) ? TARGET_PUBLIC
									: TARGET_NEVER;
}

enum target_reach target_reach(const char *host)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, host, bytes) == 1)
		return reach_of_v4(bytes);
	if (inet_pton(AF_INET6, host, bytes) == 1)
		return reach_of_v6(bytes);
	return TARGET_NEVER;
}

static enum target_reach reach_of_url(const char *url)
{
	const char *host = strstr(url, "://"), *end;
	char text[HOST_SIZE];
	enum target_reach reach;

	host = host ? host + 3 : url;
	end = *host == '[' ? strchr(host, ']') : host + strcspn(host, ":/");
	host += *host == '[';
	if (!end || (size_t)(end - host) >= sizeof(text))
		return TARGET_PUBLIC;
	memcpy(text, host, (size_t)(end - host));
	text[end - host] = '\0';
	if (strcmp(text, "localhost") == 0)
		return TARGET_LOOPBACK;
	reach = target_reach(text);
	return reach == TARGET_NEVER ? TARGET_PUBLIC : reach;
}

bool target_allowed(const char *host, const char *url)
{
	enum target_reach reach = target_reach(host);

	return reach != TARGET_NEVER && reach >= reach_of_url(url);
}

#include "link/vpn_tunnels.h"

#include <jansson.h>

#include "base/text.h"

static const char *text_of(const json_t *line, const char *member)
{
	const char *text = json_string_value(json_object_get(line, member));

	return text ? text : "";
}

const struct vpn_tunnel *vpn_tunnels_find(const struct vpn_tunnels *tunnels, uint32_t address)
{
	for (size_t i = 0; i < tunnels->n; i++)
		if (tunnels->items[i].address == address)
			return &tunnels->items[i];
	return NULL;
}

static void drop(struct vpn_tunnels *tunnels, uint32_t address)
{
	const struct vpn_tunnel *found = vpn_tunnels_find(tunnels, address);
	size_t at;

	if (!found)
		return;
	at = (size_t)(found - tunnels->items);
	tunnels->n--;
	memmove(&tunnels->items[at], &tunnels->items[at + 1],
		(tunnels->n - at) * sizeof(tunnels->items[0]));
	tunnels->changed = true;
}

static void add(struct vpn_tunnels *tunnels, uint32_t address, const json_t *line, int64_t now_ms)
{
	const json_t *at = json_object_get(line, "udpAddr");
	const char *ip = text_of(at, "ip");
	struct vpn_tunnel *tunnel;

	drop(tunnels, address);
	if (tunnels->n == VPN_TUNNELS_MAX)
		return;
	tunnel = &tunnels->items[tunnels->n++];
	*tunnel = (struct vpn_tunnel){ .address = address, .since_ms = now_ms };
	text_copy(tunnel->name, sizeof(tunnel->name), text_of(line, "certName"));
	if (*ip)
		snprintf(tunnel->at, sizeof(tunnel->at), strchr(ip, ':') ? "[%s]:%d" : "%s:%d", ip,
			 (int)json_integer_value(json_object_get(at, "port")));
	tunnels->changed = true;
}

/* The last message of a handshake: one side received it, the other sent it. */
static bool is_made(const json_t *line, const char *message)
{
	const json_t *handshake = json_object_get(line, "handshake");

	return json_integer_value(json_object_get(handshake, "stage")) == 2 &&
	       (strcmp(message, "Handshake message received") == 0 ||
		strcmp(message, "Handshake message sent") == 0);
}

static bool is_lost(const json_t *line, const char *message)
{
	const json_t *check = json_object_get(line, "tunnelCheck");

	return (strcmp(message, "Tunnel status") == 0 &&
		strcmp(text_of(check, "state"), "dead") == 0) ||
	       strcmp(message, "Close tunnel received, tearing down.") == 0 ||
	       strcmp(message, "Remote certificate is no longer valid, tearing down the tunnel") ==
		       0;
}

static void take_trouble(struct vpn_tunnels *tunnels, const json_t *line, const char *message)
{
	const char *level = text_of(line, "level"), *error = text_of(line, "error");

	if (strcmp(level, "error") != 0 && strcmp(level, "fatal") != 0)
		return;
	snprintf(tunnels->trouble, sizeof(tunnels->trouble), "%.80s%s%.70s", message,
		 *error ? ": " : "", error);
	text_trim(tunnels->trouble);
	tunnels->changed = true;
}

static void take_line(struct vpn_tunnels *tunnels, int64_t now_ms)
{
	json_t *line = json_loadb(tunnels->line, tunnels->line_len, 0, NULL);
	const char *message = text_of(line, "msg");
	uint32_t address;

	if (strcmp(message, "Nebula interface is active") == 0) {
		tunnels->up = tunnels->changed = true;
		tunnels->trouble[0] = '\0';
	}
	take_trouble(tunnels, line, message);
	if (vpn_address_parse(text_of(line, "vpnIp"), &address) == 0) {
		if (is_made(line, message))
			add(tunnels, address, line, now_ms);
		else if (is_lost(line, message))
			drop(tunnels, address);
	}
	json_decref(line);
}

void vpn_tunnels_hear(struct vpn_tunnels *tunnels, const char *bytes, size_t len, int64_t now_ms)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != '\n') {
			/* A line that fills it was too long. */
			if (tunnels->line_len < VPN_LINE_MAX)
				tunnels->line[tunnels->line_len++] = bytes[i];
			continue;
		}
		if (tunnels->line_len < VPN_LINE_MAX)
			take_line(tunnels, now_ms);
		tunnels->line_len = 0;
	}
}

void vpn_tunnels_clear(struct vpn_tunnels *tunnels)
{
	tunnels->n = 0;
	tunnels->line_len = 0;
	tunnels->up = false;
	tunnels->changed = true;
}

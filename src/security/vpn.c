#include "security/vpn.h"

#include <arpa/inet.h>

#include "base/codec.h"

const char *const vpn_kind_words[VPN_KINDS_END] = {
	[VPN_WORKER] = "worker",
	[VPN_CHECKER] = "checker",
	[VPN_GATEWAY] = "gateway",
	[VPN_LIGHTHOUSE] = "lighthouse",
};

/* ---- addresses ---- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

bool vpn_at_ok(const char *at)
{
	const char *colon = strrchr(at, ':');
	size_t host = colon ? (size_t)(colon - at) : 0;
	size_t digits = colon ? strspn(colon + 1, DIGITS) : 0;

	if (host == 0 || strlen(at) > VPN_AT_MAX || digits == 0 || digits > 5 ||
	    colon[1 + digits] || colon[1] == '0' || strtoul(colon + 1, NULL, 10) > UINT16_MAX)
		return false;
	if (at[0] != '[')
		return strspn(at, LETTERS DIGITS ".-") == host;
	return host > 2 && at[host - 1] == ']' &&
	       strspn(at + 1, "abcdefABCDEF:." DIGITS) == host - 2;
}

uint16_t vpn_at_port(const char *at)
{
	return (uint16_t)strtoul(strrchr(at, ':') + 1, NULL, 10);
}

void vpn_address_text(uint32_t address, char ret_text[static VPN_ADDRESS_SIZE])
{
	snprintf(ret_text, VPN_ADDRESS_SIZE, "%u.%u.%u.%u", address >> 24, address >> 16 & 255,
		 address >> 8 & 255, address & 255);
}

int vpn_address_parse(const char *text, uint32_t *ret_address)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return -EINVAL;
	*ret_address = ntohl(address.s_addr);
	return 0;
}

/* Nobody on the internet has these: 10/8, 100.64/10, 172.16/12, 192.168/16. */
static bool is_private(uint32_t address)
{
	return address >> 24 == 10 || address >> 22 == (100u << 2 | 1) ||
	       address >> 20 == (172u << 4 | 1) || address >> 16 == (192u << 8 | 168);
}

int vpn_network_parse(const char *text, uint32_t *ret_address, uint32_t *ret_mask)
{
	char address_text[VPN_ADDRESS_SIZE];
	const char *slash = strchr(text, '/');
	uint32_t address, mask;
	unsigned long prefix;
	char *end;

	if (!slash || (size_t)(slash - text) >= sizeof(address_text) || !strchr(DIGITS, slash[1]))
		return -EINVAL;
	snprintf(address_text, sizeof(address_text), "%.*s", (int)(slash - text), text);
	prefix = strtoul(slash + 1, &end, 10);
	if (end == slash + 1 || *end || prefix < 8 || prefix > 28 ||
	    vpn_address_parse(address_text, &address) < 0)
		return -EINVAL;
	mask = UINT32_MAX << (32 - prefix);
	if ((address & ~mask) || !is_private(address) || !is_private(address | ~mask))
		return -EINVAL;
	*ret_address = address;
	*ret_mask = mask;
	return 0;
}

/* ---- the configuration ---- */

/* Between double quotes it is itself. */
static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == '"' || *text == '\\' || *text == 127)
			return false;
	return true;
}

static bool is_renderable(const struct vpn_node *node)
{
	for (size_t i = 0; i < node->n_lighthouses; i++)
		if (!vpn_at_ok(node->lighthouses[i].at))
			return false;
	return node->kind > 0 && node->kind < VPN_KINDS_END && node->folder[0] == '/' &&
	       is_plain(node->folder) && node->device[0] && strlen(node->device) <= 15 &&
	       strspn(node->device, LETTERS DIGITS) == strlen(node->device) && node->mtu >= 576 &&
	       node->mtu <= 9000 && node->n_lighthouses <= VPN_LIGHTHOUSES_MAX &&
	       node->n_blocked <= VPN_BLOCKED_MAX && node->exposed_first <= node->exposed_last;
}

static void write_pki(FILE *out, const struct vpn_node *node)
{
	char fingerprint[2 * VPN_FINGERPRINT_SIZE + 1];

	fprintf(out,
		"pki:\n"
		"  ca: \"%s/ca.crt\"\n"
		"  cert: \"%s/node.crt\"\n"
		"  key: \"%s/node.key\"\n"
		"  disconnect_invalid: true\n"
		"  blocklist:%s\n",
		node->folder, node->folder, node->folder, node->n_blocked ? "" : " []");
	for (size_t i = 0; i < node->n_blocked; i++) {
		hex_encode(node->blocked[i], VPN_FINGERPRINT_SIZE, fingerprint);
		fprintf(out, "    - \"%s\"\n", fingerprint);
	}
}

/* The lighthouses other than the node itself, with where they are or without. */
static void write_others(FILE *out, const struct vpn_node *node, bool with_at)
{
	char address[VPN_ADDRESS_SIZE];
	const char *comma = "";

	for (size_t i = 0; i < node->n_lighthouses; i++) {
		if (node->lighthouses[i].address == node->address)
			continue;
		vpn_address_text(node->lighthouses[i].address, address);
		fprintf(out, "%s\"%s\"", comma, address);
		if (with_at)
			fprintf(out, ": [\"%s\"]", node->lighthouses[i].at);
		comma = ", ";
	}
}

/* Lighthouses also carry what finds no direct way, encrypted from end to end. */
static void write_ways(FILE *out, const struct vpn_node *node)
{
	bool lighthouse = node->kind == VPN_LIGHTHOUSE;

	fputs("static_host_map: {", out);
	write_others(out, node, true);
	fprintf(out,
		"}\n"
		"lighthouse:\n"
		"  am_lighthouse: %s\n"
		"  interval: 10\n"
		"  hosts: [",
		lighthouse ? "true" : "false");
	if (!lighthouse)
		write_others(out, node, false);
	fprintf(out,
		"]\n"
		"relay:\n"
		"  am_relay: %s\n"
		"  use_relays: true\n"
		"  relays: [",
		lighthouse ? "true" : "false");
	if (!lighthouse)
		write_others(out, node, false);
	fprintf(out,
		"]\n"
		"listen:\n"
		"  host: \"[::]\"\n"
		"  port: %u\n"
		"  read_buffer: %d\n"
		"  write_buffer: %d\n"
		"punchy:\n"
		"  punch: true\n"
		"  respond: true\n"
		"tun:\n"
		"  dev: %s\n"
		"  mtu: %u\n"
		"logging:\n"
		"  level: info\n"
		"  format: json\n",
		node->listen_port, VPN_BUFFER_BYTES, VPN_BUFFER_BYTES, node->device, node->mtu);
}

static void write_inbound(FILE *out, const struct vpn_node *node)
{
	fputs("  inbound:\n"
	      "    - {port: any, proto: icmp, group: gateway}\n",
	      out);
	if (node->kind != VPN_WORKER)
		return;
	if (node->exposed_first)
		fprintf(out, "    - {port: %u-%u, proto: tcp, group: gateway}\n",
			node->exposed_first, node->exposed_last);
	if (node->proof_port)
		fprintf(out, "    - {port: %u, proto: tcp, group: checker}\n", node->proof_port);
}

static void write_outbound(FILE *out, const struct vpn_node *node)
{
	switch (node->kind) {
	case VPN_GATEWAY:
		fputs("  outbound:\n"
		      "    - {port: any, proto: icmp, host: any}\n"
		      "    - {port: any, proto: tcp, group: worker}\n",
		      out);
		return;
	case VPN_CHECKER:
		fputs("  outbound:\n"
		      "    - {port: any, proto: tcp, group: worker}\n",
		      out);
		return;
	default:
		/* They answer only. */
		fputs("  outbound: []\n", out);
	}
}

int vpn_render(const struct vpn_node *node, char **ret_yaml)
{
	char *yaml = NULL;
	size_t len;
	FILE *out;
	bool failed;

	if (!is_renderable(node))
		return -EINVAL;
	out = open_memstream(&yaml, &len);
	if (!out)
		return -ENOMEM;
	write_pki(out, node);
	write_ways(out, node);
	fputs("firewall:\n"
	      "  conntrack: {tcp_timeout: 12m, udp_timeout: 3m, default_timeout: 10m}\n",
	      out);
	write_inbound(out, node);
	write_outbound(out, node);
	failed = ferror(out) != 0;
	if (fclose(out) != 0 || failed) {
		free(yaml);
		return -ENOMEM;
	}
	*ret_yaml = yaml;
	return 0;
}

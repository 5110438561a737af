#include "popw/summons.h"

#include "popw/layout.h"

enum { PLACE_SIZE = 5 }; /* port, length of the host, bandwidth_ms */

static void members_pass(struct layout *layout, struct summons *summons)
{
	for (unsigned int i = 0; i < summons->session.panel_size; i++)
		layout_bytes(layout, summons->members[i].bytes, sizeof(struct address));
}

size_t summons_encode(const struct summons *summons, uint8_t ret_bytes[static SUMMONS_SIZE_MAX])
{
	struct layout layout = { .out = ret_bytes + SESSION_SIZE };
	struct summons copy = *summons;
	uint8_t host_len = (uint8_t)strnlen(copy.host, SUMMONS_HOST_MAX);

	session_encode(&copy.session, ret_bytes);
	members_pass(&layout, &copy);
	layout_u16(&layout, &copy.port);
	layout_u8(&layout, &host_len);
	layout_bytes(&layout, copy.host, host_len);
	layout_u16(&layout, &copy.bandwidth_ms);
	return (size_t)(layout.out - ret_bytes);
}

/* What stands behind the members: @len bytes, at least PLACE_SIZE. */
static int place_decode(struct layout *layout, size_t len, struct summons *summons)
{
	uint8_t host_len;

	layout_u16(layout, &summons->port);
	layout_u8(layout, &host_len);
	if (len != PLACE_SIZE + (size_t)host_len || host_len > SUMMONS_HOST_MAX)
		return SUMMONS_E_MALFORMED;
	layout_bytes(layout, summons->host, host_len);
	layout_u16(layout, &summons->bandwidth_ms);
	for (size_t i = 0; i < host_len; i++)
		if (summons->host[i] <= ' ' || summons->host[i] > '~')
			return SUMMONS_E_MALFORMED;
	/* All of it or nothing. */
	if (!summons->port != !host_len || !summons->port != !summons->bandwidth_ms)
		return SUMMONS_E_MALFORMED;
	return 0;
}

static int refuse(const char **ret_detail, const char *detail)
{
	if (ret_detail)
		*ret_detail = detail;
	return SUMMONS_E_MALFORMED;
}

int summons_decode(struct hasher *hasher, const void *bytes, size_t len,
		   struct summons *ret_summons, const char **ret_detail)
{
	struct layout layout = { .in = (const uint8_t *)bytes + SESSION_SIZE };
	struct summons summons = { 0 };
	struct hash panel;
	size_t members;
	int r;

	if (len < SESSION_SIZE)
		return refuse(ret_detail, "shorter than a SESSION");
	r = session_decode(bytes, SESSION_SIZE, &summons.session, ret_detail);
	if (r != 0)
		return SUMMONS_E_MALFORMED;
	members = (size_t)summons.session.panel_size * sizeof(struct address);
	if (len < SESSION_SIZE + members + PLACE_SIZE)
		return refuse(ret_detail, "fewer members than its panel_size");
	members_pass(&layout, &summons);
	session_panel_hash(hasher, summons.members, summons.session.panel_size, &panel);
	if (!hash_equal(&panel, &summons.session.panel))
		return refuse(ret_detail, "its members are not the panel that it names");
	r = place_decode(&layout, len - SESSION_SIZE - members, &summons);
	if (r != 0)
		return refuse(ret_detail, "host, port and time for bandwidth do not go together");
	*ret_summons = summons;
	return 0;
}

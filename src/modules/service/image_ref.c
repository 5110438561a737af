#include "modules/service/image_ref.h"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

enum { NAME_MAX_LEN = 255, TAG_MAX = 128, SHA256_HEX = 64, SHA512_HEX = 128 };

/* A piece of the text, not ended by a NUL. */
struct span {
	const char *at;
	size_t len;
};

static size_t run_of(struct span span, const char *set)
{
	size_t n = 0;

	while (n < span.len && strchr(set, span.at[n]))
		n++;
	return n;
}

static void skip(struct span *span, size_t n)
{
	span->at += n;
	span->len -= n;
}

/* What stands before the first @separator; all of it if there is none. */
static struct span cut(struct span *rest, char separator, bool *ret_found)
{
	const char *stop = memchr(rest->at, separator, rest->len);
	struct span head = { rest->at, stop ? (size_t)(stop - rest->at) : rest->len };

	skip(rest, head.len + (stop ? 1 : 0));
	*ret_found = stop != NULL;
	return head;
}

static bool is_label(struct span label)
{
	return label.len > 0 && label.len <= 63 &&
	       run_of(label, LOWER UPPER DIGIT "-") == label.len && label.at[0] != '-' &&
	       label.at[label.len - 1] != '-';
}

static bool is_port(struct span port)
{
	unsigned int value = 0;

	if (port.len == 0 || port.len > 5 || run_of(port, DIGIT) != port.len)
		return false;
	for (size_t i = 0; i < port.len; i++)
		value = value * 10 + (unsigned int)(port.at[i] - '0');
	return value >= 1 && value <= 65535;
}

static bool is_host(struct span host)
{
	bool has_port, more;
	struct span labels = cut(&host, ':', &has_port);

	if (has_port && !is_port(host))
		return false;
	do {
		if (!is_label(cut(&labels, '.', &more)))
			return false;
	} while (more);
	return true;
}

/* Runs of lower-case letters and digits, parted by one of ".", "_", "__", or any dashes. */
static bool is_path_part(struct span part)
{
	for (;;) {
		size_t word = run_of(part, LOWER DIGIT), dashes;

		if (word == 0)
			return false;
		skip(&part, word);
		if (part.len == 0)
			return true;
		dashes = run_of(part, "-");
		if (dashes > 0)
			skip(&part, dashes);
		else if (part.len > 1 && part.at[0] == '_' && part.at[1] == '_')
			skip(&part, 2);
		else if (part.at[0] == '_' || part.at[0] == '.')
			skip(&part, 1);
		else
			return false;
	}
}

static bool is_tag(struct span tag)
{
	return tag.len > 0 && tag.len <= TAG_MAX && tag.at[0] != '.' && tag.at[0] != '-' &&
	       run_of(tag, LOWER UPPER DIGIT "_.-") == tag.len;
}

static bool is_digest(struct span digest)
{
	bool found;
	struct span kind = cut(&digest, ':', &found);
	size_t wanted = 0;

	if (kind.len == 6 && memcmp(kind.at, "sha256", 6) == 0)
		wanted = SHA256_HEX;
	else if (kind.len == 6 && memcmp(kind.at, "sha512", 6) == 0)
		wanted = SHA512_HEX;
	return found && wanted && digest.len == wanted && run_of(digest, DIGIT "abcdef") == wanted;
}

/* The first part names a host where it could not be a path: by a dot, a port, or "localhost". */
static bool starts_with_host(struct span name)
{
	bool slash;
	struct span first = cut(&name, '/', &slash);

	return slash && (memchr(first.at, '.', first.len) || memchr(first.at, ':', first.len) ||
			 (first.len == 9 && memcmp(first.at, "localhost", 9) == 0));
}

static bool is_name(struct span name)
{
	bool more;

	if (name.len == 0 || name.len > NAME_MAX_LEN)
		return false;
	if (starts_with_host(name) && !is_host(cut(&name, '/', &more)))
		return false;
	do {
		if (!is_path_part(cut(&name, '/', &more)))
			return false;
	} while (more);
	return true;
}

bool image_ref_ok(const char *text)
{
	struct span digest = { text, strlen(text) }, name;
	const char *colon;
	bool has_digest;

	if (digest.len > IMAGE_REF_MAX)
		return false;
	name = cut(&digest, '@', &has_digest);
	if (has_digest && !is_digest(digest))
		return false;
	colon = memrchr(name.at, ':', name.len);
	if (colon && !memchr(colon, '/', name.len - (size_t)(colon - name.at))) {
		struct span tag = { colon + 1, name.len - (size_t)(colon + 1 - name.at) };

		if (!is_tag(tag))
			return false;
		name.len = (size_t)(colon - name.at);
	}
	return is_name(name);
}

#include "security/siwe.h"

#include "security/rfc3339.h"

#define ALPHA "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"
#define UNRESERVED ALPHA DIGIT "-._~"
#define SUB_DELIMS "!$&'()*+,;="
#define GEN_DELIMS ":/?#[]@"

static const char wants[] = " wants you to sign in with your Ethereum account:";

/* The message line by line. One that ends in LF has an empty last line, so that every byte is of
 * some line and none is passed over. */
struct reader {
	const char *at, *end; /* @at is NULL when no line is left */
	struct arena *arena;
	const char *detail;
};

struct line {
	const char *text;
	size_t len;
};

static int refuse(struct reader *reader, const char *detail)
{
	reader->detail = detail;
	return SIWE_E_SYNTAX;
}

/* ---- characters ---- */

static bool is_of(struct line line, const char *charset)
{
	for (size_t i = 0; i < line.len; i++)
		if (!line.text[i] || !strchr(charset, line.text[i]))
			return false;
	return true;
}

static bool is_hex_digit(char c)
{
	return c && strchr(DIGIT "abcdefABCDEF", c);
}

/* Of @charset, or "%" and two hexadecimal digits. */
static bool is_escaped_of(struct line line, const char *charset)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.text[i];

		if (c == '%') {
			if (line.len - i < 3 || !is_hex_digit(line.text[i + 1]) ||
			    !is_hex_digit(line.text[i + 2]))
				return false;
			i += 2;
		} else if (!c || !strchr(charset, c)) {
			return false;
		}
	}
	return true;
}

static bool is_scheme(struct line line)
{
	return line.len > 0 && is_of((struct line){ line.text, 1 }, ALPHA) &&
	       is_of(line, ALPHA DIGIT "+-.");
}

static bool is_uri(struct line line)
{
	const char *colon = memchr(line.text, ':', line.len);

	return colon && is_scheme((struct line){ line.text, (size_t)(colon - line.text) }) &&
	       is_escaped_of(line, UNRESERVED SUB_DELIMS GEN_DELIMS);
}

/* ---- lines ---- */

static bool peek(const struct reader *reader, const char *label)
{
	size_t len = strlen(label);

	return reader->at && (size_t)(reader->end - reader->at) >= len &&
	       memcmp(reader->at, label, len) == 0;
}

static int next_line(struct reader *reader, struct line *ret_line)
{
	const char *stop;

	if (!reader->at)
		return refuse(reader, "the message ends too early");
	stop = memchr(reader->at, '\n', (size_t)(reader->end - reader->at));
	*ret_line = (struct line){ reader->at, (size_t)((stop ? stop : reader->end) - reader->at) };
	reader->at = stop ? stop + 1 : NULL;
	return 0;
}

static int empty_line(struct reader *reader, const char *detail)
{
	struct line line;
	int r;

	r = next_line(reader, &line);
	if (r == 0 && line.len > 0)
		r = refuse(reader, detail);
	return r;
}

/* What follows @label on the next line. */
static int labelled(struct reader *reader, const char *label, const char *detail,
		    struct line *ret_value)
{
	size_t len = strlen(label);
	struct line line;
	int r;

	if (!peek(reader, label))
		return refuse(reader, detail);
	r = next_line(reader, &line);
	if (r != 0)
		return r;
	*ret_value = (struct line){ line.text + len, line.len - len };
	return 0;
}

static int keep(struct reader *reader, struct line line, const char **ret_text)
{
	*ret_text = arena_text(reader->arena, line.text, line.len);
	return *ret_text ? 0 : -ENOMEM;
}

/* ---- the message, from top to bottom ---- */

static int read_domain(struct reader *reader, struct siwe_message *m)
{
	const size_t suffix = sizeof(wants) - 1;
	struct line line, scheme;
	const char *mark;
	int r;

	r = next_line(reader, &line);
	if (r != 0)
		return r;
	if (line.len < suffix || memcmp(line.text + line.len - suffix, wants, suffix) != 0)
		return refuse(reader, "line 1: must end in \" wants you to sign in with your "
				      "Ethereum account:\"");
	line.len -= suffix;
	mark = memmem(line.text, line.len, "://", 3);
	if (mark) {
		scheme = (struct line){ line.text, (size_t)(mark - line.text) };
		if (!is_scheme(scheme))
			return refuse(reader, "line 1: the scheme is not one of RFC 3986");
		r = keep(reader, scheme, &m->scheme);
		if (r != 0)
			return r;
		line = (struct line){ mark + 3, line.len - scheme.len - 3 };
	}
	if (line.len == 0 || !is_escaped_of(line, UNRESERVED SUB_DELIMS ":@[]"))
		return refuse(reader, "line 1: the domain is not an authority of RFC 3986");
	return keep(reader, line, &m->domain);
}

static int read_address(struct reader *reader, struct siwe_message *m)
{
	char text[ADDRESS_TEXT_SIZE];
	struct line line;
	int r;

	r = next_line(reader, &line);
	if (r != 0)
		return r;
	if (line.len != sizeof(text) - 1)
		return refuse(reader, "line 2: must be an address, 0x and 40 digits");
	memcpy(text, line.text, line.len);
	text[line.len] = 0;
	if (address_parse_checksummed(text, &m->address) < 0)
		return refuse(reader, "line 2: the address must be spelled by EIP-55");
	return empty_line(reader, "line 3: must be empty");
}

static int read_statement(struct reader *reader, struct siwe_message *m)
{
	struct line line;
	int r;

	r = next_line(reader, &line);
	if (r != 0 || line.len == 0)
		return r;
	if (!is_of(line, UNRESERVED SUB_DELIMS GEN_DELIMS " "))
		return refuse(reader, "line 4: the statement holds a character that is not of "
				      "RFC 3986");
	r = keep(reader, line, &m->statement);
	if (r != 0)
		return r;
	return empty_line(reader, "line 5: must be empty, below the statement");
}

static int read_uri(struct reader *reader, struct siwe_message *m)
{
	struct line value;
	int r;

	r = labelled(reader, "URI: ", "\"URI: \" must follow the empty line", &value);
	if (r != 0)
		return r;
	if (!is_uri(value))
		return refuse(reader, "URI: not a URI of RFC 3986");
	return keep(reader, value, &m->uri);
}

static int read_version(struct reader *reader, struct siwe_message *m)
{
	struct line value;
	int r;

	r = labelled(reader, "Version: ", "\"Version: \" must follow the URI", &value);
	if (r != 0)
		return r;
	if (value.len == 0 || value.len > 8 || !is_of(value, DIGIT))
		return refuse(reader, "Version: must be a number");
	return keep(reader, value, &m->version);
}

static int read_chain_id(struct reader *reader, struct siwe_message *m)
{
	struct line value;
	uint64_t id = 0;
	int r;

	r = labelled(reader, "Chain ID: ", "\"Chain ID: \" must follow the version", &value);
	if (r != 0)
		return r;
	if (value.len == 0 || !is_of(value, DIGIT) || (value.len > 1 && value.text[0] == '0'))
		return refuse(reader, "Chain ID: must be a number without leading zeros");
	for (size_t i = 0; i < value.len; i++)
		if (__builtin_mul_overflow(id, 10, &id) ||
		    __builtin_add_overflow(id, (uint64_t)(value.text[i] - '0'), &id))
			return refuse(reader, "Chain ID: past 64 bits");
	m->chain_id = id;
	return 0;
}

static int read_nonce(struct reader *reader, struct siwe_message *m)
{
	struct line value;
	int r;

	r = labelled(reader, "Nonce: ", "\"Nonce: \" must follow the chain id", &value);
	if (r != 0)
		return r;
	if (value.len < SIWE_NONCE_MIN || value.len > SIWE_NONCE_MAX || !is_of(value, ALPHA DIGIT))
		return refuse(reader, "Nonce: must be 8 to 128 letters and digits");
	return keep(reader, value, &m->nonce);
}

/* "Expiration Time: " and such; 0 stays for what is absent. */
static int read_time(struct reader *reader, const char *label, const char *detail, int64_t *ret_ms)
{
	struct line value;
	int64_t ms;
	int r;

	r = labelled(reader, label, detail, &value);
	if (r != 0)
		return r;
	if (rfc3339_parse(value.text, value.len, &ms) < 0 || ms == 0)
		return refuse(reader, detail);
	*ret_ms = ms;
	return 0;
}

static int read_times(struct reader *reader, struct siwe_message *m)
{
	int r;

	r = read_time(reader,
		      "Issued At: ", "\"Issued At: \" and an RFC 3339 time must follow the nonce",
		      &m->issued_at_ms);
	if (r == 0 && peek(reader, "Expiration Time: "))
		r = read_time(reader, "Expiration Time: ", "Expiration Time: not an RFC 3339 time",
			      &m->expires_at_ms);
	if (r == 0 && peek(reader, "Not Before: "))
		r = read_time(reader, "Not Before: ", "Not Before: not an RFC 3339 time",
			      &m->not_before_ms);
	return r;
}

static int read_request_id(struct reader *reader, struct siwe_message *m)
{
	struct line value;
	int r;

	if (!peek(reader, "Request ID: "))
		return 0;
	r = labelled(reader, "Request ID: ", "", &value);
	if (r != 0)
		return r;
	if (!is_escaped_of(value, UNRESERVED SUB_DELIMS ":@"))
		return refuse(reader, "Request ID: holds a character that is not of a URI's path");
	return keep(reader, value, &m->request_id);
}

static int read_resources(struct reader *reader, struct siwe_message *m)
{
	struct line line;
	int r;

	if (!peek(reader, "Resources:"))
		return 0;
	r = labelled(reader, "Resources:", "", &line);
	if (r != 0)
		return r;
	if (line.len > 0)
		return refuse(reader, "Resources: must stand alone on its line");
	while (peek(reader, "- ")) {
		r = labelled(reader, "- ", "", &line);
		if (r != 0)
			return r;
		if (!is_uri(line))
			return refuse(reader, "Resources: each must be a URI of RFC 3986");
		m->n_resources++;
	}
	return 0;
}

static int read_message(struct reader *reader, struct siwe_message *m)
{
	static int (*const steps[])(struct reader *, struct siwe_message *) = {
		read_domain,   read_address, read_statement, read_uri,        read_version,
		read_chain_id, read_nonce,   read_times,     read_request_id, read_resources,
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		r = steps[i](reader, m);
		if (r != 0)
			return r;
	}
	if (reader->at)
		return refuse(reader, "a line is doubled, unknown, or out of order");
	return 0;
}

int siwe_parse(const char *text, size_t len, struct arena *arena, struct siwe_message *ret_message,
	       const char **ret_detail)
{
	struct reader reader = { text, text + len, arena, "the message is too long" };
	struct siwe_message message = { 0 };
	int r = SIWE_E_SYNTAX;

	if (len <= SIWE_MESSAGE_MAX)
		r = read_message(&reader, &message);
	if (r == SIWE_E_SYNTAX && ret_detail)
		*ret_detail = reader.detail;
	if (r == 0)
		*ret_message = message;
	return r;
}

#include "security/siwe.h"

#include "security/rfc3339.h"
#include "security/secp.h"

/* ---- writing ---- */

/* One line "LABEL TIME" with a line feed before it; nothing for 0. */
static int time_line(struct arena *arena, const char *label, int64_t ms, const char **ret_text)
{
	char text[RFC3339_TEXT_SIZE];
	int r;

	*ret_text = "";
	if (ms == 0)
		return 0;
	r = rfc3339_text(ms, text);
	if (r < 0)
		return r;
	*ret_text = arena_printf(arena, "\n%s: %s", label, text);
	return *ret_text ? 0 : -ENOMEM;
}

static int times_text(const struct siwe_message *m, struct arena *arena, const char **ret_text)
{
	const char *issued, *expires, *not_before;
	int r;

	r = time_line(arena, "Issued At", m->issued_at_ms, &issued);
	if (r == 0)
		r = time_line(arena, "Expiration Time", m->expires_at_ms, &expires);
	if (r == 0)
		r = time_line(arena, "Not Before", m->not_before_ms, &not_before);
	if (r < 0)
		return r;
	*ret_text = arena_printf(arena, "%s%s%s", issued, expires, not_before);
	return *ret_text ? 0 : -ENOMEM;
}

int siwe_write(const struct siwe_message *m, struct arena *arena, const char **ret_text)
{
	char address[ADDRESS_TEXT_SIZE];
	struct siwe_message back;
	const char *times, *text;
	int r;

	r = times_text(m, arena, &times);
	if (r < 0)
		return r;
	address_text(&m->address, address);
	text = arena_printf(arena,
			    "%s%s%s wants you to sign in with your Ethereum account:\n"
			    "%s\n\n"
			    "%s%s\n"
			    "URI: %s\n"
			    "Version: %s\n"
			    "Chain ID: %" PRIu64 "\n"
			    "Nonce: %s%s%s%s",
			    m->scheme ? m->scheme : "", m->scheme ? "://" : "", m->domain, address,
			    m->statement ? m->statement : "", m->statement ? "\n" : "", m->uri,
			    m->version, m->chain_id, m->nonce, times,
			    m->request_id ? "\nRequest ID: " : "",
			    m->request_id ? m->request_id : "");
	if (!text)
		return -ENOMEM;
	/* A field that would be refused, or read as several, is not written. */
	r = siwe_parse(text, strlen(text), arena, &back, NULL);
	if (r < 0)
		return r;
	if (r > 0 || back.n_resources != 0 || m->n_resources != 0 || !back.scheme != !m->scheme)
		return -EINVAL;
	*ret_text = text;
	return 0;
}

/* ---- policy ---- */

/* "https" of "https://cloud.example/login". */
static bool scheme_is_of(const char *scheme, const char *uri)
{
	size_t len = strlen(scheme);

	return strncmp(scheme, uri, len) == 0 && uri[len] == ':';
}

static int check_fields(const struct siwe_message *m, const struct siwe_policy *policy)
{
	if (strcmp(m->domain, policy->domain) != 0)
		return SIWE_E_DOMAIN;
	if (m->scheme && !scheme_is_of(m->scheme, policy->uri))
		return SIWE_E_DOMAIN;
	if (strcmp(m->uri, policy->uri) != 0)
		return SIWE_E_URI;
	if (strcmp(m->version, "1") != 0)
		return SIWE_E_VERSION;
	if (m->chain_id != policy->chain_id)
		return SIWE_E_CHAIN;
	return 0;
}

static int check_times(const struct siwe_message *m, const struct siwe_policy *policy)
{
	if (m->issued_at_ms > policy->now_ms + policy->skew_ms ||
	    m->issued_at_ms < policy->now_ms - policy->max_age_ms)
		return SIWE_E_TIME;
	if (m->expires_at_ms && m->expires_at_ms <= policy->now_ms)
		return SIWE_E_TIME;
	if (m->not_before_ms && m->not_before_ms > policy->now_ms)
		return SIWE_E_TIME;
	return 0;
}

static int check_signature(const struct siwe_message *m, const char *text, size_t len,
			   const uint8_t signature[static 65])
{
	struct address signer;
	uint8_t digest[32];
	int r;

	r = eip191_digest(text, len, digest);
	if (r < 0)
		return r;
	r = secp_recover(digest, signature, &signer);
	if (r < 0)
		return r;
	if (r > 0 || !address_equal(&signer, &m->address))
		return SIWE_E_SIGNATURE;
	return 0;
}

int siwe_check(const struct siwe_message *message, const char *text, size_t len,
	       const uint8_t signature[static 65], const struct siwe_policy *policy)
{
	int r;

	r = check_fields(message, policy);
	if (r == 0)
		r = check_times(message, policy);
	if (r == 0)
		r = check_signature(message, text, len, signature);
	return r;
}

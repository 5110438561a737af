#include "cmd/server_keys.h"

#include "base/codec.h"
#include "base/log.h"
#include "cmd/file.h"

enum { KEY_FILE_MAX = 4096, ARENA_BYTES = 65536 };

static int token_make(const char *path, struct arena *arena, struct es256_key **ret_key)
{
	struct es256_key *key;
	const char *pem;
	int r;

	r = es256_key_generate(&key);
	if (r < 0)
		return r;
	r = es256_key_to_pem(key, arena, &pem);
	if (r == 0)
		r = file_write(path, pem, strlen(pem), 0600);
	if (r < 0) {
		es256_key_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}

static int token_load(const char *path, struct arena *arena, struct es256_key **ret_key)
{
	size_t len;
	char *pem;
	int r;

	r = file_read(path, KEY_FILE_MAX, arena, &pem, &len);
	if (r == -ENOENT)
		return token_make(path, arena, ret_key);
	return r < 0 ? r : es256_key_from_pem(pem, len, ret_key);
}

static int network_make(const char *path, struct random *random, struct secp_key **ret_key)
{
	uint8_t secret[SECP_SECRET_SIZE];
	char text[2 * SECP_SECRET_SIZE + 2];
	struct secp_key *key;
	int r;

	r = secp_key_generate(random, &key);
	if (r < 0)
		return r;
	secp_key_secret(key, secret);
	hex_encode(secret, sizeof(secret), text);
	text[2 * SECP_SECRET_SIZE] = '\n';
	r = file_write(path, text, 2 * SECP_SECRET_SIZE + 1, 0600);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	if (r < 0) {
		secp_key_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}

static int network_load(const char *path, struct random *random, struct arena *arena,
			struct secp_key **ret_key)
{
	uint8_t secret[SECP_SECRET_SIZE];
	size_t len;
	char *text;
	int r;

	r = file_read(path, KEY_FILE_MAX, arena, &text, &len);
	if (r == -ENOENT)
		return network_make(path, random, ret_key);
	if (r < 0)
		return r;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	r = hex_decode(text, len, secret, sizeof(secret));
	if (r == 0)
		r = secp_key_from_secret(secret, ret_key);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, len);
	return r;
}

/* Key and certificate are one file, so that there is never one without the other. */
static int vpn_make(const char *path, const struct nebula_claims *claims,
		    struct nebula_authority **ret_authority)
{
	_cleanup_(nebula_authority_freep) struct nebula_authority *authority = NULL;
	char text[2 * NEBULA_PEM_SIZE];
	size_t len;
	int r;

	r = nebula_authority_make(claims, &authority);
	if (r == 0)
		r = nebula_authority_key_pem(authority, text);
	if (r < 0)
		return r;
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, "%s", nebula_authority_pem(authority));
	r = file_write(path, text, strlen(text), 0600);
	explicit_bzero(text, sizeof(text));
	if (r < 0)
		return r;
	*ret_authority = authority;
	authority = NULL;
	return 0;
}

static int vpn_load(const char *path, const struct nebula_claims *claims, struct arena *arena,
		    struct nebula_authority **ret_authority)
{
	const char *certificate;
	size_t len;
	char *text;
	int r;

	r = file_read(path, KEY_FILE_MAX, arena, &text, &len);
	if (r == -ENOENT)
		return vpn_make(path, claims, ret_authority);
	if (r < 0)
		return r;
	certificate = strstr(text, "-----BEGIN NEBULA CERTIFICATE-----");
	r = certificate ? nebula_authority_open(text, certificate, ret_authority) : -EBADMSG;
	explicit_bzero(text, len);
	return r;
}

int server_keys_load(const char *dir, struct random *random, const struct nebula_claims *vpn,
		     struct server_keys *ret_keys)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct server_keys keys = { 0 };
	char token[4096], network[4096], authority[4096];
	int r;

	if (snprintf(token, sizeof(token), "%s/token.pem", dir) >= (int)sizeof(token) ||
	    snprintf(network, sizeof(network), "%s/network.key", dir) >= (int)sizeof(network) ||
	    snprintf(authority, sizeof(authority), "%s/vpn.pem", dir) >= (int)sizeof(authority))
		return -ENAMETOOLONG;
	r = arena_new(ARENA_BYTES, &arena);
	if (r == 0)
		r = file_make_dirs(dir, 0700);
	if (r == 0)
		r = token_load(token, arena, &keys.token);
	if (r == 0)
		r = network_load(network, random, arena, &keys.network);
	if (r == 0)
		r = vpn_load(authority, vpn, arena, &keys.vpn);
	if (r < 0) {
		log_error("keys.load", log_text("folder", dir), log_fault(r));
		server_keys_done(&keys);
		return r;
	}
	*ret_keys = keys;
	return 0;
}

void server_keys_done(struct server_keys *keys)
{
	es256_key_free(keys->token);
	secp_key_free(keys->network);
	nebula_authority_free(keys->vpn);
	*keys = (struct server_keys){ 0 };
}

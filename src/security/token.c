#include "security/token.h"

#include <openssl/sha.h>

#include "base/codec.h"
#include "base/field.h"
#include "security/es256.h"

enum {
	ISSUER_MAX = 256,
	SKEW_MS = 30000, /* the clock of the instance that minted may be ahead of ours */
	CHECK_MEMORY = 16384,
	SIGNATURE_TEXT = 86, /* base64url of 64 bytes */
};

#define SECONDS_MAX INT64_C(253402300799) /* the year 9999 */

/* ---- header ---- */

struct header {
	const char *alg, *typ, *kid;
};

static const struct field header_fields[] = {
	{ "alg", FIELD_TEXT, offsetof(struct header, alg), .required = true, .max = 16 },
	{ "typ", FIELD_TEXT, offsetof(struct header, typ), .required = true, .max = 16 },
	{ "kid", FIELD_TEXT, offsetof(struct header, kid), .required = true, .max = 64 },
	{ 0 },
};

static bool header_holds(const struct es256_key *key, const struct header *header)
{
	uint8_t x[32], y[32];
	char kid[ES256_KID_SIZE];

	es256_key_public(key, x, y, kid);
	return strcmp(header->alg, "ES256") == 0 && strcmp(header->typ, "JWT") == 0 &&
	       strcmp(header->kid, kid) == 0;
}

/* ---- payload ---- */

struct payload {
	const char *iss, *sub, *sid;
	int64_t prm, iat, exp;
};

static const struct field payload_fields[] = {
	{ "iss", FIELD_TEXT, offsetof(struct payload, iss), .required = true, .max = ISSUER_MAX },
	{ "sub", FIELD_TEXT, offsetof(struct payload, sub), .required = true, .max = 42 },
	{ "sid", FIELD_TEXT, offsetof(struct payload, sid), .required = true, .max = 32 },
	{ "prm", FIELD_INT, offsetof(struct payload, prm), .required = true, .max = UINT32_MAX },
	{ "iat", FIELD_INT, offsetof(struct payload, iat), .required = true, .max = SECONDS_MAX },
	{ "exp", FIELD_INT, offsetof(struct payload, exp), .required = true, .max = SECONDS_MAX },
	{ 0 },
};

static int payload_text(const char *issuer, const struct token_claims *claims, char **ret_text)
{
	char subject[ADDRESS_TEXT_SIZE], session[2 * sizeof(claims->session) + 1];
	json_t *payload;

	address_text(&claims->subject.address, subject);
	hex_encode(claims->session, sizeof(claims->session), session);
	payload = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "iss", issuer, "sub", subject, "sid",
			    session, "prm", (json_int_t)claims->permissions, "iat",
			    (json_int_t)(claims->issued_at_ms / 1000), "exp",
			    (json_int_t)(claims->expires_at_ms / 1000));
	if (!payload)
		return -EINVAL;
	*ret_text = json_dumps(payload, JSON_COMPACT);
	json_decref(payload);
	return *ret_text ? 0 : -ENOMEM;
}

static int payload_claims(const struct payload *payload, struct token_claims *ret_claims)
{
	struct token_claims claims = {
		.permissions = (uint32_t)payload->prm,
		.issued_at_ms = payload->iat * 1000,
		.expires_at_ms = payload->exp * 1000,
	};

	if (address_parse_checksummed(payload->sub, &claims.subject.address) < 0 ||
	    hex_decode(payload->sid, strlen(payload->sid), claims.session, sizeof(claims.session)) <
		    0)
		return TOKEN_E_BAD;
	*ret_claims = claims;
	return 0;
}

/* ---- minting ---- */

static char *encode(struct arena *arena, const void *bytes, size_t len)
{
	char *text = arena_alloc(arena, base64url_size(len) + 1);

	if (text)
		base64url_encode(bytes, len, text);
	return text;
}

static char *header_text(const struct es256_key *key, struct arena *arena)
{
	uint8_t x[32], y[32];
	char kid[ES256_KID_SIZE];

	es256_key_public(key, x, y, kid);
	return arena_printf(arena, "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"%s\"}", kid);
}

static int sign(const struct es256_key *key, const char *header, const char *payload,
		struct arena *arena, const char **ret_token)
{
	uint8_t signature[ES256_SIGNATURE_SIZE];
	char signature_text[SIGNATURE_TEXT + 1], *signed_text, *token;
	int r;

	header = encode(arena, header, strlen(header));
	payload = encode(arena, payload, strlen(payload));
	if (!header || !payload)
		return -ENOMEM;
	signed_text = arena_printf(arena, "%s.%s", header, payload);
	if (!signed_text)
		return -ENOMEM;
	r = es256_sign(key, signed_text, strlen(signed_text), signature);
	if (r < 0)
		return r;
	base64url_encode(signature, sizeof(signature), signature_text);
	token = arena_printf(arena, "%s.%s", signed_text, signature_text);
	if (!token)
		return -ENOMEM;
	if (strlen(token) > TOKEN_MAX)
		return -EMSGSIZE;
	*ret_token = token;
	return 0;
}

int token_mint(const struct es256_key *key, const char *issuer, const struct token_claims *claims,
	       struct arena *arena, const char **ret_token)
{
	_cleanup_(freep) char *payload = NULL;
	const char *header;
	int r;

	if (strlen(issuer) > ISSUER_MAX)
		return -EINVAL;
	r = payload_text(issuer, claims, &payload);
	if (r < 0)
		return r;
	header = header_text(key, arena);
	if (!header)
		return -ENOMEM;
	return sign(key, header, payload, arena, ret_token);
}

/* ---- checking ---- */

/* One part of the token as JSON, into the zeroed *@ret_struct. */
static int decode_part(const char *text, size_t len, const struct field *fields,
		       struct arena *arena, void *ret_struct)
{
	struct field_error error;
	char json[TOKEN_MAX];
	size_t json_len;
	int r;

	if (base64url_decode(text, len, json, sizeof(json), &json_len) < 0)
		return TOKEN_E_BAD;
	r = field_decode(json, json_len, fields, arena, ret_struct, &error);
	return r > 0 ? TOKEN_E_BAD : r;
}

struct parts {
	const char *header, *payload, *signature;
	size_t header_len, payload_len, signed_len;
};

/* Exactly three parts, the last as long as a signature is. */
static int split(const char *token, struct parts *ret_parts)
{
	size_t len = strnlen(token, TOKEN_MAX + 1);
	const char *first, *second;

	if (len > TOKEN_MAX)
		return TOKEN_E_BAD;
	first = strchr(token, '.');
	second = first ? strchr(first + 1, '.') : NULL;
	if (!second || strchr(second + 1, '.') || strlen(second + 1) != SIGNATURE_TEXT)
		return TOKEN_E_BAD;
	*ret_parts = (struct parts){
		.header = token,
		.payload = first + 1,
		.signature = second + 1,
		.header_len = (size_t)(first - token),
		.payload_len = (size_t)(second - first - 1),
		.signed_len = (size_t)(second - token),
	};
	return 0;
}

static int check_signature(const struct es256_key *key, const struct parts *parts)
{
	uint8_t signature[ES256_SIGNATURE_SIZE];
	size_t len;

	if (base64url_decode(parts->signature, SIGNATURE_TEXT, signature, sizeof(signature), &len) <
		    0 ||
	    len != sizeof(signature))
		return TOKEN_E_BAD;
	return es256_verify(key, parts->header, parts->signed_len, signature);
}

static int check_payload(const struct payload *payload, const char *issuer, int64_t now_ms,
			 struct token_claims *ret_claims)
{
	struct token_claims claims;
	int r;

	if (strcmp(payload->iss, issuer) != 0)
		return TOKEN_E_BAD;
	r = payload_claims(payload, &claims);
	if (r != 0)
		return r;
	if (claims.expires_at_ms <= claims.issued_at_ms || claims.issued_at_ms > now_ms + SKEW_MS)
		return TOKEN_E_BAD;
	if (claims.expires_at_ms <= now_ms)
		return TOKEN_E_EXPIRED;
	*ret_claims = claims;
	return 0;
}

int token_check(const struct es256_key *key, const char *issuer, const char *token, int64_t now_ms,
		struct token_claims *ret_claims)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct header header = { 0 };
	struct payload payload = { 0 };
	struct parts parts;
	int r;

	r = split(token, &parts);
	if (r != 0)
		return r;
	r = arena_new(CHECK_MEMORY, &arena);
	if (r < 0)
		return r;
	r = decode_part(parts.header, parts.header_len, header_fields, arena, &header);
	if (r != 0)
		return r;
	if (!header_holds(key, &header))
		return TOKEN_E_BAD;
	r = check_signature(key, &parts);
	if (r != 0)
		return r;
	r = decode_part(parts.payload, parts.payload_len, payload_fields, arena, &payload);
	if (r != 0)
		return r;
	return check_payload(&payload, issuer, now_ms, ret_claims);
}

/* ---- opaque secrets ---- */

int secret_make(struct random *random, const char *prefix, char ret_text[static SECRET_TEXT_SIZE])
{
	uint8_t bytes[32];
	size_t len = strlen(prefix);
	int r;

	if (len + base64url_size(sizeof(bytes)) >= SECRET_TEXT_SIZE)
		return -EINVAL;
	r = random_fill(random, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	memcpy(ret_text, prefix, len);
	base64url_encode(bytes, sizeof(bytes), ret_text + len);
	return 0;
}

void secret_hash(const char *text, uint8_t ret_hash[static SECRET_HASH_SIZE])
{
	SHA256((const uint8_t *)text, strlen(text), ret_hash);
}

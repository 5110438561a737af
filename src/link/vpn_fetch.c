#include "link/vpn_fetch.h"

#include <jansson.h>

#include "base/codec.h"
#include "base/field.h"
#include "base/text.h"
#include "io/http_client.h"
#include "wire/sign.h"

enum { ANSWER_MAX = 2 << 20 };

/* ---- the question ---- */

static json_t *make_question(const struct vpn_question *question)
{
	struct vpn_statement statement = { .network = question->network,
					   .machine = { *secp_key_address(question->key) },
					   .at_ms = question->now_ms };
	char machine[ADDRESS_TEXT_SIZE], public_key[2 * NEBULA_KEY_SIZE + 3] = "0x";
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	char signature_text[2 * SIGNATURE_SIZE + 3] = "0x";

	memcpy(statement.public_key, question->public_key, sizeof(statement.public_key));
	vpn_digest(&statement, digest);
	if (secp_sign(question->key, digest, signature) < 0)
		return NULL;
	address_text(&statement.machine.address, machine);
	hex_encode(question->public_key, NEBULA_KEY_SIZE, public_key + 2);
	hex_encode(signature, sizeof(signature), signature_text + 2);
	return json_pack("{s:s, s:s, s:I, s:s}", "machine", machine, "public_key", public_key,
			 "at_ms", (json_int_t)question->now_ms, "signature", signature_text);
}

static int post(const struct vpn_question *question, struct arena *arena,
		struct http_answer *ret_answer)
{
	const struct http_header headers[] = { { "content-type", "application/json" } };
	json_t *json = make_question(question);
	_cleanup_(freep) char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
	size_t len = strlen(question->url);
	struct http_call call = {
		.method = "POST",
		.headers = headers,
		.n_headers = ARRAY_SIZE(headers),
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = VPN_FETCH_TIMEOUT_MS,
		.max_answer_bytes = ANSWER_MAX,
	};

	json_decref(json);
	while (len > 0 && question->url[len - 1] == '/')
		len--;
	call.url = arena_printf(arena, "%.*s/v1/vpn", (int)len, question->url);
	return body && call.url ? http_call(&call, arena, ret_answer) : -ENOMEM;
}

/* ---- the answer ---- */

struct lighthouse_fields {
	const char *address, *place;
};

static const struct field lighthouse_table[] = {
	{ "address", FIELD_TEXT, offsetof(struct lighthouse_fields, address), .required = true,
	  .min = 1, .max = VPN_ADDRESS_SIZE },
	{ "place", FIELD_TEXT, offsetof(struct lighthouse_fields, place), .required = true,
	  .min = 1, .max = VPN_AT_MAX },
	{ 0 },
};

struct answer_fields {
	struct address machine;
	const char *kind, *address, *network, *certificate, *authority;
	int64_t expires_at_ms, ask_again_ms;
	struct field_objects lighthouses;
	struct field_texts blocked;
};

static const struct field answer_table[] = {
	{ "machine", FIELD_ADDRESS, offsetof(struct answer_fields, machine), .required = true },
	{ "kind", FIELD_TEXT, offsetof(struct answer_fields, kind), .required = true, .max = 16 },
	{ "address", FIELD_TEXT, offsetof(struct answer_fields, address), .required = true,
	  .max = VPN_ADDRESS_SIZE },
	{ "network", FIELD_TEXT, offsetof(struct answer_fields, network), .required = true,
	  .max = 2 * VPN_ADDRESS_SIZE },
	{ "certificate", FIELD_TEXT, offsetof(struct answer_fields, certificate), .required = true,
	  .lines = true, .min = 1, .max = NEBULA_PEM_SIZE - 1 },
	{ "authority", FIELD_TEXT, offsetof(struct answer_fields, authority), .required = true,
	  .lines = true, .min = 1, .max = NEBULA_PEM_SIZE - 1 },
	{ "expires_at_ms", FIELD_INT, offsetof(struct answer_fields, expires_at_ms),
	  .required = true, .min = 0, .max = INT64_MAX },
	{ "lighthouses", FIELD_OBJECTS, offsetof(struct answer_fields, lighthouses),
	  .required = true, .count = VPN_LIGHTHOUSES_MAX, .fields = lighthouse_table,
	  .size = sizeof(struct lighthouse_fields) },
	{ "blocked", FIELD_TEXTS, offsetof(struct answer_fields, blocked), .required = true,
	  .count = VPN_BLOCKED_MAX, .min = 2 * VPN_FINGERPRINT_SIZE,
	  .max = 2 * VPN_FINGERPRINT_SIZE },
	{ "ask_again_ms", FIELD_INT, offsetof(struct answer_fields, ask_again_ms), .required = true,
	  .min = 100, .max = 86400000 },
	{ 0 },
};

static enum vpn_kind kind_of(const struct nebula_claims *claims)
{
	for (enum vpn_kind kind = VPN_WORKER; kind < VPN_KINDS_END; kind++)
		if (claims->n_groups > 0 && strcmp(claims->groups[0], vpn_kind_words[kind]) == 0)
			return kind;
	return 0;
}

int vpn_certificate_read(const char *pem, struct vpn_answer *ret_answer,
			 uint8_t ret_public[static NEBULA_KEY_SIZE])
{
	struct nebula_certificate certificate;
	struct nebula_claims claims;
	enum vpn_kind kind;

	if (nebula_pem_read(NEBULA_PEM_CERTIFICATE, pem, certificate.bytes,
			    sizeof(certificate.bytes), &certificate.len) < 0 ||
	    nebula_read(&certificate, &claims) < 0)
		return -EBADMSG;
	kind = kind_of(&claims);
	if (!kind || claims.authority || claims.not_before_s < 0 ||
	    claims.not_after_s < claims.not_before_s || claims.not_after_s > INT64_MAX / 1000)
		return -EBADMSG;
	ret_answer->kind = kind;
	ret_answer->address = claims.address;
	ret_answer->mask = claims.mask;
	ret_answer->begins_at_ms = claims.not_before_s * 1000;
	ret_answer->ends_at_ms = claims.not_after_s * 1000;
	memcpy(ret_public, claims.public_key, NEBULA_KEY_SIZE);
	return 0;
}

static int take_lighthouses(const struct answer_fields *fields, struct arena *arena,
			    struct vpn_answer *answer)
{
	const struct lighthouse_fields *items = fields->lighthouses.items;

	answer->n_lighthouses = fields->lighthouses.n;
	answer->lighthouses = arena_array(arena, answer->n_lighthouses + 1,
					  sizeof(*answer->lighthouses));
	if (!answer->lighthouses)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_lighthouses; i++) {
		struct vpn_lighthouse *lighthouse = &answer->lighthouses[i];

		if (!vpn_at_ok(items[i].place) ||
		    vpn_address_parse(items[i].address, &lighthouse->address) < 0)
			return -EBADMSG;
		snprintf(lighthouse->at, sizeof(lighthouse->at), "%s", items[i].place);
	}
	return 0;
}

static int take_blocked(const struct answer_fields *fields, struct arena *arena,
			struct vpn_answer *answer)
{
	answer->n_blocked = fields->blocked.n;
	answer->blocked = arena_array(arena, answer->n_blocked + 1, sizeof(*answer->blocked));
	if (!answer->blocked)
		return -ENOMEM;
	for (size_t i = 0; i < answer->n_blocked; i++)
		if (hex_decode(fields->blocked.items[i], 2 * VPN_FINGERPRINT_SIZE,
			       answer->blocked[i], VPN_FINGERPRINT_SIZE) < 0)
			return -EBADMSG;
	return 0;
}

static int take(const struct answer_fields *fields,
		const uint8_t public_key[static NEBULA_KEY_SIZE], struct arena *arena,
		struct vpn_answer *answer)
{
	uint8_t certified[NEBULA_KEY_SIZE];
	int r = vpn_certificate_read(fields->certificate, answer, certified);

	if (r == 0 && memcmp(certified, public_key, sizeof(certified)) != 0)
		r = -EBADMSG;
	if (r == 0)
		r = take_lighthouses(fields, arena, answer);
	if (r == 0)
		r = take_blocked(fields, arena, answer);
	answer->certificate = fields->certificate;
	answer->authority = fields->authority;
	answer->ask_again_ms = fields->ask_again_ms;
	return r;
}

int vpn_answer_read(const char *body, size_t len, const uint8_t public_key[static NEBULA_KEY_SIZE],
		    struct arena *arena, struct vpn_answer *ret_answer,
		    char ret_why[static VPN_WHY_SIZE])
{
	struct vpn_answer answer = { 0 };
	struct answer_fields fields = { 0 };
	struct field_error error = { 0 };
	int r;

	r = field_decode(body, len, answer_table, arena, &fields, &error);
	if (r > 0)
		snprintf(ret_why, VPN_WHY_SIZE, "the control plane's answer: %.60s %.150s",
			 error.field, error.rule);
	if (r == 0) {
		r = take(&fields, public_key, arena, &answer);
		if (r == -EBADMSG)
			snprintf(ret_why, VPN_WHY_SIZE,
				 "the control plane's answer is not for this machine's key, or "
				 "not as the API says");
	}
	if (r > 0 || r == -EBADMSG)
		return VPN_FETCH_LATER;
	if (r == 0)
		*ret_answer = answer;
	return r;
}

/* ---- both ---- */

static int refused(const struct http_answer *answer, char ret_why[static VPN_WHY_SIZE])
{
	json_t *problem = json_loadb(answer->body, answer->body_len, 0, NULL);
	const char *title = json_string_value(json_object_get(problem, "title"));

	if (title)
		text_copy(ret_why, VPN_WHY_SIZE, title);
	else
		snprintf(ret_why, VPN_WHY_SIZE, "the control plane answered %d", answer->status);
	json_decref(problem);
	/* "no-vpn"; also of a control plane that does not know the path. */
	if (answer->status == 404)
		return VPN_FETCH_NONE;
	return answer->status == 403 ? VPN_FETCH_REFUSED : VPN_FETCH_LATER;
}

int vpn_fetch(const struct vpn_question *question, struct arena *arena,
	      struct vpn_answer *ret_answer, char ret_why[static VPN_WHY_SIZE])
{
	struct http_answer answer;
	int r = post(question, arena, &answer);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		snprintf(ret_why, VPN_WHY_SIZE, "the control plane cannot be reached: %s",
			 strerror(-r));
		return VPN_FETCH_LATER;
	}
	return answer.status == 200
		       ? vpn_answer_read(answer.body, answer.body_len, question->public_key, arena,
					 ret_answer, ret_why)
		       : refused(&answer, ret_why);
}

#include "modules/vpn/vpn.h"

#include "api/settings.h"
#include "base/codec.h"
#include "modules/logging/logging.h"
#include "modules/vpn/vpn_rules.h"

enum {
	SIGNATURE_TEXT_LEN = 2 + 2 * SIGNATURE_SIZE,
	KEY_TEXT_LEN = 2 + 2 * NEBULA_KEY_SIZE,
	PAGE_MAX = 100,
};

#define HEX_DIGITS "0123456789abcdefABCDEFx"

/* ---- a machine's question ---- */

struct ask_body {
	struct address machine;
	const char *public_key, *signature;
	int64_t at_ms;
};

static const struct field ask_fields[] = {
	{ "machine", FIELD_ADDRESS, offsetof(struct ask_body, machine), .required = true },
	{ "public_key", FIELD_TEXT, offsetof(struct ask_body, public_key), .required = true,
	  .min = KEY_TEXT_LEN, .max = KEY_TEXT_LEN, .charset = HEX_DIGITS },
	{ "at_ms", FIELD_INT, offsetof(struct ask_body, at_ms), .required = true, .min = 0,
	  .max = INT64_C(1) << 52 },
	{ "signature", FIELD_TEXT, offsetof(struct ask_body, signature), .required = true,
	  .min = SIGNATURE_TEXT_LEN, .max = SIGNATURE_TEXT_LEN, .charset = HEX_DIGITS },
	{ 0 },
};

static json_t *address_json(uint32_t address)
{
	char text[VPN_ADDRESS_SIZE];

	vpn_address_text(address, text);
	return json_string(text);
}

static json_t *network_json(const struct nebula_claims *authority)
{
	char text[VPN_ADDRESS_SIZE];

	vpn_address_text(authority->address & authority->mask, text);
	return json_sprintf("%s/%d", text, __builtin_popcount(authority->mask));
}

static json_t *lighthouses_json(const struct vpn_membership *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < m->n_lighthouses; i++) {
		json_t *one = json_pack("{s:o, s:s}", "address",
					address_json(m->lighthouses[i].address), "place",
					m->lighthouses[i].place);

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *fingerprint_json(const uint8_t fingerprint[static NEBULA_FINGERPRINT_SIZE])
{
	char text[2 * NEBULA_FINGERPRINT_SIZE + 1];

	hex_encode(fingerprint, NEBULA_FINGERPRINT_SIZE, text);
	return json_string(text);
}

static json_t *blocked_json(const struct vpn_membership *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < m->n_blocked; i++)
		if (json_array_append_new(list, fingerprint_json(m->blocked[i].bytes)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int answer_membership(const struct context *context, const struct vpn_membership *m,
			     struct reply *reply)
{
	const struct settings *settings = context->settings;
	char certificate[NEBULA_PEM_SIZE];
	int r;

	r = nebula_pem_write(NEBULA_PEM_CERTIFICATE, m->certificate.certificate.bytes,
			     m->certificate.certificate.len, certificate);
	if (r < 0)
		return r;
	return reply_with(reply, 200,
			  json_pack("{s:o, s:s, s:o, s:o, s:s, s:s, s:I, s:o, s:o, s:I}", "machine",
				    encode_address(&m->row.machine.address), "kind",
				    vpn_kind_words[m->row.kind], "address",
				    address_json(m->row.address), "network",
				    network_json(nebula_authority_claims(settings->vpn)),
				    "certificate", certificate, "authority",
				    nebula_authority_pem(settings->vpn), "expires_at_ms",
				    (json_int_t)m->certificate.not_after_ms, "lighthouses",
				    lighthouses_json(m), "blocked", blocked_json(m), "ask_again_ms",
				    (json_int_t)settings->vpn_ask_ms));
}

static int audit(const struct request *request, struct tx *tx, const struct vpn_row *row,
		 enum audit_actor by, enum audit_action action, json_t *detail)
{
	char machine[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = action,
		.by = by,
		.actor = by == AUDIT_OPERATOR ? NULL : &row->machine.address,
		.request = request,
		.subject = machine,
		.detail = detail,
	};

	address_text(&row->machine.address, machine);
	return audit_record(request->context, tx, &entry);
}

static int post_ask(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct ask_body *body = request->body;
	struct vpn_question question = { .machine = { body->machine }, .at_ms = body->at_ms };
	struct vpn_membership m;
	int r;

	if (memcmp(body->public_key, "0x", 2) != 0 ||
	    hex_decode(body->public_key + 2, KEY_TEXT_LEN - 2, question.public_key,
		       sizeof(question.public_key)) < 0)
		return reply_refuse(reply, "public_key", "must be 0x and 64 hexadecimal digits");
	if (memcmp(body->signature, "0x", 2) != 0 ||
	    hex_decode(body->signature + 2, SIGNATURE_TEXT_LEN - 2, question.signature,
		       sizeof(question.signature)) < 0)
		return reply_refuse(reply, "signature", "must be 0x and 130 hexadecimal digits");
	r = vpn_ask(request->context, tx, &question, &m);
	if (r == 0 && m.fresh)
		r = audit(request, tx, &m.row,
			  m.row.kind == VPN_CHECKER ? AUDIT_CHECKER : AUDIT_MACHINE,
			  AUDIT_VPN_ADMITTED,
			  json_pack("{s:o, s:s, s:s}", "address", address_json(m.row.address),
				    "kind", vpn_kind_words[m.row.kind], "public_key",
				    body->public_key));
	return r == 0 ? answer_membership(request->context, &m, reply) : r;
}

/* ---- operators ---- */

struct page_query {
	struct address cursor;
	int64_t limit;
};

static const struct field page_fields[] = {
	{ "cursor", FIELD_ADDRESS, offsetof(struct page_query, cursor) },
	{ "limit", FIELD_INT, offsetof(struct page_query, limit), .min = 1, .max = PAGE_MAX,
	  .fallback = 50 },
	{ 0 },
};

static json_t *row_json(const struct vpn_row *row)
{
	json_t *revoked = !row->revoked_at_ms
				  ? json_null()
				  : json_pack("{s:o, s:s}", "at", encode_time(row->revoked_at_ms),
					      "reason", row->revoked_why);
	json_t *certificate = !row->ends_at_ms
				      ? json_null()
				      : json_pack("{s:o, s:o}", "fingerprint",
						  fingerprint_json(row->fingerprint), "expires_at",
						  encode_time(row->ends_at_ms));

	return json_pack("{s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o}", "machine",
			 encode_address(&row->machine.address), "kind", vpn_kind_words[row->kind],
			 "address", address_json(row->address), "place", row->place, "added_at",
			 encode_time(row->added_at_ms), "seen_at", encode_time(row->seen_at_ms),
			 "certificate", certificate, "revoked", revoked);
}

static int get_machines(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct page_query *query = request->query;
	size_t n, limit = (size_t)query->limit;
	struct vpn_row *rows;
	json_t *items, *next;
	int r;

	r = vpn_store_list(tx, (struct machine_id){ query->cursor }, request->now_ms, limit + 1,
			   &rows, &n);
	if (r != 0)
		return r;
	items = json_array();
	for (size_t i = 0; items && i < size_min(n, limit); i++)
		if (json_array_append_new(items, row_json(&rows[i])) < 0) {
			json_decref(items);
			return -ENOMEM;
		}
	next = n > limit ? encode_address(&rows[limit - 1].machine.address) : json_null();
	return reply_with(reply, 200, json_pack("{s:o, s:o}", "items", items, "next", next));
}

static int answer_row(struct tx *tx, struct machine_id machine, int status, struct reply *reply)
{
	struct vpn_row row;
	int r = vpn_store_get(tx, machine, &row);

	return r == 0 ? reply_with(reply, status, row_json(&row)) : r;
}

static int read_machine(const struct request *request, struct machine_id *ret_machine)
{
	return address_parse(request->params[0], &ret_machine->address) < 0 ? ROUTE_E_NOT_FOUND : 0;
}

/* VPN_GATEWAY and VPN_LIGHTHOUSE, less VPN_GATEWAY. */
static const char *const added_words[] = { "gateway", "lighthouse", NULL };

struct add_body {
	int kind;
	const char *place;
};

static const struct field add_fields[] = {
	{ "kind", FIELD_WORD, offsetof(struct add_body, kind), .required = true,
	  .words = added_words },
	{ "place", FIELD_TEXT, offsetof(struct add_body, place), .min = 1, .max = VPN_AT_MAX },
	{ 0 },
};

static int put_machine(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct add_body *body = request->body;
	const enum vpn_kind kind = (enum vpn_kind)(VPN_GATEWAY + body->kind);
	const char *place = body->place ? body->place : "";
	struct machine_id machine;
	struct vpn_row row;
	int r;

	if (kind == VPN_LIGHTHOUSE ? !vpn_at_ok(place) : *place != '\0')
		return reply_refuse(reply, "place",
				    "must be host:port of a lighthouse, and is of no other");
	r = read_machine(request, &machine);
	if (r == 0)
		r = vpn_add(request->context, tx, machine, kind, place, &row);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_OPERATOR, AUDIT_VPN_ADDED,
			  json_pack("{s:s, s:s}", "kind", vpn_kind_words[kind], "place", place));
	return r == 0 ? answer_row(tx, machine, 200, reply) : r;
}

struct revoke_body {
	const char *reason;
};

static const struct field revoke_fields[] = {
	{ "reason", FIELD_TEXT, offsetof(struct revoke_body, reason), .required = true, .min = 1,
	  .max = VPN_WHY_MAX },
	{ 0 },
};

static int post_revoke(struct request *request, struct tx *tx, struct reply *reply)
{
	const struct revoke_body *body = request->body;
	struct vpn_row row = { 0 };
	int r;

	r = read_machine(request, &row.machine);
	if (r == 0)
		r = vpn_store_revoke(tx, row.machine, true, body->reason, request->now_ms);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_OPERATOR, AUDIT_VPN_REVOKED,
			  json_pack("{s:s}", "reason", body->reason));
	return r == 0 ? answer_row(tx, row.machine, 200, reply) : r;
}

static int post_restore(struct request *request, struct tx *tx, struct reply *reply)
{
	struct vpn_row row = { 0 };
	int r;

	r = read_machine(request, &row.machine);
	if (r == 0)
		r = vpn_store_restore(tx, row.machine);
	if (r == 0)
		r = audit(request, tx, &row, AUDIT_OPERATOR, AUDIT_VPN_RESTORED, json_object());
	return r == 0 ? answer_row(tx, row.machine, 200, reply) : r;
}

/* ---- the module ---- */

static const struct route routes[] = {
	{ HTTP_POST, "/v1/vpn", PERM_PUBLIC, TX_WRITE,
	  .body = { ask_fields, sizeof(struct ask_body) }, .handler = post_ask },
	{ HTTP_GET, "/v1/admin/vpn", PERM_OPERATOR, TX_READ,
	  .query = { page_fields, sizeof(struct page_query) }, .handler = get_machines },
	{ HTTP_PUT, "/v1/admin/vpn/{machine}", PERM_OPERATOR, TX_WRITE,
	  .body = { add_fields, sizeof(struct add_body) }, .handler = put_machine },
	{ HTTP_POST, "/v1/admin/vpn/{machine}/revoke", PERM_OPERATOR, TX_WRITE,
	  .body = { revoke_fields, sizeof(struct revoke_body) }, .handler = post_revoke },
	{ HTTP_POST, "/v1/admin/vpn/{machine}/restore", PERM_OPERATOR, TX_WRITE,
	  .handler = post_restore },
	{ 0 },
};

static const struct outcome_row outcomes[] = {
	{ VPN_E_SIGNATURE, 403, "vpn-signature",
	  "The signature is not by the machine's key over this question." },
	{ VPN_E_CLOCK, 403, "vpn-clock",
	  "The machine's clock is more than a minute from the network's; set it (systemctl "
	  "restart systemd-timesyncd)." },
	{ VPN_E_STRANGER, 403, "vpn-stranger",
	  "The machine is no worker of this network and no checker with a licence, and no "
	  "operator added it: kaisar admin vpn add." },
	{ VPN_E_REVOKED, 403, "vpn-revoked",
	  "An operator took the machine out of the VPN; an operator lets it back in: kaisar "
	  "admin vpn restore." },
	{ VPN_E_NONE, 404, "no-vpn",
	  "This network has no VPN: no operator has added a lighthouse." },
	{ VPN_E_TOO_MANY_KEYS, 429, "vpn-keys",
	  "The machine has certificates for several keys that hold still; keep its folder, or "
	  "wait until they are over." },
	{ VPN_E_FULL, 503, "vpn-full",
	  "No address of the VPN is free; an operator revokes or waits for machines that left." },
	{ VPN_E_TAKEN, 409, "vpn-taken",
	  "The machine is in the network as something else; give the new one a key of its own: "
	  "kaisar vpn create." },
	{ 0 },
};

static const struct job jobs[] = {
	{ "vpn", VPN_SWEEP_MS, vpn_sweep },
	{ 0 },
};

const struct module vpn_module = {
	.name = "vpn",
	.routes = routes,
	.outcomes = outcomes,
	.jobs = jobs,
};

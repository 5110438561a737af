#include "modules/logging/audit_log.h"

#include "base/codec.h"
#include "chain/hex.h"

const char *const audit_action_words[AUDIT_ACTIONS_N + 1] = {
	[AUDIT_SESSION_CREATED] = "session.created",
	[AUDIT_SESSION_ENDED] = "session.ended",
	[AUDIT_SESSION_REVOKED] = "session.revoked",
	[AUDIT_KEY_CREATED] = "api_key.created",
	[AUDIT_KEY_DELETED] = "api_key.deleted",
	[AUDIT_ROLE_GRANTED] = "role.granted",
	[AUDIT_ROLE_WITHDRAWN] = "role.withdrawn",
	[AUDIT_CREDIT_GIVEN] = "credit.given",
	[AUDIT_WITHDRAWAL_ASKED] = "withdrawal.asked",
	[AUDIT_TOKEN_CREATED] = "join_token.created",
	[AUDIT_WORKER_JOINED] = "worker.joined",
	[AUDIT_WORKER_CHANGED] = "worker.changed",
	[AUDIT_WORKER_REMOVED] = "worker.removed",
	[AUDIT_MACHINE_CLASS] = "machine.class_changed",
	[AUDIT_MACHINE_FAILED] = "machine.check_failed",
	[AUDIT_RENTAL_CREATED] = "rental.created",
	[AUDIT_RENTAL_STOPPED] = "rental.stopped",
	[AUDIT_RENTAL_ENDED] = "rental.ended",
	[AUDIT_RENTAL_REMOVED] = "rental.removed",
	[AUDIT_CHECKER_ADDED] = "checker.added",
	[AUDIT_CHECKER_REMOVED] = "checker.removed",
	[AUDIT_CHECKER_LICENSED] = "checker.licensed",
	[AUDIT_CHECKER_BANNED] = "checker.banned",
	[AUDIT_CHECKER_UNBANNED] = "checker.ban_lifted",
	[AUDIT_APPEAL_ASKED] = "appeal.asked",
	[AUDIT_APPEAL_DECIDED] = "appeal.decided",
	[AUDIT_ROOT_REPLACED] = "root.replaced",
	[AUDIT_VPN_ADDED] = "vpn.added",
	[AUDIT_VPN_ADMITTED] = "vpn.admitted",
	[AUDIT_VPN_REVOKED] = "vpn.revoked",
	[AUDIT_VPN_RESTORED] = "vpn.restored",
};

static const char *const actor_words[] = {
	[AUDIT_NETWORK] = "network", [AUDIT_ACCOUNT] = "account", [AUDIT_OPERATOR] = "operator",
	[AUDIT_MACHINE] = "machine", [AUDIT_CHECKER] = "checker",
};

/* ---- what a row says ---- */

int64_t audit_row_at_ms(const struct audit_row *row)
{
	int64_t at_ms = 0;

	for (size_t i = 0; i < 6; i++)
		at_ms = at_ms << 8 | row->id.bytes[i];
	return at_ms;
}

static const char *actor_text(const struct audit_row *row, struct arena *arena)
{
	char address[ADDRESS_TEXT_SIZE];

	if (row->by == AUDIT_NETWORK)
		return actor_words[AUDIT_NETWORK];
	address_text(&row->actor, address);
	return arena_printf(arena, "%s %s", actor_words[row->by], address);
}

static const char *owner_text(const struct audit_row *row, struct arena *arena)
{
	char address[ADDRESS_TEXT_SIZE];

	if (!row->owned)
		return "-";
	address_text(&row->owner.address, address);
	return arena_text(arena, address, strlen(address));
}

static const char *origin_text(const struct audit_origin *origin, struct arena *arena)
{
	uint8_t digest[AUDIT_DIGEST_SIZE];
	char text[67];

	if (audit_origin_digest(origin, arena, digest) != 0)
		return NULL;
	hex_data(digest, sizeof(digest), text);
	return arena_text(arena, text, strlen(text));
}

int audit_row_text(const struct audit_row *row, struct arena *arena, struct audit_text *ret_text,
		   struct audit_origin *ret_origin)
{
	char id[ID_TEXT_SIZE], salt[2 * sizeof(row->salt) + 1];
	struct audit_origin origin = { row->via, row->peer, row->request, NULL };
	struct audit_text text = { .at_ms = audit_row_at_ms(row),
				   .actor = actor_text(row, arena),
				   .action = row->action,
				   .subject = row->subject,
				   .owner = owner_text(row, arena),
				   .origin = "-",
				   .detail = row->detail };

	audit_id_text(&row->id, id);
	text.entry = arena_text(arena, id, strlen(id));
	hex_encode(row->salt, sizeof(row->salt), salt);
	origin.salt = arena_text(arena, salt, strlen(salt));
	if (row->has_origin && origin.salt)
		text.origin = origin_text(&origin, arena);
	if (!text.entry || !text.actor || !text.owner || !text.origin || !origin.salt)
		return -ENOMEM;
	*ret_text = text;
	*ret_origin = origin;
	return 0;
}

int audit_row_digest(const struct audit_row *row, struct arena *arena,
		     uint8_t ret_digest[static AUDIT_DIGEST_SIZE])
{
	struct audit_origin origin;
	struct audit_text text;
	int r = audit_row_text(row, arena, &text, &origin);

	return r == 0 ? audit_text_digest(&text, arena, ret_digest) : r;
}

/* ---- recording ---- */

static const char *via_text(const struct caller *caller, struct arena *arena)
{
	char text[ID_TEXT_SIZE];

	if (!caller->known)
		return "-";
	id_text(caller->by_api_key ? "key" : "ses", caller->session, text);
	return arena_text(arena, text, strlen(text));
}

static int read_origin(const struct context *context, const struct request *request,
		       struct arena *arena, struct audit_row *row)
{
	row->via = row->peer = row->request = "-";
	if (!request)
		return 0;
	row->has_origin = true;
	row->via = via_text(&request->caller, arena);
	row->peer = request->peer ? request->peer : "-";
	row->request = *request->id ? request->id : "-";
	if (!row->via)
		return -ENOMEM;
	return random_fill(context->random, row->salt, sizeof(row->salt));
}

static int read_actor(const struct audit_entry *entry, struct audit_row *row)
{
	row->by = entry->by;
	if (entry->by == AUDIT_NETWORK)
		return 0;
	if (!entry->actor && !(entry->request && entry->request->caller.known))
		return -EINVAL;
	row->actor = entry->actor ? *entry->actor : entry->request->caller.account.address;
	return 0;
}

/* Values are lines: a line within one would say something else. */
static bool is_line(const char *text, size_t max)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return false;
	return len >= 1 && len <= max;
}

static int add(const struct context *context, struct tx *tx, const struct audit_entry *entry,
	       const char *detail)
{
	struct audit_row row = { .action = audit_action_words[entry->action],
				 .subject = entry->subject,
				 .detail = detail };
	int r;

	if (strlen(detail) > AUDIT_DETAIL_MAX)
		return -E2BIG;
	if (detail[0] != '{' || !is_line(entry->subject, AUDIT_SUBJECT_MAX))
		return -EINVAL;
	if (entry->owner) {
		row.owned = true;
		row.owner = *entry->owner;
	}
	r = read_actor(entry, &row);
	if (r == 0)
		r = read_origin(context, entry->request, tx_arena(tx), &row);
	if (r == 0)
		r = audit_id_make(context->clock, context->random, &row.id);
	return r == 0 ? audit_store_add(tx, &row) : r;
}

int audit_record(const struct context *context, struct tx *tx, const struct audit_entry *entry)
{
	char *detail = json_dumps(entry->detail, JSON_COMPACT | JSON_SORT_KEYS);
	int r = detail ? add(context, tx, entry, detail) : -ENOMEM;

	free(detail);
	json_decref(entry->detail);
	return r;
}

int audit_own(const struct request *request, struct tx *tx, enum audit_action action,
	      const char *subject, json_t *detail)
{
	const struct audit_entry entry = {
		.action = action,
		.by = AUDIT_ACCOUNT,
		.request = request,
		.subject = subject,
		.owner = &request->caller.account,
		.detail = detail,
	};

	return audit_record(request->context, tx, &entry);
}

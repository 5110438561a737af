#include "modules/vpn/vpn.h"

#include "api/settings.h"
#include "modules/checker/checker.h"
#include "modules/logging/logging.h"
#include "modules/vpn/vpn_rules.h"
#include "modules/worker/worker.h"
#include "security/secp.h"

#define DAY_MS INT64_C(86400000)
#define KEEP_MS (30 * DAY_MS)
/* Clocks that are late still take what is over: it stays named for so long. */
#define BLOCKED_AFTER_MS INT64_C(3600000)

/* ---- who may be in it ---- */

static int is_signed(const struct context *context, const struct vpn_question *question)
{
	struct vpn_statement statement = {
		.network = context->settings->network,
		.machine = question->machine,
		.at_ms = question->at_ms,
	};
	int64_t now_ms = clock_now_ms(context->clock);
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.public_key, question->public_key, sizeof(statement.public_key));
	vpn_digest(&statement, digest);
	if (secp_recover(digest, question->signature, &signer) != 0 ||
	    !address_equal(&signer, &question->machine.address))
		return VPN_E_SIGNATURE;
	if (question->at_ms < now_ms - VPN_CLOCK_MS || question->at_ms > now_ms + VPN_CLOCK_MS)
		return VPN_E_CLOCK;
	return 0;
}

/* What a machine is by itself; VPN_E_STRANGER: neither. */
static int kind_by_nature(const struct context *context, struct tx *tx, struct machine_id machine,
			  enum vpn_kind *ret_kind)
{
	const char *address;
	bool admitted;
	int r;

	r = worker_address(tx, machine, &address);
	if (r != ROUTE_E_NOT_FOUND) {
		if (r == 0)
			*ret_kind = VPN_WORKER;
		return r;
	}
	r = checker_admitted(context, tx, &machine.address, &admitted);
	if (r != 0)
		return r;
	*ret_kind = VPN_CHECKER;
	return admitted ? 0 : VPN_E_STRANGER;
}

/* Whether a worker or checker is what it was when it came. 0 or VPN_E_STRANGER. */
static int still_so(const struct context *context, struct tx *tx, const struct vpn_row *row)
{
	enum vpn_kind kind;
	int r;

	if (row->kind == VPN_GATEWAY || row->kind == VPN_LIGHTHOUSE)
		return 0;
	r = kind_by_nature(context, tx, row->machine, &kind);
	return r == 0 && kind != row->kind ? VPN_E_STRANGER : r;
}

/* ---- addresses ---- */

struct range {
	uint32_t first, last;
};

static struct range range_of(const struct context *context)
{
	const struct nebula_claims *authority = nebula_authority_claims(context->settings->vpn);

	return (struct range){ (authority->address & authority->mask) + 1,
			       (authority->address | ~authority->mask) - 1 };
}

static int take_address(const struct context *context, struct tx *tx, uint32_t *ret_address)
{
	const struct range range = range_of(context);
	int r;

	r = vpn_store_free_address(tx, range.first, range.last, ret_address);
	if (r == ROUTE_E_NOT_FOUND)
		r = vpn_store_reclaim(tx, range.first, range.last, clock_now_ms(context->clock),
				      ret_address);
	return r == ROUTE_E_NOT_FOUND ? VPN_E_FULL : r;
}

static int add_row(const struct context *context, struct tx *tx, struct vpn_row *row)
{
	int r;

	row->added_at_ms = clock_now_ms(context->clock);
	r = take_address(context, tx, &row->address);
	return r == 0 ? vpn_store_add(tx, row) : r;
}

/* The machine's row, made when it comes for the first time. */
static int admit(const struct context *context, struct tx *tx, struct machine_id machine,
		 struct vpn_row *ret_row)
{
	const struct range range = range_of(context);
	int r;

	r = vpn_store_get(tx, machine, ret_row);
	if (r == ROUTE_E_NOT_FOUND) {
		*ret_row = (struct vpn_row){ .machine = machine, .place = "", .revoked_why = "" };
		r = kind_by_nature(context, tx, machine, &ret_row->kind);
		return r == 0 ? add_row(context, tx, ret_row) : r;
	}
	if (r == 0 && ret_row->revoked_at_ms)
		return VPN_E_REVOKED;
	if (r == 0)
		r = still_so(context, tx, ret_row);
	/* The authority was made anew, for another network. */
	if (r == 0 && (ret_row->address < range.first || ret_row->address > range.last)) {
		r = take_address(context, tx, &ret_row->address);
		if (r == 0)
			r = vpn_store_move(tx, machine, ret_row->address);
	}
	return r;
}

int vpn_add(const struct context *context, struct tx *tx, struct machine_id machine,
	    enum vpn_kind kind, const char *place, struct vpn_row *ret_row)
{
	enum vpn_kind nature;
	int r;

	r = vpn_store_get(tx, machine, ret_row);
	if (r == 0) {
		if (ret_row->kind != kind)
			return VPN_E_TAKEN;
		ret_row->place = place;
		return vpn_store_place(tx, machine, place);
	}
	if (r != ROUTE_E_NOT_FOUND)
		return r;
	r = kind_by_nature(context, tx, machine, &nature);
	if (r != VPN_E_STRANGER)
		return r == 0 ? VPN_E_TAKEN : r;
	*ret_row = (struct vpn_row){
		.machine = machine, .kind = kind, .place = place, .revoked_why = ""
	};
	return add_row(context, tx, ret_row);
}

/* ---- certificates ---- */

static struct nebula_claims claims_of(const struct context *context, const struct vpn_row *row,
				      const uint8_t public_key[static NEBULA_KEY_SIZE])
{
	const struct nebula_claims *authority = nebula_authority_claims(context->settings->vpn);
	int64_t now_ms = clock_now_ms(context->clock);
	struct nebula_claims claims = {
		.address = row->address,
		.mask = authority->mask,
		.n_groups = 1,
		.not_before_s = (now_ms - VPN_CLOCK_MS) / 1000,
		.not_after_s = (now_ms + context->settings->vpn_certificate_ms) / 1000,
	};
	char name[ADDRESS_TEXT_SIZE];

	address_text(&row->machine.address, name);
	snprintf(claims.name, sizeof(claims.name), "%s", name);
	snprintf(claims.groups[0], sizeof(claims.groups[0]), "%s", vpn_kind_words[row->kind]);
	memcpy(claims.public_key, public_key, sizeof(claims.public_key));
	return claims;
}

static int sign(const struct context *context, const struct vpn_row *row,
		const uint8_t public_key[static NEBULA_KEY_SIZE],
		struct vpn_certificate_row *ret_certificate)
{
	const struct nebula_claims claims = claims_of(context, row, public_key);
	int r = nebula_sign(context->settings->vpn, &claims, &ret_certificate->certificate);

	if (r < 0)
		return r;
	nebula_fingerprint(&ret_certificate->certificate, ret_certificate->fingerprint);
	memcpy(ret_certificate->public_key, public_key, NEBULA_KEY_SIZE);
	ret_certificate->not_after_ms = claims.not_after_s * 1000;
	return 0;
}

/* It is what would be signed now, but for its times, and two thirds of its life are left. */
static bool is_current(const struct context *context, const struct vpn_row *row,
		       const struct vpn_certificate_row *old)
{
	int64_t left_ms = old->not_after_ms - clock_now_ms(context->clock);
	struct nebula_claims was, is = claims_of(context, row, old->public_key);
	struct nebula_certificate again;

	if (nebula_read(&old->certificate, &was) < 0)
		return false;
	is.not_before_s = was.not_before_s;
	is.not_after_s = was.not_after_s;
	return nebula_sign(context->settings->vpn, &is, &again) == 0 &&
	       again.len == old->certificate.len &&
	       memcmp(again.bytes, old->certificate.bytes, again.len) == 0 &&
	       left_ms > context->settings->vpn_certificate_ms / 3 * 2;
}

/* Also counts the keys with certificates, @public_key among them. */
static const struct vpn_certificate_row *find_key(const struct vpn_certificate_row *rows, size_t n,
						  const uint8_t public_key[static NEBULA_KEY_SIZE],
						  size_t *ret_keys)
{
	const struct vpn_certificate_row *found = NULL;

	*ret_keys = 1;
	for (size_t i = 0; i < n; i++) {
		bool known = memcmp(rows[i].public_key, public_key, NEBULA_KEY_SIZE) == 0;

		if (known && !found)
			found = &rows[i];
		for (size_t j = 0; j < i && !known; j++)
			known = memcmp(rows[i].public_key, rows[j].public_key, NEBULA_KEY_SIZE) ==
				0;
		*ret_keys += !known;
	}
	return found;
}

static int certify(const struct context *context, struct tx *tx,
		   const uint8_t public_key[static NEBULA_KEY_SIZE],
		   struct vpn_membership *membership)
{
	const struct vpn_row *row = &membership->row;
	const struct vpn_certificate_row *old;
	struct vpn_certificate_row *rows;
	size_t n, keys;
	int r;

	r = vpn_store_certificates(tx, row->machine, clock_now_ms(context->clock), &rows, &n);
	if (r != 0)
		return r;
	old = find_key(rows, n, public_key, &keys);
	membership->fresh = !old;
	if (old && is_current(context, row, old)) {
		membership->certificate = *old;
		return 0;
	}
	if (keys > VPN_KEYS_MAX)
		return VPN_E_TOO_MANY_KEYS;
	r = sign(context, row, public_key, &membership->certificate);
	return r == 0 ? vpn_store_issue(tx, row->machine, &membership->certificate) : r;
}

/* ---- asking ---- */

int vpn_ask(const struct context *context, struct tx *tx, const struct vpn_question *question,
	    struct vpn_membership *ret_membership)
{
	struct vpn_membership *m = ret_membership;
	int64_t now_ms = clock_now_ms(context->clock);
	int r;

	*m = (struct vpn_membership){ 0 };
	r = is_signed(context, question);
	if (r == 0)
		r = vpn_store_lighthouses(tx, &m->lighthouses, &m->n_lighthouses);
	if (r == 0 && m->n_lighthouses == 0)
		r = VPN_E_NONE;
	if (r == 0)
		r = admit(context, tx, question->machine, &m->row);
	if (r == 0)
		r = certify(context, tx, question->public_key, m);
	if (r == 0 && m->row.seen_at_ms < now_ms - VPN_CLOCK_MS)
		r = vpn_store_seen(tx, question->machine, now_ms);
	return r == 0 ? vpn_store_blocked(tx, now_ms - BLOCKED_AFTER_MS, &m->blocked, &m->n_blocked)
		      : r;
}

/* ---- those that are not what they were ---- */

struct sweep {
	const struct context *context;
	struct vpn_row *strangers;
	size_t n;
};

static int tx_find(struct tx *tx, void *arg)
{
	struct sweep *sweep = arg;
	size_t n;
	int r;

	r = vpn_store_holders(tx, clock_now_ms(sweep->context->clock), &sweep->strangers, &n);
	sweep->n = 0;
	for (size_t i = 0; i < n && r == 0; i++) {
		r = still_so(sweep->context, tx, &sweep->strangers[i]);
		if (r == VPN_E_STRANGER) {
			sweep->strangers[sweep->n++] = sweep->strangers[i];
			r = 0;
		}
	}
	return r;
}

static int end_one(const struct context *context, struct tx *tx, const struct vpn_row *row)
{
	const char *why = row->kind == VPN_WORKER ? "it was removed from the network"
						  : "it has no licence, or is banned";
	char machine[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = AUDIT_VPN_REVOKED,
		.by = AUDIT_NETWORK,
		.subject = machine,
		.detail = json_pack("{s:s}", "reason", why),
	};
	int r;

	address_text(&row->machine.address, machine);
	r = audit_record(context, tx, &entry);
	return r == 0 ? vpn_store_revoke(tx, row->machine, false, why, clock_now_ms(context->clock))
		      : r;
}

static int tx_end(struct tx *tx, void *arg)
{
	const struct sweep *sweep = arg;
	int64_t now_ms = clock_now_ms(sweep->context->clock);
	int r = vpn_store_prune(tx, now_ms - KEEP_MS);

	for (size_t i = 0; i < sweep->n && r == 0; i++) {
		/* It may have come back since. */
		r = still_so(sweep->context, tx, &sweep->strangers[i]);
		if (r == VPN_E_STRANGER)
			r = end_one(sweep->context, tx, &sweep->strangers[i]);
	}
	return r;
}

int vpn_sweep(const struct context *context, struct arena *arena)
{
	struct sweep sweep = { .context = context };
	int r = db_run(context->db, TX_READ, arena, tx_find, &sweep);

	return r == 0 ? db_run(context->db, TX_WRITE, arena, tx_end, &sweep) : r;
}

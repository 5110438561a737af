#include "modules/checker/checker.h"

#include "api/settings.h"
#include "base/log.h"
#include "modules/chain/chain.h"
#include "modules/checker/checker_rules.h"
#include "modules/checker/checker_store_licences.h"
#include "modules/logging/logging.h"
#include "security/secp.h"

#define WEEK_MS (7 * (int64_t)CHECKER_DAY_MS)
#define MONTH_MS (30 * (int64_t)CHECKER_DAY_MS)
#define HALF_YEAR_MS (180 * (int64_t)CHECKER_DAY_MS)

/* ---- registering ---- */

static bool is_signed(const struct context *context, struct account_id account,
		      const struct checker_registration *registration)
{
	const struct checker_statement statement = {
		.network = context->settings->network,
		.checker = registration->checker,
		.account = account,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	checker_digest(&statement, digest);
	return secp_recover(digest, registration->signature, &signer) == 0 &&
	       address_equal(&signer, &registration->checker);
}

int checker_register(const struct context *context, struct tx *tx, struct account_id account,
		     const struct checker_registration *registration, struct checker_row *ret_row)
{
	const struct checker_row fresh = {
		.checker = registration->checker,
		.account = account,
		.name = registration->name,
		.registered_at_ms = clock_now_ms(context->clock),
	};
	struct checker_row row;
	int64_t n;
	int r;

	if (!is_signed(context, account, registration))
		return CHECKER_E_SIGNATURE;
	r = checker_store_get(tx, &registration->checker, &row);
	if (r == 0 && !account_equal(row.account, account))
		return CHECKER_E_TAKEN;
	if (r == ROUTE_E_NOT_FOUND) {
		r = checker_store_count(tx, account, &n);
		if (r == 0 && n >= CHECKERS_OF_ACCOUNT_MAX)
			return CHECKER_E_TOO_MANY;
	}
	if (r == 0)
		r = checker_store_put(tx, &fresh);
	if (r == 0)
		r = checker_store_get(tx, &registration->checker, ret_row);
	return r;
}

enum checker_status checker_status(const struct context *context, const struct checker_row *row)
{
	if (row->banned_until_ms > clock_now_ms(context->clock))
		return CHECKER_BANNED;
	if (row->licences == 0)
		return CHECKER_PENDING;
	switch (links_state(&row->checker)) {
	case LINK_STATE_NONE:
		return CHECKER_OFFLINE;
	case LINK_STATE_IDLE:
		return CHECKER_READY;
	case LINK_STATE_OCCUPIED:
		return CHECKER_CHECKING;
	}
	return CHECKER_OFFLINE;
}

/* ---- why it gets no tasks ---- */

void checker_no_licence(const struct checker_row *row, char ret_why[static CHECKER_WHY_SIZE])
{
	char checker[ADDRESS_TEXT_SIZE];

	ret_why[0] = '\0';
	if (row->licences > 0)
		return;
	address_text(&row->checker, checker);
	if (!chain_enabled())
		snprintf(ret_why, CHECKER_WHY_SIZE,
			 "no licence; the network's operator gives one: kaisar admin licence %s 1",
			 checker);
	else if (row->deregistered)
		snprintf(ret_why, CHECKER_WHY_SIZE,
			 "not registered on the chain any more, so that no licence counts; its "
			 "operator registers it again: kaisar checker register");
	else if (row->proposed > 0)
		snprintf(ret_why, CHECKER_WHY_SIZE,
			 "%" PRId64
			 " delegated, none accepted; its operator accepts: kaisar checker "
			 "delegations, kaisar checker accept ID",
			 row->proposed);
	else
		snprintf(ret_why, CHECKER_WHY_SIZE,
			 "no licence; a licence's owner delegates one: kaisar licence delegate ID "
			 "%s",
			 checker);
}

void checker_why(const struct context *context, const struct checker_row *row,
		 char ret_why[static CHECKER_WHY_SIZE])
{
	if (row->banned_until_ms > clock_now_ms(context->clock))
		snprintf(ret_why, CHECKER_WHY_SIZE, "banned: %s", row->ban_reason);
	else
		checker_no_licence(row, ret_why);
}

int checker_tell(struct tx *tx, const struct address *checker)
{
	struct links_standing *standing = arena_alloc(tx_arena(tx), sizeof(*standing));
	struct checker_row row;
	int r = standing ? checker_store_get(tx, checker, &row) : -ENOMEM;

	if (r != 0)
		return r;
	standing->checker = *checker;
	standing->licences = row.licences;
	checker_no_licence(&row, standing->why);
	return tx_on_commit(tx, links_tell_standing, standing);
}

int checker_eligible(const struct context *context, struct tx *tx,
		     struct checker_member **ret_members, size_t *ret_n)
{
	struct checker_member *members;
	size_t n, kept = 0;
	int r;

	r = checker_store_eligible(tx, clock_now_ms(context->clock), &members, &n);
	if (r != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (links_state(&members[i].checker) != LINK_STATE_NONE)
			members[kept++] = members[i];
	*ret_members = members;
	*ret_n = kept;
	return 0;
}

int checker_admitted(const struct context *context, struct tx *tx, const struct address *checker,
		     bool *ret_admitted)
{
	struct checker_row row = { 0 };
	int r = checker_store_get(tx, checker, &row);

	if (r != 0 && r != ROUTE_E_NOT_FOUND)
		return r;
	*ret_admitted = row.licences > 0 && row.banned_until_ms <= clock_now_ms(context->clock);
	return 0;
}

const char *checker_mark_word(enum checker_mark mark)
{
	static const char *const words[] = { [CHECKER_VALID] = "valid",
					     [CHECKER_WRONG] = "wrong",
					     [CHECKER_SILENT] = "silent",
					     [CHECKER_DEVIATING] = "deviating" };

	return words[mark];
}

/* ---- bans ---- */

struct ban {
	int64_t until_ms; /* 0: none */
	const char *reason;
};

/* Wrong marks that lie less than @window_ms behind @at_ms, itself among them. */
static size_t within(const int64_t *wrongs, size_t n, int64_t at_ms, int64_t window_ms)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += wrongs[i] <= at_ms && wrongs[i] > at_ms - window_ms;
	return count;
}

/* What the documented rule says of these wrong marks, the oldest first: the ban that reaches
 * furthest. */
static struct ban ban_of(const int64_t *wrongs, size_t n)
{
	struct ban ban = { 0, "" };

	if (n > 10)
		return (struct ban){ CHECKER_FOREVER_MS, "more than 10 wrong results: for ever" };
	for (size_t i = 0; i < n; i++) {
		int64_t at_ms = wrongs[i];

		if (within(wrongs, n, at_ms, MONTH_MS) >= 5 && at_ms + HALF_YEAR_MS > ban.until_ms)
			ban = (struct ban){ at_ms + HALF_YEAR_MS,
					    "5 wrong results within a month: six months" };
		if (within(wrongs, n, at_ms, WEEK_MS) >= 2 && at_ms + MONTH_MS > ban.until_ms)
			ban = (struct ban){ at_ms + MONTH_MS,
					    "2 wrong results within a week: one month" };
	}
	return ban;
}

static int tell(const struct context *context, struct tx *tx, const struct checker_row *row,
		const char *type, json_t *data)
{
	char subject[ADDRESS_TEXT_SIZE];

	address_text(&row->checker, subject);
	if (!data)
		return -ENOMEM;
	return logging_event(context, tx, row->account, type, subject, data);
}

static json_t *ban_json(const struct ban *ban)
{
	return json_pack("{s:o, s:s}", "until",
			 ban->until_ms == CHECKER_FOREVER_MS ? json_string("for ever")
							     : encode_time(ban->until_ms),
			 "reason", ban->reason);
}

static int audit_ban(const struct context *context, struct tx *tx, const struct checker_row *row,
		     const struct ban *ban)
{
	char subject[ADDRESS_TEXT_SIZE];
	const struct audit_entry entry = {
		.action = ban->until_ms ? AUDIT_CHECKER_BANNED : AUDIT_CHECKER_UNBANNED,
		.by = AUDIT_NETWORK,
		.subject = subject,
		.owner = &row->account,
		.detail = ban_json(ban),
	};

	address_text(&row->checker, subject);
	return audit_record(context, tx, &entry);
}

struct note {
	struct address checker;
	struct links_record record;
};

static void on_commit(void *arg)
{
	const struct note *note = arg;

	links_tell(&note->checker, &note->record);
}

/* The checker itself hears of its mark, and of the ban that it has now. */
static int tell_checker(const struct context *context, struct tx *tx, const struct checker_row *row,
			const uint8_t session[static 16], const char *mark)
{
	struct note *note = arena_alloc(tx_arena(tx), sizeof(*note));

	if (!note)
		return -ENOMEM;
	*note = (struct note){ row->checker, { .mark = mark } };
	memcpy(note->record.session, session, sizeof(note->record.session));
	if (row->banned_until_ms > clock_now_ms(context->clock)) {
		note->record.banned_until_ms = row->banned_until_ms;
		note->record.ban_reason = row->ban_reason;
	}
	return tx_on_commit(tx, on_commit, note);
}

/* Writes the ban that the wrong marks amount to now, which may be none; @row has it then. */
static int settle_ban(const struct context *context, struct tx *tx, struct checker_row *row)
{
	int64_t *wrongs;
	struct ban ban;
	size_t n;
	int r;

	r = checker_store_wrongs(tx, &row->checker, 0, &wrongs, &n);
	if (r != 0)
		return r;
	ban = ban_of(wrongs, n);
	if (ban.until_ms == row->banned_until_ms)
		return 0;
	r = checker_store_ban(tx, &row->checker, ban.until_ms, ban.reason);
	if (r == 0)
		r = audit_ban(context, tx, row, &ban);
	if (r != 0)
		return r;
	row->banned_until_ms = ban.until_ms;
	row->ban_reason = ban.reason;
	return tell(context, tx, row, ban.until_ms ? "checker.banned" : "checker.ban_lifted",
		    ban_json(&ban));
}

int checker_marked(const struct context *context, struct tx *tx, const struct address *checker,
		   const uint8_t session[static 16], enum checker_mark mark, bool planted,
		   int64_t at_ms)
{
	struct checker_mark_row row = { .at_ms = at_ms, .mark = mark, .planted = planted };
	struct checker_row owner;
	bool new;
	int r;

	memcpy(row.session, session, sizeof(row.session));
	r = checker_store_get(tx, checker, &owner);
	if (r == 0)
		r = checker_store_mark(tx, checker, &row, &new);
	if (r != 0 || !new)
		return r;
	if (mark == CHECKER_WRONG) {
		r = tell(context, tx, &owner, "checker.wrong",
			 json_pack("{s:b}", "planted", planted));
		if (r == 0)
			r = settle_ban(context, tx, &owner);
	}
	return r != 0 ? r : tell_checker(context, tx, &owner, session, checker_mark_word(mark));
}

int checker_cleared(const struct context *context, struct tx *tx, const struct address *checker,
		    const uint8_t session[static 16])
{
	struct checker_row row;
	bool changed;
	int r;

	r = checker_store_get(tx, checker, &row);
	if (r == 0)
		r = checker_store_clear(tx, checker, session, &changed);
	if (r != 0 || !changed)
		return r;
	r = settle_ban(context, tx, &row);
	return r != 0 ? r : tell_checker(context, tx, &row, session, "cleared");
}

static int64_t mean_milli(int64_t licence_ms, int64_t time_ms)
{
	return (int64_t)((__int128)1000 * licence_ms / time_ms);
}

/* The checker's stakes are the first @n of @stakes. */
static void weigh_one(const struct checker_stake *stakes, size_t n, int64_t time_ms,
		      struct checker_delegator *delegators, struct checker_work *row)
{
	int64_t sum_ms = 0;

	row->delegators = delegators;
	row->n_delegators = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t milli = mean_milli(stakes[i].licence_ms, time_ms);

		sum_ms += stakes[i].licence_ms;
		if (milli > 0)
			delegators[row->n_delegators++] = (struct checker_delegator){
				stakes[i].owner, milli
			};
	}
	row->licences_milli = mean_milli(sum_ms, time_ms);
}

void checker_weigh(const struct checker_stake *stakes, size_t n_stakes, int64_t time_ms,
		   struct checker_delegator *delegators, struct checker_work *rows, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		size_t first;

		while (at < n_stakes &&
		       memcmp(&stakes[at].checker, &rows[i].checker, sizeof(rows[i].checker)) < 0)
			at++;
		for (first = at;
		     at < n_stakes && address_equal(&stakes[at].checker, &rows[i].checker);)
			at++;
		weigh_one(stakes + first, at - first, time_ms, delegators + first, &rows[i]);
	}
}

int checker_worked(struct tx *tx, int64_t from_ms, int64_t until_ms, struct checker_work **ret_rows,
		   size_t *ret_n)
{
	struct checker_delegator *delegators;
	struct checker_stake *stakes;
	size_t n_stakes;
	int r = checker_store_worked(tx, from_ms, until_ms, ret_rows, ret_n);

	if (r != 0 || !chain_enabled())
		return r;
	r = licence_store_stakes(tx, from_ms, until_ms, &stakes, &n_stakes);
	if (r != 0)
		return r;
	delegators = arena_array(tx_arena(tx), n_stakes + 1, sizeof(*delegators));
	if (!delegators)
		return -ENOMEM;
	checker_weigh(stakes, n_stakes, until_ms - from_ms, delegators, *ret_rows, *ret_n);
	return 0;
}

/* ---- licences ---- */

/* ROUTE_E_NOT_FOUND: no checker is registered here with it. */
static int recount(struct tx *tx, const struct address *machine, struct checker_row *ret_row)
{
	int r = licence_store_recount(tx, machine);

	if (r == 0)
		r = checker_store_get(tx, machine, ret_row);
	return r == 0 ? checker_tell(tx, machine) : r;
}

int checker_delegated(const struct context *context, struct tx *tx, const struct address *machine,
		      int64_t licence, enum checker_delegation delegation)
{
	static const char *const types[] = {
		[CHECKER_DELEGATION_PROPOSED] = "checker.licence_proposed",
		[CHECKER_DELEGATION_ACCEPTED] = "checker.licence_accepted",
		[CHECKER_DELEGATION_ENDED] = "checker.licence_ended",
	};
	struct checker_row row;
	int r = recount(tx, machine, &row);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	return tell(context, tx, &row, types[delegation],
		    json_pack("{s:I, s:I, s:I}", "licence", (json_int_t)licence, "licences",
			      (json_int_t)row.licences, "proposed", (json_int_t)row.proposed));
}

int checker_registered(const struct context *context, struct tx *tx, const struct address *machine,
		       bool there)
{
	struct checker_row row;
	int r = recount(tx, machine, &row);

	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? 0 : r;
	return tell(context, tx, &row, there ? "checker.registered" : "checker.deregistered",
		    json_pack("{s:I}", "licences", (json_int_t)row.licences));
}

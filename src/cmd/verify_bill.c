#include "cmd/verify_bill.h"

#include "base/clock.h"
#include "base/log.h"
#include "cmd/anchor.h"
#include "cmd/bill_anchor.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/file.h"
#include "cmd/options.h"
#include "cmd/rental_wait.h"
#include "cmd/session.h"

static const char *signatures_text(const struct bill_lease *lease)
{
	if (!lease->signed_)
		return "WRONG";
	return lease->usage.sequence > 0 ? "ok" : "ok, of the terms";
}

static void print_lease(const struct bill_lease *lease)
{
	char id[ID_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE], recomputed[AMOUNT_TEXT_SIZE];
	char charged[AMOUNT_TEXT_SIZE], unpaid[AMOUNT_TEXT_SIZE];

	lease_id_text(&lease->lease, id);
	amount_text(lease->rate_hour, rate);
	amount_text(lease->recomputed, recomputed);
	amount_text(lease->charged, charged);
	amount_text(lease->unpaid, unpaid);
	printf("%-30s %10" PRId64 " %12s %12s %12s %12s  %s\n", id, lease->seconds, rate,
	       recomputed, charged, unpaid, signatures_text(lease));
}

/* Why so much less is charged. */
static void print_excuses(const struct bill *bill, const struct bill_lease *lease)
{
	char from[CLOCK_TEXT_SIZE], until[CLOCK_TEXT_SIZE], proof[ID_TEXT_SIZE];
	char machine[ADDRESS_TEXT_SIZE], tenant[ADDRESS_TEXT_SIZE];
	const struct bill_excuse *excuse = lease->excuses.items;

	address_text(&lease->machine.address, machine);
	address_text(&bill->tenant.address, tenant);
	for (size_t i = 0; i < lease->excuses.n; i++, excuse++) {
		clock_text(excuse->from_ms, from);
		if (excuse->until_ms)
			clock_text(excuse->until_ms, until);
		else
			snprintf(until, sizeof(until), "now");
		id_text("prf", excuse->proof.bytes, proof);
		printf("  not charged from %s to %s: ", from, until);
		if (excuse->hour)
			printf("most of its watchers could not reach the machine (kaisar popw "
			       "uptime %s %" PRId64 " --tenant %s)\n",
			       machine, excuse->hour, tenant);
		else
			printf("the machine failed in %s\n", proof);
	}
}

static void print_finding(const struct bill_finding *finding)
{
	char id[ID_TEXT_SIZE] = "the bill";

	if (finding->lease)
		lease_id_text(&finding->lease->lease, id);
	printf("%s: %s: expected %s, found %s\n", id, finding->check, finding->expected,
	       finding->actual);
}

static int print_verdict(const struct bill *bill, const struct bill_findings *findings)
{
	char total[AMOUNT_TEXT_SIZE], rental[ID_TEXT_SIZE], network[ADDRESS_TEXT_SIZE];
	char made[CLOCK_TEXT_SIZE];

	amount_text(bill->total, total);
	rental_id_text(&bill->rental, rental);
	address_text(&bill->network, network);
	for (size_t i = 0; i < findings->n; i++)
		print_finding(&findings->items[i]);
	if (findings->n > 0) {
		printf("The bill of %s does NOT hold: %zu %s above.\n", rental, findings->n,
		       findings->n == 1 ? "reason" : "reasons");
		return 1;
	}
	if (bill_is_part(bill))
		printf("Only %zu of the rental's %" PRId64
		       " leases are in it: those of one provider.\n",
		       bill->leases.n, bill->placings);
	clock_text(bill->made_at_ms, made);
	printf("The bill of %s holds: %s in all, signed by the network %s at %s.\n", rental, total,
	       network, made);
	return 0;
}

static int verify(const char *json, size_t len, const struct bill_wanted *wanted,
		  struct arena *arena, struct bill *ret_bill, int *ret_status)
{
	struct bill_findings *findings = arena_alloc(arena, sizeof(*findings));
	struct field_error error;
	int r;

	if (!findings)
		return -ENOMEM;
	r = bill_read(json, len, arena, ret_bill, &error);
	if (r < 0)
		return r;
	if (r == BILL_E_MALFORMED) {
		printf("This is no bill that can be checked: %s%s%s.\n", error.field,
		       *error.field ? " " : "", error.rule);
		*ret_status = 1;
		return 0;
	}
	r = bill_check(ret_bill, wanted, arena, findings);
	if (r < 0)
		return r;
	printf("%-30s %10s %12s %12s %12s %12s  %s\n", "LEASE", "SECONDS", "RATE/HOUR",
	       "RECOMPUTED", "CHARGED", "UNPAID", "SIGNATURES");
	for (size_t i = 0; i < ret_bill->leases.n; i++) {
		print_lease(&bill_leases(ret_bill)[i]);
		print_excuses(ret_bill, &bill_leases(ret_bill)[i]);
	}
	*ret_status = print_verdict(ret_bill, findings);
	return 0;
}

int verify_bill(const char *json, size_t len, const struct bill_wanted *wanted, struct arena *arena,
		struct bill *ret_bill)
{
	int status, r = verify(json, len, wanted, arena, ret_bill, &status);

	if (r < 0) {
		log_error("verify_bill.failed", log_fault(r));
		return 1;
	}
	return status;
}

/* ---- the subcommand ---- */

static const struct option_row rows[] = {
	{ "network", 0, "ADDRESS",
	  "the network that must have signed (where you signed in; else the bill's own)" },
	{ "provider", 0, "ADDRESS",
	  "whose leases alone may be in it (who signed in; else all leases must be)" },
	ANCHOR_ROWS,
	{ "save", 0, "PATH", "keep the fetched bill, to check it again without the network" },
	CLI_URL_ROW,
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar verify-bill [OPTIONS] RENTAL|FILE|-",
	.about = "Checks a bill: recomputes each charge and every signature. FILE holds one that "
		 "was\n"
		 "kept, and - is standard input: then nobody is asked. A RENTAL's, by id or name, "
		 "is\n"
		 "fetched first, and must be that rental's and yours.\n"
		 "With --rpc it then checks on the chain that the network recorded this very bill\n"
		 "(docs/records.md), and asks the network only under which root.\n"
		 "Exit status: 0 it holds; 1 it does not; 3 not yet: it holds, but is not "
		 "anchored,\n"
		 "the root is not final, an endpoint does not say, or the rental goes on. No such\n"
		 "rental or file is 3, too.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

/* What is wanted of the bill, and what that points to. */
struct wish {
	struct bill_wanted bill;
	struct address network, reader, provider;
	struct rental_id rental;
};

/* Sets *@ret_wanted to the address of the option, or of the session, if there is one. */
static int want(const struct options *options, const char *name, const char *in_session,
		struct address *address, const struct address **ret_wanted)
{
	const char *text = options_get(options, name, in_session);

	if (!text)
		return 0;
	if (address_parse(text, address) < 0)
		return options_refuse(&table, "--%s must be 0x and 40 hex digits", name);
	*ret_wanted = address;
	return 0;
}

/* The network that was pinned at the sign-in, and who signed in, where nothing else was said. */
static int want_named(const struct options *options, struct arena *arena, struct wish *wish)
{
	struct session session;
	bool known = session_load(arena, &session) == 0;
	int r = want(options, "network", known ? session.network : NULL, &wish->network,
		     &wish->bill.network);

	return r != 0 ? r
		      : want(options, "provider", known ? session.account : NULL, &wish->provider,
			     &wish->bill.provider);
}

/* Of this rental, and of who signed in. */
static int want_own(const struct client *client, const char *id, struct wish *wish)
{
	const char *account = client_account(client);

	if (rental_id_parse(id, &wish->rental) < 0)
		return cli_fail(CLI_FAILED, "the network's answer makes no sense");
	wish->bill.rental = &wish->rental;
	if (account && address_parse(account, &wish->reader) == 0)
		wish->bill.reader = &wish->reader;
	return 0;
}

/* By its descriptor: a socket cannot be opened as /dev/stdin. */
static int read_stdin(struct arena *arena, char **ret_text, size_t *ret_len)
{
	char *text = arena_alloc(arena, BILL_JSON_MAX + 1);
	size_t len;

	if (!text)
		return -ENOMEM;
	len = fread(text, 1, BILL_JSON_MAX + 1, stdin);
	if (ferror(stdin))
		return -EIO;
	if (len > BILL_JSON_MAX)
		return -EFBIG;
	*ret_text = text;
	*ret_len = len;
	return 0;
}

/* The bill of the rental @word as the API has it, kept where --save says. 0 or an exit status. */
static int fetch(const struct options *options, const char *word, struct arena *arena,
		 struct wish *wish, char **ret_text, size_t *ret_len)
{
	_cleanup_(client_closep) struct client *client = NULL;
	_cleanup_(json_decrefp) json_t *bill = NULL;
	_cleanup_(freep) char *text = NULL;
	const char *save = options_get(options, "save", NULL), *id = NULL;
	char path[64];
	int r;

	r = client_open(options_get(options, "url", NULL), &client);
	if (r == 0)
		r = rental_find(client, word, &id);
	if (r == 0)
		r = want_own(client, id, wish);
	if (r != 0)
		return r;
	snprintf(path, sizeof(path), "/v1/bills/%s", id);
	r = client_get(client, path, &bill);
	if (r != 0)
		return r;
	text = json_dumps(bill, JSON_INDENT(1));
	if (!text)
		return cli_fault(-ENOMEM, id);
	*ret_len = strlen(text);
	*ret_text = arena_text(arena, text, *ret_len);
	if (!*ret_text)
		return cli_fault(-ENOMEM, id);
	r = save ? file_write(save, text, *ret_len, 0644) : 0;
	return r < 0 ? cli_fault(r, save) : 0;
}

/* A bill that was kept may be anybody's. 0 or an exit status. */
static int read_bill(const struct options *options, struct arena *arena, struct wish *wish,
		     char **ret_text, size_t *ret_len)
{
	const char *word = options->words[0];
	struct rental_id id;
	int r;

	if (rental_id_parse(word, &id) == 0)
		return fetch(options, word, arena, wish, ret_text, ret_len);
	if (strcmp(word, "-") == 0)
		r = read_stdin(arena, ret_text, ret_len);
	else
		r = file_read(word, BILL_JSON_MAX, arena, ret_text, ret_len);
	if (r == -ENOENT && strchr(word, '/'))
		return cli_fail(CLI_NOT_FOUND, "%s: no such file", word);
	/* No file of this name, so a rental's. */
	if (r == -ENOENT)
		return fetch(options, word, arena, wish, ret_text, ret_len);
	return r < 0 ? cli_fault(r, word) : 0;
}

static int check_chain(const struct options *options, const struct bill *bill)
{
	_cleanup_(client_closep) struct client *client = NULL;
	int r = client_open(options_get(options, "url", NULL), &client);

	return r != 0 ? r : bill_anchor_verify(client, &table, options, bill);
}

int cmd_verify_bill(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct wish wish = { 0 };
	struct options options;
	struct bill bill;
	int r, status;
	size_t len;
	char *text;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	r = arena_new(2 * BILL_JSON_MAX + VERIFY_BILL_BYTES, &arena);
	if (r < 0)
		return cli_fault(r, "start");
	status = anchor_options(&table, &options);
	if (status == 0)
		status = want_named(&options, arena, &wish);
	if (status == 0)
		status = read_bill(&options, arena, &wish, &text, &len);
	if (status == 0)
		status = verify_bill(text, len, &wish.bill, arena, &bill);
	if (status == 0 && options_has(&options, "rpc"))
		status = check_chain(&options, &bill);
	return status;
}

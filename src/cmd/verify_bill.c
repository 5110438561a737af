#include "cmd/verify_bill.h"

#include "base/log.h"
#include "cmd/bill.h"
#include "cmd/commands.h"
#include "cmd/file.h"
#include "cmd/options.h"

enum { ARENA_BYTES = 16 << 20 };

static void print_lease(const struct bill_lease *lease)
{
	char id[ID_TEXT_SIZE], rate[AMOUNT_TEXT_SIZE], recomputed[AMOUNT_TEXT_SIZE];
	char charged[AMOUNT_TEXT_SIZE];

	lease_id_text(&lease->lease, id);
	amount_text(lease->rate_hour, rate);
	amount_text(lease->recomputed, recomputed);
	amount_text(lease->charged, charged);
	printf("%-30s %10" PRId64 " %12s %12s %12s  %s\n", id, lease->seconds, rate, recomputed,
	       charged, lease->signed_ ? "ok" : "WRONG");
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
	printf("The bill of %s holds: %s in all, signed by the network %s.\n", rental, total,
	       network);
	return 0;
}

static int verify(const char *json, size_t len, const struct address *network, struct arena *arena,
		  int *ret_status)
{
	struct bill_findings *findings = arena_alloc(arena, sizeof(*findings));
	struct field_error error;
	struct bill bill;
	int r;

	if (!findings)
		return -ENOMEM;
	r = bill_read(json, len, arena, &bill, &error);
	if (r < 0)
		return r;
	if (r == BILL_E_MALFORMED) {
		printf("This is no bill: %s%s%s.\n", error.field, *error.field ? " " : "",
		       error.rule);
		*ret_status = 1;
		return 0;
	}
	r = bill_check(&bill, network, arena, findings);
	if (r < 0)
		return r;
	printf("%-30s %10s %12s %12s %12s  %s\n", "LEASE", "SECONDS", "RATE/HOUR", "RECOMPUTED",
	       "CHARGED", "SIGNATURES");
	for (size_t i = 0; i < bill.leases.n; i++)
		print_lease(&bill_leases(&bill)[i]);
	*ret_status = print_verdict(&bill, findings);
	return 0;
}

int verify_bill(const char *json, size_t len, const struct address *network)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r, status;

	r = arena_new(ARENA_BYTES, &arena);
	if (r == 0)
		r = verify(json, len, network, arena, &status);
	if (r < 0) {
		log_error("verify_bill.failed", log_fault(r));
		return 1;
	}
	return status;
}

/* ---- the subcommand ---- */

static const struct option_row rows[] = {
	{ "network", 0, "ADDRESS", "the network that must have signed; else the bill's own" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar verify-bill [--network ADDRESS] FILE|-",
	.about =
		"Checks a bill without asking anybody: recomputes each charge and every signature. "
		"FILE holds what GET /v1/bills/RENTAL answered; - is standard input.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

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

int cmd_verify_bill(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct address network;
	struct options options;
	const char *wanted;
	int r, status;
	size_t len;
	char *text;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	wanted = options_get(&options, "network", NULL);
	if (wanted && address_parse(wanted, &network) < 0)
		return options_refuse(&table, "--network must be 0x and 40 hex digits");
	r = arena_new(2 * BILL_JSON_MAX, &arena);
	if (r == 0 && strcmp(options.words[0], "-") == 0)
		r = read_stdin(arena, &text, &len);
	else if (r == 0)
		r = file_read(options.words[0], BILL_JSON_MAX, arena, &text, &len);
	if (r < 0) {
		fprintf(stderr, "kaisar verify-bill: %s: %s\n", options.words[0], strerror(-r));
		return r == -ENOENT ? 3 : 1;
	}
	return verify_bill(text, len, wanted ? &network : NULL);
}

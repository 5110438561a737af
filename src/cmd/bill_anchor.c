#include "cmd/bill_anchor.h"

#include "cmd/anchor.h"
#include "cmd/bill_record.h"

/* Whether the network tells of a record of this id. */
static int find(struct client *client, const uint8_t id[static SIGN_DIGEST_SIZE], bool *ret_known)
{
	_cleanup_(json_decrefp) json_t *inclusion = NULL;
	bool waits;
	int r = anchor_find(client, ANCHOR_USAGE, id, &inclusion, &waits);

	if (r == 0)
		*ret_known = inclusion || waits;
	return r;
}

static int find_record(struct client *client, const struct bill_lease *lease, int64_t number,
		       bool *ret_known)
{
	uint8_t id[SIGN_DIGEST_SIZE];

	record_id(lease->lease, number, id);
	return find(client, id, ret_known);
}

/* Whether the bill's record is the last. Only the network can tell; that it tells of none later is believed. See
 * docs/records.md. */
static int check_last(struct client *client, const struct bill_lease *lease)
{
	bool known, later = false;
	int r = find_record(client, lease, lease->record, &known);

	if (r == 0)
		r = find_record(client, lease, lease->record + 1, &later);
	if (r != 0)
		return r;
	if (later)
		return cli_fail(CLI_FAILED,
				"the network recorded this lease again since (record %" PRId64
				"): fetch the bill anew",
				lease->record + 1);
	if (lease->record == 0 && lease->ended_at_ms)
		return cli_fail(CLI_NOT_YET,
				"its end is not recorded: the network had no chain then");
	if (lease->record > 0 && !known)
		return cli_fail(CLI_FAILED,
				"the network has no record %" PRId64
				" of this lease, which the bill names",
				lease->record);
	return 0;
}

static int check_lease(struct client *client, const struct option_table *table,
		       const struct options *options, const struct bill *bill,
		       const struct bill_lease *lease)
{
	uint8_t id[SIGN_DIGEST_SIZE], digest[SIGN_DIGEST_SIZE];
	char text[ID_TEXT_SIZE];
	int r;

	lease_id_text(&lease->lease, text);
	printf("%s, record %" PRId64 ":\n", text, lease->record);
	fflush(stdout);
	r = bill_record_digest(bill, lease, digest);
	if (r < 0)
		return cli_fault(r, text);
	record_id(lease->lease, lease->record, id);
	r = check_last(client, lease);
	if (r == 0)
		r = anchor_verify(client, table, options, ANCHOR_USAGE, id, digest, stdout);
	if (r == 0 && !lease->ended_at_ms)
		r = cli_fail(CLI_NOT_YET, "it goes on: only its placing is on the chain; what is "
					  "used is recorded when it has ended");
	return r;
}

/* That it has ended, and after how many leases: so that there are no others. */
static int check_end(struct client *client, const struct option_table *table,
		     const struct options *options, const struct bill *bill)
{
	uint8_t id[SIGN_DIGEST_SIZE], digest[SIGN_DIGEST_SIZE];
	bool known;
	int r;

	rental_record_id(bill->rental, id);
	bill_rental_digest(bill, digest);
	printf("Its end, after %" PRId64 " %s:\n", bill->placings,
	       bill->placings == 1 ? "lease" : "leases");
	fflush(stdout);
	r = find(client, id, &known);
	if (r == 0 && !known)
		return cli_fail(CLI_NOT_YET, "the rental goes on, as the network says: another "
					     "lease may follow");
	return r != 0 ? r : anchor_verify(client, table, options, ANCHOR_USAGE, id, digest, stdout);
}

static int check_numbered(const struct bill *bill)
{
	char text[ID_TEXT_SIZE];

	for (size_t i = 0; i < bill->leases.n; i++) {
		const struct bill_lease *lease = &bill_leases(bill)[i];

		if (lease->placing > 0)
			continue;
		lease_id_text(&lease->lease, text);
		return cli_fail(CLI_FAILED,
				"%s was placed before the network numbered leases: the chain does "
				"not show that none is missing",
				text);
	}
	return 0;
}

int bill_anchor_verify(struct client *client, const struct option_table *table,
		       const struct options *options, const struct bill *bill)
{
	int r = check_numbered(bill);

	for (size_t i = 0; r == 0 && i < bill->leases.n; i++)
		r = check_lease(client, table, options, bill, &bill_leases(bill)[i]);
	if (r == 0)
		r = check_end(client, table, options, bill);
	if (r == 0)
		printf("All that the bill states is on the chain.\n");
	return r;
}

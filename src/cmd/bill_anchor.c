#include "cmd/bill_anchor.h"

#include "cmd/anchor.h"
#include "cmd/bill_record.h"

/* Only the network can tell; that it tells of none is believed. See docs/records.md. */
static int check_last(struct client *client, const struct bill_lease *lease)
{
	_cleanup_(json_decrefp) json_t *later = NULL;
	uint8_t id[SIGN_DIGEST_SIZE];
	bool waits;
	int r;

	record_id(lease->lease, lease->record + 1, id);
	r = anchor_find(client, ANCHOR_USAGE, id, &later, &waits);
	if (r == 0 && (later || waits))
		r = cli_fail(CLI_FAILED,
			     "the network recorded this lease again since (record %" PRId64
			     "): fetch the bill anew",
			     lease->record + 1);
	return r;
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
	if (lease->record == 0 && lease->ended_at_ms)
		return cli_fail(CLI_NOT_FOUND,
				"its end is not recorded: the network had no chain then");
	r = bill_record_digest(bill, lease, digest);
	if (r < 0)
		return cli_fault(r, text);
	record_id(lease->lease, lease->record, id);
	r = check_last(client, lease);
	if (r == 0)
		r = anchor_verify(client, table, options, ANCHOR_USAGE, id, digest, stdout);
	if (r == 0 && !lease->ended_at_ms)
		r = cli_fail(CLI_FAILED, "it goes on: only its placing is on the chain; what is "
					 "used is recorded when it has ended");
	return r;
}

int bill_anchor_verify(struct client *client, const struct option_table *table,
		       const struct options *options, const struct bill *bill)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < bill->leases.n; i++)
		r = check_lease(client, table, options, bill, &bill_leases(bill)[i]);
	if (r == 0)
		printf("All that the bill states is on the chain.\n");
	return r;
}

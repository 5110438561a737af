/* Beside a person's machines: how they are registered on the chain. */
#include "cmd/cli.h"
#include "cmd/registration.h"

static const struct column columns[] = {
	{ "NAME", "name" },
	{ "ON CHAIN", "registration.state" },
	{ "OWNER THERE", "registration.owner" },
	{ "TRANSACTION", "registration.transaction" },
	{ "BLOCK", "registration.block" },
	{ "WHY", "registration.reason" },
	{ 0 },
};

int registration_show(struct cli *cli, const json_t *nodes)
{
	_cleanup_(json_decrefp) json_t *known = json_array();
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node)
		if (json_is_object(json_object_get(node, "registration")) &&
		    json_array_append(known, node) < 0)
			return cli_fault(-ENOMEM, "status");
	/* A network without a chain has nothing to say of it. */
	if (json_array_size(known) == 0)
		return 0;
	putchar('\n');
	return cli_print_list(cli, columns, known);
}

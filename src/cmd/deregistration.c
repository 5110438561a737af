/* A machine off the chain's registry, by its owner: the fee does not come back. */
#include "cmd/onchain.h"
#include "cmd/registration.h"

static const struct option_row rows[] = { ONCHAIN_ROWS, { 0 } };
static const struct option_table worker_table = {
	.usage = "kaisar worker deregister [OPTIONS] MACHINE",
	.about = "Takes a machine of yours off the chain's registry, so that whoever has it next "
		 "can "
		 "register it.\n"
		 "The fee does not come back. In the network it stays: `kaisar worker remove`.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};
static const struct option_table checker_table = {
	.usage = "kaisar checker deregister [OPTIONS] CHECKER",
	.about = "Takes a checker of yours off the chain's registry, so that whoever has it next "
		 "can "
		 "register it.\n"
		 "The fee does not come back. Licences that it has count nothing while it is out.",
	.rows = rows,
	.words_min = 1,
	.words_max = 1,
};

static const struct column columns[] = {
	{ "machine", "machine" },
	{ "transaction", "transaction" },
	{ "block", "block" },
	{ 0 },
};

struct deregistration {
	enum machine_kind kind;
	const char *word; /* "worker" */
	struct address machine, registry;
	const char *machine_text, *what;
};

static int read_machine(struct onchain *onchain, struct deregistration *it)
{
	char text[ADDRESS_TEXT_SIZE];
	int r = onchain_contract(onchain, CONTRACT_REGISTRY, &it->registry);

	if (r != 0)
		return r;
	if (address_parse(onchain->options.words[0], &it->machine) < 0)
		return options_refuse(onchain->options.table,
				      "'%s' is not an address; `kaisar %s status` shows yours",
				      onchain->options.words[0], it->word);
	address_text(&it->machine, text);
	it->machine_text = arena_text(onchain->arena, text, strlen(text));
	it->what = arena_printf(onchain->arena, "deregistration of %s %s", it->word, text);
	return it->machine_text && it->what ? 0 : cli_fault(-ENOMEM, "deregister");
}

/* What the contract would refuse, in words. */
static int check_owner(struct onchain *onchain, const struct deregistration *it)
{
	const struct abi_value machine = abi_address(&it->machine);
	char text[ADDRESS_TEXT_SIZE];
	struct abi_value value;
	struct address owner;
	uint64_t kind;
	int r = onchain_read(onchain, &it->registry, "machineOf(address)", &machine, 1,
			     "(address,uint8,uint64,bytes32)", &value);

	if (r != 0)
		return r;
	owner = abi_as_address(&value.items[0]);
	kind = (uint64_t)u256_low(abi_as_number(&value.items[1]));
	if (kind != it->kind)
		return cli_fail(CLI_NOT_FOUND, "%s is not registered as a %s", it->machine_text,
				it->word);
	if (address_equal(&owner, onchain_account(onchain)))
		return 0;
	address_text(&owner, text);
	return cli_fail(CLI_DENIED,
			"%s is registered by %s, who alone takes it out; choose the wallet with "
			"--wallet",
			it->machine_text, text);
}

static int show(const struct onchain *onchain, const struct deregistration *it,
		const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = onchain_done(done);
	int r;

	if (!object || json_object_set_new(object, "machine", json_string(it->machine_text)) < 0)
		return cli_fault(-ENOMEM, "deregister");
	r = table_object(onchain->format, columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int deregister_now(struct onchain *onchain, const struct deregistration *it)
{
	const struct abi_value machine = abi_address(&it->machine);
	struct transact_done done;
	struct call_data data;
	int r = check_owner(onchain, it);

	if (r != 0)
		return r;
	r = abi_encode_call("deregister(address)", &machine, 1, onchain->arena, &data.bytes,
			    &data.len);
	if (r < 0)
		return cli_fault(r, "deregister");
	r = onchain_send(onchain, it->what, &it->registry, u256_from(0), &data, &done);
	return r == 0 ? show(onchain, it, &done) : r;
}

static int run(const struct option_table *table, enum machine_kind kind, const char *word, int argc,
	       char **argv)
{
	struct deregistration it = { .kind = kind, .word = word };
	struct onchain onchain;
	int status;

	if (onchain_begin(table, argc, argv, &onchain, &status) != 0)
		return status;
	status = read_machine(&onchain, &it);
	/* What was asked for now is what was interrupted then: once is enough. */
	if (status == 0 && onchain.resumed && strcmp(onchain.resumed, it.what) == 0)
		status = show(&onchain, &it, &onchain.resumed_done);
	else if (status == 0)
		status = deregister_now(&onchain, &it);
	onchain_end(&onchain);
	return status;
}

int deregistration_worker(int argc, char **argv)
{
	return run(&worker_table, MACHINE_WORKER, "worker", argc, argv);
}

int deregistration_checker(int argc, char **argv)
{
	return run(&checker_table, MACHINE_CHECKER, "checker", argc, argv);
}

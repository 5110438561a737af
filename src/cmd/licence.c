/* licence.c - licences: whose they are, to which machine they are delegated, and the machine's operator's answer. What
 * the Licence contract would refuse is said in words before anything is sent. */
#include "cmd/licence.h"

#include "cmd/commands.h"

/* ---- lists ---- */

static const struct option_row list_rows[] = {
	{ "owner", 0, "ADDRESS", "another's than your own" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table list_table = {
	.usage = "kaisar licence list [OPTIONS]",
	.about =
		"Your checker licences: what was bought, delegated and accepted, once its block is "
		"final.",
	.rows = list_rows,
};
static const struct option_table delegations_table = {
	.usage = "kaisar checker delegations [OPTIONS]",
	.about = "The licences that are delegated to your checkers: those that are `proposed` wait "
		 "for\n"
		 "kaisar checker accept ID, or refuse.",
	.rows = list_rows + 1,
};

static const struct column list_columns[] = {
	{ "LICENCE", "licence" },
	{ "OWNER", "owner" },
	{ "MACHINE", "machine" },
	{ "STATE", "state" },
	{ "ROUND", "round" },
	{ "LOCKED UNTIL", "unlocked_at" },
	{ 0 },
};

static int list(const struct option_table *table, const char *path, int argc, char **argv)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	struct cli cli;
	int status;

	if (cli_begin(table, argc, argv, &cli, &status) != 0)
		return status;
	if (table == &list_table)
		path = cli_query(&cli, path, "owner");
	status = path ? client_list(cli.client, path, 0, &items) : cli_fault(-ENOMEM, "list");
	if (status == 0)
		status = cli_print_list(&cli, list_columns, items);
	cli_end(&cli);
	return status;
}

int licence_list(int argc, char **argv)
{
	return list(&list_table, "/v1/licences?limit=100", argc, argv);
}

int licence_delegations(int argc, char **argv)
{
	return list(&delegations_table, "/v1/delegations?limit=100", argc, argv);
}

/* ---- one licence ---- */

enum act { ACT_DELEGATE, ACT_UNDELEGATE, ACT_ACCEPT, ACT_REFUSE };

static const struct option_row rows[] = { ONCHAIN_ROWS, { 0 } };
static const struct option_table tables[] = {
	[ACT_DELEGATE] = {
		.usage = "kaisar licence delegate [OPTIONS] ID MACHINE",
		.about = "Delegates a licence of yours to a checker that is registered on the "
			 "chain. It counts when the\n"
			 "checker's operator accepts it; what it was delegated to before ends.",
		.rows = rows, .words_min = 2, .words_max = 2,
	},
	[ACT_UNDELEGATE] = {
		.usage = "kaisar licence undelegate [OPTIONS] ID",
		.about = "Takes a licence of yours back from the checker it is delegated to, "
			 "accepted or not.",
		.rows = rows, .words_min = 1, .words_max = 1,
	},
	[ACT_ACCEPT] = {
		.usage = "kaisar checker accept [OPTIONS] ID",
		.about = "Accepts a licence that was delegated to a checker of yours: from then on "
			 "it counts. The wallet\n"
			 "is the one that registered the checker on the chain.",
		.rows = rows, .words_min = 1, .words_max = 1,
	},
	[ACT_REFUSE] = {
		.usage = "kaisar checker refuse [OPTIONS] ID",
		.about = "Refuses a licence that was delegated to a checker of yours.",
		.rows = rows, .words_min = 1, .words_max = 1,
	},
};

static const struct column columns[] = {
	{ "licence", "licence" },         { "machine", "machine" }, { "state", "state" },
	{ "transaction", "transaction" }, { "block", "block" },     { 0 },
};

struct delegation {
	enum act act;
	int64_t id;
	struct address licence, registry;
	struct address owner, machine; /* @machine: zeros for none */
	bool accepted;
	struct address wanted; /* of delegate */
	const char *what;
};

static bool is_none(const struct address *address)
{
	const struct address none = { 0 };

	return address_equal(address, &none);
}

static int read_id(struct onchain *onchain, struct delegation *delegation)
{
	const char *word = onchain->options.words[0];
	struct u256 minted;
	char *end;
	int r;

	errno = 0;
	delegation->id = strtoll(word, &end, 10);
	if (errno || end == word || *end || delegation->id < 1)
		return options_refuse(onchain->options.table,
				      "ID: '%s' is no licence's number like 7", word);
	r = onchain_word(onchain, &delegation->licence, "minted()", NULL, 0, &minted);
	if (r == 0 && u256_low(minted) < (uint64_t)delegation->id)
		return cli_fail(CLI_NOT_FOUND,
				"ID: there is no licence %" PRId64 "; `kaisar licence list` shows "
				"yours",
				delegation->id);
	return r;
}

static int read_delegation(struct onchain *onchain, struct delegation *delegation)
{
	struct abi_value id, owner, state;
	int r = onchain_contract(onchain, CONTRACT_LICENCE, &delegation->licence);

	if (r == 0)
		r = onchain_contract(onchain, CONTRACT_REGISTRY, &delegation->registry);
	if (r == 0)
		r = read_id(onchain, delegation);
	if (r != 0)
		return r;
	id = abi_u64((uint64_t)delegation->id);
	r = onchain_read(onchain, &delegation->licence, "ownerOf(uint256)", &id, 1, "(address)",
			 &owner);
	if (r == 0)
		r = onchain_read(onchain, &delegation->licence, "delegationOf(uint256)", &id, 1,
				 "((address,bool))", &state);
	if (r != 0)
		return r;
	delegation->owner = abi_as_address(&owner.items[0]);
	delegation->machine = abi_as_address(&state.items[0].items[0]);
	delegation->accepted = abi_as_bool(&state.items[0].items[1]);
	return 0;
}

/* ---- what the contract would refuse ---- */

static int check_owner(const struct onchain *onchain, const struct delegation *delegation)
{
	char owner[ADDRESS_TEXT_SIZE];

	if (address_equal(&delegation->owner, onchain_account(onchain)))
		return 0;
	address_text(&delegation->owner, owner);
	return cli_fail(CLI_DENIED,
			"ID: licence %" PRId64 " belongs to %s, not to this wallet; choose the "
			"wallet with --wallet",
			delegation->id, owner);
}

static int read_operator(struct onchain *onchain, const struct delegation *delegation,
			 const struct address *machine, struct address *ret_operator)
{
	const struct abi_value argument = abi_address(machine);
	struct abi_value value;
	int r = onchain_read(onchain, &delegation->registry, "operatorOf(address)", &argument, 1,
			     "(address)", &value);

	if (r == 0)
		*ret_operator = abi_as_address(&value.items[0]);
	return r;
}

/* 1: it is delegated to that machine already. */
static int check_delegate(struct onchain *onchain, struct delegation *delegation)
{
	const char *word = onchain->options.words[1];
	struct address operator_;
	int r = check_owner(onchain, delegation);

	if (r != 0)
		return r;
	if (address_parse(word, &delegation->wanted) < 0)
		return options_refuse(onchain->options.table, "MACHINE: '%s' is not an address",
				      word);
	r = read_operator(onchain, delegation, &delegation->wanted, &operator_);
	if (r == 0 && is_none(&operator_))
		return cli_fail(
			CLI_FAILED,
			"MACHINE: %s is registered as no checker on the chain; its operator "
			"does that with `kaisar checker consent` and `kaisar checker register`",
			word);
	return r;
}

static int check_undelegate(struct onchain *onchain, const struct delegation *delegation)
{
	int r = check_owner(onchain, delegation);

	if (r == 0 && is_none(&delegation->machine))
		return cli_fail(CLI_FAILED,
				"ID: licence %" PRId64
				" is delegated to no machine; nothing to take "
				"back",
				delegation->id);
	return r;
}

/* Of the operator's two. */
static int check_answer(struct onchain *onchain, const struct delegation *delegation)
{
	char machine[ADDRESS_TEXT_SIZE], operator_text[ADDRESS_TEXT_SIZE];
	struct address operator_;
	int r;

	if (is_none(&delegation->machine))
		return cli_fail(CLI_FAILED,
				"ID: licence %" PRId64
				" is delegated to no machine; its owner does "
				"that with `kaisar licence delegate`",
				delegation->id);
	address_text(&delegation->machine, machine);
	r = read_operator(onchain, delegation, &delegation->machine, &operator_);
	if (r != 0)
		return r;
	address_text(&operator_, operator_text);
	if (!address_equal(&operator_, onchain_account(onchain)))
		return cli_fail(CLI_DENIED,
				"ID: licence %" PRId64 " is delegated to %s, whose operator on the "
				"chain is %s, not this wallet; choose the wallet with --wallet",
				delegation->id, machine,
				is_none(&operator_) ? "nobody" : operator_text);
	if (delegation->accepted && delegation->act == ACT_REFUSE)
		return cli_fail(CLI_FAILED,
				"ID: licence %" PRId64
				" is accepted already; only its owner takes it "
				"back, with `kaisar licence undelegate`",
				delegation->id);
	return 0;
}

static int check(struct onchain *onchain, struct delegation *delegation)
{
	switch (delegation->act) {
	case ACT_DELEGATE:
		return check_delegate(onchain, delegation);
	case ACT_UNDELEGATE:
		return check_undelegate(onchain, delegation);
	default:
		return check_answer(onchain, delegation);
	}
}

/* ---- sending ---- */

static int show(const struct onchain *onchain, const struct delegation *delegation,
		const struct address *machine, const char *state, const struct transact_done *done)
{
	_cleanup_(json_decrefp) json_t *object = done ? onchain_done(done) : json_object();
	char text[ADDRESS_TEXT_SIZE];
	int r;

	address_text(machine, text);
	if (!object || json_object_set_new(object, "licence", json_integer(delegation->id)) < 0 ||
	    json_object_set_new(object, "machine",
				is_none(machine) ? json_null() : json_string(text)) < 0 ||
	    json_object_set_new(object, "state", json_string(state)) < 0 ||
	    (!done && json_object_set_new(object, "transaction", json_null()) < 0))
		return cli_fault(-ENOMEM, "the licence");
	r = table_object(onchain->format, columns, object);
	return r < 0 ? cli_fault(r, "standard output") : 0;
}

static int encode(struct onchain *onchain, const struct delegation *delegation,
		  struct call_data *ret_data)
{
	static const char *const signatures[] = {
		[ACT_DELEGATE] = "delegate(uint256,address)",
		[ACT_UNDELEGATE] = "undelegate(uint256)",
		[ACT_ACCEPT] = "accept(uint256,address)",
		[ACT_REFUSE] = "refuse(uint256,address)",
	};
	const struct abi_value arguments[] = {
		abi_u64((uint64_t)delegation->id),
		abi_address(delegation->act == ACT_DELEGATE ? &delegation->wanted
							    : &delegation->machine),
	};

	return abi_encode_call(signatures[delegation->act], arguments,
			       delegation->act == ACT_UNDELEGATE ? 1 : 2, onchain->arena,
			       &ret_data->bytes, &ret_data->len);
}

static const char *const states[] = {
	[ACT_DELEGATE] = "proposed",
	[ACT_UNDELEGATE] = "free",
	[ACT_ACCEPT] = "accepted",
	[ACT_REFUSE] = "free",
};

static int send(struct onchain *onchain, const struct delegation *delegation)
{
	const struct address none = { 0 };
	struct transact_done done;
	struct call_data data;
	int r = encode(onchain, delegation, &data);

	if (r < 0)
		return cli_fault(r, "the licence");
	r = onchain_send(onchain, delegation->what, &delegation->licence, u256_from(0), &data,
			 &done);
	if (r != 0)
		return r;
	return show(onchain, delegation,
		    delegation->act == ACT_DELEGATE ? &delegation->wanted
		    : delegation->act == ACT_ACCEPT ? &delegation->machine
						    : &none,
		    states[delegation->act], &done);
}

/* Nothing to do: as it is asked for. */
static bool holds(const struct delegation *delegation)
{
	return (delegation->act == ACT_ACCEPT && delegation->accepted) ||
	       (delegation->act == ACT_DELEGATE &&
		address_equal(&delegation->machine, &delegation->wanted));
}

static int act(struct onchain *onchain, struct delegation *delegation)
{
	static const char *const words[] = {
		[ACT_DELEGATE] = "delegating",
		[ACT_UNDELEGATE] = "taking back",
		[ACT_ACCEPT] = "accepting",
		[ACT_REFUSE] = "refusing",
	};
	const struct transact_done *done = NULL;
	int r = read_delegation(onchain, delegation);

	if (r != 0)
		return r;
	delegation->what = arena_printf(onchain->arena, "%s licence %" PRId64,
					words[delegation->act], delegation->id);
	if (!delegation->what)
		return cli_fault(-ENOMEM, "the licence");
	/* What was asked for now is what was interrupted then: once is enough. */
	if (onchain->resumed && strcmp(onchain->resumed, delegation->what) == 0)
		done = &onchain->resumed_done;
	if (done && delegation->act != ACT_DELEGATE)
		return show(onchain, delegation, &delegation->machine, states[delegation->act],
			    done);
	r = check(onchain, delegation);
	if (r == 0 && holds(delegation))
		return show(onchain, delegation, &delegation->machine,
			    delegation->accepted ? "accepted" : "proposed", done);
	return r == 0 ? send(onchain, delegation) : r;
}

static int run(enum act what, int argc, char **argv)
{
	struct delegation delegation = { .act = what };
	struct onchain onchain;
	int status;

	if (onchain_begin(&tables[what], argc, argv, &onchain, &status) != 0)
		return status;
	status = act(&onchain, &delegation);
	onchain_end(&onchain);
	return status;
}

int licence_delegate(int argc, char **argv)
{
	return run(ACT_DELEGATE, argc, argv);
}

int licence_undelegate(int argc, char **argv)
{
	return run(ACT_UNDELEGATE, argc, argv);
}

int licence_accept(int argc, char **argv)
{
	return run(ACT_ACCEPT, argc, argv);
}

int licence_refuse(int argc, char **argv)
{
	return run(ACT_REFUSE, argc, argv);
}

int cmd_licence(int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "rounds", "show what the sale sells", licence_rounds },
		{ "buy", "buy licences", licence_buy },
		{ "list", "show your licences", licence_list },
		{ "delegate", "delegate a licence to a checker", licence_delegate },
		{ "undelegate", "take a licence back", licence_undelegate },
		{ 0 },
	};

	return cli_verbs("licence", verbs, argc, argv);
}

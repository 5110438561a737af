#include "chain/contracts.h"

#include <jansson.h>

#include "base/keccak.h"
#include "chain/abi.h"

static const char *const names[CONTRACTS_N] = {
	[CONTRACT_ANCHOR] = "Anchor",   [CONTRACT_DISTRIBUTOR] = "Distributor",
	[CONTRACT_DOLLAR] = "Dollar",   [CONTRACT_ESCROW] = "Escrow",
	[CONTRACT_LICENCE] = "Licence", [CONTRACT_REGISTRY] = "Registry",
	[CONTRACT_SALE] = "Sale",       [CONTRACT_TIMELOCK] = "Timelock",
	[CONTRACT_TOKEN] = "Token",     [CONTRACT_VESTED_TOKEN] = "VestedToken",
};

const char *contract_name(enum contract contract)
{
	return contract < CONTRACTS_N ? names[contract] : NULL;
}

/* ---- the addresses file ---- */

struct reading {
	struct arena *arena;
	const char *detail;
};

_printf_(2, 3) static int wrong(struct reading *reading, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	reading->detail = arena_vprintf(reading->arena, format, args);
	va_end(args);
	return reading->detail ? CONTRACTS_E_MALFORMED : -ENOMEM;
}

/* @object has these members and no others. */
static int check_members(struct reading *reading, json_t *object, const char *what,
			 const char *const *members, size_t n)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return wrong(reading, "%s is not an object", what);
	json_object_foreach(object, key, value) {
		size_t i = 0;

		while (i < n && strcmp(members[i], key) != 0)
			i++;
		if (i == n)
			return wrong(reading, "%s has \"%.64s\", which is unknown here", what, key);
	}
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(object, members[i]))
			return wrong(reading, "%s has no \"%s\"", what, members[i]);
	return 0;
}

static int read_place(struct reading *reading, json_t *json, const char *name,
		      struct contract_place *ret_place)
{
	static const char *const members[] = { "address", "block" };
	json_t *address, *block;
	int r = check_members(reading, json, name, members, ARRAY_SIZE(members));

	if (r != 0)
		return r;
	address = json_object_get(json, "address");
	block = json_object_get(json, "block");
	if (!json_is_string(address) ||
	    address_parse_checksummed(json_string_value(address), &ret_place->address) < 0)
		return wrong(reading, "%s's address is none, or is not spelt by EIP-55", name);
	if (!json_is_integer(block) || json_integer_value(block) < 0)
		return wrong(reading, "%s's block must be an integer of 0 or more", name);
	ret_place->block = (uint64_t)json_integer_value(block);
	ret_place->there = true;
	return 0;
}

static int check_known(struct reading *reading, json_t *places)
{
	const char *key;
	json_t *value;

	json_object_foreach(places, key, value) {
		size_t i = 0;

		while (i < CONTRACTS_N && strcmp(names[i], key) != 0)
			i++;
		if (i == CONTRACTS_N)
			return wrong(reading, "\"contracts\" has \"%.64s\", which is unknown here",
				     key);
	}
	return 0;
}

static int read_places(struct reading *reading, json_t *places, struct contracts *contracts)
{
	int r;

	if (!json_is_object(places))
		return wrong(reading, "\"contracts\" is not an object");
	r = check_known(reading, places);
	for (size_t i = 0; r == 0 && i < CONTRACTS_N; i++) {
		json_t *place = json_object_get(places, names[i]);

		if (place)
			r = read_place(reading, place, names[i], &contracts->at[i]);
		else if (i != CONTRACT_DOLLAR)
			r = wrong(reading,
				  "%s is missing: run contracts/deploy/deploy.js until it ends",
				  names[i]);
	}
	return r;
}

static int check_distinct(struct reading *reading, const struct contracts *contracts)
{
	for (size_t i = 0; i < CONTRACTS_N; i++)
		for (size_t k = 0; k < i; k++)
			if (contracts->at[i].there && contracts->at[k].there &&
			    address_equal(&contracts->at[i].address, &contracts->at[k].address))
				return wrong(reading, "%s and %s have the same address", names[k],
					     names[i]);
	return 0;
}

static int read_file(struct reading *reading, json_t *root, struct contracts *contracts)
{
	static const char *const members[] = { "chain_id", "deployer", "parameters_hash", "factory",
					       "contracts" };
	struct contract_place factory;
	json_t *chain_id = json_object_get(root, "chain_id");
	int r = check_members(reading, root, "the file", members, ARRAY_SIZE(members));

	if (r != 0)
		return r;
	if (!json_is_integer(chain_id) || json_integer_value(chain_id) < 1)
		return wrong(reading, "\"chain_id\" must be an integer of 1 or more");
	contracts->chain_id = (uint64_t)json_integer_value(chain_id);
	r = read_places(reading, json_object_get(root, "contracts"), contracts);
	if (r == 0)
		r = read_place(reading, json_object_get(root, "factory"), "\"factory\"", &factory);
	return r == 0 ? check_distinct(reading, contracts) : r;
}

int contracts_read(const char *json, size_t len, struct arena *arena,
		   struct contracts *ret_contracts, const char **ret_detail)
{
	struct reading reading = { .arena = arena };
	struct contracts contracts = { 0 };
	json_error_t error;
	json_t *root = NULL;
	int r;

	if (len > CONTRACTS_FILE_MAX)
		r = wrong(&reading, "the file is longer than %d bytes", CONTRACTS_FILE_MAX);
	else if (!(root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &error)))
		r = wrong(&reading, "line %d: %s", error.line, error.text);
	else
		r = read_file(&reading, root, &contracts);
	json_decref(root);
	if (r == 0)
		*ret_contracts = contracts;
	else if (r > 0)
		*ret_detail = reading.detail;
	return r;
}

/* ---- calls ---- */

static int call(const char *signature, const struct abi_value *arguments, size_t n,
		struct arena *arena, struct call_data *ret_data)
{
	return abi_encode_call(signature, arguments, n, arena, &ret_data->bytes, &ret_data->len);
}

int call_anchor(const struct anchor_root *root, struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value arguments[] = {
		abi_u64(root->sequence),
		abi_u64(root->kind),
		abi_fixed_bytes(root->root, 32),
		abi_u64(root->leaves),
		abi_fixed_bytes(root->content, 32),
	};

	return call("anchor(uint64,uint8,bytes32,uint32,bytes32)", arguments, ARRAY_SIZE(arguments),
		    arena, ret_data);
}

void anchor_head_next(const uint8_t head[static 32], const struct anchor_root *root,
		      uint8_t ret_head[static 32])
{
	uint8_t words[6][32];

	memcpy(words[0], head, 32);
	u256_bytes(u256_from(root->sequence), words[1]);
	u256_bytes(u256_from(root->kind), words[2]);
	memcpy(words[3], root->root, 32);
	u256_bytes(u256_from(root->leaves), words[4]);
	memcpy(words[5], root->content, 32);
	keccak256(words, sizeof(words), ret_head);
}

int call_latest(const struct address *publisher, struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value argument = abi_address(publisher);

	return call("latest(address)", &argument, 1, arena, ret_data);
}

int call_latest_answer(const uint8_t *bytes, size_t len, struct anchor_latest *ret_latest)
{
	struct u256 numbers[3];

	if (len != 4 * 32)
		return CONTRACTS_E_MALFORMED;
	for (size_t i = 0; i < 3; i++)
		numbers[i] = u256_from_bytes(bytes + 32 * i);
	if (u256_bits(numbers[0]) > 64 || u256_bits(numbers[1]) > 64 || u256_bits(numbers[2]) > 8 ||
	    numbers[2].limbs[0] >= ANCHOR_KINDS_N)
		return CONTRACTS_E_MALFORMED;
	*ret_latest = (struct anchor_latest){
		.sequence = numbers[0].limbs[0],
		.at_s = numbers[1].limbs[0],
		.kind = (enum anchor_kind)numbers[2].limbs[0],
	};
	memcpy(ret_latest->head, bytes + 96, 32);
	return 0;
}

int call_settle(const struct address *token, const struct settlement *items, size_t n,
		struct arena *arena, struct call_data *ret_data)
{
	struct abi_value arguments[2], *tuples, *members;

	if (n == 0 || n > CONTRACTS_SETTLEMENTS_MAX)
		return -EINVAL;
	tuples = arena_array(arena, n, sizeof(*tuples));
	members = arena_array(arena, 4 * n, sizeof(*members));
	if (!tuples || !members)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		members[4 * i] = abi_address(&items[i].tenant);
		members[4 * i + 1] = abi_address(&items[i].provider);
		members[4 * i + 2] = abi_number(items[i].charged);
		members[4 * i + 3] = abi_number(items[i].fee);
		tuples[i] = abi_items(members + 4 * i, 4);
	}
	arguments[0] = abi_address(token);
	arguments[1] = abi_items(tuples, n);
	return call("settle(address,(address,address,uint256,uint256)[])", arguments, 2, arena,
		    ret_data);
}

int call_give_back(const struct address *token, const struct address *tenant, struct u256 total,
		   struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value arguments[] = { abi_address(token), abi_address(tenant),
					       abi_number(total) };

	return call("giveBack(address,address,uint256)", arguments, ARRAY_SIZE(arguments), arena,
		    ret_data);
}

int call_propose(enum reward_kind kind, uint64_t epoch, const uint8_t root[static 32],
		 struct u256 total, struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value arguments[] = { abi_u64(kind), abi_u64(epoch),
					       abi_fixed_bytes(root, 32), abi_number(total) };

	return call("propose(uint8,uint64,bytes32,uint256)", arguments, ARRAY_SIZE(arguments),
		    arena, ret_data);
}

int call_activate(enum reward_kind kind, struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value argument = abi_u64(kind);

	return call("activate(uint8)", &argument, 1, arena, ret_data);
}

#include "cmd/recompute_chain.h"

static int check_contract(const struct onchain *onchain, const struct reward_leaves *leaves)
{
	char told[ADDRESS_TEXT_SIZE], own[ADDRESS_TEXT_SIZE];
	struct address distributor;
	int r = onchain_contract(onchain, CONTRACT_DISTRIBUTOR, &distributor);

	if (r != 0 || (leaves->chain_id == onchain->contracts.chain_id &&
		       address_equal(&leaves->distributor, &distributor)))
		return r;
	address_text(&leaves->distributor, told);
	address_text(&distributor, own);
	return cli_fail(CLI_FAILED,
			"%s root %" PRIu64 " is for the contract %s on chain %" PRIu64
			", and --addresses has %s on chain %" PRIu64,
			reward_kind_words[leaves->kind], leaves->round, told, leaves->chain_id, own,
			onchain->contracts.chain_id);
}

int recompute_chain_root(struct onchain *onchain, const struct reward_leaves *leaves,
			 const uint8_t root[static 32], enum root_place *ret_place)
{
	enum root_place place = ROOT_IS_ABSENT;
	struct chain_root found = { 0 };
	struct chain_pot pot;
	int r = check_contract(onchain, leaves);

	if (r == 0)
		r = chain_pot_read(onchain, leaves->kind, &pot);
	if (r != 0)
		return r;
	if (pot.active.there && leaves->round == pot.active.round) {
		found = pot.active;
		place = ROOT_IS_ACTIVE;
	} else if (pot.pending.there && leaves->round == pot.pending.round) {
		found = pot.pending;
		place = ROOT_IS_PENDING;
	} else if (pot.active.there && leaves->round < pot.active.round) {
		r = chain_pot_was_active(onchain, leaves->kind, leaves->round, &found);
		place = ROOT_WAS_ACTIVE;
	}
	if (r != 0)
		return r;
	if (place == ROOT_WAS_ACTIVE && !found.there)
		return cli_fail(CLI_FAILED,
				"--rpc: the node has no log of %s root %" PRIu64
				", which was in effect; name one that keeps all logs",
				reward_kind_words[leaves->kind], leaves->round);
	if (place != ROOT_IS_ABSENT && memcmp(found.root, root, 32) != 0)
		return cli_fail(CLI_FAILED, "%s root %" PRIu64 " is not what the contract has",
				reward_kind_words[leaves->kind], leaves->round);
	*ret_place = place;
	return 0;
}

int recompute_chain_last(struct onchain *onchain, enum reward_kind kind, uint64_t *ret_round)
{
	struct chain_pot pot;
	int r = chain_pot_read(onchain, kind, &pot);

	if (r == 0)
		*ret_round = pot.pending.there ? pot.pending.round : pot.active.round;
	return r;
}

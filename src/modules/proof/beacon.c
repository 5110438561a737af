#include "modules/proof/beacon.h"

#include "api/settings.h"
#include "modules/proof/proof_store.h"
#include "security/secp.h"

enum { RENEW_BEFORE = BEACON_SLOTS / 4 };

static void add_i64(struct hasher *hasher, int64_t number)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (8 * i));
	hasher_add(hasher, bytes, sizeof(bytes));
}

void beacon_digest(struct hasher *hasher, const struct address *network,
		   const struct beacon_chain *chain, struct hash *ret_digest)
{
	static const char tag[] = "popw1/beacon";

	hasher_start(hasher);
	hasher_add(hasher, tag, sizeof(tag) - 1);
	hasher_add(hasher, network->bytes, sizeof(network->bytes));
	add_i64(hasher, chain->first);
	add_i64(hasher, BEACON_SLOTS);
	hasher_add(hasher, chain->head.bytes, HASH_SIZE);
	hasher_end(hasher, ret_digest);
}

static int64_t slot_now(const struct context *context)
{
	return clock_now_ms(context->clock) / context->settings->beacon_slot_ms;
}

static void hash_times(struct hasher *hasher, struct hash *hash, int64_t times)
{
	for (int64_t i = 0; i < times; i++)
		hasher_once(hasher, hash->bytes, HASH_SIZE, hash);
}

/* The seed is the value of the chain's last slot. */
static int publish(const struct context *context, struct tx *tx, int64_t first)
{
	struct beacon_chain chain = { .first = first,
				      .published_ms = clock_now_ms(context->clock) };
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct hash seed, digest;
	int r;

	r = hasher_new(&hasher);
	if (r == 0)
		r = random_fill(context->random, seed.bytes, sizeof(seed.bytes));
	if (r < 0)
		return r;
	chain.head = seed;
	hash_times(hasher, &chain.head, BEACON_SLOTS);
	beacon_digest(hasher, &context->settings->network, &chain, &digest);
	r = secp_sign(context->settings->network_key, digest.bytes, chain.signature);
	return r != 0 ? r : proof_store_chain_add(tx, &chain, &seed);
}

int beacon_renew(const struct context *context, struct tx *tx)
{
	int64_t slot = slot_now(context);
	struct beacon_chain chains[2];
	struct hash seed;
	size_t n;
	int r;

	r = proof_store_chains(tx, slot, BEACON_SLOTS, chains, &seed, &n);
	if (r != 0)
		return r;
	if (n == 0 || chains[0].first > slot)
		return publish(context, tx, slot);
	if (n == 1 && slot >= chains[0].first + BEACON_SLOTS - RENEW_BEFORE)
		return publish(context, tx, chains[0].first + BEACON_SLOTS);
	return 0;
}

/* The chain that covers @slot, or begins next. */
static int find(struct tx *tx, int64_t slot, struct beacon *ret_beacon)
{
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct beacon_chain chains[2];
	struct hash value;
	size_t n;
	int r;

	r = proof_store_chains(tx, slot, BEACON_SLOTS, chains, &value, &n);
	if (r == 0)
		r = hasher_new(&hasher);
	if (r != 0)
		return r;
	if (n == 0)
		return ROUTE_E_UNAVAILABLE;
	hash_times(hasher, &value,
		   chains[0].first + BEACON_SLOTS - 1 -
			   (slot < chains[0].first ? chains[0].first - 1 : slot));
	*ret_beacon = (struct beacon){
		.slot = slot, .value = value, .chain = chains[0], .has_next = n > 1
	};
	if (n > 1)
		ret_beacon->next = chains[1];
	return 0;
}

int beacon_now(const struct context *context, struct tx *tx, struct beacon *ret_beacon)
{
	struct beacon beacon;
	int r = find(tx, slot_now(context), &beacon);

	if (r != 0)
		return r;
	if (beacon.chain.first > beacon.slot)
		return ROUTE_E_UNAVAILABLE;
	*ret_beacon = beacon;
	return 0;
}

int beacon_then(const struct context *context, struct tx *tx, int64_t at_ms, struct hash *ret_value)
{
	struct beacon beacon;
	int r = find(tx, at_ms / context->settings->beacon_slot_ms, &beacon);

	if (r == 0)
		*ret_value = beacon.value;
	return r;
}

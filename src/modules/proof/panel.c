#include "modules/proof/panel.h"

#include "base/codec.h"

static void add_u32(struct hasher *hasher, uint32_t number)
{
	uint8_t bytes[4] = { (uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
			     (uint8_t)(number >> 24) };

	hasher_add(hasher, bytes, sizeof(bytes));
}

static void ticket(struct hasher *hasher, const struct panel_call *call,
		   const struct address *checker, uint32_t licence, struct hash *ret_ticket)
{
	static const char tag[] = "popw1/panel";

	hasher_start(hasher);
	hasher_add(hasher, tag, sizeof(tag) - 1);
	hasher_add(hasher, call->beacon.bytes, HASH_SIZE);
	hasher_add(hasher, call->machine.bytes, sizeof(call->machine.bytes));
	hasher_add(hasher, &call->device, 1);
	hasher_add(hasher, call->gpu_uuid, sizeof(call->gpu_uuid));
	hasher_add(hasher, &call->kind, 1);
	add_u32(hasher, call->attempt);
	hasher_add(hasher, checker->bytes, sizeof(checker->bytes));
	add_u32(hasher, licence);
	hasher_end(hasher, ret_ticket);
}

static void best_ticket(struct hasher *hasher, const struct panel_call *call,
			const struct panel_candidate *candidate, struct hash *ret_ticket)
{
	struct hash other;

	ticket(hasher, call, &candidate->checker, 0, ret_ticket);
	for (uint32_t i = 1; i < candidate->licences && i < PANEL_LICENCES_MAX; i++) {
		ticket(hasher, call, &candidate->checker, i, &other);
		if (memcmp(&other, ret_ticket, HASH_SIZE) < 0)
			*ret_ticket = other;
	}
}

size_t panel_draw(struct hasher *hasher, const struct panel_call *call,
		  const struct panel_candidate *candidates, size_t n, const struct address *owner,
		  size_t wanted, size_t ret_places[static SESSION_PANEL_MAX])
{
	struct hash tickets[SESSION_PANEL_MAX + 1], mine;
	size_t drawn = 0, at;

	wanted = size_min(wanted, SESSION_PANEL_MAX);
	for (size_t i = 0; i < n; i++) {
		if (address_equal(&candidates[i].account, owner))
			continue;
		best_ticket(hasher, call, &candidates[i], &mine);
		for (at = drawn; at > 0 && memcmp(&mine, &tickets[at - 1], HASH_SIZE) < 0; at--)
			continue;
		if (at >= wanted)
			continue;
		drawn = size_min(drawn + 1, wanted);
		memmove(&tickets[at + 1], &tickets[at], (drawn - 1 - at) * sizeof(*tickets));
		memmove(&ret_places[at + 1], &ret_places[at],
			(drawn - 1 - at) * sizeof(*ret_places));
		tickets[at] = mine;
		ret_places[at] = i;
	}
	return drawn;
}

void panel_uuid(struct hasher *hasher, const char *text, uint8_t ret_uuid[static SESSION_UUID_SIZE])
{
	char digits[2 * SESSION_UUID_SIZE + 1];
	const char *at = strncmp(text, "GPU-", 4) == 0 ? text + 4 : text;
	struct hash hash;
	size_t n = 0;

	memset(ret_uuid, 0, SESSION_UUID_SIZE);
	if (!*text)
		return;
	for (; *at && n < sizeof(digits); at++)
		if (*at != '-')
			digits[n++] = *at;
	if (hex_decode(digits, n, ret_uuid, SESSION_UUID_SIZE) == 0)
		return;
	hasher_once(hasher, text, strlen(text), &hash);
	memcpy(ret_uuid, hash.bytes, SESSION_UUID_SIZE);
}

static void tagged(struct hasher *hasher, const char *tag, const struct hash *beacon,
		   const struct address *machine, struct hash *ret_hash)
{
	hasher_start(hasher);
	hasher_add(hasher, tag, strlen(tag));
	hasher_add(hasher, beacon->bytes, HASH_SIZE);
	if (machine)
		hasher_add(hasher, machine->bytes, sizeof(machine->bytes));
	hasher_end(hasher, ret_hash);
}

bool panel_cohort(struct hasher *hasher, const struct hash *beacon, const struct address *machine)
{
	struct hash hash;

	tagged(hasher, "popw1/cohort", beacon, machine, &hash);
	return hash.bytes[0] & 1;
}

bool panel_cohort_slot(struct hasher *hasher, const struct hash *beacon, int64_t slot_ms,
		       int64_t standby_ms)
{
	struct hash hash;
	uint64_t x = 0;

	if (2 * slot_ms >= standby_ms)
		return true;
	tagged(hasher, "popw1/cohort-slot", beacon, NULL, &hash);
	for (int i = 0; i < 4; i++)
		x = x << 8 | hash.bytes[i];
	return x * (uint64_t)standby_ms < (uint64_t)slot_ms << 33;
}

void panel_cohort_ticket(struct hasher *hasher, const struct hash *beacon,
			 const struct address *machine, struct hash *ret_ticket)
{
	tagged(hasher, "popw1/cohort-turn", beacon, machine, ret_ticket);
}

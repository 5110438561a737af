/* panel.h - who checks whom: sortition by the beacon. Pure: who has the numbers draws the same panel.
 *
 * Each licence of a checker is one ticket,
 *
 *	H("popw1/panel" || beacon value, 32 || machine, 20 || device, 1 || GPU's uuid, 16 || kind, 1 ||
 *	  attempt, 4 || checker, 20 || licence's index from 0, 4)
 *
 * read as a number, big-endian; the lowest tickets win, a checker once, and never one of the account that
 * owns the machine. The members stand in the order of their tickets. */
#pragma once

#include "popw/session.h"

enum { PANEL_LICENCES_MAX = 10000 /* of one checker; those beyond do not count */ };

/* What the tickets are drawn for. */
struct panel_call {
	struct hash beacon;
	struct address machine;
	uint8_t device, kind;
	uint8_t gpu_uuid[SESSION_UUID_SIZE];
	uint32_t attempt; /* sessions that this device had before */
};

struct panel_candidate {
	struct address checker;
	struct address account;
	uint32_t licences; /* 1 or more */
};

/* Places of at most @wanted (SESSION_PANEL_MAX at most) candidates in @ret_places; returns how many there
 * are: fewer if there are fewer that @owner does not own. */
size_t panel_draw(struct hasher *hasher, const struct panel_call *call,
		  const struct panel_candidate *candidates, size_t n, const struct address *owner,
		  size_t wanted, size_t ret_places[static SESSION_PANEL_MAX]);

/* A GPU's uuid as sessions hold it: the 16 bytes of "GPU-" and 32 hexadecimal digits with dashes anywhere;
 * of any other text the first 16 bytes of its hash. "": zeros. */
void panel_uuid(struct hasher *hasher, const char *text,
		uint8_t ret_uuid[static SESSION_UUID_SIZE]);

/* Which half of the machines is checked in a slot: a bit of H("popw1/cohort" || value || machine). All
 * devices of one machine are on one side. */
bool panel_cohort(struct hasher *hasher, const struct hash *beacon, const struct address *machine);

/* Whether that half is checked at one instant in this slot: with the first 4 bytes of H("popw1/cohort-slot" ||
 * value) as a number x, big-endian, where x * standby_ms < 2 * slot_ms * 2^32. So each machine's turn comes once
 * in standby_ms on average; in each slot of its cohort where slots are too long for that. standby_ms < 2^32. */
bool panel_cohort_slot(struct hasher *hasher, const struct hash *beacon, int64_t slot_ms,
		       int64_t standby_ms);

/* Where there is no room for all of them, the lowest of H("popw1/cohort-turn" || value || machine) go. */
void panel_cohort_ticket(struct hasher *hasher, const struct hash *beacon,
			 const struct address *machine, struct hash *ret_ticket);

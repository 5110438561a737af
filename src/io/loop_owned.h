/* loop_owned.h - for io/: what ends with the loop if nobody ended it before. */
#pragma once

#include "io/loop.h"

struct loop_owned {
	/* Called by loop_free; must disown, and close its handles. */
	void (*end)(struct loop_owned *owned);
	struct loop *loop;
	struct loop_owned *prev, *next;
};

void loop_own(struct loop *loop, struct loop_owned *owned, void (*end)(struct loop_owned *owned));
void loop_disown(struct loop_owned *owned);

/* onchain_logs.h - all that a contract logged of one event, from the block that made it to the latest. Nodes answer so
 * many blocks at a time as they like: where one is too much, fewer are asked for. */
#pragma once

#include "cmd/onchain.h"

enum { ONCHAIN_TOPICS_MAX = 4 };

/* An event's topics; those that are @any are not compared. */
struct onchain_topics {
	size_t n;
	uint8_t words[ONCHAIN_TOPICS_MAX][32];
	bool any[ONCHAIN_TOPICS_MAX];
};

/* Each log as the node told it, in the order of the chain; it is the contract's and has the topics. An exit status
 * ends it. */
typedef int onchain_log_fn(void *arg, const json_t *log);

_must_check_ int onchain_logs(struct onchain *onchain, enum contract contract,
			      const struct onchain_topics *topics, onchain_log_fn *fn, void *arg);

/* Says that a log is none; an exit status. */
int onchain_logs_nonsense(void);

/* duty.h - which instance of the control plane does what only one may do at a time: the jobs of a group of modules, and the
 * links of nodes.
 *
 * A duty is a row of the store: its holder, a token that is one more with each new holder, and a beat that the holder moves.
 * Whoever sees token and beat unmoved for duty_ms, by its own clock, takes the duty over; an instance that comes back under
 * its own id, or finds the duty given back, takes it at once. No two clocks are compared, and none need be right: what a
 * holder writes for a duty is fenced, so that a process that was stopped for a while, or cut off, changes nothing any longer.
 * It then ends, and is started anew. */
#pragma once

#include "api/route.h"

struct duties;

struct duties_config {
	struct context *context; /* borrowed; .duties is set */
	const struct module *const *modules; /* all; borrowed; the first is the api's own */
	size_t n_modules;
	const char *serves; /* the names of those that this instance serves, "a,b"; NULL: all */
	struct instance_id instance;
	const char *version;
	/* Another instance has taken over what was ours: on the loop, once. */
	void (*lost)(void *arg);
	void *arg;
};

/* Looks once, so that what is free is ours when it returns, its modules' begin called; then every quarter of duty_ms. On the
 * loop's thread. -EINVAL: @serves names no module. */
_must_check_ int duties_start(const struct duties_config *config, struct duties **ret_duties);

/* Looks now, as the timer does; in tests. The first fault of the store, or of a module's begin. */
int duties_look(struct duties *duties);

/* From now on nothing is held, others may take it at once, and people see that the instance ends. Waits for the store. On
 * the loop's thread. */
void duties_give_back(struct duties *duties);

/* After the pools are freed. NULL is fine. */
void duties_free(struct duties *duties);

/* From any thread. Unknown names are held by nobody. */
bool duties_hold(const struct duties *duties, const char *duty);

/* Whether @names, "a,b", has it; NULL has all. */
bool module_is_among(const struct module *module, const char *names);

static inline const char *module_duty(const struct module *module)
{
	return module->duty ? module->duty : module->name;
}

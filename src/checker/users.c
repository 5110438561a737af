#include "checker/users.h"

void users_init(struct users *users,
		void (*on_probed)(void *arg, const uint8_t id[static 16],
				  const struct probe_result *result),
		void *arg)
{
	*users = (struct users){ .on_probed = on_probed, .arg = arg };
	for (size_t i = 0; i < USERS_MAX; i++)
		users->each[i].users = users;
}

static void leave(struct user *user)
{
	probe_free(user->probe);
	user->probe = NULL;
	user->over = false;
}

void users_done(struct users *users)
{
	for (size_t i = 0; i < USERS_MAX; i++)
		leave(&users->each[i]);
}

/* The probe is freed when its place is needed: here it is still on the stack. */
static void on_done(void *arg, const struct probe_result *result)
{
	struct user *user = arg;

	user->over = true;
	user->users->on_probed(user->users->arg, user->id, result);
}

int users_probe(struct users *users, const uint8_t id[static 16], const struct probe_config *config)
{
	struct probe_config own = *config;
	struct user *user = NULL;

	for (size_t i = 0; i < USERS_MAX && !user; i++) {
		if (users->each[i].over)
			leave(&users->each[i]);
		if (!users->each[i].probe)
			user = &users->each[i];
	}
	if (!user)
		return -EBUSY;
	memcpy(user->id, id, sizeof(user->id));
	own.on_done = on_done;
	own.arg = user;
	return probe_new(&own, &user->probe);
}

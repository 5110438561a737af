/* fake_checker.c - checkers that cheat, for tests of the network: a real node but for what it says that it
 * found.
 *
 *	fake-checker STATE honest|lie|inverse|silent
 *
 * STATE is a folder that `kaisar checker create` made. lie: one part that holds does not, or the other
 * way round; inverse: nothing of what holds; silent: never a result, nor what a container said. */
#include <stdio.h>

#include "base/log.h"
#include "checker/checker.h"
#include "checker/users.h"
#include "io/loop.h"
#include "popw/verify.h"

static int lie(struct finding *finding)
{
	finding->bits ^= PROOF_TILES;
	return 0;
}

static int inverse(struct finding *finding)
{
	finding->bits ^= PROOF_ALL;
	return 0;
}

static int silent(struct finding *finding _unused_)
{
	return -ECANCELED;
}

static bool deaf; /* to containers */

int __real_users_probe(struct users *users, const uint8_t id[static 16],
		       const struct probe_config *config);
int __wrap_users_probe(struct users *users, const uint8_t id[static 16],
		       const struct probe_config *config);

/* The linker puts it in place of users_probe. */
int __wrap_users_probe(struct users *users, const uint8_t id[static 16],
		       const struct probe_config *config)
{
	return deaf ? 0 : __real_users_probe(users, id, config);
}

static const struct {
	const char *name;
	int (*twist)(struct finding *finding);
} cheats[] = { { "honest", NULL }, { "lie", lie }, { "inverse", inverse }, { "silent", silent } };

static void on_signal(void *arg, int signal _unused_)
{
	loop_stop(arg);
}

static int run(struct checker_config *config)
{
	struct checker *checker = NULL;
	int r;

	r = loop_new(&config->loop);
	if (r < 0)
		return r;
	r = loop_on_signal(config->loop, on_signal, config->loop);
	if (r == 0)
		r = checker_new(config, &checker);
	if (r == 0)
		r = loop_run(config->loop);
	checker_free(checker);
	loop_free(config->loop);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(state_closep) struct state *state = NULL;
	struct checker_config config = { .clock = &clock_system,
					 .random = &random_system,
					 .version = "fake" };
	int r = -EINVAL;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(cheats); i++)
		if (strcmp(argv[2], cheats[i].name) == 0) {
			config.twist = cheats[i].twist;
			r = 0;
		}
	deaf = config.twist == silent;
	log_init(false, LOG_INFO);
	if (r == 0)
		r = state_open(argv[1], &state);
	config.state = state;
	if (r == 0)
		r = run(&config);
	if (r < 0)
		fprintf(stderr, "fake-checker STATE honest|lie|inverse|silent: %s\n", strerror(-r));
	return r < 0;
}

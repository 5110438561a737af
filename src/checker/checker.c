#include "checker/checker.h"

#include "base/log.h"
#include "io/loop.h"
#include "link/link.h"

struct checker {
	struct checker_config config;
	struct state_config registered;
	struct secp_key *key;
	struct link *link;
};

/* ---- what the control plane tells ---- */

static void on_welcome(void *arg _unused_, const Wire__Welcome *welcome _unused_)
{
}

static void on_message(void *arg _unused_, const Wire__ToNode *message)
{
	log_warn("checker.unexpected", log_int("message", message->body_case));
}

static void on_down(void *arg _unused_)
{
}

/* ---- beginning and end ---- */

static int start_link(struct checker *checker)
{
	const struct link_config config = {
		.loop = checker->config.loop,
		.random = checker->config.random,
		.url = checker->registered.url,
		.path = "/v1/checker",
		.network = checker->registered.network,
		.key = checker->key,
		.version = checker->config.version,
		.on_welcome = on_welcome,
		.on_message = on_message,
		.on_down = on_down,
		.arg = checker,
	};

	return link_new(&config, &checker->link);
}

static int start(struct checker *checker)
{
	int r;

	r = state_read_config(checker->config.state, &checker->registered);
	if (r == 0)
		r = state_read_key(checker->config.state, &checker->key);
	return r < 0 ? r : start_link(checker);
}

int checker_new(const struct checker_config *config, struct checker **ret_checker)
{
	struct checker *checker = calloc(1, sizeof(*checker));
	int r;

	if (!checker)
		return -ENOMEM;
	checker->config = *config;
	r = start(checker);
	if (r < 0) {
		checker_free(checker);
		return r;
	}
	*ret_checker = checker;
	return 0;
}

void checker_free(struct checker *checker)
{
	if (!checker)
		return;
	link_free(checker->link);
	secp_key_free(checker->key);
	free(checker);
}

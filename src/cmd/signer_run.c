#include "cmd/signer.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "chain/signer_keeper.h"
#include "chain/signer_server.h"
#include "cmd/failure.h"
#include "cmd/file.h"
#include "cmd/password.h"

enum { MEMORY = 1 << 20 };

static const struct option_row rows[] = {
	SIGNER_STATE_ROW,
	{ "policy", 0, "FILE", "what it signs (DIR/policy.json); read once" },
	{ "socket", 0, "PATH", "where it listens (DIR/socket)" },
	SIGNER_PASSWORD_ROW,
	{ "log-json", 0, NULL, "log lines as JSON" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar signer run [OPTIONS]",
	.about = "Holds the network's key for the chain and signs, for programs of the same user,\n"
		 "what the policy allows. docs/signer.md says what a policy may say.",
	.rows = rows,
};

struct running {
	struct arena *arena;
	const char *key_path, *policy_path, *counters_path, *socket_path;
	int key_fd, stop_fd;
	struct signer_policy policy;
	struct secp_key *key;
	struct signer_store *store;
};

/* ---- the process ---- */

/* Nothing of it may be read by others of the same user, nor left behind in a core file. */
static int harden(void)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	return 0;
}

/* Before any thread is there. */
static int catch_signals(int *ret_fd)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* ---- the key ---- */

/* Two signers of one key would count apart. */
static int lock_keystore(struct running *running)
{
	const char *path = running->key_path;

	running->key_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (running->key_fd < 0 && errno == ENOENT)
		return cli_fail(CLI_FAILED,
				"%s is not there; first: kaisar signer create, or put a keystore "
				"there",
				path);
	if (running->key_fd < 0)
		return cli_fault(-errno, path);
	if (flock(running->key_fd, LOCK_EX | LOCK_NB) < 0)
		return cli_fail(CLI_FAILED, "a signer is running with %s already: end it first",
				path);
	return 0;
}

static int decrypt(struct running *running, const char *json, size_t len, const char *file)
{
	_cleanup_(password_wipe) struct password password;
	const char *detail;
	int r = password_read(file, false, &password);

	if (r < 0) {
		password_explain(file, r);
		return CLI_FAILED;
	}
	r = keystore_decrypt(json, len, password.text, &running->key, &detail);
	if (r < 0)
		return cli_fault(r, running->key_path);
	if (r > 0)
		return cli_fail(r == KEYSTORE_E_PASSWORD ? CLI_DENIED : CLI_FAILED,
				"%s cannot be opened: %s", running->key_path, detail);
	r = secp_key_lock(running->key);
	if (r < 0)
		log_warn("signer.key_not_locked", log_fault(r),
			 log_text("remedy", "allow the process to lock 64 KiB (RLIMIT_MEMLOCK); "
					    "until then swap must be encrypted, or off"));
	return 0;
}

static int open_key(struct running *running, const char *password_file)
{
	size_t len;
	char *json;
	int r = lock_keystore(running);

	if (r != 0)
		return r;
	r = file_read(running->key_path, KEYSTORE_JSON_MAX, running->arena, &json, &len);
	if (r < 0)
		return cli_fault(r, running->key_path);
	return decrypt(running, json, len, password_file);
}

/* ---- policy and counters ---- */

static int open_policy(struct running *running)
{
	const char *path = running->policy_path;
	struct field_error error;
	size_t len;
	char *json;
	int r = file_read(path, SIGNER_POLICY_MAX, running->arena, &json, &len);

	if (r == -ENOENT)
		return cli_fail(
			CLI_FAILED,
			"%s is not there: it says what is signed; write it as docs/signer.md "
			"shows, or name it with --policy",
			path);
	if (r == 0)
		r = signer_policy_read(json, len, running->arena, &running->policy, &error);
	if (r < 0)
		return cli_fault(r, path);
	if (r == FIELD_E_SYNTAX)
		return cli_fail(CLI_FAILED, "%s: %s", path, error.rule);
	if (r > 0)
		return cli_fail(CLI_FAILED, "%s: %s: %s", path, error.field, error.rule);
	return 0;
}

static int open_store(struct running *running)
{
	int r = signer_store_open(running->counters_path, secp_key_address(running->key),
				  running->policy.chain_id, &running->store);

	if (r == -EKEYREJECTED)
		return cli_fail(CLI_FAILED,
				"%s is another key's or chain's: use another folder with --state",
				running->counters_path);
	return r < 0 ? cli_fault(r, running->counters_path) : 0;
}

/* ---- serving ---- */

static int answer(void *arg, const uint8_t *question, size_t len, struct arena *arena,
		  const uint8_t **ret_answer, size_t *ret_len)
{
	return signer_keeper_answer(arg, question, len, arena, ret_answer, ret_len);
}

static int serve(struct running *running)
{
	_cleanup_(signer_server_freep) struct signer_server *server = NULL;
	struct signer_keeper keeper = { .policy = &running->policy,
					.key = running->key,
					.store = running->store,
					.clock = &clock_system };
	const struct signer_server_config config = { running->socket_path, answer, &keeper };
	char address[ADDRESS_TEXT_SIZE];
	int r = signer_server_new(&config, &server);

	if (r == -EADDRINUSE)
		return cli_fail(CLI_FAILED,
				"another one listens at %s, or it is no socket: end "
				"it, or choose another place with --socket",
				running->socket_path);
	if (r < 0)
		return cli_fault(r, running->socket_path);
	address_text(secp_key_address(running->key), address);
	log_info("signer.started", log_text("address", address),
		 log_text("socket", running->socket_path));
	r = signer_server_run(server, running->stop_fd);
	log_info("signer.stopped", log_text("address", address));
	return r < 0 ? cli_fault(r, "serving") : 0;
}

static int find_paths(struct running *running, const struct options *options)
{
	struct arena *arena = running->arena;
	int r = signer_path(options, NULL, "key.json", arena, &running->key_path);

	if (r == 0)
		r = signer_path(options, "policy", "policy.json", arena, &running->policy_path);
	if (r == 0)
		r = signer_path(options, NULL, "counters.db", arena, &running->counters_path);
	if (r == 0)
		r = signer_path(options, "socket", "socket", arena, &running->socket_path);
	return r;
}

static int run(struct running *running, const struct options *options)
{
	int r = find_paths(running, options);

	if (r == 0)
		r = open_policy(running);
	if (r == 0)
		r = open_key(running, options_get(options, "password-file", NULL));
	if (r == 0)
		r = open_store(running);
	return r == 0 ? serve(running) : r;
}

int cmd_signer_run(int argc, char **argv)
{
	struct running running = { .key_fd = -1, .stop_fd = -1 };
	struct options options;
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	log_init(options_has(&options, "log-json"), LOG_INFO);
	r = harden();
	if (r == 0)
		r = catch_signals(&running.stop_fd);
	if (r == 0)
		r = arena_new(MEMORY, &running.arena);
	status = r == 0 ? run(&running, &options) : cli_fault(r, "starting");
	signer_store_close(running.store);
	secp_key_free(running.key);
	arena_free(running.arena);
	if (running.key_fd >= 0)
		close(running.key_fd);
	if (running.stop_fd >= 0)
		close(running.stop_fd);
	prctl(PR_SET_DUMPABLE, 1); /* no secret is left; leak checkers look now */
	return status;
}

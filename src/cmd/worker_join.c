#include "cmd/worker.h"

#include <jansson.h>
#include <unistd.h>

#include "link/state.h"
#include "base/codec.h"
#include "base/field.h"
#include "base/random.h"
#include "cmd/client.h"
#include "cmd/file.h"
#include "cmd/home.h"
#include "cmd/node.h"
#include "cmd/options.h"
#include "io/http_client.h"
#include "security/token.h"
#include "wire/sign.h"

enum { JOIN_TIMEOUT_MS = 30000, ANSWER_MAX = 65536, ARENA_MAX = 1 << 20 };

static const struct option_row rows[] = {
	{ "name", 0, "NAME", "what to call this machine (default: its host name)" },
	{ "state", 0, "DIR", "where the agent keeps its key and its records (KAISAR_HOME/worker)" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar worker join URL TOKEN [OPTIONS]",
	.about = "Makes this machine's key and joins the network at URL with a one-time token\n"
		 "from `kaisar worker token`.",
	.rows = rows,
	.words_min = 2,
	.words_max = 2,
};

struct joined {
	struct address machine, network, owner;
	const char *name, *url;
};

static const struct field joined_table[] = {
	{ "machine", FIELD_ADDRESS, offsetof(struct joined, machine), .required = true },
	{ "owner", FIELD_ADDRESS, offsetof(struct joined, owner), .required = true },
	{ "network", FIELD_ADDRESS, offsetof(struct joined, network), .required = true },
	{ "name", FIELD_TEXT, offsetof(struct joined, name), .max = 64 },
	{ "url", FIELD_TEXT, offsetof(struct joined, url), .max = 511 },
	{ 0 },
};

static json_t *make_request(const struct secp_key *key, const char *token, const char *name)
{
	struct join_statement statement = { .machine.address = *secp_key_address(key) };
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE];
	char machine[ADDRESS_TEXT_SIZE], text[2 * SIGNATURE_SIZE + 3] = "0x";

	secret_hash(token, statement.token_hash);
	join_digest(&statement, digest);
	if (secp_sign(key, digest, signature) < 0)
		return NULL;
	hex_encode(signature, sizeof(signature), text + 2);
	address_text(&statement.machine.address, machine);
	return json_pack("{s:s, s:s, s:s, s:s}", "token", token, "machine", machine, "signature",
			 text, "name", name);
}

static int post(const char *url, const json_t *request, struct arena *arena,
		struct http_answer *ret_answer)
{
	const struct http_header headers[] = { { "content-type", "application/json" } };
	_cleanup_(freep) char *body = json_dumps(request, JSON_COMPACT);
	size_t len = strlen(url);
	struct http_call call = {
		.method = "POST",
		.headers = headers,
		.n_headers = ARRAY_SIZE(headers),
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.timeout_ms = JOIN_TIMEOUT_MS,
		.max_answer_bytes = ANSWER_MAX,
	};

	while (len > 0 && url[len - 1] == '/')
		len--;
	call.url = arena_printf(arena, "%.*s/v1/workers/join", (int)len, url);
	return body && call.url ? http_call(&call, arena, ret_answer) : -ENOMEM;
}

static int refused(const struct http_answer *answer)
{
	json_t *problem = json_loadb(answer->body, answer->body_len, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	int code;

	if (!detail)
		detail = json_string_value(json_object_get(problem, "title"));
	code = cli_refused(answer->status, detail ? detail : "the control plane refused");
	json_decref(problem);
	return code;
}

static int keep(struct state *state, const char *folder, const char *url,
		const struct http_answer *answer, struct arena *arena)
{
	struct state_config config = { .node = STATE_WORKER };
	char machine[ADDRESS_TEXT_SIZE];
	struct joined joined = { 0 };
	struct field_error error;
	int r;

	r = field_decode(answer->body, answer->body_len, joined_table, arena, &joined, &error);
	if (r > 0)
		return cli_fail(CLI_FAILED, "the control plane's answer is not understood: %s %s",
				error.field, error.rule);
	/* The address that was typed works from here; the network's own may not. */
	snprintf(config.url, sizeof(config.url), "%s", url);
	snprintf(config.name, sizeof(config.name), "%s", joined.name ? joined.name : "");
	config.network = joined.network;
	if (r == 0)
		r = state_write_config(state, &config);
	if (r < 0)
		return cli_fault(r, "keeping what the network answered");
	address_text(&joined.machine, machine);
	printf("%s\n", machine);
	fprintf(stderr, "joined as %s; start with: kaisar worker run --state %s\n", config.name,
		folder);
	return 0;
}

static int join(struct state *state, const char *folder, const char *url, const char *token,
		const char *name, struct arena *arena)
{
	_cleanup_(secp_key_freep) struct secp_key *key = NULL;
	struct state_config config;
	struct http_answer answer;
	json_t *request;
	int r;

	r = state_read_config(state, &config);
	if (r == 0)
		return cli_fail(
			CLI_FAILED,
			"this machine has joined %s already; `kaisar worker run` starts it, "
			"another --state joins anew",
			config.url);
	if (r != -ENOENT)
		return cli_fault(r, "reading the state");
	/* A key that an earlier, failed try made is used again: it may have joined without our hearing. */
	r = state_take_key(state, &random_system, &key);
	if (r < 0)
		return cli_fault(r, "making the machine's key");
	request = make_request(key, token, name);
	if (!request)
		return cli_fail(CLI_USAGE, "TOKEN and NAME must be UTF-8");
	r = post(url, request, arena, &answer);
	json_decref(request);
	if (r < 0)
		return cli_fault(r, url);
	return answer.status == 201 ? keep(state, folder, url, &answer, arena) : refused(&answer);
}

int cmd_worker_join(int argc, char **argv)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	_cleanup_(state_closep) struct state *state = NULL;
	const char *folder = NULL;
	struct options options;
	char host[65] = "worker";
	int r, status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	if (strlen(options.words[0]) > 511)
		return options_refuse(&table, "URL is longer than 511 characters");
	gethostname(host, sizeof(host) - 1);
	r = arena_new(ARENA_MAX, &arena);
	if (r == 0)
		r = home_path(arena, "worker", &folder);
	folder = options_get(&options, "state", folder);
	if (!folder)
		return options_refuse(&table, "which folder? --state DIR");
	r = arena ? file_make_dirs(folder, 0700) : r;
	if (r == 0)
		r = state_open(folder, &state);
	if (r == -EBUSY)
		return cli_fail(CLI_FAILED, "an agent is running on %s", folder);
	if (r < 0)
		return cli_fault(r, folder);
	status = node_check_folder(state, folder, STATE_WORKER);
	if (status != 0)
		return status;
	return join(state, folder, options.words[0], options.words[1],
		    options_get(&options, "name", host), arena);
}

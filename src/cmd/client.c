#include "cmd/client.h"

#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "base/random.h"
#include "cmd/session.h"
#include "io/http_client.h"

enum {
	ARENA_BYTES = 16 << 20,
	ANSWER_MAX = 8 << 20,
	CALL_TIMEOUT_MS = 30000,
	CALL_TRIES = 3,
	PAUSE_MS = 500,
	REFRESH_EARLY_MS = 30000,
	LIST_MAX = 10000,
};

struct client {
	struct arena *arena;
	const char *url;
	const char *api_key;
	bool has_session;
	struct session session;
	const char *authorization; /* of the session's present access token; NULL: to be made */
};

/* One answer: JSON, or the text that was asked for. Its reader frees it. */
struct answer {
	int status;
	json_t *json; /* NULL: a text */
	char *text;
	size_t text_len;
};

static void answer_done(struct answer *answer)
{
	json_decref(answer->json);
	free(answer->text);
}

static void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* ---- opening ---- */

/* Without the slashes at its end, which a path would double. */
static const char *trim_url(struct arena *arena, const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return arena_text(arena, url, len);
}

static int client_fill(struct client *client, const char *url)
{
	int r = session_load(client->arena, &client->session);

	if (r < 0 && r != -ENOENT)
		cli_fail(0, "the session file cannot be read (%s); run `kaisar login` again",
			 r == -EINVAL ? "damaged" : strerror(-r));
	client->api_key = getenv("KAISAR_API_KEY");
	if (client->api_key && !*client->api_key)
		client->api_key = NULL;
	if (!url)
		url = getenv("KAISAR_URL");
	if (!url || !*url)
		url = r == 0 ? client->session.url : "http://127.0.0.1:7070";
	if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
		return cli_fail(CLI_USAGE, "%s: a URL must begin with http:// or https://", url);
	client->url = trim_url(client->arena, url);
	if (!client->url)
		return cli_fault(-ENOMEM, "start");
	client->has_session = r == 0 && strcmp(client->url, client->session.url) == 0;
	return 0;
}

int client_open(const char *url, struct client **ret_client)
{
	_cleanup_(client_closep) struct client *client = calloc(1, sizeof(*client));
	int r;

	if (!client || arena_new(ARENA_BYTES, &client->arena) < 0)
		return cli_fault(-ENOMEM, "start");
	r = client_fill(client, url);
	if (r != 0)
		return r;
	*ret_client = client;
	client = NULL;
	return 0;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	arena_free(client->arena);
	free(client);
}

const char *client_account(const struct client *client)
{
	return client->has_session && !client->api_key ? client->session.account : NULL;
}

const char *client_url(const struct client *client)
{
	return client->url;
}

struct arena *client_arena(struct client *client)
{
	return client->arena;
}

const char *client_escape(struct client *client, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char *to = arena_alloc(client->arena, 3 * strlen(text) + 1), *at = to;

	for (; to && *text; text++) {
		if (strchr(plain, *text))
			*at++ = *text;
		else
			at += snprintf(at, 4, "%%%02X", (unsigned char)*text);
	}
	return to;
}

/* ---- one exchange ---- */

static int say_unreachable(const struct client *client, int fault)
{
	if (fault == -ETIMEDOUT)
		return cli_fail(CLI_TIMEOUT, "%s did not answer in time", client->url);
	return cli_fail(CLI_FAILED, "cannot reach %s: %s (choose another with --url or KAISAR_URL)",
			client->url, strerror(-fault));
}

static int parse_answer(const struct http_answer *http, struct answer *ret_answer)
{
	json_t *json;

	if (http->body_len == 0)
		json = json_null();
	else
		json = json_loadb(http->body, http->body_len, JSON_REJECT_DUPLICATES, NULL);
	if (!json)
		return cli_fail(CLI_FAILED,
				"the answer (status %d) is not JSON: is this a Kaisar "
				"server?",
				http->status);
	*ret_answer = (struct answer){ .status = http->status, .json = json };
	return 0;
}

static int take_text(const struct http_answer *http, struct answer *ret_answer)
{
	char *text = malloc(http->body_len + 1);

	if (!text)
		return -ENOMEM;
	memcpy(text, http->body, http->body_len + 1);
	*ret_answer = (struct answer){ .status = http->status,
				       .text = text,
				       .text_len = http->body_len };
	return 0;
}

struct attempt {
	const struct client_call *call;
	const char *body; /* serialised; NULL: none */
	const char *authorization; /* NULL: none */
	char key[40]; /* Idempotency-Key; "" for none */
	size_t text_max; /* what is asked for is a text, of so many bytes at most; 0: JSON */
};

/* 0, -errno of the exchange, or enum cli_exit. */
static int exchange_once(struct client *client, const struct attempt *attempt,
			 struct answer *ret_answer)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct http_header headers[3];
	struct http_answer http;
	struct http_call call = {
		.method = attempt->call->method,
		.headers = headers,
		.body = attempt->body,
		.body_len = attempt->body ? strlen(attempt->body) : 0,
		.timeout_ms = CALL_TIMEOUT_MS,
		.max_answer_bytes = attempt->text_max > ANSWER_MAX ? attempt->text_max : ANSWER_MAX,
	};
	int r = arena_new(4 * call.max_answer_bytes, &arena);

	if (r < 0)
		return r;
	call.url = arena_printf(arena, "%s%s", client->url, attempt->call->path);
	if (!call.url)
		return -ENOMEM;
	if (attempt->body)
		headers[call.n_headers++] = (struct http_header){ "Content-Type",
								  "application/json" };
	if (attempt->authorization)
		headers[call.n_headers++] = (struct http_header){ "Authorization",
								  attempt->authorization };
	if (attempt->key[0])
		headers[call.n_headers++] = (struct http_header){ "Idempotency-Key", attempt->key };
	r = http_call(&call, arena, &http);
	if (r < 0)
		return r;
	if (attempt->text_max > 0 && http.status < 300)
		return take_text(&http, ret_answer);
	return parse_answer(&http, ret_answer);
}

/* Whether the same request may be sent again without doing something twice. */
static bool may_repeat(const struct attempt *attempt)
{
	return attempt->key[0] || strcmp(attempt->call->method, "GET") == 0;
}

static int exchange(struct client *client, const struct attempt *attempt, struct answer *ret_answer)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000l };
	int r = 0;

	for (int i = 0; i < CALL_TRIES; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		r = exchange_once(client, attempt, ret_answer);
		if (r > 0)
			return r;
		if (!may_repeat(attempt) || r == -ECONNREFUSED || i == CALL_TRIES - 1)
			break;
		if (r == 0 && ret_answer->status != 503)
			break;
		if (r == 0)
			answer_done(ret_answer);
	}
	return r < 0 ? say_unreachable(client, r) : 0;
}

/* ---- the session ---- */

static const char *member(struct client *client, const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return arena_printf(client->arena, "%s", text ? text : "");
}

static int64_t now_ms(void)
{
	return clock_now_ms(&clock_system);
}

/* Whoever answers at the URL must stay the network that it was: its key signs the bills. */
static int check_network(const struct client *client, const char *network)
{
	if (!client->has_session || strcmp(client->session.network, network) == 0)
		return 0;
	return cli_fail(
		CLI_DENIED,
		"%s says it is the network %s, but was %s: `kaisar logout` first if you trust it",
		client->url, network, client->session.network);
}

int client_signed_in(struct client *client, const json_t *grant)
{
	int64_t expires_in_s = json_integer_value(json_object_get(grant, "expires_in"));
	const char *network = member(client, grant, "network");
	struct arena *arena = client->arena;
	int r;

	if (!network)
		return cli_fault(-ENOMEM, "sign-in");
	r = check_network(client, network);
	if (r != 0)
		return r;
	client->session = (struct session){
		.url = client->url,
		.account = member(client, grant, "account"),
		.network = network,
		.access_token = member(client, grant, "access_token"),
		.refresh_token = member(client, grant, "refresh_token"),
		.expires_at_ms = now_ms() + expires_in_s * 1000,
	};
	if (!client->session.account || !client->session.access_token ||
	    !client->session.refresh_token)
		return cli_fault(-ENOMEM, "sign-in");
	client->has_session = true;
	client->authorization = NULL;
	r = session_save(arena, &client->session);
	return r < 0 ? cli_fault(r, "the session cannot be kept") : 0;
}

static int ask_refresh(struct client *client)
{
	const struct client_call call = { .method = "POST", .path = "/v1/auth/refresh" };
	_cleanup_(json_decrefp)
		json_t *body = json_pack("{s:s}", "refresh_token", client->session.refresh_token);
	_cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	const struct attempt attempt = { .call = &call, .body = text };
	struct answer answer;
	int r;

	if (!text)
		return cli_fault(-ENOMEM, "refresh");
	r = exchange(client, &attempt, &answer);
	if (r != 0)
		return r;
	if (answer.status == 200)
		r = client_signed_in(client, answer.json);
	else
		r = cli_fail(CLI_DENIED, "the sign-in has ended: run `kaisar login`");
	json_decref(answer.json);
	return r;
}

/* Another process may have refreshed it while this one waited for the lock. */
static int refresh(struct client *client)
{
	_cleanup_(closep) int lock = -1;
	struct session newer;
	int r;

	r = session_lock(client->arena, &lock);
	if (r < 0)
		return cli_fault(r, "the session is in use by another process");
	r = session_load(client->arena, &newer);
	if (r == 0 && strcmp(newer.url, client->url) == 0 &&
	    strcmp(newer.refresh_token, client->session.refresh_token) != 0) {
		client->session = newer;
		client->authorization = NULL;
		return 0;
	}
	return ask_refresh(client);
}

int client_authorization(struct client *client, const char **ret_value)
{
	const char *credential = client->api_key;
	int r;

	if (!credential && !client->has_session) {
		*ret_value = NULL;
		return 0;
	}
	if (!credential && client->session.expires_at_ms - now_ms() < REFRESH_EARLY_MS) {
		r = refresh(client);
		if (r != 0)
			return r;
	}
	if (!credential)
		credential = client->session.access_token;
	if (!client->authorization)
		client->authorization = arena_printf(client->arena, "Bearer %s", credential);
	if (!client->authorization)
		return cli_fault(-ENOMEM, "sign-in");
	*ret_value = client->authorization;
	return 0;
}

/* ---- calls ---- */

static int idempotency_key(char ret_key[static 40])
{
	uint8_t bytes[16];

	if (random_fill(&random_system, bytes, sizeof(bytes)) < 0)
		return cli_fault(-EIO, "randomness");
	hex_encode(bytes, sizeof(bytes), ret_key);
	return 0;
}

/* With the token; once more with a new one if it was refused. */
static int exchange_signed(struct client *client, struct attempt *attempt,
			   struct answer *ret_answer)
{
	int r;

	if (attempt->call->anonymous)
		return exchange(client, attempt, ret_answer);
	r = client_authorization(client, &attempt->authorization);
	if (r == 0)
		r = exchange(client, attempt, ret_answer);
	if (r != 0 || ret_answer->status != 401 || client->api_key)
		return r;
	answer_done(ret_answer);
	if (!client->has_session)
		return cli_fail(CLI_DENIED, "not signed in to %s: run `kaisar login`", client->url);
	r = refresh(client);
	if (r == 0)
		r = client_authorization(client, &attempt->authorization);
	return r == 0 ? exchange(client, attempt, ret_answer) : r;
}

int client_call(struct client *client, const struct client_call *call, json_t **ret_answer)
{
	_cleanup_(freep) char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	struct attempt attempt = { .call = call, .body = body };
	struct answer answer;
	int r = 0;

	if (call->body && !body)
		return cli_fault(-ENOMEM, call->path);
	if (call->creates)
		r = idempotency_key(attempt.key);
	if (r == 0)
		r = exchange_signed(client, &attempt, &answer);
	if (r != 0)
		return r;
	if (answer.status < 300 || (call->may_lack && answer.status == 404)) {
		*ret_answer = answer.json;
		return 0;
	}
	r = cli_problem(answer.status, answer.json);
	json_decref(answer.json);
	return r;
}

int client_get(struct client *client, const char *path, json_t **ret_answer)
{
	const struct client_call call = { .method = "GET", .path = path };

	return client_call(client, &call, ret_answer);
}

int client_get_text(struct client *client, const char *path, size_t max, char **ret_text,
		    size_t *ret_len)
{
	const struct client_call call = { .method = "GET", .path = path };
	struct attempt attempt = { .call = &call, .text_max = max };
	struct answer answer;
	int r = exchange_signed(client, &attempt, &answer);

	if (r != 0)
		return r;
	if (!answer.text) {
		r = cli_problem(answer.status, answer.json);
		answer_done(&answer);
		return r;
	}
	*ret_text = answer.text;
	*ret_len = answer.text_len;
	return 0;
}

/* Moves a page's items to @items and finds the next page's cursor, NULL behind the last. */
static int take_page(struct client *client, const char *path, json_t *items, size_t max,
		     const char **ret_cursor)
{
	_cleanup_(json_decrefp) json_t *page = NULL;
	const json_t *found;
	const char *next;
	int r = client_get(client, path, &page);

	if (r != 0)
		return r;
	found = json_object_get(page, "items");
	for (size_t i = 0; i < json_array_size(found) && json_array_size(items) < max; i++)
		if (json_array_append(items, json_array_get(found, i)) < 0)
			return cli_fault(-ENOMEM, path);
	next = json_string_value(json_object_get(page, "next"));
	*ret_cursor = next ? client_escape(client, next) : NULL;
	return 0;
}

int client_list(struct client *client, const char *path, size_t max, json_t **ret_items)
{
	_cleanup_(json_decrefp) json_t *items = json_array();
	const char *cursor = NULL, *page = path;
	size_t limit = max ? size_min(max, LIST_MAX) : LIST_MAX;
	int r;

	do {
		if (!items || !page)
			return cli_fault(-ENOMEM, path);
		r = take_page(client, page, items, limit, &cursor);
		if (r != 0)
			return r;
		if (cursor)
			page = arena_printf(client->arena, "%s%ccursor=%s", path,
					    strchr(path, '?') ? '&' : '?', cursor);
	} while (cursor && json_array_size(items) < limit);
	*ret_items = items;
	items = NULL;
	return 0;
}

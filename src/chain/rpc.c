#include "chain/rpc.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "io/http_client.h"

enum { REST_LEAST_MS = 1000, REST_MOST_MS = 60000, DOUBT_MS = 60 * 60 * 1000 };

struct endpoint {
	char url[RPC_URL_MAX];
	char shown[RPC_URL_MAX];
	bool known; /* it said that it is of our chain */
	int64_t rest_ms, until_ms; /* how long it rests after a failure; monotonic, until when */
	uint64_t answers, failures;
	char problem[RPC_MESSAGE_MAX];
	int64_t doubted_until_ms; /* monotonic */
	char doubt[RPC_MESSAGE_MAX];
};

struct rpc {
	struct rpc_config config;
	struct endpoint endpoints[RPC_ENDPOINTS_MAX];
	pthread_mutex_t mutex; /* guards endpoints' states and what follows */
	size_t best; /* answered last */
	atomic_uint_least64_t id; /* of the last question */
};

/* ---- life ---- */

/* A path or a query may hold a key. */
static void show(const char *url, char *ret_shown)
{
	const char *host = strstr(url, "://") + 3, *at = strchr(host, '@');
	size_t scheme = (size_t)(host - url), end = strcspn(host, "/?#");

	if (at && at < host + end) {
		end -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	memcpy(ret_shown, url, scheme);
	memcpy(ret_shown + scheme, host, end);
	ret_shown[scheme + end] = '\0';
}

static bool url_ok(const char *url)
{
	const char *host = strstr(url, "://");

	return strlen(url) < RPC_URL_MAX && host && host[3] &&
	       (strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0);
}

int rpc_new(const struct rpc_config *config, struct rpc **ret_rpc)
{
	struct rpc *rpc;

	if (config->n_urls == 0 || config->n_urls > RPC_ENDPOINTS_MAX || config->agree == 0 ||
	    config->agree > config->n_urls)
		return -EINVAL;
	for (size_t i = 0; i < config->n_urls; i++)
		if (!url_ok(config->urls[i]))
			return -EINVAL;
	rpc = calloc(1, sizeof(*rpc));
	if (!rpc)
		return -ENOMEM;
	rpc->config = *config;
	pthread_mutex_init(&rpc->mutex, NULL);
	for (size_t i = 0; i < config->n_urls; i++) {
		snprintf(rpc->endpoints[i].url, RPC_URL_MAX, "%s", config->urls[i]);
		show(config->urls[i], rpc->endpoints[i].shown);
	}
	rpc->config.urls = NULL;
	*ret_rpc = rpc;
	return 0;
}

void rpc_free(struct rpc *rpc)
{
	if (!rpc)
		return;
	pthread_mutex_destroy(&rpc->mutex);
	free(rpc);
}

/* ---- how endpoints do ---- */

static bool may_ask(struct rpc *rpc, size_t i)
{
	bool may;

	pthread_mutex_lock(&rpc->mutex);
	may = clock_mono_ms(rpc->config.clock) >= rpc->endpoints[i].until_ms;
	pthread_mutex_unlock(&rpc->mutex);
	return may;
}

static void did_well(struct rpc *rpc, size_t i)
{
	struct endpoint *endpoint = &rpc->endpoints[i];

	pthread_mutex_lock(&rpc->mutex);
	endpoint->answers++;
	endpoint->rest_ms = endpoint->until_ms = 0;
	endpoint->problem[0] = '\0';
	rpc->best = i;
	pthread_mutex_unlock(&rpc->mutex);
}

/* What it is must be asked again after any failure: another program may serve there by then. */
static void did_badly(struct rpc *rpc, size_t i, const char *problem)
{
	struct endpoint *endpoint = &rpc->endpoints[i];

	pthread_mutex_lock(&rpc->mutex);
	endpoint->failures++;
	endpoint->known = false;
	endpoint->rest_ms *= 2;
	if (endpoint->rest_ms < REST_LEAST_MS)
		endpoint->rest_ms = REST_LEAST_MS;
	if (endpoint->rest_ms > REST_MOST_MS)
		endpoint->rest_ms = REST_MOST_MS;
	endpoint->until_ms = clock_mono_ms(rpc->config.clock) + endpoint->rest_ms;
	snprintf(endpoint->problem, sizeof(endpoint->problem), "%s", problem);
	pthread_mutex_unlock(&rpc->mutex);
}

static bool is_known(struct rpc *rpc, size_t i)
{
	bool known;

	pthread_mutex_lock(&rpc->mutex);
	known = rpc->endpoints[i].known;
	pthread_mutex_unlock(&rpc->mutex);
	return known;
}

static void know(struct rpc *rpc, size_t i)
{
	pthread_mutex_lock(&rpc->mutex);
	rpc->endpoints[i].known = true;
	pthread_mutex_unlock(&rpc->mutex);
}

size_t rpc_endpoints(const struct rpc *rpc)
{
	return rpc->config.n_urls;
}

size_t rpc_agreement(const struct rpc *rpc)
{
	return rpc->config.agree;
}

void rpc_endpoint(struct rpc *rpc, size_t i, struct rpc_endpoint *ret_endpoint)
{
	const struct endpoint *endpoint = &rpc->endpoints[i];
	int64_t now_ms = clock_mono_ms(rpc->config.clock), rests_ms;
	const char *problem = endpoint->problem;

	pthread_mutex_lock(&rpc->mutex);
	rests_ms = endpoint->until_ms - now_ms;
	if (!*problem && now_ms < endpoint->doubted_until_ms)
		problem = endpoint->doubt;
	*ret_endpoint = (struct rpc_endpoint){ .url = endpoint->shown,
					       .answers = endpoint->answers,
					       .failures = endpoint->failures,
					       .rests_ms = rests_ms > 0 ? rests_ms : 0 };
	memcpy(ret_endpoint->problem, problem, sizeof(ret_endpoint->problem));
	pthread_mutex_unlock(&rpc->mutex);
}

void rpc_doubt(struct rpc *rpc, size_t i, const char *problem)
{
	struct endpoint *endpoint = &rpc->endpoints[i];

	pthread_mutex_lock(&rpc->mutex);
	endpoint->doubted_until_ms = clock_mono_ms(rpc->config.clock) + DOUBT_MS;
	snprintf(endpoint->doubt, sizeof(endpoint->doubt), "%s", problem);
	pthread_mutex_unlock(&rpc->mutex);
}

/* ---- one question to one endpoint ---- */

struct question {
	const char *method;
	const json_t *params;
	uint64_t id;
	char *text;
	size_t len;
};

static int question_write(struct rpc *rpc, struct question *question)
{
	json_t *json;

	question->id = ++rpc->id;
	json = json_pack("{s:s, s:I, s:s, s:O}", "jsonrpc", "2.0", "id", (json_int_t)question->id,
			 "method", question->method, "params",
			 (json_t *)(uintptr_t)question->params);
	if (!json)
		return -ENOMEM;
	question->text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!question->text)
		return -ENOMEM;
	question->len = strlen(question->text);
	return question->len <= RPC_QUESTION_MAX ? 0 : -EMSGSIZE;
}

static void question_done(struct question *question)
{
	free(question->text);
}

/* A contract's own error is told by the four bytes it begins with; nodes put its raw bytes into the text. */
static void take_error(const json_t *error, struct rpc_error *ret_error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *data = json_string_value(json_object_get(error, "data"));

	ret_error->code = json_integer_value(json_object_get(error, "code"));
	snprintf(ret_error->message, sizeof(ret_error->message), "%.*s%s%.10s",
		 RPC_MESSAGE_MAX - 16, message ? message : "", data && *data ? ", " : "",
		 data ? data : "");
	for (char *c = ret_error->message; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

/* 0, RPC_E_REFUSED; RPC_E_UNAVAILABLE: it is no answer to this question. */
static int read_answer(const struct question *question, const struct http_answer *answer,
		       json_t **ret_result, struct rpc_error *ret_error)
{
	json_t *json = json_loadb(answer->body, answer->body_len,
				  JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const json_t *id = json_object_get(json, "id"), *error = json_object_get(json, "error");
	json_t *result = json_object_get(json, "result");
	int r = RPC_E_UNAVAILABLE;

	if (json_is_integer(id) && (uint64_t)json_integer_value(id) == question->id) {
		if (json_is_object(error) && json_is_integer(json_object_get(error, "code"))) {
			take_error(error, ret_error);
			r = RPC_E_REFUSED;
		} else if (result && (!error || json_is_null(error))) {
			*ret_result = json_incref(result);
			r = 0;
		}
	}
	json_decref(json);
	return r;
}

static void note_fault(struct rpc *rpc, size_t i, int fault)
{
	char problem[RPC_MESSAGE_MAX];

	snprintf(problem, sizeof(problem), "%s; see whether a node serves there",
		 fault == -EMSGSIZE ? "its answer is too long" : strerror(-fault));
	did_badly(rpc, i, problem);
}

/* A node that says no with an error status says so in the body; whoever is before it does not. */
static void note_garbage(struct rpc *rpc, size_t i, int status)
{
	char problem[RPC_MESSAGE_MAX];

	if (status == 429)
		snprintf(problem, sizeof(problem), "it wants fewer requests; add endpoints");
	else
		snprintf(problem, sizeof(problem),
			 "it answered with status %d and no JSON-RPC; correct its URL", status);
	did_badly(rpc, i, problem);
}

static int ask_one(struct rpc *rpc, size_t i, const struct question *question, json_t **ret_result,
		   struct rpc_error *ret_error)
{
	static const struct http_header header = { "content-type", "application/json" };
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const struct http_call call = {
		.method = "POST",
		.url = rpc->endpoints[i].url,
		.headers = &header,
		.n_headers = 1,
		.body = question->text,
		.body_len = question->len,
		.timeout_ms = rpc->config.timeout_ms,
		.max_answer_bytes = RPC_ANSWER_MAX,
	};
	struct http_answer answer;
	int r = arena_new(RPC_ANSWER_MAX + 4096, &arena);

	if (r < 0)
		return r;
	r = http_call(&call, arena, &answer);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		note_fault(rpc, i, r);
		return RPC_E_UNAVAILABLE;
	}
	r = read_answer(question, &answer, ret_result, ret_error);
	if (r == RPC_E_UNAVAILABLE)
		note_garbage(rpc, i, answer.status);
	return r;
}

/* Money on one chain is nothing on another: who is not ours is never believed. */
static int introduce(struct rpc *rpc, size_t i)
{
	_cleanup_(question_done) struct question question = { .method = "eth_chainId" };
	char problem[RPC_MESSAGE_MAX];
	struct rpc_error error;
	json_t *params, *result = NULL;
	uint64_t id = 0;
	int r;

	if (is_known(rpc, i))
		return 0;
	params = json_array();
	if (!params)
		return -ENOMEM;
	question.params = params;
	r = question_write(rpc, &question);
	if (r == 0)
		r = ask_one(rpc, i, &question, &result, &error);
	json_decref(params);
	if (r != 0 && r != RPC_E_REFUSED)
		return r;
	if (r == 0 && rpc_quantity(result, &id) == 0 && id == rpc->config.chain_id) {
		know(rpc, i);
	} else {
		snprintf(problem, sizeof(problem),
			 "its chain id is %" PRIu64 ", not %" PRIu64 "; correct its URL", id,
			 rpc->config.chain_id);
		did_badly(rpc, i, problem);
		r = RPC_E_UNAVAILABLE;
	}
	json_decref(result);
	return r;
}

/* Saying who it is does not end an endpoint's rests: only what it was asked for counts. */
static int ask_known(struct rpc *rpc, size_t i, const struct question *question,
		     json_t **ret_result, struct rpc_error *ret_error)
{
	int r;

	if (!may_ask(rpc, i))
		return RPC_E_UNAVAILABLE;
	r = introduce(rpc, i);
	if (r == 0)
		r = ask_one(rpc, i, question, ret_result, ret_error);
	if (r == 0 || r == RPC_E_REFUSED)
		did_well(rpc, i);
	return r;
}

/* ---- questions ---- */

int rpc_ask(struct rpc *rpc, const char *method, const json_t *params, json_t **ret_result,
	    struct rpc_error *ret_error)
{
	_cleanup_(question_done) struct question question = { .method = method, .params = params };
	size_t n = rpc->config.n_urls, first;
	int r = question_write(rpc, &question);

	if (r < 0)
		return r;
	pthread_mutex_lock(&rpc->mutex);
	first = rpc->best;
	pthread_mutex_unlock(&rpc->mutex);
	r = RPC_E_UNAVAILABLE;
	for (size_t i = 0; i < n && r == RPC_E_UNAVAILABLE; i++)
		r = ask_known(rpc, (first + i) % n, &question, ret_result, ret_error);
	return r;
}

int rpc_ask_of(struct rpc *rpc, size_t i, const char *method, const json_t *params,
	       json_t **ret_result, struct rpc_error *ret_error)
{
	_cleanup_(question_done) struct question question = { .method = method, .params = params };
	int r = question_write(rpc, &question);

	return r == 0 ? ask_known(rpc, i, &question, ret_result, ret_error) : r;
}

struct votes {
	json_t *results[RPC_ENDPOINTS_MAX];
	size_t n;
};

static void votes_done(struct votes *votes)
{
	for (size_t i = 0; i < votes->n; i++)
		json_decref(votes->results[i]);
}

/* How many said the same as the newest. */
static size_t votes_alike(const struct votes *votes)
{
	size_t alike = 0;

	for (size_t i = 0; i < votes->n; i++)
		alike += json_equal(votes->results[i], votes->results[votes->n - 1]) != 0;
	return alike;
}

int rpc_agree(struct rpc *rpc, const char *method, const json_t *params, json_t **ret_result)
{
	_cleanup_(question_done) struct question question = { .method = method, .params = params };
	_cleanup_(votes_done) struct votes votes = { .n = 0 };
	struct rpc_error error;
	int r = question_write(rpc, &question);

	for (size_t i = 0; r >= 0 && i < rpc->config.n_urls; i++) {
		r = ask_known(rpc, i, &question, &votes.results[votes.n], &error);
		if (r != 0)
			continue;
		votes.n++;
		if (votes_alike(&votes) == rpc->config.agree) {
			*ret_result = json_incref(votes.results[votes.n - 1]);
			return 0;
		}
	}
	if (r < 0)
		return r;
	return votes.n < rpc->config.agree ? RPC_E_UNAVAILABLE : RPC_E_DISAGREE;
}

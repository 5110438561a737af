#include "checker/probe.h"

#include <jansson.h>

#include "base/codec.h"
#include "base/id.h"
#include "base/log.h"
#include "base/text.h"
#include "io/loop.h"
#include "io/ws_client.h"
#include "link/link.h"

enum {
	URL_SIZE = 640,
	WORD_SIZE = 33,
	OUTPUT_MAX = 256,
	MESSAGE_MAX = 65536,
	CONNECT_MS = 10000,
	CHANNEL_STDOUT = 1,
	CHANNEL_CONTROL = 3,
};

struct probe {
	struct probe_config config;
	struct ws_client *client;
	struct loop_timer *deadline;
	bool retired; /* on_close frees */
	bool over; /* @result holds */
	int64_t began_ms;
	char word[WORD_SIZE];
	char output[OUTPUT_MAX];
	size_t output_len;
	char detail[160];
	struct probe_result result;
};

static void conclude(struct probe *probe, const char *detail)
{
	if (probe->over)
		return;
	probe->over = true;
	text_copy(probe->detail, sizeof(probe->detail), detail);
	probe->result.detail = probe->detail;
	probe->result.answer_ms = (uint32_t)(clock_mono_ms(probe->config.clock) - probe->began_ms);
	ws_client_close(probe->client, 1000);
}

static void on_deadline(void *arg)
{
	conclude(arg, "the container did not answer in time");
}

/* ---- what it says ---- */

/* "WORD N": the word shows that a shell ran there just now. */
static void judge(struct probe *probe, json_int_t exit_code)
{
	size_t len = strlen(probe->word);
	char detail[96], *end = NULL;
	unsigned long gpus = 0;

	probe->output[probe->output_len] = 0;
	if (exit_code == 0 && strncmp(probe->output, probe->word, len) == 0 &&
	    probe->output[len] == ' ')
		gpus = strtoul(probe->output + len + 1, &end, 10);
	if (!end || strcmp(end, "\n") != 0 || gpus > UINT32_MAX) {
		conclude(probe, "the container did not say what it was asked to");
		return;
	}
	probe->result.gpus = (uint32_t)gpus;
	probe->result.passed = gpus == probe->config.gpus;
	snprintf(detail, sizeof(detail), "%lu GPUs where %u were rented", gpus, probe->config.gpus);
	conclude(probe, probe->result.passed ? "" : detail);
}

static void take_control(struct probe *probe, const char *bytes, size_t len)
{
	json_t *control = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *exit_code = json_object_get(control, "exit_code");
	const char *error = json_string_value(json_object_get(control, "error"));

	if (json_is_integer(exit_code))
		judge(probe, json_integer_value(exit_code));
	else if (error)
		conclude(probe, error);
	json_decref(control);
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct probe *probe = arg;
	const char *text = bytes;

	if (probe->over || kind != WS_BINARY || len == 0)
		return;
	if (text[0] == CHANNEL_STDOUT) {
		len = size_min(len - 1, OUTPUT_MAX - 1 - probe->output_len);
		memcpy(probe->output + probe->output_len, text + 1, len);
		probe->output_len += len;
	} else if (text[0] == CHANNEL_CONTROL) {
		take_control(probe, text + 1, len - 1);
	}
}

static int ask(struct probe *probe)
{
	static const char script[] = "n=0; for d in /dev/nvidia[0-9]*; do "
				     "[ -e \"$d\" ] && n=$((n + 1)); done; echo \"$0 $n\"";
	_cleanup_(freep) char *text = NULL;
	json_t *request = json_pack("{s:[s,s,s,s], s:b, s:b}", "command", "sh", "-c", script,
				    probe->word, "tty", 0, "stdin", 0);

	text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	json_decref(request);
	return text ? ws_client_send(probe->client, WS_TEXT, text, strlen(text)) : -ENOMEM;
}

static void on_open(void *arg)
{
	struct probe *probe = arg;

	if (ask(probe) < 0)
		conclude(probe, "the checker could not ask");
}

/* ---- its life ---- */

static void on_close(void *arg, int status, uint16_t code _unused_, const char *detail)
{
	struct probe *probe = arg;

	probe->client = NULL;
	loop_timer_free(probe->deadline);
	probe->deadline = NULL;
	if (probe->retired) {
		free(probe);
		return;
	}
	if (!probe->over) {
		snprintf(probe->detail, sizeof(probe->detail), "no way to the container (%d): %s",
			 status, detail);
		probe->result.detail = probe->detail;
	}
	probe->config.on_done(probe->config.arg, &probe->result);
}

static const struct ws_client_handler handler = { on_open, on_message, on_close };

/* What a header may carry. */
static bool is_token(const char *token)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-._~+/=";
	size_t len = strlen(token);

	return len > 0 && len <= PROBE_TOKEN_MAX && strspn(token, letters) == len;
}

static int connect_to(struct probe *probe)
{
	char path[64], url[URL_SIZE], authorization[PROBE_TOKEN_MAX + 8];
	const struct http_header header = { "authorization", authorization };
	const struct ws_client_config config = {
		.url = url,
		.headers = &header,
		.n_headers = 1,
		.connect_timeout_ms = CONNECT_MS,
		.ping_ms = CONNECT_MS,
		.max_message_bytes = MESSAGE_MAX,
		.max_queue_bytes = MESSAGE_MAX,
	};
	struct rental_id rental;
	int r;

	if (rental_id_parse(probe->config.rental, &rental) < 0 || !is_token(probe->config.token))
		return -EINVAL;
	snprintf(path, sizeof(path), "/v1/rentals/%s/exec", probe->config.rental);
	snprintf(authorization, sizeof(authorization), "Bearer %s", probe->config.token);
	r = link_url(probe->config.url, path, url, sizeof(url));
	return r < 0 ? r
		     : ws_client_open(probe->config.loop, &config, &handler, probe, &probe->client);
}

static int begin(struct probe *probe)
{
	uint64_t timeout_ms = probe->config.timeout_ms;
	uint8_t word[(WORD_SIZE - 1) / 2];
	int r;

	if (timeout_ms < PROBE_TIMEOUT_MIN_MS)
		timeout_ms = PROBE_TIMEOUT_MIN_MS;
	if (timeout_ms > PROBE_TIMEOUT_MAX_MS)
		timeout_ms = PROBE_TIMEOUT_MAX_MS;
	r = random_fill(probe->config.random, word, sizeof(word));
	if (r < 0)
		return r;
	hex_encode(word, sizeof(word), probe->word);
	probe->began_ms = clock_mono_ms(probe->config.clock);
	r = loop_timer_new(probe->config.loop, timeout_ms, 0, on_deadline, probe, &probe->deadline);
	return r < 0 ? r : connect_to(probe);
}

int probe_new(const struct probe_config *config, struct probe **ret_probe)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	int r;

	if (!probe)
		return -ENOMEM;
	probe->config = *config;
	probe->result.detail = "";
	r = begin(probe);
	/* They are copied into the request. */
	probe->config.url = probe->config.rental = probe->config.token = NULL;
	if (r < 0) {
		probe_free(probe);
		return r;
	}
	*ret_probe = probe;
	return 0;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	loop_timer_free(probe->deadline);
	probe->deadline = NULL;
	if (!probe->client) {
		free(probe);
		return;
	}
	probe->retired = true;
	ws_client_close(probe->client, 1001);
}

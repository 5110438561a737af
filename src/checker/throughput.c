#include "checker/throughput.h"

#include <time.h>

#include "base/log.h"
#include "checker/target.h"
#include "io/loop.h"
#include "io/ws_client.h"
#include "popw/message.h"

enum { URL_SIZE = SUMMONS_HOST_MAX + 64, REFILL_MS = 5 };

enum step {
	CONNECTING,
	PULLING,
	STOPPING /* what is on its way comes */,
	PUSHING,
	ANSWERING,
	DONE
};

struct throughput {
	struct throughput_config config;
	uint64_t each_ms; /* direction */
	enum step step;
	struct ws_client *client;
	bool retired; /* on_close frees */
	struct loop_timer *timer, *deadline;
	uint8_t hello[BANDWIDTH_HELLO_SIZE];
	struct bandwidth_stream pulled, pushed;
	struct bandwidth_count count; /* of what was pushed */
	uint64_t pulled_bytes;
	int64_t since_us;
	uint32_t down_kbps, up_kbps;
};

static int64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void set_timer(struct throughput *throughput, uint64_t first_ms, uint64_t every_ms,
		      void (*fn)(void *arg))
{
	int r;

	loop_timer_free(throughput->timer);
	throughput->timer = NULL;
	if (!fn)
		return;
	r = loop_timer_new(throughput->config.loop, first_ms, every_ms, fn, throughput,
			   &throughput->timer);
	/* The deadline ends it. */
	if (r < 0)
		log_warn("checker.bandwidth", log_fault(r));
}

/* on_close tells what was measured until then. */
static void hang_up(struct throughput *throughput)
{
	set_timer(throughput, 0, 0, NULL);
	throughput->step = DONE;
	ws_client_close(throughput->client, 1000);
}

static void on_deadline(void *arg)
{
	hang_up(arg);
}

static void say(struct throughput *throughput, enum ws_kind kind, const void *bytes, size_t len)
{
	if (ws_client_send(throughput->client, kind, bytes, len) < 0)
		hang_up(throughput);
}

/* ---- pushing ---- */

static void end_pushing(struct throughput *throughput)
{
	set_timer(throughput, 0, 0, NULL);
	throughput->step = ANSWERING;
	say(throughput, WS_TEXT, BANDWIDTH_END, strlen(BANDWIDTH_END));
}

static void on_refill(void *arg)
{
	struct throughput *throughput = arg;
	uint8_t chunk[BANDWIDTH_CHUNK];

	if (now_us() - throughput->since_us >= (int64_t)throughput->each_ms * 1000) {
		end_pushing(throughput);
		return;
	}
	while (throughput->step == PUSHING &&
	       ws_client_queued(throughput->client) < THROUGHPUT_QUEUE_MAX / 2) {
		bandwidth_next(&throughput->pushed, chunk);
		bandwidth_count_add(&throughput->count, chunk, sizeof(chunk));
		say(throughput, WS_BINARY, chunk, sizeof(chunk));
	}
}

static void begin_pushing(struct throughput *throughput)
{
	throughput->step = PUSHING;
	throughput->since_us = now_us();
	set_timer(throughput, REFILL_MS, REFILL_MS, on_refill);
}

static void take_answer(struct throughput *throughput, const void *bytes, size_t len)
{
	struct bandwidth_answer expected, answer;
	uint64_t us = (uint64_t)(now_us() - throughput->since_us);

	bandwidth_count_end(&throughput->count, &expected);
	if (bandwidth_answer_decode(bytes, len, &answer) == 0 &&
	    bandwidth_answer_equal(&answer, &expected))
		throughput->down_kbps = bandwidth_kbps(expected.bytes, us);
	hang_up(throughput);
}

/* ---- pulling ---- */

static void end_pulling(struct throughput *throughput)
{
	uint64_t us = (uint64_t)(now_us() - throughput->since_us);

	throughput->up_kbps = bandwidth_kbps(throughput->pulled_bytes, us);
	set_timer(throughput, 0, 0, NULL);
}

static void on_pulled(void *arg)
{
	struct throughput *throughput = arg;

	end_pulling(throughput);
	throughput->step = STOPPING;
	say(throughput, WS_TEXT, BANDWIDTH_STOP, strlen(BANDWIDTH_STOP));
}

/* Of its own accord, where this side is slow to say it. */
static void take_stop(struct throughput *throughput)
{
	if (throughput->step == PULLING)
		end_pulling(throughput);
	begin_pushing(throughput);
}

static void take_chunk(struct throughput *throughput, const void *bytes, size_t len)
{
	if (bandwidth_check(&throughput->pulled, bytes, len) == 0)
		throughput->pulled_bytes += len;
	else
		hang_up(throughput);
}

static void on_open(void *arg)
{
	struct throughput *throughput = arg;

	throughput->step = PULLING;
	throughput->since_us = now_us();
	set_timer(throughput, throughput->each_ms, 0, on_pulled);
	say(throughput, WS_BINARY, throughput->hello, sizeof(throughput->hello));
}

static void on_message(void *arg, enum ws_kind kind, const void *bytes, size_t len)
{
	struct throughput *throughput = arg;
	bool is_stop = kind == WS_TEXT && len == strlen(BANDWIDTH_STOP) &&
		       memcmp(bytes, BANDWIDTH_STOP, len) == 0;

	if (throughput->step == PULLING && kind == WS_BINARY)
		take_chunk(throughput, bytes, len);
	else if ((throughput->step == PULLING || throughput->step == STOPPING) && is_stop)
		take_stop(throughput);
	else if (throughput->step == ANSWERING && kind == WS_BINARY)
		take_answer(throughput, bytes, len);
	else if (throughput->step != STOPPING && throughput->step != DONE)
		hang_up(throughput);
}

/* ---- its life ---- */

static void free_now(struct throughput *throughput)
{
	bandwidth_count_done(&throughput->count);
	free(throughput);
}

static void on_close(void *arg, int status, uint16_t code _unused_, const char *detail)
{
	struct throughput *throughput = arg;

	throughput->client = NULL;
	set_timer(throughput, 0, 0, NULL);
	loop_timer_free(throughput->deadline);
	throughput->deadline = NULL;
	if (throughput->retired) {
		free_now(throughput);
		return;
	}
	if (throughput->step != DONE)
		log_warn("checker.bandwidth", log_int("status", status),
			 log_text("detail", detail));
	throughput->config.on_done(throughput->config.arg, throughput->down_kbps,
				   throughput->up_kbps);
}

static const struct ws_client_handler handler = { on_open, on_message, on_close };

static int connect_to(struct throughput *throughput, const struct summons *summons)
{
	const bool v6 = strchr(summons->host, ':') != NULL;
	char url[URL_SIZE];
	const struct ws_client_config config = {
		.url = url,
		.connect_timeout_ms = THROUGHPUT_CONNECT_MS,
		.ping_ms = THROUGHPUT_CONNECT_MS,
		.max_message_bytes = BANDWIDTH_CHUNK,
		.max_queue_bytes = THROUGHPUT_QUEUE_MAX,
	};

	snprintf(url, sizeof(url), v6 ? "ws://[%s]:%u%s" : "ws://%s:%u%s", summons->host,
		 summons->port, BANDWIDTH_PATH);
	return ws_client_open(throughput->config.loop, &config, &handler, throughput,
			      &throughput->client);
}

/* Whose stream is the one to be pulled. */
static int make_hello(struct throughput *throughput)
{
	const struct throughput_config *config = &throughput->config;
	struct bandwidth_hello hello = { .session = config->summons->session.id,
					 .member = config->member };
	_cleanup_(hasher_freep) struct hasher *hasher = NULL;
	struct hash digest;
	int r;

	r = random_fill(config->random, hello.nonce, sizeof(hello.nonce));
	if (r == 0)
		r = hasher_new(&hasher);
	if (r < 0)
		return r;
	bandwidth_hello_encode(&hello, throughput->hello);
	bandwidth_stream_init(&throughput->pulled, hello.nonce, config->member);
	session_digest(hasher, &config->summons->session, &digest);
	return message_sign(hasher, TAG_HELLO, &digest, config->key, throughput->hello,
			    sizeof(throughput->hello));
}

static int begin(struct throughput *throughput)
{
	const struct summons *summons = throughput->config.summons;
	uint8_t secret[BANDWIDTH_KEY_SIZE];
	int r;

	if (!target_allowed(summons->host, throughput->config.url))
		return -EACCES;
	r = make_hello(throughput);
	if (r == 0)
		r = random_fill(throughput->config.random, secret, sizeof(secret));
	if (r == 0)
		r = bandwidth_count_init(&throughput->count);
	if (r < 0)
		return r;
	bandwidth_stream_init(&throughput->pushed, secret, throughput->config.member);
	throughput->each_ms = summons->bandwidth_ms;
	r = loop_timer_new(throughput->config.loop,
			   2 * bandwidth_limit_ms(summons->bandwidth_ms) + THROUGHPUT_CONNECT_MS +
				   THROUGHPUT_SPARE_MS,
			   0, on_deadline, throughput, &throughput->deadline);
	return r < 0 ? r : connect_to(throughput, summons);
}

int throughput_new(const struct throughput_config *config, struct throughput **ret_throughput)
{
	struct throughput *throughput = calloc(1, sizeof(*throughput));
	int r;

	if (!throughput)
		return -ENOMEM;
	throughput->config = *config;
	r = begin(throughput);
	if (r < 0) {
		throughput_free(throughput);
		return r;
	}
	*ret_throughput = throughput;
	return 0;
}

void throughput_free(struct throughput *throughput)
{
	if (!throughput)
		return;
	set_timer(throughput, 0, 0, NULL);
	loop_timer_free(throughput->deadline);
	throughput->deadline = NULL;
	if (!throughput->client) {
		free_now(throughput);
		return;
	}
	throughput->retired = true;
	throughput->step = DONE;
	ws_client_close(throughput->client, 1001);
}

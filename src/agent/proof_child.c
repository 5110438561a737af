#include "agent/proof_child.h"

#include <signal.h>

#include "base/log.h"
#include "io/loop.h"
#include "io/process.h"

enum { QUEUE_MAX = 64 << 10, NICE = 10 };

struct proof_child {
	struct proof_child_config config;
	struct process *process;
	struct loop_timer *retry; /* a message waits */
	uint8_t *bytes; /* heard, and not shown yet */
	size_t n, size;
	bool deaf;
	const char *nonsense; /* what it said that was wrong */
};

static void deafen(struct proof_child *child)
{
	child->deaf = true;
	loop_timer_free(child->retry);
	child->retry = NULL;
	free(child->bytes);
	child->bytes = NULL;
	child->n = child->size = 0;
	/* What it still writes goes by, so that its end can be seen. */
	process_hold(child->process, false);
}

static void refuse(struct proof_child *child, const char *why)
{
	child->nonsense = why;
	proof_child_kill(child);
}

/* ---- what it says ---- */

static void on_retry(void *arg);

static void wait_a_little(struct proof_child *child)
{
	int r;

	process_hold(child->process, true);
	r = loop_timer_new(child->config.loop, PROOF_CHILD_RETRY_MS, 0, on_retry, child,
			   &child->retry);
	if (r < 0)
		refuse(child, "there is no memory for what it says");
}

/* Shows the frame at @at. False: there is none that is whole, or it was the last for now. */
static bool show_one(struct proof_child *child, size_t *at)
{
	uint8_t *head = child->bytes + *at;
	uint32_t len;
	int r;

	if (child->n - *at < PROVER_FRAME_HEAD)
		return false;
	memcpy(&len, head, sizeof(len));
	if (len == 0 || len > child->config.message_max) {
		refuse(child, "it said a frame of an impossible length");
		return false;
	}
	if (child->n - *at - PROVER_FRAME_HEAD < len)
		return false;
	r = child->config.on_message(child->config.arg, head[4], head + PROVER_FRAME_HEAD, len);
	if (r == -EAGAIN) {
		wait_a_little(child);
		return false;
	}
	if (r < 0 && !child->deaf)
		proof_child_kill(child);
	*at += PROVER_FRAME_HEAD + len;
	return !child->deaf;
}

static void show(struct proof_child *child)
{
	size_t at = 0;

	while (show_one(child, &at))
		;
	if (child->deaf)
		return;
	child->n -= at;
	memmove(child->bytes, child->bytes + at, child->n);
}

static void on_retry(void *arg)
{
	struct proof_child *child = arg;

	loop_timer_free(child->retry);
	child->retry = NULL;
	process_hold(child->process, false);
	show(child);
}

static int keep(struct proof_child *child, const void *bytes, size_t len)
{
	if (child->n + len > child->size) {
		size_t size = (child->n + len) * 2;
		uint8_t *larger = realloc(child->bytes, size);

		if (!larger)
			return -ENOMEM;
		child->bytes = larger;
		child->size = size;
	}
	memcpy(child->bytes + child->n, bytes, len);
	child->n += len;
	return 0;
}

static void on_output(void *arg, const void *bytes, size_t len)
{
	struct proof_child *child = arg;

	if (child->deaf)
		return;
	/* One piece at most comes while a message waits, so that this is bounded by the longest message. */
	if (keep(child, bytes, len) < 0)
		refuse(child, "there is no memory for what it says");
	else if (!child->retry)
		show(child);
}

static const char *remedy_of(int signal)
{
	switch (signal) {
	case SIGKILL:
		return ": dmesg says whether memory ran out";
	case SIGILL:
		return ": this build of kaisar is for another processor";
	default:
		return ": `kaisar popw self-test` on the machine may show why";
	}
}

static void on_end(void *arg, const struct process_end *end)
{
	struct proof_child *child = arg;
	const char *detail = end->last_line;
	char text[160];

	/* Who says it goes without saying. */
	if (strncmp(detail, "kaisar: ", 8) == 0)
		detail += 8;
	if (child->nonsense) {
		detail = child->nonsense;
	} else if (end->signal && !detail[0]) {
		snprintf(text, sizeof(text), "the prover was ended by signal %d%s", end->signal,
			 remedy_of(end->signal));
		detail = text;
	}
	if (!child->deaf)
		deafen(child);
	child->config.on_end(child->config.arg, end->signal ? -1 : end->status, detail);
}

/* ---- what it is told ---- */

int proof_child_say(struct proof_child *child, enum message_kind kind, const void *bytes,
		    size_t len)
{
	uint8_t frame[PROVER_FRAME_HEAD + NONCES_SIZE_MAX];
	uint32_t length = (uint32_t)len;

	if (len > NONCES_SIZE_MAX)
		return -EMSGSIZE;
	memcpy(frame, &length, sizeof(length));
	frame[4] = (uint8_t)kind;
	memcpy(frame + PROVER_FRAME_HEAD, bytes, len);
	return process_write(child->process, frame, PROVER_FRAME_HEAD + len);
}

void proof_child_nice(struct proof_child *child)
{
	int r = process_nice(child->process, NICE);

	if (r < 0)
		log_warn("proof.nice", log_fault(r));
}

/* ---- beginning and end ---- */

int proof_child_new(const struct proof_child_config *config, struct proof_child **ret_child)
{
	struct proof_child *child = calloc(1, sizeof(*child));
	char device[16];
	const char *const arguments[] = { "kaisar",        "popw",     "prove", "--backend",
					  config->backend, "--device", device,  "--folder",
					  config->folder,  NULL };
	const struct process_config process = {
		.file = config->program,
		.arguments = arguments,
		.queue_max = QUEUE_MAX,
		.on_output = on_output,
		.on_end = on_end,
		.arg = child,
	};
	int r;

	if (!child)
		return -ENOMEM;
	child->config = *config;
	snprintf(device, sizeof(device), "%u", config->device);
	r = process_new(config->loop, &process, &child->process);
	if (r < 0) {
		free(child);
		return r;
	}
	*ret_child = child;
	return 0;
}

void proof_child_kill(struct proof_child *child)
{
	if (!child->deaf)
		deafen(child);
	process_kill(child->process);
}

void proof_child_free(struct proof_child *child)
{
	if (!child)
		return;
	loop_timer_free(child->retry);
	process_free(child->process);
	free(child->bytes);
	free(child);
}

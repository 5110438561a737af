#include "cmd/input.h"

#include <pthread.h>
#include <unistd.h>

#include "io/loop.h"

enum { CHUNK_BYTES = 16384 };

/* Held by whoever started it, by its thread (which may never leave: nothing wakes a read), and by a
 * chunk on its way through the loop; the last to leave frees it. */
struct input {
	pthread_mutex_t lock;
	pthread_cond_t taken;
	bool full, stopped; /* under the lock */
	unsigned int holders; /* under the lock */
	struct loop *loop;
	void (*on_chunk)(void *arg, const void *bytes, size_t len);
	void *arg;
	size_t len;
	char bytes[CHUNK_BYTES];
};

static void leave(struct input *input)
{
	bool last;

	pthread_mutex_lock(&input->lock);
	last = --input->holders == 0;
	pthread_mutex_unlock(&input->lock);
	if (!last)
		return;
	pthread_cond_destroy(&input->taken);
	pthread_mutex_destroy(&input->lock);
	free(input);
}

static void show_chunk(void *arg)
{
	struct input *input = arg;

	if (!input->stopped)
		input->on_chunk(input->arg, input->bytes, input->len);
	leave(input);
}

/* False once nobody wants more. */
static bool wait_until_taken(struct input *input)
{
	bool stopped;

	pthread_mutex_lock(&input->lock);
	while (input->full && !input->stopped)
		pthread_cond_wait(&input->taken, &input->lock);
	stopped = input->stopped;
	pthread_mutex_unlock(&input->lock);
	return !stopped;
}

static bool post_chunk(struct input *input)
{
	bool posted;

	pthread_mutex_lock(&input->lock);
	input->full = true;
	posted = !input->stopped && loop_post(input->loop, show_chunk, input) == 0;
	input->holders += posted;
	pthread_mutex_unlock(&input->lock);
	return posted;
}

static void *read_all(void *arg)
{
	struct input *input = arg;

	while (wait_until_taken(input)) {
		ssize_t n = read(STDIN_FILENO, input->bytes, sizeof(input->bytes));

		if (n < 0 && errno == EINTR)
			continue;
		input->len = n > 0 ? (size_t)n : 0;
		if (!post_chunk(input) || n <= 0)
			break;
	}
	leave(input);
	return NULL;
}

int input_start(struct loop *loop, void (*on_chunk)(void *arg, const void *bytes, size_t len),
		void *arg, struct input **ret_input)
{
	struct input *input = calloc(1, sizeof(*input));
	pthread_t thread;
	int r;

	if (!input)
		return -ENOMEM;
	pthread_mutex_init(&input->lock, NULL);
	pthread_cond_init(&input->taken, NULL);
	input->holders = 2;
	input->loop = loop;
	input->on_chunk = on_chunk;
	input->arg = arg;
	r = pthread_create(&thread, NULL, read_all, input);
	if (r != 0) {
		input->holders = 1;
		leave(input);
		return -r;
	}
	pthread_detach(thread);
	*ret_input = input;
	return 0;
}

void input_next(struct input *input)
{
	pthread_mutex_lock(&input->lock);
	input->full = false;
	pthread_cond_signal(&input->taken);
	pthread_mutex_unlock(&input->lock);
}

void input_stop(struct input *input)
{
	pthread_mutex_lock(&input->lock);
	input->stopped = true;
	pthread_cond_signal(&input->taken);
	pthread_mutex_unlock(&input->lock);
	leave(input);
}

#include "io/loop.h"

#include <pthread.h>
#include <signal.h>
#include <uv.h>

#include "io/loop_owned.h"

/* Far above what a healthy server holds; a loop that is so far behind is lost. */
enum { LOOP_POSTS_MAX = 1 << 20 };

struct post {
	void (*fn)(void *arg);
	void *arg;
};

struct posts {
	struct post *items;
	size_t n, size;
};

struct loop_timer {
	uv_timer_t handle;
	struct loop_owned owned;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_async_t wake;
	pthread_mutex_t lock; /* waiting, stopped */
	struct posts waiting;
	struct posts running; /* swapped with waiting, so that a wake-up costs one lock */
	bool stopped;
	bool stop_asked;
	struct loop_owned *owned;
	uv_signal_t signals[2];
	void (*on_signal)(void *arg, int signal);
	void *on_signal_arg;
};

static _Thread_local const struct loop *current;

static void run_posts(struct loop *loop)
{
	struct posts batch;

	pthread_mutex_lock(&loop->lock);
	batch = loop->waiting;
	loop->waiting = loop->running;
	loop->waiting.n = 0;
	pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; i < batch.n; i++)
		batch.items[i].fn(batch.items[i].arg);
	loop->running = batch;
}

static void on_wake(uv_async_t *wake)
{
	struct loop *loop = wake->data;

	run_posts(loop);
	if (__atomic_load_n(&loop->stop_asked, __ATOMIC_ACQUIRE))
		uv_stop(&loop->uv);
}

int loop_new(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int r;

	if (!loop)
		return -ENOMEM;
	/* A peer that is gone is an error of the write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	r = uv_loop_init(&loop->uv);
	if (r < 0)
		goto fail;
	r = uv_async_init(&loop->uv, &loop->wake, on_wake);
	if (r < 0) {
		uv_loop_close(&loop->uv);
		goto fail;
	}
	loop->wake.data = loop;
	pthread_mutex_init(&loop->lock, NULL);
	*ret_loop = loop;
	return 0;
fail:
	free(loop);
	return r;
}

static void close_handle(uv_handle_t *handle, _unused_ void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->owned)
		loop->owned->end(loop->owned);
	uv_walk(&loop->uv, close_handle, NULL);
	/* uv_stop leaves a mark that ends the next run at once. */
	while (uv_run(&loop->uv, UV_RUN_DEFAULT) != 0)
		;
	if (uv_loop_close(&loop->uv) != 0)
		abort();
	pthread_mutex_destroy(&loop->lock);
	free(loop->waiting.items);
	free(loop->running.items);
	free(loop);
}

int loop_run(struct loop *loop)
{
	current = loop;
	while (!__atomic_load_n(&loop->stop_asked, __ATOMIC_ACQUIRE))
		uv_run(&loop->uv, UV_RUN_DEFAULT);
	pthread_mutex_lock(&loop->lock);
	loop->stopped = true;
	pthread_mutex_unlock(&loop->lock);
	/* What was accepted is run; it can add nothing more. */
	run_posts(loop);
	current = NULL;
	return 0;
}

void loop_stop(struct loop *loop)
{
	__atomic_store_n(&loop->stop_asked, true, __ATOMIC_RELEASE);
	uv_async_send(&loop->wake);
}

bool loop_is_current(const struct loop *loop)
{
	return current == loop;
}

static int posts_grow(struct posts *posts)
{
	size_t size = posts->size ? posts->size * 2 : 64;
	struct post *items;

	if (size > LOOP_POSTS_MAX)
		return -ENOMEM;
	items = reallocarray(posts->items, size, sizeof(*items));
	if (!items)
		return -ENOMEM;
	posts->items = items;
	posts->size = size;
	return 0;
}

int loop_post(struct loop *loop, void (*fn)(void *arg), void *arg)
{
	bool wake = false;
	int r = 0;

	pthread_mutex_lock(&loop->lock);
	if (loop->stopped)
		r = -ESHUTDOWN;
	else if (loop->waiting.n == loop->waiting.size)
		r = posts_grow(&loop->waiting);
	if (r == 0) {
		wake = loop->waiting.n == 0;
		loop->waiting.items[loop->waiting.n++] = (struct post){ fn, arg };
		/* Under the lock: the loop cannot be past its last look at the queue. */
		if (wake)
			uv_async_send(&loop->wake);
	}
	pthread_mutex_unlock(&loop->lock);
	return r;
}

void loop_own(struct loop *loop, struct loop_owned *owned, void (*end)(struct loop_owned *owned))
{
	*owned = (struct loop_owned){ .end = end, .loop = loop, .next = loop->owned };
	if (owned->next)
		owned->next->prev = owned;
	loop->owned = owned;
}

void loop_disown(struct loop_owned *owned)
{
	if (owned->prev)
		owned->prev->next = owned->next;
	else
		owned->loop->owned = owned->next;
	if (owned->next)
		owned->next->prev = owned->prev;
}

static void on_timer(uv_timer_t *handle)
{
	struct loop_timer *timer = handle->data;

	timer->fn(timer->arg);
}

static void timer_end(struct loop_owned *owned)
{
	loop_timer_free((struct loop_timer *)((char *)owned - offsetof(struct loop_timer, owned)));
}

int loop_timer_new(struct loop *loop, uint64_t first_ms, uint64_t every_ms, void (*fn)(void *arg),
		   void *arg, struct loop_timer **ret_timer)
{
	struct loop_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->fn = fn;
	timer->arg = arg;
	timer->handle.data = timer;
	loop_own(loop, &timer->owned, timer_end);
	uv_timer_init(&loop->uv, &timer->handle);
	uv_update_time(&loop->uv);
	uv_timer_start(&timer->handle, on_timer, first_ms, every_ms);
	*ret_timer = timer;
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void loop_timer_free(struct loop_timer *timer)
{
	if (!timer)
		return;
	loop_disown(&timer->owned);
	uv_close((uv_handle_t *)&timer->handle, on_timer_closed);
}

static void on_uv_signal(uv_signal_t *handle, int number)
{
	struct loop *loop = handle->data;

	loop->on_signal(loop->on_signal_arg, number);
}

int loop_on_signal(struct loop *loop, void (*fn)(void *arg, int signal), void *arg)
{
	static const int numbers[] = { SIGTERM, SIGINT };
	int r;

	loop->on_signal = fn;
	loop->on_signal_arg = arg;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		r = uv_signal_init(&loop->uv, &loop->signals[i]);
		if (r < 0)
			return r;
		loop->signals[i].data = loop;
		r = uv_signal_start(&loop->signals[i], on_uv_signal, numbers[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
	return &loop->uv;
}

#include "emulate.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define EMULATE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(EMULATE_ASAN)
#include <sanitizer/common_interface_defs.h>
#else
#define __sanitizer_start_switch_fiber(...) ((void)0)
#define __sanitizer_finish_switch_fiber(...) ((void)0)
#endif

enum {
	WARP = 32,
	THREADS_MAX = 1024,
	STACK = 128 << 10,
	COPIES_MAX = 64, /* of a thread on their way */
	ROUNDS_MAX = 1 << 20, /* through all threads, until a block ends */
};

struct copy {
	void *to;
	const void *from;
	uint32_t group;
};

/* Threads that wait for each other: all of a block, or a warp. */
struct meeting {
	uint32_t members, here, held; /* held: meetings that took place */
};

struct thread {
	struct dim3 index;
	ucontext_t context;
	void *stack;
	void *fake_stack; /* AddressSanitizer's */
	bool done;
	struct copy copies[COPIES_MAX];
	uint32_t n_copies, groups; /* groups: ended so far */
	/* What it lays open to its warp, by turns: who is at the next meeting has read what was laid open for the
	 * last one. */
	uint32_t meetings;
	struct open {
		uint32_t word, a[4], b[2];
		const uint8_t *row;
	} open[2];
};

/* The one launch that runs: kernels have no other argument to reach it by. */
static struct {
	struct thread threads[THREADS_MAX];
	uint32_t n, current;
	struct dim3 block;
	struct meeting all, warps[THREADS_MAX / WARP];
	uint8_t *block_memory;
	ucontext_t scheduler;
	void *scheduler_fake_stack;
	const void *scheduler_stack;
	size_t scheduler_size;
	void (*kernel)(void **arguments);
	void **arguments;
} launch;

static struct thread *self(void)
{
	return &launch.threads[launch.current];
}

const struct dim3 *emulate_block(void)
{
	return &launch.block;
}

const struct dim3 *emulate_thread(void)
{
	return &self()->index;
}

uint8_t *emulate_block_memory(void)
{
	return launch.block_memory;
}

/* ---- taking turns ---- */

static void yield(void)
{
	struct thread *thread = self();

	__sanitizer_start_switch_fiber(thread->done ? NULL : &thread->fake_stack,
				       launch.scheduler_stack, launch.scheduler_size);
	swapcontext(&thread->context, &launch.scheduler);
	__sanitizer_finish_switch_fiber(thread->fake_stack, NULL, NULL);
}

static void thread_run(void)
{
	__sanitizer_finish_switch_fiber(NULL, &launch.scheduler_stack, &launch.scheduler_size);
	launch.kernel(launch.arguments);
	self()->done = true;
	yield();
}

static void resume(struct thread *thread)
{
	__sanitizer_start_switch_fiber(&launch.scheduler_fake_stack, thread->stack, STACK);
	swapcontext(&launch.scheduler, &thread->context);
	__sanitizer_finish_switch_fiber(launch.scheduler_fake_stack, NULL, NULL);
}

static void meet(struct meeting *meeting)
{
	const uint32_t held = meeting->held;

	if (++meeting->here == meeting->members) {
		meeting->here = 0;
		meeting->held++;
	}
	while (meeting->held == held)
		yield();
}

void __syncthreads(void)
{
	meet(&launch.all);
}

/* Lays @open open to the warp, and gives all 32 that were when everybody is there. */
static void meet_warp(const struct open *open, const struct open *ret_all[static WARP])
{
	struct thread *first = &launch.threads[launch.current / WARP * WARP];
	const uint32_t turn = self()->meetings++ % 2;

	self()->open[turn] = *open;
	meet(&launch.warps[launch.current / WARP]);
	for (uint32_t i = 0; i < WARP; i++)
		ret_all[i] = &first[i].open[turn];
}

/* ---- launches ---- */

static void die(const char *why)
{
	fprintf(stderr, "emulate: block %u,%u: %s\n", launch.block.x, launch.block.y, why);
	abort();
}

static void thread_begin(struct thread *thread)
{
	thread->done = false;
	thread->n_copies = thread->groups = thread->meetings = 0;
	thread->fake_stack = NULL;
	getcontext(&thread->context);
	thread->context.uc_stack.ss_sp = thread->stack;
	thread->context.uc_stack.ss_size = STACK;
	thread->context.uc_link = NULL;
	makecontext(&thread->context, thread_run, 0);
}

static void block_run(void)
{
	uint32_t left = launch.n;

	launch.all = (struct meeting){ .members = launch.n };
	for (uint32_t i = 0; i < launch.n; i++) {
		launch.warps[i / WARP] = (struct meeting){ .members = WARP };
		thread_begin(&launch.threads[i]);
	}
	for (uint32_t round = 0; left; round++) {
		if (round == ROUNDS_MAX)
			die("threads wait for what never comes");
		for (uint32_t i = 0; i < launch.n; i++) {
			if (launch.threads[i].done)
				continue;
			launch.current = i;
			resume(&launch.threads[i]);
			left -= launch.threads[i].done;
		}
	}
	for (uint32_t i = 0; i < launch.n; i++)
		if (launch.threads[i].n_copies)
			die("a copy that nobody waited for");
}

void emulate_launch(void (*kernel)(void **arguments), void **arguments, struct dim3 grid,
		    uint32_t threads, size_t block_memory)
{
	launch.kernel = kernel;
	launch.arguments = arguments;
	launch.n = threads;
	if (threads > THREADS_MAX || threads % WARP)
		die("not a whole number of warps");
	for (uint32_t i = 0; i < threads; i++) {
		launch.threads[i].index = (struct dim3){ i, 0, 0 };
		if (!launch.threads[i].stack)
			launch.threads[i].stack = malloc(STACK);
	}
	launch.block_memory = aligned_alloc(128, (block_memory + 127) / 128 * 128 + 128);
	for (launch.block.y = 0; launch.block.y < grid.y; launch.block.y++) {
		for (launch.block.x = 0; launch.block.x < grid.x; launch.block.x++) {
			/* What was not written must not be zero by chance. */
			memset(launch.block_memory, 0xee, block_memory);
			block_run();
		}
	}
	free(launch.block_memory);
}

__attribute__((destructor)) static void stacks_free(void)
{
	for (uint32_t i = 0; i < THREADS_MAX; i++)
		free(launch.threads[i].stack);
}

/* ---- what a warp does together ---- */

uint32_t __shfl_sync(uint32_t mask, uint32_t word, uint32_t lane, uint32_t width)
{
	const uint32_t first = launch.current % WARP / width * width;
	const struct open *all[WARP];

	(void)mask;
	meet_warp(&(struct open){ .word = word }, all);
	return all[first + lane % width]->word;
}

void load_matrices(uint32_t ret_words[4], const void *row)
{
	const uint32_t lane = launch.current % WARP;
	const struct open *all[WARP];

	meet_warp(&(struct open){ .row = row }, all);
	for (uint32_t i = 0; i < 4; i++)
		memcpy(&ret_words[i], all[8 * i + lane / 4]->row + 4 * (lane % 4), 4);
}

/* A's byte k of row r is with lane r % 8 * 4 + k % 16 / 4, in its word 2 * (k / 16) + r / 8. */
static int32_t a_byte(const struct open *const all[static WARP], uint32_t r, uint32_t k)
{
	return emulate_byte(all[r % 8 * 4 + k % 16 / 4]->a[2 * (k / 16) + r / 8], k % 4);
}

/* B's byte k of column c is with lane c * 4 + k % 16 / 4, in its word k / 16. */
static int32_t b_byte(const struct open *const all[static WARP], uint32_t c, uint32_t k)
{
	return emulate_byte(all[c * 4 + k % 16 / 4]->b[k / 16], k % 4);
}

void multiply_add(int32_t sums[4], const uint32_t a[4], const uint32_t b[2])
{
	const uint32_t lane = launch.current % WARP;
	const struct open *all[WARP];

	meet_warp(&(struct open){ .a = { a[0], a[1], a[2], a[3] }, .b = { b[0], b[1] } }, all);
	for (uint32_t i = 0; i < 4; i++) {
		const uint32_t row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;

		for (uint32_t k = 0; k < 32; k++)
			sums[i] += a_byte(all, row, k) * b_byte(all, column, k);
	}
}

/* ---- copies on their way ---- */

void copy_begin(void *in_block, const void *global)
{
	struct thread *thread = self();

	if (thread->n_copies == COPIES_MAX)
		die("too many copies on their way");
	if (((uintptr_t)in_block | (uintptr_t)global) % 16)
		die("a copy that is not aligned");
	thread->copies[thread->n_copies++] = (struct copy){ in_block, global, thread->groups };
}

void copy_group_end(void)
{
	self()->groups++;
}

void copy_wait(uint32_t groups)
{
	struct thread *thread = self();
	uint32_t kept = 0;

	for (uint32_t i = 0; i < thread->n_copies; i++) {
		const struct copy *copy = &thread->copies[i];

		if (copy->group + groups < thread->groups)
			memcpy(copy->to, copy->from, 16);
		else
			thread->copies[kept++] = *copy;
	}
	thread->n_copies = kept;
}

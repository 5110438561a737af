/* input.h - standard input read by a thread of its own, chunk by chunk, for a loop: files, pipes and
 * terminals alike. The next chunk is read when the last one was taken. */
#pragma once

#include "base/base.h"

struct loop;
struct input;

/* @on_chunk on the loop; @len 0 at the end of the input, the last call. The chunk is borrowed; the
 * next one is read after input_next. The thread is left behind when the program ends, since nothing
 * wakes a read. */
_must_check_ int input_start(struct loop *loop,
			     void (*on_chunk)(void *arg, const void *bytes, size_t len), void *arg,
			     struct input **ret_input);

/* The last chunk was taken; on the loop. */
void input_next(struct input *input);

/* No call follows, and @input is given back; on the loop. */
void input_stop(struct input *input);

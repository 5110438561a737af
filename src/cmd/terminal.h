/* terminal.h - this process's terminal in raw mode, its size, and its input read beside a loop. */
#pragma once

#include <termios.h>

#include "base/base.h"

struct terminal {
	struct termios before;
	bool raw;
};

/* Every key to the other side, unchanged. -ENOTTY. */
_must_check_ int terminal_raw(struct terminal *terminal);

/* As it was before; nothing where it was not changed. */
void terminal_restore(struct terminal *terminal);

/* 80 by 24 where it cannot be known. */
void terminal_size(int *ret_columns, int *ret_rows);

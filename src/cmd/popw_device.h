/* popw_device.h - which device of this machine proves, as the subcommands of `kaisar popw` are told. */
#pragma once

#include "cmd/options.h"
#include "popw/prover.h"

#define POPW_ROW_BACKEND                                                         \
	{                                                                        \
		"backend", 'b', "NAME",                                          \
			"cuda, opencl, cpu or disk (cuda where there is a GPU, " \
			"else cpu)"                                              \
	}
#define POPW_ROW_DEVICE                                                             \
	{                                                                           \
		"device", 'd', "N", "which GPU, as the driver counts from 0 on (0)" \
	}
#define POPW_ROW_THREADS                                                           \
	{                                                                          \
		"threads", 't', "N", "of cpu and disk (one a processor; disk: 32)" \
	}
#define POPW_ROW_FOLDER                                                             \
	{                                                                           \
		"folder", 'f', "DIR", "where disk keeps its data set (this folder)" \
	}

struct popw_choice {
	const char *backend; /* "auto" where none was named */
	unsigned int device, threads;
	const char *folder;
};

/* 0 or an exit status. */
_must_check_ int popw_choice_read(const struct options *options, struct popw_choice *ret_choice);

/* What helps where the backend's prover ended with this fault; static. */
const char *popw_remedy(const char *backend, int fault);

/* Opens it. 0, or an exit status: it said why not. */
_must_check_ int popw_device_open(const struct popw_choice *choice,
				  struct prover_device **ret_device);

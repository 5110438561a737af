/* order.h - `kaisar run`'s options as the body of POST /v1/rentals. */
#pragma once

#include <jansson.h>

#include "cmd/options.h"

/* The option rows of an order, for run's table. */
#define ORDER_ROWS                                                                         \
	{ "name", 0, "NAME", "what to call it" },                                          \
		{ "template", 't', "NAME", "begin with a template's image and sizes" },    \
		{ "gpus", 'g', "N", "how many GPUs (0; 1 with --gpu)" },                   \
		{ "gpu", 0, "MODEL", "GPU model: \"RTX 4090\", H100, ..." },               \
		{ "cpus", 'c', "N", "CPU cores, like 0.5 (1)" },                           \
		{ "memory", 'm', "SIZE", "like 512MiB (512MiB)" },                         \
		{ "disk", 0, "SIZE", "for the container's file system (1GiB)" },           \
		{ "shm-size", 0, "SIZE", "of /dev/shm" },                                  \
		{ "pids-limit", 0, "N", "processes and threads" },                         \
		{ "env", 'e', "NAME=VALUE", "a variable; NAME alone takes it from here" }, \
		{ "publish", 'p', "PORT", "a container's TCP port to publish" },           \
		{ "max-price", 0, "PRICE", "at most so much an hour, like 0.5" },          \
		{ "machine", 0, "ADDRESS", "on this machine only" },                       \
		{ "stop-timeout", 0, "SECONDS", "between SIGTERM and SIGKILL (10)" },      \
	{                                                                                  \
		"term", 0, "SECONDS", "stop it after so long"                              \
	}

/* @options.words: IMAGE [COMMAND...]; with --template the image may be left out. 0 or an exit
 * status; sizes and names are checked by the API, which knows the bounds. */
_must_check_ int order_body(const struct options *options, json_t **ret_body);

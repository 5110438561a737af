/* offer_query.h - conditions on offers in the words that people know from elsewhere:
 *
 *	gpu_name=RTX_4090 num_gpus>=2 gpu_ram>=24 cpu_cores>=8 cpu_ram>=32 disk_space>=100 dph<=0.5
 *
 * Sizes without a unit are GiB. A value with spaces stands in double quotes. */
#pragma once

#include "base/base.h"

enum { OFFER_GPU_NAME_MAX = 64 };

/* What was asked for; 0, "" and -1 (gpus): nothing. */
struct offer_query {
	char gpu_name[OFFER_GPU_NAME_MAX];
	int64_t gpus;
	int64_t cpu_milli, memory_bytes, disk_bytes;
	int64_t max_rate_micro;
	/* These the API does not know; they are applied to its answer. */
	int64_t gpu_memory_bytes, quality;
};

void offer_query_init(struct offer_query *query);

enum { OFFER_ERROR_SIZE = 256 };

/* Adds the conditions of @text. Outcome OFFER_QUERY_E_SYNTAX: @ret_error says what and the remedy. */
enum offer_query_outcome { OFFER_QUERY_E_SYNTAX = 1 };
_must_check_ int offer_query_add(struct offer_query *query, const char *text,
				 char ret_error[static OFFER_ERROR_SIZE]);

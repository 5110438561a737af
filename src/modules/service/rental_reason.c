#include "modules/service/rental_reason.h"

static const struct rental_reason_row rows[RENTAL_REASONS] = {
	/* name, caused by, billed, retried, reported, detail */
	[RENTAL_REASON_NONE] = { "", "none", false, false, false, "" },
	[RENTAL_STOPPED_BY_TENANT] = { "stopped_by_tenant", "tenant", true, false, false,
				       "The tenant stopped it." },
	[RENTAL_EXITED] = { "exited", "tenant", true, false, false,
			    "The container's process ended." },
	[RENTAL_BALANCE_EXHAUSTED] = { "balance_exhausted", "tenant", true, false, false,
				       "The balance did not cover it any longer." },
	[RENTAL_TERM_ENDED] = { "term_ended", "tenant", true, false, false,
				"The ordered term is over." },
	[RENTAL_LEFT_ESCROW] = { "left_escrow", "tenant", true, false, false,
				 "The tenant asked the escrow contract to leave." },
	[RENTAL_IMAGE_NOT_FOUND] = { "image_not_found", "tenant", false, false, true,
				     "No registry has the image, or not for this machine." },
	[RENTAL_PULL_FAILED] = { "pull_failed", "provider", false, true, true,
				 "The machine could not pull the image." },
	[RENTAL_CREATE_FAILED] = { "create_failed", "provider", false, true, true,
				   "The machine could not make the container." },
	[RENTAL_START_FAILED] = { "start_failed", "provider", false, true, true,
				  "The machine could not start the container." },
	[RENTAL_COMMAND_NOT_FOUND] = { "command_not_found", "tenant", false, false, true,
				       "The image has no such command, or it is no program." },
	[RENTAL_ENGINE_DOWN] = { "engine_down", "provider", true, true, true,
				 "The machine's container engine does not answer." },
	[RENTAL_OUT_OF_MEMORY] = { "out_of_memory", "tenant", true, false, true,
				   "The container wanted more memory than was ordered." },
	[RENTAL_WORKER_LOST] = { "worker_lost", "provider", true, true, false,
				 "The machine was not heard of any longer." },
	[RENTAL_PLACE_TIMEOUT] = { "place_timeout", "provider", false, true, false,
				   "The machine did not begin in time." },
	[RENTAL_PULL_TIMEOUT] = { "pull_timeout", "provider", false, true, false,
				  "The machine did not pull the image in time." },
	[RENTAL_START_TIMEOUT] = { "start_timeout", "provider", false, true, false,
				   "The machine did not start the container in time." },
	[RENTAL_STOP_TIMEOUT] = { "stop_timeout", "provider", true, false, false,
				  "The machine did not confirm the stop in time." },
	[RENTAL_CONTAINER_GONE] = { "container_gone", "provider", true, true, true,
				    "The machine does not have the container any longer." },
	[RENTAL_GPU_MISSING] = { "gpu_missing", "provider", true, true, true,
				 "The machine does not have the GPU any longer." },
	[RENTAL_YIELDED] = { "yielded", "network", false, false, false,
			     "A tenant rented what it held." },
};

const struct rental_reason_row *rental_reason_row(enum rental_reason reason)
{
	return &rows[(unsigned int)reason < RENTAL_REASONS ? reason : RENTAL_REASON_NONE];
}

enum rental_reason rental_reason_find(const char *name)
{
	for (int i = 0; i < RENTAL_REASONS; i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum rental_reason)i;
	return RENTAL_REASON_NONE;
}

enum rental_reason rental_reason_reported(const char *name, bool ran, enum rental_reason otherwise)
{
	enum rental_reason reason = rental_reason_find(name);

	return rows[reason].reported && (rows[reason].billed || !ran) ? reason : otherwise;
}

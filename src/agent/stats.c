#include "agent/stats.h"

static uint64_t number(const json_t *object, const char *group, const char *name)
{
	json_int_t value = json_integer_value(
		json_object_get(json_object_get(object, group), name));

	return value > 0 ? (uint64_t)value : 0;
}

int stats_parse(const json_t *answer, int64_t at_ms, struct stats *ret_stats)
{
	const json_t *cpu = json_object_get(answer, "cpu_stats"), *network;
	struct stats stats = { .at_ms = at_ms };
	const char *name;

	if (!json_is_object(cpu))
		return -EBADMSG;
	stats.cpu_ns = number(cpu, "cpu_usage", "total_usage");
	stats.memory_bytes = number(answer, "memory_stats", "usage");
	stats.memory_limit_bytes = number(answer, "memory_stats", "limit");
	stats.pids = number(answer, "pids_stats", "current");
	/* Podman calls the interface "network", Docker by its name. */
	json_object_foreach(json_object_get(answer, "networks"), name, network) {
		stats.rx_bytes += (uint64_t)json_integer_value(
			json_object_get(network, "rx_bytes"));
		stats.tx_bytes += (uint64_t)json_integer_value(
			json_object_get(network, "tx_bytes"));
	}
	*ret_stats = stats;
	return 0;
}

void stats_text(const struct stats *before, const struct stats *now,
		char ret_text[static STATS_TEXT_SIZE])
{
	int64_t ms = now->at_ms - before->at_ms;
	uint64_t used_ns = now->cpu_ns > before->cpu_ns ? now->cpu_ns - before->cpu_ns : 0;
	uint64_t permille = ms > 0 ? used_ns / ((uint64_t)ms * 1000) : 0;

	snprintf(ret_text, STATS_TEXT_SIZE,
		 "{\"at_ms\":%" PRId64 ",\"cpu_permille\":%" PRIu64 ",\"memory_bytes\":%" PRIu64
		 ",\"memory_limit_bytes\":%" PRIu64 ",\"pids\":%" PRIu64 ",\"rx_bytes\":%" PRIu64
		 ",\"tx_bytes\":%" PRIu64 "}",
		 now->at_ms, permille, now->memory_bytes, now->memory_limit_bytes, now->pids,
		 now->rx_bytes, now->tx_bytes);
}

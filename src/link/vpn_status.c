#include "link/vpn_status.h"

#include "base/encode.h"

enum { PROBLEM_SIZE = 512, LIGHTHOUSE_MS = 10000 };

static json_t *address_json(uint32_t address)
{
	char text[VPN_ADDRESS_SIZE];

	vpn_address_text(address, text);
	return json_string(text);
}

/* ---- what is wrong ---- */

static bool is_lost(const struct vpn_status *status)
{
	const struct vpn_answer *answer = status->answer;

	if (answer->kind == VPN_LIGHTHOUSE || answer->n_lighthouses == 0 ||
	    status->now_ms - status->started_at_ms < LIGHTHOUSE_MS)
		return false;
	for (size_t i = 0; i < answer->n_lighthouses; i++)
		if (vpn_tunnels_find(status->tunnels, answer->lighthouses[i].address))
			return false;
	return true;
}

static void find_problem(const struct vpn_status *status, char ret_problem[static PROBLEM_SIZE])
{
	const struct vpn_answer *answer = status->answer;

	ret_problem[0] = '\0';
	if (status->result == VPN_FETCH_NONE || status->result == VPN_FETCH_REFUSED)
		snprintf(ret_problem, PROBLEM_SIZE, "%s", status->why);
	else if (answer->kind && answer->ends_at_ms <= status->now_ms)
		snprintf(ret_problem, PROBLEM_SIZE,
			 "the certificate is over and was not renewed: %s; see that this machine "
			 "reaches the control plane, and that its clock is right",
			 status->why);
	else if (!answer->kind)
		snprintf(ret_problem, PROBLEM_SIZE, "%s",
			 status->asked ? status->why : "the control plane was not asked yet");
	else if (!status->running || !status->tunnels->up)
		snprintf(ret_problem, PROBLEM_SIZE,
			 "nebula does not run%s%s; it needs root (or CAP_NET_ADMIN) and "
			 "/dev/net/tun, and is started again by itself",
			 status->tunnels->trouble[0] ? ": " : "", status->tunnels->trouble);
	else if (is_lost(status))
		snprintf(ret_problem, PROBLEM_SIZE,
			 "no lighthouse answers, so no new tunnels are found: let UDP out to "
			 "their places, and see that they run");
	else if (status->result != 0)
		snprintf(ret_problem, PROBLEM_SIZE,
			 "%s; tunnels go on until the certificate is over", status->why);
}

/* ---- how it is ---- */

static const char *lighthouse_state(const struct vpn_status *status, uint32_t address)
{
	if (address == status->answer->address)
		return "this machine";
	if (vpn_tunnels_find(status->tunnels, address))
		return "up";
	/* They do not ask each other. */
	return status->answer->kind == VPN_LIGHTHOUSE ? "not needed" : "down";
}

static json_t *lighthouses_json(const struct vpn_status *status)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < status->answer->n_lighthouses; i++) {
		const struct vpn_lighthouse *lighthouse = &status->answer->lighthouses[i];
		json_t *one = json_pack("{s:o, s:s, s:s}", "address",
					address_json(lighthouse->address), "place", lighthouse->at,
					"state", lighthouse_state(status, lighthouse->address));

		if (json_array_append_new(list, one) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *tunnels_json(const struct vpn_tunnels *tunnels)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < tunnels->n; i++) {
		const struct vpn_tunnel *tunnel = &tunnels->items[i];

		if (json_array_append_new(list, json_pack("{s:o, s:s, s:s, s:o}", "address",
							  address_json(tunnel->address), "machine",
							  tunnel->name, "place", tunnel->at,
							  "since", encode_time(tunnel->since_ms))) <
		    0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

json_t *vpn_status_json(const struct vpn_status *status)
{
	const struct vpn_answer *answer = status->answer;
	char problem[PROBLEM_SIZE];

	find_problem(status, problem);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:b, s:i, s:o, s:o, s:s}", "kind",
			 answer->kind ? vpn_kind_words[answer->kind] : "", "address",
			 answer->kind ? address_json(answer->address) : json_null(),
			 "certificate_until", encode_time(answer->kind ? answer->ends_at_ms : 0),
			 "asked_at", encode_time(status->asked_at_ms), "started_at",
			 encode_time(status->running ? status->started_at_ms : 0), "running",
			 status->running && status->tunnels->up, "starts", (int)status->starts,
			 "lighthouses", lighthouses_json(status), "tunnels",
			 tunnels_json(status->tunnels), "problem", problem);
}

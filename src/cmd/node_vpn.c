#include "cmd/node_vpn.h"

#include "base/log.h"
#include "cmd/failure.h"

bool node_vpn_word_ok(const char *word)
{
	return strcmp(word, "on") == 0 || strcmp(word, "off") == 0 || strcmp(word, "auto") == 0;
}

static int begin(struct loop *loop, struct state *state, const char *folder, const char *nebula,
		 uint16_t proof_port, struct node_vpn *vpn)
{
	struct vpn_keeper_config config = {
		.loop = loop,
		.clock = &clock_system,
		.random = &random_system,
		.state = folder,
		.nebula = nebula,
		.proof_port = proof_port,
	};
	int r = state_read_config(state, &vpn->config);

	if (r == 0)
		r = state_read_key(state, &vpn->key);
	if (r < 0)
		return r;
	config.url = vpn->config.url;
	config.network = vpn->config.network;
	config.key = vpn->key;
	return vpn_keeper_new(&config, &vpn->keeper);
}

int node_vpn_start(const char *word, struct loop *loop, struct state *state, const char *folder,
		   uint16_t proof_port, struct node_vpn *ret_vpn)
{
	const char *nebula = vpn_keeper_program();
	bool must = strcmp(word, "on") == 0;
	int r;

	*ret_vpn = (struct node_vpn){ 0 };
	if (strcmp(word, "off") == 0 || (!nebula && !must))
		return 0;
	if (!nebula)
		return cli_fail(CLI_FAILED, "the VPN needs nebula: apt-get install nebula");
	r = begin(loop, state, folder, nebula, proof_port, ret_vpn);
	if (r == 0)
		return 0;
	node_vpn_end(ret_vpn);
	if (must)
		return cli_fail(CLI_FAILED, "%s/vpn: %s", folder,
				r == -EBUSY ? "another process keeps it"
				: r == -EBADMSG
					? "node.key is damaged: remove it, and another is made"
					: strerror(-r));
	log_warn("vpn.without", log_fault(r));
	return 0;
}

void node_vpn_end(struct node_vpn *vpn)
{
	vpn_keeper_free(vpn->keeper);
	secp_key_free(vpn->key);
	*vpn = (struct node_vpn){ 0 };
}

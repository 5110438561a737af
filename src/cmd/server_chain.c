#include "cmd/server_chain.h"

#include "cmd/file.h"

static int read_urls(const struct options *options, const struct option_table *table,
		     struct server_chain *chain)
{
	struct chain_settings *settings = &chain->settings;
	const char *url;

	for (size_t i = 0; (url = options_nth(options, "chain-rpc", i)); i++) {
		if (i == RPC_ENDPOINTS_MAX)
			return options_refuse(table, "at most %d --chain-rpc", RPC_ENDPOINTS_MAX);
		if (strlen(url) > RPC_URL_MAX ||
		    (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0))
			return options_refuse(table, "--chain-rpc must be http:// or https://");
		chain->urls[settings->n_rpc_urls++] = url;
	}
	settings->rpc_urls = chain->urls;
	return 0;
}

static int read_contracts(const struct option_table *table, const char *path,
			  struct server_chain *chain)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const char *detail = "";
	char *text;
	size_t len;
	int r = arena_new(8 * CONTRACTS_FILE_MAX, &arena);

	if (r == 0)
		r = file_read(path, CONTRACTS_FILE_MAX, arena, &text, &len);
	if (r < 0)
		return options_refuse(table, "--chain-addresses %s: %s", path, strerror(-r));
	r = contracts_read(text, len, arena, &chain->contracts, &detail);
	if (r != 0)
		return options_refuse(table, "--chain-addresses %s: %s", path,
				      r > 0 ? detail : strerror(-r));
	chain->settings.contracts = &chain->contracts;
	return 0;
}

static int read_stablecoin(const struct options *options, const struct option_table *table,
			   struct server_chain *chain)
{
	const char *text = options_get(options, "chain-stablecoin", NULL);
	const struct contract_place *dollar = &chain->contracts.at[CONTRACT_DOLLAR];

	if (text && address_parse(text, &chain->settings.stablecoin) < 0)
		return options_refuse(table, "--chain-stablecoin %s is not an address", text);
	if (!text && !dollar->there)
		return options_refuse(table,
				      "--chain-stablecoin is missing: the token that tenants "
				      "deposit");
	if (!text)
		chain->settings.stablecoin = dollar->address;
	return 0;
}

/* A million is past all sense, and leaves room for products. */
static int read_kai_price(const struct options *options, const struct option_table *table,
			  struct server_chain *chain)
{
	const struct amount most = { INT64_C(1000000000000) };
	const char *text = options_get(options, "chain-kai-price", NULL);
	struct amount *price = &chain->settings.kai_price;

	if (text && (amount_parse(text, price) < 0 || price->micro <= 0 ||
		     amount_compare(*price, most) > 0))
		return options_refuse(
			table, "--chain-kai-price %s is no amount of 0.000001 to 1000000", text);
	return 0;
}

int server_chain_read(const struct options *options, const struct option_table *table,
		      struct server_chain *chain, const struct chain_settings **ret_settings)
{
	const char *addresses = options_get(options, "chain-addresses", NULL);
	const char *signer = options_get(options, "chain-signer", NULL);
	const char *agree_text = options_get(options, "chain-agree", NULL);
	int64_t agree;
	int status;

	*chain = (struct server_chain){ .settings = { .signer = signer } };
	status = read_urls(options, table, chain);
	if (status != 0)
		return status;
	if (chain->settings.n_rpc_urls == 0 && !addresses && !signer && !agree_text) {
		*ret_settings = NULL;
		return 0;
	}
	if (chain->settings.n_rpc_urls == 0 || !addresses || !signer)
		return options_refuse(table, "a chain needs --chain-rpc, --chain-addresses and "
					     "--chain-signer");
	if (options_int(options, "chain-agree", 1, (int64_t)chain->settings.n_rpc_urls,
			(int64_t)chain->settings.n_rpc_urls / 2 + 1, &agree) != 0)
		return EXIT_USAGE;
	chain->settings.agree = (size_t)agree;
	status = read_contracts(table, addresses, chain);
	if (status == 0)
		status = read_stablecoin(options, table, chain);
	if (status == 0)
		status = read_kai_price(options, table, chain);
	if (status == 0)
		*ret_settings = &chain->settings;
	return status;
}

/* login.c - signing in with the wallet (EIP-4361), and out. */
#include "base/clock.h"
#include "base/codec.h"
#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/session.h"
#include "cmd/wallet.h"
#include "security/siwe.h"

static const struct option_row login_rows[] = {
	{ "wallet", 'w', "ADDRESS", "another wallet than the current one" },
	{ "password-file", 0, "PATH",
	  "where its password is; else KAISAR_PASSWORD, else asked for" },
	{ "domain", 0, "NAME", "the domain to sign for, where it is not the URL's" },
	CLI_URL_ROW,
	CLI_OUTPUT_ROW,
	{ 0 },
};
static const struct option_table login_table = {
	.usage = "kaisar login [OPTIONS] [URL]",
	.about = "Signs in with a wallet of this machine (`kaisar wallet create` makes one).",
	.rows = login_rows,
	.words_max = 1,
};

static const struct column login_columns[] = {
	{ "account", "account" },
	{ "network", "url" },
	{ "roles", "roles" },
	{ 0 },
};

/* "http://127.0.0.1:7070/x" -> "127.0.0.1:7070" */
static const char *host_of(struct client *client)
{
	const char *host = strstr(client_url(client), "://") + strlen("://");

	return arena_text(client_arena(client), host, strcspn(host, "/"));
}

static const char *text_member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int ask_nonce(struct client *client, json_t **ret_nonce)
{
	_cleanup_(json_decrefp) json_t *body = json_object();
	const struct client_call call = {
		.method = "POST", .path = "/v1/auth/nonce", .body = body, .anonymous = true
	};

	return client_call(client, &call, ret_nonce);
}

/* A server that wants a signature for another domain would use it there. */
static int check_domain(struct cli *cli, const json_t *nonce)
{
	const char *domain = text_member(nonce, "domain");
	const char *expected = options_get(&cli->options, "domain", NULL);

	if (!expected)
		expected = host_of(cli->client);
	if (!expected)
		return cli_fault(-ENOMEM, "sign-in");
	if (strcmp(domain, expected) == 0)
		return 0;
	return cli_fail(CLI_DENIED,
			"%s asks for a signature for '%s': give --domain %s if you trust it",
			client_url(cli->client), domain, domain);
}

static int sign_message(struct arena *arena, const struct secp_key *wallet, const json_t *nonce,
			json_t **ret_body)
{
	const struct siwe_message message = {
		.domain = text_member(nonce, "domain"),
		.address = *secp_key_address(wallet),
		.statement = "Sign in to Kaisar.",
		.uri = text_member(nonce, "uri"),
		.version = "1",
		.chain_id = (uint64_t)json_integer_value(json_object_get(nonce, "chain_id")),
		.nonce = text_member(nonce, "nonce"),
		.issued_at_ms = clock_now_ms(&clock_system),
	};
	uint8_t digest[32], signature[SECP_SIGNATURE_SIZE];
	char hex[2 * SECP_SIGNATURE_SIZE + 1];
	const char *text;
	int r;

	r = siwe_write(&message, arena, &text);
	if (r == 0)
		r = eip191_digest(text, strlen(text), digest);
	if (r == 0)
		r = secp_sign(wallet, digest, signature);
	if (r != 0)
		return cli_fault(r < 0 ? r : -EPROTO, "the sign-in message");
	hex_encode(signature, sizeof(signature), hex);
	*ret_body = json_pack("{s:s, s:s+}", "message", text, "signature", "0x", hex);
	return *ret_body ? 0 : cli_fault(-ENOMEM, "sign-in");
}

static int print_login(struct cli *cli, const json_t *grant)
{
	_cleanup_(json_decrefp) json_t *shown = json_pack(
		"{s:O?, s:s, s:O?}", "account", json_object_get(grant, "account"), "url",
		client_url(cli->client), "roles", json_object_get(grant, "roles"));

	return cli_print_object(cli, login_columns, shown);
}

static int open_wallet(struct cli *cli, struct secp_key **ret_wallet)
{
	const char *text = options_get(&cli->options, "wallet", NULL);
	struct address address;
	int r, status;

	if (text && address_parse(text, &address) < 0)
		return options_refuse(&login_table, "--wallet %s is not an address", text);
	r = wallet_open(text ? &address : NULL, options_get(&cli->options, "password-file", NULL),
			client_arena(cli->client), ret_wallet, &status);
	if (r == WALLET_E_DONE)
		return status;
	return r < 0 ? cli_fault(r, "the wallet") : 0;
}

static int login(struct cli *cli)
{
	_cleanup_(secp_key_freep) struct secp_key *wallet = NULL;
	_cleanup_(json_decrefp) json_t *nonce = NULL, *body = NULL, *grant = NULL;
	struct client_call call = { .method = "POST", .path = "/v1/auth/login", .anonymous = true };
	int r;

	/* The password first: a nonce does not wait for people. */
	r = open_wallet(cli, &wallet);
	if (r == 0)
		r = ask_nonce(cli->client, &nonce);
	if (r == 0)
		r = check_domain(cli, nonce);
	if (r == 0)
		r = sign_message(client_arena(cli->client), wallet, nonce, &body);
	if (r != 0)
		return r;
	call.body = body;
	r = client_call(cli->client, &call, &grant);
	if (r == 0)
		r = client_signed_in(cli->client, grant);
	return r == 0 ? print_login(cli, grant) : r;
}

int cmd_login(int argc, char **argv)
{
	struct cli cli;
	int status;

	if (cli_begin(&login_table, argc, argv, &cli, &status) != 0)
		return status;
	if (cli.options.n_words == 1) {
		client_close(cli.client);
		cli.client = NULL;
		status = client_open(cli.options.words[0], &cli.client);
	}
	if (status == 0)
		status = login(&cli);
	cli_end(&cli);
	return status;
}

static const struct option_row logout_rows[] = { CLI_URL_ROW, { 0 } };
static const struct option_table logout_table = {
	.usage = "kaisar logout [OPTIONS]",
	.about = "Ends the session, here and on the server.",
	.rows = logout_rows,
};

int cmd_logout(int argc, char **argv)
{
	const struct client_call call = { .method = "POST", .path = "/v1/auth/logout" };
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct cli cli;
	int status, r;

	if (cli_begin(&logout_table, argc, argv, &cli, &status) != 0)
		return status;
	status = client_call(cli.client, &call, &answer);
	/* A session that the server ended already is gone here, too. */
	if (status == 0 || status == CLI_DENIED) {
		r = session_remove(client_arena(cli.client));
		if (r < 0)
			status = cli_fault(r, "the session file");
	}
	cli_end(&cli);
	return status;
}

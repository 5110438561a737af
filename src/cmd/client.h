/* client.h - the CLI's side of the API: one call at a time, signed in, with every failure said once
 * on standard error and turned into an exit code. */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "cmd/failure.h"

struct client;

/* Whom to talk to: @url, or KAISAR_URL, or the session's URL, or http://127.0.0.1:7070. Who asks:
 * KAISAR_API_KEY, or the session if it belongs to that URL. 0 or enum cli_exit. */
_must_check_ int client_open(const char *url, struct client **ret_client);
void client_close(struct client *client);

const char *client_url(const struct client *client);

/* Who signed in; NULL with an API key, whose account only the network knows, or without a session. */
const char *client_account(const struct client *client);

/* For texts that live as long as the client. */
struct arena *client_arena(struct client *client);

struct client_call {
	const char *method, *path; /* "GET", "/v1/rentals?limit=10" */
	const json_t *body; /* borrowed; NULL: none */
	bool creates; /* sends an Idempotency-Key, so that a lost answer may be asked for again */
	bool anonymous; /* without a token */
	bool may_lack; /* a 404 is an answer, too: the problem, whose "type" says which */
};

/* 0 with the answer, which the caller frees (JSON null where it is empty); or enum cli_exit. */
_must_check_ int client_call(struct client *client, const struct client_call *call,
			     json_t **ret_answer);
_must_check_ int client_get(struct client *client, const char *path, json_t **ret_answer);

/* A body that is no JSON, of at most @max bytes, as it is: 0 with a text that the caller frees, a NUL
 * behind it; or enum cli_exit. */
_must_check_ int client_get_text(struct client *client, const char *path, size_t max,
				 char **ret_text, size_t *ret_len);

/* Every page of a list in one array; stops after @max items (0: all, at most 10,000). @path may hold
 * a query. */
_must_check_ int client_list(struct client *client, const char *path, size_t max,
			     json_t **ret_items);

/* "Bearer ...", refreshed if it is about to expire; NULL in *@ret_value when not signed in. For
 * WebSockets. */
_must_check_ int client_authorization(struct client *client, const char **ret_value);

/* Takes over a sign-in's answer: keeps it in the session file. 0 or enum cli_exit. */
_must_check_ int client_signed_in(struct client *client, const json_t *grant);

/* @text percent-encoded for a path or a query; in the client's arena. NULL without memory. */
_must_check_ const char *client_escape(struct client *client, const char *text);

static inline void client_closep(struct client **client)
{
	client_close(*client);
}

#include "cmd/rental_wait.h"

#include <time.h>

#include "base/id.h"

enum { PREFIX_MIN = 10, POLL_MS = 200, WAIT_MS = 15 * 60 * 1000 };

const char *rental_text(const json_t *rental, const char *name)
{
	const char *text = json_string_value(json_object_get(rental, name));

	return text ? text : "";
}

bool rental_has_ended(const json_t *rental)
{
	const char *state = rental_text(rental, "state");

	return strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0 ||
	       strcmp(state, "lost") == 0;
}

static bool matches(const json_t *rental, const char *word)
{
	if (strlen(word) >= PREFIX_MIN &&
	    strncmp(rental_text(rental, "id"), word, strlen(word)) == 0)
		return true;
	return strcmp(rental_text(rental, "name"), word) == 0;
}

/* A live one before ended ones, which may have had the same name. */
static const json_t *choose(const json_t *items, const char *word, bool live, size_t *ret_n)
{
	const json_t *found = NULL;

	*ret_n = 0;
	for (size_t i = 0; i < json_array_size(items); i++) {
		const json_t *item = json_array_get(items, i);

		if (rental_has_ended(item) == live || !matches(item, word))
			continue;
		found = item;
		++*ret_n;
	}
	return found;
}

int rental_find(struct client *client, const char *word, const char **ret_id)
{
	_cleanup_(json_decrefp) json_t *items = NULL;
	const json_t *found;
	struct rental_id id;
	size_t n;
	int r;

	if (rental_id_parse(word, &id) == 0) {
		*ret_id = word;
		return 0;
	}
	r = client_list(client, "/v1/rentals?limit=100", 0, &items);
	if (r != 0)
		return r;
	found = choose(items, word, true, &n);
	if (!found)
		found = choose(items, word, false, &n);
	if (!found)
		return cli_fail(CLI_NOT_FOUND, "no rental '%s'", word);
	if (n > 1)
		return cli_fail(CLI_USAGE, "'%s' is %zu rentals: give the id", word, n);
	*ret_id = arena_printf(client_arena(client), "%s", rental_text(found, "id"));
	return *ret_id ? 0 : cli_fault(-ENOMEM, word);
}

int rental_get(struct client *client, const char *id, json_t **ret_rental)
{
	char path[64];

	snprintf(path, sizeof(path), "/v1/rentals/%s", id);
	return client_get(client, path, ret_rental);
}

int rental_stop(struct client *client, const char *id, json_t **ret_rental)
{
	char path[64];
	const struct client_call call = { .method = "POST", .path = path };

	snprintf(path, sizeof(path), "/v1/rentals/%s/stop", id);
	return client_call(client, &call, ret_rental);
}

int rental_wait_end(struct client *client, const char *id, json_t **ret_rental)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000l };
	int64_t until = clock_mono_ms(&clock_system) + WAIT_MS;

	for (;;) {
		_cleanup_(json_decrefp) json_t *rental = NULL;
		int r = rental_get(client, id, &rental);

		if (r != 0)
			return r;
		if (rental_has_ended(rental)) {
			*ret_rental = rental;
			rental = NULL;
			return 0;
		}
		if (clock_mono_ms(&clock_system) > until)
			return cli_fail(CLI_TIMEOUT, "%s is still %s", id,
					rental_text(rental, "state"));
		nanosleep(&pause, NULL);
	}
}

int rental_exit_code(const json_t *rental)
{
	static const struct {
		const char *reason;
		int code;
	} codes[] = {
		{ "command_not_found", CLI_NOT_FOUND }, { "balance_exhausted", CLI_BALANCE },
		{ "image_not_found", CLI_NOT_FOUND },   { "place_timeout", CLI_TIMEOUT },
		{ "pull_timeout", CLI_TIMEOUT },        { "start_timeout", CLI_TIMEOUT },
	};
	const char *reason = rental_text(rental, "reason");
	const json_t *exit_code = json_object_get(rental, "exit_code");
	int code = CLI_FAILED;

	if (json_is_integer(exit_code))
		return (int)(json_integer_value(exit_code) & 0xff);
	if (strcmp(reason, "stopped_by_tenant") == 0 || strcmp(reason, "term_ended") == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].reason, reason) == 0)
			code = codes[i].code;
	return cli_fail(code, "%s: %s (%s, caused by: %s; charged: %s)", rental_text(rental, "id"),
			rental_text(rental, "detail"), reason, rental_text(rental, "caused_by"),
			rental_text(rental, "charged"));
}

/* The end of who asks. */
#include "chain/signer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "chain/signer_wire.h"

struct signer_client {
	struct sockaddr_un place;
};

int signer_client_new(const char *socket, struct signer_client **ret_client)
{
	struct signer_client *client;

	if (strlen(socket) > SIGNER_PATH_MAX)
		return -ENAMETOOLONG;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->place.sun_family = AF_UNIX;
	memcpy(client->place.sun_path, socket, strlen(socket));
	*ret_client = client;
	return 0;
}

void signer_client_free(struct signer_client *client)
{
	free(client);
}

/* ---- one question ---- */

struct line {
	int fd;
	int64_t deadline_ms;
};

static void line_close(struct line *line)
{
	if (line->fd >= 0)
		close(line->fd);
}

static int wait_for(const struct line *line, short events)
{
	struct pollfd poll_fd = { .fd = line->fd, .events = events };
	int64_t left_ms = line->deadline_ms - clock_mono_ms(&clock_system);
	int r;

	if (left_ms <= 0)
		return -ETIMEDOUT;
	r = poll(&poll_fd, 1, (int)left_ms);
	return r < 0 && errno != EINTR ? -errno : 0;
}

/* Waits where as many as may be are waiting already. */
static int line_open(const struct signer_client *client, struct line *line)
{
	const struct timeval wait = { .tv_sec = SIGNER_ANSWER_MS / 1000 };

	line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (line->fd < 0 ||
	    setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
	    connect(line->fd, (const struct sockaddr *)&client->place, sizeof(client->place)) < 0)
		return -errno;
	return 0;
}

static int line_send(const struct line *line, const uint8_t *bytes, size_t len)
{
	int r = 0;

	while (r == 0 && len > 0) {
		ssize_t n = send(line->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			r = wait_for(line, POLLOUT);
		} else {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return r;
}

static int line_receive(const struct line *line, uint8_t *bytes, size_t len)
{
	int r = 0;

	while (r == 0 && len > 0) {
		ssize_t n = recv(line->fd, bytes, len, MSG_DONTWAIT);

		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n < 0) {
			r = wait_for(line, POLLIN);
		} else {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return r;
}

static int converse(const struct line *line, const uint8_t *question, size_t question_len,
		    struct arena *arena, struct signer_answer *ret_answer)
{
	uint8_t prefix[SIGNER_PREFIX], *bytes = NULL;
	size_t len = 0;
	int r = line_send(line, question, question_len);

	if (r == 0)
		r = line_receive(line, prefix, sizeof(prefix));
	if (r == 0)
		r = signer_length(prefix, SIGNER_ANSWER_MAX, &len);
	if (r == 0 && !(bytes = arena_alloc(arena, len)))
		return -ENOMEM;
	if (r == 0)
		r = line_receive(line, bytes, len);
	if (r == 0)
		r = signer_answer_read(bytes, len, ret_answer);
	return r == SIGNER_E_MALFORMED ? -EPROTO : r;
}

/* What is the matter, and what helps. */
static int say_away(const struct signer_client *client, int fault, struct arena *arena,
		    const char **ret_detail)
{
	const char *path = client->place.sun_path;
	char *detail;

	if (fault == -ENOMEM)
		return fault;
	if (fault == -EACCES || fault == -ECONNRESET)
		detail = arena_printf(arena,
				      "the signer at %s does not talk to this user, or ended just "
				      "now: run both as the same user",
				      path);
	else if (fault == -EPROTO)
		detail = arena_printf(arena,
				      "what answers at %s is no signer of this version: start "
				      "`kaisar signer run` of the same one",
				      path);
	else
		detail = arena_printf(arena,
				      "the signer does not answer at %s (%s): start `kaisar signer "
				      "run`",
				      path, strerrordesc_np(-fault));
	if (!detail)
		return -ENOMEM;
	*ret_detail = detail;
	return OUTBOX_E_AWAY;
}

/* OUTBOX_E_DENIED, OUTBOX_E_AWAY with @ret_detail. */
static int ask(const struct signer_client *client, const struct signer_question *question,
	       struct arena *arena, struct signer_answer *ret_answer, const char **ret_detail)
{
	_cleanup_(line_close) struct line line = {
		.fd = -1, .deadline_ms = clock_mono_ms(&clock_system) + SIGNER_ANSWER_MS
	};
	const uint8_t *bytes;
	size_t len;
	int r = signer_question_write(question, arena, &bytes, &len);

	if (r < 0)
		return r;
	r = line_open(client, &line);
	if (r == 0)
		r = converse(&line, bytes, len, arena, ret_answer);
	if (r < 0)
		return say_away(client, r, arena, ret_detail);
	if (ret_answer->outcome == SIGNER_DONE)
		return 0;
	*ret_detail = arena_text(arena, (const char *)ret_answer->body, ret_answer->len);
	if (!*ret_detail)
		return -ENOMEM;
	return ret_answer->outcome == SIGNER_DENIED ? OUTBOX_E_DENIED : OUTBOX_E_AWAY;
}

/* ---- questions ---- */

/* It signed what it was asked to, and nothing else. */
static int check_signed(const struct transaction *asked, const struct signer_answer *answer,
			struct arena *arena, struct transaction_signed *ret_signed)
{
	struct transaction transaction;
	uint8_t wanted[32], given[32];
	int r = transaction_decode(answer->body, answer->len, arena, &transaction, ret_signed,
				   NULL);

	if (r == 0)
		r = transaction_digest(asked, arena, wanted);
	if (r == 0)
		r = transaction_digest(&transaction, arena, given);
	if (r == 0 && memcmp(wanted, given, sizeof(wanted)) != 0)
		r = -EPROTO;
	return r > 0 ? -EPROTO : r;
}

int signer_client_sign(void *arg, const struct outbox_signing *signing, struct arena *arena,
		       struct transaction_signed *ret_signed, const char **ret_detail)
{
	const struct signer_client *client = arg;
	const struct signer_question question = { .op = SIGNER_SIGN,
						  .kind = signing->kind,
						  .transaction = *signing->transaction };
	struct transaction_signed ready;
	struct signer_answer answer;
	int r = ask(client, &question, arena, &answer, ret_detail);

	if (r != 0)
		return r;
	r = check_signed(signing->transaction, &answer, arena, &ready);
	if (r < 0)
		return say_away(client, r, arena, ret_detail);
	*ret_signed = ready;
	return 0;
}

int signer_client_address(struct signer_client *client, struct arena *arena,
			  struct address *ret_address, const char **ret_detail)
{
	const struct signer_question question = { .op = SIGNER_ADDRESS };
	struct signer_answer answer;
	int r = ask(client, &question, arena, &answer, ret_detail);

	if (r == 0 && answer.len != sizeof(ret_address->bytes))
		r = say_away(client, -EPROTO, arena, ret_detail);
	if (r != 0)
		return r == OUTBOX_E_DENIED ? OUTBOX_E_AWAY : r;
	memcpy(ret_address->bytes, answer.body, sizeof(ret_address->bytes));
	return 0;
}

int signer_client_status(struct signer_client *client, struct arena *arena, const char **ret_json,
			 const char **ret_detail)
{
	const struct signer_question question = { .op = SIGNER_STATUS };
	struct signer_answer answer;
	const char *json;
	int r = ask(client, &question, arena, &answer, ret_detail);

	if (r != 0)
		return r == OUTBOX_E_DENIED ? OUTBOX_E_AWAY : r;
	json = arena_text(arena, (const char *)answer.body, answer.len);
	if (!json)
		return -ENOMEM;
	*ret_json = json;
	return 0;
}

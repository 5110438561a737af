#include "modules/logging/logging.h"

#include "modules/logging/feed.h"
#include "modules/logging/logging_store.h"

struct commit_hint {
	const struct context *context;
	struct account_id account;
};

static void on_commit(void *arg)
{
	const struct commit_hint *hint = arg;

	feed_hint(hint->context, hint->account);
}

static int hint_after_commit(const struct context *context, struct tx *tx,
			     struct account_id account)
{
	struct commit_hint *hint;

	if (!context->loop)
		return 0;
	hint = arena_alloc(tx_arena(tx), sizeof(*hint));
	if (!hint)
		return -ENOMEM;
	*hint = (struct commit_hint){ context, account };
	return tx_on_commit(tx, on_commit, hint);
}

static int event_add(const struct context *context, struct tx *tx, struct account_id account,
		     const char *type, const char *subject, const char *data)
{
	struct event event = { .at_ms = clock_now_ms(context->clock),
			       .type = type,
			       .subject = subject,
			       .data = data };
	int r;

	r = store_event_number(tx, account, &event.seq);
	if (r == 0)
		r = store_event_add(tx, account, &event);
	return r == 0 ? hint_after_commit(context, tx, account) : r;
}

int logging_event(const struct context *context, struct tx *tx, struct account_id account,
		  const char *type, const char *subject, json_t *data)
{
	char *text = json_dumps(data ? data : json_null(), JSON_COMPACT | JSON_ENCODE_ANY);
	int r = text ? event_add(context, tx, account, type, subject, text) : -ENOMEM;

	free(text);
	json_decref(data);
	return r;
}

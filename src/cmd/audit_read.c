#include "cmd/audit.h"

#include "base/clock.h"
#include "chain/hex.h"
#include "cmd/failure.h"

/* One line: else it could say what other lines say. NULL: not so. */
static const char *line(const json_t *json, const char *name)
{
	const json_t *value = json_object_get(json, name);
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);

	if (!text || strlen(text) != len)
		return NULL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ')
			return NULL;
	return text;
}

static int nonsense(const char *what)
{
	return cli_fail(CLI_FAILED, "the %s of the audit log is malformed", what);
}

/* ---- an entry ---- */

/* What is shown beside the text must be what it says. */
static int check_origin(const json_t *from, const char *origin, struct arena *arena)
{
	const struct audit_origin parts = { line(from, "via"), line(from, "peer"),
					    line(from, "request"), line(from, "salt") };
	uint8_t digest[AUDIT_DIGEST_SIZE];
	char text[67];

	if (json_is_null(from))
		return 0;
	if (!parts.via || !parts.peer || !parts.request || !parts.salt)
		return nonsense("origin of an entry");
	if (audit_origin_digest(&parts, arena, digest) != 0)
		return cli_fault(-ENOMEM, "audit");
	hex_data(digest, sizeof(digest), text);
	return strcmp(text, origin) == 0
		       ? 0
		       : cli_fail(CLI_FAILED,
				  "where the entry came from is not what it was recorded with");
}

int audit_read_entry(const json_t *json, struct arena *arena, struct audit_read_entry *ret_entry)
{
	const json_t *at_ms = json_object_get(json, "at_ms");
	const char *at = line(json, "at");
	struct audit_text *text = &ret_entry->text;
	char at_text[CLOCK_TEXT_SIZE];
	int r;

	*text = (struct audit_text){
		.entry = line(json, "entry"),
		.at_ms = json_integer_value(at_ms),
		.actor = line(json, "actor"),
		.action = line(json, "action"),
		.subject = line(json, "subject"),
		.owner = line(json, "owner"),
		.origin = line(json, "origin"),
		.detail = line(json, "detail"),
	};
	if (!text->entry || !json_is_integer(at_ms) || !at || !text->actor || !text->action ||
	    !text->subject || !text->owner || !text->origin || !text->detail)
		return nonsense("entry");
	clock_text(text->at_ms, at_text);
	if (strcmp(at, at_text) != 0)
		return cli_fail(CLI_FAILED, "the times of %s differ", text->entry);
	r = check_origin(json_object_get(json, "from"), text->origin, arena);
	if (r == 0 && audit_text_digest(text, arena, ret_entry->digest) != 0)
		r = cli_fault(-ENOMEM, "audit");
	return r;
}

/* ---- a batch ---- */

static int word(const json_t *json, const char *name, uint8_t ret_word[static 32])
{
	const char *text = line(json, name);

	return text ? hex_data_exact(text, strlen(text), ret_word, 32) : -EINVAL;
}

int audit_read_batch(const json_t *json, struct audit_read_batch *ret_batch)
{
	struct audit_batch *batch = &ret_batch->batch;
	const char *network = line(json, "network");
	uint8_t id[32], digest[AUDIT_DIGEST_SIZE];

	batch->number = json_integer_value(json_object_get(json, "number"));
	batch->entries = json_integer_value(json_object_get(json, "entries"));
	batch->sealed_ms = json_integer_value(json_object_get(json, "sealed_at_ms"));
	if (!network || address_parse(network, &batch->network) < 0 || batch->number < 1 ||
	    batch->entries < 1 || batch->entries > AUDIT_ENTRIES_MAX ||
	    word(json, "before", batch->before) < 0 || word(json, "root", batch->root) < 0 ||
	    word(json, "digest", digest) < 0 || word(json, "id", id) < 0)
		return nonsense("batch");
	audit_batch_id(batch->number, ret_batch->id);
	audit_batch_digest(batch, ret_batch->digest);
	if (memcmp(id, ret_batch->id, sizeof(id)) != 0 ||
	    memcmp(digest, ret_batch->digest, sizeof(digest)) != 0)
		return cli_fail(CLI_FAILED, "batch %" PRId64 " is not what its digest says",
				batch->number);
	return 0;
}

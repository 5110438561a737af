#include "modules/proof/proof_json.h"

#include "api/settings.h"
#include "base/codec.h"
#include "modules/proof/sessions.h"
#include "popw/class.h"

static const char *const device_words[] = { "", "gpu", "host", "disk" };
static const char *const kind_words[] = { "",       "registration", "standby",
					  "rented", "appeal",       "self_test" };
static const char *const mark_words[] = { "none", "valid", "wrong", "silent", "deviating" };

static const char *word_of(const char *const *words, size_t n, int64_t at)
{
	return at >= 0 && (size_t)at < n ? words[at] : "";
}

#define WORD(words, at) word_of(words, ARRAY_SIZE(words), at)

static json_t *id_or_null(struct proof_id id)
{
	static const struct proof_id none;
	char text[ID_TEXT_SIZE];

	if (proof_id_equal(id, none))
		return json_null();
	proof_id_text(&id, text);
	return json_string(text);
}

/* A disk has none. */
static const char *class_of(const struct proof_row *row)
{
	struct session session;

	if (row->device == SESSION_DISK)
		return "";
	if (session_decode(row->session, SESSION_SIZE, &session, NULL) != 0 ||
	    session.class_ >= class_rows_n)
		return "unknown";
	return class_rows[session.class_].name;
}

static const char *state_of(const struct proof_row *row)
{
	return row->live ? "live" : *row->outcome ? row->outcome : row->reason;
}

/* null: the side did not ask. */
static json_t *appeal_json(const struct proof_appeal *appeal)
{
	if (appeal->state == APPEAL_NONE)
		return json_null();
	return json_pack("{s:s, s:o}", "state", appeal_state_word(appeal->state), "session",
			 id_or_null(appeal->session));
}

static json_t *appeals_json(const struct proof_row *row)
{
	return json_pack("{s:o, s:o, s:o}", "owner", appeal_json(&row->appeals[APPEAL_OWNER]),
			 "checkers", appeal_json(&row->appeals[APPEAL_CHECKERS]), "network",
			 appeal_json(&row->appeals[APPEAL_NETWORK]));
}

/* A planted one is told apart only when it is over: as long as it goes on, it looks like any other. */
json_t *proof_json(const struct proof_row *row, size_t n_members)
{
	return json_pack(
		"{s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:b, "
		"s:I, s:I, "
		"s:o, s:o, s:o, s:o}",
		"id", id_or_null(row->id), "machine", encode_address(&row->machine.address),
		"device", WORD(device_words, row->device), "gpu", row->uuid, "model", row->model,
		"class", class_of(row), "kind", WORD(kind_words, row->kind), "attempt",
		(json_int_t)row->attempt, "state", state_of(row), "reason", row->reason, "phase",
		row->live ? sessions_phase(row->id) : row->phase, "phase_until",
		encode_time(row->live ? sessions_phase_until(row->id) : 0), "detail", row->detail,
		"planted", row->planted && !row->live, "cohort", row->cohort, "disagreement",
		row->disagreement, "panel_wanted", (json_int_t)row->wanted, "panel_size",
		(json_int_t)n_members, "started_at", encode_time(row->started_ms), "ended_at",
		encode_time(row->ended_ms), "parent", id_or_null(row->parent), "appeals",
		appeals_json(row));
}

static json_t *members_json(const struct proof_member *members, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		if (json_array_append_new(list,
					  json_pack("{s:o, s:I, s:s}", "checker",
						    encode_address(&members[i].checker), "licences",
						    (json_int_t)members[i].licences, "mark",
						    WORD(mark_words, members[i].mark))) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

json_t *proof_json_base64(const void *bytes, size_t len)
{
	char *text = malloc(base64url_size(len) + 1);
	json_t *json;

	if (!text)
		return NULL;
	base64url_encode(bytes, len, text);
	json = json_string(text);
	free(text);
	return json;
}

static json_t *verdict_json(const struct proof_row *row)
{
	json_t *verdict = *row->verdict ? json_loads(row->verdict, 0, NULL) : NULL;

	return verdict ? verdict : json_null();
}

json_t *proof_json_whole(const struct proof_row *row, const struct proof_member *members, size_t n,
			 int64_t appeal_until_ms)
{
	json_t *json = proof_json(row, n);
	json_t *more = json_pack(
		"{s:{s:I, s:o, s:I}, s:o, s:o, s:o, s:o, s:I, s:o}", "beacon", "slot",
		(json_int_t)row->slot, "value", encode_bytes(row->beacon.bytes, HASH_SIZE), "chain",
		(json_int_t)row->chain, "members", members_json(members, n), "candidates",
		proof_json_base64(row->candidates, row->candidates_len), "session",
		proof_json_base64(row->session, SESSION_SIZE), "verdict", verdict_json(row),
		"own_bits", (json_int_t)row->own_bits, "appeal_until",
		encode_time(appeal_until_ms));

	if (!json || !more || json_object_update(json, more) < 0) {
		json_decref(json);
		json = NULL;
	}
	json_decref(more);
	return json;
}

static json_t *chain_json(const struct beacon_chain *chain)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "first", (json_int_t)chain->first, "slots",
			 (json_int_t)BEACON_SLOTS, "head",
			 encode_bytes(chain->head.bytes, HASH_SIZE), "signature",
			 encode_bytes(chain->signature, SIGNATURE_SIZE), "published_at",
			 encode_time(chain->published_ms));
}

json_t *proof_json_beacon(const struct beacon *beacon, const struct settings *settings)
{
	return json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "slot", (json_int_t)beacon->slot,
			 "slot_ms", (json_int_t)settings->beacon_slot_ms, "standby_ms",
			 (json_int_t)settings->proof_standby_ms, "value",
			 encode_bytes(beacon->value.bytes, HASH_SIZE), "chain",
			 chain_json(&beacon->chain), "next",
			 beacon->has_next ? chain_json(&beacon->next) : json_null());
}

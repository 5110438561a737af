/* GET /v1/probes (probes.h). Those that go on are not told: their machines would know them. */
#include "modules/proof/probes.h"

#include "modules/proof/probe_store.h"

/* Those of probes.h. */
static const char *const outcome_words[] = { "passed",  "failed",  "no_majority", "worker_gone",
					     "yielded", "not_run", "interrupted", NULL };

const struct field probes_fields[] = {
	{ "machine", FIELD_ADDRESS, offsetof(struct probes_query, machine) },
	{ "outcome", FIELD_WORD, offsetof(struct probes_query, outcome), .words = outcome_words,
	  .fallback = -1 },
	{ "cursor", FIELD_ID, offsetof(struct probes_query, cursor), .prefix = "prb" },
	{ "limit", FIELD_INT, offsetof(struct probes_query, limit), .min = 1, .max = 100,
	  .fallback = 50 },
	{ 0 },
};

static json_t *answers_json(const struct probe_answer *answers, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++) {
		const struct probe_answer *answer = &answers[i];
		json_t *passed = answer->passed < 0 ? json_null() : json_boolean(answer->passed);

		if (json_array_append_new(list,
					  json_pack("{s:o, s:o, s:I, s:I, s:s}", "checker",
						    encode_address(&answer->checker), "passed",
						    passed, "gpus", (json_int_t)answer->gpus,
						    "answer_ms", (json_int_t)answer->answer_ms,
						    "detail", answer->detail)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int add_probe(struct tx *tx, const struct probe_row *row, json_t *list)
{
	struct probe_answer *answers;
	char id[ID_TEXT_SIZE];
	json_t *item;
	size_t n;
	int r = probe_store_answers(tx, row->id, &answers, &n);

	if (r != 0)
		return r;
	probe_id_text(&row->id, id);
	item = json_pack("{s:s, s:o, s:I, s:s, s:s, s:o, s:o, s:o}", "id", id, "machine",
			 encode_address(&row->machine.address), "gpus", (json_int_t)row->gpus,
			 "outcome", row->outcome, "detail", row->detail, "at",
			 encode_time(row->started_ms), "ended_at", encode_time(row->ended_ms),
			 "answers", answers_json(answers, n));
	return json_array_append_new(list, item) < 0 ? -ENOMEM : 0;
}

int probes_get(struct request *request, struct tx *tx, struct reply *reply)
{
	static const struct address any;
	const struct probes_query *query = request->query;
	const struct machine_id machine = { query->machine };
	size_t n, shown, limit = (size_t)query->limit;
	struct probe_row *rows;
	char next[ID_TEXT_SIZE];
	json_t *list;
	int r = probe_store_list(tx, address_equal(&query->machine, &any) ? NULL : &machine,
				 query->outcome < 0 ? "" : outcome_words[query->outcome],
				 query->cursor, query->limit + 1, &rows, &n);

	if (r != 0)
		return r;
	list = json_array();
	shown = size_min(n, limit);
	r = list ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < shown; i++)
		r = add_probe(tx, &rows[i], list);
	if (r != 0) {
		json_decref(list);
		return r;
	}
	if (n > shown)
		probe_id_text(&rows[shown - 1].id, next);
	return reply_with(reply, 200,
			  json_pack("{s:o, s:s?}", "items", list, "next", n > shown ? next : NULL));
}

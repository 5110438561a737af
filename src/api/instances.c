#include "api/instances.h"

#include "api/instance_store.h"
#include "base/codec.h"

enum { OWN_ARENA_BYTES = 65536 };

const struct field ready_fields[] = {
	{ "duty", FIELD_TEXT, offsetof(struct ready_query, duty), .min = 1, .max = 32 },
	{ 0 },
};

const struct outcome_row api_outcomes[] = {
	{ API_E_ELSEWHERE, 503, "elsewhere",
	  "Another instance of the control plane does this, or takes it over now: a gateway finds "
	  "it; ask again." },
	{ 0 },
};

int get_ready(struct request *request, struct tx *tx _unused_, struct reply *reply)
{
	const struct ready_query *query = request->query;

	if (query->duty && *query->duty && !duty_held(request->context, query->duty))
		return API_E_ELSEWHERE;
	reply->text = "{\"ok\":true}";
	return 0;
}

struct owning {
	struct address network, is;
};

static int tx_own(struct tx *tx, void *arg)
{
	struct owning *owning = arg;

	return network_store_own(tx, &owning->network, &owning->is);
}

int instances_check_network(struct db *db, struct address network, struct address *ret_other)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct owning owning = { .network = network };
	int r = arena_new(OWN_ARENA_BYTES, &arena);

	if (r == 0)
		r = db_run(db, TX_WRITE, arena, tx_own, &owning);
	if (r != 0 || address_equal(&owning.is, &network))
		return r;
	*ret_other = owning.is;
	return API_E_ELSEWHERE;
}

static json_t *json_duties(const struct sql_rows *duties, const uint8_t instance[static 16])
{
	json_t *list = json_array();

	for (size_t i = 0; i < rows_count(duties); i++) {
		uint8_t holder[16];

		if (rows_bytes(duties, i, "instance", holder, sizeof(holder)) == 0 &&
		    memcmp(holder, instance, sizeof(holder)) == 0)
			json_array_append_new(
				list, json_pack("{s:s, s:I}", "duty", rows_text(duties, i, "name"),
						"token", (json_int_t)rows_int(duties, i, "token")));
	}
	return list;
}

static int append(json_t *list, const struct sql_rows *rows, size_t row,
		  const struct sql_rows *duties)
{
	struct instance_id id;
	char text[ID_TEXT_SIZE];
	json_t *item;
	int r = rows_bytes(rows, row, "id", id.bytes, sizeof(id.bytes));

	if (r != 0)
		return r;
	instance_id_text(&id, text);
	item = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "id", text, "url",
			 rows_text(rows, row, "url"), "state",
			 rows_int(rows, row, "state") ? "draining" : "serving", "modules",
			 rows_text(rows, row, "modules"), "version",
			 rows_text(rows, row, "version"), "started_at",
			 encode_time(rows_int(rows, row, "started_at")), "seen_at",
			 encode_time(rows_int(rows, row, "seen_at")), "duties",
			 json_duties(duties, id.bytes));
	return json_array_append_new(list, item) < 0 ? -ENOMEM : 0;
}

int get_instances(struct request *request _unused_, struct tx *tx, struct reply *reply)
{
	_cleanup_(json_decrefp) json_t *list = json_array();
	struct sql_rows *rows, *duties;
	int r = instance_store_list(tx, &rows);

	if (r == 0)
		r = duty_store_list(tx, &duties);
	for (size_t i = 0; r == 0 && list && i < rows_count(rows); i++)
		r = append(list, rows, i, duties);
	if (r != 0 || !list)
		return r != 0 ? r : -ENOMEM;
	return reply_with(reply, 200, json_pack("{s:O, s:n}", "items", list, "next"));
}

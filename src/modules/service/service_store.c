#include "modules/service/service_store.h"

#include "api/route.h"

#define COLUMNS                                                                               \
	"id, tenant, state, reason, detail, stop_reason, n_moves, attempts, lease, machine, " \
	"rate_micro, ports, exit_code, stop_timeout_ms, term_ms, pinned, probe, created_ms, " \
	"phase_ms, placed_ms, started_ms, ended_ms, expires_ms, kept, deleted_ms, check_ms"

static struct sql_value id_value(const struct rental_id *id)
{
	return sql_blob(id->bytes, sizeof(id->bytes));
}

static struct sql_value time_value(int64_t ms)
{
	return ms ? sql_int(ms) : sql_null();
}

static struct sql_value lease_value(const struct rental *rental)
{
	return rental->placed ? sql_blob(rental->lease.bytes, sizeof(rental->lease.bytes))
			      : sql_null();
}

static struct sql_value machine_value(const struct rental *rental)
{
	return rental->placed ? sql_blob(rental->machine.address.bytes,
					 sizeof(rental->machine.address.bytes))
			      : sql_null();
}

static const char *state_name(enum rental_state state)
{
	return rental_moves.names[state];
}

/* ---- ports: "8080:49153,22:0" ---- */

enum { PORTS_TEXT_SIZE = RENTAL_PORTS_MAX * 12 + 1 };

static void ports_text(const struct rental *rental, char ret_text[static PORTS_TEXT_SIZE])
{
	size_t used = 0;

	ret_text[0] = 0;
	for (size_t i = 0; i < rental->n_ports; i++)
		used += (size_t)snprintf(ret_text + used, PORTS_TEXT_SIZE - used, "%s%u:%u",
					 i ? "," : "", rental->ports[i].container,
					 rental->ports[i].host);
}

static void ports_parse(const char *text, struct rental *rental)
{
	while (*text && rental->n_ports < RENTAL_PORTS_MAX) {
		char *end;
		struct worker_port *port = &rental->ports[rental->n_ports++];

		port->container = (uint16_t)strtoul(text, &end, 10);
		port->host = *end == ':' ? (uint16_t)strtoul(end + 1, &end, 10) : 0;
		text = *end == ',' ? end + 1 : end;
	}
}

/* ---- reading ---- */

static int read_placement(const struct sql_rows *rows, size_t row, struct rental *rental)
{
	int r = 0;

	rental->placed = !rows_null(rows, row, "lease");
	if (rental->placed)
		r = rows_bytes(rows, row, "lease", rental->lease.bytes,
			       sizeof(rental->lease.bytes));
	if (r == 0 && rental->placed)
		r = rows_bytes(rows, row, "machine", rental->machine.address.bytes,
			       sizeof(rental->machine.address.bytes));
	rental->rate_hour.micro = rows_int(rows, row, "rate_micro");
	return r;
}

static void read_times(const struct sql_rows *rows, size_t row, struct rental *rental)
{
	rental->stop_timeout_ms = rows_int(rows, row, "stop_timeout_ms");
	rental->term_ms = rows_int(rows, row, "term_ms");
	rental->created_ms = rows_int(rows, row, "created_ms");
	rental->phase_ms = rows_int(rows, row, "phase_ms");
	rental->placed_ms = rows_int(rows, row, "placed_ms");
	rental->started_ms = rows_int(rows, row, "started_ms");
	rental->ended_ms = rows_int(rows, row, "ended_ms");
	rental->expires_ms = rows_int(rows, row, "expires_ms");
	rental->deleted_ms = rows_int(rows, row, "deleted_ms");
	rental->check_ms = rows_int(rows, row, "check_ms");
}

static int read_rental(const struct sql_rows *rows, size_t row, void *ret_item)
{
	struct rental *ret_rental = ret_item;
	struct rental rental = { .reason = RENTAL_REASON_NONE };
	int state = moves_find(&rental_moves, rows_text(rows, row, "state"));
	int r;

	if (state < 0)
		return -EIO;
	rental.state = (enum rental_state)state;
	r = rows_bytes(rows, row, "id", rental.id.bytes, sizeof(rental.id.bytes));
	if (r == 0)
		r = rows_bytes(rows, row, "tenant", rental.tenant.address.bytes,
			       sizeof(rental.tenant.address.bytes));
	if (r == 0)
		r = read_placement(rows, row, &rental);
	if (r < 0)
		return r;
	rental.reason = rental_reason_find(rows_text(rows, row, "reason"));
	rental.stop = rental_reason_find(rows_text(rows, row, "stop_reason"));
	rental.detail = rows_text(rows, row, "detail");
	rental.n_moves = rows_int(rows, row, "n_moves");
	rental.attempts = rows_int(rows, row, "attempts");
	rental.exited = !rows_null(rows, row, "exit_code");
	rental.exit_code = rows_int(rows, row, "exit_code");
	rental.pinned = rows_int(rows, row, "pinned") != 0;
	rental.probe = rows_int(rows, row, "probe") != 0;
	rental.kept = rows_int(rows, row, "kept") != 0;
	ports_parse(rows_text(rows, row, "ports"), &rental);
	read_times(rows, row, &rental);
	*ret_rental = rental;
	return 0;
}

static const struct row_reader rental_reader = { sizeof(struct rental), read_rental };

int store_rental(struct tx *tx, struct rental_id id, struct rental *ret_rental)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT " COLUMNS " FROM rentals WHERE id = $1",
			 SQL_PARAMS(id_value(&id)), &rows);

	if (r != 0)
		return r;
	if (rows_count(rows) == 0)
		return ROUTE_E_NOT_FOUND;
	return read_rental(rows, 0, ret_rental);
}

int store_order(struct tx *tx, struct rental_id id, struct order *ret_order)
{
	struct sql_rows *rows;
	int r = tx_query(tx, "SELECT body FROM rental_orders WHERE rental = $1",
			 SQL_PARAMS(id_value(&id)), &rows);

	if (r != 0)
		return r;
	if (rows_count(rows) == 0)
		return -EIO;
	return order_decode(rows_text(rows, 0, "body"), tx_arena(tx), ret_order);
}

int store_rentals(struct tx *tx, const struct rental_page *page, struct rental **ret_rentals,
		  size_t *ret_n)
{
	static const struct rental_id none;
	struct rental_id before = page->before;
	if (rental_id_equal(before, none))
		memset(before.bytes, 0xff, sizeof(before.bytes));

	return tx_select(
		tx,
		"SELECT " COLUMNS " FROM rentals WHERE tenant = $1 AND id < $2 AND "
		"deleted_ms IS NULL AND ($3 = '' OR state = $3) ORDER BY id DESC LIMIT $4",
		SQL_PARAMS(sql_blob(page->tenant.address.bytes, sizeof(page->tenant.address.bytes)),
			   id_value(&before),
			   sql_text(page->state < 0 ? "" : rental_moves.names[page->state]),
			   sql_int(page->limit)),
		&rental_reader, ret_rentals, ret_n);
}

int store_live_count(struct tx *tx, struct account_id tenant, int64_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(
		tx, "SELECT count(*) AS n FROM rentals WHERE tenant = $1 AND ended_ms IS NULL",
		SQL_PARAMS(sql_blob(tenant.address.bytes, sizeof(tenant.address.bytes))), &rows);

	if (r != 0)
		return r;
	*ret_n = rows_int(rows, 0, "n");
	return 0;
}

/* ---- writing ---- */

int store_rental_insert(struct tx *tx, const struct rental *rental, const struct order *order)
{
	const char *body;
	int r = order_encode(order, tx_arena(tx), &body);

	if (r == 0)
		r = tx_exec(tx,
			    "INSERT INTO rentals (id, tenant, state, reason, detail, stop_reason, "
			    "n_moves, attempts, rate_micro, ports, stop_timeout_ms, term_ms, "
			    "pinned, probe, created_ms, phase_ms, kept) VALUES ($1, $2, $3, '', "
			    "'', '', 0, 0, 0, '', $4, $5, $6, $7, $8, $8, 0)",
			    SQL_PARAMS(id_value(&rental->id),
				       sql_blob(rental->tenant.address.bytes,
						sizeof(rental->tenant.address.bytes)),
				       sql_text(state_name(rental->state)),
				       sql_int(rental->stop_timeout_ms), sql_int(rental->term_ms),
				       sql_int(rental->pinned), sql_int(rental->probe),
				       sql_int(rental->created_ms)),
			    NULL);
	if (r == 0)
		r = tx_exec(tx, "INSERT INTO rental_orders (rental, body) VALUES ($1, $2)",
			    SQL_PARAMS(id_value(&rental->id), sql_text(body)), NULL);
	return r > 0 ? -EIO : r;
}

static int update(struct tx *tx, const struct rental *rental, int64_t n_moves)
{
	char ports[PORTS_TEXT_SIZE];
	int64_t changed;
	int r;

	ports_text(rental, ports);
	r = tx_exec(tx,
		    "UPDATE rentals SET state = $1, reason = $2, detail = $3, stop_reason = $4, "
		    "attempts = $5, lease = $6, machine = $7, rate_micro = $8, ports = $9, "
		    "exit_code = $10, phase_ms = $11, placed_ms = $12, started_ms = $13, "
		    "ended_ms = $14, expires_ms = $15, kept = $16, deleted_ms = $17, "
		    "check_ms = $18, n_moves = $19 WHERE id = $20 AND n_moves = $21",
		    SQL_PARAMS(sql_text(state_name(rental->state)),
			       sql_text(rental_reason_row(rental->reason)->name),
			       sql_text(rental->detail),
			       sql_text(rental_reason_row(rental->stop)->name),
			       sql_int(rental->attempts), lease_value(rental),
			       machine_value(rental), sql_int(rental->rate_hour.micro),
			       sql_text(ports),
			       rental->exited ? sql_int(rental->exit_code) : sql_null(),
			       sql_int(rental->phase_ms), time_value(rental->placed_ms),
			       time_value(rental->started_ms), time_value(rental->ended_ms),
			       time_value(rental->expires_ms), sql_int(rental->kept),
			       time_value(rental->deleted_ms), time_value(rental->check_ms),
			       sql_int(n_moves), id_value(&rental->id), sql_int(rental->n_moves)),
		    &changed);
	if (r != 0)
		return r > 0 ? -EIO : r;
	return changed == 1 ? 0 : -EAGAIN;
}

int store_rental_update(struct tx *tx, const struct rental *rental)
{
	return update(tx, rental, rental->n_moves);
}

int store_rental_move(struct tx *tx, struct rental *rental, const struct rental_move *move)
{
	int r = update(tx, rental, rental->n_moves + 1);

	if (r != 0)
		return r;
	rental->n_moves++;
	r = tx_exec(tx,
		    "INSERT INTO rental_moves (rental, move, at_ms, from_state, to_state, reason, "
		    "caused_by, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
		    SQL_PARAMS(id_value(&rental->id), sql_int(rental->n_moves),
			       sql_int(move->at_ms),
			       sql_text(move->first ? "" : state_name(move->from)),
			       sql_text(state_name(move->to)), sql_text(move->reason),
			       sql_text(move->caused_by), sql_text(move->detail)),
		    NULL);
	return r > 0 ? -EAGAIN : r;
}

static int read_move(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct rental_move *move = ret_item;
	int from = moves_find(&rental_moves, rows_text(rows, i, "from_state"));

	*move = (struct rental_move){
		.from = (enum rental_state)(from < 0 ? 0 : from),
		.to = (enum rental_state)moves_find(&rental_moves, rows_text(rows, i, "to_state")),
		.first = from < 0,
		.at_ms = rows_int(rows, i, "at_ms"),
		.reason = rows_text(rows, i, "reason"),
		.caused_by = rows_text(rows, i, "caused_by"),
		.detail = rows_text(rows, i, "detail"),
	};
	return 0;
}

static const struct row_reader move_reader = { sizeof(struct rental_move), read_move };

int store_moves(struct tx *tx, struct rental_id id, struct rental_move **ret_moves, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT at_ms, from_state, to_state, reason, caused_by, detail "
			 "FROM rental_moves WHERE rental = $1 ORDER BY move",
			 SQL_PARAMS(id_value(&id)), &move_reader, ret_moves, ret_n);
}

/* ---- attempts ---- */

int store_attempt_insert(struct tx *tx, const struct rental *rental)
{
	int r = tx_exec(tx,
			"INSERT INTO rental_attempts (rental, attempt, lease, machine) "
			"VALUES ($1, $2, $3, $4)",
			SQL_PARAMS(id_value(&rental->id), sql_int(rental->attempts),
				   lease_value(rental), machine_value(rental)),
			NULL);

	return r > 0 ? -EAGAIN : r;
}

int store_attempt_machines(struct tx *tx, struct rental_id id, size_t max,
			   struct machine_id *ret_machines, size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT machine FROM rental_attempts WHERE rental = $1 "
			 "ORDER BY attempt DESC LIMIT $2",
			 SQL_PARAMS(id_value(&id), sql_int((int64_t)max)), &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = rows_bytes(rows, i, "machine", ret_machines[i].address.bytes,
			       sizeof(ret_machines[i].address.bytes));
	if (r == 0)
		*ret_n = rows_count(rows);
	return r;
}

/* ---- what to look at ---- */

int store_mark_due(struct tx *tx, struct rental_id id, enum rental_reason stop, int64_t now_ms)
{
	int r = tx_exec(tx, "UPDATE rentals SET check_ms = $1 WHERE id = $2",
			SQL_PARAMS(sql_int(now_ms), id_value(&id)), NULL);

	if (r == 0 && stop != RENTAL_REASON_NONE)
		r = tx_exec(tx,
			    "UPDATE rentals SET stop_reason = $1 "
			    "WHERE id = $2 AND stop_reason = '' AND ended_ms IS NULL",
			    SQL_PARAMS(sql_text(rental_reason_row(stop)->name), id_value(&id)),
			    NULL);
	return r;
}

int store_due(struct tx *tx, int64_t now_ms, size_t max, struct rental_id *ret_ids, size_t *ret_n)
{
	struct sql_rows *rows;
	int r = tx_query(tx,
			 "SELECT id FROM rentals WHERE check_ms <= $1 ORDER BY check_ms LIMIT $2",
			 SQL_PARAMS(sql_int(now_ms), sql_int((int64_t)max)), &rows);

	for (size_t i = 0; r == 0 && i < rows_count(rows); i++)
		r = rows_bytes(rows, i, "id", ret_ids[i].bytes, sizeof(ret_ids[i].bytes));
	if (r == 0)
		*ret_n = rows_count(rows);
	return r;
}

int store_defer(struct tx *tx, struct rental_id id, int64_t check_ms)
{
	return tx_exec(tx, "UPDATE rentals SET check_ms = $1 WHERE id = $2",
		       SQL_PARAMS(sql_int(check_ms), id_value(&id)), NULL);
}

/* ---- templates ---- */

static int read_template(const struct sql_rows *rows, size_t i, void *ret_item)
{
	struct template_row *template = ret_item;

	*template = (struct template_row){
		.name = rows_text(rows, i, "name"),
		.title = rows_text(rows, i, "title"),
		.description = rows_text(rows, i, "description"),
		.body = rows_text(rows, i, "body"),
	};
	return 0;
}

static const struct row_reader template_reader = { sizeof(struct template_row), read_template };

int store_templates(struct tx *tx, const char *name, struct template_row **ret_rows, size_t *ret_n)
{
	return tx_select(tx,
			 "SELECT name, title, description, body FROM templates "
			 "WHERE $1 = '' OR name = $1 ORDER BY name",
			 SQL_PARAMS(sql_text(name ? name : "")), &template_reader, ret_rows, ret_n);
}

#include "io/db_driver.h"

struct sql_row {
	struct sql_row *next;
	struct sql_value cells[];
};

struct sql_rows {
	const char **columns;
	size_t n_columns;
	struct sql_row *first, *last;
	struct sql_row **rows; /* the list as an array, once it is complete */
	size_t n_rows;
};

int rows_new(struct arena *arena, size_t n_columns, struct sql_rows **ret_rows)
{
	struct sql_rows *rows = arena_alloc(arena, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	rows->n_columns = n_columns;
	if (n_columns > 0) {
		rows->columns = arena_array(arena, n_columns, sizeof(*rows->columns));
		if (!rows->columns)
			return -ENOMEM;
	}
	*ret_rows = rows;
	return 0;
}

int rows_name(struct arena *arena, struct sql_rows *rows, size_t column, const char *name)
{
	rows->columns[column] = arena_text(arena, name, strlen(name));
	return rows->columns[column] ? 0 : -ENOMEM;
}

int rows_add(struct arena *arena, struct sql_rows *rows, struct sql_value **ret_cells)
{
	struct sql_row *row;

	if (rows->n_rows == SQL_ROWS_MAX)
		return -E2BIG;
	row = arena_alloc(arena, sizeof(*row) + rows->n_columns * sizeof(row->cells[0]));
	if (!row)
		return -ENOMEM;
	if (rows->last)
		rows->last->next = row;
	else
		rows->first = row;
	rows->last = row;
	rows->n_rows++;
	*ret_cells = row->cells;
	return 0;
}

int rows_set(struct arena *arena, struct sql_value *cell, enum sql_type type, const void *bytes,
	     size_t len)
{
	char *copy = arena_text(arena, len > 0 ? bytes : "", len);

	if (!copy)
		return -ENOMEM;
	*cell = (struct sql_value){ .type = type, .bytes = copy, .len = len };
	return 0;
}

int rows_finish(struct arena *arena, struct sql_rows *rows)
{
	size_t i = 0;

	if (rows->n_rows == 0)
		return 0;
	rows->rows = arena_array(arena, rows->n_rows, sizeof(*rows->rows));
	if (!rows->rows)
		return -ENOMEM;
	for (struct sql_row *row = rows->first; row; row = row->next)
		rows->rows[i++] = row;
	return 0;
}

size_t rows_count(const struct sql_rows *rows)
{
	return rows->n_rows;
}

static _Noreturn void rows_bug(const char *column, const char *problem)
{
	fprintf(stderr, "bug: column \"%s\": %s\n", column, problem);
	abort();
}

static const struct sql_value *rows_cell(const struct sql_rows *rows, size_t row,
					 const char *column)
{
	if (row >= rows->n_rows)
		rows_bug(column, "read past the last row");
	for (size_t i = 0; i < rows->n_columns; i++)
		if (strcmp(rows->columns[i], column) == 0)
			return &rows->rows[row]->cells[i];
	rows_bug(column, "the statement does not return it");
}

static const struct sql_value *rows_typed_cell(const struct sql_rows *rows, size_t row,
					       const char *column, enum sql_type type)
{
	const struct sql_value *cell = rows_cell(rows, row, column);

	if (cell->type != type && cell->type != SQL_NULL)
		rows_bug(column, "read as another type than it has");
	return cell;
}

int64_t rows_int(const struct sql_rows *rows, size_t row, const char *column)
{
	return rows_typed_cell(rows, row, column, SQL_INT)->number;
}

const char *rows_text(const struct sql_rows *rows, size_t row, const char *column)
{
	return rows_typed_cell(rows, row, column, SQL_TEXT)->bytes;
}

const void *rows_blob(const struct sql_rows *rows, size_t row, const char *column, size_t *ret_len)
{
	const struct sql_value *cell = rows_typed_cell(rows, row, column, SQL_BLOB);

	*ret_len = cell->len;
	return cell->bytes;
}

bool rows_null(const struct sql_rows *rows, size_t row, const char *column)
{
	return rows_cell(rows, row, column)->type == SQL_NULL;
}

int rows_bytes(const struct sql_rows *rows, size_t row, const char *column, void *ret_bytes,
	       size_t size)
{
	const struct sql_value *cell = rows_typed_cell(rows, row, column, SQL_BLOB);

	if (cell->type == SQL_NULL) {
		memset(ret_bytes, 0, size);
		return 0;
	}
	if (cell->len != size) {
		db_log_failure("db_blob_length", column, "not as long as it must be");
		return -EIO;
	}
	memcpy(ret_bytes, cell->bytes, size);
	return 0;
}

int tx_select(struct tx *tx, const char *sql, const struct sql_value *params, size_t n_params,
	      const struct row_reader *reader, void *ret_items, size_t *ret_n)
{
	struct sql_rows *rows;
	char *items;
	int r = tx_query(tx, sql, params, n_params, &rows);

	if (r != 0)
		return r > 0 ? -EIO : r; /* no SELECT breaks a rule */
	items = arena_array(tx_arena(tx), rows->n_rows + 1, reader->size);
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < rows->n_rows; i++)
		r = reader->read(rows, i, items + i * reader->size);
	if (r != 0)
		return r;
	/* All pointers to objects look alike here; their types are the caller's. */
	memcpy(ret_items, &items, sizeof(items));
	*ret_n = rows->n_rows;
	return 0;
}

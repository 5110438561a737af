#include <endian.h>

#include "io/db_postgres.h"

/* From PostgreSQL's catalogue pg_type, which never renumbers. */
enum {
	OID_UNKNOWN = 705,
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_VARCHAR = 1043,
	OID_NUMERIC = 1700,
};

/* ---- parameters ---- */

static void param_set(struct pg_params *params, size_t i, Oid type, const void *bytes, size_t len)
{
	params->types[i] = type;
	params->values[i] = bytes;
	params->lengths[i] = (int)len;
	params->formats[i] = 1;
}

int pg_params_set(struct pg_params *params, const struct sql_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sql_value *value = &values[i];

		if (value->len > INT_MAX)
			return -E2BIG;
		switch (value->type) {
		case SQL_NULL:
			/* Of no type: the statement decides. */
			param_set(params, i, 0, NULL, 0);
			break;
		case SQL_INT:
			params->numbers[i] = htobe64((uint64_t)value->number);
			param_set(params, i, OID_INT8, &params->numbers[i], 8);
			break;
		case SQL_TEXT:
			param_set(params, i, OID_TEXT, value->bytes, value->len);
			break;
		case SQL_BLOB:
			param_set(params, i, OID_BYTEA, value->len > 0 ? value->bytes : "",
				  value->len);
			break;
		}
	}
	params->n = (int)n;
	return 0;
}

/* ---- results ---- */

static uint16_t be16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static int64_t be_signed(const uint8_t *bytes, int len)
{
	uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;

	for (int i = 0; i < len; i++)
		value = value << 8 | bytes[i];
	return (int64_t)value;
}

/* sum() of BIGINT is NUMERIC: digits of base 10000, the first worth 10000^weight. */
static int numeric_to_int(const uint8_t *bytes, int len, int64_t *ret_number)
{
	enum { NUMERIC_POSITIVE = 0, NUMERIC_NEGATIVE = 0x4000 };
	int n, weight, sign;
	__int128 value = 0;

	if (len < 8)
		return -EIO;
	n = be16(bytes);
	weight = (int16_t)be16(bytes + 2);
	sign = be16(bytes + 4);
	if (len < 8 + 2 * n || (sign != NUMERIC_POSITIVE && sign != NUMERIC_NEGATIVE))
		return -EIO;
	/* Digits behind the point, or more than 20 before it. Zero has no digits at all. */
	if (n > 0 && (n > weight + 1 || weight > 4))
		return -ERANGE;
	for (int i = 0; n > 0 && i <= weight; i++)
		value = value * 10000 + (i < n ? be16(bytes + 8 + 2 * i) : 0);
	if (sign == NUMERIC_NEGATIVE)
		value = -value;
	if (value < INT64_MIN || value > INT64_MAX)
		return -ERANGE;
	*ret_number = (int64_t)value;
	return 0;
}

static int read_value(struct arena *arena, Oid type, const void *bytes, int len,
		      struct sql_value *cell)
{
	int64_t number = 0;
	int r = 0;

	switch (type) {
	case OID_INT8:
	case OID_INT4:
	case OID_INT2:
	case OID_BOOL:
		number = type == OID_BOOL ? *(const char *)bytes != 0 : be_signed(bytes, len);
		break;
	case OID_NUMERIC:
		r = numeric_to_int(bytes, len, &number);
		break;
	case OID_TEXT:
	case OID_VARCHAR:
	case OID_NAME:
	case OID_UNKNOWN:
		return rows_set(arena, cell, SQL_TEXT, bytes, (size_t)len);
	case OID_BYTEA:
		return rows_set(arena, cell, SQL_BLOB, bytes, (size_t)len);
	default:
		r = -EIO;
	}
	if (r == 0)
		*cell = sql_int(number);
	return r;
}

static int read_row(struct arena *arena, const PGresult *result, int row, struct sql_rows *rows)
{
	struct sql_value *cells;
	int n = PQnfields(result);
	int r;

	r = rows_add(arena, rows, &cells);
	for (int i = 0; r == 0 && i < n; i++) {
		if (PQgetisnull(result, row, i))
			continue;
		r = read_value(arena, PQftype(result, i), PQgetvalue(result, row, i),
			       PQgetlength(result, row, i), &cells[i]);
		if (r == -EIO || r == -ERANGE) {
			db_log_failure("sql_type", PQfname(result, i),
				       "neither BIGINT, TEXT nor BYTEA");
			return -EIO;
		}
	}
	return r;
}

int pg_read_rows(struct arena *arena, const PGresult *result, struct sql_rows **ret_rows)
{
	int n_rows = PQntuples(result), n_columns = PQnfields(result);
	struct sql_rows *rows;
	int r;

	r = rows_new(arena, (size_t)n_columns, &rows);
	for (int i = 0; r == 0 && i < n_columns; i++)
		r = rows_name(arena, rows, (size_t)i, PQfname(result, i));
	for (int row = 0; r == 0 && row < n_rows; row++)
		r = read_row(arena, result, row, rows);
	if (r == 0)
		r = rows_finish(arena, rows);
	if (r == 0)
		*ret_rows = rows;
	return r;
}

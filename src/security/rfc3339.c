#include "security/rfc3339.h"

#include <time.h>

enum { FRACTION_MAX = 9, DAY_S = 86400 };

#define MS_MAX INT64_C(253402300799999) /* the last millisecond of 9999 */

struct reader {
	const char *at, *end;
};

static bool read_literal(struct reader *reader, char c)
{
	if (reader->at == reader->end || *reader->at != c)
		return false;
	reader->at++;
	return true;
}

/* Exactly @digits decimal digits. */
static bool read_number(struct reader *reader, int digits, int min, int max, int *ret_number)
{
	int number = 0;

	if (reader->end - reader->at < digits)
		return false;
	for (int i = 0; i < digits; i++) {
		char c = *reader->at++;

		if (c < '0' || c > '9')
			return false;
		number = number * 10 + (c - '0');
	}
	*ret_number = number;
	return number >= min && number <= max;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static int64_t days_before_year(int year)
{
	int64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400;
}

static int64_t days_since_1970(int year, int month, int day)
{
	int64_t days = days_before_year(year) - days_before_year(1970);

	for (int m = 1; m < month; m++)
		days += days_in_month(year, m);
	return days + day - 1;
}

static bool read_date(struct reader *reader, int64_t *ret_days)
{
	int year, month, day;

	if (!read_number(reader, 4, 1970, 9999, &year) || !read_literal(reader, '-') ||
	    !read_number(reader, 2, 1, 12, &month) || !read_literal(reader, '-') ||
	    !read_number(reader, 2, 1, days_in_month(year, month), &day))
		return false;
	*ret_days = days_since_1970(year, month, day);
	return true;
}

static bool read_fraction(struct reader *reader, int *ret_ms)
{
	int digits = 0, ms = 0;

	*ret_ms = 0;
	if (!read_literal(reader, '.'))
		return true;
	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++)
		if (digits++ < 3)
			ms = ms * 10 + (*reader->at - '0');
	for (int i = digits; i < 3; i++)
		ms *= 10;
	*ret_ms = ms;
	return digits >= 1 && digits <= FRACTION_MAX;
}

static bool read_offset(struct reader *reader, int *ret_minutes)
{
	int sign = 1, hours, minutes;

	if (read_literal(reader, 'Z')) {
		*ret_minutes = 0;
		return true;
	}
	if (read_literal(reader, '-'))
		sign = -1;
	else if (!read_literal(reader, '+'))
		return false;
	if (!read_number(reader, 2, 0, 23, &hours) || !read_literal(reader, ':') ||
	    !read_number(reader, 2, 0, 59, &minutes))
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

int rfc3339_parse(const char *text, size_t len, int64_t *ret_ms)
{
	struct reader reader = { text, text + len };
	int hour, minute, second, fraction_ms, offset;
	int64_t days, ms;

	if (!read_date(&reader, &days) || !read_literal(&reader, 'T') ||
	    !read_number(&reader, 2, 0, 23, &hour) || !read_literal(&reader, ':') ||
	    !read_number(&reader, 2, 0, 59, &minute) || !read_literal(&reader, ':') ||
	    !read_number(&reader, 2, 0, 59, &second) || !read_fraction(&reader, &fraction_ms) ||
	    !read_offset(&reader, &offset) || reader.at != reader.end)
		return -EINVAL;
	ms = days * DAY_S + hour * 3600 + (minute - offset) * 60 + second;
	ms = ms * 1000 + fraction_ms;
	if (ms < 0 || ms > MS_MAX)
		return -EINVAL;
	*ret_ms = ms;
	return 0;
}

int rfc3339_text(int64_t ms, char ret_text[static RFC3339_TEXT_SIZE])
{
	time_t seconds = (time_t)(ms / 1000);
	int fraction = (int)(ms % 1000);
	struct tm tm;
	size_t n;

	if (ms < 0 || ms > MS_MAX || !gmtime_r(&seconds, &tm))
		return -EINVAL;
	n = strftime(ret_text, RFC3339_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction)
		n += (size_t)snprintf(ret_text + n, RFC3339_TEXT_SIZE - n, ".%03d", fraction);
	snprintf(ret_text + n, RFC3339_TEXT_SIZE - n, "Z");
	return 0;
}

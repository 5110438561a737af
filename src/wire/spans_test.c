#include "wire/spans.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/random.h"

enum { HOUR_S = SPANS_HOUR_S, LISTS = 9, ROUNDS = 3000 };

static uint32_t below(struct random *random, uint32_t bound)
{
	uint32_t value;

	assert_int_equal(random_fill(random, &value, sizeof(value)), 0);
	return value % bound;
}

/* Some up to the hour's very end, some that touch, some of one second. */
static struct spans draw(struct random *random)
{
	struct spans spans = { 0 };
	uint32_t at = below(random, 2) ? 0 : below(random, HOUR_S);

	while (spans.n < SPANS_MAX && at < HOUR_S && below(random, 8) > 0) {
		uint32_t len = below(random, 2) ? 1 : 1 + below(random, 600);
		uint32_t until = at + len < HOUR_S ? at + len : HOUR_S;

		spans.items[spans.n++] = (struct span){ (uint16_t)at, (uint16_t)until };
		at = until + (below(random, 3) ? below(random, 500) : 0);
	}
	return spans;
}

static bool has(const struct spans *spans, uint32_t second)
{
	for (size_t i = 0; i < spans->n; i++)
		if (second >= spans->items[i].from_s && second < spans->items[i].until_s)
			return true;
	return false;
}

/* Second by second, by asking each list. */
static void shared_seconds_are_those_of_enough_lists(void **state _unused_)
{
	struct random_seeded random;
	size_t cut = 0, seconds = 0;

	random_seeded_init(&random, 11);
	for (int round = 0; round < ROUNDS; round++) {
		size_t n = below(&random.random, LISTS + 1),
		       needed = 1 + below(&random.random, (uint32_t)n + 1);
		struct spans lists[LISTS], shared, again;
		uint8_t bytes[SPANS_BYTES_MAX];
		uint32_t last;

		for (size_t i = 0; i < n; i++)
			lists[i] = draw(&random.random);
		spans_shared(lists, n, needed, &shared);
		assert_int_equal(spans_decode(bytes, spans_encode(&shared, bytes), HOUR_S, &again),
				 0);
		last = shared.n == SPANS_MAX ? shared.items[SPANS_MAX - 1].until_s : HOUR_S;
		cut += last < HOUR_S;
		for (uint32_t second = 0; second < last; second++) {
			size_t have = 0;

			for (size_t i = 0; i < n; i++)
				have += has(&lists[i], second);
			assert_int_equal(has(&shared, second), have >= needed);
			seconds += have >= needed;
		}
	}
	assert_true(cut > 0 && seconds > 0);
}

static void what_is_encoded_is_read_again(void **state _unused_)
{
	struct random_seeded random;

	random_seeded_init(&random, 12);
	for (int round = 0; round < ROUNDS; round++) {
		struct spans spans = draw(&random.random), again;
		uint8_t bytes[SPANS_BYTES_MAX], longer[SPANS_BYTES_MAX];
		size_t len = spans_encode(&spans, bytes);

		assert_int_equal(spans_decode(bytes, len, HOUR_S, &again), 0);
		assert_int_equal(again.n, spans.n);
		assert_int_equal(spans_encode(&again, longer), len);
		assert_memory_equal(bytes, longer, len);
	}
}

static void refused(size_t n, const struct span *items, int64_t seconds)
{
	struct spans spans = { .n = n };
	uint8_t bytes[SPANS_BYTES_MAX];

	memcpy(spans.items, items, n * sizeof(*items));
	assert_int_equal(spans_decode(bytes, spans_encode(&spans, bytes), seconds, &spans),
			 -EBADMSG);
}

static void what_is_no_spans_is_refused(void **state _unused_)
{
	uint8_t bytes[SPANS_BYTES_MAX + 4] = { 0 };
	struct spans spans;

	refused(1, (struct span[]){ { 5, 5 } }, HOUR_S);
	refused(1, (struct span[]){ { 6, 5 } }, HOUR_S);
	refused(1, (struct span[]){ { 0, HOUR_S + 1 } }, HOUR_S);
	refused(1, (struct span[]){ { 0, 11 } }, 10);
	refused(2, (struct span[]){ { 0, 3 }, { 2, 4 } }, HOUR_S);
	refused(2, (struct span[]){ { 7, 8 }, { 1, 2 } }, HOUR_S);
	for (uint8_t i = 0; i <= SPANS_MAX; i++)
		bytes[4 * i + 1] = 2 * i, bytes[4 * i + 3] = 2 * i + 1;
	assert_int_equal(spans_decode(bytes, SPANS_BYTES_MAX, HOUR_S, &spans), 0);
	assert_int_equal(spans_decode(bytes, sizeof(bytes), HOUR_S, &spans), -EBADMSG);
	for (size_t len = 1; len < 4; len++)
		assert_int_equal(spans_decode(bytes, len, HOUR_S, &spans), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_seconds_are_those_of_enough_lists),
		cmocka_unit_test(what_is_encoded_is_read_again),
		cmocka_unit_test(what_is_no_spans_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

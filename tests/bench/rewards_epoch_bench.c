/* rewards_epoch_bench.c - milliseconds of one core from an epoch's records to its payouts, both as text, as
 * `kaisar rewards recompute` does it: rewards_epoch_bench RECORDS PAYOUTS. Writes the payouts, prints
 * the time, the median of five. */
#include "base/base.h"

#include <time.h>

#include "rewards/epoch_text.h"

enum { ROUNDS = 5 };

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static char *read_file(const char *path, size_t *ret_len)
{
	char *text = malloc(EPOCH_TEXT_MAX);
	FILE *file = fopen(path, "re");

	if (text && file)
		*ret_len = fread(text, 1, EPOCH_TEXT_MAX, file);
	if (file)
		fclose(file);
	return file ? text : NULL;
}

static int write_file(const char *path, const char *text, size_t len)
{
	FILE *file = fopen(path, "we");
	size_t written = file ? fwrite(text, 1, len, file) : 0;

	return !file || fclose(file) != 0 || written != len ? -EIO : 0;
}

static int by_value(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static int measure(const char *records, size_t len, const char *path)
{
	double times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		_cleanup_(freep) char *payouts = NULL;
		struct epoch_fault fault = { "" };
		double began = cpu_ms();
		size_t payouts_len;
		int r = epoch_recompute(records, len, &payouts, &payouts_len, &fault);

		times[i] = cpu_ms() - began;
		if (r == 0 && i == 0)
			r = write_file(path, payouts, payouts_len);
		if (r != 0) {
			fprintf(stderr, "rewards_epoch_bench: %d %s\n", r, fault.text);
			return r;
		}
	}
	qsort(times, ROUNDS, sizeof(times[0]), by_value);
	printf("%.2f\n", times[ROUNDS / 2]);
	return 0;
}

int main(int argc, char **argv)
{
	_cleanup_(freep) char *records = NULL;
	size_t len = 0;

	if (argc != 3) {
		fprintf(stderr, "usage: rewards_epoch_bench RECORDS PAYOUTS\n");
		return 2;
	}
	records = read_file(argv[1], &len);
	if (!records) {
		perror(argv[1]);
		return 1;
	}
	return measure(records, len, argv[2]) == 0 ? 0 : 1;
}

/* replay.c - runs a target on every file of the folders given: the seeds, where there is no
 * libFuzzer. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long len;

	if (!file)
		return -1;
	fseek(file, 0, SEEK_END);
	len = ftell(file);
	rewind(file);
	/* Exactly as long as the input, so that a byte read too far is seen. */
	bytes = malloc(len > 0 ? (size_t)len : 1);
	if (!bytes || fread(bytes, 1, (size_t)len, file) != (size_t)len) {
		free(bytes);
		fclose(file);
		return -1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
	return 0;
}

static int replay_folder(const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;
	int n = 0;

	while (entries && (entry = readdir(entries))) {
		char path[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (replay(path) < 0) {
			perror(path);
			closedir(entries);
			return -1;
		}
		n++;
	}
	if (entries)
		closedir(entries);
	printf("%s: %d inputs\n", folder, n);
	return n > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay_folder(argv[i]) < 0)
			return 1;
	return 0;
}

#include "modules/worker/gpu_name.h"

#include <ctype.h>

/* Keys are what is left of a name without case, spaces, dashes and makers' brand words. The
 * canonical name is a key of its own row without being listed. */
struct gpu_model {
	const char *name;
	const char *keys; /* separated by spaces */
};

static const struct gpu_model gpu_models[] = {
	{ "nvidia-b200-sxm-180gb", "b200 b200180gbhbm3e b200sxm b200192gb" },
	{ "nvidia-h200-sxm-141gb", "h200 h200sxm h200141gb h200141gbhbm3e" },
	{ "nvidia-h200-nvl-141gb", "h200nvl" },
	{ "nvidia-h100-sxm-80gb", "h100 h100sxm h100sxm5 h10080gbhbm3 h10080gb h100sxm580gb" },
	{ "nvidia-h100-pcie-80gb", "h100pcie" },
	{ "nvidia-h100-nvl-94gb", "h100nvl" },
	{ "nvidia-gh200-96gb", "gh200 gh200480gb" },
	{ "nvidia-h20-96gb", "h20" },
	{ "nvidia-a100-sxm-80gb",
	  "a100 a100sxm a100sxm4 a100sxm480gb a100sxm64gb a10080gb a100sxm80gb" },
	{ "nvidia-a100-sxm-40gb", "a100sxm440gb a100sxm40gb a10040gb" },
	{ "nvidia-a100-pcie-80gb", "a100pcie a10080gbpcie" },
	{ "nvidia-a100-pcie-40gb", "a10040gbpcie" },
	{ "nvidia-a800-sxm-80gb", "a800 a800sxm480gb" },
	{ "nvidia-h800-sxm-80gb", "h800 h80080gbhbm3" },
	{ "nvidia-l40s", "" },
	{ "nvidia-l40", "" },
	{ "nvidia-l4", "" },
	{ "nvidia-a40", "" },
	{ "nvidia-a30", "" },
	{ "nvidia-a16", "" },
	{ "nvidia-a10", "" },
	{ "nvidia-a10g", "" },
	{ "nvidia-a2", "" },
	{ "nvidia-t4", "" },
	{ "nvidia-t4g", "" },
	{ "nvidia-p4", "" },
	{ "nvidia-p40", "" },
	{ "nvidia-p100-pcie-16gb", "p100 p100pcie" },
	{ "nvidia-v100-sxm-16gb", "v100 v100sxm v100sxm2 v100sxm216gb v10016gb" },
	{ "nvidia-v100-sxm-32gb", "v100sxm232gb v100sxm332gb v10032gb" },
	{ "nvidia-v100-pcie-16gb", "v100pcie" },
	{ "nvidia-v100-pcie-32gb", "" },
	{ "nvidia-rtx-5090", "5090" },
	{ "nvidia-rtx-5090-d", "rtx5090d" },
	{ "nvidia-rtx-5080", "5080" },
	{ "nvidia-rtx-5070-ti", "5070ti" },
	{ "nvidia-rtx-5070", "5070" },
	{ "nvidia-rtx-5060-ti", "5060ti" },
	{ "nvidia-rtx-4090", "4090" },
	{ "nvidia-rtx-4090-d", "4090d" },
	{ "nvidia-rtx-4080-super", "4080super 4080s rtx4080s" },
	{ "nvidia-rtx-4080", "4080" },
	{ "nvidia-rtx-4070-ti-super", "4070tisuper 4070tis rtx4070tis" },
	{ "nvidia-rtx-4070-super", "4070super 4070s rtx4070s" },
	{ "nvidia-rtx-4070-ti", "4070ti" },
	{ "nvidia-rtx-4070", "4070" },
	{ "nvidia-rtx-4060-ti", "4060ti" },
	{ "nvidia-rtx-4060", "4060" },
	{ "nvidia-rtx-3090-ti", "3090ti" },
	{ "nvidia-rtx-3090", "3090" },
	{ "nvidia-rtx-3080-ti", "3080ti" },
	{ "nvidia-rtx-3080", "3080" },
	{ "nvidia-rtx-3070-ti", "3070ti" },
	{ "nvidia-rtx-3070", "3070" },
	{ "nvidia-rtx-3060-ti", "3060ti" },
	{ "nvidia-rtx-3060", "3060" },
	{ "nvidia-rtx-2080-ti", "2080ti" },
	{ "nvidia-gtx-1080-ti", "1080ti" },
	{ "nvidia-gtx-1080", "1080" },
	{ "nvidia-rtx-pro-6000-blackwell",
	  "rtxpro6000 rtxpro6000s rtxpro6000blackwellserveredition "
	  "rtxpro6000blackwellworkstationedition" },
	{ "nvidia-rtx-6000-ada", "rtx6000adageneration 6000ada rtx6000" },
	{ "nvidia-rtx-5000-ada", "rtx5000adageneration 5000ada" },
	{ "nvidia-rtx-4000-ada", "rtx4000adageneration rtx4000sffadageneration 4000ada" },
	{ "nvidia-rtx-2000-ada", "rtx2000adageneration 2000ada" },
	{ "nvidia-quadro-rtx-8000", "rtxa8000 a8000" },
	{ "nvidia-rtx-a6000", "a6000" },
	{ "nvidia-rtx-a5000", "a5000" },
	{ "nvidia-rtx-a4500", "a4500" },
	{ "nvidia-rtx-a4000", "a4000" },
	{ "nvidia-rtx-a2000", "rtxa200012gb a2000" },
	{ "amd-mi300x-192gb", "mi300x instinctmi300x amdinstinctmi300x" },
	{ "amd-mi250x-128gb", "mi250x instinctmi250x amdinstinctmi250x" },
};

/* Lower case, letters and digits only, without the brand words in front. */
static void make_key(const char *text, char ret_key[static GPU_NAME_SIZE])
{
	static const char *const brands[] = { "nvidia", "geforce", "tesla", "quadro" };
	size_t n = 0;
	char *key = ret_key;

	for (; *text && n < GPU_NAME_SIZE - 1; text++)
		if (isalnum((unsigned char)*text))
			key[n++] = (char)tolower((unsigned char)*text);
	key[n] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(brands); i++) {
		size_t len = strlen(brands[i]);

		if (strncmp(key, brands[i], len) == 0) {
			n -= len;
			memmove(key, key + len, n + 1);
		}
	}
}

static bool has_key(const char *keys, const char *key)
{
	size_t len = strlen(key);

	while (*keys) {
		size_t word = strcspn(keys, " ");

		if (word == len && memcmp(keys, key, len) == 0)
			return true;
		keys += word;
		keys += strspn(keys, " ");
	}
	return false;
}

/* The words in lower case with dashes between. */
static void make_slug(const char *text, char ret_name[static GPU_NAME_SIZE])
{
	size_t n = 0;

	for (; *text && n < GPU_NAME_SIZE - 1; text++) {
		if (isalnum((unsigned char)*text))
			ret_name[n++] = (char)tolower((unsigned char)*text);
		else if (n > 0 && ret_name[n - 1] != '-')
			ret_name[n++] = '-';
	}
	while (n > 0 && ret_name[n - 1] == '-')
		n--;
	ret_name[n] = 0;
}

void gpu_name_canonical(const char *model, char ret_name[static GPU_NAME_SIZE])
{
	char key[GPU_NAME_SIZE], own[GPU_NAME_SIZE];

	make_key(model, key);
	for (size_t i = 0; *key && i < ARRAY_SIZE(gpu_models); i++) {
		make_key(gpu_models[i].name, own);
		if (strcmp(own, key) == 0 || has_key(gpu_models[i].keys, key)) {
			snprintf(ret_name, GPU_NAME_SIZE, "%s", gpu_models[i].name);
			return;
		}
	}
	make_slug(model, ret_name);
	if (!*ret_name)
		snprintf(ret_name, GPU_NAME_SIZE, "unknown");
}

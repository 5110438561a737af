#include "modules/worker/gpu_name.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(const char *model, const char *name)
{
	char got[GPU_NAME_SIZE];

	gpu_name_canonical(model, got);
	assert_string_equal(got, name);
}

static void test_names_of_nvml(void **state _unused_)
{
	expect("NVIDIA GeForce RTX 4090", "nvidia-rtx-4090");
	expect("NVIDIA GeForce RTX 4090 D", "nvidia-rtx-4090-d");
	expect("NVIDIA GeForce RTX 3080 Ti", "nvidia-rtx-3080-ti");
	expect("NVIDIA H100 80GB HBM3", "nvidia-h100-sxm-80gb");
	expect("NVIDIA H100 PCIe", "nvidia-h100-pcie-80gb");
	expect("NVIDIA A100-SXM4-80GB", "nvidia-a100-sxm-80gb");
	expect("NVIDIA A100-SXM4-40GB", "nvidia-a100-sxm-40gb");
	expect("NVIDIA A100-PCIE-40GB", "nvidia-a100-pcie-40gb");
	expect("NVIDIA A100 80GB PCIe", "nvidia-a100-pcie-80gb");
	expect("Tesla T4", "nvidia-t4");
	expect("Tesla V100-SXM2-32GB", "nvidia-v100-sxm-32gb");
	expect("NVIDIA RTX 6000 Ada Generation", "nvidia-rtx-6000-ada");
	expect("NVIDIA RTX A6000", "nvidia-rtx-a6000");
	expect("NVIDIA L40S", "nvidia-l40s");
	expect("NVIDIA H200", "nvidia-h200-sxm-141gb");
	expect("Quadro RTX 8000", "nvidia-quadro-rtx-8000");
	expect("NVIDIA GeForce GTX 1080", "nvidia-gtx-1080");
}

static void test_words_of_people(void **state _unused_)
{
	expect("RTX_4090", "nvidia-rtx-4090");
	expect("rtx4090", "nvidia-rtx-4090");
	expect("RTX 4090", "nvidia-rtx-4090");
	expect("4090", "nvidia-rtx-4090");
	expect("nvidia-rtx-4090", "nvidia-rtx-4090");
	expect("H100", "nvidia-h100-sxm-80gb");
	expect("H100_SXM", "nvidia-h100-sxm-80gb");
	expect("h100-nvl", "nvidia-h100-nvl-94gb");
}

static void test_unknown_names_stay_usable(void **state _unused_)
{
	char name[GPU_NAME_SIZE], again[GPU_NAME_SIZE], longest[400];

	expect("NVIDIA Frobnicator  9000 (beta)", "nvidia-frobnicator-9000-beta");
	expect("", "unknown");
	expect("???", "unknown");
	expect("nvidia", "nvidia");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	gpu_name_canonical(longest, name);
	assert_int_equal(strlen(name), GPU_NAME_SIZE - 1);
	gpu_name_canonical(name, again);
	assert_string_equal(again, name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_nvml),
		cmocka_unit_test(test_words_of_people),
		cmocka_unit_test(test_unknown_names_stay_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

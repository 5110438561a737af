#include "cmd/popw_device.h"

#include "cmd/failure.h"

enum { DEVICES_MAX = 256 };

static int open_cpu(const struct popw_choice *choice, struct prover_device **ret_device,
		    const char **ret_detail)
{
	return prover_cpu_open(choice->threads, ret_device, ret_detail);
}

static int open_disk(const struct popw_choice *choice, struct prover_device **ret_device,
		     const char **ret_detail)
{
	return prover_disk_open(choice->folder, choice->threads, ret_device, ret_detail);
}

static int open_opencl(const struct popw_choice *choice, struct prover_device **ret_device,
		       const char **ret_detail)
{
	return prover_opencl_open(choice->device, ret_device, ret_detail);
}

static int open_cuda(const struct popw_choice *choice, struct prover_device **ret_device,
		     const char **ret_detail)
{
	return prover_cuda_open(choice->device, ret_device, ret_detail);
}

static int open_auto(const struct popw_choice *choice, struct prover_device **ret_device,
		     const char **ret_detail)
{
	int r;

	r = open_cuda(choice, ret_device, ret_detail);
	return r == PROVER_E_NONE ? open_cpu(choice, ret_device, ret_detail) : r;
}

static const struct backend {
	const char *name;
	int (*open)(const struct popw_choice *choice, struct prover_device **ret_device,
		    const char **ret_detail);
} backends[] = {
	{ "auto", open_auto },     { "cpu", open_cpu },   { "disk", open_disk },
	{ "opencl", open_opencl }, { "cuda", open_cuda },
};

static const struct backend *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i].name, name) == 0)
			return &backends[i];
	return NULL;
}

int popw_choice_read(const struct options *options, struct popw_choice *ret_choice)
{
	const char *name = options_get(options, "backend", "auto");
	int64_t device, threads;

	if (!find(name))
		return options_refuse(options->table,
				      "--backend must be cuda, opencl, cpu or disk, not '%s'",
				      name);
	if (options_int(options, "device", 0, DEVICES_MAX - 1, 0, &device) != 0 ||
	    options_int(options, "threads", 1, PROVER_THREADS_MAX, 0, &threads) != 0)
		return EXIT_USAGE;
	/* Who names a GPU behind the first is not helped by a CPU. */
	if (device > 0 && strcmp(name, "auto") == 0)
		name = "cuda";
	*ret_choice = (struct popw_choice){ name, (unsigned int)device, (unsigned int)threads,
					    options_get(options, "folder", ".") };
	return 0;
}

const char *popw_remedy(const char *backend, int fault)
{
	bool disk = strcmp(backend, "disk") == 0, cpu = strcmp(backend, "cpu") == 0;

	switch (fault) {
	case -ENOMEM:
		return cpu || disk ? "end what else uses memory on the machine, or add some"
				   : "end what else uses the GPU's memory, or the machine's";
	case -EAGAIN:
		return "allow more processes (ulimit -u, TasksMax)";
	case -ENOSPC:
	case -EDQUOT:
		return "make room there, or choose another folder (--state, --folder)";
	default:
		break;
	}
	if (disk)
		return "the folder must be there and writable (--state, --folder)";
	return cpu ? "`kaisar popw self-test --backend cpu` may show more"
		   : "dmesg and the GPU's driver may say more, and `kaisar popw self-test`";
}

int popw_device_open(const struct popw_choice *choice, struct prover_device **ret_device)
{
	const char *detail = "";
	int r;

	r = find(choice->backend)->open(choice, ret_device, &detail);
	if (r == 0)
		return 0;
	if (r == PROVER_E_NONE)
		return cli_fail(PROVER_EXIT_NO_DEVICE, "no prover on %s %u: %s", choice->backend,
				choice->device, detail);
	return cli_fail(r == -ENOMEM ? PROVER_EXIT_NO_MEMORY : CLI_FAILED,
			"no prover on %s %u: %s; %s", choice->backend, choice->device,
			*detail ? detail : strerror(-r), popw_remedy(choice->backend, r));
}

/* popw_prove.c - one session of Proof of Physical Work, proved for the agent over pipes. */
#include "cmd/popw.h"

#include <jansson.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/codec.h"
#include "cmd/failure.h"
#include "cmd/popw_device.h"
#include "cmd/popw_frame.h"

enum {
	NONCES_WAIT_MS = 120000, /* a network that says nothing that long has forgotten us */
	SAY_WAIT_MS = 30000,
};

static const struct option_row rows[] = {
	POPW_ROW_BACKEND,
	POPW_ROW_DEVICE,
	POPW_ROW_THREADS,
	POPW_ROW_FOLDER,
	{ "info", 0, NULL, "say in JSON what the device is, and prove nothing" },
	{ 0 },
};
static const struct option_table table = {
	.usage = "kaisar popw prove [OPTIONS]",
	.about = "Proves one session: frames on standard input and output, for programs. The agent "
		 "runs it;\n"
		 "people want `kaisar popw self-test`.",
	.rows = rows,
};

struct prover {
	struct session session;
	struct frame frame; /* the last that was read */
	const char *why; /* what a frame was wrong in; NULL: nothing */
};

/* ---- the exchange ---- */

static int refuse(struct prover *prover, const char *why)
{
	prover->why = why;
	return -EBADMSG;
}

static int hear_nonces(void *arg, uint8_t k, struct nonces *ret_nonces)
{
	struct prover *prover = arg;
	const struct frame *frame = &prover->frame;
	struct nonces_message message;
	int r;

	r = frame_read(STDIN_FILENO, NONCES_WAIT_MS, &prover->frame);
	if (r < 0)
		return r;
	if (frame->kind != MESSAGE_NONCES || nonces_decode(frame->bytes, frame->len, &message) != 0)
		return refuse(prover, "standard input holds no NONCES");
	if (!proof_id_equal(message.session, prover->session.id))
		return refuse(prover, "these nonces are of another session");
	if (message.k != k)
		return refuse(prover, "these nonces are of another phase");
	*ret_nonces = message.nonces;
	return 0;
}

static int say(_unused_ void *arg, enum message_kind kind, const uint8_t *bytes, size_t len)
{
	/* A parent that is gone waits for nothing. */
	if (frame_closed(STDIN_FILENO))
		return -EPIPE;
	return frame_write(STDOUT_FILENO, SAY_WAIT_MS, kind, bytes, len);
}

static int hear_session(struct prover *prover)
{
	const struct frame *frame = &prover->frame;
	int r;

	r = frame_read(STDIN_FILENO, NONCES_WAIT_MS, &prover->frame);
	if (r < 0)
		return r;
	if (frame->kind != MESSAGE_SESSION)
		return refuse(prover, "standard input begins with no SESSION");
	if (session_decode(frame->bytes, frame->len, &prover->session, &prover->why) != 0)
		return -EBADMSG;
	return 0;
}

/* CUDA's driver may count otherwise than NVML, by which the agent named the card: a tenant's is not to be
 * proved by mistake. */
static bool is_another_gpu(const struct prover *prover, struct prover_device *device)
{
	struct prover_info info;

	if (prover->session.device != SESSION_GPU || strcmp(device->ops->backend, "cuda") != 0)
		return false;
	device->ops->info(device, &info);
	return memcmp(info.uuid, prover->session.gpu_uuid, sizeof(info.uuid)) != 0;
}

static int run(struct prover *prover, struct prover_device *device)
{
	struct prover_exchange exchange = { hear_nonces, say, prover };
	int r;

	r = hear_session(prover);
	if (r == 0 && is_another_gpu(prover, device))
		return cli_fail(PROVER_EXIT_NO_DEVICE,
				"CUDA's device of this number is another GPU than the session's");
	if (r == 0)
		r = prove(&prover->session, device, &exchange);
	if (r == 0)
		return 0;
	if (device->detail[0])
		return cli_fail(r == -ENOMEM ? PROVER_EXIT_NO_MEMORY : CLI_FAILED, "%s: %s; %s",
				device->ops->backend, device->detail,
				popw_remedy(device->ops->backend, r));
	if (prover->why)
		return cli_fail(CLI_FAILED, "%s", prover->why);
	if (r == -EPIPE)
		return cli_fail(CLI_FAILED, "who asked for the proof has gone");
	if (r == -ETIMEDOUT)
		return cli_fail(CLI_FAILED, "nothing was heard for too long");
	return cli_fail(r == -ENOMEM ? PROVER_EXIT_NO_MEMORY : CLI_FAILED, "%s: %s; %s",
			device->ops->backend, strerror(-r), popw_remedy(device->ops->backend, r));
}

/* ---- the subcommand ---- */

static int print_info(struct prover_device *device)
{
	_cleanup_(freep) char *text = NULL;
	char uuid[2 * SESSION_UUID_SIZE + 1];
	struct prover_info info;
	json_t *json;

	device->ops->info(device, &info);
	hex_encode(info.uuid, sizeof(info.uuid), uuid);
	json = json_pack("{ss ss sI ss}", "backend", device->ops->backend, "name", info.name,
			 "memory_bytes", (json_int_t)info.memory_bytes, "uuid", uuid);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		return cli_fault(-ENOMEM, "info");
	return puts(text) < 0 || fflush(stdout) != 0 ? cli_fault(-EIO, "standard output") : 0;
}

static int prove_on(struct prover_device *device)
{
	_cleanup_(freep) struct prover *prover = calloc(1, sizeof(*prover));

	if (!prover)
		return cli_fault(-ENOMEM, "prover");
	return run(prover, device);
}

int popw_prove(int argc, char **argv)
{
	struct prover_device *device;
	struct popw_choice choice;
	struct options options;
	int status;

	if (options_read(&table, argc, argv, &options, &status) != 0)
		return status;
	status = popw_choice_read(&options, &choice);
	if (status != 0)
		return status;
	/* Whatever becomes of the parent, no GPU stays busy for nobody. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return cli_fault(-errno, "prctl");
	signal(SIGPIPE, SIG_IGN);
	/* As NVML counts; before any thread reads it. */
	if (setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 1) < 0)
		return cli_fault(-errno, "setenv");
	status = popw_device_open(&choice, &device);
	if (status != 0)
		return status;
	status = options_has(&options, "info") ? print_info(device) : prove_on(device);
	device->ops->close(device);
	return status;
}

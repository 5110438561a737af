#include "checker/lookout.h"

#include "base/log.h"
#include "wire/sign.h"

static struct watch_time now(const struct lookout *lookout)
{
	return (struct watch_time){ clock_mono_ms(lookout->config.clock),
				    clock_now_ms(lookout->config.clock) };
}

static ProtobufCBinaryData data_of(const void *bytes, size_t len)
{
	return (ProtobufCBinaryData){ len, (uint8_t *)bytes };
}

static int report_uptime(void *arg, int64_t hour_ms, const struct watch_tally *tally)
{
	struct lookout *lookout = arg;
	const struct uptime_statement statement = {
		.network = lookout->config.network,
		.machine.address = tally->machine,
		.checker = *secp_key_address(lookout->config.key),
		.hour_ms = hour_ms,
		.hour = tally->hour,
		.polls = tally->polls,
		.answered = tally->answered,
		.away = tally->away,
	};
	uint8_t digest[SIGN_DIGEST_SIZE], signature[SIGNATURE_SIZE], away[SPANS_BYTES_MAX];
	Wire__ToServer message = WIRE__TO_SERVER__INIT;
	Wire__Uptime uptime = WIRE__UPTIME__INIT;
	int r;

	uptime_digest(&statement, digest);
	r = secp_sign(lookout->config.key, digest, signature);
	if (r < 0)
		return r;
	uptime.machine = data_of(tally->machine.bytes, sizeof(tally->machine.bytes));
	uptime.hour = tally->hour;
	uptime.polls = tally->polls;
	uptime.answered = tally->answered;
	uptime.signature = data_of(signature, sizeof(signature));
	uptime.away = data_of(away, spans_encode(&tally->away, away));
	message.body_case = WIRE__TO_SERVER__BODY_UPTIME;
	message.uptime = &uptime;
	return lookout->config.send(lookout->config.arg, &message);
}

/* The machines' addresses lie one after another, as structs of 20 bytes do. */
void lookout_watch(struct lookout *lookout, const Wire__Watch *watch)
{
	const size_t n = watch->machines.len / sizeof(struct address);
	struct address *machines = calloc(n + 1, sizeof(*machines));
	const struct watch_list list = { watch->every_ms, watch->hour_ms, machines, n };
	int r = machines ? 0 : -ENOMEM;

	if (r == 0 && n > 0)
		memcpy(machines, watch->machines.data, n * sizeof(*machines));
	if (r == 0)
		r = watch_set(lookout->watch, &list, now(lookout));
	if (r < 0)
		log_error("checker.watch", log_fault(r));
	free(machines);
}

static uint64_t big_endian(const uint8_t *bytes, size_t len)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++)
		number = number << 8 | bytes[i];
	return number;
}

void lookout_heard(struct lookout *lookout, const Wire__Heard *heard)
{
	const uint8_t *report = heard->reports.data;
	struct address machine;

	for (size_t n = heard->reports.len / WIRE_HEARD_SIZE; n > 0;
	     n--, report += WIRE_HEARD_SIZE) {
		memcpy(machine.bytes, report, sizeof(machine.bytes));
		watch_heard(lookout->watch, &machine, (int64_t)big_endian(report + 20, 8),
			    (uint32_t)big_endian(report + 28, 4), now(lookout));
	}
}

void lookout_answered(struct lookout *lookout, const struct poll_nonce *nonce,
		      const uint8_t signature[static SIGNATURE_SIZE])
{
	/* Whatever it does not know came too late. */
	(void)watch_answered(lookout->watch, nonce, signature, now(lookout));
}

/* ---- on the disk ---- */

void lookout_keep(struct lookout *lookout)
{
	uint8_t *bytes;
	int r;

	if (!watch_changed(lookout->watch))
		return;
	bytes = malloc(WATCH_BYTES_MAX);
	r = bytes ? state_write(lookout->config.state, "watch", bytes,
				watch_encode(lookout->watch, bytes))
		  : -ENOMEM;
	if (r < 0)
		log_error("checker.keep", log_fault(r));
	free(bytes);
}

static int load(struct lookout *lookout)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	const void *bytes;
	size_t len;
	int r;

	r = arena_new(2 * WATCH_BYTES_MAX, &arena);
	if (r == 0)
		r = state_read(lookout->config.state, "watch", arena, &bytes, &len);
	if (r == 0)
		r = watch_decode(lookout->watch, bytes, len);
	if (r != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	/* Counts of a few hours are not worth a checker that does not start. */
	log_error("checker.uptime_lost", log_text("reason", "the file watch is damaged"));
	return 0;
}

/* ---- its life ---- */

static int poll(void *arg, const struct address *machine, const struct poll_nonce *nonce)
{
	struct lookout *lookout = arg;

	return lookout->config.poll(lookout->config.arg, machine, nonce);
}

void lookout_tick(struct lookout *lookout)
{
	watch_tick(lookout->watch, now(lookout));
}

void lookout_down(struct lookout *lookout)
{
	watch_down(lookout->watch, now(lookout));
}

void lookout_report_all(struct lookout *lookout)
{
	watch_report_all(lookout->watch);
}

int lookout_init(struct lookout *lookout, const struct lookout_config *config)
{
	const struct watch_config watch = {
		.network = config->network,
		.checker = *secp_key_address(config->key),
		.random = config->random,
		.poll = poll,
		.report = report_uptime,
		.arg = lookout,
	};
	int r;

	*lookout = (struct lookout){ .config = *config };
	r = watch_new(&watch, &lookout->watch);
	return r < 0 ? r : load(lookout);
}

void lookout_done(struct lookout *lookout)
{
	if (!lookout->watch)
		return;
	lookout_keep(lookout);
	watch_free(lookout->watch);
	lookout->watch = NULL;
}

#include "agent/meter.h"

static int64_t at_least(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void meter_lost(struct meter *meter)
{
	if (!meter->open)
		return;
	meter->closed_ms += at_least(meter->until_ms - meter->run_started_ms, 0);
	meter->open = false;
}

static void open_run(struct meter *meter, int64_t started_ms)
{
	/* A run whose end nobody saw. */
	meter_lost(meter);
	if (meter->first_started_ms == 0)
		meter->first_started_ms = started_ms;
	meter->run_started_ms = started_ms;
	meter->open = true;
	meter->final = false;
}

void meter_running(struct meter *meter, int64_t started_ms)
{
	if (started_ms > 0 && started_ms != meter->run_started_ms)
		open_run(meter, started_ms);
}

void meter_ended(struct meter *meter, int64_t started_ms, int64_t ended_ms)
{
	/* One that began and ended unseen counts, too. */
	meter_running(meter, started_ms);
	if (!meter->open)
		return;
	meter->closed_ms += at_least(ended_ms - meter->run_started_ms, 0);
	meter->open = false;
	meter->until_ms = at_least(meter->until_ms, ended_ms);
}

bool meter_record(struct meter *meter, int64_t now_ms)
{
	int64_t ran_ms = meter->closed_ms;

	if (meter->first_started_ms == 0 || (!meter->open && meter->final))
		return false;
	if (meter->open) {
		ran_ms += at_least(now_ms - meter->run_started_ms, 0);
		meter->until_ms = at_least(meter->until_ms, now_ms);
	}
	meter->until_ms = at_least(meter->until_ms, meter->first_started_ms);
	if ((uint64_t)ran_ms / 1000 > meter->seconds)
		meter->seconds = (uint64_t)ran_ms / 1000;
	meter->final = !meter->open;
	meter->sequence++;
	return true;
}

void meter_settle(struct meter *meter, uint64_t sequence)
{
	if (sequence > meter->settled && sequence <= meter->sequence)
		meter->settled = sequence;
}

void meter_statement(const struct meter *meter, struct usage_statement *statement)
{
	statement->sequence = meter->sequence;
	statement->started_at_ms = meter->first_started_ms;
	statement->until_ms = meter->until_ms;
	statement->seconds = (int64_t)meter->seconds;
	statement->final = meter->final;
}

json_t *meter_json(const struct meter *meter)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "first_started_ms",
			 (json_int_t)meter->first_started_ms, "run_started_ms",
			 (json_int_t)meter->run_started_ms, "closed_ms",
			 (json_int_t)meter->closed_ms, "until_ms", (json_int_t)meter->until_ms,
			 "seconds", (json_int_t)meter->seconds, "sequence",
			 (json_int_t)meter->sequence, "settled", (json_int_t)meter->settled, "open",
			 meter->open, "final", meter->final);
}

int meter_parse(const json_t *json, struct meter *ret_meter)
{
	json_int_t first, run, closed, until, seconds, sequence, settled;
	int open, final;

	if (json_unpack((json_t *)json, "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}",
			"first_started_ms", &first, "run_started_ms", &run, "closed_ms", &closed,
			"until_ms", &until, "seconds", &seconds, "sequence", &sequence, "settled",
			&settled, "open", &open, "final", &final) < 0)
		return -EBADMSG;
	if (seconds < 0 || sequence < 0 || settled < 0 || closed < 0)
		return -EBADMSG;
	*ret_meter = (struct meter){
		.first_started_ms = first,
		.run_started_ms = run,
		.closed_ms = closed,
		.until_ms = until,
		.seconds = (uint64_t)seconds,
		.sequence = (uint64_t)sequence,
		.settled = (uint64_t)settled,
		.open = open,
		.final = final,
	};
	return 0;
}

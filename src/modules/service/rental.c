#include "modules/service/rental.h"

enum {
	/* Changes come as hints; this often a rental is looked at without one. */
	LOOK_AGAIN_MS = 300000,
	/* A machine's clock may be ahead; its last usage record says the same time. */
	CLOCK_SKEW_MS = 5000,
};

#define BIT(state) (1u << (state))

static const char *const names[] = {
	[RENTAL_QUEUED] = "queued",     [RENTAL_PULLING] = "pulling",
	[RENTAL_STARTING] = "starting", [RENTAL_RUNNING] = "running",
	[RENTAL_STOPPING] = "stopping", [RENTAL_STOPPED] = "stopped",
	[RENTAL_FAILED] = "failed",     [RENTAL_LOST] = "lost",
};

static const uint32_t next[] = {
	[RENTAL_QUEUED] = BIT(RENTAL_QUEUED) | BIT(RENTAL_PULLING) | BIT(RENTAL_STARTING) |
			  BIT(RENTAL_STOPPED) | BIT(RENTAL_FAILED),
	[RENTAL_PULLING] = BIT(RENTAL_QUEUED) | BIT(RENTAL_STARTING) | BIT(RENTAL_STOPPED) |
			   BIT(RENTAL_FAILED),
	[RENTAL_STARTING] = BIT(RENTAL_QUEUED) | BIT(RENTAL_RUNNING) | BIT(RENTAL_STOPPED) |
			    BIT(RENTAL_FAILED),
	[RENTAL_RUNNING] = BIT(RENTAL_STOPPING) | BIT(RENTAL_STOPPED) | BIT(RENTAL_FAILED) |
			   BIT(RENTAL_LOST),
	[RENTAL_STOPPING] = BIT(RENTAL_STOPPED) | BIT(RENTAL_LOST),
	[RENTAL_STOPPED] = 0,
	[RENTAL_FAILED] = 0,
	[RENTAL_LOST] = 0,
};

const struct moves rental_moves = { names, next, ARRAY_SIZE(next) };

bool rental_ended(const struct rental *rental)
{
	return moves_final(&rental_moves, rental->state);
}

bool rental_ran(const struct rental *rental)
{
	return rental->started_ms != 0;
}

const char *rental_billing(const struct rental *rental)
{
	if (!rental_ran(rental))
		return "none";
	return rental_ended(rental) ? "closed" : "metering";
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
	return a_ms < b_ms ? a_ms : b_ms;
}

/* The time that a machine reported, where it can be true. */
static int64_t reported_ms(const struct rental *rental, int64_t reported, int64_t now_ms)
{
	int64_t least = rental_ran(rental) ? rental->started_ms : rental->placed_ms;

	if (reported <= 0)
		return now_ms;
	reported = earlier(reported, now_ms + CLOCK_SKEW_MS);
	return reported > least ? reported : least;
}

static void rest(struct rental_verdict *verdict, int64_t check_ms)
{
	*verdict = (struct rental_verdict){ .act = RENTAL_REST,
					    .detail = "",
					    .check_ms = check_ms };
}

static void advance(struct rental_verdict *verdict, enum rental_state to)
{
	*verdict = (struct rental_verdict){ .act = RENTAL_ADVANCE, .to = to, .detail = "" };
}

static void end(struct rental_verdict *verdict, enum rental_state to, enum rental_reason reason,
		const char *detail, int64_t ended_ms)
{
	*verdict = (struct rental_verdict){
		.act = RENTAL_END,
		.to = to,
		.reason = reason,
		.detail = *detail ? detail : rental_reason_row(reason)->detail,
		.ended_ms = ended_ms,
	};
}

/* An attempt of which nothing ran: elsewhere again, or that was it. */
static void give_up(const struct rental *rental, struct rental_verdict *verdict,
		    enum rental_reason reason, const char *detail, int64_t now_ms)
{
	end(verdict, RENTAL_FAILED, reason, detail, now_ms);
	if (rental_reason_row(reason)->retried && !rental->pinned &&
	    rental->attempts < RENTAL_ATTEMPTS_MAX) {
		verdict->act = RENTAL_RETRY;
		verdict->to = RENTAL_QUEUED;
	}
}

/* How far the machine is with a container that we have not seen running; -1: not heard of. */
static int reached(enum worker_phase phase)
{
	switch (phase) {
	case WORKER_PHASE_PULLING:
		return RENTAL_PULLING;
	case WORKER_PHASE_STARTING:
		return RENTAL_STARTING;
	case WORKER_PHASE_RUNNING:
	case WORKER_PHASE_STOPPING:
	case WORKER_PHASE_EXITED:
		return RENTAL_RUNNING;
	case WORKER_PHASE_NONE:
	case WORKER_PHASE_FAILED:
		break;
	}
	return -1;
}

static int64_t coming_deadline_ms(const struct rental *rental, const struct settings *settings)
{
	switch (rental->state) {
	case RENTAL_PULLING:
		return rental->phase_ms + settings->pull_deadline_ms;
	case RENTAL_STARTING:
		return rental->phase_ms + settings->start_deadline_ms;
	default:
		return rental->phase_ms + settings->place_deadline_ms;
	}
}

static enum rental_reason coming_timeout(enum rental_state state)
{
	switch (state) {
	case RENTAL_PULLING:
		return RENTAL_PULL_TIMEOUT;
	case RENTAL_STARTING:
		return RENTAL_START_TIMEOUT;
	default:
		return RENTAL_PLACE_TIMEOUT;
	}
}

/* What was asked for, or what time asks for. */
static enum rental_reason stop_of(const struct rental *rental, int64_t now_ms)
{
	if (rental->stop == RENTAL_REASON_NONE && rental->expires_ms &&
	    now_ms >= rental->expires_ms)
		return RENTAL_TERM_ENDED;
	return rental->stop;
}

/* Placed, not seen running. A report comes before a stop: what ran is billed and can be stopped. */
static void judge_coming(const struct rental *rental, const struct worker_actual *actual,
			 const struct settings *settings, int64_t now_ms,
			 struct rental_verdict *verdict)
{
	int64_t deadline_ms = coming_deadline_ms(rental, settings);
	enum rental_reason stop = stop_of(rental, now_ms);
	int far = reached(actual->phase);

	if (far == RENTAL_RUNNING && rental->state != RENTAL_STARTING)
		return advance(verdict, RENTAL_STARTING);
	if (far > (int)rental->state)
		return advance(verdict, (enum rental_state)far);
	if (stop != RENTAL_REASON_NONE)
		return end(verdict, RENTAL_STOPPED, stop, "", now_ms);
	if (actual->phase == WORKER_PHASE_FAILED)
		return give_up(rental, verdict,
			       rental_reason_reported(actual->reason, false, RENTAL_START_FAILED),
			       actual->detail, now_ms);
	if (actual->lost)
		return give_up(rental, verdict, RENTAL_WORKER_LOST, "", now_ms);
	if (now_ms >= deadline_ms)
		return give_up(rental, verdict, coming_timeout(rental->state), "", now_ms);
	rest(verdict, rental->expires_ms ? earlier(rental->expires_ms, deadline_ms) : deadline_ms);
}

static void lose(const struct rental *rental, const struct worker_actual *actual, int64_t now_ms,
		 struct rental_verdict *verdict)
{
	end(verdict, RENTAL_LOST, RENTAL_WORKER_LOST,
	    "The machine was not heard of any longer. What ran there cannot be moved: its data was "
	    "only on that machine. Nothing is billed after its last sign of life.",
	    reported_ms(rental, actual->seen_at_ms, now_ms));
}

static void judge_running(const struct rental *rental, const struct worker_actual *actual,
			  int64_t now_ms, struct rental_verdict *verdict)
{
	enum rental_reason stop = stop_of(rental, now_ms);
	int64_t ended_ms = reported_ms(rental, actual->ended_at_ms, now_ms);
	int64_t again_ms = now_ms + LOOK_AGAIN_MS;

	if (actual->phase == WORKER_PHASE_EXITED)
		return end(verdict, RENTAL_STOPPED,
			   rental_reason_find(actual->reason) == RENTAL_OUT_OF_MEMORY
				   ? RENTAL_OUT_OF_MEMORY
				   : RENTAL_EXITED,
			   actual->detail, ended_ms);
	if (actual->phase == WORKER_PHASE_FAILED)
		return end(verdict, RENTAL_FAILED,
			   rental_reason_reported(actual->reason, true, RENTAL_CONTAINER_GONE),
			   actual->detail, ended_ms);
	if (actual->lost)
		return lose(rental, actual, now_ms, verdict);
	if (stop != RENTAL_REASON_NONE) {
		advance(verdict, RENTAL_STOPPING);
		verdict->stop = stop;
		return;
	}
	rest(verdict, rental->expires_ms ? earlier(rental->expires_ms, again_ms) : again_ms);
}

static void judge_stopping(const struct rental *rental, const struct worker_actual *actual,
			   const struct settings *settings, int64_t now_ms,
			   struct rental_verdict *verdict)
{
	int64_t deadline_ms = rental->phase_ms + rental->stop_timeout_ms +
			      settings->stop_deadline_ms;

	if (actual->phase == WORKER_PHASE_EXITED || actual->phase == WORKER_PHASE_FAILED)
		return end(verdict, RENTAL_STOPPED, rental->stop, "",
			   reported_ms(rental, actual->ended_at_ms, now_ms));
	if (actual->lost)
		return lose(rental, actual, now_ms, verdict);
	/* Whoever asked for the stop does not pay for a machine that did not do it. */
	if (now_ms >= deadline_ms)
		return end(verdict, RENTAL_STOPPED, RENTAL_STOP_TIMEOUT, "", rental->phase_ms);
	rest(verdict, deadline_ms);
}

static void judge_ended(const struct rental *rental, const struct settings *settings,
			int64_t now_ms, struct rental_verdict *verdict)
{
	int64_t until_ms = rental->ended_ms + settings->keep_stopped_ms;

	if (rental->kept && (rental->deleted_ms || now_ms >= until_ms)) {
		*verdict = (struct rental_verdict){ .act = RENTAL_DISCARD, .detail = "" };
		return;
	}
	rest(verdict, rental->kept ? until_ms : 0);
}

void rental_judge(const struct rental *rental, const struct worker_actual *actual,
		  const struct settings *settings, int64_t now_ms,
		  struct rental_verdict *ret_verdict)
{
	switch (rental->state) {
	case RENTAL_QUEUED:
	case RENTAL_PULLING:
	case RENTAL_STARTING:
		return judge_coming(rental, actual, settings, now_ms, ret_verdict);
	case RENTAL_RUNNING:
		return judge_running(rental, actual, now_ms, ret_verdict);
	case RENTAL_STOPPING:
		return judge_stopping(rental, actual, settings, now_ms, ret_verdict);
	case RENTAL_STOPPED:
	case RENTAL_FAILED:
	case RENTAL_LOST:
		return judge_ended(rental, settings, now_ms, ret_verdict);
	}
}

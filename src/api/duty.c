#include "api/duty.h"

#include <stdatomic.h>

#include "api/instance_store.h"
#include "api/jobs.h"
#include "api/settings.h"
#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"

enum {
	DUTIES_MAX = 16,
	OTHERS_AFTER = 10, /* times duty_ms: who was not seen for so long is not counted on */
	LOOKS = 4, /* in the time after which a duty is taken over */
	ARENA_BYTES = 1 << 20,
	INSTANCES_KEPT_MS = 24 * 3600 * 1000,
	MODULES_TEXT = 256,
};

enum decision { WAIT, RENEW, TAKE, LOSE };

struct duty {
	const char *name;
	struct duties *duties;
	bool contests; /* this instance serves all its modules */
	_Atomic(bool) held;
	_Atomic(int64_t) token; /* ours, if it is held or beginning */
	struct db_fence fence;
	/* On the looking thread: */
	bool begins; /* taken, but a module could not begin yet */
	int64_t seen_token, seen_beat, seen_mono_ms;
	/* What the transaction came to: */
	enum decision decision;
	int64_t next_token, next_beat;
};

struct duties {
	struct duties_config config;
	char serves[MODULES_TEXT];
	struct duty all[DUTIES_MAX];
	size_t n;
	struct pool *pool;
	struct loop_timer *timer;
	_Atomic(bool) looking, over;
	_Atomic(bool)
		others; /* there are other instances: they may have taken over what cannot be renewed */
	int64_t started_ms, looked_mono_ms;
};

/* ---- the names ---- */

bool module_is_among(const struct module *module, const char *names)
{
	size_t len = strlen(module->name);

	for (const char *at = names; at && *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && strncmp(at, module->name, len) == 0)
			return true;
	return !names;
}

static struct duty *find(const struct duties *duties, const char *name)
{
	for (size_t i = 0; i < duties->n; i++)
		if (strcmp(duties->all[i].name, name) == 0)
			return (struct duty *)&duties->all[i];
	return NULL;
}

bool duties_hold(const struct duties *duties, const char *name)
{
	const struct duty *duty = find(duties, name);

	return duty && atomic_load(&duty->held) && !atomic_load(&duties->over);
}

static int check_fence(struct tx *tx, void *arg)
{
	const struct duty *duty = arg;
	int64_t last;
	int r = duty_store_token(tx, duty->name, &last);

	if (r != 0 || last == atomic_load(&duty->token))
		return r;
	log_warn("duty.stale", log_text("duty", duty->name));
	return -ESTALE;
}

static int add_duty(struct duties *duties, const struct module *module)
{
	struct duty *duty = find(duties, module_duty(module));

	if (!duty) {
		if (duties->n == DUTIES_MAX)
			return -ENOSPC;
		duty = &duties->all[duties->n++];
		*duty = (struct duty){ .name = module_duty(module),
				       .duties = duties,
				       .contests = true,
				       .fence = { check_fence, duty } };
	}
	/* The first is the api's own, which everybody has. */
	duty->contests = duty->contests && (module == duties->config.modules[0] ||
					    module_is_among(module, duties->config.serves));
	return 0;
}

/* Each name that is said must be one. */
static int check_names(const struct duties *duties)
{
	for (const char *at = duties->config.serves ? duties->serves : ""; *at;
	     at += strcspn(at, ","), at += *at == ',') {
		bool known = false;

		for (size_t i = 1; !known && i < duties->config.n_modules; i++) {
			const char *name = duties->config.modules[i]->name;

			known = strcspn(at, ",") == strlen(name) &&
				strncmp(at, name, strlen(name)) == 0;
		}
		if (!known)
			return -EINVAL;
	}
	return 0;
}

/* ---- a look at the store ---- */

static int write_instance(const struct duties *duties, struct tx *tx)
{
	const struct context *context = duties->config.context;
	int64_t now_ms = clock_now_ms(context->clock);
	struct instance_row row = {
		.id = duties->config.instance,
		.url = context->settings->instance_url,
		.modules = duties->serves,
		.version = duties->config.version,
		.draining = atomic_load(&duties->over),
		.started_ms = duties->started_ms,
		.seen_ms = now_ms,
	};
	int r = instance_store_write(tx, &row);

	return r == 0 ? instance_store_forget(tx, now_ms - INSTANCES_KEPT_MS) : r;
}

static enum decision decide(const struct duties *duties, struct duty *duty, bool ours, bool free)
{
	int64_t now_ms = clock_mono_ms(duties->config.context->clock);
	bool moved = duty->next_token != duty->seen_token || duty->next_beat != duty->seen_beat;

	if (atomic_load(&duty->held) || duty->begins)
		return ours && duty->next_token == atomic_load(&duty->token) ? RENEW : LOSE;
	if (!duty->contests || atomic_load(&duties->over))
		return WAIT;
	if (ours || free)
		return TAKE;
	if (moved)
		return WAIT;
	return now_ms - duty->seen_mono_ms >= duties->config.context->settings->duty_ms ? TAKE
											: WAIT;
}

static int write_decision(const struct duties *duties, struct tx *tx, struct duty *duty)
{
	if (duty->decision == RENEW)
		return duty_store_renew(tx, duty->name, duty->next_token, ++duty->next_beat);
	if (duty->decision == TAKE)
		return duty_store_take(tx, duty->name, &duties->config.instance,
				       duty->next_token + 1);
	return 0;
}

static int look_at(const struct duties *duties, struct tx *tx, const struct sql_rows *rows,
		   struct duty *duty)
{
	static const uint8_t nobody[16];
	uint8_t instance[16] = { 0 };
	int r = 0;

	duty->next_token = duty->next_beat = 0;
	for (size_t i = 0; r == 0 && i < rows_count(rows); i++) {
		if (strcmp(rows_text(rows, i, "name"), duty->name) != 0)
			continue;
		r = rows_bytes(rows, i, "instance", instance, sizeof(instance));
		duty->next_token = rows_int(rows, i, "token");
		duty->next_beat = rows_int(rows, i, "beat");
	}
	if (r != 0)
		return r;
	duty->decision = decide(duties, duty,
				memcmp(instance, duties->config.instance.bytes, sizeof(instance)) ==
					0,
				memcmp(instance, nobody, sizeof(instance)) == 0);
	return write_decision(duties, tx, duty);
}

static int tx_look(struct tx *tx, void *arg)
{
	struct duties *duties = arg;
	struct sql_rows *rows;
	bool others = false;
	int64_t since_ms = clock_now_ms(duties->config.context->clock) -
			   OTHERS_AFTER * duties->config.context->settings->duty_ms;
	int r = write_instance(duties, tx);

	if (r == 0)
		r = instance_store_others(tx, &duties->config.instance, since_ms, &others);
	if (r == 0)
		r = duty_store_list(tx, &rows);
	for (size_t i = 0; r == 0 && i < duties->n; i++)
		r = look_at(duties, tx, rows, &duties->all[i]);
	if (r == 0)
		atomic_store(&duties->others, others);
	return r;
}

/* ---- what follows from it ---- */

static void on_lost(void *arg)
{
	struct duties *duties = arg;

	duties->config.lost(duties->config.arg);
}

static void lose(struct duties *duties, const char *why)
{
	log_error("duty.lost", log_text("reason", why));
	if (!atomic_exchange(&duties->over, true))
		(void)!loop_post(duties->config.context->loop, on_lost, duties);
}

/* The modules of a duty that was taken: in their order, before any of their jobs runs. */
static int begin_modules(struct duties *duties, struct duty *duty)
{
	int r = 0;

	db_fence(&duty->fence);
	for (size_t i = 0; r == 0 && i < duties->config.n_modules; i++) {
		const struct module *module = duties->config.modules[i];

		if (module->begin && strcmp(module_duty(module), duty->name) == 0)
			r = module->begin(duties->config.context);
	}
	db_fence(NULL);
	return r;
}

static int begin(struct duties *duties, struct duty *duty)
{
	int r = begin_modules(duties, duty);

	duty->begins = r != 0;
	if (r != 0) {
		log_error("duty.begin", log_text("duty", duty->name), log_fault(r));
		return r < 0 ? r : -EIO;
	}
	atomic_store(&duty->held, true);
	log_info("duty.taken", log_text("duty", duty->name),
		 log_int("token", atomic_load(&duty->token)));
	if (duties->config.context->jobs)
		jobs_wake_duty(duties->config.context->jobs, duty->name);
	return 0;
}

static int apply(struct duties *duties, struct duty *duty)
{
	int64_t now_ms = clock_mono_ms(duties->config.context->clock);

	if (duty->decision == LOSE) {
		lose(duties, "another instance took over what this one did");
		return 0;
	}
	if (duty->next_token != duty->seen_token || duty->next_beat != duty->seen_beat)
		duty->seen_mono_ms = now_ms;
	duty->seen_token = duty->next_token;
	duty->seen_beat = duty->next_beat;
	if (duty->decision == TAKE)
		atomic_store(&duty->token, duty->next_token + 1);
	return duty->decision == TAKE || duty->begins ? begin(duties, duty) : 0;
}

/* Who cannot reach the store for so long holds what another instance does by now. */
static void unreached(struct duties *duties)
{
	const struct context *context = duties->config.context;

	if (atomic_load(&duties->others) &&
	    clock_mono_ms(context->clock) - duties->looked_mono_ms > 2 * context->settings->duty_ms)
		lose(duties, "the store was out of reach for too long");
}

int duties_look(struct duties *duties)
{
	struct arena *arena = NULL;
	int r = arena_new(ARENA_BYTES, &arena), first = 0;

	if (r == 0)
		r = db_run(duties->config.context->db, TX_WRITE, arena, tx_look, duties);
	arena_free(arena);
	if (r < 0) {
		log_error("duty.look", log_fault(r));
		unreached(duties);
		return r;
	}
	duties->looked_mono_ms = clock_mono_ms(duties->config.context->clock);
	for (size_t i = 0; i < duties->n; i++) {
		r = apply(duties, &duties->all[i]);
		first = first == 0 ? r : first;
	}
	return first;
}

/* ---- life ---- */

static void look_again(void *arg)
{
	struct duties *duties = arg;

	if (!atomic_load(&duties->over))
		(void)!duties_look(duties);
	atomic_store(&duties->looking, false);
}

static void on_timer(void *arg)
{
	struct duties *duties = arg;

	if (!atomic_exchange(&duties->looking, true) &&
	    pool_submit(duties->pool, look_again, duties) < 0)
		atomic_store(&duties->looking, false);
}

static void list_modules(struct duties *duties)
{
	size_t len = 0;

	if (duties->config.serves) {
		snprintf(duties->serves, sizeof(duties->serves), "%s", duties->config.serves);
		return;
	}
	for (size_t i = 1; i < duties->config.n_modules && len < sizeof(duties->serves); i++)
		len += (size_t)snprintf(duties->serves + len, sizeof(duties->serves) - len, "%s%s",
					i > 1 ? "," : "", duties->config.modules[i]->name);
}

int duties_start(const struct duties_config *config, struct duties **ret_duties)
{
	struct duties *duties = calloc(1, sizeof(*duties));
	uint64_t every_ms = (uint64_t)config->context->settings->duty_ms / LOOKS;
	int r = 0;

	if (!duties)
		return -ENOMEM;
	duties->config = *config;
	duties->started_ms = clock_now_ms(config->context->clock);
	duties->looked_mono_ms = clock_mono_ms(config->context->clock);
	list_modules(duties);
	r = check_names(duties);
	for (size_t i = 0; r == 0 && i < config->n_modules; i++)
		r = add_duty(duties, config->modules[i]);
	if (r == 0)
		r = pool_new("duties", 1, 1, &duties->pool);
	if (r == 0)
		r = duties_look(duties);
	if (r == 0)
		r = loop_timer_new(config->context->loop, every_ms, every_ms, on_timer, duties,
				   &duties->timer);
	if (r < 0) {
		duties_free(duties);
		return r;
	}
	*ret_duties = config->context->duties = duties;
	return 0;
}

static int tx_give_back(struct tx *tx, void *arg)
{
	const struct duties *duties = arg;
	int r = write_instance(duties, tx);

	for (size_t i = 0; r == 0 && i < duties->n; i++)
		if (atomic_load(&duties->all[i].held))
			r = duty_store_give_back(tx, duties->all[i].name,
						 atomic_load(&duties->all[i].token));
	return r;
}

void duties_give_back(struct duties *duties)
{
	struct arena *arena = NULL;
	int r;

	if (duties->timer)
		loop_timer_free(duties->timer);
	duties->timer = NULL;
	pool_free(duties->pool);
	duties->pool = NULL;
	/* Who lost something has nothing to give. */
	if (atomic_exchange(&duties->over, true))
		return;
	r = arena_new(ARENA_BYTES, &arena);
	if (r == 0)
		r = db_run(duties->config.context->db, TX_WRITE, arena, tx_give_back, duties);
	arena_free(arena);
	/* Then it is taken over when the others have waited long enough. */
	if (r < 0)
		log_warn("duty.give_back", log_fault(r));
}

void duties_free(struct duties *duties)
{
	if (!duties)
		return;
	if (duties->timer)
		loop_timer_free(duties->timer);
	if (duties->pool)
		pool_free(duties->pool);
	free(duties);
}

/* ---- for modules (route.h) ---- */

bool duty_held(const struct context *context, const char *name)
{
	return !context->duties || duties_hold(context->duties, name);
}

bool duty_shared(const struct context *context)
{
	return context->duties && atomic_load(&context->duties->others);
}

void duty_fence(const struct context *context, const char *name)
{
	const struct duty *duty = name && context->duties ? find(context->duties, name) : NULL;

	db_fence(duty ? &duty->fence : NULL);
}

#include "modules/proof/watch.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/proof/proof_store.h"
#include "modules/proof/sessions.h"
#include "modules/proof/uptimes.h"
#include "modules/proof/vigil.h"

enum {
	BUCKETS = 1024,
	POLLS = 16384, /* that may be on their way */
	POLLS_A_SECOND = 64, /* of one checker */
	REPORTS_A_MINUTE = 3 * WIRE_WATCHED_MAX, /* all that it keeps */
	LOOKS = 60, /* for who came or left, in an hour */
	LOOK_PART =
		8, /* at most this part of the time is spent looking, but at an hour's beginning */
	KEPT_EPOCHS = 3,
};

struct list {
	uint32_t every_ms;
	struct address *machines; /* in order */
	size_t n;
};

struct node {
	struct node *next;
	struct address checker;
	struct list list;
	bool told;
	int64_t second, minute;
	unsigned int polls, reports; /* in them */
};

struct poll {
	struct address machine, checker;
	uint8_t nonce[16];
	bool open;
};

static struct {
	const struct context *context; /* NULL: not started */
	pthread_mutex_t mutex; /* guards nodes and @stale */
	struct node *buckets[BUCKETS];
	bool stale; /* somebody came */
	struct poll *polls; /* the loop's */
	int64_t began_ms; /* monotonic, as the next two */
	int64_t looked_ms, look_took_ms; /* these are the job's */
	int64_t looked_hour;
	struct vigil vigil;
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int watch_start(const struct context *context)
{
	int r = vigil_init(&all.vigil);

	all.polls = calloc(POLLS, sizeof(*all.polls));
	all.context = context;
	all.looked_hour = -1;
	if (r == 0)
		r = all.polls ? uptimes_start(context) : -ENOMEM;
	if (r < 0)
		watch_stop();
	return r;
}

void watch_begin(void)
{
	all.began_ms = clock_mono_ms(all.context->clock);
}

static void node_free(struct node *node)
{
	free(node->list.machines);
	free(node);
}

void watch_stop(void)
{
	for (size_t i = 0; i < BUCKETS; i++)
		while (all.buckets[i]) {
			struct node *node = all.buckets[i];

			all.buckets[i] = node->next;
			node_free(node);
		}
	uptimes_stop();
	vigil_done(&all.vigil);
	free(all.polls);
	all.polls = NULL;
	all.context = NULL;
}

/* ---- nodes; with the mutex held ---- */

static struct node **place_of(const struct address *checker)
{
	uint16_t key;
	struct node **at;

	memcpy(&key, checker->bytes, sizeof(key));
	for (at = &all.buckets[key % BUCKETS]; *at; at = &(*at)->next)
		if (address_equal(&(*at)->checker, checker))
			break;
	return at;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct address));
}

static bool watches(const struct node *node, const struct address *machine)
{
	const struct list *list = &node->list;

	return list->n > 0 &&
	       bsearch(machine, list->machines, list->n, sizeof(*list->machines), compare);
}

static struct node *node_now(const struct address *checker)
{
	int64_t second = clock_mono_ms(all.context->clock) / 1000;
	struct node *node = *place_of(checker);

	if (node && node->second != second)
		node->polls = 0;
	if (node && node->minute != second / 60)
		node->reports = 0;
	if (node) {
		node->second = second;
		node->minute = second / 60;
	}
	return node;
}

/* A link that is new knows no list. */
void watch_on_up(const struct address *checker)
{
	struct node **at;

	pthread_mutex_lock(&all.mutex);
	at = place_of(checker);
	if (!*at)
		*at = calloc(1, sizeof(**at));
	if (*at) {
		(*at)->checker = *checker;
		(*at)->told = false;
		all.stale = true;
	}
	pthread_mutex_unlock(&all.mutex);
	job_wake(all.context, "proof_watch");
}

void watch_on_down(const struct address *checker)
{
	struct node **at, *node;

	pthread_mutex_lock(&all.mutex);
	at = place_of(checker);
	node = *at;
	if (node)
		*at = node->next;
	pthread_mutex_unlock(&all.mutex);
	if (node)
		node_free(node);
}

/* ---- polls, on the loop ---- */

static bool may_poll(const struct address *checker, const struct address *machine)
{
	struct node *node;
	bool may = false;

	pthread_mutex_lock(&all.mutex);
	node = node_now(checker);
	if (node && node->polls < POLLS_A_SECOND) {
		node->polls++;
		may = watches(node, machine);
	}
	pthread_mutex_unlock(&all.mutex);
	return may || (node && sessions_between(machine, checker));
}

static struct poll *poll_of(const ProtobufCBinaryData *nonce)
{
	uint16_t key;

	memcpy(&key, nonce->data, sizeof(key));
	return &all.polls[key % POLLS];
}

static void on_poll(const struct address *checker, const Wire__Poll *said)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Poll poll = WIRE__POLL__INIT;
	struct poll *open = poll_of(&said->nonce);
	struct machine_id machine;

	memcpy(machine.address.bytes, said->machine.data, sizeof(machine.address.bytes));
	if (!may_poll(checker, &machine.address))
		return;
	open->machine = machine.address;
	open->checker = *checker;
	memcpy(open->nonce, said->nonce.data, sizeof(open->nonce));
	open->open = true;
	poll.machine = said->machine;
	poll.nonce = said->nonce;
	poll.checker = (ProtobufCBinaryData){ sizeof(open->checker.bytes), open->checker.bytes };
	message.body_case = WIRE__TO_NODE__BODY_POLL;
	message.poll = &poll;
	/* A machine that is away does not answer: that is what is asked. */
	if (worker_proof_send(machine, &message) < 0)
		open->open = false;
}

void watch_on_worker(struct machine_id machine, const Wire__ToServer *said)
{
	const Wire__PollAnswer *answer = said->poll_answer;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	struct poll *open;
	int r;

	if (said->body_case != WIRE__TO_SERVER__BODY_POLL_ANSWER)
		return;
	open = poll_of(&answer->nonce);
	if (!open->open || !address_equal(&open->machine, &machine.address) ||
	    memcmp(open->nonce, answer->nonce.data, sizeof(open->nonce)) != 0 ||
	    memcmp(open->checker.bytes, answer->checker.data, sizeof(open->checker.bytes)) != 0)
		return;
	open->open = false;
	message.body_case = WIRE__TO_NODE__BODY_POLL_ANSWER;
	message.poll_answer = (Wire__PollAnswer *)(uintptr_t)answer;
	r = checker_send(&open->checker, &message);
	if (r < 0 && r != -ENOTCONN)
		log_warn("proof.poll_answer", log_fault(r));
}

/* ---- reports ---- */

static bool may_report(const struct address *checker)
{
	struct node *node;
	bool may;

	pthread_mutex_lock(&all.mutex);
	node = node_now(checker);
	may = node && node->reports < REPORTS_A_MINUTE;
	if (may)
		node->reports++;
	pthread_mutex_unlock(&all.mutex);
	return may;
}

void watch_on_checker(const struct address *checker, const Wire__ToServer *message)
{
	if (message->body_case == WIRE__TO_SERVER__BODY_POLL)
		on_poll(checker, message->poll);
	else if (message->body_case == WIRE__TO_SERVER__BODY_UPTIME && may_report(checker) &&
		 uptimes_take(checker, message->uptime))
		job_wake(all.context, "proof_watch");
}

/* ---- the job: watchers are drawn, and told ---- */

/* Of all who can be drawn now: machines of the i-th begin at starts[i]. */
struct lists {
	size_t *starts;
	struct address *machines;
	uint32_t every_ms;
};

static int compare_members(const void *a, const void *b)
{
	const struct checker_member *x = a, *y = b;

	return memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

static const struct checker_member *member_of(const struct address *checker)
{
	const struct checker_member key = { .checker = *checker };

	return bsearch(&key, all.vigil.checkers, all.vigil.n_checkers, sizeof(key),
		       compare_members);
}

/* In the machines' order, as the watchers are. */
static int make_lists(struct lists *lists)
{
	const struct vigil *vigil = &all.vigil;
	size_t n = vigil->n_checkers;
	size_t *at = calloc(n + 2, sizeof(*at));

	lists->starts = at;
	lists->machines = calloc(vigil->n + 1, sizeof(*lists->machines));
	if (!at || !lists->machines)
		return -ENOMEM;
	/* at[i + 2] counts those of i; then at[i + 1] says where the next of them goes. */
	for (size_t w = 0; w < vigil->n; w++) {
		const struct checker_member *member = member_of(&vigil->watchers[w].checker);

		if (member)
			at[member - vigil->checkers + 2]++;
	}
	for (size_t i = 2; i < n + 2; i++)
		at[i] += at[i - 1];
	for (size_t w = 0; w < vigil->n; w++) {
		const struct proof_watcher *watcher = &vigil->watchers[w];
		const struct checker_member *member = member_of(&watcher->checker);

		if (member)
			lists->machines[at[member - vigil->checkers + 1]++] =
				watcher->machine.address;
	}
	return 0;
}

/* With the mutex held. */
static int give_list(struct node *node, const struct list *list)
{
	size_t size = list->n * sizeof(*list->machines);
	struct address *machines;

	if (node->list.every_ms == list->every_ms && node->list.n == list->n &&
	    (size == 0 || memcmp(node->list.machines, list->machines, size) == 0))
		return 0;
	machines = malloc(size + 1);
	if (!machines)
		return -ENOMEM;
	if (size)
		memcpy(machines, list->machines, size);
	free(node->list.machines);
	node->list = (struct list){ list->every_ms, machines, list->n };
	node->told = false;
	return 0;
}

/* Who cannot be drawn any more watches nobody. */
static int give_lists(const struct lists *lists)
{
	int r = 0;

	pthread_mutex_lock(&all.mutex);
	for (size_t b = 0; b < BUCKETS; b++)
		for (struct node *node = all.buckets[b]; r == 0 && node; node = node->next) {
			const struct checker_member *member = member_of(&node->checker);
			struct list list = { .every_ms = lists->every_ms };

			if (member) {
				size_t i = (size_t)(member - all.vigil.checkers);

				list.machines = lists->machines + lists->starts[i];
				list.n = size_min(lists->starts[i + 1] - lists->starts[i],
						  WIRE_WATCHED_MAX);
			}
			r = give_list(node, &list);
		}
	pthread_mutex_unlock(&all.mutex);
	return r;
}

static int send_watch(const struct address *checker, const struct list *list)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Watch watch = WIRE__WATCH__INIT;

	watch.every_ms = list->every_ms;
	watch.hour_ms = (uint32_t)all.context->settings->watch_hour_ms;
	watch.machines = (ProtobufCBinaryData){ list->n * sizeof(*list->machines),
						(uint8_t *)list->machines };
	message.body_case = WIRE__TO_NODE__BODY_WATCH;
	message.watch = &watch;
	return checker_send(checker, &message);
}

/* One of the bucket that does not know its list: a copy of it. */
static bool take_untold(size_t bucket, struct address *ret_checker, struct list *ret_list)
{
	struct node *node;
	bool found = false;

	pthread_mutex_lock(&all.mutex);
	for (node = all.buckets[bucket]; node && node->told;)
		node = node->next;
	ret_list->machines = node ? malloc(node->list.n * sizeof(*ret_list->machines) + 1) : NULL;
	if (ret_list->machines) {
		if (node->list.n > 0)
			memcpy(ret_list->machines, node->list.machines,
			       node->list.n * sizeof(*ret_list->machines));
		ret_list->every_ms = node->list.every_ms;
		ret_list->n = node->list.n;
		*ret_checker = node->checker;
		node->told = found = true;
	}
	pthread_mutex_unlock(&all.mutex);
	return found;
}

/* What is not sent for want of memory is sent with the next list. */
static void tell_all(void)
{
	struct address checker;
	struct list list;

	for (size_t b = 0; b < BUCKETS; b++)
		while (take_untold(b, &checker, &list)) {
			int r = send_watch(&checker, &list);

			if (r < 0 && r != -ENOTCONN)
				log_warn("proof.watch", log_fault(r));
			free(list.machines);
		}
}

struct purge {
	int64_t hour;
	unsigned int part;
};

static int tx_purge(struct tx *tx, void *arg)
{
	const struct purge *purge = arg;

	return proof_store_hours_purge(tx, purge->hour, purge->part);
}

static int purge(const struct context *context, int64_t hour, struct arena *arena)
{
	const struct settings *settings = context->settings;
	struct purge purge = {
		.hour = hour - KEPT_EPOCHS * settings->epoch_ms / settings->watch_hour_ms - 1,
	};
	int r = 0;

	for (; r == 0 && purge.part < HOURS_PARTS; purge.part++)
		r = db_run(context->db, TX_WRITE, arena, tx_purge, &purge);
	return r;
}

static int look(const struct context *context, int64_t hour, struct arena *arena)
{
	struct lists lists = { 0 };
	int r = 0;

	arena_reset(arena);
	if (hour != all.looked_hour)
		r = purge(context, hour, arena);
	if (r == 0)
		r = vigil_look(&all.vigil, context, hour, arena);
	lists.every_ms = (uint32_t)(context->settings->poll_every_ms * (int64_t)all.vigil.each);
	if (r == 0)
		r = make_lists(&lists);
	if (r == 0)
		r = give_lists(&lists);
	free(lists.starts);
	free(lists.machines);
	return r;
}

/* At an hour's beginning, when somebody came, and now and then. */
static bool is_due(int64_t hour, int64_t mono_ms)
{
	int64_t since_ms = mono_ms - all.looked_ms;
	bool stale;

	if (hour == all.looked_hour && since_ms < all.look_took_ms * LOOK_PART)
		return false;
	pthread_mutex_lock(&all.mutex);
	stale = all.stale;
	all.stale = false;
	pthread_mutex_unlock(&all.mutex);
	return stale || hour != all.looked_hour ||
	       since_ms >= all.context->settings->watch_hour_ms / LOOKS;
}

int watch_run(const struct context *context, struct arena *arena)
{
	int64_t hour = clock_now_ms(context->clock) / context->settings->watch_hour_ms;
	int64_t mono_ms = clock_mono_ms(context->clock);
	int r = uptimes_run(context, arena);

	/* Until all machines can be back nobody is polled. */
	if (r != 0 || mono_ms - all.began_ms < context->settings->poll_after_ms ||
	    !is_due(hour, mono_ms))
		return r;
	r = look(context, hour, arena);
	/* What failed is due at the next turn. */
	all.looked_hour = r == 0 ? hour : -1;
	all.looked_ms = clock_mono_ms(context->clock);
	all.look_took_ms = all.looked_ms - mono_ms;
	if (r == 0)
		tell_all();
	return r;
}

#include "modules/proof/watch.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/proof/proof_store.h"
#include "modules/proof/sessions.h"
#include "modules/proof/watchers.h"
#include "security/secp.h"

enum {
	BUCKETS = 1024,
	POLLS = 16384, /* that may be on their way */
	POLLS_A_SECOND = 64, /* of one checker */
	REPORTS_MAX =
		65536, /* waiting to be written: those of an hour come at its end, all at once */
	REPORTS_AT_ONCE = 4096, /* written in one transaction */
	WRITES_MAX = REPORTS_MAX / REPORTS_AT_ONCE, /* of them in one turn */
	RECENT_MS = 7 * 24 * 3600000,
	HOURS = 2, /* this one and the last: whose watchers may report */
	LOOKS = 60, /* for who came or left, in an hour */
	KEPT_EPOCHS = 3,
};

struct list {
	int64_t hour;
	struct address *machines; /* in order */
	size_t n;
};

struct node {
	struct node *next;
	struct address checker;
	struct list lists[HOURS]; /* the newer first */
	bool told; /* of the newer one */
	int64_t second;
	unsigned int polls; /* in it */
};

struct poll {
	struct address machine, checker;
	uint8_t nonce[16];
	bool open;
};

static struct {
	const struct context *context; /* NULL: not started */
	pthread_mutex_t mutex; /* guards nodes and reports */
	struct node *buckets[BUCKETS];
	struct proof_uptime *reports;
	size_t n_reports;
	struct poll *polls; /* the loop's */
	bool stale; /* somebody is to be told: guarded, too */
	struct hasher *hasher; /* these are the job's */
	int64_t looked_ms, looked_hour;
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

int watch_start(const struct context *context)
{
	all.reports = calloc(REPORTS_MAX, sizeof(*all.reports));
	all.polls = calloc(POLLS, sizeof(*all.polls));
	all.context = context;
	if (all.reports && all.polls && hasher_new(&all.hasher) == 0)
		return 0;
	watch_stop();
	return -ENOMEM;
}

static void node_free(struct node *node)
{
	for (int i = 0; i < HOURS; i++)
		free(node->lists[i].machines);
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
	free(all.reports);
	free(all.polls);
	hasher_free(all.hasher);
	all.reports = NULL;
	all.n_reports = 0;
	all.polls = NULL;
	all.hasher = NULL;
	all.looked_ms = all.looked_hour = 0;
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

static bool watches(const struct node *node, const struct address *machine, int64_t hour)
{
	for (int i = 0; i < HOURS; i++) {
		const struct list *list = &node->lists[i];

		if (list->hour == hour && list->n > 0 &&
		    bsearch(machine, list->machines, list->n, sizeof(*list->machines), compare))
			return true;
	}
	return false;
}

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
	int64_t second = clock_mono_ms(all.context->clock) / 1000;
	struct node *node;
	bool may = false;

	pthread_mutex_lock(&all.mutex);
	node = *place_of(checker);
	if (node && node->second != second) {
		node->second = second;
		node->polls = 0;
	}
	if (node && node->polls < POLLS_A_SECOND) {
		node->polls++;
		may = watches(node, machine, node->lists[0].hour);
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

static bool is_signed(const struct proof_uptime *uptime)
{
	const struct uptime_statement statement = {
		.network = all.context->settings->network,
		.machine = uptime->machine,
		.checker = uptime->checker,
		.hour_ms = all.context->settings->watch_hour_ms,
		.hour = uptime->hour,
		.polls = uptime->polls,
		.answered = uptime->answered,
		.away = uptime->away,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	uptime_digest(&statement, digest);
	return secp_recover(digest, uptime->signature, &signer) == 0 &&
	       address_equal(&signer, &uptime->checker);
}

/* Whether it was asked for, and there is room. */
static bool is_awaited(const struct proof_uptime *uptime)
{
	struct node *node;
	bool awaited;

	pthread_mutex_lock(&all.mutex);
	node = *place_of(&uptime->checker);
	awaited = node && watches(node, &uptime->machine.address, uptime->hour) &&
		  all.n_reports < REPORTS_MAX;
	pthread_mutex_unlock(&all.mutex);
	return awaited;
}

/* What nobody asked for costs no signature. */
static void on_uptime(const struct address *checker, const Wire__Uptime *said)
{
	struct proof_uptime uptime = { .checker = *checker,
				       .hour = said->hour,
				       .polls = said->polls,
				       .answered = said->answered };
	int64_t seconds = all.context->settings->watch_hour_ms / 1000;
	struct node *node;
	bool holds;

	memcpy(uptime.machine.address.bytes, said->machine.data, 20);
	memcpy(uptime.signature, said->signature.data, sizeof(uptime.signature));
	if (uptime.polls == 0 || uptime.answered > uptime.polls ||
	    spans_decode(said->away.data, said->away.len, seconds, &uptime.away) < 0)
		return;
	holds = is_awaited(&uptime) && is_signed(&uptime);
	pthread_mutex_lock(&all.mutex);
	node = *place_of(checker);
	if (node && holds && all.n_reports < REPORTS_MAX)
		all.reports[all.n_reports++] = uptime;
	/* Whatever became of it: said once is enough. A full queue asks for it again. */
	if (node && all.n_reports < REPORTS_MAX) {
		node->told = false;
		all.stale = true;
	}
	pthread_mutex_unlock(&all.mutex);
	job_wake(all.context, "proof_watch");
}

void watch_on_checker(const struct address *checker, const Wire__ToServer *message)
{
	if (message->body_case == WIRE__TO_SERVER__BODY_POLL)
		on_poll(checker, message->poll);
	else if (message->body_case == WIRE__TO_SERVER__BODY_UPTIME)
		on_uptime(checker, message->uptime);
}

/* ---- the job: reports written, watchers drawn and told ---- */

struct turn {
	const struct context *context;
	struct arena *arena;
	int64_t now_ms, hour;
	struct proof_uptime *reports;
	size_t n_reports;
	struct checker_member *checkers;
	size_t n_checkers;
	struct proof_machine *machines;
	size_t n_machines;
	struct hash beacon; /* at this hour's start */
	bool beacon_known;
	struct proof_watcher *watchers[HOURS]; /* this hour's first */
	size_t n_watchers[HOURS];
};

static int tx_report(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < turn->n_reports; i++)
		r = proof_store_uptime_add(tx, &turn->reports[i]);
	return r;
}

/* The oldest of them. Those that could not be written stay: who reported them is not asked again. */
static int write_some(struct turn *turn)
{
	int r;

	arena_reset(turn->arena);
	turn->reports = arena_array(turn->arena, REPORTS_AT_ONCE, sizeof(*turn->reports));
	if (!turn->reports)
		return -ENOMEM;
	pthread_mutex_lock(&all.mutex);
	turn->n_reports = size_min(all.n_reports, REPORTS_AT_ONCE);
	memcpy(turn->reports, all.reports, turn->n_reports * sizeof(*all.reports));
	pthread_mutex_unlock(&all.mutex);
	if (turn->n_reports == 0)
		return 0;
	r = db_run(turn->context->db, TX_WRITE, turn->arena, tx_report, turn);
	if (r != 0)
		return r;
	pthread_mutex_lock(&all.mutex);
	all.n_reports -= turn->n_reports;
	memmove(all.reports, all.reports + turn->n_reports, all.n_reports * sizeof(*all.reports));
	pthread_mutex_unlock(&all.mutex);
	return 0;
}

static int write_reports(struct turn *turn)
{
	int r = 0;

	turn->n_reports = REPORTS_AT_ONCE;
	for (int i = 0; r == 0 && turn->n_reports == REPORTS_AT_ONCE && i < WRITES_MAX; i++)
		r = write_some(turn);
	return r;
}

/* Not more than all watchers of which an hour's list is read at once. */
static size_t machines_max(const struct settings *settings)
{
	return size_min(WIRE_WATCHED_MAX, SQL_ROWS_MAX / 2 / (size_t)settings->panel_standing);
}

static int tx_read(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	const struct settings *settings = turn->context->settings;
	int r = checker_eligible(turn->context, tx, &turn->checkers, &turn->n_checkers);

	if (r == 0)
		r = proof_store_machines(tx, turn->now_ms - RECENT_MS, machines_max(settings),
					 &turn->machines, &turn->n_machines);
	for (int i = 0; r == 0 && i < HOURS; i++)
		r = proof_store_watchers(tx, NULL, turn->hour - i, &turn->watchers[i],
					 &turn->n_watchers[i]);
	if (r != 0)
		return r;
	r = beacon_then(turn->context, tx, turn->hour * settings->watch_hour_ms, &turn->beacon);
	turn->beacon_known = r == 0;
	return r == ROUTE_E_UNAVAILABLE ? 0 : r;
}

struct drawn {
	int64_t hour;
	struct proof_watcher *watchers;
	size_t n;
};

static int tx_add(struct tx *tx, void *arg)
{
	const struct drawn *drawn = arg;

	return proof_store_watchers_add(tx, drawn->hour, drawn->watchers, drawn->n);
}

/* Who is drawn is written before anybody is told. */
static int draw(struct turn *turn)
{
	const struct watchers_call call = {
		.beacon = turn->beacon,
		.hour = turn->hour,
		.wanted = (size_t)turn->context->settings->panel_standing,
		.checkers = turn->checkers,
		.n_checkers = turn->n_checkers,
		.machines = turn->machines,
		.n_machines = turn->n_machines,
	};
	struct drawn drawn = { .hour = turn->hour };
	struct proof_watcher *watchers;
	size_t n = turn->n_watchers[0];
	int r;

	if (!turn->beacon_known)
		return 0;
	r = watchers_draw(all.hasher, &call, turn->watchers[0], n, turn->arena, &drawn.watchers,
			  &drawn.n);
	if (r < 0 || drawn.n == 0)
		return r;
	r = db_run(turn->context->db, TX_WRITE, turn->arena, tx_add, &drawn);
	if (r != 0)
		return r;
	watchers = arena_array(turn->arena, n + drawn.n, sizeof(*watchers));
	if (!watchers)
		return -ENOMEM;
	memcpy(watchers, turn->watchers[0], n * sizeof(*watchers));
	memcpy(watchers + n, drawn.watchers, drawn.n * sizeof(*watchers));
	qsort(watchers, n + drawn.n, sizeof(*watchers), watchers_compare);
	turn->watchers[0] = watchers;
	turn->n_watchers[0] = n + drawn.n;
	return 0;
}

static int send_watch(const struct turn *turn, const struct address *checker,
		      const struct list *list)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Watch watch = WIRE__WATCH__INIT;
	const struct settings *settings = turn->context->settings;
	int64_t watchers = (int64_t)size_min((size_t)settings->panel_standing, turn->n_checkers);

	watch.every_ms = (uint32_t)(settings->poll_every_ms * watchers);
	watch.hour_ms = (uint32_t)settings->watch_hour_ms;
	watch.machines = (ProtobufCBinaryData){ list->n * sizeof(*list->machines),
						(uint8_t *)list->machines };
	message.body_case = WIRE__TO_NODE__BODY_WATCH;
	message.watch = &watch;
	return checker_send(checker, &message);
}

static bool must_tell(const struct address *checker, const struct list *list)
{
	const struct list *mine;
	const struct node *node;
	bool must;

	pthread_mutex_lock(&all.mutex);
	node = *place_of(checker);
	mine = node ? &node->lists[0] : NULL;
	must = node && (!node->told || mine->hour != list->hour || mine->n != list->n ||
			(list->n > 0 && memcmp(mine->machines, list->machines,
					       list->n * sizeof(*list->machines)) != 0));
	pthread_mutex_unlock(&all.mutex);
	return must;
}

/* The node's list for this one, which then is the old. */
static void swap_lists(const struct address *checker, int i, struct list *list)
{
	struct node *node;

	pthread_mutex_lock(&all.mutex);
	node = *place_of(checker);
	if (node) {
		struct list old = node->lists[i];

		node->lists[i] = *list;
		*list = old;
		node->told = node->told || i == 0;
	}
	pthread_mutex_unlock(&all.mutex);
}

static void give_lists(const struct turn *turn, int i, struct list *lists)
{
	for (size_t c = 0; c < turn->n_checkers; c++) {
		const struct address *checker = &turn->checkers[c].checker;
		bool tell = i == 0 && must_tell(checker, &lists[c]);
		int r = tell ? send_watch(turn, checker, &lists[c]) : 0;

		swap_lists(checker, i, &lists[c]);
		free(lists[c].machines);
		if (r < 0 && r != -ENOTCONN)
			log_warn("proof.watch", log_fault(r));
	}
}

static int compare_members(const void *a, const void *b)
{
	const struct checker_member *x = a, *y = b;

	return memcmp(&x->checker, &y->checker, sizeof(x->checker));
}

/* Of those who are there now, each has the machines for which it was drawn, in their order. */
static int fill_lists(const struct turn *turn, int i, struct list *lists)
{
	size_t n = turn->n_watchers[i];

	for (size_t w = 0; w < n; w++) {
		const struct proof_watcher *watcher = &turn->watchers[i][w];
		const struct checker_member key = { .checker = watcher->checker };
		const struct checker_member *member = bsearch(
			&key, turn->checkers, turn->n_checkers, sizeof(key), compare_members);
		struct list *list = member ? &lists[member - turn->checkers] : NULL;

		if (!list || list->n == WIRE_WATCHED_MAX)
			continue;
		if (!list->machines)
			list->machines = calloc(size_min(n, WIRE_WATCHED_MAX),
						sizeof(*list->machines));
		if (!list->machines)
			return -ENOMEM;
		list->machines[list->n++] = watcher->machine.address;
	}
	return 0;
}

static int tell_hour(const struct turn *turn, int i)
{
	struct list *lists = calloc(turn->n_checkers + 1, sizeof(*lists));
	int r = lists ? 0 : -ENOMEM;

	for (size_t c = 0; r == 0 && c < turn->n_checkers; c++)
		lists[c].hour = turn->hour - i;
	if (r == 0)
		r = fill_lists(turn, i, lists);
	if (r == 0)
		give_lists(turn, i, lists);
	else
		for (size_t c = 0; lists && c < turn->n_checkers; c++)
			free(lists[c].machines);
	free(lists);
	return r;
}

static int tx_purge(struct tx *tx, void *arg)
{
	const struct turn *turn = arg;
	const struct settings *settings = turn->context->settings;

	return proof_store_hours_purge(
		tx,
		turn->hour - HOURS - KEPT_EPOCHS * settings->epoch_ms / settings->watch_hour_ms);
}

/* At an hour's beginning, when somebody came or reported, and now and then. */
static bool is_due(const struct turn *turn)
{
	bool stale;

	pthread_mutex_lock(&all.mutex);
	stale = all.stale;
	all.stale = false;
	pthread_mutex_unlock(&all.mutex);
	return stale || turn->hour != all.looked_hour || turn->now_ms < all.looked_ms ||
	       turn->now_ms - all.looked_ms >= turn->context->settings->watch_hour_ms / LOOKS;
}

static int look(struct turn *turn)
{
	const struct context *context = turn->context;
	int r = 0;

	arena_reset(turn->arena);
	if (turn->hour != all.looked_hour)
		r = db_run(context->db, TX_WRITE, turn->arena, tx_purge, turn);
	if (r == 0)
		r = db_run(context->db, TX_READ, turn->arena, tx_read, turn);
	if (r == 0)
		r = draw(turn);
	for (int i = HOURS - 1; r == 0 && i >= 0; i--)
		r = tell_hour(turn, i);
	return r;
}

int watch_run(const struct context *context, struct arena *arena)
{
	struct turn turn = { .context = context,
			     .arena = arena,
			     .now_ms = clock_now_ms(context->clock) };
	int r;

	turn.hour = turn.now_ms / context->settings->watch_hour_ms;
	r = write_reports(&turn);
	if (r != 0 || !is_due(&turn))
		return r;
	r = look(&turn);
	/* What failed is due at the next turn. */
	all.looked_hour = r == 0 ? turn.hour : 0;
	all.looked_ms = turn.now_ms;
	return r;
}

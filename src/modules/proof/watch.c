#include "modules/proof/watch.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "modules/proof/proof_store.h"
#include "modules/proof/sessions.h"
#include "security/secp.h"

enum {
	BUCKETS = 1024,
	POLLS = 16384, /* that may be on their way */
	POLLS_A_SECOND = 64, /* of one checker */
	REPORTS_MAX = 4096, /* waiting to be written */
	HOUR_MS = 3600000,
	RECENT_MS = 7 * 24 * HOUR_MS,
	HOURS = 2, /* this one and the last: whose watchers may report */
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
	struct hasher *hasher; /* the job's */
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
		.hour = uptime->hour,
		.polls = uptime->polls,
		.answered = uptime->answered,
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
	struct node *node;
	bool holds;

	memcpy(uptime.machine.address.bytes, said->machine.data, 20);
	memcpy(uptime.signature, said->signature.data, sizeof(uptime.signature));
	if (uptime.polls == 0 || uptime.answered > uptime.polls)
		return;
	holds = is_awaited(&uptime) && is_signed(&uptime);
	pthread_mutex_lock(&all.mutex);
	node = *place_of(checker);
	if (node && holds && all.n_reports < REPORTS_MAX)
		all.reports[all.n_reports++] = uptime;
	/* Whatever became of it: said once is enough. A full queue asks for it again. */
	if (node && all.n_reports < REPORTS_MAX)
		node->told = false;
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
	int64_t hour;
	struct proof_uptime *reports;
	size_t n_reports;
	struct checker_member *checkers;
	size_t n_checkers;
	struct proof_machine *machines;
	size_t n_machines;
	struct hash values[HOURS]; /* of the beacon, this hour's first */
	bool known[HOURS];
};

static int tx_write(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	int64_t kept = KEPT_EPOCHS * turn->context->settings->epoch_ms / HOUR_MS;
	int r = proof_store_uptime_purge(tx, turn->hour - kept - HOURS);

	for (size_t i = 0; r == 0 && i < turn->n_reports; i++)
		r = proof_store_uptime_add(tx, &turn->reports[i]);
	return r;
}

static int write_reports(struct turn *turn, struct arena *arena)
{
	turn->reports = arena_array(arena, REPORTS_MAX, sizeof(*turn->reports));
	if (!turn->reports)
		return -ENOMEM;
	pthread_mutex_lock(&all.mutex);
	turn->n_reports = all.n_reports;
	memcpy(turn->reports, all.reports, all.n_reports * sizeof(*all.reports));
	all.n_reports = 0;
	pthread_mutex_unlock(&all.mutex);
	if (turn->n_reports == 0)
		return 0;
	return db_run(turn->context->db, TX_WRITE, arena, tx_write, turn);
}

static int tx_read(struct tx *tx, void *arg)
{
	struct turn *turn = arg;
	int r = checker_eligible(turn->context, tx, &turn->checkers, &turn->n_checkers);

	if (r == 0)
		r = proof_store_machines(tx, clock_now_ms(turn->context->clock) - RECENT_MS,
					 WIRE_WATCHED_MAX, &turn->machines, &turn->n_machines);
	for (int i = 0; r == 0 && i < HOURS; i++) {
		r = beacon_then(turn->context, tx, (turn->hour - i) * HOUR_MS, &turn->values[i]);
		turn->known[i] = r == 0;
		r = r == ROUTE_E_UNAVAILABLE ? 0 : r;
	}
	return r;
}

static void draw_number(const struct turn *turn, int i, const struct address *machine,
			uint32_t number, struct hash *ret_hash)
{
	static const char tag[] = "popw1/watch";
	int64_t hour = turn->hour - i;
	uint8_t bytes[12];

	for (int b = 0; b < 8; b++)
		bytes[b] = (uint8_t)((uint64_t)hour >> (8 * b));
	for (int b = 0; b < 4; b++)
		bytes[8 + b] = (uint8_t)(number >> (8 * b));
	hasher_start(all.hasher);
	hasher_add(all.hasher, tag, sizeof(tag) - 1);
	hasher_add(all.hasher, turn->values[i].bytes, HASH_SIZE);
	hasher_add(all.hasher, bytes, 8);
	hasher_add(all.hasher, machine->bytes, sizeof(machine->bytes));
	hasher_add(all.hasher, bytes + 8, 4);
	hasher_end(all.hasher, ret_hash);
}

/* Adds the machine to the lists of those that are drawn for it. */
static void draw_watchers(const struct turn *turn, int i, const struct proof_machine *machine,
			  struct list *lists)
{
	size_t wanted = (size_t)turn->context->settings->panel_standing, drawn = 0;

	for (uint32_t number = 0; drawn < wanted && number < 4 * wanted; number++) {
		struct hash hash;
		uint64_t word;
		struct list *list;

		draw_number(turn, i, &machine->machine.address, number, &hash);
		memcpy(&word, hash.bytes, sizeof(word));
		list = &lists[word % turn->n_checkers];
		if (account_equal(turn->checkers[list - lists].account, machine->owner) ||
		    (list->n > 0 &&
		     address_equal(&list->machines[list->n - 1], &machine->machine.address)))
			continue;
		list->machines[list->n++] = machine->machine.address;
		drawn++;
	}
}

static int send_watch(const struct turn *turn, const struct address *checker,
		      const struct list *list)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Watch watch = WIRE__WATCH__INIT;
	const struct settings *settings = turn->context->settings;
	int64_t watchers = (int64_t)size_min((size_t)settings->panel_standing, turn->n_checkers);

	watch.every_ms = (uint32_t)(settings->poll_every_ms * watchers);
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

static int draw_hour(const struct turn *turn, int i)
{
	struct list *lists = calloc(turn->n_checkers + 1, sizeof(*lists));
	int r = lists ? 0 : -ENOMEM;

	for (size_t c = 0; r == 0 && c < turn->n_checkers; c++) {
		lists[c].hour = turn->hour - i;
		lists[c].machines = calloc(turn->n_machines + 1, sizeof(*lists[c].machines));
		r = lists[c].machines ? 0 : -ENOMEM;
	}
	for (size_t m = 0; r == 0 && m < turn->n_machines; m++)
		draw_watchers(turn, i, &turn->machines[m], lists);
	if (r == 0)
		give_lists(turn, i, lists);
	else
		for (size_t c = 0; lists && c < turn->n_checkers; c++)
			free(lists[c].machines);
	free(lists);
	return r;
}

int watch_run(const struct context *context, struct arena *arena)
{
	struct turn turn = { .context = context, .hour = clock_now_ms(context->clock) / HOUR_MS };
	int r = write_reports(&turn, arena);

	if (r != 0)
		return r;
	arena_reset(arena);
	r = db_run(context->db, TX_READ, arena, tx_read, &turn);
	for (int i = HOURS - 1; r == 0 && i >= 0; i--)
		if (turn.known[i] && turn.n_checkers > 0)
			r = draw_hour(&turn, i);
	return r;
}

#include "modules/proof/sessions.h"

#include <pthread.h>

#include "api/settings.h"
#include "base/log.h"
#include "io/loop.h"
#include "modules/checker/checker.h"
#include "modules/proof/plan.h"

enum {
	TICK_MS = 50,
	OWNERS_PART = 4,
	UNPROVED_PART = 2,
	AGAIN_MS =
		1000, /* until what could not be settled is tried again; then twice that, and so on */
	AGAIN_MAX_MS = 60000,
};

enum state { STARTING, LIVE, ENDED, SETTLING };

struct live {
	struct live *next;
	struct sessions_order order;
	enum state state;
	int64_t wait_ms,
		again_ms; /* could not be settled: the last wait, and its end; 0: not tried */
	struct conductor *conductor; /* the loop's while LIVE, the settler's afterwards */
	struct phantom *phantom;
	const char *phase; /* conductor_phase; for others than the loop */
	const char *noted; /* the one that the store knows */
	int64_t until_ms; /* conductor_deadline; likewise */
};

static struct {
	const struct context *context; /* NULL: not started */
	pthread_mutex_t mutex; /* guards list, numbers, states, waits and phases */
	struct live *list; /* newest first */
	size_t n, stuck; /* @stuck of them could not be settled */
	struct loop_timer *timer; /* the loop's; while anything is LIVE */
} all = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static int64_t mono_ms(void)
{
	return clock_mono_ms(all.context->clock);
}

static void live_free(struct live *live)
{
	if (!live->phantom)
		secp_key_free(live->order.key);
	phantom_free(live->phantom);
	conductor_free(live->conductor);
	free(live);
}

int sessions_start(const struct context *context)
{
	all.context = context;
	return 0;
}

void sessions_stop(void)
{
	while (all.list) {
		struct live *live = all.list;

		all.list = live->next;
		live_free(live);
	}
	all.n = all.stuck = 0;
	all.timer = NULL; /* its loop's to close */
	all.context = NULL;
}

/* ---- looking, from any thread ---- */

/* What cannot be settled keeps no others out, as long as it is bounded itself; under the mutex. */
static size_t room(void)
{
	size_t most = (size_t)all.context->settings->proof_at_once;
	size_t taken = all.n - size_min(all.stuck, most);

	return taken < most ? most - taken : 0;
}

size_t sessions_room(void)
{
	size_t n;

	pthread_mutex_lock(&all.mutex);
	n = room();
	pthread_mutex_unlock(&all.mutex);
	return n;
}

struct shares {
	const struct address *owner;
	size_t owners, unproved;
};

/* An appeal, too: it takes no room from machines that stand proved. */
static bool is_of_unproved(enum session_kind kind)
{
	return kind == SESSION_REGISTRATION || kind == SESSION_APPEAL;
}

static void count_share(struct shares *shares, const struct sessions_order *order)
{
	shares->owners += address_equal(&order->owner, shares->owner);
	shares->unproved += is_of_unproved((enum session_kind)order->session.kind);
}

size_t sessions_unproved_most(const struct settings *settings)
{
	return (size_t)settings->proof_at_once / UNPROVED_PART;
}

static bool is_fair(size_t taken, size_t wanted, size_t share)
{
	return taken == 0 || taken + wanted <= share;
}

bool sessions_owner_fair(const struct settings *settings, size_t taken, size_t wanted)
{
	return is_fair(taken, wanted, (size_t)settings->proof_at_once / OWNERS_PART);
}

bool sessions_fair(const struct sessions_order *drafted, size_t n, const struct address *owner,
		   enum session_kind kind, size_t wanted)
{
	const struct settings *settings = all.context->settings;
	struct shares shares = { .owner = owner };

	for (size_t i = 0; i < n; i++)
		count_share(&shares, &drafted[i]);
	pthread_mutex_lock(&all.mutex);
	for (const struct live *live = all.list; live; live = live->next)
		if (live->wait_ms == 0)
			count_share(&shares, &live->order);
	pthread_mutex_unlock(&all.mutex);
	return sessions_owner_fair(settings, shares.owners, wanted) &&
	       (!is_of_unproved(kind) ||
		is_fair(shares.unproved, wanted, sessions_unproved_most(settings)));
}

bool sessions_busy(const struct address *machine)
{
	struct live *live;

	pthread_mutex_lock(&all.mutex);
	for (live = all.list; live; live = live->next)
		if (address_equal(&live->order.session.machine, machine))
			break;
	pthread_mutex_unlock(&all.mutex);
	return live != NULL;
}

const char *sessions_phase(struct proof_id id)
{
	const char *phase = "";

	pthread_mutex_lock(&all.mutex);
	for (const struct live *live = all.list; live; live = live->next)
		if (proof_id_equal(live->order.session.id, id) && live->phase)
			phase = live->phase;
	pthread_mutex_unlock(&all.mutex);
	return phase;
}

size_t sessions_moved(struct sessions_phase *ret_phases, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&all.mutex);
	for (const struct live *live = all.list; live && n < max; live = live->next)
		if (live->phase != live->noted)
			ret_phases[n++] = (struct sessions_phase){ live->order.session.id,
								   live->phase };
	pthread_mutex_unlock(&all.mutex);
	return n;
}

void sessions_noted(const struct sessions_phase *phases, size_t n)
{
	pthread_mutex_lock(&all.mutex);
	for (struct live *live = all.list; live; live = live->next)
		for (size_t i = 0; i < n; i++)
			if (proof_id_equal(live->order.session.id, phases[i].id))
				live->noted = phases[i].phase;
	pthread_mutex_unlock(&all.mutex);
}

int64_t sessions_phase_until(struct proof_id id)
{
	int64_t until_ms = 0;

	pthread_mutex_lock(&all.mutex);
	for (const struct live *live = all.list; live; live = live->next)
		if (proof_id_equal(live->order.session.id, id))
			until_ms = live->until_ms;
	pthread_mutex_unlock(&all.mutex);
	return until_ms ? clock_now_ms(all.context->clock) + until_ms - mono_ms() : 0;
}

static int member_of(const struct live *live, const struct address *checker)
{
	for (int i = 0; i < live->order.session.panel_size; i++)
		if (address_equal(&live->order.members[i], checker))
			return i;
	return -1;
}

bool sessions_between(const struct address *machine, const struct address *checker)
{
	struct live *live;

	pthread_mutex_lock(&all.mutex);
	for (live = all.list; live; live = live->next)
		if (live->state == LIVE && address_equal(&live->order.session.machine, machine) &&
		    member_of(live, checker) >= 0)
			break;
	pthread_mutex_unlock(&all.mutex);
	return live != NULL;
}

/* ---- sending ---- */

/* What a node cannot be told now is lost to it: the deadlines see to that. */
static void send_proof(const struct live *live, const struct address *checker,
		       enum message_kind kind, const void *bytes, size_t len)
{
	const struct session *session = &live->order.session;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Proof proof = WIRE__PROOF__INIT;
	int r;

	proof.session = (ProtobufCBinaryData){ sizeof(session->id.bytes),
					       (uint8_t *)session->id.bytes };
	proof.kind = kind;
	proof.body = (ProtobufCBinaryData){ len, (uint8_t *)(uintptr_t)bytes };
	message.body_case = WIRE__TO_NODE__BODY_PROOF;
	message.proof = &proof;
	if (checker)
		r = checker_send(checker, &message);
	else
		r = worker_proof_send((struct machine_id){ session->machine }, &message);
	if (r < 0 && r != -ENOTCONN)
		log_warn("proof.send", log_int("kind", kind), log_fault(r));
}

static void to_worker(void *arg, enum message_kind kind, const void *bytes, size_t len)
{
	struct live *live = arg;

	if (live->phantom)
		phantom_hear(live->phantom, kind, bytes, len);
	else
		send_proof(live, NULL, kind, bytes, len);
}

static void to_member(void *arg, unsigned int member, enum message_kind kind, const void *bytes,
		      size_t len)
{
	struct live *live = arg;

	send_proof(live, &live->order.members[member], kind, bytes, len);
}

static void say_end(const struct live *live, const struct conductor_end *end)
{
	const struct session *session = &live->order.session;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__ProofEnd said = WIRE__PROOF_END__INIT;
	int r = 0;

	said.session = (ProtobufCBinaryData){ sizeof(session->id.bytes),
					      (uint8_t *)session->id.bytes };
	said.reason = (char *)(uintptr_t)proof_end_word(end->end);
	said.detail = (char *)(uintptr_t)end->detail;
	message.body_case = WIRE__TO_NODE__BODY_PROOF_END;
	message.proof_end = &said;
	if (!live->phantom)
		r = worker_proof_send((struct machine_id){ session->machine }, &message);
	for (int i = 0; i < session->panel_size; i++) {
		int s = checker_send(&live->order.members[i], &message);

		r = r < 0 && r != -ENOTCONN ? r : s;
		checker_occupy(&live->order.members[i], -1);
	}
	if (r < 0 && r != -ENOTCONN)
		log_warn("proof.send_end", log_fault(r));
}

/* ---- life, on the loop ---- */

static void set_state(struct live *live, enum state state)
{
	pthread_mutex_lock(&all.mutex);
	live->state = state;
	pthread_mutex_unlock(&all.mutex);
}

static void set_phase(struct live *live)
{
	pthread_mutex_lock(&all.mutex);
	live->phase = conductor_phase(live->conductor);
	live->until_ms = conductor_deadline(live->conductor);
	pthread_mutex_unlock(&all.mutex);
}

/* After everything that a conductor was told. */
static void look(struct live *live)
{
	const struct conductor_end *end = conductor_end(live->conductor);
	char text[ID_TEXT_SIZE];

	set_phase(live);
	if (!end)
		return;
	proof_id_text(&live->order.session.id, text);
	log_info("proof.ended", log_text("proof", text), log_text("end", proof_end_word(end->end)),
		 log_text("phase", end->phase), log_text("detail", end->detail));
	say_end(live, end);
	set_state(live, ENDED);
	job_wake(all.context, "proof_settle");
}

/* Only the loop makes sessions LIVE and ends them, and only what is not LIVE is ever taken off the list;
 * so on the loop a LIVE session stays while it is looked at. */
static struct live *next_live(struct live *after)
{
	struct live *live;

	pthread_mutex_lock(&all.mutex);
	for (live = after ? after->next : all.list; live && live->state != LIVE; live = live->next)
		continue;
	pthread_mutex_unlock(&all.mutex);
	return live;
}

static struct live *find(const ProtobufCBinaryData *id)
{
	for (struct live *live = next_live(NULL); live; live = next_live(live))
		if (memcmp(live->order.session.id.bytes, id->data, 16) == 0)
			return live;
	return NULL;
}

static bool go_together(const struct live *a, const struct live *b)
{
	return address_equal(&a->order.session.machine, &b->order.session.machine) ||
	       (a->order.cohort && b->order.cohort &&
		a->order.session.block_number == b->order.session.block_number);
}

/* The GPUs of a machine, and of a cohort, walk at the same time: what is filled waits for the others, and those
 * that take too long are silent. Whoever is ended here is looked at behind it. */
static void let_walk(struct live *live)
{
	int64_t now_ms = mono_ms();
	bool late = conductor_held_out(live->conductor, now_ms), awaited = false;

	if (!conductor_is_held(live->conductor))
		return;
	for (struct live *other = next_live(NULL); other; other = next_live(other)) {
		if (!go_together(live, other) || !conductor_awaits_fill(other->conductor))
			continue;
		awaited = true;
		if (late)
			conductor_worker_ended(other->conductor, END_WORKER_SILENT,
					       "the GPUs checked with it were filled long before");
	}
	if (!awaited || late)
		conductor_release(live->conductor, now_ms);
}

static void tick(void *arg _unused_)
{
	struct live *live, *next;

	for (live = next_live(NULL); live; live = next_live(live))
		let_walk(live);
	live = next_live(NULL);
	if (!live) {
		loop_timer_free(all.timer);
		all.timer = NULL;
	}
	for (; live; live = next) {
		next = next_live(live);
		conductor_tick(live->conductor, mono_ms());
		look(live);
	}
}

/* ---- a phantom speaks ---- */

struct saying {
	struct proof_id session;
	enum message_kind kind;
	size_t len;
	uint8_t bytes[];
};

static void on_phantom(void *arg)
{
	struct saying *saying = arg;
	ProtobufCBinaryData id = { sizeof(saying->session.bytes), saying->session.bytes };
	struct live *live = all.context ? find(&id) : NULL;

	if (live && saying->kind == MESSAGE_SESSION)
		conductor_worker_ended(live->conductor, END_FAULT, "the phantom failed");
	else if (live)
		conductor_worker(live->conductor, saying->kind, saying->bytes, saying->len,
				 mono_ms());
	if (live)
		look(live);
	free(saying);
}

static void phantom_says(void *arg, enum message_kind kind, const void *bytes, size_t len)
{
	struct live *live = arg;
	struct saying *saying = malloc(sizeof(*saying) + len);

	if (!saying)
		return;
	saying->session = live->order.session.id;
	saying->kind = kind;
	saying->len = len;
	if (len)
		memcpy(saying->bytes, bytes, len);
	if (loop_post(all.context->loop, on_phantom, saying) < 0)
		free(saying);
}

/* ---- beginning ---- */

static int begin_live(struct live *live)
{
	const struct settings *settings = all.context->settings;
	const struct phantom_mouth mouth = { phantom_says, live };
	const struct conductor_ops ops = { to_worker, to_member, live };
	const struct conductor_plan plan = {
		.session = &live->order.session,
		.members = live->order.members,
		.network = settings->network_key,
		.host = live->order.host,
		.port = live->order.port,
		.bandwidth_ms = (uint16_t)settings->proof_bandwidth_ms,
		.nonce_ms = settings->proof_nonce_ms,
		.result_ms = settings->proof_result_ms,
		.together_ms = plan_together(settings, &live->order.session),
	};
	int r = 0;

	if (!all.timer)
		r = loop_timer_new(all.context->loop, TICK_MS, TICK_MS, tick, NULL, &all.timer);
	if (r == 0 && live->order.planted)
		r = phantom_new(&live->order.session, live->order.key, live->order.flaw, &mouth,
				&live->phantom);
	if (r == 0)
		r = conductor_new(&plan, &ops, mono_ms(), &live->conductor);
	return r;
}

static void begin(void *arg)
{
	struct live *live = arg;
	int r = begin_live(live);

	if (r < 0)
		log_error("proof.begin", log_fault(r));
	for (int i = 0; r == 0 && i < live->order.session.panel_size; i++)
		checker_occupy(&live->order.members[i], 1);
	/* Without a conductor it is settled as a fault. */
	set_state(live, r < 0 ? ENDED : LIVE);
	if (r < 0)
		job_wake(all.context, "proof_settle");
}

static void drop(struct live *live)
{
	struct live **at = &all.list;

	pthread_mutex_lock(&all.mutex);
	while (*at != live)
		at = &(*at)->next;
	*at = live->next;
	all.n--;
	all.stuck -= live->wait_ms != 0;
	pthread_mutex_unlock(&all.mutex);
	live_free(live);
}

int sessions_begin(const struct sessions_order *order)
{
	struct live *live = calloc(1, sizeof(*live));
	int r = 0;

	if (!live)
		return -ENOMEM;
	live->order = *order;
	pthread_mutex_lock(&all.mutex);
	if (room() == 0) {
		r = -EAGAIN;
	} else {
		live->next = all.list;
		all.list = live;
		all.n++;
	}
	pthread_mutex_unlock(&all.mutex);
	if (r < 0) {
		free(live);
		return r;
	}
	r = loop_post(all.context->loop, begin, live);
	if (r < 0) {
		live->order.key = NULL;
		drop(live);
	}
	return r;
}

/* ---- settling ---- */

/* The oldest that waits for no second try; under the mutex. */
static struct live *ended(int64_t now_ms)
{
	struct live *oldest = NULL;

	for (struct live *live = all.list; live; live = live->next)
		if (live->state == ENDED && live->again_ms <= now_ms)
			oldest = live;
	return oldest;
}

bool sessions_take(struct sessions_ended *ret_ended)
{
	static const struct conductor_end fault = { .end = END_FAULT,
						    .phase = "commit",
						    .detail = "it could not begin" };
	int64_t now_ms = mono_ms();
	struct live *live;

	pthread_mutex_lock(&all.mutex);
	live = ended(now_ms);
	if (live)
		live->state = SETTLING;
	pthread_mutex_unlock(&all.mutex);
	if (!live)
		return false;
	ret_ended->order = &live->order;
	ret_ended->end = live->conductor ? conductor_end(live->conductor) : &fault;
	return true;
}

static void put_off(struct live *live)
{
	int64_t now_ms = mono_ms();

	pthread_mutex_lock(&all.mutex);
	all.stuck += live->wait_ms == 0;
	live->wait_ms = live->wait_ms == 0 ? AGAIN_MS : live->wait_ms * 2;
	if (live->wait_ms > AGAIN_MAX_MS)
		live->wait_ms = AGAIN_MAX_MS;
	live->again_ms = now_ms + live->wait_ms;
	live->state = ENDED;
	pthread_mutex_unlock(&all.mutex);
}

void sessions_give(const struct sessions_ended *ended, bool settled)
{
	struct live *live = (struct live *)(void *)((uintptr_t)ended->order -
						    offsetof(struct live, order));

	if (settled)
		drop(live);
	else
		put_off(live);
}

/* ---- what nodes say ---- */

void sessions_on_checker(const struct address *checker, const Wire__ToServer *message)
{
	const Wire__Proof *proof = message->proof;
	struct live *live;
	int member;

	if (message->body_case != WIRE__TO_SERVER__BODY_PROOF)
		return;
	live = find(&proof->session);
	member = live ? member_of(live, checker) : -1;
	if (member < 0)
		return;
	conductor_member(live->conductor, (unsigned int)member, (enum message_kind)proof->kind,
			 proof->body.data, proof->body.len, mono_ms());
	look(live);
}

void sessions_on_checker_down(const struct address *checker)
{
	struct live *next;

	for (struct live *live = next_live(NULL); live; live = next) {
		int member = member_of(live, checker);

		next = next_live(live);
		if (member < 0)
			continue;
		conductor_member_gone(live->conductor, (unsigned int)member, mono_ms());
		look(live);
	}
}

static bool is_worker(const struct live *live, struct machine_id machine)
{
	return !live->phantom && address_equal(&live->order.session.machine, &machine.address);
}

void sessions_on_worker(struct machine_id machine, const Wire__ToServer *message)
{
	const Wire__ProofEnd *end = message->proof_end;
	const Wire__Proof *proof = message->proof;
	bool says = message->body_case == WIRE__TO_SERVER__BODY_PROOF;
	struct live *live;

	if (!says && message->body_case != WIRE__TO_SERVER__BODY_PROOF_END)
		return;
	live = find(says ? &proof->session : &end->session);
	if (!live || !is_worker(live, machine))
		return;
	if (says)
		conductor_worker(live->conductor, (enum message_kind)proof->kind, proof->body.data,
				 proof->body.len, mono_ms());
	else
		conductor_worker_ended(live->conductor, proof_end_of_worker(end->reason),
				       end->detail);
	look(live);
}

void sessions_on_worker_down(struct machine_id machine)
{
	struct live *next;

	for (struct live *live = next_live(NULL); live; live = next) {
		next = next_live(live);
		if (!is_worker(live, machine))
			continue;
		conductor_worker_ended(live->conductor, END_WORKER_GONE, "its link broke");
		look(live);
	}
}

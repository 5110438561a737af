#include "modules/checker/links.h"

#include "base/log.h"
#include "io/loop.h"
#include "io/pool.h"
#include "modules/checker/checker_rules.h"
#include "modules/node/node.h"

enum {
	MESSAGE_BYTES = 2 * WIRE_MESSAGE_MAX,
	LOOKUP_BYTES = 64 << 10,
	VERSION_SIZE = 65,
	REASON_SIZE = 128,
};

struct link {
	struct node_session node; /* first */
	int found; /* what the look-up returned, on a pool's thread */
	struct machine_id checker; /* that says hello */
	struct links_standing standing; /* as the look-up found it */
	char version[VERSION_SIZE];
	int64_t banned_until_ms; /* when it was looked up; 0: not */
	char ban_reason[REASON_SIZE];
	int occupied; /* sessions that it is a member of; guarded by the sessions' mutex */
};

/* One a process: the module's. */
static struct {
	struct node_sessions nodes; /* without a context: not started */
	struct checker_listener listener;
} all;

static const struct node_manner manner;

int links_start(const struct context *context)
{
	return node_sessions_init(&all.nodes, context, &manner);
}

void links_stop(void)
{
	node_sessions_done(&all.nodes);
	all.listener = (struct checker_listener){ 0 };
}

void checker_listen(const struct checker_listener *listener)
{
	all.listener = *listener;
}

static struct link *link_of(struct node_session *node)
{
	return (struct link *)node;
}

/* ---- by checker ---- */

/* With the mutex held. */
static struct link *find(const struct address *checker)
{
	return link_of(node_find(&all.nodes, (struct machine_id){ *checker }));
}

enum link_state links_state(const struct address *checker)
{
	enum link_state state = LINK_STATE_NONE;
	struct link *link;

	pthread_mutex_lock(&all.nodes.mutex);
	link = find(checker);
	if (link)
		state = link->occupied > 0 ? LINK_STATE_OCCUPIED : LINK_STATE_IDLE;
	pthread_mutex_unlock(&all.nodes.mutex);
	return state;
}

void checker_occupy(const struct address *checker, int by)
{
	struct link *link;

	pthread_mutex_lock(&all.nodes.mutex);
	link = find(checker);
	if (link && link->occupied + by >= 0)
		link->occupied += by;
	pthread_mutex_unlock(&all.nodes.mutex);
}

int checker_send(const struct address *checker, const Wire__ToNode *message)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct http_conn_id conn = node_conn(&all.nodes, (struct machine_id){ *checker });
	const void *bytes;
	size_t len;
	int r;

	if (!conn.value)
		return -ENOTCONN;
	r = arena_new(MESSAGE_BYTES, &arena);
	if (r == 0)
		r = wire_encode_to_node(message, arena, &bytes, &len);
	if (r == 0)
		ws_send(all.nodes.context->http, conn, WS_BINARY, bytes, len);
	return r;
}

void links_tell(const struct address *checker, const struct links_record *record)
{
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Record body = WIRE__RECORD__INIT;
	int r;

	if (record->mark) {
		body.session = (ProtobufCBinaryData){ sizeof(record->session),
						      (uint8_t *)record->session };
		body.mark = (char *)(uintptr_t)record->mark;
	}
	body.banned_until_ms = record->banned_until_ms;
	if (record->ban_reason)
		body.ban_reason = (char *)(uintptr_t)record->ban_reason;
	message.body_case = WIRE__TO_NODE__BODY_RECORD;
	message.record = &body;
	r = checker_send(checker, &message);
	if (r < 0 && r != -ENOTCONN)
		log_warn("checker.tell", log_fault(r));
}

void links_drop(const struct address *checker, const char *reason)
{
	node_drop(&all.nodes, (struct machine_id){ *checker }, reason);
}

/* ---- hello ---- */

void links_tell_standing(void *arg)
{
	const struct links_standing *standing = arg;
	Wire__ToNode message = WIRE__TO_NODE__INIT;
	Wire__Standing body = WIRE__STANDING__INIT;
	int r;

	body.licences = (uint32_t)standing->licences;
	body.why = (char *)standing->why;
	message.body_case = WIRE__TO_NODE__BODY_STANDING;
	message.standing = &body;
	r = checker_send(&standing->checker, &message);
	if (r < 0 && r != -ENOTCONN)
		log_warn("checker.tell", log_fault(r));
}

static int tx_greet(struct tx *tx, void *arg)
{
	int64_t now_ms = clock_now_ms(all.nodes.context->clock);
	struct link *link = arg;
	struct checker_row row;
	int r = checker_store_seen(tx, &link->checker.address, link->version, now_ms);

	if (r == 0)
		r = checker_store_get(tx, &link->checker.address, &row);
	if (r != 0)
		return r;
	link->banned_until_ms = row.banned_until_ms > now_ms ? row.banned_until_ms : 0;
	snprintf(link->ban_reason, sizeof(link->ban_reason), "%s", row.ban_reason);
	link->standing.checker = row.checker;
	link->standing.licences = row.licences;
	checker_no_licence(&row, link->standing.why);
	return 0;
}

static void tell_ban(const struct link *link)
{
	const struct links_record record = { .banned_until_ms = link->banned_until_ms,
					     .ban_reason = link->ban_reason };

	if (link->banned_until_ms != 0)
		links_tell(&link->checker.address, &record);
}

static void on_found(void *arg)
{
	struct link *link = arg;

	if (link->node.state == NODE_CHECKING && link->found == 0) {
		node_adopt(&link->node, link->checker);
		tell_ban(link);
		links_tell_standing(&link->standing);
	} else if (link->found == ROUTE_E_NOT_FOUND) {
		node_end(&link->node, WIRE_CLOSE_REFUSED,
			 "this checker is not registered, or was removed: kaisar checker create");
	} else if (link->found != 0) {
		node_end(&link->node, 1011, "not possible now; try again later");
	}
	node_release(&link->node);
}

/* On a pool's thread: of the link only what nobody changes meanwhile is used. */
static void look_up(void *arg)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct link *link = arg;
	int r;

	r = arena_new(LOOKUP_BYTES, &arena);
	duty_fence(all.nodes.context, NODES_DUTY);
	if (r == 0)
		r = db_run(all.nodes.context->db, TX_WRITE, arena, tx_greet, link);
	duty_fence(NULL, NULL);
	if (r < 0)
		log_error("checker.greet", log_fault(r));
	link->found = r;
	/* If the loop has stopped, links_stop frees the link. */
	(void)!loop_post(all.nodes.context->loop, on_found, link);
}

static void on_hello(struct node_session *node, const Wire__Hello *hello,
		     const void *bytes _unused_, size_t len _unused_)
{
	struct link *link = link_of(node);

	if (!node_hello_holds(all.nodes.context, node->nonce, hello, &link->checker)) {
		node_end(node, 1008, "the signature is not by this checker's key");
		return;
	}
	snprintf(link->version, sizeof(link->version), "%s", hello->version);
	if (pool_submit(all.nodes.context->agents, look_up, link) < 0)
		node_end(node, 1013, "too busy; try again later");
	else
		node_hold(node);
}

/* ---- up, and down ---- */

struct sighting {
	struct address checker;
	char version[VERSION_SIZE];
};

static int tx_sighting(struct tx *tx, void *arg)
{
	const struct sighting *sighting = arg;

	return checker_store_seen(tx, &sighting->checker, sighting->version,
				  clock_now_ms(all.nodes.context->clock));
}

/* On a pool's thread. */
static void write_sighting(void *arg)
{
	_cleanup_(freep) struct sighting *sighting = arg;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	int r = arena_new(LOOKUP_BYTES, &arena);

	duty_fence(all.nodes.context, NODES_DUTY);
	if (r == 0)
		r = db_run(all.nodes.context->db, TX_WRITE, arena, tx_sighting, sighting);
	duty_fence(NULL, NULL);
	if (r < 0)
		log_warn("checker.seen", log_fault(r));
}

/* The row says when a link ended, once none is there to be asked. Without it, when it began. */
static void note_seen(const struct link *link)
{
	struct sighting *sighting = malloc(sizeof(*sighting));

	if (!sighting)
		return;
	sighting->checker = link->checker.address;
	memcpy(sighting->version, link->version, sizeof(sighting->version));
	if (pool_submit(all.nodes.context->agents, write_sighting, sighting) < 0)
		free(sighting);
}

static void on_message(struct node_session *node, const Wire__ToServer *message,
		       const void *bytes _unused_, size_t len _unused_)
{
	if (all.listener.on_message)
		all.listener.on_message(all.listener.arg, &node->node.address, message);
}

static void on_up(struct node_session *node)
{
	if (all.listener.on_up)
		all.listener.on_up(all.listener.arg, &node->node.address);
}

static void on_down(struct node_session *node)
{
	note_seen(link_of(node));
	if (all.listener.on_down)
		all.listener.on_down(all.listener.arg, &node->node.address);
}

static const struct node_manner manner = {
	.size = sizeof(struct link),
	.sessions_max = CHECKERS_LINKED_MAX,
	.greeting_max = LINKS_GREETING_MAX,
	.hello_ms = LINKS_HELLO_MS,
	.replaced = "replaced by a newer session of this checker",
	.on_hello = on_hello,
	.on_message = on_message,
	.on_up = on_up,
	.on_down = on_down,
};

static void *on_socket(const struct context *context _unused_, struct http_conn_id conn,
		       void *prepared)
{
	free(prepared);
	return node_open(&all.nodes, conn);
}

const struct ws_route links_route = { on_socket, node_on_message, node_on_closed, free };

#include "modules/worker/desired.h"

#include "modules/worker/worker_state.h"

static void *arena_take(void *data, size_t size)
{
	return arena_alloc(data, size);
}

static void arena_keep(void *data _unused_, void *p _unused_)
{
}

/* ---- one container ---- */

static int pack_env(struct arena *arena, const struct field_pairs *env, Wire__Container *c)
{
	Wire__Variable *variables = arena_array(arena, env->n + 1, sizeof(*variables));

	c->env = arena_array(arena, env->n + 1, sizeof(*c->env));
	if (!variables || !c->env)
		return -ENOMEM;
	for (size_t i = 0; i < env->n; i++) {
		wire__variable__init(&variables[i]);
		variables[i].name = (char *)env->items[i].name;
		variables[i].value = (char *)env->items[i].value;
		c->env[i] = &variables[i];
	}
	c->n_env = env->n;
	return 0;
}

static int pack_ports(struct arena *arena, const struct worker_container *container,
		      Wire__Container *c)
{
	Wire__Port *ports = arena_array(arena, container->n_ports + 1, sizeof(*ports));

	c->ports = arena_array(arena, container->n_ports + 1, sizeof(*c->ports));
	if (!ports || !c->ports)
		return -ENOMEM;
	for (size_t i = 0; i < container->n_ports; i++) {
		wire__port__init(&ports[i]);
		ports[i].container = container->ports[i].container;
		c->ports[i] = &ports[i];
	}
	c->n_ports = container->n_ports;
	return 0;
}

static void wrap_lease(const struct lease_row *row, Wire__Container *container, Wire__Lease *lease)
{
	wire__lease__init(lease);
	lease->lease = (ProtobufCBinaryData){ sizeof(row->lease.bytes),
					      (uint8_t *)row->lease.bytes };
	lease->rental = (ProtobufCBinaryData){ sizeof(row->rental.bytes),
					       (uint8_t *)row->rental.bytes };
	lease->generation = (uint64_t)row->generation;
	lease->want = row->want == WORKER_RUN ? WIRE__WANT__WANT_RUN : WIRE__WANT__WANT_STOP;
	lease->container = container;
}

static int encode_set(struct arena *arena, int64_t generation, Wire__Lease **leases, size_t n,
		      const void **ret_bytes, size_t *ret_len)
{
	Wire__Desired desired = WIRE__DESIRED__INIT;
	Wire__ToNode message = WIRE__TO_NODE__INIT;

	desired.generation = (uint64_t)generation;
	desired.leases = leases;
	desired.n_leases = n;
	message.body_case = WIRE__TO_NODE__BODY_DESIRED;
	message.desired = &desired;
	return wire_encode_to_node(&message, arena, ret_bytes, ret_len);
}

/* A message that agents refuse would cut the machine off from all its leases: so it is held against
 * the agent's own decoder before it is kept. */
static int check_bounds(struct arena *arena, const struct lease_row *row,
			Wire__Container *container)
{
	Wire__Lease lease, *leases[] = { &lease };
	Wire__ToNode *decoded;
	const void *bytes;
	size_t len;
	int r;

	wrap_lease(row, container, &lease);
	r = encode_set(arena, 1, leases, 1, &bytes, &len);
	if (r == 0)
		r = wire_decode_to_node(bytes, len, arena, &decoded);
	return r == -EMSGSIZE || r == WIRE_E_MALFORMED ? WORKER_E_CONTAINER : r;
}

int desired_pack(struct tx *tx, const struct lease_row *lease,
		 const struct worker_container *container, char **gpus, size_t n_gpus,
		 const void **ret_bytes, size_t *ret_len)
{
	struct arena *arena = tx_arena(tx);
	Wire__Container c = WIRE__CONTAINER__INIT;
	uint8_t *bytes;
	int r;

	c.image = (char *)container->image;
	c.command = (char **)container->command.items;
	c.n_command = container->command.n;
	c.cpu_milli = (uint32_t)container->cpu_milli;
	c.memory_bytes = (uint64_t)container->memory_bytes;
	c.disk_bytes = (uint64_t)container->disk_bytes;
	c.pids = (uint32_t)container->pids;
	c.shm_bytes = (uint64_t)container->shm_bytes;
	c.gpus = gpus;
	c.n_gpus = n_gpus;
	c.stop_timeout_s = (uint32_t)container->stop_timeout_s;
	r = pack_env(arena, &container->env, &c);
	if (r == 0)
		r = pack_ports(arena, container, &c);
	if (r == 0)
		r = check_bounds(arena, lease, &c);
	if (r != 0)
		return r;
	bytes = arena_alloc(arena, wire__container__get_packed_size(&c) + 1);
	if (!bytes)
		return -ENOMEM;
	*ret_len = wire__container__pack(&c, bytes);
	*ret_bytes = bytes;
	return 0;
}

/* ---- the set ---- */

int desired_read(struct tx *tx, struct machine_id machine, int64_t generation,
		 const void **ret_bytes, size_t *ret_len)
{
	ProtobufCAllocator allocator = { arena_take, arena_keep, tx_arena(tx) };
	Wire__Lease *leases, **list;
	struct lease_row *rows;
	size_t n;
	int r;

	r = lease_store_desired(tx, machine, &rows, &n);
	if (r != 0)
		return r;
	leases = arena_array(tx_arena(tx), n + 1, sizeof(*leases));
	list = arena_array(tx_arena(tx), n + 1, sizeof(*list));
	if (!leases || !list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		Wire__Container *container = wire__container__unpack(
			&allocator, rows[i].container_len, rows[i].container);

		if (!container)
			return -EIO;
		wrap_lease(&rows[i], container, &leases[i]);
		list[i] = &leases[i];
	}
	return encode_set(tx_arena(tx), generation, list, n, ret_bytes, ret_len);
}

struct change {
	struct machine_id machine;
	int64_t generation;
	const void *bytes;
	size_t len;
};

static void send_change(void *arg)
{
	const struct change *change = arg;

	if (!worker_state.context)
		return;
	fleet_generation(worker_state.fleet, change->machine, change->generation);
	agents_send(worker_state.agents, change->machine, change->bytes, change->len);
}

int desired_changed(struct tx *tx, struct machine_id machine)
{
	struct change *change = arena_alloc(tx_arena(tx), sizeof(*change));
	int r;

	if (!change)
		return -ENOMEM;
	change->machine = machine;
	r = worker_store_next(tx, machine, &change->generation);
	if (r == 0)
		r = desired_read(tx, machine, change->generation, &change->bytes, &change->len);
	if (r == 0)
		r = worker_touch(tx, machine);
	if (r == 0)
		r = tx_on_commit(tx, send_change, change);
	return r;
}

#include "cmd/anchor_roots.h"

#include "cmd/cli.h"

enum { PAGE = 100, ARENA_BYTES = 64 << 10 };

struct following {
	struct client *client;
	struct address publisher;
	struct anchor_latest latest[RPC_ENDPOINTS_MAX];
	size_t n_endpoints;
	uint8_t head[32]; /* behind the last that was read; zeros before the first */
	struct anchor_roots roots;
	size_t room;
};

/* ---- what the contract holds ---- */

static int ask_latest(struct following *f, struct rpc *rpc)
{
	struct arena *arena;
	const char *why;
	int r = arena_new(ARENA_BYTES, &arena);

	if (r < 0)
		return cli_fault(r, "roots");
	f->n_endpoints = rpc_endpoints(rpc);
	for (size_t i = 0; r == 0 && i < f->n_endpoints; i++) {
		r = anchor_latest_of(rpc, i, &f->roots.place, &f->publisher, arena, &f->latest[i],
				     &why);
		if (r == 0 && f->latest[i].sequence > f->roots.last)
			f->roots.last = f->latest[i].sequence;
	}
	if (r > 0)
		r = cli_fail(CLI_NOT_YET, "%s", why);
	else if (r < 0)
		r = cli_fault(r, "chain");
	arena_free(arena);
	return r;
}

/* ---- what the network publishes ---- */

static int keep(struct following *f, const struct anchor_root *root)
{
	struct anchor_roots *roots = &f->roots;

	if (root->kind != roots->place.kind)
		return 0;
	if (roots->n == f->room) {
		size_t room = f->room ? 2 * f->room : 64;
		struct anchor_root *list = reallocarray(roots->list, room, sizeof(*list));

		if (!list)
			return cli_fault(-ENOMEM, "roots");
		roots->list = list;
		f->room = room;
	}
	roots->list[roots->n++] = *root;
	return 0;
}

static int follow(struct following *f, const struct anchor_root *root)
{
	anchor_head_next(f->head, root, f->head);
	for (size_t i = 0; i < f->n_endpoints; i++)
		if (f->latest[i].sequence == root->sequence &&
		    memcmp(f->head, f->latest[i].head, sizeof(f->head)) != 0)
			return cli_fail(CLI_FAILED,
					"the roots that the network publishes are not those that "
					"the contract took: its head after root %" PRIu64
					" is another",
					root->sequence);
	return keep(f, root);
}

/* From @first on, to the contract's last. */
static int read_page(struct following *f, uint64_t first)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	uint64_t left = f->roots.last - first + 1;
	size_t n = left < PAGE ? (size_t)left : PAGE;
	struct client_call call = { .method = "GET", .anonymous = true };
	struct anchor_root root;
	const json_t *items;
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/v1/anchors?limit=%zu&cursor=%" PRIu64, n, first + n);
	call.path = path;
	r = client_call(f->client, &call, &answer);
	items = json_object_get(answer, "items");
	/* The last is the first of the list. */
	for (size_t i = 0; r == 0 && i < n; i++) {
		if (anchor_read_root(json_array_get(items, n - 1 - i), &root) < 0 ||
		    root.sequence != first + i)
			return cli_fail(CLI_FAILED,
					"the chain has root %" PRIu64
					", and the network does not publish it",
					first + i);
		r = follow(f, &root);
	}
	return r;
}

int anchor_roots_read(struct client *client, const struct option_table *table,
		      const struct options *options, enum anchor_kind kind,
		      struct anchor_roots *ret_roots)
{
	struct following f = { .client = client, .roots.place.kind = kind };
	struct rpc *rpc;
	int64_t every_ms;
	int r = anchor_of(client, table, options, &f.roots.place, &f.publisher, &every_ms);

	if (r == 0)
		r = anchor_rpc(table, options, f.roots.place.chain_id, &rpc);
	if (r != 0)
		return r;
	r = ask_latest(&f, rpc);
	rpc_free(rpc);
	for (uint64_t first = 1; r == 0 && first <= f.roots.last; first += PAGE)
		r = read_page(&f, first);
	if (r == 0)
		*ret_roots = f.roots;
	else
		anchor_roots_free(&f.roots);
	return r;
}

void anchor_roots_free(struct anchor_roots *roots)
{
	free(roots->list);
	*roots = (struct anchor_roots){ 0 };
}

#include "popw/message.h"

#include "popw/layout.h"

/* The lengths of an OPEN's parts, all from the session. */
struct shape {
	uint32_t walks, walk_depth, tiles, tile_depth;
};

static struct shape shape_of(const struct session *session)
{
	const struct session_work *work = &session->work;
	struct shape shape = { .walks = work->open_walks, .tiles = work->open_tiles };

	if (shape.walks)
		shape.walk_depth = tree_depth(work->walks);
	if (shape.tiles)
		shape.tile_depth = tree_depth(session_tiles(work));
	return shape;
}

static void path_pass(struct layout *layout, struct hash *path, uint32_t depth)
{
	for (uint32_t i = 0; i < depth; i++)
		layout_hash(layout, &path[i]);
}

static void walk_pass(struct layout *layout, struct walk_opening *opening, uint32_t depth)
{
	for (size_t i = 0; i < ITEM_WORDS; i++)
		layout_u32(layout, &opening->before.words[i]);
	path_pass(layout, opening->path_before, depth);
	path_pass(layout, opening->path_after, depth);
}

static void tile_pass(struct layout *layout, struct tile_opening *opening, uint32_t depth)
{
	for (size_t i = 0; i < TILE_WORDS; i++) {
		uint32_t word = (uint32_t)opening->tile.words[i];

		layout_u32(layout, &word);
		opening->tile.words[i] = (int32_t)word;
	}
	path_pass(layout, opening->path, depth);
}

static void head_pass(struct layout *layout, struct open *message)
{
	layout_bytes(layout, message->session.bytes, sizeof(message->session.bytes));
	layout_u32(layout, &message->set);
}

size_t open_size(const struct session *session)
{
	struct shape shape = shape_of(session);
	size_t walk = sizeof(struct walk_state) + 2 * (size_t)shape.walk_depth * HASH_SIZE;
	size_t tile = TILE_BYTES + (size_t)shape.tile_depth * HASH_SIZE;

	return OPEN_HEAD_SIZE + shape.walks * walk + shape.tiles * tile + SECP_SIGNATURE_SIZE;
}

void open_encode(const struct session *session, const struct open *message, uint8_t *ret_bytes)
{
	struct shape shape = shape_of(session);
	struct layout layout = { .out = ret_bytes };
	struct open copy = *message;

	head_pass(&layout, &copy);
	for (uint32_t i = 0; i < shape.walks; i++) {
		struct walk_opening walk = message->walks[i];

		walk_pass(&layout, &walk, shape.walk_depth);
	}
	for (uint32_t i = 0; i < shape.tiles; i++) {
		struct tile_opening tile = message->tiles[i];

		tile_pass(&layout, &tile, shape.tile_depth);
	}
	layout_bytes(&layout, copy.signature, SECP_SIGNATURE_SIZE);
}

int open_decode(const struct session *session, const void *bytes, size_t len, struct arena *arena,
		struct open *ret_message)
{
	struct shape shape = shape_of(session);
	struct layout layout = { .in = bytes };
	struct open message = { 0 };

	if (len != open_size(session))
		return MESSAGE_E_MALFORMED;
	if (shape.walks)
		message.walks = arena_array(arena, shape.walks, sizeof(*message.walks));
	if (shape.tiles)
		message.tiles = arena_array(arena, shape.tiles, sizeof(*message.tiles));
	if ((shape.walks && !message.walks) || (shape.tiles && !message.tiles))
		return -ENOMEM;
	head_pass(&layout, &message);
	for (uint32_t i = 0; i < shape.walks; i++)
		walk_pass(&layout, &message.walks[i], shape.walk_depth);
	for (uint32_t i = 0; i < shape.tiles; i++)
		tile_pass(&layout, &message.tiles[i], shape.tile_depth);
	layout_bytes(&layout, message.signature, SECP_SIGNATURE_SIZE);
	*ret_message = message;
	return 0;
}

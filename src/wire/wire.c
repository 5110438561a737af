#include "wire/wire.h"

#include "wire/bounds.h"

/* Gives protobuf-c memory from an arena. What it frees stays until the arena goes; what a hostile
 * message can make it take is bounded on its own, however large the arena. */
struct source {
	ProtobufCAllocator allocator;
	struct arena *arena;
	size_t left;
	bool starved; /* the arena, not the message, is to blame */
};

static void *source_alloc(void *data, size_t size)
{
	struct source *source = data;
	void *p;

	if (size > source->left)
		return NULL;
	source->left -= size;
	p = arena_alloc(source->arena, size);
	source->starved = !p;
	return p;
}

static void source_free(void *data, void *p)
{
	(void)data;
	(void)p;
}

bool wire_is_host(const char *text)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:-";
	size_t len = strlen(text);

	return len > 0 && len <= WIRE_HOST_MAX && strspn(text, allowed) == len && text[0] != '-' &&
	       text[0] != '.';
}

static int decode(const ProtobufCMessageDescriptor *descriptor, const void *bytes, size_t len,
		  struct arena *arena, ProtobufCMessage **ret_message)
{
	struct source source = {
		.allocator = { source_alloc, source_free, &source },
		.arena = arena,
		.left = WIRE_MEMORY_MAX,
	};
	ProtobufCMessage *message;

	if (len > WIRE_MESSAGE_MAX)
		return WIRE_E_MALFORMED;
	message = protobuf_c_message_unpack(descriptor, &source.allocator, len, bytes);
	if (!message)
		return source.starved ? -ENOMEM : WIRE_E_MALFORMED;
	if (!bounds_hold(message))
		return WIRE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

int wire_decode_to_server(const void *bytes, size_t len, struct arena *arena,
			  Wire__ToServer **ret_message)
{
	ProtobufCMessage *message;
	int r;

	r = decode(&wire__to_server__descriptor, bytes, len, arena, &message);
	if (r != 0)
		return r;
	if (((Wire__ToServer *)message)->body_case == WIRE__TO_SERVER__BODY__NOT_SET)
		return WIRE_E_MALFORMED;
	*ret_message = (Wire__ToServer *)message;
	return 0;
}

int wire_decode_to_node(const void *bytes, size_t len, struct arena *arena,
			Wire__ToNode **ret_message)
{
	ProtobufCMessage *message;
	int r;

	r = decode(&wire__to_node__descriptor, bytes, len, arena, &message);
	if (r != 0)
		return r;
	if (((Wire__ToNode *)message)->body_case == WIRE__TO_NODE__BODY__NOT_SET)
		return WIRE_E_MALFORMED;
	*ret_message = (Wire__ToNode *)message;
	return 0;
}

static int encode(const ProtobufCMessage *message, struct arena *arena, const void **ret_bytes,
		  size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(message);
	uint8_t *bytes;

	if (len > WIRE_MESSAGE_MAX)
		return -EMSGSIZE;
	bytes = arena_alloc(arena, len);
	if (!bytes)
		return -ENOMEM;
	*ret_len = protobuf_c_message_pack(message, bytes);
	*ret_bytes = bytes;
	return 0;
}

int wire_encode_to_server(const Wire__ToServer *message, struct arena *arena,
			  const void **ret_bytes, size_t *ret_len)
{
	return encode(&message->base, arena, ret_bytes, ret_len);
}

int wire_encode_to_node(const Wire__ToNode *message, struct arena *arena, const void **ret_bytes,
			size_t *ret_len)
{
	return encode(&message->base, arena, ret_bytes, ret_len);
}

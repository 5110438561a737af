#include "fuzz.h"

#include <assert.h>

#include "base/field.h"

/* A body with a field of every kind, as the API's routes have them. */
struct port {
	int64_t container;
	bool public;
};

struct body {
	const char *name;
	int64_t count, memory;
	bool paused;
	struct amount rate;
	struct address account;
	uint8_t rental[16];
	int order;
	struct port main_port;
	struct field_texts command;
	struct field_objects ports;
	struct field_pairs env;
};

static const struct field port_fields[] = {
	{ "container", FIELD_INT, offsetof(struct port, container), .required = true, .min = 1,
	  .max = 65535 },
	{ "public", FIELD_BOOL, offsetof(struct port, public), .fallback = 1 },
	{ 0 },
};

static const char *const orders[] = { "price", "quality", NULL };

static const struct field fields[] = {
	{ "name", FIELD_TEXT, offsetof(struct body, name), .required = true, .min = 1, .max = 64 },
	{ "count", FIELD_INT, offsetof(struct body, count), .min = 1, .max = 9, .fallback = 1 },
	{ "memory", FIELD_SIZE, offsetof(struct body, memory), .max = INT64_C(1) << 40 },
	{ "paused", FIELD_BOOL, offsetof(struct body, paused) },
	{ "rate", FIELD_AMOUNT, offsetof(struct body, rate), .max = 1000000000 },
	{ "account", FIELD_ADDRESS, offsetof(struct body, account) },
	{ "rental", FIELD_ID, offsetof(struct body, rental), .prefix = "rnt" },
	{ "order", FIELD_WORD, offsetof(struct body, order), .words = orders },
	{ "main_port", FIELD_OBJECT, offsetof(struct body, main_port), .fields = port_fields },
	{ "command", FIELD_TEXTS, offsetof(struct body, command), .lines = true, .max = 256,
	  .count = 8 },
	{ "ports", FIELD_OBJECTS, offsetof(struct body, ports), .count = 4,
	  .size = sizeof(struct port), .fields = port_fields },
	{ "env", FIELD_PAIRS, offsetof(struct body, env), .lines = true, .max = 256, .count = 8 },
	{ 0 },
};

static void check(const struct body *body)
{
	const struct port *ports = body->ports.items;

	assert(body->name && strlen(body->name) >= 1 && strlen(body->name) <= 64);
	assert(body->count >= 1 && body->count <= 9);
	assert(body->memory >= 0 && body->memory <= INT64_C(1) << 40);
	assert(body->rate.micro >= 0 && body->rate.micro <= 1000000000);
	assert(body->order == 0 || body->order == 1);
	assert(body->command.n <= 8 && body->ports.n <= 4 && body->env.n <= 8);
	for (size_t i = 0; i < body->command.n; i++)
		assert(strlen(body->command.items[i]) <= 256);
	for (size_t i = 0; i < body->ports.n; i++)
		assert(ports[i].container >= 1 && ports[i].container <= 65535);
	for (size_t i = 0; i < body->env.n; i++)
		assert(strlen(body->env.items[i].name) >= 1 &&
		       strlen(body->env.items[i].value) <= 256);
}

/* Bytes that start with '?' are a query string, others a JSON body. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct field_error error = { 0 };
	struct body body = { 0 };
	const char *text = (const char *)bytes;
	int r;

	if (arena_new(1 << 20, &arena) < 0)
		return 0;
	if (len > 0 && text[0] == '?')
		r = field_decode_query(text + 1, len - 1, fields, arena, &body, &error);
	else
		r = field_decode(text, len, fields, arena, &body, &error);
	if (r == 0)
		check(&body);
	else if (r > 0)
		assert(error.rule[0]);
	return 0;
}

#include "wire/bounds.h"

#include "base/text.h"
#include "wire/spans.h"

struct bound {
	const ProtobufCMessageDescriptor *message;
	const char *field;
	size_t min, max; /* bytes of text or bytes; the value of a 32-bit integer */
	size_t count; /* entries of a list */
	bool or_empty; /* no bytes at all will do too */
};

enum { SIGNATURE = 65, ID = 16, ADDRESS = 20, NONCE = 32, PORT_MAX = 65535 };

static const struct bound bounds[] = {
	{ &wire__challenge__descriptor, "nonce", NONCE, NONCE },
	{ &wire__challenge__descriptor, "network", ADDRESS, ADDRESS },
	{ &wire__hello__descriptor, "machine", ADDRESS, ADDRESS },
	{ &wire__hello__descriptor, "signature", SIGNATURE, SIGNATURE },
	{ &wire__inventory__descriptor, "gpus", .count = WIRE_GPUS_MAX },
	{ &wire__inventory__descriptor, "address", 0, WIRE_HOST_MAX },
	{ &wire__desired__descriptor, "leases", .count = WIRE_LEASES_MAX },
	{ &wire__lease__descriptor, "lease", ID, ID },
	{ &wire__lease__descriptor, "rental", ID, ID },
	{ &wire__container__descriptor, "command", 0, WIRE_ARGUMENT_MAX, WIRE_COMMAND_MAX },
	{ &wire__container__descriptor, "env", .count = WIRE_ENV_MAX },
	{ &wire__container__descriptor, "ports", .count = WIRE_PORTS_MAX },
	{ &wire__container__descriptor, "gpus", 1, WIRE_TEXT_MAX, WIRE_GPUS_MAX },
	{ &wire__variable__descriptor, "name", 1, WIRE_TEXT_MAX },
	{ &wire__variable__descriptor, "value", 0, WIRE_ARGUMENT_MAX },
	{ &wire__port__descriptor, "container", 1, PORT_MAX },
	{ &wire__port__descriptor, "host", 0, PORT_MAX },
	{ &wire__actual__descriptor, "leases", .count = WIRE_LEASES_MAX },
	{ &wire__lease_state__descriptor, "lease", ID, ID },
	{ &wire__lease_state__descriptor, "ports", .count = WIRE_PORTS_MAX },
	{ &wire__usage__descriptor, "lease", ID, ID },
	{ &wire__usage__descriptor, "rental", ID, ID },
	{ &wire__usage__descriptor, "signature", SIGNATURE, SIGNATURE },
	{ &wire__usage_receipt__descriptor, "lease", ID, ID },
	{ &wire__usage_receipt__descriptor, "signature", SIGNATURE, SIGNATURE, .or_empty = true },
	{ &wire__stream_open__descriptor, "lease", ID, ID },
	{ &wire__stream_open__descriptor, "command", 0, WIRE_ARGUMENT_MAX, WIRE_COMMAND_MAX },
	{ &wire__stream_open__descriptor, "columns", 0, UINT16_MAX },
	{ &wire__stream_open__descriptor, "rows", 0, UINT16_MAX },
	{ &wire__stream_data__descriptor, "bytes", 0, WIRE_CHUNK_MAX },
	{ &wire__inventory__descriptor, "proof_port", 0, PORT_MAX },
	{ &wire__inventory__descriptor, "proof_address", 0, WIRE_HOST_MAX },
	{ &wire__proof__descriptor, "session", ID, ID },
	{ &wire__proof__descriptor, "kind", 1, WIRE_PROOF_KIND_MAX },
	{ &wire__proof__descriptor, "body", 1, WIRE_PROOF_MAX },
	{ &wire__proof_end__descriptor, "session", ID, ID },
	{ &wire__poll__descriptor, "machine", ADDRESS, ADDRESS },
	{ &wire__poll__descriptor, "checker", ADDRESS, ADDRESS, .or_empty = true },
	{ &wire__poll__descriptor, "nonce", ID, ID },
	{ &wire__poll_answer__descriptor, "machine", ADDRESS, ADDRESS },
	{ &wire__poll_answer__descriptor, "checker", ADDRESS, ADDRESS },
	{ &wire__poll_answer__descriptor, "nonce", ID, ID },
	{ &wire__poll_answer__descriptor, "signature", SIGNATURE, SIGNATURE },
	{ &wire__watch__descriptor, "machines", 0, ADDRESS *WIRE_WATCHED_MAX },
	{ &wire__watch__descriptor, "hour_ms", WIRE_HOUR_MS_MIN, WIRE_HOUR_MS_MAX },
	{ &wire__uptime__descriptor, "machine", ADDRESS, ADDRESS },
	{ &wire__uptime__descriptor, "away", 0, SPANS_BYTES_MAX },
	{ &wire__uptime__descriptor, "signature", SIGNATURE, SIGNATURE },
	{ &wire__heard__descriptor, "reports", 0, WIRE_HEARD_SIZE *WIRE_HEARD_MAX },
	{ &wire__record__descriptor, "session", ID, ID, .or_empty = true },
	{ &wire__probe__descriptor, "probe", ID, ID },
	{ &wire__probe__descriptor, "token", 0, WIRE_ARGUMENT_MAX },
	{ &wire__probe_result__descriptor, "probe", ID, ID },
};

static const struct bound *bound_find(const ProtobufCMessageDescriptor *message, const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		if (bounds[i].message == message && strcmp(bounds[i].field, field) == 0)
			return &bounds[i];
	return NULL;
}

static bool text_holds(const struct bound *bound, const char *text)
{
	size_t min = bound ? bound->min : 0;
	size_t max = bound ? bound->max : WIRE_TEXT_MAX;
	size_t len = strlen(text), step;

	if (len < min || len > max)
		return false;
	for (size_t i = 0; i < len; i += step) {
		step = text_character(text + i, len - i);
		if (step == 0)
			return false;
	}
	return true;
}

static bool bytes_hold(const struct bound *bound, const ProtobufCBinaryData *bytes)
{
	if (!bound)
		return false;
	if (bytes->len == 0 && bound->or_empty)
		return true;
	return bytes->len >= bound->min && bytes->len <= bound->max;
}

static bool value_holds(const ProtobufCFieldDescriptor *field, const struct bound *bound,
			const void *value)
{
	const ProtobufCMessage *below;

	switch (field->type) {
	case PROTOBUF_C_TYPE_STRING:
		return text_holds(bound, *(char *const *)value);
	case PROTOBUF_C_TYPE_BYTES:
		return bytes_hold(bound, value);
	case PROTOBUF_C_TYPE_ENUM:
		return protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)value);
	case PROTOBUF_C_TYPE_MESSAGE:
		below = *(ProtobufCMessage *const *)value;
		return !below || bounds_hold(below);
	case PROTOBUF_C_TYPE_UINT32:
		return !bound || (*(const uint32_t *)value >= bound->min &&
				  *(const uint32_t *)value <= bound->max);
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_INT64:
		/* The store's integers are signed, and no quantity here is negative. */
		return *(const int64_t *)value >= 0;
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_BOOL:
		return true;
	default:
		return false;
	}
}

static bool list_holds(const ProtobufCFieldDescriptor *field, const struct bound *bound,
		       const char *const *list, size_t n)
{
	if (!bound || n > bound->count)
		return false;
	/* Lists of texts and of messages are lists of pointers; others are not in the schema. */
	if (field->type != PROTOBUF_C_TYPE_STRING && field->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!value_holds(field, bound, &list[i]))
			return false;
	return true;
}

static bool field_holds(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
	const struct bound *bound = bound_find(message->descriptor, field->name);
	const char *base = (const char *)message;
	const void *value = base + field->offset;
	const void *quantifier = base + field->quantifier_offset;

	if (field->label == PROTOBUF_C_LABEL_REPEATED)
		return list_holds(field, bound, *(const char *const *const *)value,
				  *(const size_t *)quantifier);
	/* The members of a oneof share their place: only the one that is set is there. */
	if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF &&
	    *(const uint32_t *)quantifier != field->id)
		return true;
	return value_holds(field, bound, value);
}

/* Fields of a later schema are passed over, but 0 is no field's number: protobuf-c takes it in a
 * long spelling, though it is not what it would write. */
static bool unknown_hold(const ProtobufCMessage *message)
{
	for (unsigned int i = 0; i < message->n_unknown_fields; i++)
		if (message->unknown_fields[i].tag == 0)
			return false;
	return true;
}

bool bounds_hold(const ProtobufCMessage *message)
{
	if (!unknown_hold(message))
		return false;
	for (unsigned int i = 0; i < message->descriptor->n_fields; i++)
		if (!field_holds(message, &message->descriptor->fields[i]))
			return false;
	return true;
}

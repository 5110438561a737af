/* bounds.h - the one table of what each field of wire.proto may hold. A field that could be long
 * and has no row is refused, so that a new one cannot be forgotten. */
#pragma once

#include "wire/wire.h"

/* Every field of @message and of the messages in it: lists and bytes within their row's bounds,
 * text UTF-8 and at most WIRE_TEXT_MAX or its row's bound, 64-bit integers within 0..INT64_MAX,
 * enums known. */
bool bounds_hold(const ProtobufCMessage *message);

#include "popw/message.h"

#include "popw/layout.h"

static void id_pass(struct layout *layout, struct proof_id *id)
{
	layout_bytes(layout, id->bytes, sizeof(id->bytes));
}

static void signature_pass(struct layout *layout, uint8_t signature[static SECP_SIGNATURE_SIZE])
{
	layout_bytes(layout, signature, SECP_SIGNATURE_SIZE);
}

/* ---- NCOMMIT ---- */

static void ncommit_pass(struct layout *layout, struct ncommit *message)
{
	id_pass(layout, &message->session);
	layout_u32(layout, &message->member);
	for (size_t i = 0; i < SESSION_NONCES; i++)
		layout_hash(layout, &message->nonces[i]);
	signature_pass(layout, message->signature);
}

void ncommit_encode(const struct ncommit *message, uint8_t ret_bytes[static NCOMMIT_SIZE])
{
	struct ncommit copy = *message;

	ncommit_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int ncommit_decode(const void *bytes, size_t len, struct ncommit *ret_message)
{
	struct ncommit message = { 0 };

	if (len != NCOMMIT_SIZE)
		return MESSAGE_E_MALFORMED;
	ncommit_pass(&(struct layout){ .in = bytes }, &message);
	if (message.member >= SESSION_PANEL_MAX)
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

/* ---- NONCE, NONCES ---- */

static void nonce_pass(struct layout *layout, struct nonce *message)
{
	id_pass(layout, &message->session);
	layout_u8(layout, &message->k);
	layout_u32(layout, &message->member);
	layout_bytes(layout, message->bytes, SESSION_NONCE_SIZE);
}

void nonce_encode(const struct nonce *message, uint8_t ret_bytes[static NONCE_SIZE])
{
	struct nonce copy = *message;

	nonce_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int nonce_decode(const void *bytes, size_t len, struct nonce *ret_message)
{
	struct nonce message = { 0 };

	if (len != NONCE_SIZE)
		return MESSAGE_E_MALFORMED;
	nonce_pass(&(struct layout){ .in = bytes }, &message);
	if (message.k < NONCE_FILL || message.k > NONCE_OPEN ||
	    (message.member >= SESSION_PANEL_MAX && message.member != NONCE_ASKED))
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

static void nonces_head_pass(struct layout *layout, struct nonces_message *message)
{
	id_pass(layout, &message->session);
	layout_u8(layout, &message->k);
	layout_u32(layout, &message->nonces.set);
}

static void nonces_tail_pass(struct layout *layout, struct nonces_message *message)
{
	for (unsigned int i = 0; i < SESSION_PANEL_MAX; i++)
		if (message->nonces.set >> i & 1)
			layout_bytes(layout, message->nonces.bytes[i], SESSION_NONCE_SIZE);
	signature_pass(layout, message->signature);
}

size_t nonces_size(uint32_t set)
{
	return NONCES_HEAD_SIZE + (size_t)__builtin_popcount(set) * SESSION_NONCE_SIZE +
	       SECP_SIGNATURE_SIZE;
}

size_t nonces_encode(const struct nonces_message *message,
		     uint8_t ret_bytes[static NONCES_SIZE_MAX])
{
	struct layout layout = { .out = ret_bytes };
	struct nonces_message copy = *message;

	nonces_head_pass(&layout, &copy);
	nonces_tail_pass(&layout, &copy);
	return (size_t)(layout.out - ret_bytes);
}

int nonces_decode(const void *bytes, size_t len, struct nonces_message *ret_message)
{
	struct layout layout = { .in = bytes };
	struct nonces_message message = { 0 };

	if (len < NONCES_HEAD_SIZE)
		return MESSAGE_E_MALFORMED;
	nonces_head_pass(&layout, &message);
	if (message.k < NONCE_FILL || message.k > NONCE_OPEN || !message.nonces.set ||
	    len != nonces_size(message.nonces.set))
		return MESSAGE_E_MALFORMED;
	nonces_tail_pass(&layout, &message);
	*ret_message = message;
	return 0;
}

/* ---- FILLED, ROOT, SEAL ---- */

static void filled_pass(struct layout *layout, struct filled *message)
{
	id_pass(layout, &message->session);
	layout_u8(layout, &message->tag);
	layout_u32(layout, &message->set);
	signature_pass(layout, message->signature);
}

void filled_encode(const struct filled *message, uint8_t ret_bytes[static FILLED_SIZE])
{
	struct filled copy = *message;

	filled_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int filled_decode(const void *bytes, size_t len, struct filled *ret_message)
{
	struct filled message = { 0 };

	if (len != FILLED_SIZE)
		return MESSAGE_E_MALFORMED;
	filled_pass(&(struct layout){ .in = bytes }, &message);
	if (message.tag != FILLED_TAG)
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

static bool phase_known(uint8_t phase)
{
	return phase == PHASE_WALK || phase == PHASE_MATRIX;
}

static void root_pass(struct layout *layout, struct root *message)
{
	id_pass(layout, &message->session);
	layout_u8(layout, &message->phase);
	layout_u32(layout, &message->index);
	layout_hash(layout, &message->root);
}

void root_encode(const struct root *message, uint8_t ret_bytes[static ROOT_SIZE])
{
	struct root copy = *message;

	root_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int root_decode(const void *bytes, size_t len, struct root *ret_message)
{
	struct root message = { 0 };

	if (len != ROOT_SIZE)
		return MESSAGE_E_MALFORMED;
	root_pass(&(struct layout){ .in = bytes }, &message);
	if (!phase_known(message.phase) || message.index >= SESSION_ROOTS_MAX)
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

static void seal_pass(struct layout *layout, struct seal *message)
{
	id_pass(layout, &message->session);
	layout_u8(layout, &message->phase);
	layout_u32(layout, &message->set);
	layout_hash(layout, &message->roots);
	signature_pass(layout, message->signature);
}

void seal_encode(const struct seal *message, uint8_t ret_bytes[static SEAL_SIZE])
{
	struct seal copy = *message;

	seal_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int seal_decode(const void *bytes, size_t len, struct seal *ret_message)
{
	struct seal message = { 0 };

	if (len != SEAL_SIZE)
		return MESSAGE_E_MALFORMED;
	seal_pass(&(struct layout){ .in = bytes }, &message);
	if (!phase_known(message.phase))
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

/* ---- COMMIT, COMMITS, RESULT, REVEAL ---- */

static void commit_pass(struct layout *layout, struct commit *message)
{
	id_pass(layout, &message->session);
	layout_u32(layout, &message->member);
	layout_hash(layout, &message->result);
	signature_pass(layout, message->signature);
}

void commit_encode(const struct commit *message, uint8_t ret_bytes[static COMMIT_SIZE])
{
	struct commit copy = *message;

	commit_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int commit_decode(const void *bytes, size_t len, struct commit *ret_message)
{
	struct commit message = { 0 };

	if (len != COMMIT_SIZE)
		return MESSAGE_E_MALFORMED;
	commit_pass(&(struct layout){ .in = bytes }, &message);
	if (message.member >= SESSION_PANEL_MAX)
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

size_t commits_size(uint32_t set)
{
	return COMMITS_HEAD_SIZE + (size_t)__builtin_popcount(set) * COMMIT_SIZE;
}

size_t commits_encode(const struct commits *message, uint8_t ret_bytes[static COMMITS_SIZE_MAX])
{
	struct commits copy = *message;
	struct layout layout = { .out = ret_bytes };

	id_pass(&layout, &copy.session);
	layout_u32(&layout, &copy.set);
	for (size_t i = 0; i < SESSION_PANEL_MAX; i++)
		if (copy.set >> i & 1)
			commit_pass(&layout, &copy.commits[i]);
	return commits_size(copy.set);
}

int commits_decode(const void *bytes, size_t len, struct commits *ret_message)
{
	struct commits message = { 0 };
	struct layout layout = { .in = bytes };

	if (len < COMMITS_HEAD_SIZE)
		return MESSAGE_E_MALFORMED;
	id_pass(&layout, &message.session);
	layout_u32(&layout, &message.set);
	if (message.set == 0 || len != commits_size(message.set))
		return MESSAGE_E_MALFORMED;
	for (uint32_t i = 0; i < SESSION_PANEL_MAX; i++) {
		struct commit *commit = &message.commits[i];

		if (!(message.set >> i & 1))
			continue;
		commit_pass(&layout, commit);
		if (commit->member != i || !proof_id_equal(commit->session, message.session))
			return MESSAGE_E_MALFORMED;
	}
	*ret_message = message;
	return 0;
}

static void result_pass(struct layout *layout, struct result *message)
{
	id_pass(layout, &message->session);
	layout_u32(layout, &message->member);
	layout_u16(layout, &message->bits);
	layout_hash(layout, &message->transcript);
	layout_u32(layout, &message->fill_us);
	layout_u32(layout, &message->walk_us);
	layout_u32(layout, &message->matrix_us);
	layout_u32(layout, &message->rtt_us);
	layout_u32(layout, &message->down_kbps);
	layout_u32(layout, &message->up_kbps);
	layout_bytes(layout, message->salt, sizeof(message->salt));
	signature_pass(layout, message->signature);
}

void result_encode(const struct result *message, uint8_t ret_bytes[static RESULT_SIZE])
{
	struct result copy = *message;

	result_pass(&(struct layout){ .out = ret_bytes }, &copy);
}

int result_decode(const void *bytes, size_t len, struct result *ret_message)
{
	struct result message = { 0 };

	if (len != RESULT_SIZE)
		return MESSAGE_E_MALFORMED;
	result_pass(&(struct layout){ .in = bytes }, &message);
	if (message.member >= SESSION_PANEL_MAX)
		return MESSAGE_E_MALFORMED;
	*ret_message = message;
	return 0;
}

void reveal_encode(const struct reveal *message, uint8_t ret_bytes[static REVEAL_SIZE])
{
	struct reveal copy = *message;
	struct layout layout = { .out = ret_bytes };

	result_pass(&layout, &copy.result);
	signature_pass(&layout, copy.signature);
}

int reveal_decode(const void *bytes, size_t len, struct reveal *ret_message)
{
	const uint8_t *at = bytes;
	struct reveal message;

	if (len != REVEAL_SIZE || result_decode(at, RESULT_SIZE, &message.result) != 0)
		return MESSAGE_E_MALFORMED;
	memcpy(message.signature, at + RESULT_SIZE, sizeof(message.signature));
	*ret_message = message;
	return 0;
}

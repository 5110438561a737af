/* rpc.h - questions to a chain, over the JSON-RPC of several endpoints that may be slow, wrong or gone.
 *
 * Blocking, from any thread; every call has a deadline. A question goes to the endpoint that answered last, then
 * to the others. One that does not answer, answers garbage, or is of another chain rests for a while: a second
 * at first, twice as long each time, a minute at most. What money depends on is asked of several (rpc_agree).
 * https://ethereum.github.io/execution-apis, https://www.jsonrpc.org/specification */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/base.h"

struct clock;
struct rpc;

enum {
	RPC_ENDPOINTS_MAX = 8,
	RPC_URL_MAX = 512,
	RPC_MESSAGE_MAX = 256,
	RPC_QUESTION_MAX = 256 << 10,
	RPC_ANSWER_MAX = 16 << 20, /* bytes of an answer */
};

struct rpc_config {
	const char *const *urls; /* http:// or https://; copied */
	size_t n_urls;
	uint64_t chain_id; /* what each endpoint must say before it is asked anything else */
	uint64_t timeout_ms; /* of one try at one endpoint */
	size_t agree; /* how many must say the same in rpc_agree, n_urls at most; 1 believes each of them */
	const struct clock *clock; /* borrowed */
};

/* -EINVAL: no URL, too many, too long, not http, or @agree is 0 or more than there are. -ENOMEM. */
_must_check_ int rpc_new(const struct rpc_config *config, struct rpc **ret_rpc);
void rpc_free(struct rpc *rpc);

enum rpc_outcome {
	RPC_E_REFUSED = 1, /* an endpoint understood and said no: rpc_error */
	RPC_E_UNAVAILABLE, /* none answered sensibly; ask again later */
	RPC_E_DISAGREE, /* they answered, and too few alike */
};

/* What a refusal says. The texts are the node's own and for people only; nothing may be decided by them but
 * what rpc_error_kind knows of several implementations. */
struct rpc_error {
	int64_t code;
	char message[RPC_MESSAGE_MAX]; /* printable */
};

enum rpc_error_kind {
	RPC_ERROR_OTHER,
	RPC_ERROR_KNOWN, /* this very transaction waits or was mined */
	RPC_ERROR_NONCE_LOW, /* another one has its nonce */
	RPC_ERROR_UNDERPRICED, /* a replacement must pay more */
	RPC_ERROR_FUNDS, /* the sender cannot pay for it */
	RPC_ERROR_REVERTED, /* the contract refuses */
	RPC_ERROR_LIMIT, /* too many requests, or too wide a query */
};
enum rpc_error_kind rpc_error_kind(const struct rpc_error *error);

/* Asks @method with @params (a JSON array, borrowed). @ret_result: a new reference; JSON null is an answer.
 * 0, RPC_E_REFUSED (@ret_error is written), RPC_E_UNAVAILABLE, -ENOMEM, -EMSGSIZE (the question). */
_must_check_ int rpc_ask(struct rpc *rpc, const char *method, const json_t *params,
			 json_t **ret_result, struct rpc_error *ret_error);

/* The same of every endpoint, until @agree of them gave equal answers; a refusal is none. 0, RPC_E_UNAVAILABLE
 * (fewer than @agree answered), RPC_E_DISAGREE, -ENOMEM, -EMSGSIZE. */
_must_check_ int rpc_agree(struct rpc *rpc, const char *method, const json_t *params,
			   json_t **ret_result);

/* The same of endpoint @i alone: for what is not to be equal, but compared. While it rests it is not asked. */
_must_check_ int rpc_ask_of(struct rpc *rpc, size_t i, const char *method, const json_t *params,
			    json_t **ret_result, struct rpc_error *ret_error);
size_t rpc_endpoints(const struct rpc *rpc);
size_t rpc_agreement(const struct rpc *rpc); /* how many must agree */

/* How an endpoint does, for operators. */
struct rpc_endpoint {
	const char *url; /* without what may be a secret: scheme, host and port */
	uint64_t answers, failures;
	int64_t rests_ms; /* still; 0: it is asked */
	char problem
		[RPC_MESSAGE_MAX]; /* of its last failure, or the last doubt, with the remedy; "" */
};
/* Of endpoint @i; the URL lives as long as @rpc. */
void rpc_endpoint(struct rpc *rpc, size_t i, struct rpc_endpoint *ret_endpoint);

/* What it said was found to be wrong: @problem is its problem for an hour, however well it answers. It is asked
 * all the same; not to depend on one is what rpc_agree is for. */
void rpc_doubt(struct rpc *rpc, size_t i, const char *problem);

/* ---- values ----
 *
 * Strict: "0x", no leading zero in quantities, an even number of digits in data, no more than fits. -EBADMSG
 * otherwise, and for what is not a string. */

_must_check_ int rpc_quantity(const json_t *value, uint64_t *ret_value);
/* Exactly @len bytes. */
_must_check_ int rpc_bytes(const json_t *value, void *ret_bytes, size_t len);
/* At most @max; how many in @ret_len. */
_must_check_ int rpc_data(const json_t *value, size_t max, void *ret_bytes, size_t *ret_len);

/* The other way; NULL without memory. */
json_t *rpc_of_quantity(uint64_t value);
json_t *rpc_of_bytes(const void *bytes, size_t len);

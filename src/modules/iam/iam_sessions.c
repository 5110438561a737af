/* Sign-in, and the sessions that it makes. */
#include "modules/iam/iam_rules.h"

#include "api/settings.h"
#include "base/codec.h"
#include "modules/logging/logging.h"
#include "security/siwe.h"

enum { CLOCK_SKEW_MS = 30000 };

static const char refresh_prefix[] = "ksr_";

int iam_nonce_make(const struct context *context, struct tx *tx, const char *peer,
		   char ret_nonce[static IAM_NONCE_TEXT_SIZE], int64_t *ret_expires_at_ms)
{
	int64_t now_ms = clock_now_ms(context->clock), of_peer, of_all;
	struct iam_nonce nonce = { .peer = peer,
				   .expires_at_ms = now_ms + context->settings->nonce_ms };
	char text[IAM_NONCE_TEXT_SIZE];
	uint8_t bytes[16];
	int r;

	r = iam_store_nonce_count(tx, peer, now_ms, &of_peer, &of_all);
	if (r != 0)
		return r;
	if (of_peer >= IAM_NONCES_OF_PEER_MAX || of_all >= IAM_NONCES_MAX)
		return IAM_E_TOO_MANY_NONCES;
	r = random_fill(context->random, bytes, sizeof(bytes));
	if (r < 0)
		return r;
	base32_id_encode(bytes, text);
	secret_hash(text, nonce.hash);
	r = iam_store_nonce_add(tx, &nonce);
	if (r != 0)
		return r;
	memcpy(ret_nonce, text, sizeof(text));
	*ret_expires_at_ms = nonce.expires_at_ms;
	return 0;
}

/* Which rule of the policy a message broke; none of this is secret. */
static const char *siwe_detail(int outcome)
{
	switch (outcome) {
	case SIWE_E_DOMAIN:
		return "the message's domain is not this network's: ask for a nonce again and use "
		       "the domain that comes with it";
	case SIWE_E_URI:
		return "the message's URI is not this network's: use the one that comes with the "
		       "nonce";
	case SIWE_E_VERSION:
		return "the message's version must be 1";
	case SIWE_E_CHAIN:
		return "the message's chain id is not this network's: use the one that comes with "
		       "the nonce";
	case SIWE_E_TIME:
		return "the message is not valid now: check this machine's clock, and sign again";
	case SIWE_E_SIGNATURE:
		return "the signature is not the stated address's signature of this message";
	default:
		return "the message is not an EIP-4361 message";
	}
}

static int check_message(const struct context *context, struct tx *tx,
			 const struct iam_sign_in *sign_in, struct siwe_message *ret_message,
			 const char **ret_detail)
{
	const struct settings *settings = context->settings;
	const struct siwe_policy policy = {
		.domain = settings->domain,
		.uri = settings->url,
		.chain_id = settings->chain_id,
		.now_ms = clock_now_ms(context->clock),
		.skew_ms = CLOCK_SKEW_MS,
		.max_age_ms = settings->nonce_ms,
	};
	size_t len = strlen(sign_in->message);
	int r;

	r = siwe_parse(sign_in->message, len, tx_arena(tx), ret_message, ret_detail);
	if (r != 0)
		return r < 0 ? r : IAM_E_MESSAGE;
	r = siwe_check(ret_message, sign_in->message, len, sign_in->signature, &policy);
	if (r > 0)
		*ret_detail = siwe_detail(r);
	return r > 0 ? IAM_E_MESSAGE : r;
}

/* An access token and a new refresh token of @session, with the account's roles of this moment. */
static int grant_make(const struct context *context, struct tx *tx,
		      const struct iam_session *session, struct iam_grant *ret_grant)
{
	const struct settings *settings = context->settings;
	int64_t now_ms = clock_now_ms(context->clock);
	struct iam_grant grant = { .account = session->account,
				   .access_token_ms = settings->access_token_ms };
	struct token_claims claims = { .subject = session->account,
				       .issued_at_ms = now_ms,
				       .expires_at_ms = now_ms + settings->access_token_ms };
	uint8_t hash[SECRET_HASH_SIZE];
	int r;

	r = iam_roles_of(context, tx, session->account, &grant.roles);
	if (r != 0)
		return r;
	memcpy(claims.session, session->id.bytes, sizeof(claims.session));
	claims.permissions = policy_permissions(grant.roles);
	r = token_mint(settings->token_key, settings->issuer, &claims, tx_arena(tx),
		       &grant.access_token);
	if (r != 0)
		return r;
	r = secret_make(context->random, refresh_prefix, grant.refresh_token);
	if (r != 0)
		return r;
	secret_hash(grant.refresh_token, hash);
	r = iam_store_refresh_add(tx, hash, session->id);
	if (r != 0)
		return r;
	*ret_grant = grant;
	return 0;
}

/* @by: who is known to have done it. */
static int session_audit(const struct request *request, struct tx *tx,
			 const struct iam_session *session, enum audit_actor by,
			 enum audit_action action)
{
	char subject[ID_TEXT_SIZE];
	const struct audit_entry entry = { .action = action,
					   .by = by,
					   .actor = &session->account.address,
					   .request = request,
					   .subject = subject,
					   .owner = &session->account,
					   .detail = json_object() };

	session_id_text(&session->id, subject);
	return audit_record(request->context, tx, &entry);
}

static int session_event(const struct request *request, struct tx *tx,
			 const struct iam_session *session, const char *type, json_t *data)
{
	char subject[ID_TEXT_SIZE];

	if (!data)
		return -ENOMEM;
	session_id_text(&session->id, subject);
	return logging_event(request->context, tx, session->account, type, subject, data);
}

static int session_make(const struct request *request, struct tx *tx, struct account_id account,
			struct iam_session *ret_session)
{
	const struct context *context = request->context;
	int64_t now_ms = clock_now_ms(context->clock);
	struct iam_session session = {
		.account = account,
		.created_at_ms = now_ms,
		.expires_at_ms = now_ms + context->settings->refresh_token_ms,
	};
	int r;

	r = session_id_make(context->clock, context->random, &session.id);
	if (r != 0)
		return r;
	r = iam_store_sessions_trim(tx, account, IAM_SESSIONS_MAX - 1);
	if (r != 0)
		return r;
	r = iam_store_session_add(tx, &session);
	if (r != 0)
		return r;
	r = session_audit(request, tx, &session, AUDIT_ACCOUNT, AUDIT_SESSION_CREATED);
	if (r != 0)
		return r;
	r = session_event(request, tx, &session, "session.created",
			  json_pack("{s:s}", "peer", request->peer));
	if (r != 0)
		return r;
	*ret_session = session;
	return 0;
}

int iam_login(const struct request *request, struct tx *tx, const struct iam_sign_in *sign_in,
	      struct iam_grant *ret_grant, const char **ret_detail)
{
	const struct context *context = request->context;
	struct siwe_message message;
	struct iam_session session;
	uint8_t hash[SECRET_HASH_SIZE];
	struct account_id account;
	int r;

	r = check_message(context, tx, sign_in, &message, ret_detail);
	if (r != 0)
		return r;
	secret_hash(message.nonce, hash);
	r = iam_store_nonce_take(tx, hash, clock_now_ms(context->clock));
	if (r != 0)
		return r;
	account.address = message.address;
	r = iam_account_ensure(context, tx, account);
	if (r != 0)
		return r;
	r = session_make(request, tx, account, &session);
	if (r != 0)
		return r;
	return grant_make(context, tx, &session, ret_grant);
}

static int session_revoke(const struct request *request, struct tx *tx,
			  const struct iam_session *session)
{
	int r;

	r = iam_store_session_delete(tx, session->id);
	if (r != 0)
		return r;
	/* Which of the two that have the token came is not known; from where they came is. */
	r = session_audit(request, tx, session, AUDIT_NETWORK, AUDIT_SESSION_REVOKED);
	if (r != 0)
		return r;
	return session_event(request, tx, session, "session.revoked",
			     json_pack("{s:s}", "reason", "refresh_token_reused"));
}

int iam_refresh(const struct request *request, struct tx *tx, const char *token,
		struct iam_grant *ret_grant, bool *ret_revoked)
{
	const struct context *context = request->context;
	int64_t now_ms = clock_now_ms(context->clock),
		life_ms = context->settings->refresh_token_ms;
	struct iam_session session;
	uint8_t hash[SECRET_HASH_SIZE];
	bool used;
	int r;

	secret_hash(token, hash);
	r = iam_store_refresh_find(tx, hash, &session, &used);
	if (r != 0)
		return r == ROUTE_E_NOT_FOUND ? IAM_E_REFRESH : r;
	if (session.expires_at_ms <= now_ms)
		return IAM_E_REFRESH;
	*ret_revoked = used;
	if (used)
		return session_revoke(request, tx, &session);
	r = iam_store_refresh_use(tx, hash, now_ms);
	if (r != 0)
		return r;
	r = iam_store_refresh_forget(tx, session.id, now_ms - life_ms, IAM_REFRESH_KEPT);
	if (r != 0)
		return r;
	r = iam_store_session_extend(tx, session.id, now_ms + life_ms);
	if (r != 0)
		return r;
	return grant_make(context, tx, &session, ret_grant);
}

int iam_logout(const struct request *request, struct tx *tx)
{
	const struct caller *caller = &request->caller;
	struct iam_session session = { .account = caller->account };
	bool alive;
	int r;

	if (caller->by_api_key)
		return ROUTE_E_DENIED;
	memcpy(session.id.bytes, caller->session, sizeof(session.id.bytes));
	r = iam_store_session_alive(tx, session.id, clock_now_ms(request->context->clock), &alive);
	/* Signed out before, by the same access token: nothing ends again. */
	if (r != 0 || !alive)
		return r;
	r = iam_store_session_delete(tx, session.id);
	return r != 0 ? r
		      : session_audit(request, tx, &session, AUDIT_ACCOUNT, AUDIT_SESSION_ENDED);
}

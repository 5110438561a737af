#include "fuzz.h"

#include <assert.h>

#include "security/token.h"

static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
			  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"
			  "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"
			  "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"
			  "-----END PRIVATE KEY-----\n";

/* With the key of the seed: nobody finds a second token that holds, nor a second spelling. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct es256_key *key;
	_cleanup_(arena_freep) struct arena *arena = NULL;
	struct token_claims claims;
	char *token;

	if (!key && es256_key_from_pem(pem, sizeof(pem) - 1, &key) < 0)
		return 0;
	if (arena_new(1 << 20, &arena) < 0)
		return 0;
	token = arena_text(arena, (const char *)bytes, len);
	if (!token)
		return 0;
	if (token_check(key, "http://127.0.0.1:8080", token, 1763831153000, &claims) == 0)
		assert(claims.permissions == 124 && claims.expires_at_ms == 1763832053000);
	return 0;
}

#include "security/secp.h"

#include <openssl/crypto.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/keccak.h"

struct secp_key {
	secp256k1_context *context; /* only read after it was made, so that threads may share it */
	uint8_t secret[SECP_SECRET_SIZE];
	struct address address;
	bool locked;
};

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Alone on its page, so that it can be locked alone. */
static struct secp_key *key_new(void)
{
	struct secp_key *key = aligned_alloc(page_size(), page_size());

	if (key)
		memset(key, 0, page_size());
	return key;
}

static void pubkey_address(const secp256k1_pubkey *pubkey, struct address *ret_address)
{
	uint8_t point[65], digest[32];
	size_t len = sizeof(point);

	secp256k1_ec_pubkey_serialize(secp256k1_context_static, point, &len, pubkey,
				      SECP256K1_EC_UNCOMPRESSED);
	keccak256(point + 1, 64, digest);
	memcpy(ret_address->bytes, digest + 12, sizeof(ret_address->bytes));
}

/* The blinding changes no signature, so it takes the kernel's randomness even in tests. */
static int context_new(secp256k1_context **ret_context)
{
	secp256k1_context *context;
	uint8_t seed[32];
	int r;

	r = random_fill(&random_system, seed, sizeof(seed));
	if (r < 0)
		return r;
	context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
	if (!secp256k1_context_randomize(context, seed))
		r = -EIO;
	OPENSSL_cleanse(seed, sizeof(seed));
	if (r < 0)
		secp256k1_context_destroy(context);
	else
		*ret_context = context;
	return r;
}

int secp_key_from_secret(const uint8_t secret[static SECP_SECRET_SIZE], struct secp_key **ret_key)
{
	_cleanup_(secp_key_freep) struct secp_key *key = key_new();
	secp256k1_pubkey pubkey;
	int r;

	if (!key)
		return -ENOMEM;
	r = context_new(&key->context);
	if (r < 0)
		return r;
	/* Refuses a zero secret and one that is not below the order. */
	if (!secp256k1_ec_pubkey_create(key->context, &pubkey, secret))
		return -EINVAL;
	memcpy(key->secret, secret, sizeof(key->secret));
	pubkey_address(&pubkey, &key->address);
	*ret_key = key;
	key = NULL;
	return 0;
}

int secp_key_generate(struct random *random, struct secp_key **ret_key)
{
	uint8_t secret[SECP_SECRET_SIZE];
	int r = -EINVAL;

	/* One draw in 2^127 is out of range; a second one means that @random is broken. */
	for (int tries = 0; r == -EINVAL && tries < 2; tries++) {
		r = random_fill(random, secret, sizeof(secret));
		if (r == 0)
			r = secp_key_from_secret(secret, ret_key);
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	return r == -EINVAL ? -EIO : r;
}

void secp_key_free(struct secp_key *key)
{
	bool locked = key && key->locked;

	if (!key)
		return;
	if (key->context)
		secp256k1_context_destroy(key->context);
	OPENSSL_cleanse(key, sizeof(*key));
	if (locked) { /* as pages are that others are given */
		munlock(key, page_size());
		madvise(key, page_size(), MADV_DODUMP);
		madvise(key, page_size(), MADV_KEEPONFORK);
	}
	free(key);
}

int secp_key_lock(struct secp_key *key)
{
	if (mlock(key, page_size()) < 0)
		return -errno;
	key->locked = true;
	if (madvise(key, page_size(), MADV_DONTDUMP) < 0 ||
	    madvise(key, page_size(), MADV_WIPEONFORK) < 0)
		return -errno;
	return 0;
}

void secp_key_secret(const struct secp_key *key, uint8_t ret_secret[static SECP_SECRET_SIZE])
{
	memcpy(ret_secret, key->secret, sizeof(key->secret));
}

const struct address *secp_key_address(const struct secp_key *key)
{
	return &key->address;
}

int secp_sign(const struct secp_key *key, const uint8_t digest[static 32],
	      uint8_t ret_signature[static SECP_SIGNATURE_SIZE])
{
	secp256k1_ecdsa_recoverable_signature signature;
	uint8_t compact[64];
	int recovery_id;

	if (!secp256k1_ecdsa_sign_recoverable(key->context, &signature, digest, key->secret, NULL,
					      NULL))
		return -EIO;
	secp256k1_ecdsa_recoverable_signature_serialize_compact(key->context, compact, &recovery_id,
								&signature);
	/* 2 and 3 mean that r overflowed the order, which v cannot say: one in 2^127. */
	if (recovery_id > 1)
		return -ERANGE;
	memcpy(ret_signature, compact, sizeof(compact));
	ret_signature[64] = (uint8_t)(27 + recovery_id);
	return 0;
}

static bool is_high_s(const secp256k1_ecdsa_recoverable_signature *recoverable)
{
	secp256k1_ecdsa_signature signature;

	secp256k1_ecdsa_recoverable_signature_convert(secp256k1_context_static, &signature,
						      recoverable);
	return secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &signature);
}

int secp_recover(const uint8_t digest[static 32],
		 const uint8_t signature[static SECP_SIGNATURE_SIZE], struct address *ret_signer)
{
	secp256k1_ecdsa_recoverable_signature recoverable;
	secp256k1_pubkey pubkey;
	int v = signature[64];

	if (v >= 27)
		v -= 27;
	if (v > 1)
		return SECP_E_BAD;
	if (!secp256k1_ecdsa_recoverable_signature_parse_compact(secp256k1_context_static,
								 &recoverable, signature, v))
		return SECP_E_BAD;
	if (is_high_s(&recoverable))
		return SECP_E_BAD;
	if (!secp256k1_ecdsa_recover(secp256k1_context_static, &pubkey, &recoverable, digest))
		return SECP_E_BAD;
	pubkey_address(&pubkey, ret_signer);
	return 0;
}

int eip191_digest(const void *text, size_t len, uint8_t ret_digest[static 32])
{
	char prefix[64];
	uint8_t *bytes;
	int n;

	n = snprintf(prefix, sizeof(prefix),
		     "\x19"
		     "Ethereum Signed Message:\n%zu",
		     len);
	bytes = malloc((size_t)n + len);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, prefix, (size_t)n);
	memcpy(bytes + n, text, len);
	keccak256(bytes, (size_t)n + len, ret_digest);
	free(bytes);
	return 0;
}

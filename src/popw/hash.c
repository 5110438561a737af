#include "popw/hash.h"

#include <openssl/evp.h>

/* The algorithm is fetched once: looking it up costs more than hashing a node. */
struct hasher {
	EVP_MD *algorithm;
	EVP_MD_CTX *context;
};

int hasher_new(struct hasher **ret_hasher)
{
	_cleanup_(hasher_freep) struct hasher *hasher = calloc(1, sizeof(*hasher));

	if (!hasher)
		return -ENOMEM;
	hasher->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	hasher->context = EVP_MD_CTX_new();
	if (!hasher->algorithm || !hasher->context)
		return -ENOMEM;
	*ret_hasher = hasher;
	hasher = NULL;
	return 0;
}

void hasher_free(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->context);
	EVP_MD_free(hasher->algorithm);
	free(hasher);
}

/* Nothing here allocates or does I/O: a refusal means that libcrypto is broken, and no digest of its
 * may be trusted any longer. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

void hasher_start(struct hasher *hasher)
{
	must(EVP_DigestInit_ex2(hasher->context, hasher->algorithm, NULL));
}

void hasher_add(struct hasher *hasher, const void *bytes, size_t len)
{
	must(EVP_DigestUpdate(hasher->context, bytes, len));
}

void hasher_end(struct hasher *hasher, struct hash *ret_hash)
{
	must(EVP_DigestFinal_ex(hasher->context, ret_hash->bytes, NULL));
}

void hasher_once(struct hasher *hasher, const void *bytes, size_t len, struct hash *ret_hash)
{
	hasher_start(hasher);
	hasher_add(hasher, bytes, len);
	hasher_end(hasher, ret_hash);
}

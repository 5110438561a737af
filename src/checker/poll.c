#include "checker/poll.h"

#include "security/secp.h"

bool poll_answer_holds(const struct poll_path *path, const struct poll_nonce *nonce,
		       const uint8_t signature[static SIGNATURE_SIZE])
{
	struct poll_statement statement = {
		.network = path->network,
		.machine.address = path->machine,
		.checker = path->checker,
	};
	uint8_t digest[SIGN_DIGEST_SIZE];
	struct address signer;

	memcpy(statement.nonce, nonce->bytes, sizeof(statement.nonce));
	poll_digest(&statement, digest);
	return secp_recover(digest, signature, &signer) == 0 &&
	       address_equal(&signer, &path->machine);
}

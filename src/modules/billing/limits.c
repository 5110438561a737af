#include "modules/billing/limits.h"

#include "chain/abi.h"
#include "chain/contracts.h"
#include "modules/chain/chain.h"

enum { DAY_MS = 86400000, WORDS_MAX = 2 };

/* @n words that the escrow answers. */
static int ask(const char *signature, const struct abi_value *arguments, size_t n_arguments,
	       struct arena *arena, size_t n, struct u256 ret_words[static WORDS_MAX])
{
	const uint8_t *data;
	uint8_t answer[32 * WORDS_MAX];
	size_t len;
	int r = abi_encode_call(signature, arguments, n_arguments, arena, &data, &len);

	if (r == 0)
		r = chain_read(&chain_contracts()->at[CONTRACT_ESCROW].address, data, len, answer,
			       sizeof(answer), &len);
	if (r == 0 && len != 32 * n)
		r = CHAIN_E_SILENT;
	for (size_t i = 0; r == 0 && i < n; i++)
		ret_words[i] = u256_from_bytes(answer + 32 * i);
	return r;
}

int limits_left(const struct address *token, int64_t now_ms, struct arena *arena,
		struct u256 *ret_left)
{
	const struct abi_value arguments[] = { abi_address(token),
					       abi_u64((uint64_t)(now_ms / DAY_MS)) };
	struct u256 terms[WORDS_MAX], moved[WORDS_MAX];
	int r = ask("terms(address)", arguments, 1, arena, 2, terms);

	if (r == 0)
		r = ask("moved(address,uint256)", arguments, 2, arena, 1, moved);
	if (r != 0)
		return r;
	*ret_left = u256_compare(&terms[1], &moved[0]) > 0 ? u256_subtract(terms[1], moved[0])
							   : u256_from(0);
	return 0;
}

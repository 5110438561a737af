#include "chain/consent.h"

#include "chain/abi.h"
#include "chain/typed_data.h"

void consent_digest(const struct consent *consent, uint64_t chain_id,
		    const struct address *registry, uint8_t ret_digest[static 32])
{
	const struct typed_domain domain = {
		.name = "Kaisar Registry",
		.version = "1",
		.chain_id = chain_id,
		.contract = *registry,
	};
	struct typed_struct fields = typed_begin(
		"Consent(address machine,address owner,uint8 kind,"
		"bytes32 specification,uint256 nonce,uint256 deadline)");
	uint8_t domain_hash[32], hash[32];

	typed_address(&fields, &consent->machine);
	typed_address(&fields, &consent->owner);
	typed_u64(&fields, consent->kind);
	typed_word(&fields, consent->specification);
	typed_u64(&fields, consent->nonce);
	typed_u64(&fields, consent->deadline_s);
	typed_end(&fields, hash);
	typed_domain_hash(&domain, domain_hash);
	typed_digest(domain_hash, hash, ret_digest);
}

int call_register(const struct consent *consent,
		  const uint8_t signature[static SECP_SIGNATURE_SIZE], struct u256 maximum_fee,
		  struct arena *arena, struct call_data *ret_data)
{
	const struct abi_value arguments[] = {
		abi_u64(consent->kind),
		abi_address(&consent->machine),
		abi_fixed_bytes(consent->specification, 32),
		abi_u64(consent->deadline_s),
		abi_bytes(signature, SECP_SIGNATURE_SIZE),
		abi_number(maximum_fee),
	};

	return abi_encode_call("register(uint8,address,bytes32,uint256,bytes,uint256)", arguments,
			       ARRAY_SIZE(arguments), arena, &ret_data->bytes, &ret_data->len);
}

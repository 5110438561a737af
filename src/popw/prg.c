#include "popw/prg.h"

#include "popw/chacha.h"

enum { PRG_DOUBLE_ROUNDS = 4 };

void prg_key_from(const uint8_t bytes[static 32], struct prg_key *ret_key)
{
	memcpy(ret_key->words, bytes, sizeof(ret_key->words));
}

void prg_row(const struct prg_key *key, enum prg_tag tag, uint32_t row, uint32_t round,
	     uint64_t offset, void *ret_bytes, size_t len)
{
	uint32_t words[CHACHA_WORDS], block[CHACHA_WORDS];
	uint8_t *bytes = ret_bytes;

	chacha_begin(key, words);
	words[12] = (uint32_t)(offset / PRG_BLOCK);
	words[13] = round;
	words[14] = tag;
	words[15] = row;
	for (; len >= PRG_BLOCK; len -= PRG_BLOCK) {
		chacha_core(words, PRG_DOUBLE_ROUNDS, block);
		memcpy(bytes, block, PRG_BLOCK);
		bytes += PRG_BLOCK;
		words[12]++;
	}
}

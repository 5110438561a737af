#include "popw/prg.h"

#include "popw/chacha.h"
#include "popw/cpu.h"
#include "popw/levels.h"

void prg_key_from(const uint8_t bytes[static 32], struct prg_key *ret_key)
{
	memcpy(ret_key->words, bytes, sizeof(ret_key->words));
}

/* Whole vectors of blocks only, of the widest that @n fills: how many were made. */
static size_t blocks_in_vectors(const uint32_t words[static CHACHA_WORDS], size_t n,
				uint8_t *ret_blocks)
{
	if (n >= PRG_BLOCKS_AVX512 && cpu_level() == CPU_AVX512)
		return prg_blocks_avx512(words, n, ret_blocks);
	if (n >= PRG_BLOCKS_AVX2 && cpu_level() != CPU_SCALAR)
		return prg_blocks_avx2(words, n, ret_blocks);
	return 0;
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
	for (size_t n = len / PRG_BLOCK, made; n; n -= made) {
		made = blocks_in_vectors(words, n, bytes);
		if (!made) {
			chacha_core(words, PRG_DOUBLE_ROUNDS, block);
			memcpy(bytes, block, PRG_BLOCK);
			made = 1;
		}
		bytes += PRG_BLOCK * made;
		words[12] += (uint32_t)made;
	}
}

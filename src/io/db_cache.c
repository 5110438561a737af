#include "io/db_cache.h"

/* FNV-1a: the keys are our own statements, nobody chooses them against us. */
static uint64_t key_hash(const unsigned char *key, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ key[i]) * 0x100000001b3ull;
	return hash;
}

static bool entry_is(const struct db_cache_entry *entry, uint64_t hash, const void *key, size_t len)
{
	return entry->stmt && entry->hash == hash && entry->key_len == len &&
	       memcmp(entry->key, key, len) == 0;
}

static void entry_drop(struct db_cache *cache, struct db_cache_entry *entry)
{
	if (!entry->stmt)
		return;
	cache->drop(entry->stmt, cache->arg);
	free(entry->key);
	*entry = (struct db_cache_entry){ 0 };
}

void db_cache_init(struct db_cache *cache, void (*drop)(void *stmt, void *arg), void *arg)
{
	*cache = (struct db_cache){ .drop = drop, .arg = arg };
}

void db_cache_clear(struct db_cache *cache)
{
	for (size_t set = 0; set < DB_CACHE_SETS; set++)
		for (size_t way = 0; way < DB_CACHE_WAYS; way++)
			entry_drop(cache, &cache->entries[set][way]);
}

void *db_cache_find(const struct db_cache *cache, const void *key, size_t key_len)
{
	uint64_t hash = key_hash(key, key_len);
	const struct db_cache_entry *set = cache->entries[hash % DB_CACHE_SETS];

	for (size_t way = 0; way < DB_CACHE_WAYS; way++)
		if (entry_is(&set[way], hash, key, key_len))
			return set[way].stmt;
	return NULL;
}

int db_cache_put(struct db_cache *cache, const void *key, size_t key_len, void *stmt)
{
	uint64_t hash = key_hash(key, key_len);
	size_t set = hash % DB_CACHE_SETS;
	struct db_cache_entry *entry = &cache->entries[set][cache->next[set]];
	char *copy = malloc(key_len + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, key, key_len);
	entry_drop(cache, entry);
	cache->next[set] = (uint8_t)((cache->next[set] + 1) % DB_CACHE_WAYS);
	*entry = (struct db_cache_entry){ hash, copy, key_len, stmt };
	return 0;
}

/* db_cache.h - the prepared statements of one connection, by their text; a bounded number, the
 * oldest of a small set goes first. Not thread safe. */
#pragma once

#include "base/base.h"

enum { DB_CACHE_SETS = 256, DB_CACHE_WAYS = 4 };

struct db_cache_entry {
	uint64_t hash;
	char *key;
	size_t key_len;
	void *stmt; /* NULL: free */
};

struct db_cache {
	struct db_cache_entry entries[DB_CACHE_SETS][DB_CACHE_WAYS];
	uint8_t next[DB_CACHE_SETS];
	void (*drop)(void *stmt, void *arg);
	void *arg;
};

/* @drop(stmt, @arg) ends a statement that leaves the cache. */
void db_cache_init(struct db_cache *cache, void (*drop)(void *stmt, void *arg), void *arg);

/* Drops all. */
void db_cache_clear(struct db_cache *cache);

/* NULL if it is not there. */
void *db_cache_find(const struct db_cache *cache, const void *key, size_t key_len);

/* Takes @stmt over on success. -ENOMEM. */
_must_check_ int db_cache_put(struct db_cache *cache, const void *key, size_t key_len, void *stmt);

/* db_fault.h - makes the store fail on purpose, for tests of what a module does then. */
#pragma once

#include "io/db.h"

enum db_fault_place {
	DB_FAULT_STATEMENT, /* the statement is not run and returns the fault */
	DB_FAULT_COMMIT, /* nothing is committed and db_run returns the fault */
	DB_FAULT_PLACES,
};

/* The @n-th statement or commit from now on (1: the next) meets @fault (-errno), once. @n 0 takes
 * a fault back. On SQLite one commit carries every write that waits at that moment. */
void db_fault_at(struct db *db, enum db_fault_place place, unsigned int n, int fault);

/* proof_stage.h - for tests: the module with the real worker, billing and logging beside it, a loop that runs, and
 * nodes without sockets: checkers are real members (checker/member.h) that verify, the machine proves with
 * the CPU. Each may misbehave. The checker module's record is played here, so that tests see the marks. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "api/settings.h"
#include "io/db_fixture.h"
#include "modules/proof/phantom.h"
#include "modules/proof/proof_store.h"
#include "modules/worker/worker.h"

#include <cmocka.h>

enum { CHECKERS = 4, CROWD_MAX = 12 };

enum manner { HONEST, LYING, MUTE /* never answers */ };

/* What a machine that refuses says again and again. */
#define STAGE_DETAIL "\xc3\xa9" /* e with an accent: two bytes */

struct stage {
	struct store store;
	struct settings settings;
	struct context context;
	struct secp_key *network, *machine_key;
	struct machine_id machine;
	struct account_id owner, checkers_owner;
	enum manner manners[CHECKERS];
	enum phantom_flaw flaw; /* of what the machine proves */
	const char *refusal; /* the machine's ProofEnd to every session; NULL: it proves */
	struct machine_id
		crowd[CROWD_MAX]; /* other linked machines; they pretend, or say nothing */
	size_t n_crowd;
	bool refuses_late; /* with the first nonces, not at once */
	bool pretends; /* to have filled for the first @fills sessions, and does nothing more for any */
	atomic_int fills;
	atomic_int walks; /* that were asked for */
	uint32_t kbps; /* that each member measures, both ways; 0: it cannot */
	bool leaves_at_opening; /* its link breaks when it is told what to open */
	/* What the checker module was told. */
	int marks[CHECKERS + 1][5]; /* by checker, by mark */
	int planted_marks, cleared;
	size_t heard; /* reports that checkers were told to forget */
	size_t most_watched; /* machines on the longest list that a checker was given */
};

int stage_open(void **state);
int stage_close(void **state);
int stage_run(const struct CMUnitTest *tests, size_t n);
#define STAGE_TEST(test) cmocka_unit_test_setup_teardown(test, stage_open, stage_close)

/* Another linked machine, with @gpus that are proved and not due. Their uuids begin with "GPU-" and the first
 * byte of its address, by which machines must differ. Hosts and disks, of all machines, are forgotten. */
void stage_crowd(struct stage *stage, struct machine_id machine, int gpus);

/* Stops the module and starts it again, with whatever went on lost. */
void stage_restart(struct stage *stage);

/* Runs the job @run once, with an arena of its own; its result. */
int stage_job(struct stage *stage, int (*run)(const struct context *context, struct arena *arena));

/* Begins what is due and settles what ends until @n sessions in all are over; aborts after 60 s. */
void stage_until(struct stage *stage, int64_t n);

/* What proofs say of the machine's @device. */
struct worker_standing stage_standing(struct stage *stage, enum worker_device device);
/* All sessions, newest first; in the store's arena, which the caller resets. */
size_t stage_proofs(struct stage *stage, struct proof_row **ret_rows);

/* An appeal; its outcome. */
int stage_appeal(struct stage *stage, struct proof_id id, struct account_id account);

/* A checker that watches the machine polls it, or one that nobody knows; whether an answer came back. */
bool stage_poll(struct stage *stage);
bool stage_poll_by_stranger(struct stage *stage);
/* The same checker's report, signed by it, or by another. */
void stage_report(struct stage *stage, int64_t hour, uint32_t polls, uint32_t answered);
void stage_report_forged(struct stage *stage, int64_t hour);

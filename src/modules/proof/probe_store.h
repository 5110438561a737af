/* probe_store.h - every SQL statement about probes. Texts and lists live in the transaction's arena. */
#pragma once

#include "api/route.h"

struct probe_row {
	struct probe_id id;
	struct machine_id machine;
	struct account_id owner;
	struct rental_id rental;
	int64_t gpus; /* that the container has */
	bool asked; /* its checkers were told */
	const char *outcome; /* "" while it goes on */
	const char *detail; /* for people */
	int64_t started_ms, ended_ms;
};

struct probe_answer {
	struct address checker;
	int64_t passed; /* -1: it did not say yet */
	int64_t gpus, answer_ms;
	const char *detail;
};

/* With those that were drawn, who have not answered. */
_must_check_ int probe_store_add(struct tx *tx, const struct probe_row *row,
				 const struct address *checkers, size_t n);
_must_check_ int probe_store_live(struct tx *tx, struct probe_row **ret_rows, size_t *ret_n);
_must_check_ int probe_store_asked(struct tx *tx, struct probe_id id);

/* Nothing happens unless the checker was drawn, has not answered, and the probe goes on. */
_must_check_ int probe_store_answer(struct tx *tx, struct probe_id id,
				    const struct probe_answer *answer);
_must_check_ int probe_store_answers(struct tx *tx, struct probe_id id,
				     struct probe_answer **ret_answers, size_t *ret_n);

/* Outcome, detail, ended_ms. */
_must_check_ int probe_store_end(struct tx *tx, const struct probe_row *row);

/* Probes that the machine had. */
_must_check_ int probe_store_count(struct tx *tx, struct machine_id machine, int64_t *ret_n);

/* Those that are over, newest first. @machine NULL, @outcome "": any; @before zeros: from the newest on. */
_must_check_ int probe_store_list(struct tx *tx, const struct machine_id *machine,
				  const char *outcome, struct probe_id before, int64_t limit,
				  struct probe_row **ret_rows, size_t *ret_n);

/* Whether the machine failed the last of its probes that were decided. */
_must_check_ int probe_store_failed(struct tx *tx, struct machine_id machine, bool *ret_failed);

/* Machines that did, and had no probe since @until_ms; those that wait longest first. */
_must_check_ int probe_store_again(struct tx *tx, int64_t until_ms, size_t max,
				   struct machine_id **ret_machines, size_t *ret_n);

/* Forgets what was over before @before_ms. */
_must_check_ int probe_store_purge(struct tx *tx, int64_t before_ms);

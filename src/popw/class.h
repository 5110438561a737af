/* class.h - the classes of GPUs: what each must reach, what it scores, and how much a session of it asks.
 * The rows are data (class_table.h); docs/popw-calibration.md says where each figure comes from. */
#pragma once

#include "popw/session.h"

struct class_row {
	const char *name; /* canonical: "nvidia-h100-sxm-80gb"; "cpu" */
	uint32_t score_milli; /* 10000 is the H100's 10; 0 for cpu */
	uint64_t matrix_mops; /* reference, millions of int8 operations a second */
	uint64_t walk_kbps; /* reference, kB/s (1000 bytes) of dependent reads */
	uint32_t set_mib; /* the data set that must fit */
	uint16_t double_rounds, steps; /* of its sessions */
	bool measured; /* on a real card; else provisional */
};

extern const struct class_row class_rows[];
extern const size_t class_rows_n;

/* By canonical name; -1. */
int class_find(const char *name);

enum { CLASS_CPU = 0, CLASS_UNKNOWN = 0xffff /* a model that the table does not have */ };

/* A registration's work for the class, from the memory that the device says it has: 0.9 of it for GPUs,
 * about two seconds of walks, three of matrix rounds at the reference. */
void class_work(uint16_t class_, uint64_t memory_bytes, struct session_work *ret_work);

struct measured {
	uint64_t matrix_mops, walk_kbps;
	uint32_t set_mib; /* 0: no walk was made */
};

enum { CLASS_PASS_PERMILLE = 800 };

/* Whether the figures reach 0.8 of the row's references, and its set fits. */
bool class_satisfied(uint16_t class_, const struct measured *measured);
/* The best-paid class they satisfy; -1: none. */
int class_best(const struct measured *measured);
/* floor(score * min(1, G / G_ref, W / W_ref)); for CLASS_UNKNOWN what the speed earns, interpolated
 * between the rows by G. */
uint32_t class_score_milli(uint16_t class_, const struct measured *measured);

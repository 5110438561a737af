/* class.h - the classes of GPUs: what each must reach, what it scores, and how much a session of it asks.
 * The rows are data (class_table.h); docs/popw-calibration.md says where each figure comes from. */
#pragma once

#include "popw/session.h"

struct class_row {
	const char *name; /* canonical: "nvidia-h100-sxm-80gb"; "cpu" */
	uint32_t score_milli; /* 10000 is the H100's 10; 0 for cpu */
	uint64_t matrix_mops; /* reference, millions of int8 operations a second */
	uint64_t walk_kbps; /* reference, kB/s (1000 bytes) of dependent reads */
	uint32_t set_mib; /* the data set that must fit, whole */
	uint16_t double_rounds, steps; /* of its sessions */
	bool measured; /* on a real card; else provisional */
};

extern const struct class_row class_rows[];
extern const size_t class_rows_n;

/* By canonical name; -1. */
int class_find(const char *name);

enum { CLASS_CPU = 0, CLASS_UNKNOWN = 0xffff /* a model that the table does not have */ };

/* A registration's work for the class, from the memory that the device says it has. GPUs: 0.9 of it, about two
 * seconds of walks (of no more than 8 GiB of states, which the host keeps) and three of matrix rounds at
 * the reference; for CLASS_UNKNOWN at the mean of the rows with as large a memory. The CPU: half, in
 * whole MiB, walks enough for as many threads as such a host may have, and small products. */
void class_work(uint16_t class_, uint64_t memory_bytes, struct session_work *ret_work);

struct measured {
	uint64_t matrix_mops, walk_kbps;
	uint32_t set_mib; /* 0: no walk was made */
};

enum { CLASS_PASS_PERMILLE = 800 };

/* Whether the figures reach 0.8 of the row's references, and its set fits. */
bool class_satisfied(uint16_t class_, const struct measured *measured);
/* The best-paid class they satisfy, the fastest of equally paid ones, the CPU's last; -1: none. */
int class_best(const struct measured *measured);
/* floor(score * min(1, G / G_ref, W / W_ref)). For CLASS_UNKNOWN what the speed earns: the lesser of
 * what G and W earn, each on the straight line between the references of the next slower GPU and the
 * next faster one, rounded down; below all in proportion to the slowest, past all the fastest's. */
uint32_t class_score_milli(uint16_t class_, const struct measured *measured);

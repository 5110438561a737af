/* class_table.h - the rows of class.h, the CPU's first; class numbers are in sessions, so rows are added at
 * the end and never moved. Included by class.c only.
 *
 * Scores are the documented ones. A row names what must be reached, the floors; the references, of which
 * they are 0.8, follow. Until measured on a real card, floors are the protocol's where it has them, else
 * from the maker's figures: of dense int8 operations 0.64 where tensor cores take them (0.536 on Hopper, as
 * the protocol has it for the SXM card), 0.385 for Turing, dp4a and what has neither; of the memory's
 * bandwidth 0.48; of the memory's nominal size, in units of 10^9 bytes, 0.9, rounded down to whole GiB. */
#pragma once

#include "popw/class.h"

/* TOPS and GB/s are integers: five quarters of them are exact in millions and thousands. */
#define FLOORS(tops, gb_per_second) (tops) * UINT64_C(1250000), (gb_per_second)*UINT64_C(1250000)

const struct class_row class_rows[] = {
	/* name, score; floors; set in MiB; double rounds, steps; measured */
	/* 500 million operations a second and 1000 kB/s: any single core. How much memory and how many
	 * cores there are is credit.h's. */
	{ "cpu", 0, 625, 1250, 1, 512, 64, false },
	{ "nvidia-h100-sxm-80gb", 10000, FLOORS(1060, 1600), 68608, 256, 1024, false },
	{ "nvidia-h100-pcie-80gb", 10000, FLOORS(810, 960), 68608, 256, 1024, false },
	{ "nvidia-a100-sxm-80gb", 5000, FLOORS(400, 980), 68608, 256, 1024, false },
	{ "nvidia-a100-pcie-80gb", 5000, FLOORS(400, 928), 68608, 256, 1024, false },
	{ "nvidia-a40", 2000, FLOORS(190, 330), 40960, 256, 1024, false },
	{ "nvidia-rtx-a6000", 1500, FLOORS(200, 370), 40960, 256, 1024, false },
	{ "nvidia-quadro-rtx-8000", 1000, FLOORS(100, 322), 40960, 256, 1024, false },
	{ "nvidia-rtx-a5000", 750, FLOORS(142, 368), 20480, 256, 1024, false },
	{ "nvidia-a10", 750, FLOORS(160, 288), 20480, 256, 1024, false },
	{ "nvidia-rtx-4090", 750, FLOORS(420, 480), 20480, 1024, 512, false },
	{ "nvidia-v100-sxm-16gb", 750, FLOORS(23, 432), 13312, 256, 1024, false },
	{ "nvidia-v100-sxm-32gb", 750, FLOORS(23, 432), 26624, 256, 1024, false },
	{ "nvidia-v100-pcie-16gb", 750, FLOORS(21, 432), 13312, 256, 1024, false },
	{ "nvidia-v100-pcie-32gb", 750, FLOORS(21, 432), 26624, 256, 1024, false },
	{ "nvidia-rtx-4080", 500, FLOORS(249, 343), 13312, 1024, 512, false },
	{ "nvidia-rtx-3090", 500, FLOORS(181, 449), 20480, 256, 1024, false },
	{ "nvidia-rtx-a4000", 400, FLOORS(97, 215), 13312, 256, 1024, false },
	{ "nvidia-t4", 400, FLOORS(50, 150), 13312, 256, 1024, false },
	{ "nvidia-rtx-4070-ti-super", 250, FLOORS(225, 322), 13312, 1024, 512, false },
	{ "nvidia-rtx-4070", 250, FLOORS(149, 241), 10240, 1024, 512, false },
	{ "nvidia-rtx-4060-ti", 250, FLOORS(112, 138), 6144, 1024, 512, false },
	{ "nvidia-rtx-3080", 250, FLOORS(152, 364), 8192, 256, 1024, false },
	{ "nvidia-rtx-3070", 250, FLOORS(103, 215), 6144, 256, 1024, false },
	{ "nvidia-rtx-3060-ti", 250, FLOORS(82, 215), 6144, 256, 1024, false },
	{ "nvidia-p4", 250, FLOORS(8, 92), 6144, 256, 1024, false },
	{ "nvidia-p40", 250, FLOORS(18, 166), 20480, 256, 1024, false },
	{ "nvidia-p100-pcie-16gb", 250, FLOORS(4, 351), 13312, 256, 1024, false },
	{ "nvidia-gtx-1080", 250, FLOORS(13, 153), 6144, 256, 1024, false },
};

#undef FLOORS

const size_t class_rows_n = ARRAY_SIZE(class_rows);

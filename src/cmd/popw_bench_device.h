/* popw_bench_device.h - `kaisar popw bench --backend NAME`: a device's rates, and its row for docs/popw-calibration.md. */
#pragma once

#include "cmd/popw_device.h"

/* Takes popw_device.h's options and --class. An exit status. */
int popw_bench_device(const struct options *options);

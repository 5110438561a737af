#!/usr/bin/env python3
"""Holds compiled kernels to what they are built for: check_kernels.py REPORT FATBIN

Every architecture has every kernel, none spills registers to memory, and the fat binary is not empty.
"""

import pathlib
import re
import sys

KERNELS = {"prg", "fill", "walk", "hash", "retile", "matrix_dp4a"}
MATRIX_UNITS_FROM = 80  # older ones have no matrix_mma
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
                   r".*?Used (\d+) registers", re.S)


def main():
    report, binary = map(pathlib.Path, sys.argv[1:])
    faults, built = [], {}
    for kernel, architecture, stores, loads, registers in ENTRY.findall(report.read_text(encoding="utf-8")):
        built.setdefault(int(architecture), {})[kernel] = int(registers)
        if stores != "0" or loads != "0":
            faults.append(f"sm_{architecture}: {kernel} spills {stores} bytes and reads back {loads}")
    for architecture, kernels in sorted(built.items()):
        print(f"sm_{architecture}: " + ", ".join(f"{kernel} {n} registers" for kernel, n in sorted(kernels.items())))
        missing = KERNELS | ({"matrix_mma"} if architecture >= MATRIX_UNITS_FROM else set())
        missing -= kernels.keys()
        if missing:
            faults.append(f"sm_{architecture}: no {', '.join(sorted(missing))}")
    if not any(architecture >= MATRIX_UNITS_FROM for architecture in built):
        faults.append("no architecture with matrix units was built")
    size = binary.stat().st_size
    print(f"{binary.name}: {size} bytes")
    if size < 10000:
        faults.append(f"{binary.name}: nothing in it")
    print("\n".join(faults))
    return 1 if faults else 0


sys.exit(main())

#!/usr/bin/env python3
"""Compiles CUDA kernels for every architecture that this nvcc knows of those below, into one fat binary.

    compile_kernels.py NVCC SOURCE.cu INCLUDE_FOLDER OUTPUT.fatbin OUTPUT.report

The report is what ptxas says about registers and spilling; check_kernels.py reads it.
"""

import pathlib
import subprocess
import sys

# Pascal, Volta (up to nvcc 12), Turing, Ampere, Ada, Hopper, Blackwell. The text for sm_80 (PTX) serves what comes
# later.
ARCHITECTURES = ["61", "70", "75", "80", "86", "89", "90", "100", "120"]
PORTABLE = "80"


def main():
    nvcc, source, include, output, report = sys.argv[1:]
    known = subprocess.run([nvcc, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout.split()
    targets = [f"arch=compute_{a},code=sm_{a}" for a in ARCHITECTURES if f"sm_{a}" in known]
    targets.append(f"arch=compute_{PORTABLE},code=compute_{PORTABLE}")
    done = subprocess.run(
        [nvcc, "-O3", "-fatbin", "-I", include, "-Xptxas", "-v", *(f"-gencode={t}" for t in targets), "-o", output, source],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    pathlib.Path(report).write_text(done.stdout, encoding="utf-8")
    if done.returncode != 0:
        sys.exit(done.stdout)


main()

#!/usr/bin/env python3
"""fake_prover - for tests only: our own prover behind a liar. Passes the frames of `kaisar popw prove` on and
changes what FAKE_PROVER says: "tile" breaks each opened answer, "hang" never opens, "die" ends at the first root.
FAKE_PROVER_FROM names a file; as long as it is not there, it is honest."""
import os
import subprocess
import sys

OPEN, ROOT = 8, 6
lie = os.environ.get("FAKE_PROVER", "tile")
switch = os.environ.get("FAKE_PROVER_FROM")
child = subprocess.Popen([os.environ["KAISAR_BIN"]] + sys.argv[1:], stdout=subprocess.PIPE)
lying = not switch or os.path.exists(switch)


def read(n):
    data = child.stdout.read(n)
    if len(data) < n:
        sys.exit(child.wait())
    return data


while True:
    head = read(5)
    body = bytearray(read(int.from_bytes(head[:4], "little")))
    if lying and head[4] == OPEN:
        if lie == "hang":
            child.wait()
            sys.stdin.read()
        body[-80] ^= 1  # in the last opening, before the signature's place
    if lying and lie == "die" and head[4] == ROOT:
        child.kill()
        sys.exit("the prover was told to die")
    sys.stdout.buffer.write(head + body)
    sys.stdout.buffer.flush()

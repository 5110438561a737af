#!/usr/bin/env python3
"""The proofs' arithmetic a second time, from docs and headers alone: prints src/popw/vectors.h, the values
that every prover must reproduce.

    tools/popw_vectors.py | clang-format --assume-filename=vectors.h > src/popw/vectors.h
    tools/popw_vectors.py --check src/popw/vectors.h
"""

import functools
import hashlib
import struct
import sys

TAG_A, TAG_B, TAG_STATE, TAG_BANDWIDTH, TAG_ITEM = 0x41, 0x42, 0x53, 0x54, 0x57
MASK = 0xFFFFFFFF

KEYS = {"D": "kaisar vectors D", "W": "kaisar vectors W", "G": "kaisar vectors G", "ROUND": "kaisar vectors round"}
BLOCKS = [  # tag, row, round, counter
    (TAG_A, 0, 0, 0),
    (TAG_B, 8191, 0, 1023),
    (TAG_BANDWIDTH, 7, 0xFFFFFFFF, 0xFFFFFFFF),
]
ITEMS = [(0, 1), (1, 16), (0xFFFFFFFF, 256), (12345, 1024)]  # index, double rounds
WALK = {"ITEMS": 1024, "DOUBLE_ROUNDS": 256, "WALKS": 16, "STEPS": 4, "EPOCHS": 3}
TILE = {"K": 65536, "N": 8192, "ROUND": 3, "INDEX": 345678}
MATRIX = {"M": 32, "N": 64, "K": 512, "ROUND": 2}


def sha256(data):
    return hashlib.sha256(data).digest()


def key_of(name):
    return struct.unpack("<8I", sha256(KEYS[name].encode()))


def quarter(x, a, b, c, d):
    for first, second in ((16, 12), (8, 7)):
        x[a] = (x[a] + x[b]) & MASK
        t = x[d] ^ x[a]
        x[d] = (t << first | t >> 32 - first) & MASK
        x[c] = (x[c] + x[d]) & MASK
        t = x[b] ^ x[c]
        x[b] = (t << second | t >> 32 - second) & MASK


def double_round(x):
    for i in range(4):
        quarter(x, i, 4 + i, 8 + i, 12 + i)
    for i in range(4):
        quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)


def core(key, last_four, double_rounds):
    start = list(struct.unpack("<4I", b"expand 32-byte k")) + list(key) + list(last_four)
    x = list(start)
    for _ in range(double_rounds):
        double_round(x)
    return [(a + b) & MASK for a, b in zip(x, start)]


def prg_block(key, tag, row, round_, counter):
    return struct.pack("<16I", *core(key, (counter, round_, tag, row), 4))


def prg_row(key, tag, row, round_, length):
    return b"".join(prg_block(key, tag, row, round_, i) for i in range(length // 64))


@functools.cache
def item(key, index, double_rounds):
    return [word for lane in range(4) for word in core(key, (index, lane, TAG_ITEM, 0), double_rounds)]


def walk_step(state):
    read = item(key_of("D"), state[0] * WALK["ITEMS"] >> 32, WALK["DOUBLE_ROUNDS"])
    lanes = []
    for l in range(4):
        lane = [state[16 * l + j] ^ read[16 * l + j] for j in range(16)]
        double_round(lane)
        lanes.append(lane)
    return [lanes[(l + j // 4) % 4][j] for l in range(4) for j in range(16)]


def merkle_root(leaves):
    while len(leaves) > 1:
        leaves = [sha256(leaves[i] + leaves[i + 1]) for i in range(0, len(leaves), 2)]
    return leaves[0]


def walk_epochs():
    """The salts, roots and first walk's states of all epochs."""
    seed = key_of("W")
    states = [list(struct.unpack("<64I", prg_row(seed, TAG_STATE, w, 0, 256))) for w in range(WALK["WALKS"])]
    root, salts, roots, firsts = bytes(32), [], [], []
    for epoch in range(WALK["EPOCHS"]):
        salt = sha256(root + struct.pack("<I", epoch) + struct.pack("<8I", *seed))
        for i, word in enumerate(struct.unpack("<8I", salt)):
            for w, state in enumerate(states):
                state[4 + i] ^= word * (2 * w + 1) & MASK
        for _ in range(WALK["STEPS"]):
            states = [walk_step(state) for state in states]
        packed = [struct.pack("<64I", *state) for state in states]
        root = merkle_root([sha256(state) for state in packed])
        salts.append(salt)
        roots.append(root)
        firsts.append(packed[0])
    return salts, roots, firsts


def signed(row):
    return struct.unpack("<%db" % len(row), row)


def tile(shape, index):
    row, column = index // (shape["N"] // 8) * 16, index % (shape["N"] // 8) * 8
    a = [signed(prg_row(key_of("ROUND"), TAG_A, row + i, shape["ROUND"], shape["K"])) for i in range(16)]
    b = [signed(prg_row(key_of("G"), TAG_B, column + i, 0, shape["K"])) for i in range(8)]
    return [sum(x * y for x, y in zip(r, c)) for r in a for c in b]


def leaf(words):
    return sha256(struct.pack("<128i", *words))


def c_bytes(data):
    return "{ " + ", ".join("0x%02x" % byte for byte in data) + " }"


def c_array(of_bytes):
    return "{ " + ", ".join(c_bytes(data) for data in of_bytes) + " }"


def c_enum(prefix, values):
    return "enum { " + ", ".join("%s_%s = %d" % (prefix, k, v) for k, v in values.items()) + " };"


def print_header(out):
    def say(*lines):
        for line in lines:
            print(line, file=out)

    say("/* vectors.h - values that every implementation of the proofs must reproduce, bit for bit.",
        " *",
        " * Printed by tools/popw_vectors.py, which shares no code with this folder. Every key is the SHA-256 of",
        " * its text. */",
        "#pragma once", "",
        '#include "popw/hash.h"', "")
    for name, text in KEYS.items():
        say('#define VECTOR_KEY_%s "%s"' % (name, text))
    say("", "/* Blocks of the PRG under key G. */",
        "static const struct { uint32_t tag, row, round, counter; uint8_t bytes[64]; } vector_blocks[] = {")
    for block in BLOCKS:
        say("{ 0x%x, %d, 0x%x, 0x%x, %s }," % (*block, c_bytes(prg_block(key_of("G"), *block))))
    say("};", "", "/* Hashes of the 256 bytes of items under key D. */",
        "static const struct { uint32_t index, double_rounds; struct hash hash; } vector_items[] = {")
    for index, double_rounds in ITEMS:
        words = struct.pack("<64I", *item(key_of("D"), index, double_rounds))
        say("{ 0x%x, %d, { %s } }," % (index, double_rounds, c_bytes(sha256(words))))
    say("};", "")

    salts, roots, firsts = walk_epochs()
    say("/* Epochs over items of key D, from key W: salts, the trees' roots, the state of walk 0 after each. */",
        c_enum("VECTOR_WALK", WALK),
        "static const uint8_t vector_walk_salts[VECTOR_WALK_EPOCHS][HASH_SIZE] = %s;" % c_array(salts),
        "static const uint8_t vector_walk_roots[VECTOR_WALK_EPOCHS][HASH_SIZE] = %s;" % c_array(roots),
        "static const uint8_t vector_walk_states[VECTOR_WALK_EPOCHS][256] = %s;" % c_array(firsts), "")

    big = tile(TILE, TILE["INDEX"])
    say("/* One tile at full size: B from key G, A_i from key ROUND. Its first row, and its leaf. */",
        c_enum("VECTOR_TILE", TILE),
        "static const int32_t vector_tile_row[8] = { %s };" % ", ".join(map(str, big[:8])),
        "static const uint8_t vector_tile_leaf[HASH_SIZE] = %s;" % c_bytes(leaf(big)), "")

    tiles = MATRIX["M"] // 16 * (MATRIX["N"] // 8)
    root = merkle_root([leaf(tile(MATRIX, i)) for i in range(tiles)])
    say("/* A whole small round of the same keys: its root. */", c_enum("VECTOR_MATRIX", MATRIX),
        "static const uint8_t vector_matrix_root[HASH_SIZE] = %s;" % c_bytes(root))


def main():
    import io
    if sys.argv[1:2] != ["--check"]:
        print_header(sys.stdout)
        return 0
    printed = io.StringIO()
    print_header(printed)
    with open(sys.argv[2], encoding="utf-8") as header:
        kept = header.read()
    # Only the layout is clang-format's.
    bare = ["".join(text.split()).replace(",}", "}").replace("*", "") for text in (printed.getvalue(), kept)]
    if bare[0] == bare[1]:
        return 0
    print("%s: differs from what this tool computes; print it again" % sys.argv[2], file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Verifies a published session of Proof of Physical Work from docs/popw.md alone: no code of the program, no library
but Python's own. Slow, and prints what `kaisar popw verify` prints, byte for byte.

    tools/popw_verify.py FILE        a record or a transcript; ends with 0 where it is right
"""

import functools
import hashlib
import pathlib
import re
import struct
import sys

MASK = 0xFFFFFFFF
WALK, MATRIX = 1, 2
ALL = 31


class Malformed(Exception):
    pass


def need(holds, why):
    if not holds:
        raise Malformed(why)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- 2. signatures ----

FIELD = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
BASE = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
        0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0] and (p[1] + q[1]) % FIELD == 0:
        return None
    if p == q:
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, FIELD)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, FIELD)
    x = (slope * slope - p[0] - q[0]) % FIELD
    return x, (slope * (p[0] - x) - p[1]) % FIELD


def multiply(point, n):
    total = None
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


def keccak256(data):
    """The original padding; one block of 136 bytes is all that is needed here."""
    block = bytearray(data + b"\x01" + bytes(135 - len(data)))
    block[135] |= 0x80
    lanes = list(struct.unpack("<17Q", block)) + [0] * 8
    full, constant = 2**64 - 1, 1
    turn = lambda x, n: (x << n | x >> 64 - n) & full if n else x
    for _ in range(24):
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        lanes = [lane ^ columns[(i + 4) % 5] ^ turn(columns[(i + 1) % 5], 1) for i, lane in enumerate(lanes)]
        x, y, at = 1, 0, lanes[1]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            lanes[x + 5 * y], at = turn(at, (t + 1) * (t + 2) // 2 % 64), lanes[x + 5 * y]
        lanes = [lane ^ (~lanes[i - i % 5 + (i + 1) % 5] & lanes[i - i % 5 + (i + 2) % 5] & full) for i, lane in enumerate(lanes)]
        for bit in range(7):
            if constant & 1:
                lanes[0] ^= 1 << (1 << bit) - 1
            constant = constant << 1 ^ (0x171 if constant & 0x80 else 0)
    return struct.pack("<4Q", *lanes[:4])


def signer(digest, signature):
    """The address that signed, or None."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in (27, 28) or not 0 < r < ORDER or not 0 < s <= ORDER // 2:
        return None
    y = pow(r**3 + 7, (FIELD + 1) // 4, FIELD)
    if (y * y - r**3 - 7) % FIELD:
        return None
    if y % 2 != v - 27:
        y = FIELD - y
    inverse, z = pow(r, -1, ORDER), int.from_bytes(digest, "big")
    key = add(multiply(BASE, -z * inverse % ORDER), multiply((r, y), s * inverse % ORDER))
    return key and keccak256(key[0].to_bytes(32, "big") + key[1].to_bytes(32, "big"))[12:]


# ---- 2.1 the core: many blocks at once, in the 64-bit lanes of one number ----

class Lanes:
    def __init__(self, n):
        self.n = n
        self.ones = sum(1 << 64 * i for i in range(n))
        self.mask = MASK * self.ones

    def pack(self, values):
        return int.from_bytes(struct.pack("<%dQ" % self.n, *values), "little")

    def unpack(self, lanes):
        return struct.unpack("<%dQ" % self.n, lanes.to_bytes(8 * self.n, "little"))

    def turn(self, x, n):
        return (x << n | x >> 32 - n) & self.mask

    def quarter(self, x, a, b, c, d):
        for first, second in ((16, 12), (8, 7)):
            x[a] = x[a] + x[b] & self.mask
            x[d] = self.turn(x[d] ^ x[a], first)
            x[c] = x[c] + x[d] & self.mask
            x[b] = self.turn(x[b] ^ x[c], second)

    def double_round(self, x):
        for i in range(4):
            self.quarter(x, i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            self.quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)

    def core(self, key, last_four, double_rounds):
        """@last_four: lanes each."""
        start = [word * self.ones for word in struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key)]
        x = start = start + last_four
        x = list(x)
        for _ in range(double_rounds):
            self.double_round(x)
        return [a + b & self.mask for a, b in zip(x, start)]


lanes_of = functools.cache(Lanes)


def prg(key, tag, row, round_, length):
    n = length // 64
    lanes = lanes_of(n)
    words = lanes.core(key, [lanes.pack(range(n))] + [value * lanes.ones for value in (round_, tag, row)], 4)
    blocks = zip(*(lanes.unpack(word) for word in words))
    return b"".join(struct.pack("<16I", *block) for block in blocks)


# ---- 2.2 walks ----

def steps(states, seed_d, session):
    """All @states, 64 words each, one epoch on; word j of every lane of every walk in one number."""
    lanes = lanes_of(4 * len(states))
    rows = [[state[16 * lane + j] for state in states for lane in range(4)] for j in range(16)]
    x = [lanes.pack(row) for row in rows]
    numbers, item = lanes.pack([0, 1, 2, 3] * len(states)), 0x57 * lanes.ones
    for _ in range(session["steps"]):
        firsts = lanes.unpack(x[0])[::4]
        indices = lanes.pack([first * session["n_items"] >> 32 for first in firsts for _ in range(4)])
        items = lanes.core(seed_d, [indices, numbers, item, 0], session["double_rounds"])
        x = [a ^ b for a, b in zip(x, items)]
        lanes.double_round(x)
        turned = []
        for j in range(16):
            word = lanes.unpack(x[j])
            turned.append(lanes.pack([word[i - i % 4 + (i + j // 4) % 4] for i in range(lanes.n)]))
        x = turned
    words = [lanes.unpack(word) for word in x]
    return [[words[j][4 * w + lane] for lane in range(4) for j in range(16)] for w in range(len(states))]


def enter(state, walk, salt):
    for k, word in enumerate(struct.unpack("<8I", salt)):
        state[4 + k] ^= word * (2 * walk + 1) & MASK


# ---- 2.3 products, 2.4 trees ----

@functools.cache
def operand(key, tag, row, round_, k):
    return struct.unpack("<%db" % k, prg(key, tag, row, round_, k))


def tile(seed_g, seed_i, round_, session, index):
    row, column = index // (session["n"] // 8) * 16, index % (session["n"] // 8) * 8
    a = [operand(seed_i, 0x41, row + i, round_, session["k"]) for i in range(16)]
    b = [operand(seed_g, 0x42, column + i, 0, session["k"]) for i in range(8)]
    return struct.pack("<128i", *(sum(map(int.__mul__, r, c)) for r in a for c in b))


def leads(leaf, index, path, root):
    for sibling in path:
        leaf = sha256(sibling, leaf) if index & 1 else sha256(leaf, sibling)
        index >>= 1
    return leaf == root


# ---- reading ----

class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "cut off")
        self.at += n
        return self.data[self.at - n:self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "little")

    def hashes(self, n):
        return [self.take(32) for _ in range(n)]


SESSION_FIELDS = [("version", 1), ("kind", 1), ("device", 1), ("flags", 2), ("chain_id", 8), ("block_number", 8), ("block_hash", -32),
                  ("epoch", 8), ("id", -16), ("network", -20), ("machine", -20), ("gpu_uuid", -16), ("gpu_index", 2), ("class", 2),
                  ("panel_size", 1), ("n_items", 4), ("double_rounds", 2), ("walks", 4), ("steps", 2), ("epochs", 2), ("k", 4), ("n", 4),
                  ("m", 4), ("rounds", 2), ("open_walks", 2), ("open_tiles", 2), ("fill_ms", 4), ("walk_ms", 4), ("matrix_ms", 4),
                  ("panel", -32), ("signature", -65)]


def read_session(reader):
    s = {"raw": reader.data[reader.at:reader.at + 283]}
    need(reader.take(4) == b"POPW", "a session begins with POPW")
    for name, size in SESSION_FIELDS:
        s[name] = reader.take(-size) if size < 0 else reader.number(size)
    check_session(s)
    s["digest"] = sha256(b"popw1/session", s["raw"][:218])
    return s


def check_session(s):
    power = lambda x, low, high: low <= x <= high and x & x - 1 == 0
    need(s["version"] == 1 and 1 <= s["kind"] <= 5 and 1 <= s["device"] <= 3 and 1 <= s["flags"] <= 3, "kind, device or flags")
    need(s["device"] == 1 or not any(s["gpu_uuid"]) and s["gpu_index"] == 0, "gpu")
    need(s["class"] < len(classes()) or s["class"] == 65535, "class")
    need(1 <= s["panel_size"] <= 32, "panel_size")
    walk = ["n_items", "double_rounds", "walks", "steps", "epochs", "open_walks", "fill_ms", "walk_ms"]
    matrix = ["k", "n", "m", "rounds", "open_tiles", "matrix_ms"]
    if s["flags"] & WALK:
        need(s["n_items"] >= 1024 and 1 <= s["double_rounds"] <= 4096 and power(s["walks"], 2, 2**20), "walk")
        need(1 <= s["steps"] <= 4096 and 1 <= s["epochs"] <= 4096 and s["walks"] * s["epochs"] <= 2**26, "walk")
        need(1 <= s["open_walks"] <= 256 and s["open_walks"] * s["steps"] * s["double_rounds"] <= 2**26, "open_walks")
        need(1 <= s["fill_ms"] <= 3600000 and 1 <= s["walk_ms"] <= 600000, "deadlines")
    else:
        need(not any(s[name] for name in walk), "a walk that is not there")
    if s["flags"] & MATRIX:
        need(64 <= s["k"] <= 65536 and s["k"] % 64 == 0 and power(s["n"], 16, 16384) and power(s["m"], 16, 16384), "matrix")
        need(1 <= s["rounds"] <= 4096 and 1 <= s["open_tiles"] <= 256 and 1 <= s["matrix_ms"] <= 600000, "matrix")
    else:
        need(not any(s[name] for name in matrix), "a matrix phase that is not there")


def members_of(members, m):
    return [i for i in range(m) if members >> i & 1]


class Message:
    """Bytes up to the signature, which may be checked when all is read."""

    def __init__(self, reader, tag, session, read):
        begin = reader.at
        self.tag, self.digest = tag, session["digest"]
        need(reader.take(16) == session["id"], tag + " of another session")
        self.__dict__.update(read(reader))
        self.bytes = reader.data[begin:reader.at]
        self.signature = reader.take(65)

    def signed_by(self, address):
        return signer(sha256(self.tag.encode(), self.digest, self.bytes), self.signature) == address


def read_nonces(reader, session, k):
    def read(reader):
        need(reader.number(1) == k, "NONCES of another phase")
        members = reader.take(4)
        number = int.from_bytes(members, "little")
        need(number != 0, "NONCES of nobody")
        nonces = {i: reader.take(32) for i in members_of(number, 32)}
        return {"set": number, "nonces": nonces, "seed": members + b"".join(nonces.values())}
    return Message(reader, "popw1/nonces", session, read)


def read_ncommit(reader, session, member):
    def read(reader):
        need(reader.number(4) == member, "NCOMMIT of another member")
        return {"hashes": reader.hashes(4)}
    return Message(reader, "popw1/ncommit", session, read)


def read_filled(reader, session):
    def read(reader):
        need(reader.number(1) == 1, "FILLED")
        return {"set": reader.number(4)}
    return Message(reader, "popw1/filled", session, read)


def read_seal(reader, session, phase):
    def read(reader):
        need(reader.number(1) == phase, "SEAL of another phase")
        return {"set": reader.number(4), "roots": reader.take(32)}
    return Message(reader, "popw1/seal", session, read)


def read_open(reader, session):
    def read(reader):
        depth_walk = session["walks"].bit_length() - 1
        depth_tile = (session["m"] // 16 * (session["n"] // 8)).bit_length() - 1
        members = reader.number(4)
        walks = [(reader.take(256), reader.hashes(depth_walk), reader.hashes(depth_walk)) for _ in range(session["open_walks"])]
        tiles = [(reader.take(512), reader.hashes(depth_tile)) for _ in range(session["open_tiles"])]
        return {"set": members, "walks": walks, "tiles": tiles}
    return Message(reader, "popw1/open", session, read)


def read_transcript(data):
    reader = Reader(data)
    need(reader.take(8) == b"POPWT1\0\0", "a transcript begins with POPWT1")
    t = {"session": read_session(reader), "hash": sha256(data)}
    s = t["session"]
    t["members"] = [reader.take(20) for _ in range(s["panel_size"])]
    t["committed"] = reader.number(4)
    need(t["committed"] >> s["panel_size"] == 0, "NCOMMIT of nobody on the panel")
    t["commits"] = {i: read_ncommit(reader, s, i) for i in members_of(t["committed"], 32)}
    t["nonces"], t["walk_roots"], t["matrix_roots"] = {}, [], []
    if s["flags"] & WALK:
        t["nonces"][1] = read_nonces(reader, s, 1)
        t["filled"] = read_filled(reader, s)
        t["nonces"][2] = read_nonces(reader, s, 2)
        t["walk_roots"] = reader.hashes(s["epochs"])
        t["walk_seal"] = read_seal(reader, s, 2)
    if s["flags"] & MATRIX:
        t["nonces"][3] = read_nonces(reader, s, 3)
        t["matrix_roots"] = reader.hashes(s["rounds"])
        t["matrix_seal"] = read_seal(reader, s, 3)
    t["nonces"][4] = read_nonces(reader, s, 4)
    t["open"] = read_open(reader, s)
    need(reader.at == len(data), "something follows OPEN")
    return t


# ---- 4. seeds, 7. verification ----

def draw_seeds(t):
    s, seeds, none = t["session"], {}, bytes(32)
    seeds["D"], last = none, none
    if s["flags"] & WALK:
        seeds["D"] = sha256(b"popw1/D", s["raw"], t["nonces"][1].seed)
        seeds["W"] = sha256(b"popw1/W", seeds["D"], t["nonces"][2].seed)
        last = t["walk_roots"][-1]
    if s["flags"] & MATRIX:
        rounds = [sha256(b"popw1/G", s["raw"], last, seeds["D"], t["nonces"][3].seed)]
        for root in t["matrix_roots"]:
            rounds.append(sha256(b"popw1/G+", rounds[-1], root))
        seeds["rounds"] = rounds
    sealed = [sha256(*roots) if roots else none for roots in (t["walk_roots"], t["matrix_roots"])]
    seeds["O"] = sha256(b"popw1/O", *sealed, t["nonces"][4].seed)
    return seeds


def place(seed, i, first, second):
    x, y = struct.unpack("<2I", prg(seed, 0x4F, i, 0, 64)[:8])
    return x * first >> 32, y * second >> 32


def session_holds(t):
    s = t["session"]
    return signer(s["digest"], s["signature"]) == s["network"] and sha256(*t["members"]) == s["panel"]


def nonces_hold(t):
    s = t["session"]
    for i, commit in t["commits"].items():
        if not commit.signed_by(t["members"][i]):
            return False
    for k, message in t["nonces"].items():
        if not message.signed_by(s["network"]) or message.set & ~t["committed"]:
            return False
        if len(message.nonces) < (2 * s["panel_size"] + 2) // 3:
            return False
        if any(sha256(nonce) != t["commits"][i].hashes[k - 1] for i, nonce in message.nonces.items()):
            return False
    before = t["nonces"][3 if s["flags"] & MATRIX else 2]
    least = max((2 * s["panel_size"] + 2) // 3, len(before.nonces) - 1)
    return t["nonces"][4].set & ~before.set == 0 and len(t["nonces"][4].nonces) >= least


def seals_hold(t):
    s, checks = t["session"], [(t["open"], 4, None)]
    if s["flags"] & WALK:
        checks += [(t["filled"], 1, None), (t["walk_seal"], 2, t["walk_roots"])]
    if s["flags"] & MATRIX:
        checks += [(t["matrix_seal"], 3, t["matrix_roots"])]
    return all(message.signed_by(s["machine"]) and message.set == t["nonces"][k].set and (roots is None or message.roots == sha256(*roots))
               for message, k, roots in checks)


def walks_hold(t, seeds):
    s, states, places = t["session"], [], []
    for i, (before, path, _) in enumerate(t["open"].walks):
        walk, epoch = place(seeds["O"], i, s["walks"], s["epochs"])
        root = t["walk_roots"][epoch - 1] if epoch else bytes(32)
        if epoch == 0:
            if any(before) or any(map(any, path)):
                return False
            before = prg(seeds["W"], 0x53, walk, 0, 256)
        elif not leads(sha256(before), walk, path, root):
            return False
        state = list(struct.unpack("<64I", before))
        enter(state, walk, sha256(root, struct.pack("<I", epoch), seeds["W"]))
        states.append(state)
        places.append((walk, epoch))
    ends = steps(states, seeds["D"], s)
    return all(leads(sha256(struct.pack("<64I", *end)), walk, opening[2], t["walk_roots"][epoch])
               for end, (walk, epoch), opening in zip(ends, places, t["open"].walks))


def tiles_hold(t, seeds):
    s = t["session"]
    for i, (shown, path) in enumerate(t["open"].tiles):
        index, round_ = place(seeds["O"], s["open_walks"] + i, s["m"] // 16 * (s["n"] // 8), s["rounds"])
        if tile(seeds["rounds"][0], seeds["rounds"][round_], round_, s, index) != shown:
            return False
        if not leads(sha256(shown), index, path, t["matrix_roots"][round_]):
            return False
    return True


def verify(t):
    seeds, flags = draw_seeds(t), t["session"]["flags"]
    return (1 * session_holds(t) + 2 * nonces_hold(t) + 4 * seals_hold(t)
            + 8 * (not flags & WALK or walks_hold(t, seeds)) + 16 * (not flags & MATRIX or tiles_hold(t, seeds)))


# ---- 8. record and verdict ----

RESULT_FIELDS = ["fill_us", "walk_us", "matrix_us", "rtt_us", "down_kbps", "up_kbps"]


def read_result(reader, session, member):
    def read(reader):
        need(reader.number(4) == member, "RESULT of another member")
        result = {"bits": reader.number(2), "transcript": reader.take(32)}
        result.update((name, reader.number(4)) for name in RESULT_FIELDS)
        reader.take(16)
        return result
    return Message(reader, "popw1/result", session, read)


def read_commit(reader, session, member):
    def read(reader):
        need(reader.number(4) == member, "COMMIT of another member")
        return {"result": reader.take(32)}
    return Message(reader, "popw1/commit", session, read)


def read_commits(reader, t):
    """COMMITS, and what those sign who saw it before they revealed."""
    begin, s = reader.at, t["session"]
    need(reader.take(16) == s["id"], "COMMITS of another session")
    committed = reader.number(4)
    need(committed and committed >> s["panel_size"] == 0, "a COMMIT of nobody on the panel")
    commits = {i: read_commit(reader, s, i) for i in members_of(committed, 32)}
    return commits, sha256(b"popw1/reveal", s["digest"], reader.data[begin:reader.at])


def read_reveal(reader, t, member):
    begin = reader.at
    result = read_result(reader, t["session"], member)
    result.hash = sha256(reader.data[begin:reader.at])
    result.seen = reader.take(65)
    return result


def read_record(data):
    reader = Reader(data)
    need(reader.take(8) == b"POPWR2\0\0", "a record begins with POPWR2")
    t = read_transcript(reader.take(reader.number(4)))
    commits, seen = read_commits(reader, t)
    revealed = reader.number(4)
    need(all(i in commits for i in members_of(revealed, 32)), "a result of a member that committed to none")
    results = {i: read_reveal(reader, t, i) for i in members_of(revealed, 32)}
    need(reader.at == len(data), "something follows the results")
    for i, commit in commits.items():
        need(commit.signed_by(t["members"][i]), "COMMIT of member %d: not signed by it" % i)
    for i, result in results.items():
        need(result.hash == commits[i].result, "RESULT of member %d: not what it committed to" % i)
        need(result.signed_by(t["members"][i]), "RESULT of member %d: not signed by it" % i)
        need(signer(seen, result.seen) == t["members"][i], "RESULT of member %d: told before these COMMITs were seen" % i)
    return t, results, [i for i in commits if i not in results]


@functools.cache
def classes():
    """The document's table: name, score in thousandths, references, set."""
    text = (pathlib.Path(__file__).parent.parent / "docs/popw.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \| ([a-z0-9-]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| (\d+) \|", text, re.MULTILINE)
    return [(name, round(float(score) * 1000), round(float(tops) * 1250000), round(float(rate) * 1250000), int(mib))
            for name, score, tops, rate, mib in rows]


def satisfied(row, figures):
    return (1000 * figures["matrix_mops"] >= 800 * row[2] and 1000 * figures["walk_kbps"] >= 800 * row[3]
            and figures["set_mib"] >= row[4])


def best(figures):
    found = [i for i, row in enumerate(classes()) if satisfied(row, figures)]
    return max(found, key=lambda i: (classes()[i][1], classes()[i][2], -i), default=-1)


def share(score, part, whole):
    return min(score, score * part // whole)


def score_of(class_, figures):
    row = classes()[class_]
    return min(share(row[1], figures["matrix_mops"], row[2]), share(row[1], figures["walk_kbps"], row[3]))


def score_by(figure, column):
    gpus = classes()[1:]
    below = max((row for row in gpus if row[column] <= figure), key=lambda row: row[column], default=None)
    above = min((row for row in gpus if row[column] > figure), key=lambda row: row[column], default=None)
    if not below:
        return share(above[1], figure, above[column])
    if not above:
        return below[1]
    return (below[1] * (above[column] - figure) + above[1] * (figure - below[column])) // (above[column] - below[column])


def score_by_speed(figures):
    return min(score_by(figures["matrix_mops"], 2), score_by(figures["walk_kbps"], 3))


def own(result, name):
    us = getattr(result, name)
    return us and max(1, us - min(result.rtt_us, 250000))


def median(times):
    times = sorted(time for time in times if time)
    return (times[(len(times) - 1) // 2] + times[len(times) // 2]) // 2 if times else 0


def rate(rates):
    most = 2 * sorted(rates)[(len(rates) - 1) // 2]
    return min(MASK, sum(min(most, rate) for rate in rates))


def judge(session, results):
    alike = lambda result: [i for i, other in results.items() if (other.bits, other.transcript) == (result.bits, result.transcript)]
    agreeing = next((alike(result) for result in results.values() if 2 * len(alike(result)) > len(results)), [])
    v = dict.fromkeys(["fill_us", "walk_us", "matrix_us", "down_kbps", "up_kbps", "matrix_mops", "walk_kbps", "set_mib", "score_milli"], 0)
    v.update(outcome="no_majority", bits=0, transcript=bytes(32), agreeing=agreeing, wrong=[], deviating=[], earned=-1,
             silent=[i for i in range(session["panel_size"]) if i not in results])
    if not agreeing:
        return v
    those = [results[i] for i in agreeing]
    v.update(bits=those[0].bits, transcript=those[0].transcript, wrong=[i for i in results if i not in agreeing])
    names = ["fill_us", "walk_us", "matrix_us"]
    v.update((name, median(own(result, name) for result in those)) for name in names)
    v["deviating"] = [i for i in agreeing if any(own(results[i], name) and abs(own(results[i], name) - v[name]) > 250000 for name in names)]
    v.update((name, rate([getattr(result, name) for result in those])) for name in ("down_kbps", "up_kbps"))
    judge_exact(session, v)
    return v


def judge_exact(s, v):
    v["outcome"] = "failed"
    if v["bits"] != ALL:
        return
    if v["matrix_us"]:
        v["matrix_mops"] = 2 * s["k"] * s["n"] * s["m"] * s["rounds"] // v["matrix_us"]
    if v["walk_us"]:
        v["walk_kbps"] = s["walks"] * s["steps"] * s["epochs"] * 256 * 1000 // v["walk_us"]
    v["set_mib"] = s["n_items"] * 256 >> 20
    known = s["class"] != 65535
    v["outcome"] = "passed"
    if s["kind"] == 3 or s["device"] == 3:
        v["earned"] = s["class"] if known else -1
        return
    v["earned"] = s["class"] if known and satisfied(classes()[s["class"]], v) else best(v)
    if known and v["earned"] != s["class"] or known and not satisfied(classes()[s["class"]], v):
        v["outcome"] = "lower"
    if not known:
        v["score_milli"] = score_by_speed(v)
    elif v["earned"] >= 0:
        v["score_milli"] = score_of(v["earned"], v)


def id_text(bytes_):
    number, digits = int.from_bytes(bytes_, "big"), "0123456789abcdefghjkmnpqrstvwxyz"
    return "prf-" + "".join(digits[number >> 5 * i & 31] for i in range(25, -1, -1))


def verdict_text(s, v):
    name = lambda i, none: classes()[i][0] if 0 <= i < len(classes()) else none
    fields = [("proof", id_text(s["id"])), ("kind", ["registration", "standby", "rented", "appeal", "self_test"][s["kind"] - 1]),
              ("network", "0x" + s["network"].hex()), ("machine", "0x" + s["machine"].hex()),
              ("device", ["gpu", "host", "disk"][s["device"] - 1]), ("gpu_uuid", s["gpu_uuid"].hex()), ("gpu_index", s["gpu_index"]),
              ("epoch", s["epoch"]), ("outcome", v["outcome"]), ("bits", v["bits"]), ("transcript", v["transcript"].hex())]
    fields += [(key, v[key]) for key in ("agreeing", "wrong", "silent", "unrevealed", "deviating", "fill_us", "walk_us", "matrix_us", "down_kbps",
                                         "up_kbps", "matrix_mops", "walk_kbps", "set_mib")]
    fields += [("claimed", name(s["class"], "unknown")), ("earned", name(v["earned"], "none")), ("score_milli", v["score_milli"])]
    text = lambda value: '"%s"' % value if isinstance(value, str) else str(value).replace(" ", "")
    return "{%s}" % ",".join('"%s":%s' % (key, text(value)) for key, value in fields)


def main():
    data = pathlib.Path(sys.argv[1]).read_bytes()
    try:
        if data[:6] != b"POPWR2":
            t = read_transcript(data)
            bits = verify(t)
            print('{"bits":%d,"all":%d,"transcript":"%s"}' % (bits, ALL, t["hash"].hex()))
            return 0 if bits == ALL else 1
        t, results, unrevealed = read_record(data)
    except Malformed as error:
        print("popw_verify: %s" % error, file=sys.stderr)
        return 1
    bits, verdict = verify(t), judge(t["session"], results)
    verdict["unrevealed"] = unrevealed
    print(verdict_text(t["session"], verdict))
    right = verdict["bits"] == bits and verdict["transcript"] == t["hash"] and verdict["agreeing"]
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

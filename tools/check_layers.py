#!/usr/bin/env python3
"""Holds the source tree to ARCHITECTURE.md: which folder may include which, where SQL and the outside
libraries may appear, how long a file and a function may get, and that every header compiles alone.

    tools/check_layers.py [ROOT]
"""

import pathlib
import re
import subprocess
import sys
import tempfile

MAY_INCLUDE = {
    "base": {"base"},
    "io": {"base", "io"},
    "security": {"base", "security"},
    "chain": {"base", "io", "security", "chain"},
    "popw": {"base", "security", "popw"},
    "rewards": {"base", "rewards"},
    "wire": {"base", "wire"},
    "link": {"base", "io", "security", "wire", "link"},
    "api": {"base", "io", "security", "api"},
    "agent": {"base", "io", "security", "popw", "wire", "link", "agent"},
    "checker": {"base", "io", "security", "popw", "wire", "link", "checker"},
    "cmd": {"base", "io", "security", "chain", "popw", "rewards", "wire", "link", "api", "modules", "agent", "checker", "cmd"},
    "modules": {"base", "io", "security", "chain", "popw", "rewards", "wire"},
}
# A module may include its own headers, these of api/, and B/B.h along this graph.
API_FOR_MODULES = {"api/route.h", "api/settings.h"}
MODULE_GRAPH = {
    "vpn": {"checker", "worker", "logging"},
    "rewards": {"chain", "proof", "checker", "service", "worker", "billing", "iam", "logging"},
    "proof": {"chain", "checker", "service", "worker", "billing", "iam", "logging"},
    "checker": {"chain", "node", "iam", "logging"},
    "service": {"worker", "billing", "iam", "logging"},
    "worker": {"chain", "node", "billing", "iam", "logging"},
    "billing": {"chain", "iam", "logging"},
    "chain": {"iam", "logging"},
    "iam": {"logging"},
    "logging": set(),
    "node": set(),
}
LIBRARIES = [  # (header, files that may include it)
    (r"sqlite3\.h|libpq-fe\.h", r"src/io/db_\w+\.[ch]$"),
    (r"http_parser\.h|wslay/.*|curl/.*", r"src/io/(http|ws)_\w+\.[ch]$"),
    (r"secp256k1.*", r"src/security/\w+\.[ch]$"),
    (r"openssl/.*", r"src/((security|io)/\w+|popw/hash)\.[ch]$"),
]
SQL = re.compile(r'"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM)\s')
SQL_FILES = re.compile(r"src/(modules/\w+/\w+_store\w*\.c|io/(db_\w+|migrate)\.c|chain/\w+_store\.c|api/(idempotency|instance_store)\.c|.*_(test|world)\.c)$")
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 100


def layer_of(path):
    return path.split("/")[1] if path.count("/") > 1 else "cmd"


def check_include(path, included):
    if "/" not in included or included.endswith(".pb-c.h"):
        return None
    target = included.split("/")[0]
    layer = layer_of(path)
    if target == "modules" and layer == "modules":
        own, other = path.split("/")[2], included.split("/")[1]
        # Tests drive the real neighbours, so they and their fixtures may reach inside.
        if own == other or re.search(r"_(test|world)\.[ch]$", path):
            return None
        if other not in MODULE_GRAPH.get(own, set()) or included != f"modules/{other}/{other}.h":
            return f"module {own} may not include {included}"
        return None
    if target == "api" and layer == "modules":
        return None if included in API_FOR_MODULES or path.endswith("_test.c") else f"modules may not include {included}"
    if layer == "modules" and path.endswith("_test.c"):
        return None
    if target not in MAY_INCLUDE.get(layer, set()):
        return f"{layer} may not include {included}"
    return None


def check_libraries(path, included):
    for header, allowed in LIBRARIES:
        if re.fullmatch(header, included) and not re.search(allowed, path) and not path.endswith("_test.c"):
            return f"{included} may be included only by {allowed}"
    return None


def check_lengths(path, lines):
    if len(lines) > FILE_LINES_MAX and not path.endswith("_test.c"):
        yield 1, f"{len(lines)} lines: a file is one noun, split it (at most {FILE_LINES_MAX})"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start > FUNCTION_LINES_MAX:
                yield start, f"a function of {number - start} lines (at most {FUNCTION_LINES_MAX})"
            start = None


def check_file(root, file):
    path = str(file.relative_to(root))
    lines = file.read_text().split("\n")
    for number, line in enumerate(lines, 1):
        match = re.match(r'\s*#\s*include\s+["<]([^">]+)[">]', line)
        if match:
            quoted = '"' in line
            fault = (check_include(path, match[1]) if quoted else None) or check_libraries(path, match[1])
            if fault:
                yield f"{path}:{number}: {fault}"
        if SQL.search(line) and not SQL_FILES.search(path):
            yield f"{path}:{number}: SQL belongs into the module's store file"
    for number, fault in check_lengths(path, lines):
        yield f"{path}:{number}: {fault}"


def generated_headers(root, folder):
    """The schema's header, made as the build makes it, and where libpq's headers are."""
    out = pathlib.Path(folder) / "wire"
    out.mkdir()
    subprocess.run(["protoc-c", f"--proto_path={root / 'src/wire'}", f"--c_out={out}", "wire.proto"], check=True)
    flags = subprocess.run(["pkg-config", "--cflags", "libpq"], capture_output=True, text=True, check=True)
    return [f"-I{folder}", *flags.stdout.split()]


def check_header(root, file, flags):
    path = str(file.relative_to(root / "src"))
    done = subprocess.run(
        ["cc", "-fsyntax-only", "-std=gnu17", "-D_GNU_SOURCE", "-Wall", f"-I{root / 'src'}", *flags, "-x", "c", "-"],
        input=f'#include "{path}"\n', capture_output=True, text=True)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line]
        yield f"src/{path}: does not compile alone: {errors[0] if errors else done.stderr}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        flags = generated_headers(root, folder)
        for file in sorted((root / "src").rglob("*.[ch]")):
            faults += check_file(root, file)
            if file.suffix == ".h":
                faults += check_header(root, file, flags)
    print("\n".join(faults) if faults else "layers: every include, library, SQL text and length is in its place")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Writes the migrations as C: embed_migrations.py OUTPUT.c FILE.sql...

embed_migrations.py --list FOLDER names the folder's migrations, one a line.
"""

import pathlib
import re
import sys


def literal(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return "\n".join(f'\t  "{line}\\n"' for line in escaped.splitlines())


def entry(path, number):
    match = re.fullmatch(r"(\d{4})_[a-z0-9_]+", path.stem)
    if not match or int(match[1]) != number:
        sys.exit(f"{path}: must be called {number:04}_name.sql, so that numbers run without gaps")
    text = path.read_text(encoding="ascii")
    if not text.endswith(";\n"):
        sys.exit(f"{path}: must end with a statement and a newline")
    return f'\t{{ {number}, "{path.stem}",\n{literal(text)} }},\n'


def main():
    if sys.argv[1] == "--list":
        for path in sorted(pathlib.Path(sys.argv[2]).glob("*.sql")):
            print(path.name)
        return
    output, *sources = map(pathlib.Path, sys.argv[1:])
    entries = [entry(path, number) for number, path in enumerate(sorted(sources), 1)]
    output.write_text(
        '#include "io/migrate.h"\n\nconst struct migration migrations[] = {\n'
        + "".join(entries) + "\t{ 0 },\n};\n")


main()

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


def number_of(path):
    match = re.fullmatch(r"(\d{4})_[a-z0-9_]+", path.stem)
    if not match or int(match[1]) == 0:
        sys.exit(f"{path}: must be called NNNN_name.sql, from 0001 on")
    return int(match[1])


def entry(path):
    text = path.read_text(encoding="utf-8")
    if not text.endswith(";\n"):
        sys.exit(f"{path}: must end with a statement and a newline")
    return f'\t{{ {number_of(path)}, "{path.stem}",\n{literal(text)} }},\n'


def main():
    if sys.argv[1] == "--list":
        for path in sorted(pathlib.Path(sys.argv[2]).glob("*.sql")):
            print(path.name)
        return
    output, *sources = map(pathlib.Path, sys.argv[1:])
    sources.sort()
    for before, after in zip(sources, sources[1:]):
        if number_of(before) == number_of(after):
            sys.exit(f"{after}: has the number of {before.name}")
    text = (
        '#include "io/migrate.h"\n\nconst struct migration migrations[] = {\n'
        + "".join(map(entry, sources)) + "\t{ 0 },\n};\n")
    output.write_text(text, encoding="utf-8")


main()

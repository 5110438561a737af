#!/usr/bin/env python3
"""Writes files as C: embed_bytes.py OUTPUT.c NAME FILE...

The files, one behind the other, as `const unsigned char NAME[]` and `const size_t NAME_size`; a zero, which the
size leaves out, ends them. Without a file it is nothing but that.
"""

import pathlib
import sys

LINE = 20


def array(name, content):
    lines = (content[at:at + LINE] for at in range(0, len(content), LINE))
    body = "\n".join("\t" + ",".join(map(str, line)) + "," for line in lines)
    return (f"extern const unsigned char {name}[];\nextern const size_t {name}_size;\n\n"
            f"_Alignas(16) const unsigned char {name}[] = {{\n{body}\n\t0\n}};\nconst size_t {name}_size = {len(content)};\n")


def main():
    output, name, *files = sys.argv[1:]
    content = b"".join(pathlib.Path(file).read_bytes() for file in files)
    pathlib.Path(output).write_text("#include <stddef.h>\n\n" + array(name, content), encoding="ascii")


main()

#!/usr/bin/env python3
"""Links the hypervisor image with the symbol table of its own backtraces.

usage: link_image.py OUTPUT SCRIPT BASE INPUT... -- COMPILER [OPTION...]

The table lists every function by its address, so it can only be made from a linked image; adding it may in turn move
functions. So: link without a table, make one, link again, and repeat until the table made from the result is the one
that is in it. With the code in front of the read-only data that is so at the second link.
"""
import os
import struct
import subprocess
import sys
import tempfile

MAX_LINKS = 5
PT_LOAD, PF_X = 1, 1


def code_end(image, base):
    """The end of the highest executable segment."""
    with open(image, "rb") as f:
        header = f.read(64)
        offset, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        f.seek(offset)
        segments = [struct.unpack_from("<IIQQQQQ", f.read(size)) for _ in range(count)]
    return max(s[3] + s[6] for s in segments if s[0] == PT_LOAD and s[1] & PF_X and s[3] >= base)


def functions(image, base):
    """(address, name), sorted; of several names for an address the global one."""
    best = {}
    for line in subprocess.run(["nm", image], check=True, capture_output=True, text=True).stdout.splitlines():
        fields = line.split()
        if len(fields) != 3 or fields[1] not in "tT" or int(fields[0], 16) < base:
            continue
        address, rank = int(fields[0], 16), (fields[1] != "T", fields[2])
        best[address] = min(best.get(address, rank), rank)
    end = code_end(image, base)
    named = sorted((address, rank[1]) for address, rank in best.items() if address < end)
    return named + [(end, "end")]


def table_source(symbols, base):
    lines = ['.section .symbols, "a"', ".globl symbol_count, symbol_table, symbol_names", ".balign 8",
             "symbol_count:", f".long {len(symbols)}", "symbol_table:"]
    names, offset = [], 0
    for address, name in symbols:
        lines.append(f".long {address - base:#x}, {offset}")
        names.append(f'.asciz "{name}"')
        offset += len(name) + 1
    return "\n".join(lines + ["symbol_names:"] + names + ['.section .note.GNU-stack, ""', ""])


def link(compiler, script, inputs, table, output):
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "symbols.S")
        with open(source, "w") as f:
            f.write(table)
        subprocess.run(compiler + ["-nostdlib", "-static", "-no-pie", "-Wl,-T," + script, "-Wl,--build-id=none",
                                   "-Wl,-z,max-page-size=4096", "-Wl,--fatal-warnings",
                                   "-Wl,--compress-debug-sections=zlib", "-o", output, "-Wl,--whole-archive"]
                       + inputs + ["-Wl,--no-whole-archive", source], check=True)


def main():
    split = sys.argv.index("--")
    output, script, base = sys.argv[1:4]
    inputs, compiler, base = sys.argv[4:split], sys.argv[split + 1:], int(base, 16)
    partial = output + ".partial"
    table = table_source([], base)
    for _ in range(MAX_LINKS):
        try:
            link(compiler, script, inputs, table, partial)
        except subprocess.CalledProcessError as error:
            sys.exit(error.returncode)  # the linker has said why
        made = table_source(functions(partial, base), base)
        if made == table:
            os.replace(partial, output)
            return
        table = made
    sys.exit(f"{output}: the symbol table still moves the code after {MAX_LINKS} links; "
             "the linker script must put the code before the read-only data")


main()

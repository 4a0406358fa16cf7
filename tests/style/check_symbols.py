"""What the hypervisor's objects offer each other is used: a function or an object that no other file uses is dead, or belongs to
its file alone (static)."""

import glob
import subprocess
import sys

import tree

# Used by name in places that no symbol table knows. What assembly offers is not looked at: the linker script names it too.
NAMED = {'protection_data': 'called by an asm statement'}
OFFERED = 'TDBRC'


def symbols(path):
    """(what an object offers, what it takes from others)."""
    offered, taken = set(), set()
    for line in subprocess.run(['nm', '-g', path], check=True, capture_output=True, text=True).stdout.splitlines():
        *_, kind, name = line.split()
        (offered if kind in OFFERED else taken).add(name)
    return offered, taken


def unused(objects):
    """Names that one object offers and no other takes, with the object's path."""
    known = {path: symbols(path) for path in objects}
    taken = set().union(*(taken for _, taken in known.values()))
    return sorted((name, path) for path, (offered, _) in known.items() for name in offered - taken - NAMED.keys())


def main():
    build = sys.argv[1]
    # The checked image has code that the other has not.
    objects = glob.glob(f'{build}/hypervisor/libroundhouse*.a.p/*.o')
    found = {name: path for name, path in unused(objects) if not path.endswith('.S.o')}
    print('1..2')
    good = [tree.report('what the files of the hypervisor offer each other is used', [
                f'{name} ({path.rpartition("/")[2]}) is used by no other file: dead, or static' for name, path in found.items()]),
            tree.report('objects were found', [] if len(objects) > 200 else [f'{len(objects)} objects under {build}/hypervisor'])]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()

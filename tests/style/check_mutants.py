"""The planted faults of tests/mutants: each row can be planted as the files are now, and names tests that there are."""

import os
import sys

import tree

sys.path.insert(0, os.path.join(tree.ROOT, 'tests/mutants'))
import rows  # noqa: E402


def main():
    found = rows.load()
    print('1..2')
    good = [tree.report('planted faults can be planted', rows.problems(found, rows.known_tests(sys.argv[1]))),
            tree.report('planted faults were found', [] if found else ['there are none: the way they are read is out of date'])]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()

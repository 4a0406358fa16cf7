"""The hypervisor's headers: each compiles alone, and what they declare is defined somewhere."""

import os
import re
import subprocess
import sys

import check_style
import tree

FOLDER = 'hypervisor/include/hv/'
# Not C by themselves: put before other sources, or read by the assembler.
PARTS = {'hidden.h', 'asm_offsets.h', 'entry_macros.h'}
FLAGS = ['-std=gnu11', '-ffreestanding', '-mgeneral-regs-only', '-Wall', '-Wextra', '-Wno-unused-parameter', '-Werror']
DECLARATION = re.compile(r'^(?!static\b|typedef\b|return\b|extern const\b|#)[a-z_][\w \t*]*?\b(\w+)\([^;{}]*?\)[\w\s(),]*;', re.M)


def compiles_alone(path):
    command = ['cc', '-fsyntax-only', *FLAGS, '-I', os.path.join(tree.ROOT, 'hypervisor/include'), '-x', 'c',
               os.path.join(tree.ROOT, path)]
    result = subprocess.run(command, capture_output=True, text=True)
    return None if result.returncode == 0 else f'{path}: {(result.stderr or "").splitlines()[0]}'


def declared(path):
    text = re.sub(r'/\*.*?\*/', ' ', tree.read(path) or '', flags=re.S)
    return {name for name in DECLARATION.findall(text) if not name.startswith('_')}


def defined(paths):
    names = set()
    for path in paths:
        text = tree.read(path) or ''
        if path.endswith('.c'):
            names.update(name for name, _, _ in check_style.c_functions(text.splitlines()))
        elif path.endswith('.S'):
            names.update(re.findall(r'^(\w+):', text, re.M))
    return names


def main():
    paths = [path for path in tree.files() if path.startswith('hypervisor/')]
    headers = [path for path in paths if path.startswith(FOLDER) and os.path.basename(path) not in PARTS]
    names = defined(paths)
    missing = {f'{path}:{name}' for path in headers for name in declared(path) - names}
    listed = {subject for rule, subject in check_style.exceptions()[0] if rule == 'prototype'}
    problems = [f'{subject}() is declared and nowhere defined' for subject in sorted(missing - listed)]
    problems += [f'{check_style.EXCEPTIONS}: "prototype {subject}" is no longer needed; remove the line'
                 for subject in sorted(listed - missing)]
    print('1..3')
    good = [tree.report('headers compile alone', [line for line in map(compiles_alone, headers) if line]),
            tree.report('what headers declare is defined', problems),
            tree.report('headers and definitions were found', [] if len(headers) > 20 and len(names) > 300 else
                        [f'{len(headers)} headers, {len(names)} definitions: the patterns of this check are out of date'])]
    sys.exit(not all(good))


if __name__ == '__main__':
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    main()

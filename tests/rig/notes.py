"""What scenarios noted on the reference, and when it may be compared with: notes carry a key of what they were made with.

Notes of this build (BUILD/test-evidence/reference/...) are of the same scenario, images and reference, or stale. Recorded ones
(recorded/BATCH.json) outlive images; they are of the same scenario, or stale. Stale notes are refused, not compared with."""

import ast
import hashlib
import inspect
import json
import os
import sys
import textwrap
import types

FOLDER = f'{os.path.dirname(os.path.abspath(__file__))}/recorded'
IMAGES = ('uivm.img.key', 'guest.img.key', 'memtest.bin.key', 'reference.elf')


def names_in(code):
    """Every global name that a function's code may use, nested functions included."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_in(constant)
    return found


def plain(function):
    """The code of a function without comments, layout and texts for people."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def key_of(scenario):
    """One word for what a scenario does: its code, and the functions and constants of its file that this code uses."""
    module, texts, waiting = sys.modules[scenario.__module__], {}, [scenario]
    while waiting:
        function = waiting.pop()
        texts[function.__qualname__] = plain(function)
        for name in names_in(function.__code__):
            value = getattr(module, name, None)
            if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
                if value.__qualname__ not in texts:
                    waiting.append(value)
            elif isinstance(value, (str, int, float, tuple, dict)) and not name.startswith('__'):
                texts[name] = repr(value)
    return word(json.dumps(texts, sort_keys=True).encode())


def word(data):
    return hashlib.sha256(data).hexdigest()[:16]


def key_of_build(images, scenario):
    """The same for notes that are kept beside a build: its disks and its reference too."""
    parts = [key_of(scenario)]
    for name in IMAGES:
        path = f'{images}/{name}'
        if os.path.exists(path):
            with open(path, 'rb') as file:
                parts.append(word(file.read()))
    return word(' '.join(parts).encode())


class Recorded:
    """The notes of the reference for one batch that are kept with the sources: {scenario: {"key": ..., "notes": [...]}}."""

    def __init__(self, batch, folder=FOLDER):
        self.path = f'{folder}/{batch}.json'
        self.scenarios = {}
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.scenarios = json.load(file)

    def keep(self, name, key, lines):
        self.scenarios[name] = {'key': key, 'notes': lines}
        with open(f'{self.path}.new', 'w') as file:
            json.dump(self.scenarios, file, indent=1, sort_keys=True)
            file.write('\n')
        os.replace(f'{self.path}.new', self.path)

    def lines(self, name, key):
        """(notes or None, why there are none)."""
        there = self.scenarios.get(name)
        if not there:
            return None, 'there are no notes of the reference to compare with; run its batch first'
        if there['key'] != key:
            return None, 'the recorded notes are of an older form of this scenario; record them anew on the reference (--record)'
        return there['notes'], None


def write(path, key, lines):
    with open(path, 'w') as file:
        file.writelines(f'{line}\n' for line in [f'key: {key}', *lines])


def read(path, key):
    """(notes or None, why there are none) of a file that `write` made."""
    if not os.path.exists(path):
        return None, None
    with open(path) as file:
        lines = file.read().splitlines()
    if lines[:1] != [f'key: {key}']:
        return None, 'the notes of the reference are of an older build or form of this scenario; run its batch again'
    return lines[1:], None


def difference(name, expected, noted):
    """The lines in which these notes differ from the reference's, or None."""
    different = [f'reference  {a}\n{name}  {b}' for a, b in zip(expected, noted) if a != b]
    if len(expected) != len(noted):
        different.append(f'the reference noted {len(expected)} lines, here were {len(noted)}')
    return '\n'.join(['differs from the reference:'] + different) if different else None

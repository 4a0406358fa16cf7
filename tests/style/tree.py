"""The files of the project, for the checks of this folder: everything but what the build and git make."""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SKIPPED = {'.git', 'build', '__pycache__'}


def files():
    """Paths of all files, relative to the project's folder."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in SKIPPED and not name.startswith('build'))
        found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in sorted(names)]
    return [path for path in found if path != '.git' and os.path.isfile(os.path.join(ROOT, path))]


def read(path):
    """The text of a file; None for one that is no text."""
    with open(os.path.join(ROOT, path), 'rb') as file:
        data = file.read()
    try:
        return None if b'\0' in data else data.decode()
    except UnicodeDecodeError:
        return None


def report(title, problems):
    """One TAP point; the problems as diagnostics. True when there is none."""
    print(f'{"not ok" if problems else "ok"} - {title}')
    for problem in problems:
        print('# ' + re.sub(r'\s*\n\s*', ' ', problem))
    return not problems

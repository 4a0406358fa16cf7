"""The planted faults: FOLDER/*.toml, one file per area, one table [[fault]] per fault:

    name        what is wrong, in words; each name is there once
    file        the file it is planted in
    from, to    a text that stands exactly once in that file, and what is put in its place
    seen_by     names of meson tests, at least one of which must fail; "guests/NAME" is that tiny kernel of test "guests" alone;
                batches of the rig may be named, but a row that names nothing else is not tried: a batch takes too long
    unseen      only where no test can see it: the reason"""

import glob
import json
import os
import tomllib

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(FOLDER))
REQUIRED, OPTIONAL = {'name', 'file', 'from', 'to', 'seen_by'}, {'unseen'}
KERNELS = 'guests'      # the meson test that boots tiny kernels


def load(folder=FOLDER):
    """Every row, with the file it stands in as 'area'."""
    rows = []
    for path in sorted(glob.glob(f'{folder}/*.toml')):
        with open(path, 'rb') as file:
            rows += [dict(row, area=os.path.basename(path)[:-5]) for row in tomllib.load(file).get('fault', [])]
    return rows


def known_tests(build):
    """What meson knows of its tests, by name."""
    with open(f'{build}/meson-info/intro-tests.json') as file:
        return {test['name']: test for test in json.load(file)}


def problems_of_row(row, tests, root=ROOT):
    """What is wrong with one row, in sentences."""
    who = f'{row["area"]}.toml: "{row.get("name", "a row without name")}"'
    fields = set(row) - {'area'}
    if not REQUIRED <= fields <= REQUIRED | OPTIONAL:
        wrong = ', '.join(sorted(REQUIRED - fields | fields - REQUIRED - OPTIONAL))
        return [f'{who}: missing or unknown: {wrong}']
    problems = []
    path = os.path.join(root, row['file'])
    text = open(path, encoding='utf-8').read() if os.path.isfile(path) else None
    if text is None:
        problems.append(f'{who}: there is no file {row["file"]}')
    elif text.count(row['from']) != 1:
        problems.append(f'{who}: its text stands {text.count(row["from"])} times in {row["file"]}, not once')
    if row['from'] == row['to']:
        problems.append(f'{who}: changes nothing')
    if not row['seen_by']:
        problems.append(f'{who}: names no test')
    for name in row['seen_by']:
        if not known(name, tests):
            problems.append(f'{who}: there is no test "{name}"')
    return problems


def known(name, tests):
    return tests.get(KERNELS if name.startswith(f'{KERNELS}/') else name)


def tried(row, tests):
    """The tests of a row that do not boot a whole machine."""
    return [name for name in row['seen_by'] if not {suite.split(':')[-1] for suite in known(name, tests)['suite']} & {'rig', 'parts'}]


def problems(rows, tests, root=ROOT):
    found = [problem for row in rows for problem in problems_of_row(row, tests, root)]
    names = [row.get('name') for row in rows]
    return found + [f'the name "{name}" is there twice' for name in sorted({n for n in names if n and names.count(n) > 1})]

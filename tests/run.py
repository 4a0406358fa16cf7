"""./dev test [SUITE]: runs the suites through meson and ends with one plain line, "N passed, N failed".

A test that reports in TAP counts by its points; any other test counts as one."""

import json
import os
import re
import subprocess
import sys

POINT = re.compile(r'^\s*(not )?ok\b[^#\n]*(#\s*skip\b)?', re.I | re.M)
PROTOCOL = re.compile(r'^\s*1\.\.\d+', re.M)


def meson(build, arguments, log, output=None):
    """Runs `meson test`; returns what its log says, one dictionary for each test."""
    path = f'{build}/meson-logs/{log}.json'
    if os.path.exists(path):
        os.unlink(path)
    subprocess.run(['meson', 'test', '-C', build, '--no-rebuild', '--logbase', log, *arguments], stdout=output)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip()]


def count(test):
    """(passed, failed, skipped) of one test, and the names of what failed."""
    output = test.get('stdout') or ''
    points = POINT.findall(output) if PROTOCOL.search(output) else []
    if not points:
        return {'OK': (1, 0, 0), 'EXPECTEDFAIL': (1, 0, 0), 'SKIP': (0, 0, 1)}.get(test['result'], (0, 1, 0))
    skipped = sum(bool(skip) for _, skip in points)
    failed = sum(bool(bad) and not skip for bad, skip in points)
    if not failed and test['result'] not in ('OK', 'SKIP'):
        failed = 1
    return len(points) - skipped - sum(bool(bad) and not skip for bad, skip in points), failed, skipped


def explain(test):
    lines = (test.get('stdout') or '').splitlines()
    told, telling = [], False
    for line in lines:
        if re.match(r'\s*(not )?ok\b', line):
            telling = line.lstrip().startswith('not ok')
        if telling:
            told.append(line)
    print(f'\nFAILED {test["name"]} ({test["result"]}, {test["duration"]:.0f} s)')
    for line in told or lines[-20:] + (test.get('stderr') or '').splitlines()[-20:]:
        print('   ', line)


def rounds_of(build, suites):
    """What to run, in rounds: (arguments of `meson test`, name of its log). The batches of the rig run two at a time, each
    on one processor, and the reference's before ours, which are compared with them."""
    known = {test['name']: {suite.split(':')[-1] for suite in test['suite']} for test in json.loads(subprocess.run(
        ['meson', 'introspect', '--tests', build], capture_output=True, text=True, check=True).stdout)}
    for suite in suites:
        if not any(suite in of for of in known.values()):
            names = sorted(set().union(*known.values()))
            sys.exit(f'./dev test: there is no suite "{suite}". There are: {", ".join(names)}.')
    chosen = {name: of for name, of in known.items() if of & set(suites)}
    batches = [name for name, of in chosen.items() if of & {'rig', 'parts'}]
    reference = [name for name in batches if name.endswith('-reference')]
    return [(names + options, log) for names, options, log in (
        ([name for name in chosen if name not in batches], [], 'quick'),
        (reference, ['--num-processes', '2'], 'reference'),
        ([name for name in batches if name not in reference], ['--num-processes', '2'], 'roundhouse')) if names]


def main():
    build, suites = sys.argv[1], [name for name in sys.argv[2:] if name != 'all']
    rounds = rounds_of(build, suites or ['style', 'unit', 'guests', 'rig'])
    tests = [test for arguments, log in rounds for test in meson(build, arguments, log)]
    totals = [sum(column) for column in zip((0, 0, 0), *(count(test) for test in tests))]
    for test in tests:
        if count(test)[1]:
            explain(test)
    passed, failed, skipped = totals
    if not tests:
        print('no test ran')
    print(f'\n{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    sys.exit(1 if failed or not tests else 0)


if __name__ == '__main__':
    main()

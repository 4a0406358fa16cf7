"""./dev test [SUITE]: runs the suites through meson and ends with one plain line, "N passed, N failed".

A test that reports in TAP counts by its points; any other test counts as one. A test that was chosen and left no result
has failed, whatever became of it."""

import json
import os
import re
import subprocess
import sys

# Time limits of tests on the host are for an idle machine; they are there to end a hang, not to measure.
HOST_PATIENCE = ['--timeout-multiplier', '5']
# What runs each suite: a plain ./dev test, or one that names it.
SUITES = {'style': 'plain', 'unit': 'plain', 'guests': 'plain', 'rig': 'plain', 'parts': 'named'}
BATCHES = {'rig', 'parts'}
POINT = re.compile(r'^\s*(not )?ok\b[^\n]*?(#\s*skip\b|$)', re.I | re.M)
PROTOCOL = re.compile(r'^\s*1\.\.\d+', re.M)


def meson(build, arguments, log, output=None):
    """Runs `meson test`; returns what its log says, one dictionary for each test that ended."""
    path = f'{build}/meson-logs/{log}.json'
    if os.path.exists(path):
        os.unlink(path)
    subprocess.run(['meson', 'test', '-C', build, '--no-rebuild', '--logbase', log, *arguments], stdout=output)
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return read_log(file)


def read_log(lines):
    """A log whose writer was killed ends in half a line."""
    tests = []
    for line in lines:
        try:
            tests.append(json.loads(line))
        except ValueError:
            break
    return tests


def count(test):
    """(passed, failed, skipped) of one test."""
    output = test.get('stdout') or ''
    points = POINT.findall(output) if PROTOCOL.search(output) else []
    if not points:
        return {'OK': (1, 0, 0), 'EXPECTEDFAIL': (1, 0, 0), 'SKIP': (0, 0, 1)}.get(test['result'], (0, 1, 0))
    skipped = sum(bool(skip) for _, skip in points)
    failed = sum(bool(bad) and not skip for bad, skip in points)
    passed = len(points) - skipped - failed
    if not failed and test['result'] not in ('OK', 'SKIP'):
        failed = 1
    return passed, failed, skipped


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


def known_tests(build):
    """{name: suites} of all tests."""
    told = subprocess.run(['meson', 'introspect', '--tests', build], capture_output=True, text=True, check=True).stdout
    return {test['name']: {suite.split(':')[-1] for suite in test['suite']} for test in json.loads(told)}


def choose(known, suites):
    """The names of the tests in these suites."""
    for suite in suites:
        if not any(suite in of for of in known.values()):
            names = sorted(set().union(*known.values()))
            sys.exit(f'./dev test: there is no suite "{suite}". There are: {", ".join(names)}.')
    return [name for name, of in known.items() if of & set(suites)]


def rounds_of(known, chosen):
    """What to run, in rounds: (names, options of `meson test`, name of its log). The batches of the rig run two at a time,
    each on one processor, and the reference's before ours, which are compared with them."""
    batches = [name for name in chosen if known[name] & BATCHES]
    reference = [name for name in batches if name.endswith('-reference')]
    return [each for each in (
        ([name for name in chosen if name not in batches], HOST_PATIENCE, 'quick'),
        (reference, ['--num-processes', '2'], 'reference'),
        ([name for name in batches if name not in reference], ['--num-processes', '2'], 'roundhouse')) if each[0]]


def without_result(chosen, tests):
    """The chosen tests of which no log tells: meson or the machine ended before they did."""
    told = {test['name'].split(' / ')[-1] for test in tests}
    return [name for name in chosen if name not in told]


def summary(chosen, tests):
    """Prints what failed and the closing lines; the exit status."""
    lost = without_result(chosen, tests)
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *(count(test) for test in tests)))
    for test in tests:
        if count(test)[1]:
            explain(test)
    for name in lost:
        print(f'\nFAILED {name} (it was chosen and left no result)')
    failed += len(lost)
    if not chosen:
        print('no test was chosen')
    print(f'\n{len(chosen)} tests chosen, {len(chosen) - len(lost)} ran')
    print(f'{passed} passed, {failed} failed' + (f', {skipped} skipped' if skipped else ''))
    return 1 if failed or not chosen else 0


def main():
    build, suites = sys.argv[1], [name for name in sys.argv[2:] if name != 'all']
    known = known_tests(build)
    chosen = choose(known, suites or [name for name, how in SUITES.items() if how == 'plain'])
    tests = [test for names, options, log in rounds_of(known, chosen) for test in meson(build, names + options, log)]
    sys.exit(summary(chosen, tests))


if __name__ == '__main__':
    main()

"""./dev test [SUITE]: runs the suites through meson and ends with one plain line, "N passed, N failed".

A test that reports in TAP counts by its points; any other test counts as one. A test that was chosen and left no result
has failed, whatever became of it."""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time

# Time limits of tests on the host are for an idle machine; they are there to end a hang, not to measure.
HOST_PATIENCE = ['--timeout-multiplier', '5']
# What runs each suite: a plain ./dev test, or one that names it.
SUITES = {'style': 'plain', 'unit': 'plain', 'guests': 'plain', 'rig': 'plain', 'parts': 'named', 'soak': 'named'}
BATCHES = {'rig', 'parts', 'soak'}
# What uivm/image/build makes for them.
IMAGES = {'guests': ['reference', 'emulator'], 'rig': ['tests'], 'parts': ['tests', 'medium'], 'soak': ['tests']}
RECIPE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'uivm', 'image', 'build')
LONGEST = 10
PROCESSORS = 2      # for which the rig's time limits are made
# Tests on the host at a time: of the service's and the switcher's many wait for a clock or an answer most of their time.
AT_A_TIME = ['--num-processes', str(2 * PROCESSORS)]
POINT = re.compile(r'^\s*(not )?ok\b[^\n]*?(#\s*skip\b|$)', re.I | re.M)
PROTOCOL = re.compile(r'^\s*1\.\.\d+', re.M)


class Meson:
    """A running `meson test`, whose log is called `name`."""

    def __init__(self, build, name, arguments, output=None):
        self.path = f'{build}/meson-logs/{name}.json'
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.process = subprocess.Popen(['meson', 'test', '-C', build, '--no-rebuild', '--logbase', name, *arguments], stdout=output)

    def results(self):
        """What its log says, one dictionary for each test that ended."""
        self.process.wait()
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
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
    """{name: what meson knows of it} of all tests, their suites as a set."""
    told = subprocess.run(['meson', 'introspect', '--tests', build], capture_output=True, text=True, check=True).stdout
    return {test['name']: {**test, 'suite': {suite.split(':')[-1] for suite in test['suite']}} for test in json.loads(told)}


def choose(known, suites):
    """The names of the tests in these suites."""
    for suite in suites:
        if not any(suite in test['suite'] for test in known.values()):
            names = sorted(set().union(*(test['suite'] for test in known.values())))
            sys.exit(f'./dev test: there is no suite "{suite}". There are: {", ".join(names)}.')
    return [name for name, test in known.items() if test['suite'] & set(suites)]


def stages_of(known, chosen):
    """(names of tests that need no image, of those that do, of the rig's batches)."""
    batches = [name for name in chosen if known[name]['suite'] & BATCHES]
    others = [name for name in chosen if known[name]['suite'] & set(IMAGES) and name not in batches]
    return [name for name in chosen if name not in batches + others], others, batches


class Batches:
    """The rig's batches in their order (tests/rig/meson.build), as many at once as there are processors for: one for each, and
    all for one that is not to run beside others. The reference's goes before ours, which is compared with it."""

    def __init__(self, known, chosen):
        self.known, self.running, self.waiting = known, [], list(chosen)

    def processors(self, name):
        return 1 if self.known[name]['is_parallel'] else PROCESSORS

    def next(self):
        """Takes the next that may start now; None if there is none."""
        free = PROCESSORS - sum(self.processors(name) for name in self.running)
        for name in self.waiting:
            if self.processors(name) <= free and reference_of(name) not in self.waiting + self.running:
                self.waiting.remove(name)
                self.running.append(name)
                return name
        return None


def reference_of(name):
    """Which batch leaves the notes that this one is compared with."""
    stem, _, hypervisor = name.rpartition('-')
    return f'{stem}-reference' if hypervisor != 'reference' else None


def run_batches(build, batches):
    """Runs them all; what their logs say."""
    tests, started = [], {}
    while batches.waiting or started:
        while name := batches.next():
            started[name] = Meson(build, name, [name], subprocess.DEVNULL)
        for name in [name for name, meson in started.items() if meson.process.poll() is not None]:
            results = started.pop(name).results()
            batches.running.remove(name)
            tests += results
            print(f'{name}: ' + ' '.join(f'{test["result"]}, {test["duration"]:.0f} s' for test in results), flush=True)
        time.sleep(0.5)
    return tests


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


class Stages:
    """How long each stage took, and how much of the processors."""

    def __init__(self, compiled):
        self.lines = [f'compile {compiled:.0f}'] if compiled is not None else []
        self.mark()

    def mark(self):
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.clock, self.used = time.monotonic(), used.ru_utime + used.ru_stime

    def end(self, name):
        clock, used = self.clock, self.used
        self.mark()
        self.lines.append(f'{name} {self.clock - clock:.0f} ({self.used - used:.0f})')

    def table(self, tests):
        longest = sorted(tests, key=lambda test: -test['duration'])[:LONGEST]
        return '\n'.join(['', f'seconds (and of processors): {", ".join(self.lines)}', 'longest:',
                          *(f'{test["duration"]:7.0f} {test["name"].split(" / ")[-1]}' for test in longest)])


def make_images(build, known, chosen):
    """What these tests need beside the programs."""
    for what in {what: None for name in chosen for suite in sorted(known[name]['suite']) for what in IMAGES.get(suite, ())}:
        if subprocess.run([RECIPE, build, what]).returncode:
            sys.exit(1)


def run(options, known, chosen):
    """Runs the tests stage by stage and prints how long that took; what their logs say."""
    build, stages = options.build, Stages(options.compiled)
    plain, with_images, batches = stages_of(known, chosen)
    tests = []
    if plain:
        tests += Meson(build, 'quick', HOST_PATIENCE + AT_A_TIME + plain).results()
        stages.end('quick')
    if options.images and with_images + batches:
        make_images(build, known, with_images + batches)
        stages.end('images')
    if with_images:
        tests += Meson(build, 'kernels', HOST_PATIENCE + with_images).results()
        stages.end('kernels')
    if batches:
        tests += run_batches(build, Batches(known, batches))
        stages.end('batches')
    print(stages.table(tests))
    return tests


def arguments():
    parser = argparse.ArgumentParser(prog='./dev test', description=__doc__)
    parser.add_argument('--images', action='store_true', help='make what the tests need, after those that need nothing')
    parser.add_argument('--compiled', type=int, metavar='SECONDS', help='how long that took')
    parser.add_argument('build')
    parser.add_argument('suite', nargs='*')
    return parser.parse_args()


def main():
    options = arguments()
    known = known_tests(options.build)
    suites = [name for name in options.suite if name != 'all']
    chosen = choose(known, suites or [name for name, how in SUITES.items() if how == 'plain'])
    sys.exit(summary(chosen, run(options, known, chosen)))


if __name__ == '__main__':
    main()

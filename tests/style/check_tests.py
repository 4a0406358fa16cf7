"""Nothing under tests/ is run by nobody: every meson test is in a suite that has a command, every program that is built is
used by a test, every source is built into one, and every script is run or imported by another. And every test that a text
names as the one that sees a fault is there."""

import json
import os
import re
import sys

import tree

sys.path.insert(0, os.path.join(tree.ROOT, 'tests'))
import run  # noqa: E402

# Read by people and by ./dev alone.
COMMANDS = {'tests/run.py', 'tests/rig/boot.py', 'tests/rig/shot.py', 'tests/bench/run.py', 'tests/mutants/mutants.py', 'tests/fresh/fresh.py'}


def load(build, what):
    with open(f'{build}/meson-info/intro-{what}.json') as file:
        return json.load(file)


def suites_of(test):
    return {suite.split(':')[-1] for suite in test['suite']}


def tests_without_suite(tests):
    return [f'the test "{test["name"]}" is in no suite that ./dev test runs: {", ".join(sorted(run.SUITES))}'
            for test in tests if not suites_of(test) & set(run.SUITES)]


def unused_programs(tests, targets, texts):
    """Programs built under tests/ that no test needs and no script of ./dev names."""
    needed = {identity for test in tests for identity in test['depends']}
    problems = []
    for target in targets:
        folder = os.path.relpath(os.path.dirname(target['defined_in']), tree.ROOT)
        if target['type'] == 'executable' and folder.startswith('tests') and target['id'] not in needed \
                and not any(re.search(rf'\b{re.escape(target["name"])}\b', text) for path, text in texts.items() if path.startswith(folder + '/')):
            problems.append(f'{folder}/meson.build builds {target["name"]}, which no test runs')
    return problems


def unbuilt_sources(tests, targets, paths):
    """C and assembly under tests/ that goes into no target and is no argument of a test."""
    used = {os.path.realpath(source) for target in targets for part in target['target_sources'] for source in part['sources']}
    used |= {os.path.realpath(word) for test in tests for word in test['cmd']}
    return [f'{path} is built into nothing: its folder is missing in a meson.build' for path in paths
            if path.startswith('tests/') and path.endswith(('.c', '.S')) and os.path.realpath(os.path.join(tree.ROOT, path)) not in used]


def idle_scripts(tests, targets, texts):
    """Python under tests/ that no test and no step of the build runs and no other script imports."""
    used = {os.path.realpath(word) for test in tests for word in test['cmd']}
    used |= {os.path.realpath(word) for target in targets for part in target['target_sources']
             for word in part['compiler'] + part['sources']}
    problems = []
    for path in texts:
        name = os.path.basename(path)[:-3]
        imported = any(re.search(rf'^(import|from) {name}\b', text, re.M) for other, text in texts.items() if other != path)
        if not imported and path not in COMMANDS and os.path.realpath(os.path.join(tree.ROOT, path)) not in used:
            problems.append(f'{path} is run by no test and imported by no other script')
    return problems + [f'there is no {path}' for path in COMMANDS if path not in texts]


def absent_guards(tests, text):
    """What docs/boundaries.md names in the last column of its tables, remarks in brackets left out, and is no test: a test of
    meson, a tiny kernel or a batch."""
    there = {test['name'] for test in tests} | {f'rig.py {test["name"].split("-", 1)[1].rpartition("-")[0]}'
                                                for test in tests if test['name'].startswith('rig-')}
    problems = []
    for row in re.findall(r'^\|.*\| *(.*?) *\|$', text, re.M)[1:]:
        column = re.sub(r'\([^)]*\)', '', row)
        problems += [f'docs/boundaries.md names {name}, and there is no such test' for name in re.findall(r'`([^`]+)`', column)
                     if name not in there]
        problems += [f'docs/boundaries.md names {kernel}, and there is no such kernel'
                     for kernel in re.findall(r'\b(?:guests|hvm)/[a-z0-9-]+', column) if not os.path.exists(kernel_of(kernel))]
    return problems


def kernel_of(name):
    return os.path.join(tree.ROOT, 'tests', name if name.startswith('guests/') else f'guests/{name}', 'main.c')


def main():
    build = sys.argv[1]
    tests, targets, paths = load(build, 'tests'), load(build, 'targets'), tree.files()
    texts = {path: tree.read(path) for path in paths if path.startswith('tests/') and path.endswith('.py')}
    print('1..6')
    good = [tree.report('every test is in a suite that is run', tests_without_suite(tests)),
            tree.report('every program of the tests is used', unused_programs(tests, targets, texts)),
            tree.report('every source of the tests is built', unbuilt_sources(tests, targets, paths)),
            tree.report('every script of the tests is run', idle_scripts(tests, targets, texts)),
            tree.report('every test that guards a boundary is there', absent_guards(tests, tree.read('docs/boundaries.md'))),
            tree.report('tests were found', [] if len(tests) > 50 and len(texts) > 20 else
                        [f'{len(tests)} tests, {len(texts)} scripts: the way they are read is out of date'])]
    sys.exit(not all(good))


if __name__ == '__main__':
    main()

"""Runs unittest cases and reports them in TAP."""

import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
for folder in ('tests', 'tests/rig', 'tests/rig/scenarios', 'installer/media', 'tests/style', 'tests/mutants', 'tests/fresh'):
    sys.path.insert(0, os.path.join(ROOT, folder))


class TapResult(unittest.TestResult):
    def __init__(self, *_, **__):
        super().__init__()
        self.buffer = True

    def say(self, good, test, trouble=''):
        out = sys.__stdout__
        out.write(f'{"ok" if good else "not ok"} {self.testsRun} - {test.shortDescription() or test.id()}\n')
        out.writelines(f'# {line}\n' for line in trouble.splitlines())

    def addSuccess(self, test):
        self.say(True, test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say(False, test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.say(False, test, self.errors[-1][1])


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules['__main__'])
    print(f'1..{suite.countTestCases()}', flush=True)
    result = TapResult()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)

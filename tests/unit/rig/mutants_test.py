"""tests/mutants: which rows are refused, and what counts as seen."""

import contextlib
import io
import json
import os
import tempfile
import unittest
import unittest.mock

import tap  # noqa: F401
import mutants
import planted
import rows

TESTS = {name: {'suite': [f'roundhouse:{suite}']} for name, suite in (('one', 'unit'), ('guests', 'guests'), ('rig-boot', 'rig'))}
ROW = {'area': 'area', 'name': 'wrong', 'file': 'source.c', 'from': 'a + b', 'to': 'a - b', 'seen_by': ['one']}


class Rows(unittest.TestCase):
    def problems(self, text='return a + b;', **changes):
        with tempfile.TemporaryDirectory() as root:
            with open(os.path.join(root, 'source.c'), 'w') as file:
                file.write(text)
            return ' '.join(rows.problems([dict(ROW, **changes)], TESTS, root))

    def test_good(self):
        """a row that can be planted has no problem; a tiny kernel can be named alone"""
        self.assertEqual(self.problems(), '')
        self.assertEqual(self.problems(seen_by=['guests/traps']), '')

    def test_stale(self):
        """a text that is gone or stands twice is stale"""
        self.assertIn('stands 0 times', self.problems('return a * b;'))
        self.assertIn('stands 2 times', self.problems('a + b; a + b;'))
        self.assertIn('no file', self.problems(file='other.c'))

    def test_empty(self):
        """a row that changes nothing, names nothing or names what is not there is refused"""
        self.assertIn('changes nothing', self.problems(to='a + b'))
        self.assertIn('names no test', self.problems(seen_by=[]))
        self.assertIn('no test "two"', self.problems(seen_by=['one', 'two']))
        self.assertIn('unknown: seen', self.problems(seen=['one']))

    def test_whole_machine(self):
        """a batch of the rig is not tried"""
        self.assertEqual(rows.tried(dict(ROW, seen_by=['rig-boot', 'one', 'guests/traps']), TESTS), ['one', 'guests/traps'])
        self.assertEqual(rows.tried(dict(ROW, seen_by=['rig-boot']), TESTS), [])

    def test_twice(self):
        """a name stands for one fault"""
        self.assertIn('there twice', ' '.join(rows.problems([ROW, ROW], TESTS, '/nonexistent')))


MESON = """#!/bin/sh
mkdir -p $3/meson-logs
cat $3/result > $3/meson-logs/$6.json
"""


class Tests(unittest.TestCase):
    def fails(self, *results):
        """What a copy says of a test that meson has these results of."""
        with tempfile.TemporaryDirectory() as build:
            with open(f'{build}/meson', 'w', opener=lambda path, flags: os.open(path, flags, 0o755)) as file:
                file.write(MESON)
            with open(f'{build}/result', 'w') as file:
                file.writelines(json.dumps({'name': 'one', **result}) + '\n' for result in results)
            copy = planted.Copy.__new__(planted.Copy)
            copy.build = build
            with unittest.mock.patch.dict(os.environ, PATH=f'{build}:{os.environ["PATH"]}'):
                return copy.fails('one')

    def test_run(self):
        """a test is run by meson, and its first complaint is told"""
        self.assertIsNone(self.fails({'result': 'OK'}))
        self.assertEqual(self.fails({'result': 'FAIL', 'stdout': '1..2\nok 1\nnot ok 2 - the sum\n'}), 'not ok 2 - the sum')
        self.assertEqual(self.fails({'result': 'TIMEOUT'}), 'TIMEOUT')

    def test_not_run(self):
        """a test that meson has no result of is no verdict"""
        with self.assertRaises(planted.BuildFailed):
            self.fails()


class Copy:
    """A copy of the project whose builds and tests come out as told."""

    def __init__(self, builds=True, complaint=None):
        self.builds, self.complaint, self.planted = builds, complaint, []

    def plant(self, row):
        self.planted.append(row)

    def lift(self, row):
        self.planted.remove(row)

    def compile(self, _):
        if not self.builds:
            raise planted.BuildFailed('a semicolon is missing')

    def fails(self, _):
        return self.complaint


class Seeing(unittest.TestCase):
    def tried(self, copy, **changes):
        """(exit status, what is printed) of one row."""
        report, out = mutants.Report(), io.StringIO()
        with contextlib.redirect_stdout(out):
            mutants.try_row(copy, dict(ROW, **changes), ['one'], report)
            status = report.finish()
        self.assertEqual(copy.planted, [], 'the fault was left in')
        return status, out.getvalue()

    def test_seen(self):
        """a fault that a test complains of is seen"""
        status, text = self.tried(Copy(complaint='not ok 3'))
        self.assertEqual(status, 0)
        self.assertIn('1 seen, 0 not seen\n\n1 passed, 0 failed', text)

    def test_unseen(self):
        """a fault that no test complains of fails the run"""
        status, text = self.tried(Copy())
        self.assertEqual(status, 1)
        self.assertIn('0 seen, 1 not seen\n\n0 passed, 1 failed', text)

    def test_does_not_build(self):
        """a fault that does not compile is not seen"""
        status, text = self.tried(Copy(builds=False, complaint='not ok 3'))
        self.assertEqual(status, 1)
        self.assertIn('0 seen', text)

    def test_excused(self):
        """an unseen fault with a reason passes, and fails once it is seen"""
        self.assertEqual(self.tried(Copy(), unseen='no test can')[0], 0)
        self.assertEqual(self.tried(Copy(complaint='not ok 3'), unseen='no test can')[0], 1)


if __name__ == '__main__':
    tap.main()

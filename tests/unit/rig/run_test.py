"""tests/run.py: what counts as failed."""

import contextlib
import io
import json
import re
import unittest

import tap  # noqa: F401
import run


def result(name, outcome='OK', stdout=''):
    return {'name': f'roundhouse:unit / {name}', 'result': outcome, 'stdout': stdout, 'duration': 1}


def closing(chosen, tests):
    """Exit status, and what is printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = run.summary(chosen, tests)
    return status, out.getvalue()


class Counting(unittest.TestCase):
    def test_all_good(self):
        """all that was chosen ran and passed"""
        status, text = closing(['a', 'b'], [result('a'), result('b', stdout='1..2\nok 1\nok 2\n')])
        self.assertEqual(status, 0)
        self.assertIn('2 tests chosen, 2 ran\n3 passed, 0 failed\n', text)

    def test_lost_round(self):
        """a round that left no log fails each of its tests"""
        status, text = closing(['a', 'b', 'c'], [result('a')])
        self.assertEqual(status, 1)
        self.assertIn('3 tests chosen, 1 ran\n1 passed, 2 failed\n', text)
        self.assertIn('FAILED b ', text)

    def test_nothing_chosen(self):
        """a run of no test is no success"""
        self.assertEqual(closing([], [])[0], 1)

    def test_same_name_in_two_logs(self):
        """a test that ran does not stand for one that did not"""
        status, text = closing(['a', 'b'], [result('a'), result('a')])
        self.assertEqual(status, 1)
        self.assertIn('2 tests chosen, 1 ran', text)

    def test_crashed_meson(self):
        """a log that ends in half a line counts up to there"""
        lines = [json.dumps(result('a')), json.dumps(result('b'))[:20]]
        self.assertEqual([test['name'] for test in run.read_log(lines)], ['roundhouse:unit / a'])

    def test_crash_behind_the_points(self):
        """a test that dies after its last good point has failed"""
        self.assertEqual(run.count(result('a', 'FAIL', '1..1\nok 1\n')), (1, 1, 0))

    def test_time_limit(self):
        """a test that met its time limit has failed"""
        self.assertEqual(run.count(result('a', 'TIMEOUT')), (0, 1, 0))

    def test_missing_points(self):
        """fewer points than were promised is a failure"""
        self.assertEqual(run.count(result('a', 'ERROR', '1..3\nok 1\n')), (1, 1, 0))

    def test_skip(self):
        """a skipped point is not passed, whatever its title holds"""
        self.assertEqual(run.count(result('a', 'OK', '1..2\nok 1 - bug #5 # SKIP no card\nok 2\n')), (1, 0, 1))

    def test_failed_point_in_a_good_test(self):
        """a failed point counts even if the program ended well"""
        self.assertEqual(run.count(result('a', 'OK', '1..2\nnot ok 1\nok 2\n')), (1, 1, 0))


class Rounds(unittest.TestCase):
    KNOWN = {'u': {'unit'}, 'rig-x-reference': {'rig'}, 'rig-x-roundhouse': {'rig'}, 'long-reference': {'parts'}}

    def test_each_test_in_one_round(self):
        """every chosen test is in exactly one round, the reference's before ours"""
        rounds = run.rounds_of(self.KNOWN, list(self.KNOWN))
        self.assertEqual([names for names, _, _ in rounds], [['u'], ['rig-x-reference', 'long-reference'], ['rig-x-roundhouse']])

    def test_unknown_suite(self):
        """a suite that is not there is an error"""
        with self.assertRaises(SystemExit):
            run.choose(self.KNOWN, ['nonsense'])

    def test_usage_names_every_suite(self):
        """./dev help names each suite"""
        with open(f'{tap.ROOT}/dev') as file:
            text = file.read()
        for suite in run.SUITES:
            self.assertTrue(re.search(rf'test .*\b{suite}\b', text), suite)


if __name__ == '__main__':
    tap.main()

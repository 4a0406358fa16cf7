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


def known(name, suite, parallel=True):
    return {name: {'suite': {suite}, 'is_parallel': parallel}}


class Stages(unittest.TestCase):
    KNOWN = {**known('u', 'unit'), **known('g', 'guests'), **known('rig-x-reference', 'rig'), **known('rig-x-roundhouse', 'rig'),
             **known('long-reference', 'parts')}

    def test_each_test_in_one_stage(self):
        """every chosen test is in exactly one stage: without images, with them, batches"""
        self.assertEqual(run.stages_of(self.KNOWN, list(self.KNOWN)),
                         (['u'], ['g'], ['rig-x-reference', 'rig-x-roundhouse', 'long-reference']))

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

    def test_table(self):
        """the longest tests and the seconds of each stage are told"""
        stages = run.Stages(7)
        stages.end('quick')
        text = stages.table([{**result('a'), 'duration': 3}, {**result('b'), 'duration': 40}])
        self.assertRegex(text, r'compile 7, quick 0 \(0\)\nlongest:\n +40 b\n +3 a$')


class Order(unittest.TestCase):
    KNOWN = {**known('rig-x-roundhouse', 'rig'), **known('rig-two-roundhouse', 'rig', parallel=False), **known('rig-y-roundhouse', 'rig'),
             **known('rig-x-reference', 'rig')}

    def order(self, ends):
        """What starts, when those named in `ends` end one after the other."""
        batches = run.Batches(self.KNOWN, list(self.KNOWN))
        started = []
        for end in [None, *ends]:
            if end:
                batches.running.remove(end)
            while name := batches.next():
                started.append(name)
            started.append('|')
        return started, batches

    def test_reference_first(self):
        """a batch waits for the reference's, and one with two processors for both"""
        started, batches = self.order(['rig-two-roundhouse', 'rig-y-roundhouse', 'rig-x-reference', 'rig-x-roundhouse'])
        self.assertEqual(' '.join(started), 'rig-two-roundhouse | rig-y-roundhouse rig-x-reference | | rig-x-roundhouse | |')
        self.assertFalse(batches.waiting or batches.running)

    def test_reference_not_chosen(self):
        """a batch whose reference is not to run waits for nothing"""
        batches = run.Batches(self.KNOWN, ['rig-x-roundhouse'])
        self.assertEqual(batches.next(), 'rig-x-roundhouse')
        self.assertIsNone(batches.next())


if __name__ == '__main__':
    tap.main()

"""tests/rig/scenarios/fuzz.py: what it counts, when it says that too few calls were served, and that a machine which stops is seen."""

import re
import unittest

import tap
import fuzz

LOG = """RIG: round 0 begins
FUZZ pv, seed 1, 3000 calls of each of 1 vcpus, partner 3\r
FUZZ hypercall 14.0: 300 calls, 180 served\r
FUZZ made 3000 calls in 3437 ms\r
FUZZ pvh, seed 2, 3000 calls of each of 1 vcpus, partner 2\r
FUZZ hypercall 12.7: 100 calls, 25 served\r
FUZZ pv, seed 3, 3000 calls of each of 1 vcpus, partner 5\r
FUZZ hypercall 14.0: 300 calls, 20 served\r
"""


class Served(unittest.TestCase):
    def test_tally(self):
        """calls are summed up over the guests of a kind"""
        self.assertEqual(fuzz.tally(LOG), {'pv': {'14.0': (600, 200)}, 'pvh': {'12.7': (100, 25)}})

    def test_never(self):
        """an operation that is never served is named, one that is seldom served by chance is not"""
        self.assertIn('14.0', ''.join(fuzz.too_few('pv', {'14.0': (600, 0)})))
        self.assertIn('14.0', ''.join(fuzz.too_few('pv', {'14.0': (600, 60)})))
        self.assertEqual(list(fuzz.too_few('pv', {'14.0': (600, 200)})), [])

    def test_few_calls(self):
        """a few calls say nothing"""
        self.assertEqual(list(fuzz.too_few('pv', {'14.0': (20, 0)})), [])


class Stops(unittest.TestCase):
    def test_dump(self):
        """a dump of the hypervisor is a problem at once, and a fault of ours"""
        line = '[   95.119158] *************** Roundhouse stops: other CPUs are called while lock WATCHDOG is held'
        self.assertTrue(re.search(fuzz.PROBLEM, line))
        self.assertTrue(fuzz.LOG_FAULT.search(line))


if __name__ == '__main__':
    tap.main()

"""tests/guests/run.py: when a tiny kernel's word holds."""

import importlib.util
import sys
import unittest

import tap

specification = importlib.util.spec_from_file_location('guests_run', f'{tap.ROOT}/tests/guests/run.py')
guests = importlib.util.module_from_spec(specification)
specification.loader.exec_module(guests)

GOOD = 'Test: traps\nTest result: SUCCESS\n'


def hypervisors(*words):
    """The names of what the kernels would run on, or what is said against these words."""
    before = sys.argv
    sys.argv = ['run.py', '--build', '/nonexistent', *words]
    try:
        return list(guests.hypervisors_of(guests.arguments()))
    except SystemExit as end:
        return str(end.code)
    finally:
        sys.argv = before


class Verdicts(unittest.TestCase):
    def test_success(self):
        """a kernel that says SUCCESS and switches off has passed"""
        self.assertEqual(guests.judge(GOOD, None), ('SUCCESS', ''))

    def test_crash_outranks(self):
        """a crash before or after the word SUCCESS is a crash"""
        for crash in ('*************** Roundhouse stops: reference count below 0', 'Panic on CPU 1:', 'Domain-0 crashed: #PF', 'Triple fault'):
            self.assertEqual(guests.judge(f'{GOOD}(x) {crash}\n', None)[0], 'CRASH', crash)
            self.assertEqual(guests.judge(f'{crash}\n{GOOD}', None)[0], 'CRASH', crash)

    def test_hang_outranks(self):
        """a machine that does not switch off after SUCCESS hangs"""
        self.assertEqual(guests.judge(GOOD, 'not switched off after 60 s'), ('HANG', 'not switched off after 60 s'))

    def test_silence(self):
        """a machine that switches off without a word has crashed"""
        self.assertEqual(guests.judge('booting\n', None), ('CRASH', 'no verdict'))

    def test_last_word(self):
        """the last of two words holds"""
        self.assertEqual(guests.judge(GOOD + 'Test result: FAILURE 2 checks\n', None), ('FAILURE', '2 checks'))


class Options(unittest.TestCase):
    def test_compare_with_nothing(self):
        """--compare without a reference is an error, and so is --compare with one hypervisor alone"""
        guests.PACKAGED_REFERENCE = '/nonexistent/reference'
        self.assertIn('no reference hypervisor', hypervisors('--compare'))
        self.assertIn('nothing to compare', hypervisors('--compare', '--only', 'roundhouse'))
        self.assertIn('nothing to compare', hypervisors('--reference', '/bin/true', '--only', 'roundhouse'))

    def test_compare(self):
        """with a reference, both are run"""
        both = hypervisors('--compare', '--reference', '/bin/true')
        self.assertIn('reference', both)
        self.assertIn('roundhouse', both)
        self.assertEqual(hypervisors('--only', 'roundhouse'), ['roundhouse'])
        self.assertEqual(hypervisors('--only', 'reference', '--reference', '/bin/true'), ['reference'])


if __name__ == '__main__':
    tap.main()

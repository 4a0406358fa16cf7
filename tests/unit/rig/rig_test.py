"""tests/rig: notes that may be compared with and notes that may not, limits, and what a run of nothing says."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
import types
import unittest

import tap
import hvm_guests
import machine
import notes
import rig

FOLDER = tempfile.TemporaryDirectory(prefix='rig-test-')

SCENARIO = '''
LIMIT = 5


def helper(rig):
    return LIMIT


def scenario(rig):
    """Says something."""
    rig.note('answer', helper(rig))     # a remark
'''


def module(text):
    """A module made of this text, kept in a file so that its source can be read back."""
    folder = tempfile.mkdtemp(dir=FOLDER.name)
    made = types.ModuleType(f'scenarios_{len(sys.modules)}')
    made.__file__ = f'{folder}/scenarios.py'
    with open(made.__file__, 'w') as file:
        file.write(text)
    sys.modules[made.__name__] = made
    exec(compile(text, made.__file__, 'exec'), made.__dict__)
    return made


def key(text):
    return notes.key_of(module(text).scenario)


class Keys(unittest.TestCase):
    def test_same(self):
        """the same scenario has the same key, whatever its remarks"""
        self.assertEqual(key(SCENARIO), key(SCENARIO.replace('# a remark', '').replace('Says something.', 'Says it.')))

    def test_changed(self):
        """a change of the scenario, of what it calls or of a constant changes its key"""
        for old, new in (("'answer'", "'reply'"), ('return LIMIT', 'return LIMIT + 1'), ('LIMIT = 5', 'LIMIT = 6')):
            self.assertNotEqual(key(SCENARIO), key(SCENARIO.replace(old, new)), old)

    def test_build(self):
        """other images or another reference are another key"""
        scenario, images = module(SCENARIO).scenario, tempfile.mkdtemp(dir=FOLDER.name)
        before = notes.key_of_build(images, scenario)
        for name in notes.IMAGES:
            with open(f'{images}/{name}', 'w') as file:
                file.write('another')
            after = notes.key_of_build(images, scenario)
            self.assertNotEqual(before, after, name)
            before = after

    def test_recorded_are_current(self):
        """the notes kept with the sources are of the scenarios as they are"""
        stale = []
        for batch, boots in rig.BATCHES.items():
            recorded = notes.Recorded(batch)
            scenarios = {rig.scenario_name(scenario): scenario for boot in boots for scenario in boot.scenarios}
            stale += [f'{batch}: {name}' for name in recorded.scenarios
                      if name not in scenarios or recorded.lines(name, notes.key_of(scenarios[name]))[0] is None]
        self.assertEqual(stale, [], 'record them anew on the reference: rig.py BATCH --record --only SCENARIO')


class Comparing(unittest.TestCase):
    """A run of a scenario that notes `said`, beside what the reference left."""

    def setUp(self):
        self.scenario = module(SCENARIO).scenario
        self.folder = f'{tempfile.mkdtemp(dir=FOLDER.name)}/ours'     # people name a clone after the project
        self.images = f'{self.folder}/images'
        os.makedirs(self.images)
        for name in ('reference', 'ours'):
            os.makedirs(f'{self.folder}/{name}')

    def compare(self, name, said, record=False):
        one = types.SimpleNamespace(name=name, images=self.images, evidence=self.folder, notes=[f'answer: {said}'] if said else [], record=record,
                                    recorded=notes.Recorded('batch', self.folder))
        return rig.compare(one, f'{self.folder}/{name}', self.scenario)

    def test_same(self):
        """the same notes are good"""
        self.assertIsNone(self.compare('reference', 5))
        self.assertIsNone(self.compare('ours', 5))

    def test_different(self):
        """other notes are not"""
        self.compare('reference', 5)
        self.assertIn('differs from the reference', self.compare('ours', 6))

    def test_nothing_noted(self):
        """nor is silence where the reference noted something"""
        self.compare('reference', 5)
        self.assertIn('noted 1 lines, here were 0', self.compare('ours', None))

    def test_no_reference(self):
        """nothing to compare with is a failure"""
        self.assertIn('there are no notes of the reference', self.compare('ours', 5))

    def test_older_build(self):
        """notes of another image are refused"""
        self.compare('reference', 5)
        with open(f'{self.images}/uivm.img.key', 'w') as file:
            file.write('another')
        self.assertIn('older build', self.compare('ours', 5))

    def test_without_key(self):
        """notes without a key are refused"""
        with open(f'{self.folder}/reference/scenario.notes', 'w') as file:
            file.write('answer: 5\n')
        self.assertIn('older build', self.compare('ours', 5))

    def test_recorded(self):
        """recorded notes hold while the scenario is the same, on the reference too"""
        self.compare('reference', 5, record=True)
        os.unlink(f'{self.folder}/reference/scenario.notes')
        self.assertIsNone(self.compare('ours', 5))
        self.assertIn('differs', self.compare('ours', 6))
        self.assertIn('differs', self.compare('reference', 6))
        os.unlink(f'{self.folder}/reference/scenario.notes')
        self.scenario = module(SCENARIO.replace('LIMIT = 5', 'LIMIT = 7')).scenario
        self.assertIn('older form of this scenario', self.compare('ours', 5))


class Running(unittest.TestCase):
    def test_patience(self):
        """a slow boot stretches limits, but not for ever"""
        self.assertEqual(machine.patience(1, 20), 2)
        self.assertEqual(machine.patience(60, 20), 3)
        self.assertEqual(machine.patience(100000, 20), machine.MAX_PATIENCE)

    def test_verdict_of_a_guest(self):
        """a kernel's word is found in each hypervisor's log, and nowhere else"""
        for line in ('(XEN) d3v0 Test result: SUCCESS', '(d12) Test result: SUCCESS', '[    9.1] d3v1: Test result: SUCCESS', 'Test result: SUCCESS'):
            self.assertEqual(hvm_guests.VERDICT.search(f'before\n{line}\nafter')[1], 'SUCCESS', line)
        self.assertIsNone(hvm_guests.VERDICT.search('no Test result: SUCCESS'))

    def test_nothing_ran(self):
        """a report without a result is a failure"""
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(rig.Report().finish(), 1)

    def test_unknown_scenario(self):
        """a scenario that is not there is an error"""
        before = sys.argv
        sys.argv = ['rig.py', 'hvm', '--build', 'b', '--hypervisor', 'h', '--name', 'n', '--only', 'nonsense']
        try:
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
                rig.arguments()
        finally:
            sys.argv = before
        self.assertIn('no scenario nonsense', said.getvalue())


ASSERTION = "qemu-system-x86_64: system/physmem.c:2678: iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed."


class Emulator(machine.Machine):
    """Stands for QEMU: a shell that says `words` and ends by `end`, or stays when there is none."""

    def __init__(self, evidence, words='', end=''):
        super().__init__(None, evidence)
        self.words, self.end = words, end

    def start(self, release_serial=False):
        with open(f'{self.evidence}/{self.emulator_log}', 'w') as log:
            self.process = subprocess.Popen(['sh', '-c', f'echo "$0"; {self.end or "exec sleep 100"}', self.words], stdout=log)
        self.started = time.monotonic()
        return self


class FakeBoot:
    """A boot of emulators that come up when they stay. Its one scenario says nothing."""
    name = 'fake'

    def __init__(self, *emulators):
        self.emulators, self.scenarios = list(emulators), [self.scenario]

    def machine(self, _, folder):
        return Emulator(folder, *self.emulators.pop(0))

    @staticmethod
    def ready(one):
        if one.machine.end:
            one.machine.process.wait()
            raise machine.RigError('the machine ended')

    @staticmethod
    def scenario(_):
        """Nothing."""


class SwitchingOn(unittest.TestCase):
    """What becomes of a machine whose emulator ends before it is ready."""

    def run_boot(self, *emulators):
        """(emulators that were not started, the report's failures, what was printed)."""
        boot, report = FakeBoot(*emulators), rig.Report()
        folder = tempfile.mkdtemp(dir=FOLDER.name)
        one = types.SimpleNamespace(wants=lambda _: True, notes=[], running=None, machine=None, images=folder, name='ours', record=False,
                                    evidence=folder, recorded=notes.Recorded('none', folder))
        with contextlib.redirect_stdout(io.StringIO()) as said:
            rig.run_boot(one, boot, report, f'{folder}/ours')
        return len(boot.emulators), report.failed, said.getvalue()

    def test_assertion(self):
        """an emulator that failed its own assertion is started once more, and that is told"""
        left, failed, said = self.run_boot((ASSERTION, 'kill -ABRT $$'), ())
        self.assertEqual((left, failed), (0, 0), said)
        self.assertIn(f'started once more, for the emulator ended: {ASSERTION}', said)

    def test_twice(self):
        """but only once"""
        left, failed, said = self.run_boot((ASSERTION, 'kill -ABRT $$'), (ASSERTION, 'kill -ABRT $$'), ())
        self.assertEqual((left, failed), (1, 1), said)

    def test_others(self):
        """one that ended otherwise, or said nothing of the kind, is not"""
        for words, end in (('', 'kill -ABRT $$'), (ASSERTION, 'exit 1'), ('CPU Reset (CPU 0)', 'kill -ABRT $$'), ('', 'exit 0')):
            left, failed, said = self.run_boot((words, end), ())
            self.assertEqual((left, failed), (1, 1), said)


if __name__ == '__main__':
    tap.main()

"""tests/rig/saved.py: which state a machine may go on from, and what stays of states that are kept."""

import os
import tempfile
import types
import unittest

import tap
import machine
import saved
from medium import Medium

FOLDER = tempfile.TemporaryDirectory(prefix='saved-test-')


def written(path, text):
    with open(path, 'w') as file:
        file.write(text)
    return path


class States(unittest.TestCase):
    def setUp(self):
        self.build = tempfile.mkdtemp(dir=FOLDER.name)
        for name in ('hypervisor', 'kernel', 'disk'):
            written(f'{self.build}/{name}', name)

    def machine(self, options='loglvl=all', word='quiet', **how):
        medium = Medium(f'{self.build}/hypervisor', options, f'{self.build}/kernel', word)
        made = machine.Machine(medium, f'{self.build}/evidence', [f'{self.build}/disk'], **how)
        self.addCleanup(os.rmdir, made.folder)
        made.saved = saved.Saved(self.build, 'ours', made)
        return made

    def fill(self, state, text='stream'):
        folder = f'{state.kind}/new-{text}'
        os.makedirs(folder)
        for name in (saved.STREAM, saved.MEDIUM, saved.overlay(0)):
            written(f'{folder}/{name}', text)
        return folder

    def test_same(self):
        """a machine of the same kind has the same key, wherever its own files are"""
        self.assertEqual(self.machine().saved.folder, self.machine().saved.folder)

    def test_other(self):
        """another option, image, disk or number of processors is another key"""
        seen = {self.machine(*words).saved.folder for words in ((), ('loglvl=none',), ('loglvl=all', 'verbose'))}
        seen |= {self.machine(**how).saved.folder for how in ({'smp': 2}, {'memory': 2048}, {'uefi': True})}
        for name in ('hypervisor', 'kernel', 'disk'):
            written(f'{self.build}/{name}', 'built again')
            seen.add(self.machine().saved.folder)
        self.assertEqual(len(seen), 9)

    def test_replace(self):
        """a state takes the place of another build's; of two kept at once one stays"""
        state = self.machine().saved
        os.makedirs(f'{state.kind}/of-before')
        first, second = self.fill(state, 'first'), self.fill(state, 'second')
        state.replace(first)
        state.replace(second)
        self.assertEqual(os.listdir(state.kind), [os.path.basename(state.folder)])
        with open(f'{state.folder}/{saved.STREAM}') as file:
            self.assertEqual(file.read(), 'first')

    def test_prepare(self):
        """a machine that goes on gets copies of disks and medium, and the stream to read"""
        state = self.machine().saved
        state.replace(self.fill(state))
        after = types.SimpleNamespace(folder=tempfile.mkdtemp(dir=FOLDER.name))
        again = self.machine().saved
        self.assertTrue(again.there)
        self.assertIn(f'{state.folder}/{saved.STREAM}', again.prepare(after)[1])
        self.assertEqual(sorted(os.listdir(after.folder)), sorted([saved.MEDIUM, saved.overlay(0)]))


if __name__ == '__main__':
    tap.main()

"""slot-good (uivm/image), on a real boot partition behind a loop device. Needs root."""

import os
import shutil
import subprocess
import tempfile
import unittest

import tap

PROGRAM = f'{tap.ROOT}/uivm/image/uivm.files/usr/libexec/roundhouse/slot-good'


def run(*command, **how):
    return subprocess.run(command, check=True, capture_output=True, text=True, **how).stdout.strip()


class Good(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='slot-good-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.place, self.device = f'{self.folder}/place', f'{self.folder}/boot'
        self.env = f'{self.folder}/grubenv'
        os.mkdir(self.place)
        self.make({'ORDER': 'B A', 'A_OK': 1, 'A_TRY': 2, 'B_OK': 1, 'B_TRY': 3})

    def make(self, counters, slots='ab'):
        """A boot partition, with these counters or with that text in their place."""
        tree = f'{self.folder}/tree'
        shutil.rmtree(tree, ignore_errors=True)
        os.makedirs(f'{tree}/grub')
        for slot in slots:
            os.mkdir(f'{tree}/{slot}')
            open(f'{tree}/{slot}/start.cfg', 'w').close()
        if isinstance(counters, dict):
            run('grub-editenv', f'{tree}/grub/grubenv', 'create')
            run('grub-editenv', f'{tree}/grub/grubenv', 'set', *(f'{name}={value}' for name, value in counters.items()))
        elif counters is not None:
            with open(f'{tree}/grub/grubenv', 'w') as file:
                file.write(counters)
        if os.path.exists(self.device):
            os.remove(self.device)
        run('mkfs.ext4', '-q', '-d', tree, self.device, '8M')

    def good(self, slot, **how):
        """What it said; loop devices are mount's matter."""
        return run('unshare', '-m', 'sh', '-eu', PROGRAM, slot, self.device, self.place, **how)

    def counters(self):
        if os.path.exists(self.env):
            os.remove(self.env)
        run('debugfs', '-R', f'dump /grub/grubenv {self.env}', self.device)
        self.assertEqual(os.path.getsize(self.env), 1024)
        run('e2fsck', '-fn', self.device)
        return dict(line.split('=', 1) for line in run('grub-editenv', self.env, 'list').splitlines())

    def number(self):
        return run('debugfs', '-R', 'stat /grub/grubenv', self.device).split()[1]

    def test_reset(self):
        """the slot's tries are none again; the other's stay"""
        self.assertEqual(self.good('A'), '')
        self.assertEqual(self.counters(), {'ORDER': 'B A', 'A_OK': '1', 'A_TRY': '0', 'B_OK': '1', 'B_TRY': '3'})
        self.assertEqual(self.good('B'), '')
        self.assertEqual(self.counters()['B_TRY'], '0')

    def test_bad_before(self):
        """a slot that was called bad and came up is good"""
        self.make({'ORDER': 'A B', 'A_OK': 0, 'A_TRY': 0, 'B_OK': 1, 'B_TRY': 0})
        self.good('A')
        self.assertEqual(self.counters()['A_OK'], '1')

    def test_nothing_to_do(self):
        """counters that are right are not written again"""
        self.good('A')
        before = self.number()
        self.good('A')
        self.assertEqual(self.number(), before)

    def test_damaged(self):
        """damaged counters are made anew, with this slot first; a slot that is not there is not called good"""
        for text in (None, '', 'x' * 1024, '# GRUB Environment Block\nORDER=\n' + '#' * 992, '# GRUB Environment Block\nORDER=C; x\n' + '#' * 987):
            for slots, other in (('ab', '1'), ('b', '0')):
                self.make(text, slots)
                self.assertEqual(self.good('B'), "GRUB's counters are damaged and are made anew.")
                self.assertEqual(self.counters(), {'ORDER': 'B A', 'A_OK': other, 'A_TRY': '0', 'B_OK': '1', 'B_TRY': '0'})

    def test_cut(self):
        """ended amid it, the old counters are there or the new ones; what was left from before does not matter"""
        tools = f'{self.folder}/tools'
        os.mkdir(tools)
        for name in ('sync', 'mv'):
            for left in ('sync', 'mv'):
                if os.path.exists(f'{tools}/{left}'):
                    os.remove(f'{tools}/{left}')
            with open(f'{tools}/{name}', 'w') as file:
                file.write('#!/bin/sh\nexit 1\n')
            os.chmod(f'{tools}/{name}', 0o755)
            with self.assertRaises(subprocess.CalledProcessError):
                self.good('A', env={**os.environ, 'PATH': f'{tools}:{os.environ["PATH"]}'})
            self.assertEqual(self.counters()['A_TRY'], '2')
        self.good('A')
        self.assertEqual(self.counters()['A_TRY'], '0')

    def test_words(self):
        """another slot than A and B is refused"""
        with self.assertRaises(subprocess.CalledProcessError) as raised:
            self.good('C')
        self.assertEqual(raised.exception.returncode, 2)


if __name__ == '__main__':
    os.environ['PATH'] += ':/usr/sbin:/sbin'
    missing = [name for name in ('grub-editenv', 'mkfs.ext4', 'debugfs', 'unshare') if not shutil.which(name)]
    if os.geteuid() or missing:
        print(f'1..0 # SKIP needs root, and on this machine {" ".join(missing) or "nothing more"}')
    else:
        tap.main()

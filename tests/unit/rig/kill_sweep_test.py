"""tests/rig/scenarios/kill_sweep.py judges what is there after a strike: its script runs here over programs that only pretend."""

import os
import subprocess
import tempfile
import types
import unittest

import tap
import kill_sweep
from machine import RigError

PROGRAMS = {
    'timeout': 'shift; exec "$@"',
    'roundhousectl': '[ -e $here/struck ] && exec cat $here/after; exec cat $here/before',
    'journalctl': 'read now rest </proc/uptime; echo "[    1.000000] x seat[1]: the seat manager is back"; '
                  'echo "[ ${now}0001] x seat[1]: $(cat $here/log)"; exec sleep 20',
    'systemctl': 'case $1 in show) cat $here/pid;; is-active) cat $here/active;; *) echo "what systemctl says";; esac',
}
STRIKE = kill_sweep.Strike('seatd killed', 'touch $here/struck', 'systemctl show -P MainPID seatd', 'roundhouse-seat',
                           'the seat manager is back')


class Pretended(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        for name, text in PROGRAMS.items():
            with open(f'{folder}/{name}', 'w') as program:
                program.write(f'#!/bin/bash\nhere={folder}\n{text}\n')
            os.chmod(f'{folder}/{name}', 0o755)
        self.folder = folder
        self.put(before='SLOT NAME\n  1* first running\n', after='SLOT NAME\n  1* first running\n', pid='77\n',
                 active='active\nactive\n', log='the seat manager is back')
        self.shown = None       # what is wrong with the screen
        machine = types.SimpleNamespace(patience=0.05, run=self.run_it, screenshot=lambda name: None)
        self.rig = types.SimpleNamespace(machine=machine, check=self.check)
        kill_sweep.put_script(self.rig)

    def put(self, **files):
        for name, text in files.items():
            with open(f'{self.folder}/{name}', 'w') as file:
                file.write(text)

    def check(self, condition, message):
        if not condition:
            raise RigError(message)

    def run_it(self, command, timeout=30, check=True):
        command = command.replace('/tmp/strike', f'{self.folder}/strike')
        done = subprocess.run(['bash', '-c', f'export here={self.folder}\n{command}'], text=True, capture_output=True, timeout=60,
                              env={'PATH': f'{self.folder}:{os.environ["PATH"]}'})
        return done.returncode, done.stdout + done.stderr

    def strike(self, one=STRIKE):
        return kill_sweep.strike(self.rig, kill_sweep.Place(0, None, lambda rig: self.shown), one)

    def fails(self, words):
        with self.assertRaisesRegex(RigError, words):
            self.strike()

    def test_well(self):
        """a victim that is back, with all as it was, and the time it took"""
        took, looks = self.strike()
        self.assertTrue(0 <= took < 10 and looks > 0, (took, looks))

    def test_listing(self):
        """what roundhousectl says is another thing afterwards, if only the focus"""
        self.put(after='SLOT NAME\n  1  first running\n')
        self.fails('and says:\n.*\n  1  first')

    def test_unit(self):
        """one unit of several that is not up"""
        self.put(active='active\nactivating\nactive\n')
        self.fails('what systemctl says')

    def test_sign(self):
        """nobody says that the victim is back"""
        self.put(log='something else')
        self.fails('no roundhouse-seat says "the seat manager is back"')

    def test_no_victim(self):
        """there is nothing to strike"""
        self.put(pid='0\n')
        self.fails('no process to strike')

    def test_screen(self):
        """the screen shows something else meanwhile"""
        self.shown = 'a text console'
        self.fails('a text console')


if __name__ == '__main__':
    tap.main()

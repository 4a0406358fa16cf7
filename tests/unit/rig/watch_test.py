"""tests/rig/watch.py sees a picture that is wrong for a moment, and takes no log line of before for one of after."""

import os
import subprocess
import tempfile
import threading
import types
import unittest

import tap
import watch
from machine import RigError

LOG = '''-- Journal begins at Mon 2026-11-30 05:00:00 UTC. --
[    4.123456] roundhouse roundhouse-seat[3]: slot 1: screen connected
[   12.500000] roundhouse roundhouse-seat[7]: slot 1: screen connected
[   13.000000] roundhouse roundhouse-seat[7]: slot 2: screen connected
'''


class Screen:
    """A rig whose screen shows something else at one of the looks."""

    def __init__(self, wrong_at):
        self.looks, self.wrong_at, self.reached, self.kept = 0, wrong_at, threading.Event(), []
        self.machine = types.SimpleNamespace(screenshot=self.kept.append)

    def wrong(self, _):
        self.looks += 1
        if self.looks == 5:
            self.reached.set()
        return 'a text console' if self.looks == self.wrong_at else None


class Watched(unittest.TestCase):
    def test_right(self):
        """a screen that stays as it was is looked at all the while"""
        screen = Screen(0)
        with watch.Watch(screen, screen.wrong, 'seat dies') as seen:
            screen.reached.wait(20)
        self.assertGreaterEqual(seen.looks, 5)
        self.assertEqual(screen.kept, [])

    def test_one_wrong_look(self):
        """one look at something else fails, and is kept as a picture"""
        for wrong_at in (1, 3):
            screen = Screen(wrong_at)
            with self.assertRaisesRegex(RigError, f'look {wrong_at}: a text console'):
                with watch.Watch(screen, screen.wrong, 'seat-dies') as seen:
                    seen.thread.join(20)
            self.assertEqual(screen.kept, ['seat-dies.png'])

    def test_other_failure(self):
        """what fails in between is told, and not the screen"""
        screen = Screen(1)
        with self.assertRaisesRegex(ValueError, 'first'):
            with watch.Watch(screen, screen.wrong, 'seat-dies') as seen:
                seen.thread.join(20)
                raise ValueError('first')


class Await(unittest.TestCase):
    def microseconds(self, now, text, seconds=1):
        """What the shell's function says of that log, which goes on for ever."""
        with tempfile.TemporaryDirectory() as folder:
            with open(f'{folder}/journalctl', 'w') as program:
                program.write(f"#!/bin/sh\ncat <<'END'\n{LOG}END\nexec sleep 60\n")
            os.chmod(f'{folder}/journalctl', 0o755)
            return subprocess.run(['bash', '-c', f'{watch.AWAIT}now={now}; await roundhouse-seat "{text}" {seconds}'], text=True,
                                  env={'PATH': f'{folder}:{os.environ["PATH"]}'}, capture_output=True, timeout=30).stdout.strip()

    def test_line_after(self):
        """the line after the moment counts, and the one before does not"""
        self.assertEqual(self.microseconds('5.20', 'slot 1: screen connected'), '7300000')
        self.assertEqual(self.microseconds('3.00', 'slot 1: screen connected'), '1123456')

    def test_no_line(self):
        """nothing is said where there is no line, or one of before only"""
        self.assertEqual(self.microseconds('14.00', 'slot 1: screen connected'), '')
        self.assertEqual(self.microseconds('5.20', 'slot 3: screen connected'), '')


if __name__ == '__main__':
    tap.main()

"""tests/rig/pulse.py beats while the emulator answers, and ends with it."""

import threading
import unittest

import tap
import pulse
from machine import RigError


class Monitor:
    """A control connection that refuses the first two calls, as that of a stopped machine; after `answers` calls its machine ends."""

    def __init__(self, answers):
        self.answers, self.calls, self.closed, self.reached = answers, [], False, threading.Event()

    def running(self):
        return not self.reached.is_set()

    def call(self, command, **arguments):
        self.calls.append((command, arguments))
        if len(self.calls) == self.answers:
            self.reached.set()
        if len(self.calls) < 3:
            raise RigError('VM not running')

    def close(self):
        self.closed = True


class Beats(unittest.TestCase):
    def test_ends_with_the_emulator(self):
        """a key is released, never pressed, until the emulator is gone, however often it refuses"""
        monitor = Monitor(4)
        beating = pulse.Pulse(monitor, monitor.running)
        self.assertTrue(monitor.reached.wait(20))
        beating.close()
        self.assertTrue(monitor.closed)
        self.assertEqual({command for command, _ in monitor.calls}, {'input-send-event'})
        self.assertEqual([event['data']['down'] for _, arguments in monitor.calls for event in arguments['events']], [False] * 4)

    def test_ends_when_told(self):
        """it ends when it is told to"""
        monitor = Monitor(None)
        beating = pulse.Pulse(monitor, monitor.running)
        beating.close()
        self.assertFalse(beating.thread.is_alive())
        self.assertTrue(monitor.closed)


if __name__ == '__main__':
    tap.main()

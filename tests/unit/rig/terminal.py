"""Terminals of a program under test, and who sits at them."""

import os
import pty
import select
import time


class Terminal:
    """A terminal of the machine: what it showed, and a person who types when a text is shown: [(text, line typed)]."""

    def __init__(self, typed):
        self.master, self.slave = pty.openpty()
        self.path, self.typed, self.shown, self.seen = os.ttyname(self.slave), list(typed), '', 0

    def follow(self):
        self.shown += os.read(self.master, 4096).decode()
        while self.typed and self.typed[0][0] in self.shown[self.seen:]:
            text, line = self.typed.pop(0)
            self.seen = self.shown.index(text, self.seen) + len(text)
            time.sleep(0.05)    # the echo is off by now
            os.write(self.master, line.encode() + b'\n')


def follow(program, terminals, seconds=60):
    """Lets them type until the program, whose output is a pipe, has ended: (status, output). They show nothing new afterwards."""
    deadline = time.monotonic() + seconds
    while program.poll() is None or select.select([terminal.master for terminal in terminals], [], [], 0)[0]:
        if time.monotonic() > deadline:
            program.kill()
            raise AssertionError('\n--\n'.join(['it waits:', *(terminal.shown for terminal in terminals)]))
        for terminal in terminals:
            if select.select([terminal.master], [], [], 0.02)[0]:
                terminal.follow()
    said = program.stdout.read().strip()
    program.stdout.close()
    for terminal in terminals:
        os.close(terminal.master)
        os.close(terminal.slave)
    return program.returncode, said

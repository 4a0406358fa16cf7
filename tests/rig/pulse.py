"""Wakes a machine whose emulator has lost an interrupt.

QEMU keeps what waits for a processor in one word (interrupt_request). The processor's thread clears a bit of it at each exit of an
SVM guest without a lock (do_vmexit()); an interrupt that another thread sets just then is lost, though the local APIC has it
requested. Nothing brings it back until the next interrupt of another source comes to that processor. If it was the hypervisor's
timer, a machine with one processor stands still till somebody types: seen in one of seven starts of an HVM guest, for 108 s. So a
key that is not down is released again and again: Domain-0 takes the keyboard's interrupt and makes nothing of it."""

import contextlib
import threading

SECONDS = 0.2   # Linux looks for its timer four times in half a second before it gives up
RELEASED = [{'type': 'key', 'data': {'down': False, 'key': {'type': 'qcode', 'data': 'scroll_lock'}}}]


class Pulse:
    """Beats by a control connection of its own until close(), or until running() is false."""

    def __init__(self, qmp, running):
        self.qmp, self.running, self.ended = qmp, running, threading.Event()
        self.thread = threading.Thread(target=self.beat, daemon=True)
        self.thread.start()

    def beat(self):
        while not self.ended.wait(SECONDS) and self.running():
            with contextlib.suppress(Exception):    # a machine that is stopped refuses; one that ends does so in the midst of a line
                self.qmp.call('input-send-event', events=RELEASED)

    def close(self):
        self.ended.set()
        self.thread.join(10)
        if not self.thread.is_alive():
            self.qmp.close()

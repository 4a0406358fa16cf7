"""The two machines that count instructions: QEMU with -icount, whose processor has SVM, and Bochs, whose has VT-x.

Each boots a medium until `finished(console, debug port)` and returns both. The time stamp counter advances by one for each
instruction, and the clocks by `ns_each` ns; in QEMU they jump over idle time."""

import shutil
import subprocess
import tempfile
import time

import emulator
from bochs import KERNEL_OPTIONS, SPEED, Bochs
from initramfs import contents
from machine import RigError

MEMORY = 2048 # MiB
# Ours has no mitigations of speculative execution, so the reference does without them too: else its work for them would be counted
# against it. Registers of the vector units it loads as we do; by halves they are mixed up under emulation.
OPTIONS = {'roundhouse': '', 'reference': 'spec-ctrl=no,eager-fpu'}
VTX_SLOWER = 6      # how many times as long Bochs may take


def text(path):
    return contents(path).decode(errors='replace').replace('\r', '')


class Svm:
    name = 'svm'
    ns_each = 1         # of the machine's time, for an instruction
    kernel_options = ''

    def __init__(self, out, limit):
        self.out, self.limit = out, limit

    def boot(self, name, medium, finished, processors=1):
        folder = tempfile.mkdtemp(prefix='roundhouse-bench-')
        console, port = f'{self.out}/{name}.log', f'{self.out}/{name}.port'
        medium.write(f'{folder}/boot.iso')
        open(port, 'wb').close()
        command = [*emulator.PACKAGED_MACHINE, '-smp', str(processors), '-m', str(MEMORY),
                   '-icount', 'shift=0,sleep=off', '-rtc', 'base=2022-02-22,clock=vm', '-display', 'none',
                   '-monitor', 'none', '-serial', 'stdio', '-debugcon', f'file:{port}', '-no-reboot', '-nic', 'none',
                   '-cdrom', f'{folder}/boot.iso', '-boot', 'd']
        try:
            with open(console, 'wb') as log, open(f'{self.out}/{name}.qemu', 'wb') as messages:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=messages)
                try:
                    wait(self.limit, lambda: process.poll() is None, lambda: finished(text(console), contents(port)))
                finally:
                    process.terminate()
                    process.wait()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if not finished(text(console), contents(port)):
            raise RigError(f'not finished within {self.limit} s or switched off too early; see {console}')
        return text(console), contents(port)


class Vtx:
    """Without a debug port: what is stamped with it is measured in QEMU alone."""

    name = 'vtx'
    ns_each = 1000000000 // SPEED
    kernel_options = KERNEL_OPTIONS

    def __init__(self, out, limit):
        self.out, self.limit = out, limit * VTX_SLOWER

    def boot(self, name, medium, finished):
        machine = Bochs(medium, f'{self.out}/{name}', memory=MEMORY)
        try:
            machine.start()
            wait(self.limit, machine.running, lambda: finished(machine.log(), b''))
            console = machine.log()
        finally:
            machine.stop()
        if not finished(console, b''):
            raise RigError(f'not finished within {self.limit} s or switched off too early; see {self.out}/{name}/serial.log')
        return console, b''


def wait(limit, running, done):
    deadline = time.monotonic() + limit
    while running() and time.monotonic() < deadline and not done():
        time.sleep(0.3)

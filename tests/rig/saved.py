"""A booted machine, kept beside the build so that others of the same kind go on from it and need not boot again.

A state is the emulator's own migration stream, with the disks' changes and the boot medium beside it. Its key is made of all
that the machine was made of, so a state of anything else is never gone on from; one state is kept for each kind of machine.
Whoever comes first boots and keeps the state. It is sound where nothing runs yet but Domain-0 and the toolstack, and for time:
the emulated clocks go on from where they stood."""

import hashlib
import json
import os
import shutil
import subprocess
import time

from machine import MAX_PATIENCE, RigError, overlay

SOURCES = ('machine.py', 'emulator.py', 'boots.py', 'saved.py', '../../installer/media/medium.py')
STREAM, MEDIUM, ABOUT = 'stream', 'boot.iso', 'about.json'
LIMIT = 120     # seconds for writing or reading the stream
# A machine that goes on has not shown how fast this host is now: it was perhaps alone when it booted.
LEAST_PATIENCE = 4


class Saved:
    """The state that belongs to a machine not started yet; `folder` holds it if `there`."""

    def __init__(self, build, name, machine):
        self.kind = f'{build}/states/{name}-{machine.smp}-{len(machine.disks)}'
        self.folder = f'{self.kind}/{key_of(machine)}'
        self.there = os.path.exists(self.folder)

    def prepare(self, machine):
        """What the machine starts from, in its folder. Returns the emulator's arguments for going on."""
        if not self.there:
            machine.make_medium()
            for number, disk in enumerate(machine.disks):
                make_overlay(disk, f'{machine.folder}/{overlay(number)}')
            return []
        for name in os.listdir(self.folder):
            if name != STREAM:
                shutil.copy(f'{self.folder}/{name}', machine.folder)
        return ['-incoming', f'exec:cat {self.folder}/{STREAM}']

    def go_on(self, machine):
        """Lets the machine run from where its like was kept."""
        wait_migrated(machine)
        machine.qmp.call('cont')
        with open(f'{self.folder}/{ABOUT}') as file:
            machine.patience = max(json.load(file)['patience'], LEAST_PATIENCE)
        machine.takes_commands = True

    def keep(self, machine):
        """Writes the state of a running machine, which goes on afterwards."""
        new = f'{self.kind}/new-{os.getpid()}'
        os.makedirs(new)
        machine.qmp.call('stop')
        machine.qmp.call('migrate-set-parameters', **{'max-bandwidth': 1 << 40})
        machine.qmp.call('migrate', uri=f'exec:cat >{new}/{STREAM}')
        wait_migrated(machine)
        for name in [MEDIUM, *(overlay(number) for number in range(len(machine.disks)))]:
            shutil.copy(f'{machine.folder}/{name}', new)
        machine.qmp.call('cont')
        with open(f'{new}/{ABOUT}', 'w') as file:
            json.dump({'patience': min(machine.patience, MAX_PATIENCE)}, file)
        self.replace(new)

    def replace(self, new):
        """The state of before, of another build, goes; one that somebody else has kept meanwhile is as good as ours."""
        for name in os.listdir(self.kind):
            path = f'{self.kind}/{name}'
            if path not in (new, self.folder) and not name.startswith('new-'):
                shutil.rmtree(path, ignore_errors=True)
        try:
            os.rename(new, self.folder)
        except OSError:
            shutil.rmtree(new)


def make_overlay(disk, path):
    """A disk's changes in a file of the machine's own; the disk itself is never written."""
    made = subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', os.path.abspath(disk), path],
                          capture_output=True, text=True)
    if made.returncode:
        raise RigError(f'qemu-img: {made.stderr}')


def wait_migrated(machine):
    deadline = time.monotonic() + LIMIT
    while (status := machine.qmp.call('query-migrate').get('status')) != 'completed':
        if status == 'failed' or time.monotonic() > deadline:
            raise RigError(f"the machine's state is {status} and not completed")
        time.sleep(0.1)


def key_of(machine):
    """One word for all that the machine is made of: images, options, the emulator, and the rig's way to start it."""
    medium, here = machine.medium, os.path.dirname(os.path.abspath(__file__))
    parts = [argument.replace(machine.folder, '') for argument in machine.command(False)]
    parts.append(medium.config())
    parts.append(subprocess.run([machine.qemu[0], '--version'], capture_output=True, text=True).stdout)
    for path in [*medium.files(), *machine.disks, *(f'{here}/{name}' for name in SOURCES)]:
        there = os.stat(path)
        parts.append(f'{os.path.abspath(path)} {there.st_size} {there.st_mtime_ns}')
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]

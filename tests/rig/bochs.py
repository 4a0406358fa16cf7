"""A machine in Bochs instead of QEMU: an Intel processor with VT-x, EPT and SMAP, which QEMU does not emulate.

The same scenarios run on it through the same console; there is no QMP, so no screenshots and no input but the console's.
It is slow (about a tenth of QEMU): one processor, one instance at a time. Its clock counts instructions, so a busy host
makes a run longer and changes nothing else.

Run by itself it boots a hypervisor with a Domain-0 and waits for lines on the console; see --help."""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

from machine import Machine, RigError
from medium import HYPERVISOR_OPTIONS, Medium

BIOS = '/usr/share/bochs/BIOS-bochs-latest'
VIDEO_BIOS = '/usr/share/bochs/VGABIOS-lgpl-latest'
MODEL = 'corei7_skylake_x'      # VT-x, EPT, VPID, unrestricted guest, SMEP, SMAP
# For kernels in Bochs: its XSAVEC writes the AVX part over the header of the area when x87 and SSE are at rest and AVX is
# not, so a Linux that saves by it loses processes. (No hypervisor is in that: one program's XSAVEC and XRSTOR show it.)
KERNEL_OPTIONS = 'clearcpuid=xsavec'
# Simulated instructions per simulated second. Fewer make timers come often between instructions: slower, nothing gained.
SPEED = 50000000

# Its messages of guests' errors are off: each is written at once, and a guest that faults in a loop would wait for them.
CONFIGURATION = '''plugin_ctrl: unmapped=1, biosdev=1, speaker=0, serial=1
cpu: model={model}, count=1, ips={speed}, reset_on_triple_fault=0
memory: guest={memory}, host={memory}
romimage: file={bios}
vgaromimage: file={video_bios}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={folder}/boot.iso, status=inserted
{disks}boot: cdrom
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
display_library: x
clock: sync=none
log: {folder}/bochs.log
panic: action=report
error: action=ignore
info: action=ignore
'''
DISK_PLACES = ['ata0-slave', 'ata1-master', 'ata1-slave']


class Bochs(Machine):
    """A running Bochs. Leaves serial.log and Bochs's own messages (bochs.log, bochs.out) in `evidence`."""

    emulator_log = 'bochs.out'

    def __init__(self, medium, evidence, disks=(), memory=2048):
        if len(disks) > len(DISK_PLACES):
            raise RigError(f'Bochs takes {len(DISK_PLACES)} disks beside the boot medium, not {len(disks)}')
        super().__init__(medium, evidence, disks, memory=memory)
        self.patience = 20
        self.screen_server = None

    def start(self, release_serial=False):
        self.make_medium()
        open(self.serial_path, 'wb').close()
        listener = socket.create_server(('127.0.0.1', 0))
        self.configure(listener.getsockname()[1])
        display = self.start_screen()
        with open(f'{self.evidence}/{self.emulator_log}', 'wb') as log:
            self.process = subprocess.Popen(
                ['bochs', '-q', '-f', f'{self.folder}/bochsrc', '-rc', f'{self.folder}/commands'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, 'DISPLAY': display})
        self.started = time.monotonic()
        self.serial = self.accept(listener)
        threading.Thread(target=self.keep_log, daemon=True).start()
        return self

    def configure(self, port):
        disks = ''
        for place, disk in zip(DISK_PLACES, self.disks):
            controller = place.split('-')[0]
            if controller == 'ata1' and 'ata1:' not in disks:
                disks += 'ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15\n'
            # volatile: what is written goes to a file of its own, which Bochs removes.
            disks += f'{place}: type=disk, path={os.path.abspath(disk)}, mode=volatile, ' \
                     f'journal={self.folder}/{place}.writes\n'
        with open(f'{self.folder}/bochsrc', 'w') as file:
            file.write(CONFIGURATION.format(model=MODEL, speed=SPEED, memory=self.memory, bios=BIOS,
                                            video_bios=VIDEO_BIOS, folder=self.folder, disks=disks, port=port))
        with open(f'{self.folder}/commands', 'w') as file:
            file.write('c\n')           # Debian's build starts in its debugger

    def start_screen(self):
        """An X server in memory: Debian's Bochs has no display that shows nothing. Returns its name."""
        read, write = os.pipe()
        with open(f'{self.evidence}/xvfb.log', 'wb') as log:
            self.screen_server = subprocess.Popen(['Xvfb', '-displayfd', str(write), '-nolisten', 'tcp'],
                                                  pass_fds=[write], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.close(write)
        with os.fdopen(read) as number:
            display = number.readline().strip()
        if not display:
            raise RigError(f'Xvfb did not start; see {self.evidence}/xvfb.log')
        return f':{display}'

    def accept(self, listener):
        listener.settimeout(1)
        with listener:
            while self.running():
                try:
                    connection = listener.accept()[0]
                    connection.settimeout(None)
                    return connection
                except socket.timeout:
                    pass
        with open(f'{self.evidence}/{self.emulator_log}', errors='replace') as log:
            raise RigError(f'Bochs did not start: {log.read()[-1500:]}')

    def stop(self):
        try:
            shutil.copy(f'{self.folder}/bochs.log', self.evidence)
        except FileNotFoundError:
            pass
        super().stop()
        if self.screen_server:
            self.screen_server.terminate()
            self.screen_server.wait()


def arguments():
    parser = argparse.ArgumentParser(description='Boots a hypervisor in Bochs and waits for lines on its console.')
    parser.add_argument('hypervisor')
    parser.add_argument('--kernel', help='of Domain-0; without one the hypervisor is started alone')
    parser.add_argument('--initrd')
    parser.add_argument('--disk', action='append', default=[])
    parser.add_argument('--options', default='', help='more words for the hypervisor')
    parser.add_argument('--dom0', default='console=hvc0', help='command line of Domain-0')
    parser.add_argument('--memory', type=int, default=2048, help='MiB')
    parser.add_argument('--expect', action='append', default=[], metavar='PATTERN', help='in this order')
    parser.add_argument('--fail', default=r'Panic|PANIC|panic on CPU|Kernel panic')
    parser.add_argument('--timeout', type=float, default=600, help='seconds for all of it')
    parser.add_argument('--evidence', default='bochs-evidence', help='folder for the logs')
    return parser.parse_args()


def main():
    options = arguments()
    medium = Medium(options.hypervisor, f'{HYPERVISOR_OPTIONS} {options.options}'.strip(), options.kernel, options.dom0, options.initrd)
    machine = Bochs(medium, options.evidence, options.disk, options.memory)
    try:
        machine.start()
        for pattern in options.expect:
            found = machine.expect(pattern, max(1, options.timeout - machine.age()), options.fail)
            print(f'{machine.age():6.0f} s: {found.group(0)}', flush=True)
    except RigError as error:
        sys.exit(f'bochs: {error}')
    finally:
        machine.stop()


if __name__ == '__main__':
    main()

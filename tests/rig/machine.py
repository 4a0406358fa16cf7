"""One emulated machine: QEMU, its serial console and its QMP socket.

`./dev run` and every rig scenario start machines through this file, so the flags are in one place.
docs/testing.md gives the reason of each flag."""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'installer', 'media'))
import emulator
from medium import DOM0_OPTIONS, HYPERVISOR_OPTIONS, Medium, MediumError
from pulse import Pulse

FIRMWARE = '/usr/share/OVMF/OVMF_CODE.fd'
# Under TCG the reference's lazy switching of vector registers mixes up those of Domain-0 and of a guest.
REFERENCE_OPTIONS = 'spec-ctrl=eager-fpu'


# Time limits are for an idle machine. A slow boot stretches them, but no further than this: beyond it, slow is wrong.
MAX_PATIENCE = 10


def patience(seconds, idle):
    """How far limits are stretched where something took `seconds` that takes `idle` seconds on an idle machine."""
    return min(max(2, seconds / idle), MAX_PATIENCE)


class RigError(Exception):
    """A step of a scenario did not happen in time or came out wrong."""


def standard_medium(images, hypervisor, dom0_extra=''):
    """What the product starts from, with more words for Domain-0."""
    extra = f' {REFERENCE_OPTIONS}' if os.path.basename(hypervisor) == 'reference.elf' else ''
    return Medium(hypervisor, f'{HYPERVISOR_OPTIONS}{extra}', f'{images}/uivm.img.vmlinuz', f'{DOM0_OPTIONS} {dom0_extra}'.strip(),
                  f'{images}/uivm.img.initrd')


# QEMU, 7.2 and 10.0, loses bits of what it knows of processor 0 when another one loads FPU state meanwhile (cpu_clear_ignne() changes a
# word of processor 0 without a lock). Only a processor that enters and leaves SVM guests changes that word otherwise: its
# next exit then ends in a triple fault, or no interrupt reaches it any more. So PVH and HVM guests are kept off it by their
# affinity: roundhoused is told so by its environment, from Domain-0's command line, and xl by its settings, at login.
MANY_PROCESSORS = 'systemd.setenv=ROUNDHOUSE_HVM_FIRST_CPU=1'
XL_OF_MANY_PROCESSORS = 'vm.hvm.cpumask="all,^0"'


def overlay(number):
    """Name of what is changed on a disk of a machine that has a saved state."""
    return f'disk{number}.qcow2'


class Machine:
    """A running machine. Leaves serial.log, screenshots and QEMU's own messages in `evidence`. `qemu` is the beginning of its command
    line (emulator.py)."""

    emulator_log = 'qemu.log'

    def __init__(self, medium, evidence, disks=(), smp=1, memory=4096, uefi=False, video='std',
                 display='none', extra=(), qemu=emulator.PACKAGED_MACHINE):
        os.makedirs(evidence, exist_ok=True)
        self.evidence = evidence
        self.folder = tempfile.mkdtemp(prefix='roundhouse-')
        self.serial_path = f'{evidence}/serial.log'
        self.medium, self.disks, self.smp, self.memory = medium, disks, smp, memory
        self.uefi, self.video, self.display, self.extra, self.qemu = uefi, video, display, list(extra), qemu
        if smp > 1:
            medium.kernel_options += f' {MANY_PROCESSORS}'
        self.process = self.serial = self.qmp = self.pulse = None
        self.reads_console = threading.Event()
        self.reads_console.set()
        self.position = 0       # how far into serial.log `expect` has looked
        self.sequence = 0
        self.patience = 2       # stretches time limits; set by how long the boot took
        self.takes_commands = False     # whether run() can be used: since login()
        self.saved = None       # saved.Saved: the state to go on from, or to be kept as

    def command(self, release_serial):
        # A person may come to the console late or never, so QEMU keeps the log. (A slow reader makes QEMU repeat
        # characters in its log, so the rig keeps its own.)
        console = f'wait=off,logfile={self.serial_path}' if release_serial else 'wait=on'
        arguments = [*self.qemu,
                     '-smp', str(self.smp), '-m', str(self.memory), '-display', self.display,
                     '-monitor', 'none', '-no-reboot', '-d', 'cpu_reset',
                     '-chardev', f'socket,id=serial,path={self.folder}/serial,server=on,{console}',
                     '-serial', 'chardev:serial', '-qmp', f'unix:{self.folder}/qmp,server=on,wait=off',
                     '-qmp', f'unix:{self.folder}/pulse,server=on,wait=off',
                     '-device', 'ahci,id=ahci', '-device', 'qemu-xhci', '-device', 'usb-tablet',
                     '-nic', 'user,model=e1000e']
        arguments += {'std': ['-vga', 'std'], 'virtio': ['-vga', 'none', '-device', 'virtio-vga,iommu_platform=on,disable-legacy=on']}[self.video]
        if self.uefi:
            arguments += ['-drive', f'if=pflash,format=raw,readonly=on,file={FIRMWARE}']
        for number, disk in enumerate(self.disks):
            file = f'{self.folder}/{overlay(number)},format=qcow2' if self.saved else f'{disk},format=raw,snapshot=on'
            arguments += ['-drive', f'file={file},if=none,id=disk{number}',
                          '-device', f'ide-hd,drive=disk{number},bus=ahci.{number},serial=disk{number}']
        return arguments + self.boot_drive() + self.extra

    def boot_drive(self):
        """The drive that firmware starts from: a CD."""
        return ['-drive', f'file={self.folder}/boot.iso,format=raw,if=none,media=cdrom,id=boot',
                '-device', 'ide-cd,drive=boot,bus=ahci.5,bootindex=0']

    def make_medium(self):
        """What it starts from, in its folder."""
        try:
            self.medium.write(f'{self.folder}/boot.iso')
        except MediumError as error:
            raise RigError(str(error)) from None

    def start(self, release_serial=False):
        """Starts QEMU. `release_serial` leaves the serial socket free for a person."""
        if self.saved:
            self.extra += self.saved.prepare(self)
        else:
            self.make_medium()
        open(self.serial_path, 'wb').close()
        with open(f'{self.evidence}/{self.emulator_log}', 'wb') as log:
            self.process = subprocess.Popen(self.command(release_serial),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.started = time.monotonic()
        if not release_serial:
            self.serial = self.connect(f'{self.folder}/serial')
            threading.Thread(target=self.keep_log, daemon=True).start()
        self.qmp = Qmp(self, f'{self.folder}/qmp')
        self.pulse = Pulse(Qmp(self, f'{self.folder}/pulse'), self.running)
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for connection in (self.serial, self.pulse, self.qmp):
            if connection:
                connection.close()
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def end_reason(self):
        """Why QEMU ended, as its last SHUTDOWN event says: guest-shutdown, guest-reset, ..."""
        return self.qmp.end_reason()

    def account_of_end(self):
        """What is known of an end that nobody asked for: the end of the console, the emulator's words and its status."""
        status = self.process.wait()
        with open(f'{self.evidence}/{self.emulator_log}', errors='replace') as log:
            words = [line for line in log.read().splitlines() if line and '=' not in line[:8]]     # registers at each reset
        return '\n'.join(['the end of the console:', *self.log().splitlines()[-30:], 'the end of what the emulator said:', *words[-10:],
                          f'it ended by signal {-status}' if status < 0 else f'it ended with status {status}'])

    def emulators_fault(self):
        """The assertion of its own that ended QEMU, or None: guests cannot be what is wrong then. Seen of version 10 with two
        processors: iotlb_to_section() finds no section, while Linux moves a device's memory."""
        if self.process.poll() != -signal.SIGABRT:
            return None
        with open(f'{self.evidence}/{self.emulator_log}', errors='replace') as log:
            found = re.search(r'^qemu\S*: .*Assertion .* failed\.$', log.read(), re.M)
        return found and found[0]

    def age(self):
        return time.monotonic() - self.started

    def busy(self):
        """Seconds of processor that the emulator took so far; 0 when it has ended."""
        try:
            with open(f'/proc/{self.process.pid}/stat') as file:
                user, system = file.read().rpartition(')')[2].split()[11:13]
        except OSError:
            return 0
        return (int(user) + int(system)) / os.sysconf('SC_CLK_TCK')

    def running(self):
        return self.process.poll() is None

    def connect(self, path):
        for _ in range(200):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(path)
                return connection
            except OSError:
                connection.close()
                if not self.running():
                    break
                time.sleep(0.1)
        with open(f'{self.evidence}/{self.emulator_log}', errors='replace') as log:
            raise RigError(f'QEMU did not start: {log.read()[-1500:]}')

    # --- serial console ---

    def keep_log(self):
        with open(self.serial_path, 'ab', buffering=0) as log:
            try:
                while self.reads_console.wait() and (data := self.serial.recv(65536)):
                    log.write(data)
            except OSError:
                pass

    def log(self):
        with open(self.serial_path, 'rb') as log:
            return log.read().decode(errors='replace').replace('\r', '')

    def expect(self, pattern, timeout, fail=None):
        """Waits until `pattern` is printed after the last match; returns the match. `fail` ends the wait early."""
        deadline = time.monotonic() + timeout
        while True:
            alive = self.running()
            text = self.log()[self.position:]
            found = re.search(pattern, text, re.M)
            if found:
                self.position += found.end()
                return found
            if fail and (bad := re.search(fail, text, re.M)):
                raise RigError(f'the console said "{bad.group(0)}" while waiting for "{pattern}"')
            if not alive:
                raise RigError(f'the machine ended while waiting for "{pattern}"\n{self.account_of_end()}')
            if time.monotonic() > deadline:
                tail = '\n'.join(text.splitlines()[-12:])
                raise RigError(f'"{pattern}" was not printed within {timeout:.0f} s; last lines:\n{tail}')
            time.sleep(0.2)

    def wait_off(self, timeout):
        deadline = time.monotonic() + timeout
        while self.running():
            if time.monotonic() > deadline:
                raise RigError(f'the machine did not switch off within {timeout:.0f} s')
            time.sleep(0.2)

    def type(self, text):
        """Types on the console. The receive buffers on the way are as small as 16 characters and nothing holds the
        sender back, so each piece waits for its echo."""
        for piece in re.findall(r'.{1,14}\n?|\n', text):
            start = os.path.getsize(self.serial_path)
            self.serial.sendall(piece.encode())
            deadline = time.monotonic() + 5
            while piece.strip() not in self.log_from(start) and time.monotonic() < deadline:
                time.sleep(0.01)

    def log_from(self, offset):
        with open(self.serial_path, 'rb') as log:
            log.seek(offset)
            return log.read().decode(errors='replace').replace('\r', '')

    def login(self, timeout=300):
        """Waits for Domain-0's shell and teaches it to run commands that come in base64."""
        self.expect(r'root@roundhouse[^\n]*# ?$', timeout, fail=r'Panic|PANIC|panic on CPU|Kernel panic')
        self.type('PS1= PS2= exec sh\n')    # dash: no line editor
        self.patience = patience(self.age(), 20)
        self.type('dmesg -n 1; stty cols 500\n')
        # Few processes: under emulation, beside a busy guest, each costs seconds.
        self.type('f() { echo "@$1"begin; gzip -c /tmp/.out | base64 -w 100; echo "@$1"end $rc; }\n')
        self.type('r() { while read -r l && [ "$l" ]; do echo "$l"; done >/tmp/.in; base64 -d /tmp/.in >/tmp/.cmd; '
                  'bash /tmp/.cmd </dev/null >/tmp/.out 2>&1; rc=$?; f $1; }\n')
        self.run(f"echo '{XL_OF_MANY_PROCESSORS}' >>/etc/xen/xl.conf" if self.smp > 1 else 'true')
        self.takes_commands = True

    def run(self, command, timeout=30, check=True):
        """Runs a command in Domain-0; returns its output (both streams). A non-zero status raises when `check`.
        `timeout` is what an idle test machine needs; it is stretched by how slow this machine came up."""
        self.sequence += 1
        mark = f'{self.sequence:04d}'
        lines = re.findall('.{1,72}', base64.b64encode(command.encode()).decode())
        self.type('\n'.join([f'r {mark}0', *lines, '', '']))
        for attempt in range(5):
            output = self.fetch(f'{mark}{attempt}', timeout * self.patience)
            if output is not None:
                status, text = output
                if check and status:
                    raise RigError(f'"{command}" ended with status {status}:\n{text[-1500:]}')
                return text if check else (status, text)
            self.type(f'f {mark}{attempt + 1}\n')
        raise RigError(f'the output of "{command}" came through damaged five times')

    def fetch(self, mark, timeout):
        """Status and output of a command, or None if other console lines came between. Its output is compressed,
        which also checks it, and in base64."""
        self.expect(f'^@{mark}begin$', timeout)
        start = self.position
        end = self.expect(rf'^@{mark}end (\d+)\n', 60 * self.patience)
        body = self.log()[start:self.position]
        encoded = ''.join(re.findall(r'^([A-Za-z0-9+/=]+)$', body, re.M))
        try:
            text = zlib.decompress(base64.b64decode(encoded), 31)
        except (ValueError, zlib.error):
            return None
        return int(end.group(1)), text.decode(errors='replace')

    # --- screen and input ---

    def screenshot(self, name):
        path = os.path.abspath(f'{self.evidence}/{name}')
        self.qmp.call('screendump', filename=path, format='png')
        return path

    def screen(self):
        """The screen as (width, height, RGB bytes)."""
        path = f'{self.folder}/screen.ppm'
        self.qmp.call('screendump', filename=path)
        with open(path, 'rb') as file:
            data = file.read()
        header = re.match(rb'P6\n(\d+) (\d+)\n255\n', data)
        return int(header.group(1)), int(header.group(2)), data[header.end():]

    def key(self, *names, pause=0.15):
        """Presses the named keys (QEMU's qcodes) in order and releases them in reverse."""
        for down, order in ((True, names), (False, names[::-1])):
            for name in order:
                self.key_event(name, down)
                time.sleep(pause)

    def key_event(self, name, down):
        self.qmp.call('input-send-event', events=[
            {'type': 'key', 'data': {'down': down, 'key': {'type': 'qcode', 'data': name}}}])

    def pointer(self, x, y):
        """Moves the tablet to (x, y), each 0..32767."""
        self.qmp.call('input-send-event', events=[
            {'type': 'abs', 'data': {'axis': axis, 'value': value}} for axis, value in (('x', x), ('y', y))])


class Qmp:
    """QEMU's control socket."""

    def __init__(self, machine, path):
        self.connection = machine.connect(path)
        self.stream = self.connection.makefile('rw', encoding='utf-8')
        self.stream.readline()
        self.call('qmp_capabilities')

    def close(self):
        with contextlib.suppress(BrokenPipeError):      # what it had not taken when it ended
            self.stream.close()
        self.connection.close()

    def end_reason(self):
        reason = 'nothing that it told'
        for line in self.stream:
            event = json.loads(line)
            if event.get('event') == 'SHUTDOWN':
                reason = event['data']['reason']
        return reason

    def call(self, command, **arguments):
        try:
            self.stream.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
            self.stream.flush()
        except BrokenPipeError:
            raise RigError(f'QEMU had ended before {command}') from None
        while True:
            line = self.stream.readline()
            if not line:
                raise RigError(f'QEMU went away during {command}')
            reply = json.loads(line)
            if 'error' in reply:
                raise RigError(f'QMP {command}: {reply["error"]["desc"]}')
            if 'return' in reply:
                return reply['return']

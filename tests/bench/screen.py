"""The machine with a screen: from power-on to the switcher on it, and from a hotkey to the frame that answers it.

Its clocks advance one nanosecond for each instruction while the processor works, and as the host's do while it rests: otherwise
they would run ahead between two looks at the screen. When the switcher is there is read from outside, by the machine's PM timer and
its clock of the day, while it stands still; how long a frame takes, Domain-0's kernel tells, and how long a killed service, the logs."""

import os
import re
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, '..', 'rig'), os.path.join(HERE, '..', 'rig', 'scenarios')]

import medium
import pictures
import switch
from guests import tests_disk
from machine import Machine, RigError
from watch import seconds_until, struck

COUNTING = ['-icount', 'shift=0', '-rtc', 'base=2022-02-22,clock=vm']
MEMORY, DOMAIN0_MEMORY = 2048, 1024     # MiB; the product's Domain-0
# The same programs with and without a hypervisor: no toolstack, and so no service that asks it for guests.
UNITS = 'systemd.unit=roundhouse-picture.target systemd.mask=roundhoused.service systemd.wants=developer-console.service'
PM_TIMER, PM_TIMER_HZ, PM_TIMER_WRAP = 0x608, 3579545, 1 << 24
# Domain-0's kernel says when it took the keyboard's interrupt and when a frame was on the screen, to the microsecond.
TRACING = '/sys/kernel/tracing'
TRACED = f"""mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}; cd {TRACING}; echo mono >trace_clock
echo 'name == "i8042"' >events/irq/irq_handler_entry/filter
echo 1 >events/irq/irq_handler_entry/enable; echo 1 >events/drm/drm_vblank_event_delivered/enable"""
EVENT = re.compile(r' (\d+\.\d+): (\w+):')
LOOK_EVERY, KEY_HELD, SETTLED = 0.1, 0.1, 1
FLIPS, KILLS = 7, 3


class BareMedium:
    """Starts the service VM's kernel without a hypervisor, with the memory that Domain-0 has. Its table of file systems asks for the
    hypervisor's, which is not there."""

    def __init__(self, images, words):
        self.images = images
        self.options = f'{medium.DOM0_OPTIONS} {words} fstab=no mem={DOMAIN0_MEMORY}M'.replace('console=hvc0', 'console=ttyS0')

    def write(self, path):
        config = f'set timeout=0\ninsmod all_video\nmenuentry bare {{\n  linux /boot/kernel {self.options}\n  initrd /boot/ramdisk\n}}\n'
        medium.write(path, config, {'boot/kernel': f'{self.images}/uivm.img.vmlinuz', 'boot/ramdisk': f'{self.images}/uivm.img.initrd'})


class Screen:
    """A running machine, and what is on its screen."""

    def __init__(self, start_from, evidence, disks):
        self.machine = Machine(start_from, evidence, disks, memory=MEMORY, extra=COUNTING)

    def __enter__(self):
        self.machine.start()
        self.machine.pulse.close()      # its guests need no SVM, and it would be counted
        self.machine.pulse = None
        return self

    def __exit__(self, *_):
        self.machine.stop()

    def monitor(self, command):
        """The last number of what QEMU's monitor answers."""
        return int(self.machine.qmp.call('human-monitor-command', **{'command-line': command}).split()[-1], 0)

    def clock(self):
        """Nanoseconds since power-on. The PM timer is exact and soon begins anew; the clock of the day says how often it has."""
        self.machine.qmp.call('stop')
        day = self.machine.qmp.call('qom-get', path='/machine', property='rtc-time')
        ticks = self.monitor(f'i /xw {PM_TIMER:#x}')
        self.machine.qmp.call('cont')
        seconds = day['tm_hour'] * 3600 + day['tm_min'] * 60 + day['tm_sec']
        turns = round((seconds + 0.5 - ticks / PM_TIMER_HZ) * PM_TIMER_HZ / PM_TIMER_WRAP)
        return round((turns * PM_TIMER_WRAP + ticks) / PM_TIMER_HZ * 1e9)

    def wait_for_switcher(self, limit):
        """When it was first seen, on the machine's clock."""
        while not pictures.is_switcher(pictures.stage(*self.machine.screen())):
            if self.machine.age() > limit:
                raise RigError(f'no switcher within {limit} s: {self.machine.screenshot("no-switcher.png")}')
            if not self.machine.running():
                raise RigError(f'the machine ended: {self.machine.account_of_end()}')
            time.sleep(LOOK_EVERY)
        return self.clock()

    def hotkey(self, slot, right, before=''):
        """Presses Ctrl, Alt and the slot's key, runs `before` in Domain-0 ahead of the last, and waits until the screen is right."""
        keys = ('ctrl', 'alt', slot)
        for name in keys:
            if name == slot and before:
                self.machine.run(before)
            self.machine.key_event(name, True)
            time.sleep(KEY_HELD)
        deadline = time.monotonic() + 60
        while not right(self.machine.screen()):
            if time.monotonic() > deadline:
                raise RigError(f'the hotkey does not bring the picture: {self.machine.screenshot("no-picture.png")}')
            time.sleep(LOOK_EVERY)
        for name in keys[::-1]:
            self.machine.key_event(name, False)
            time.sleep(KEY_HELD)

    def flip(self):
        """To the guest and back; returns ns from the interrupt of the last key in Domain-0 to the next frame, which is the switcher's: a
        guest that rests draws next to nothing, and the median passes that over. The other way the switcher's own frames, which are under
        way when the key comes, stand between."""
        self.hotkey('1', is_guest)
        time.sleep(SETTLED)
        self.hotkey('0', is_switcher, before=f'cd {TRACING}; echo 0 >tracing_on; echo >trace; echo 1 >tracing_on')
        events = [(float(when), what) for when, what in EVENT.findall(self.machine.run(f'cat {TRACING}/trace'))]
        key = next((when for when, what in events if what == 'irq_handler_entry'), None)
        frame = next((when for when, what in events if what == 'drm_vblank_event_delivered' and key and when > key), None)
        if not frame:
            raise RigError(f'Domain-0 saw no key or no frame: {events}')
        return round((frame - key) * 1e9)


    def killed(self, command, unit, sign):
        """ns from the death of a service under a guest's picture to the line in a unit's log that says that its work goes on."""
        self.hotkey('1', is_guest)
        switch.next_seat(self)
        return round(seconds_until(self, unit, sign, struck(self, *command)) * 1e9)


# Which figure: what is killed, whose log tells that its work goes on, and how.
DEATHS = {'seat_back': (switch.KILL_SEAT, 'roundhouse-seat', switch.GUEST_BACK['first']),
          'seatd_back': (switch.kill_unit('seatd'), 'roundhouse-seat', 'the seat manager is back'),
          'roundhoused_back': (switch.kill_unit('manager'), 'manager', 'ready as org.roundhouse.Manager1'),
          'ui_back': (switch.kill_unit('roundhouse-ui'), 'roundhouse-seat', 'the interface is connected')}


def start_guest(machine):
    """A small guest that draws, in slot 1: toolstack and roundhoused were left out of the start. What the kernel's command line
    masks stays masked, so the service gets a second name."""
    machine.type('\n')      # the shell is there since long; a kernel's message may have come behind its prompt
    machine.login()
    machine.run('rm -f /etc/roundhouse/guests/*.conf; systemctl start roundhouse-toolstack.target; '
                'mount -o ro LABEL=roundhouse-tests /mnt; cd /run/systemd/system; cp /etc/systemd/system/roundhoused.service manager.service', 60)
    machine.run(f"cat >/etc/roundhouse/guests/first.conf <<'END'\n{switch.definition('first', 1)}\nEND\nsystemctl start manager", 60)
    limit = int(90 * machine.patience)
    machine.run(f"timeout {limit} sh -c 'until grep -qs \"GUEST listens\" {switch.log('first')}; do sleep 0.5; done'", 120)


def is_guest(screen):
    """All but what a pointer may cover."""
    return switch.share_of_rows(screen, switch.expected('first')) < 0.08


def is_switcher(screen):
    return pictures.is_switcher(pictures.stage(*screen))


def with_hypervisor(build, hypervisor, options, evidence, limit):
    """Figures of one boot: power-on to switcher, flips, killed services."""
    images = f'{build}/images'
    start_from = medium.Medium(hypervisor, f'{medium.HYPERVISOR_OPTIONS} {options}'.strip(), f'{images}/uivm.img.vmlinuz',
                               f'{medium.DOM0_OPTIONS} {UNITS}', f'{images}/uivm.img.initrd')
    with Screen(start_from, evidence, [f'{images}/uivm.img', tests_disk(build)]) as screen:
        figures = {'switcher': screen.wait_for_switcher(limit)}
        start_guest(screen.machine)
        screen.machine.run(TRACED)
        figures['hotkey_to_switcher'] = statistics.median(screen.flip() for _ in range(FLIPS))
        for figure, death in DEATHS.items():
            figures[figure] = statistics.median(screen.killed(*death) for _ in range(KILLS))
        return figures


def without_hypervisor(build, evidence, limit):
    """Power-on to switcher of the same kernel, disk and programs."""
    images = f'{build}/images'
    with Screen(BareMedium(images, UNITS), evidence, [f'{images}/uivm.img', tests_disk(build)]) as screen:
        return screen.wait_for_switcher(limit)

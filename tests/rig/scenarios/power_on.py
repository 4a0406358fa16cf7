"""Boots on each kind of firmware and number of processors."""

from boots import Boot, power_off
from guests import KERNEL, Guest


def processors(rig):
    """Domain-0 and the hypervisor count the machine's processors."""
    run = rig.machine.run
    rig.note('domain-0 processors', run('nproc').strip())
    rig.note('xl info', run("xl info | sed -n 's/^nr_cpus *: *//p'").strip())
    rig.note('xl vcpu-list', run("xl vcpu-list 0 | tail -n +2 | awk '{print $1, $2, $3}'").strip())


def firmware(rig):
    """Domain-0 knows which firmware started the machine."""
    rig.note('efi', rig.machine.run('test -d /sys/firmware/efi && echo yes || echo no').strip())


def guest(rig):
    """A guest starts, runs and switches itself off."""
    guest = Guest(rig.machine, 'hello', 'hello', kernel=KERNEL).create()
    guest.wait_gone(40)
    rig.note('guest', guest.said())


def restart(rig):
    """Domain-0 restarts the machine."""
    # The rig's machines leave at a reset (-no-reboot), so a restart looks like a power-off with another reason.
    rig.machine.type('systemctl reboot --force\n')
    rig.machine.wait_off(120)
    rig.check(rig.machine.end_reason() == 'guest-reset', f'the machine ended by {rig.machine.end_reason()}')


BOOTS = [
    Boot('bios-2-processors', [processors, firmware, guest, power_off], smp=2),
    Boot('uefi-1-processor', [processors, firmware, guest, power_off], uefi=True),
    Boot('uefi-2-processors', [processors, firmware, guest, restart], smp=2, uefi=True),
]

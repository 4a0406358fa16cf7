"""Boots on each kind of firmware and number of processors."""

from guests import KERNEL, Guest, tests_disk
from machine import Machine, standard_medium
from saved import Saved


class Boot:
    """One power-on: how the machine is made, what must happen first, and the scenarios that follow. One that only wants the
    toolstack goes on from a saved state where another machine of its kind has come that far."""

    def __init__(self, name, scenarios, smp=1, uefi=False, dom0='systemd.unit=roundhouse-toolstack.target', ready=None,
                 disks=lambda rig: [], saved=False):
        self.name, self.scenarios, self.smp, self.uefi, self.dom0, self.disks = name, scenarios, smp, uefi, dom0, disks
        self.ready, self.saved = ready or toolstack_ready, saved

    def machine(self, rig, evidence):
        disks = [f'{rig.images}/uivm.img', f'{rig.images}/guest.img', tests_disk(rig.build), *self.disks(rig)]
        machine = Machine(standard_medium(rig.images, rig.hypervisor, dom0_extra=self.dom0), evidence, disks,
                          smp=self.smp, uefi=self.uefi)
        if self.saved:
            machine.saved = Saved(rig.build, rig.name, machine)
        return machine


def toolstack_ready(rig):
    """Domain-0's shell and the toolstack."""
    machine = rig.machine
    if machine.saved and machine.saved.there:
        machine.saved.go_on(machine)
        return
    machine.login()
    machine.run('systemctl is-system-running --wait >/dev/null; systemctl start roundhouse-toolstack.target', 60)
    machine.run('mount -o ro LABEL=roundhouse-tests /mnt')
    if machine.saved:
        machine.saved.keep(machine)


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


def power_off(rig):
    """Domain-0 switches the machine off."""
    rig.machine.type('systemctl poweroff --force\n')
    rig.machine.wait_off(120)


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

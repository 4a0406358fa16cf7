"""What the scenarios have in common: how a machine is switched on and comes to its toolstack, and how it is switched off."""

from guests import tests_disk
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
                          smp=self.smp, uefi=self.uefi, qemu=rig.qemu)
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


def power_off(rig):
    """Domain-0 switches the machine off."""
    rig.machine.type('systemctl poweroff --force\n')
    rig.machine.wait_off(120)

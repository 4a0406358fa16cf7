"""Boots that cannot succeed: one clear line on the console for each."""

import os

from machine import Machine
from medium import HYPERVISOR_OPTIONS, Medium


class BadBoot:
    """A power-on with bad modules or options. Its one scenario waits for the line."""

    def __init__(self, name, title, make, pattern, memory=4096):
        self.name, self.make, self.pattern, self.memory = name, make, pattern, memory

        def says_why(rig):
            rig.machine.expect(pattern, 60)

        says_why.__doc__ = title
        self.scenarios = [says_why]

    def machine(self, rig, evidence):
        return Machine(self.make(rig, evidence), evidence, memory=self.memory, qemu=rig.qemu)

    @staticmethod
    def ready(rig):
        """The machine is on."""


def without_modules(rig, _):
    return Medium(rig.hypervisor)


def kernel_of(rig, evidence, data):
    path = os.path.join(evidence, 'kernel')
    with open(path, 'wb') as file:
        file.write(data)
    return Medium(rig.hypervisor, kernel=path, kernel_options='', ramdisk=f'{rig.images}/uivm.img.initrd')


def contents(path):
    with open(path, 'rb') as file:
        return file.read()


def truncated(rig, evidence):
    return kernel_of(rig, evidence, contents(f'{rig.images}/uivm.img.vmlinuz')[:1 << 20])


def not_pv(rig, evidence):
    return kernel_of(rig, evidence, contents(rig.hypervisor))


def whole(rig, options=HYPERVISOR_OPTIONS):
    return Medium(rig.hypervisor, options, f'{rig.images}/uivm.img.vmlinuz', 'console=hvc0', f'{rig.images}/uivm.img.initrd')


BOOTS = [
    BadBoot('no-module', 'A missing kernel module is named', without_modules, r'(?i)^.*(no|missing).*module.*$'),
    BadBoot('truncated-kernel', 'A truncated kernel is named', truncated, r'(?i)^.*kernel.*(truncated|damaged|ends|short).*$'),
    BadBoot('not-pv', 'A kernel that is no PV kernel is named', not_pv, r'(?i)^.*(not|no) .*(PV|Xen).*$'),
    BadBoot('little-memory', 'Too little memory is named', lambda rig, _: whole(rig), r'(?i)^.*memory.*(little|only|not enough|needs).*$',
            memory=512),
    BadBoot('unknown-option', 'An unknown option is named',
            lambda rig, _: whole(rig, f'{HYPERVISOR_OPTIONS} nosuchoption=1'), r'(?i)^.*unknown.*nosuchoption.*$'),
]

"""VT-x in Bochs: a stock PV Domain-0 starts a stock PVH guest, whose shell answers."""

import os
import shutil

import ramdisk
from bochs import KERNEL_OPTIONS, Bochs
from guests import HERE, pack
from machine import REFERENCE_OPTIONS
from medium import HYPERVISOR_OPTIONS, Medium

MEMORY = 1024           # MiB
FAIL = r'RIG: failed.*|PANIC|Panic on CPU|Kernel panic|segfault at'
LIMIT = 1200            # seconds for one step: only a hang takes so long, a failure is told at once


class VtxBoot:
    """One power-on of Bochs. Its Domain-0 needs no commands: it says line by line what it did (domain0/pvh)."""

    name = 'vtx-1-processor'

    def __init__(self, scenarios):
        self.scenarios, self.ready = scenarios, toolstack_up

    def machine(self, rig, evidence):
        folder = f'{rig.build}/tests/rig/vtx-{rig.name}'
        guest_initramfs(f'{folder}-guest')
        kernel, disk = ramdisk.build(rig.images, folder, 'pvh', {
            'guest/vmlinux': f'{folder}/vmlinux', 'guest/initramfs': f'{folder}-guest/initramfs'})
        options = f'{HYPERVISOR_OPTIONS} dom0_mem=640M,max:640M'
        if os.path.basename(rig.hypervisor) == 'reference.elf':
            options += f' {REFERENCE_OPTIONS}'
        medium = Medium(rig.hypervisor, options, kernel, f'console=hvc0 loglevel=7 rdinit=/init {KERNEL_OPTIONS}', disk)
        return Bochs(medium, evidence, memory=MEMORY)


def guest_initramfs(folder):
    """Makes `folder`/initramfs."""
    tree = f'{folder}/tree'
    shutil.rmtree(folder, ignore_errors=True)
    for name in ('bin', 'proc', 'sys', 'dev'):
        os.makedirs(f'{tree}/{name}')
    shutil.copy('/bin/busybox', f'{tree}/bin')
    os.symlink('busybox', f'{tree}/bin/sh')
    shutil.copy(f'{HERE}/domain0/guest-init', f'{tree}/init')
    with open(f'{folder}/initramfs', 'wb') as file:
        file.write(pack(tree))


def told(rig, what):
    """Waits for Domain-0's line about `what`; returns the rest of that line."""
    return rig.machine.expect(rf'^RIG: {what}: (.*)\n', LIMIT, FAIL).group(1).strip()


def toolstack_up(rig):
    """Domain-0 starts the toolstack."""
    rig.machine.expect('^RIG: toolstack up$', LIMIT, FAIL)


def check_vectors(rig, said):
    """AVX-512 on ours. On the reference Linux finds sizes in CPUID that do not agree, in Bochs, and does without XSAVE."""
    if os.path.basename(rig.hypervisor) != 'reference.elf':
        rig.check('xstate features 0xe7' in said, f'Linux says of the extended state: "{said}"')


def virtualisation(rig):
    """VT-x and EPT are there for guests, and AVX-512 for Domain-0."""
    capabilities = told(rig, 'virtualisation').split()
    rig.check({'pv', 'hvm', 'hap'} <= set(capabilities), f'virt_caps is {capabilities}')
    kinds = told(rig, 'capabilities').split()
    rig.check('hvm-3.0-x86_64' in kinds, f'xen_caps is {kinds}')
    check_vectors(rig, told(rig, 'vectors'))


def guest_shell(rig):
    """A PVH guest starts and its shell answers."""
    rig.note('start', told(rig, 'start'))
    kind, processors, *vectors = told(rig, 'guest').rstrip(',').split(', ', 2)
    rig.note('guest', f'{kind}, {processors}')
    check_vectors(rig, ''.join(vectors))
    rig.note('answer', told(rig, 'answer'))


def guest_power_off(rig):
    """The guest switches itself off and is gone."""
    rig.note('end', told(rig, 'end'))
    rig.note('domains', told(rig, 'domains'))


BOOTS = [VtxBoot([virtualisation, guest_shell, guest_power_off])]
